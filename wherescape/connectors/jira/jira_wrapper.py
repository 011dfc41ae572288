"""Reads a Jira Cloud site through its REST API v3 and its Agile API; knows nothing of WhereScape."""

import base64
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from wherescape.api_client import ApiClient
from wherescape.api_response import ApiResponse, Record
from wherescape.api_source import ApiSource, checked_address
from wherescape.concurrency import in_parallel
from wherescape.connectors.jira.jira_fields import Field, choose_fields
from wherescape.connectors.jira.jira_records import (
    ISSUE_FIELDS,
    PERSONS,
    flat_board,
    flat_history,
    flat_issue,
    flat_project,
    flat_sprint,
    flat_user,
    flat_worklog,
    in_progress,
    inner,
)
from wherescape.connectors.jira.jira_scope import EVERYTHING, Scope
from wherescape.connectors.jira.jira_time import StatusChange, jql_moment, moment, time_zone
from wherescape.epoch import to_epoch
from wherescape.errors import ApiAnswerInvalid, ApiRefused
from wherescape.redaction import add_secret, redact

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

EXAMPLE = "https://example.atlassian.net"
EXAMPLES = f"{EXAMPLE} or https://api.atlassian.com/ex/jira/{{cloud id}}"
API_PATHS = tuple(f"/rest/api/{version}" for version in (2, 3, "latest"))
API = "rest/api/3"
AGILE = "rest/agile/1.0"
IDS_A_PAGE = 5_000
ISSUES_A_CALL = 100
CHANGELOGS_A_CALL = 1_000
CHANGES_A_PAGE = 5_000
WORKLOGS_A_CALL = 1_000
PROJECTS_A_PAGE = 100
BOARDS_A_PAGE = 50
USERS_A_PAGE = 1_000
EMPTY_PAGES_OF_USERS = 5
MOST_NAMED = 10
WORKLOGS_HELD_BACK = timedelta(minutes=1)
LONGEST_DETAIL = 200


class Jira(ApiSource):
    """A Jira Cloud site, as the user of an API token sees it.

    Every method gives records page by page, one level deep: what Jira nests is named `status_statuscategory_key`.
    Values are Jira's own; dates are ISO 8601 texts with an offset, or aware. What Jira leaves out is None.

    A login that does not count is no error to Jira: most of its answers then just hold less. So it is checked before
    and after all that is read, beside what the answers themselves tell.

    Source: Jira Cloud platform REST API v3; Jira Software Cloud REST API.

    Arguments:
        user: the e-mail address that the API token belongs to; empty to send the token as a bearer token.
        apikey: the API token.
        base_url: the site (`https://example.atlassian.net`) or `https://api.atlassian.com/ex/jira/{cloud id}`, with or
            without `/rest/api/3`.
        credential: where the login comes from, in words, for the error when Jira refuses it.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that Jira's rate limit may ask for.
        workers: how many requests for issues are under way at once.

    Raises:
        DeclarationError: the address is not http or https, or the login holds what no login has.
    """

    smallest_request = f"{API}/myself"

    def __init__(
        self,
        user: str,
        apikey: str,
        base_url: str,
        *,
        credential: str = "the user and API token",
        max_retries: int = 6,
        max_wait_seconds: float = 600,
        workers: int = 4,
    ) -> None:
        self._workers = workers
        super().__init__(
            ApiClient(
                checked_address("Jira", base_url, EXAMPLES, typed=API_PATHS),
                {"Authorization": _authorization(user.strip(), apikey.strip())},
                credential=credential,
                max_retries=max_retries,
                max_wait_seconds=max_wait_seconds,
                is_anonymous=_is_anonymous,
            )
        )

    @cached_property
    def user(self) -> Record:
        """The user whose login is used, with accountId and timeZone ("Get current user").

        Raises:
            ApiRefused: the login is wrong.
            ApiAnswerInvalid: Jira does not say whose login it is.
        """
        return self._current_user()

    def fields(self, chosen: Sequence[str]) -> list[Field]:
        """Return what Jira tells about fields of issues ("Get fields").

        Arguments:
            chosen: their names or ids.

        Raises:
            DeclarationError: there is no such field, or several of the name; the error lists candidates.
        """
        return choose_fields(chosen, self._as_user(self._field_records())) if chosen else []

    def projects(self, *, archived: bool = False, include_private: bool = True) -> Iterator[Record]:
        """Read the projects that the user sees ("Get projects paginated").

        Arguments:
            archived: those that are archived as well.
            include_private: False leaves out those that only their members see.

        Raises:
            ApiError: the list could not be read to its end.
        """
        return self._as_user(self._read_projects(archived, include_private))

    def issue_ids(self, scope: Scope = EVERYTHING) -> Iterator[Record]:
        """Read the ids of the issues that exist ("Search for issues using JQL enhanced search").

        Raises:
            ApiError: the list could not be read to its end.
        """
        return self._as_user({"id": issue_id} for issue_id in self._find_ids(None, scope))

    def issues(
        self,
        since: datetime | None = None,
        scope: Scope = EVERYTHING,
        fields: Sequence[Field] = (),
        *,
        with_adf: bool = False,
    ) -> Iterator[Record]:
        """Read issues by their creation: their ids, then a hundred issues at once ("Bulk fetch issues").

        An issue that is deleted meanwhile is left out. Read them to the end: giving up closes the connection.

        Arguments:
            since: only those changed at or after it, by Jira's search, which may be some minutes late; without an
                offset it is the user's local time.
            scope: which issues.
            fields: further fields to read, from `fields`.
            with_adf: add the documents behind rich texts.

        Raises:
            ApiError: an issue, or the list, could not be read.
        """
        return self._as_user(self._read_issues(since, scope, fields, with_adf))

    def changes(
        self, since: datetime | None = None, scope: Scope = EVERYTHING, *, with_names: bool = True
    ) -> Iterator[Record]:
        """Read all changes of the issues that were changed, a record for each field ("Bulk fetch changelogs").

        Arguments:
            since: as for `issues`; older changes of these issues come as well.
            scope: which issues.
            with_names: False leaves out the names of persons that a field had or got; their account ids stay.

        Raises:
            ApiError: as for `issues`.
        """
        return self._as_user(self._read_changes(since, scope, with_names))

    def worklogs(self, since: datetime | None = None, *, with_adf: bool = False) -> Iterator[Record]:
        """Read the worklogs that the user sees ("Get IDs of updated worklogs", "Get worklogs").

        Arguments:
            since: only those changed at or after it; Jira holds back what changed in the last minute.
            with_adf: add the documents behind the comments.

        Raises:
            ApiError: they could not be read to their end.
        """
        return self._as_user(self._read_worklogs(since, with_adf))

    def deleted_worklogs(self, since: datetime | None = None) -> Iterator[Record]:
        """Read the ids of worklogs that were deleted ("Get IDs of deleted worklogs").

        Arguments:
            since: only those deleted at or after it.

        Raises:
            ApiError: they could not be read to their end.
        """
        return self._as_user(self._read_deleted_worklogs(since))

    def boards(self) -> Iterator[Record]:
        """Read the boards that the user sees (Agile API, "Get all boards").

        Raises:
            ApiRefused: the site has no Jira Software.
            ApiError: the list could not be read to its end.
        """
        return self._as_user(flat_board(board) for board in self._board_records())

    def sprints(self) -> Iterator[Record]:
        """Read the sprints of all boards, each once (Agile API, "Get all sprints").

        A board that answers 403 or 404 is not an error, but named in a warning and in `extraction.skipped`.

        Raises:
            ApiRefused: the site has no Jira Software, or no board could be read.
            ApiError: they could not be read to their end.
        """
        return self._as_user(self._read_sprints())

    def users(self) -> Iterator[Record]:
        """Read the users, apps and customers that the user sees ("Get all users").

        Raises:
            ApiError: the list could not be read to its end.
        """
        return self._as_user(self._read_users())

    # --------------------------------------------------------------------------------------------------------- login

    def _current_user(self) -> Record:
        body = self._client.get_json(f"{API}/myself").body
        if not isinstance(body, dict) or not body.get("accountId"):
            raise ApiAnswerInvalid(
                f"{self._client.base_url} does not say whose login it is. Check the base URL, the user and API token."
            )
        return body

    def _as_user(self, records: Iterable[Item]) -> Iterator[Item]:
        """Give records on, and make sure that the login counted before and after they were read."""
        account = self.user["accountId"]
        yield from records
        if self._current_user()["accountId"] != account:
            raise ApiAnswerInvalid("Jira took the login for another user's in the middle of the load. Run it again.")

    # ------------------------------------------------------------------------------------------------------ projects

    def _read_projects(self, archived: bool, include_private: bool) -> Iterator[Record]:
        for status in ("live", "archived") if archived else ("live",):
            params = {"status": status, "orderBy": "key", "expand": "description,lead,url"}
            for project in self._offset_records(f"{API}/project/search", params, size=PROJECTS_A_PAGE):
                if include_private or not project.get("isPrivate"):
                    yield flat_project(project, is_archived=status == "archived")

    def _private_project_ids(self) -> list[str]:
        params = {"orderBy": "key"}
        projects = self._offset_records(f"{API}/project/search", params, size=PROJECTS_A_PAGE)
        return [str(project["id"]) for project in projects if project.get("isPrivate")]

    # -------------------------------------------------------------------------------------------------------- issues

    def _find_ids(self, since: datetime | None, scope: Scope) -> Iterator[str]:
        """Yield the ids of issues by their creation, which never changes: an edit moves none to another page."""
        pages = self._client.follow_cursor(
            f"{API}/search/jql",
            {"jql": self._jql(since, scope), "fields": ["id"], "maxResults": IDS_A_PAGE},
            records="issues",
            token="nextPageToken",
            last_flag="isLast",
            by_post=True,
        )
        seen: set[int] = set()
        for page in pages:
            for issue in page:
                number = int(_id(issue, "issue"))
                if number not in seen:
                    seen.add(number)
                    yield str(number)

    def _jql(self, since: datetime | None, scope: Scope) -> str:
        private = () if scope.include_private else self._private_project_ids()
        return scope.to_jql(jql_moment(self._aware(since), self._time_zone) if since else "", private)

    @property
    def _time_zone(self) -> ZoneInfo:
        return time_zone(self.user.get("timeZone"))

    def _aware(self, since: datetime) -> datetime:
        return since if since.tzinfo else since.replace(tzinfo=self._time_zone)

    def _read_issues(
        self, since: datetime | None, scope: Scope, fields: Sequence[Field], with_adf: bool
    ) -> Iterator[Record]:
        categories = {_id(status, "status"): inner(status, "statusCategory", "key") for status in self._statuses()}
        names = list(dict.fromkeys([*ISSUE_FIELDS, *(field.id for field in fields)]))
        unknown: set[str] = set()

        def read(ids: Sequence[str]) -> Iterator[Record]:
            issues = self._fetch_issues(ids, names)
            changes = self._status_changes([issue["id"] for issue in issues])
            for issue in issues:
                of_issue = changes.get(issue["id"], [])
                status = issue["fields"].get("status")
                own = {str(inner(status, "id")): inner(status, "statusCategory", "key")}
                known = own | categories
                unknown.update(
                    {status for change in of_issue for status in (change.before, change.after)} - set(known)
                )
                since_when = in_progress(issue, of_issue, known)
                yield flat_issue(issue, fields, with_adf=with_adf) | {"status_in_progress_date": since_when}

        gone = 0
        for ids, records in self._in_parallel(_batches(self._find_ids(since, scope), ISSUES_A_CALL), read):
            gone += len(ids)
            for record in records:
                gone -= 1
                yield record
        if gone:
            logger.info("%s issues that the search found are gone, or not visible, and so left out.", f"{gone:,}")
        if unknown:
            logger.info(
                "The histories of issues name %s statuses that Jira no longer tells about, which count as not in"
                " progress: %s.",
                len(unknown),
                _some(sorted(unknown)),
            )

    def _fetch_issues(self, ids: Sequence[str], names: Sequence[str]) -> list[Record]:
        """Return the issues that still exist, in the order of their ids.

        Source: "Bulk fetch issues": what is gone or hidden is left out; an issue that could not be read is an error.
        """
        begin = time.monotonic()
        body = {"issueIdsOrKeys": list(ids), "fields": list(names)}
        response = self._client.post_json(f"{API}/issue/bulkfetch", body)
        issues, errors = _records(response, "issues"), _records(response, "issueErrors", may_be_missing=True)
        found = {(issue_id := _id(issue, "issue")): issue | {"id": issue_id} for issue in issues}
        if missing := [issue_id for issue_id in found if "updated" not in (found[issue_id].get("fields") or {})]:
            raise ApiAnswerInvalid(f"Jira gave issue {missing[0]} without the field updated that was asked for.")
        for error in errors:
            failed = str(error.get("id"))
            if len(ids) == 1:
                reason = redact(str(error.get("errorMessage")))[:LONGEST_DETAIL]
                raise ApiAnswerInvalid(f"Jira could not read issue {failed}: {reason}. Run the load again.")
            # It may have been too much at once.
            found |= {issue["id"]: issue for issue in self._fetch_issues([failed], names)}
        self.extraction.add_page(begin, time.monotonic() - begin, len(issues))
        for issue_id in ids:
            if issue_id not in found and self._has_issue(issue_id):
                raise ApiAnswerInvalid(f"Jira left issue {issue_id} out although it is there. Run the load again.")
        return [found[issue_id] for issue_id in ids if issue_id in found]

    def _has_issue(self, issue_id: str) -> bool:
        """Tell whether an issue exists and is visible ("Get changelogs": 404 if not)."""
        try:
            self._client.get_json(f"{API}/issue/{issue_id}/changelog", {"maxResults": 1})
        except ApiRefused as error:
            if error.status_code != 404:
                raise
            return False
        return True

    def _statuses(self) -> list[Record]:
        return _records(self._client.get_json(f"{API}/status"))

    # ----------------------------------------------------------------------------------------------------- changelog

    def _histories(self, ids: Sequence[str], field_ids: Sequence[str] = ()) -> Iterator[tuple[str, Record]]:
        """Yield the edits of issues, each once, with the issue's id; those of one issue may be on several pages."""
        body: Record = {"issueIdsOrKeys": list(ids), "maxResults": CHANGES_A_PAGE}
        if field_ids:
            body["fieldIds"] = list(field_ids)
        pages = self._client.follow_cursor(
            f"{API}/changelog/bulkfetch", body, records="issueChangeLogs", token="nextPageToken", by_post=True
        )
        seen: set[tuple[str, str]] = set()
        for page in pages:
            for log in page:
                issue_id = str(log.get("issueId"))
                for history in log.get("changeHistories") or ():
                    key = issue_id, _id(history, "change")
                    if key not in seen:
                        seen.add(key)
                        yield issue_id, history

    def _status_changes(self, ids: Sequence[str]) -> dict[str, list[StatusChange]]:
        changes: dict[str, list[StatusChange]] = {}
        for issue_id, history in self._histories(ids, ["status"]) if ids else ():
            for item in history.get("items") or ():
                if (item.get("fieldId") or item.get("field")) == "status":
                    at = moment(history.get("created"))
                    if at is None:
                        raise ApiAnswerInvalid(f"Jira gave a change of issue {issue_id} without its time.")
                    change = StatusChange(at, int(history["id"]), str(item.get("from")), str(item.get("to")))
                    changes.setdefault(issue_id, []).append(change)
        return changes

    def _read_changes(self, since: datetime | None, scope: Scope, with_names: bool) -> Iterator[Record]:
        persons = set() if with_names else self._person_fields()

        def read(ids: Sequence[str]) -> Iterator[Record]:
            for issue_id, history in self._histories(ids):
                yield from flat_history(issue_id, history, persons)

        for _, records in self._in_parallel(_batches(self._find_ids(since, scope), CHANGELOGS_A_CALL), read):
            yield from records

    def _person_fields(self) -> set[str]:
        fields = self._field_records()
        return {
            str(field.get(key))
            for field in fields
            for key in ("id", "name")
            if "user" in (inner(field, "schema", "type"), inner(field, "schema", "items"))
        } | set(PERSONS)

    def _field_records(self) -> list[Record]:
        return _records(self._client.get_json(f"{API}/field"))

    # ------------------------------------------------------------------------------------------------------ worklogs

    def _read_worklogs(self, since: datetime | None, with_adf: bool) -> Iterator[Record]:
        def read(ids: Sequence[int]) -> Iterator[Record]:
            by_id = self._worklogs_by_id(ids)
            # What is left out twice is deleted or hidden.
            by_id |= self._worklogs_by_id([worklog_id for worklog_id in ids if worklog_id not in by_id])
            found = [by_id[worklog_id] for worklog_id in ids if worklog_id in by_id]
            yield from (flat_worklog(worklog, with_adf=with_adf) for worklog in found)

        ids = (int(change["worklogId"]) for change in self._worklog_changes("updated", since))
        gone = 0
        for batch, records in self._in_parallel(_batches(_once(ids), WORKLOGS_A_CALL), read):
            gone += len(batch)
            for record in records:
                gone -= 1
                yield record
        if gone:
            logger.info("%s worklogs are deleted, or not visible, and so left out.", f"{gone:,}")

    def _worklogs_by_id(self, ids: Sequence[int]) -> dict[int, Record]:
        found = _records(self._client.post_json(f"{API}/worklog/list", {"ids": list(ids)})) if ids else []
        return {int(_id(worklog, "worklog")): worklog for worklog in found}

    def _read_deleted_worklogs(self, since: datetime | None) -> Iterator[Record]:
        seen: set[int] = set()
        for change in self._worklog_changes("deleted", since):
            worklog_id = int(change["worklogId"])
            if worklog_id not in seen:
                seen.add(worklog_id)
                yield {"id": worklog_id, "deleted": moment(change.get("updatedTime"))}

    def _worklog_changes(self, what: str, since: datetime | None) -> Iterator[Record]:
        """Yield the ids of worklogs that were updated or deleted; a page begins where the one before it ended."""
        start = 0
        if since:
            start = max(0, to_epoch(self._aware(since) - WORKLOGS_HELD_BACK, 1_000))
        path = f"{API}/worklog/{what}"
        while True:
            begin = time.monotonic()
            response = self._client.get_json(path, {"since": start})
            page = _records(response, "values")
            self.extraction.add_page(begin, time.monotonic() - begin, len(page))
            for change in page:
                if not isinstance(change.get("worklogId"), int):
                    raise ApiAnswerInvalid(f"{path} gave a worklog without its worklogId.")
                yield change
            is_last, until = response.body.get("lastPage"), response.body.get("until")
            if is_last is True:
                return
            if is_last is None or not isinstance(until, int) or until < start:
                raise ApiAnswerInvalid(f"{path} does not tell where its next page begins.")
            if until == start and len(page) >= WORKLOGS_A_CALL:
                raise ApiAnswerInvalid(f"{path} has {len(page)} worklogs of one millisecond, and does not go past it.")
            # Whether Jira gives what changed at that very millisecond is not told; what comes twice is left out.
            start = max(until - 1, start + 1)

    # --------------------------------------------------------------------------------------------- boards and sprints

    def _board_records(self) -> Iterator[Record]:
        try:
            yield from self._offset_records(f"{AGILE}/board", size=BOARDS_A_PAGE)
        except ApiRefused as error:
            if error.status_code != 404:
                raise
            raise ApiRefused(
                f"{self._client.base_url}/{AGILE}/board answered 404: the site has no Jira Software, and so neither"
                " boards nor sprints, or the user has no access to it. Do not schedule this load table.",
                404,
            ) from None

    def _read_sprints(self) -> Iterator[Record]:
        records = self._client.read_parents(
            self._board_records(),
            self._sprints_of,
            name=lambda board: f"Board {board['id']}",
            what="sprints",
            workers=self._workers,
        )
        seen: set[Any] = set()
        for sprint in records:
            if sprint["id"] not in seen:
                seen.add(sprint["id"])
                yield flat_sprint(sprint)

    def _sprints_of(self, board: Record) -> Iterator[Record]:
        try:
            yield from self._offset_records(f"{AGILE}/board/{board['id']}/sprint", size=BOARDS_A_PAGE)
        except ApiRefused as error:
            # A board without sprints says so in this way.
            if error.status_code != 400 or board.get("type") == "scrum":
                raise

    # --------------------------------------------------------------------------------------------------------- users

    def _read_users(self) -> Iterator[Record]:
        """Yield users; a page may be short, or even empty, since Jira takes users out of it that are hidden."""
        seen: set[str] = set()
        start = empty = stale = 0
        while empty < EMPTY_PAGES_OF_USERS:
            begin = time.monotonic()
            response = self._client.get_json(f"{API}/users/search", {"startAt": start, "maxResults": USERS_A_PAGE})
            page = _records(response)
            self.extraction.add_page(begin, time.monotonic() - begin, len(page))
            fresh = [user for user in page if str(user.get("accountId")) not in seen]
            seen.update(str(user.get("accountId")) for user in fresh)
            yield from map(flat_user, fresh)
            start += len(page) or USERS_A_PAGE
            empty = 0 if page else empty + 1
            stale = 0 if fresh or not page else stale + 1
            if stale > USERS_A_PAGE:
                raise ApiAnswerInvalid(f"Jira's list of users gave the same users {stale} times in a row.")

    # -------------------------------------------------------------------------------------------------------- paging

    def _offset_records(
        self, path: str, params: Mapping[str, str | int] | None = None, *, size: int
    ) -> Iterator[Record]:
        """Yield the records of a list that is paged by their number, each once.

        A page may hold fewer than were asked for. What is added to the list meanwhile repeats records; what is taken
        away hides others, and shows in the total.
        """
        seen: set[Any] = set()
        start, most = 0, 0
        while True:
            begin = time.monotonic()
            response = self._client.get_json(path, {**(params or {}), "startAt": start, "maxResults": size})
            page = _records(response, "values")
            self.extraction.add_page(begin, time.monotonic() - begin, len(page))
            total, is_last = response.body.get("total"), response.body.get("isLast")
            if response.body.get("startAt", start) != start:
                raise ApiAnswerInvalid(f"{path} gave another page than the one from {start} on that was asked for.")
            yield from (record for record in page if _id(record, path) not in seen)
            seen.update(record["id"] for record in page)
            start += len(page)
            most = max(most, total or 0)
            if is_last or (is_last is None and total is not None and start >= total):
                break
            if not page:
                if is_last is False or start < (total or 0):
                    raise ApiAnswerInvalid(f"{path} gave an empty page after {start} records, but promises more.")
                break
        self.extraction.end_list(path, len(seen), most or None)

    def _in_parallel(
        self, parents: Iterable[Sequence[Item]], read: Callable[[Sequence[Item]], Iterable[Record]]
    ) -> Iterator[tuple[Sequence[Item], Iterator[Record]]]:
        with closing(in_parallel(parents, read, self._workers, on_abandon=self._client.close)) as reading:
            yield from reading


# ------------------------------------------------------------------------------------------------------------ checks


def _records(response: ApiResponse, name: str = "", *, may_be_missing: bool = False) -> list[Record]:
    """Return the records of an answer: of a field of it, or the answer itself.

    Raises:
        ApiAnswerInvalid: there is no list of objects.
    """
    found = inner(response.body, name) if name else response.body
    if found is None and may_be_missing and isinstance(response.body, dict):
        return []
    if isinstance(found, list) and all(isinstance(record, dict) for record in found):
        return found
    place = urlsplit(response.url).path
    raise ApiAnswerInvalid(f"{place} answered 200, but with no list of records{f' in {name}' if name else ''}.")


def _id(record: Record, what: str) -> str:
    value = record.get("id")
    if isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdecimal()):
        return str(value)
    raise ApiAnswerInvalid(f"Jira gave a record without an id in digits ({what}).")


def _authorization(user: str, apikey: str) -> str:
    add_secret(apikey)
    if not user:
        return f"Bearer {apikey}"
    encoded = base64.b64encode(f"{user}:{apikey}".encode()).decode()
    add_secret(encoded)
    return f"Basic {encoded}"


def _is_anonymous(headers: Mapping[str, str]) -> bool:
    """Tell whether Jira did not accept the login (Atlassian Support, "X-Seraph-LoginReason")."""
    return headers.get("X-Seraph-LoginReason", "").upper() in ("AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", and more" if len(names) > MOST_NAMED else "")


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _once(items: Iterable[Item]) -> Iterator[Item]:
    seen: set[Item] = set()
    for item in items:
        if item not in seen:
            seen.add(item)
            yield item
