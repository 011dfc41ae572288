"""A stand-in for a Jira Cloud site on loopback: stateful, and strict about what a client may ask.

Sources: Jira Cloud platform REST API v3 ("Issue search", "Issues", "Issue changelogs" in "Issues", "Projects",
"Issue worklogs", "Users", "Myself"); Jira Software Cloud REST API ("Board"); Atlassian, "Rate limiting" and "Basic
auth for REST APIs".
"""

import secrets
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Literal, TypeVar
from urllib.parse import unquote, urlencode
from zoneinfo import ZoneInfo

from tests.servers.jira_entities import SYSTEM_FIELDS, JiraEntities
from tests.servers.jira_jql import Clock, Query, WrongJql, parse_jql
from tests.servers.jira_site import CATEGORY_IDS, History, Issue, JiraSite, Json, Language
from wherescape.testing.api_server import Answer, ApiServer, Refused, Request, json_answer

Item = TypeVar("Item")
Position = tuple[Any, ...]
Kinds = Mapping[str, type | tuple[type, ...]]

API, AGILE = "/rest/api/3", "/rest/agile/1.0"
TOKEN_LIFE = timedelta(days=7)
NOT_YET_LISTED = timedelta(minutes=1)
"""`worklog/updated` keeps the last minute back."""
MOST_IDS, MOST_ISSUES = 5_000, 100
ISSUE_FIELDS = (*SYSTEM_FIELDS, "issuekey", "thumbnail", "id", "key", "*all", "*navigable")
LOGIN_FAILED = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}


class JiraServer(JiraSite, ApiServer):
    """A Jira Cloud site; what happens on it is what a test makes happen.

        with JiraServer(time_zone="Europe/Amsterdam") as server:
            issue = server.add_issue("Broken lamp")
            requests.get(f"{server.url}/rest/api/3/myself", auth=(server.user_name, server.apikey))

    A wrong login by Basic gets 401 from `/myself` and 200 with nothing from most others, as on a site that allows
    anonymous access; a wrong Bearer, and any wrong login at `cloud_url`, gets 401.

    Arguments:
        time_zone: that of the API user's profile: JQL's dates are read in it, timestamps carry its offset.
        language: that of the API user's profile.
        agile: whether the site has Jira Software.
    """

    def __init__(self, time_zone: str = "UTC", *, language: Language = "en", agile: bool = True) -> None:
        ApiServer.__init__(self)
        JiraSite.__init__(self, language)
        self.time_zone = time_zone
        self.has_agile = agile
        self.user_name = "mia@example.com"
        self.apikey = f"ATATT{secrets.token_urlsafe(16)}"
        self.cloud_id = "11223344-a1b2-3b33-c444-def123456789"
        self.is_login_valid = True
        """Set it to False for a key that is revoked in the middle."""
        self.tells_failed_login = True
        """Whether an anonymous answer to a wrong login says so in a header."""
        self.fold = 0
        """Which of two moments a doubled local hour means in JQL: the first one (0) or the second one (1)."""
        self.ids_per_page, self.issues_per_page = MOST_IDS, MOST_ISSUES
        self.projects_per_page, self.users_per_page, self.boards_per_page = 100, 1_000, 50
        self.histories_per_page, self.worklogs_per_page = 10_000, 1_000
        self.pages_are_short = False
        """Whether pages with a token come with fewer rows than they could, and now and then with none."""
        self.tells_is_last = True
        self.history_dates: Literal["milliseconds", "seconds", "text"] = "milliseconds"
        """How `changelog/bulkfetch` writes `created`."""
        self.includes_since = True
        """Whether `worklog/updated` lists what changed at `since` itself."""
        self.unreadable_issues: set[int] = set()
        """Issues for which `issue/bulkfetch` gives an error instead."""
        self.more_headers: dict[str, str] = {}
        """Sent with every answer, such as those of a quota."""
        self._tokens: dict[str, tuple[str, Position, datetime]] = {}
        self._answered = count(1)

    @property
    def cloud_url(self) -> str:
        """The address of the same site behind api.atlassian.com."""
        return f"{self.url}/ex/jira/{self.cloud_id}"

    def expire_tokens(self) -> None:
        """Make all tokens for a next page invalid."""
        self._tokens.clear()

    def answer(self, request: Request) -> Answer:
        path, gateway = request.path, f"/ex/jira/{self.cloud_id}"
        is_gateway = path.startswith(f"{gateway}/")
        path = path.removeprefix(gateway) if is_gateway else path
        is_anonymous = self._refuse_login(request, path, is_gateway)
        answer = self._anonymous(path) if is_anonymous else self._route(request, path)
        told = LOGIN_FAILED if is_anonymous and self.tells_failed_login else {}
        return Answer(answer.status, answer.body, {**self.more_headers, **told, **answer.headers})

    def _refuse_login(self, request: Request, path: str, is_gateway: bool) -> bool:
        """Tell whether a wrong login is answered as if there were none; refuse it where Jira does."""
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        basic = b64encode(f"{self.user_name}:{self.apikey}".encode()).decode()
        if self.is_login_valid and (scheme, sent) in (("Basic", basic), ("Bearer", self.apikey)):
            return False
        if is_gateway or scheme == "Bearer":
            raise Refused(json_answer({"code": 401, "message": "Unauthorized"}, 401))
        if path == f"{API}/myself":
            text = "Client must be authenticated to access this resource."
            raise Refused(Answer(401, text, {"Content-Type": "text/plain", **LOGIN_FAILED}))
        return True

    def _anonymous(self, path: str) -> Answer:
        match path.removeprefix(API).strip("/").split("/"):
            case ["search", "jql"]:
                return json_answer({"issues": [], "isLast": True})
            case ["search", "approximate-count"]:
                return json_answer({"count": 0})
            case ["project", "search"]:
                return json_answer({"startAt": 0, "maxResults": 50, "total": 0, "isLast": True, "values": []})
            case ["issue", "bulkfetch"]:
                return json_answer({"issues": [], "issueErrors": []})
            case ["changelog", "bulkfetch"]:
                return json_answer({"issueChangeLogs": []})
            case ["worklog", "list"] | ["status"] | ["statuscategory"] | ["field"]:
                return json_answer([])
            case ["serverInfo"]:
                return self._server_info()
        return _errors("You are not authenticated. Authentication required to perform this operation.", status=401)

    def _route(self, request: Request, path: str) -> Answer:
        if path.startswith(f"{AGILE}/"):
            return self._route_agile(request, path.removeprefix(AGILE))
        if not path.startswith(f"{API}/"):
            return Answer(404, "<html><body>Oops</body></html>", {"Content-Type": "text/html"})
        match [request.method, *path.removeprefix(API).strip("/").split("/")]:
            case ["GET", "myself"]:
                self._check_query(request, {"expand"})
                me = self._entities.user(self.users[self.me])
                return json_answer({**(me or {}), "timeZone": self.time_zone, "locale": self.language})
            case ["GET", "serverInfo"]:
                self._check_query(request)
                return self._server_info()
            case ["GET", "field"]:
                self._check_query(request)
                return json_answer(self._entities.fields())
            case ["GET", "status"]:
                self._check_query(request)
                statuses = [status for status in self.statuses.values() if not status.is_deleted]
                return json_answer([self._entities.status(status) for status in statuses])
            case ["GET", "statuscategory"]:
                self._check_query(request)
                return json_answer([self._entities.category(category) for category in CATEGORY_IDS])
            case ["GET", "project", "search"]:
                return self._list_projects(request)
            case ["GET", "users", "search"]:
                return self._list_users(request)
            case ["GET" | "POST", "search"]:
                text = "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API."
                raise self.mistake(f"{request.method} /search was removed", _errors(text, status=410))
            case ["GET" | "POST", "search", "jql"]:
                return self._search(request)
            case ["POST", "search", "approximate-count"]:
                body = self._body(request, {"jql": str}, required={"jql"})
                return json_answer({"count": len(self._find(self._query(body["jql"])))})
            case ["POST", "issue", "bulkfetch"]:
                return self._fetch_issues(request)
            case ["GET", "issue", id_or_key, "changelog"]:
                return self._list_changelog(request, unquote(id_or_key))
            case ["POST", "changelog", "bulkfetch"]:
                return self._fetch_changelogs(request)
            case ["GET", "worklog", "updated"]:
                changes = [(log.updated, log.id) for log in self.worklogs.values() if self._sees(log.issue_id)]
                return self._list_changed_worklogs(request, "updated", changes)
            case ["GET", "worklog", "deleted"]:
                return self._list_changed_worklogs(
                    request, "deleted", [(removed.at, removed.worklog_id) for removed in self.removed_worklogs]
                )
            case ["POST", "worklog", "list"]:
                return self._fetch_worklogs(request)
        raise self.mistake(
            f"there is no {request.method} {path}", _errors("Oops, you've found a dead link.", status=404)
        )

    def _route_agile(self, request: Request, path: str) -> Answer:
        if not self.has_agile:
            return Answer(404, "<html><body>Oops</body></html>", {"Content-Type": "text/html"})
        match [request.method, *path.strip("/").split("/")]:
            case ["GET", "board"]:
                self._check_query(request, {"startAt", "maxResults", "type", "name", "projectKeyOrId"})
                boards = [board for board in self.boards.values() if not self.projects[board.project_id].is_hidden]
                page = self._offset_page(request, boards, self._entities.board, self.boards_per_page)
                return json_answer(page)
            case ["GET", "board", number, "sprint"]:
                self._check_query(request, {"startAt", "maxResults", "state"})
                board = self.boards.get(int(number)) if number.isdecimal() else None
                if board is None:
                    return _errors("Board does not exist or you do not have permission to view it.", status=404)
                if board.kind == "kanban":
                    return _errors("The board does not support sprints", status=400)
                sprints = [self.sprints[sprint_id] for sprint_id in board.sprint_ids]
                page = self._offset_page(request, sprints, self._entities.sprint, self.boards_per_page)
                del page["total"]
                return json_answer(page)
        raise self.mistake(f"there is no {request.method} {AGILE}{path}", _errors("Not found", status=404))

    # ------------------------------------------------------------------------------------------------------ searches

    def _search(self, request: Request) -> Answer:
        kinds: Kinds = {
            "jql": str,
            "nextPageToken": (str, type(None)),
            "maxResults": int,
            "fields": list,
            "expand": str,
            "properties": list,
            "fieldsByKeys": bool,
            "reconcileIssues": list,
        }
        body = self._search_query(request) if request.method == "GET" else self._body(request, kinds)
        if "fields" not in body:
            raise self.mistake("search/jql without `fields` gives ids only", _errors("fields is missing"))
        names = self._field_names(body["fields"])
        limit = self._limit(body, MOST_IDS, 50)
        query = self._query(body.get("jql", ""))
        found = sorted((_position(row, query.order), issue_id) for issue_id, row in self._find(query).items())
        scope = repr([body.get("jql"), body["fields"], body.get("expand"), body.get("properties")])
        after = self._position_of(body.get("nextPageToken"), scope)
        rest = [(position, issue_id) for position, issue_id in found if after is None or position > after]
        size = min(limit, self.ids_per_page if not names else self.issues_per_page)
        page, token = self._page(rest, size, scope, after)
        issues = [self._found_issue(issue_id, names) for _, issue_id in page]
        shown: Json = {"issues": [issue for issue in issues if issue]}
        if self.tells_is_last:
            shown["isLast"] = token is None
        return json_answer(shown if token is None else {**shown, "nextPageToken": token})

    def _search_query(self, request: Request) -> Json:
        names = {"jql", "nextPageToken", "maxResults", "fields", "expand", "properties", "fieldsByKeys", "failFast"}
        self._check_query(request, names | {"reconcileIssues"})
        body: Json = dict(request.query)
        if "fields" in body:
            body["fields"] = body["fields"].split(",")
        if "maxResults" in body:
            body["maxResults"] = self._number(request, "maxResults", 50)
        return body

    def _query(self, text: str) -> Query:
        try:
            query = parse_jql(text, Clock(self.moment(), ZoneInfo(self.time_zone), self.fold))
        except WrongJql as error:
            raise self.mistake(f"JQL {text!r}: {error}", _errors(str(error))) from None
        known = [project for project in self.projects.values() if not project.is_hidden]
        names = {name.lower() for project in known for name in (project.id, project.key, project.name)}
        if missing := [name for name in query.projects if name.lower() not in names]:
            raise Refused(
                _errors(*(f"The value '{name}' does not exist for the field 'project'." for name in missing))
            )
        if missing := [name for name in query.issues if not self.find_issue(name)]:
            raise Refused(_errors(*(f"An issue with key '{name}' does not exist for field 'id'." for name in missing)))
        return query

    def _find(self, query: Query) -> dict[int, Mapping[str, Any]]:
        return {issue_id: row for issue_id, row in self.indexed_rows().items() if query.matches(row)}

    def _found_issue(self, issue_id: int, names: Sequence[str]) -> Json | None:
        """Show what the search found; an issue that was deleted meanwhile is in the index still."""
        issue = self.issues.get(issue_id)
        if issue:
            return self._entities.issue(issue, names)
        return None if names else {"id": str(issue_id)}

    def _field_names(self, asked: Sequence[Any]) -> list[str]:
        """Return the fields to show: none if only id or key is asked."""
        known = {*ISSUE_FIELDS, *self.custom_fields}
        unknown = [name for name in asked if str(name).removeprefix("-") not in known]
        if unknown:
            raise self.mistake(f"there are no fields {unknown}", _errors(f"There are no fields {unknown}."))
        everything = [*SYSTEM_FIELDS, *self.custom_fields]
        names: list[str] = everything if {"*all", "*navigable"} & set(asked) else []
        names = names + [name for name in asked if name in everything and name not in names]
        return [name for name in names if f"-{name}" not in asked]

    # -------------------------------------------------------------------------------------------------------- issues

    def _fetch_issues(self, request: Request) -> Answer:
        kinds = {"issueIdsOrKeys": list, "fields": list, "expand": list, "properties": list, "fieldsByKeys": bool}
        body = self._body(request, kinds, required={"issueIdsOrKeys", "fields"})
        names = self._field_names(body["fields"])
        wanted = self._list_of_texts(body, "issueIdsOrKeys", MOST_ISSUES)
        found = {issue.id: issue for issue in map(self.find_issue, wanted) if issue}
        failed = [issue_id for issue_id in found if issue_id in self.unreadable_issues]
        return json_answer(
            {
                "expand": "schema,names",
                "issues": [
                    self._entities.issue(found[number], names) for number in sorted(found.keys() - set(failed))
                ],
                "issueErrors": [
                    {"id": str(number), "errorMessage": "The issue could not be loaded."} for number in failed
                ],
            }
        )

    def _list_changelog(self, request: Request, id_or_key: str) -> Answer:
        self._check_query(request, {"startAt", "maxResults"})
        issue = self.find_issue(id_or_key)
        if issue is None:
            return _errors("Issue does not exist or you do not have permission to see it.", status=404)
        entities = self._entities

        def show(history: History) -> Json:
            return entities.history(history, entities.timestamp(history.created))

        return json_answer(self._offset_page(request, issue.histories, show, 100, default=100))

    def _fetch_changelogs(self, request: Request) -> Answer:
        """List histories by date and issue, so that those of one issue may be on several pages."""
        kinds: Kinds = {
            "issueIdsOrKeys": list,
            "fieldIds": list,
            "maxResults": int,
            "nextPageToken": (str, type(None)),
        }
        body = self._body(request, kinds, required={"issueIdsOrKeys"})
        issues = {
            issue.id: issue
            for issue in map(self.find_issue, self._list_of_texts(body, "issueIdsOrKeys", 1_000))
            if issue
        }
        field_ids = set(self._list_of_texts(body, "fieldIds", 10)) if "fieldIds" in body else set()
        limit = self._limit(body, 10_000, 1_000)
        found = sorted(
            ((history.created, history.issue_id, history.id), history)
            for history in _histories(issues.values(), field_ids)
        )
        scope = repr([body["issueIdsOrKeys"], body.get("fieldIds")])
        after = self._position_of(body.get("nextPageToken"), scope)
        rest = [(position, history) for position, history in found if after is None or position > after]
        page, token = self._page(rest, min(limit, self.histories_per_page), scope, after)
        by_issue: dict[int, list[Json]] = {}
        for _, history in page:
            shown = self._entities.history(history, self._history_date(history.created))
            by_issue.setdefault(history.issue_id, []).append(shown)
        logs = [{"issueId": str(number), "changeHistories": histories} for number, histories in by_issue.items()]
        return json_answer({"issueChangeLogs": logs, **({"nextPageToken": token} if token else {})})

    def _history_date(self, created: datetime) -> int | str | None:
        match self.history_dates:
            case "milliseconds":
                return _milliseconds(created)
            case "seconds":
                return _milliseconds(created) // 1_000
        return self._entities.timestamp(created)

    # ------------------------------------------------------------------------------------------------------ worklogs

    def _list_changed_worklogs(self, request: Request, what: str, changes: Iterable[tuple[datetime, int]]) -> Answer:
        """List changes from the oldest on.

        A page always gets beyond `since`, and never ends between two changes of the same millisecond, as it is with
        the thousand that a page of Jira has.
        """
        self._check_query(request, {"since", "expand"} if what == "updated" else {"since"})
        since = self._number(request, "since", 0)
        latest = _milliseconds(self.moment() - NOT_YET_LISTED)
        listed = sorted(
            (at, worklog_id)
            for at, worklog_id in ((_milliseconds(moment), worklog_id) for moment, worklog_id in changes)
            if (at >= since if self.includes_since else at > since) and at <= latest
        )
        at_since = sum(at == since for at, _ in listed)
        page = listed[: at_since + self.worklogs_per_page]
        page += [change for change in listed[len(page) :] if change[0] == page[-1][0]]
        is_last = len(page) == len(listed)
        until = page[-1][0] if page else since
        place = f"{self.url}{request.path}"
        following = {} if is_last else {"nextPage": f"{place}?since={until}"}
        return json_answer(
            {
                "values": [{"worklogId": number, "updatedTime": at, "properties": []} for at, number in page],
                "since": since,
                "until": until,
                "self": f"{place}?since={since}",
                "lastPage": is_last,
                **following,
            }
        )

    def _fetch_worklogs(self, request: Request) -> Answer:
        self._check_query(request, {"expand"})
        body = self._body(request, {"ids": list}, required={"ids"}, query={"expand"})
        ids = body["ids"]
        if len(ids) > 1_000 or not all(isinstance(number, int) for number in ids):
            raise self.mistake("worklog/list takes up to 1000 numbers", _errors("ids is invalid"))
        logs = [self.worklogs[number] for number in ids if number in self.worklogs]
        return json_answer([self._entities.worklog(log) for log in logs if self._sees(log.issue_id)])

    # --------------------------------------------------------------------------------------------- projects and users

    def _list_projects(self, request: Request) -> Answer:
        known = {"startAt", "maxResults", "orderBy", "id", "keys", "query", "typeKey", "categoryId", "action"}
        self._check_query(request, known | {"expand", "status", "properties", "propertyQuery"})
        order = request.query.get("orderBy", "key")
        if order.lstrip("+-") not in ("key", "name"):
            raise self.mistake(f"projects are not ordered by {order!r} here", _errors("orderBy is invalid"))
        status = request.query.get("status", "live")
        if status not in ("live", "archived", "deleted"):
            raise self.mistake(f"there are no projects {status!r}", _errors("status is invalid"))
        expand = request.query.get("expand", "").split(",")
        projects = [p for p in self.projects.values() if not p.is_hidden and p.status == status]
        projects.sort(key=lambda project: str(getattr(project, order.lstrip("+-"))), reverse=order.startswith("-"))
        entities = self._entities
        size = min(self.projects_per_page, 100)
        return json_answer(self._offset_page(request, projects, lambda p: entities.project(p, expand), size))

    def _list_users(self, request: Request) -> Answer:
        """List a range of users; who is filtered out makes the page shorter."""
        self._check_query(request, {"startAt", "maxResults"})
        start = self._number(request, "startAt", 0)
        size = min(self._number(request, "maxResults", 50), self.users_per_page)
        users = list(self.users.values())[start : start + size]
        return json_answer([self._entities.user(user) for user in users if not user.is_filtered])

    # ------------------------------------------------------------------------------------------------------ the rest

    @property
    def _entities(self) -> JiraEntities:
        return JiraEntities(self, self.url, ZoneInfo(self.time_zone))

    def _server_info(self) -> Answer:
        return json_answer(
            {
                "baseUrl": self.url,
                "version": "1001.0.0-SNAPSHOT",
                "deploymentType": "Cloud",
                "serverTime": self._entities.timestamp(self.moment()),
                "serverTitle": "Jira",
            }
        )

    def _sees(self, issue_id: int) -> bool:
        return not self.projects[self.issues[issue_id].project_id].is_hidden

    def _offset_page(
        self, request: Request, items: Sequence[Item], show: Callable[[Item], Json], most: int, default: int = 50
    ) -> Json:
        """Return a page of a list that is paged by `startAt`; a larger page than there is gets smaller in silence."""
        start, size = self._number(request, "startAt", 0), min(self._number(request, "maxResults", default), most)
        page = items[start : start + size]
        end = start + len(page)
        place = f"{self.url}{request.path}"
        is_last = end >= len(items)
        following = f"{place}?{urlencode({**request.query, 'startAt': end, 'maxResults': size})}"
        return {
            "self": f"{place}?{urlencode({**request.query, 'startAt': start, 'maxResults': size})}",
            **({} if is_last else {"nextPage": following}),
            "maxResults": size,
            "startAt": start,
            "total": len(items),
            "isLast": is_last,
            "values": [show(item) for item in page],
        }

    def _page(
        self, rest: Sequence[tuple[Position, Item]], size: int, scope: str, after: Position | None
    ) -> tuple[Sequence[tuple[Position, Item]], str | None]:
        """Return the next rows, and a token if more follow."""
        if self.pages_are_short:
            size = (max(1, size // 2), 0, size)[next(self._answered) % 3]
        page = rest[:size]
        if len(page) == len(rest):
            return page, None
        token = secrets.token_urlsafe(12)
        self._tokens[token] = (scope, page[-1][0] if page else after or (), self.moment())
        return page, token

    def _position_of(self, token: str | None, scope: str) -> Position | None:
        if token is None:
            return None
        of_scope, position, made = self._tokens.get(token, ("", (), self.moment()))
        if of_scope != scope and token in self._tokens:
            text = "a token for the next page was used with another query"
            raise self.mistake(text, _errors("The provided next page token is invalid."))
        if token not in self._tokens or self.moment() - made > TOKEN_LIFE:
            raise Refused(_errors("The provided next page token is invalid or expired."))
        return position

    def _check_query(self, request: Request, known: Collection[str] = ()) -> None:
        if unknown := sorted(request.query.keys() - set(known)):
            text = f"{request.method} {request.path} has no parameter {', '.join(unknown)}"
            raise self.mistake(text, _errors(text))

    def _body(
        self,
        request: Request,
        kinds: Kinds,
        required: Collection[str] = (),
        query: Collection[str] = (),
    ) -> Json:
        self._check_query(request, query)
        body, place = request.body, f"{request.method} {request.path}"
        if not isinstance(body, dict) or "json" not in request.headers.get("Content-Type", ""):
            raise self.mistake(f"{place} takes a JSON object", _errors("Invalid request payload.", status=415))
        wrong = [
            name
            for name, value in body.items()
            if name not in kinds or not isinstance(value, kinds[name]) or (kinds[name] is int and value is True)
        ]
        missing = sorted(set(required) - body.keys())
        if wrong or missing:
            text = f"{place}: {', '.join(wrong + missing)} unknown, of a wrong type, or missing"
            raise self.mistake(text, _errors("Invalid request payload. Refer to the REST API documentation."))
        return body

    def _list_of_texts(self, body: Json, name: str, most: int) -> list[str]:
        values = body[name]
        is_right = 0 < len(values) <= most and all(isinstance(value, str) for value in values)
        if not is_right or len(set(values)) < len(values):
            text = f"{name} takes 1 to {most} different texts"
            raise self.mistake(text, _errors(f"{text}."))
        return list(values)

    def _limit(self, body: Json, most: int, default: int) -> int:
        limit = int(body.get("maxResults", default))
        if not 1 <= limit <= most:
            text = f"maxResults is {limit}; 1 to {most} are allowed"
            raise self.mistake(text, _errors(f"{text}."))
        return limit

    def _number(self, request: Request, name: str, default: int) -> int:
        text = request.query.get(name, str(default))
        if not text.isdecimal():
            raise self.mistake(f"{name} is {text!r}, no number", _errors(f"{name} is invalid."))
        return int(text)


def _errors(*messages: str, status: int = 400) -> Answer:
    return json_answer({"errorMessages": list(messages), "errors": {}}, status)


def _position(row: Mapping[str, Any], order: Sequence[tuple[str, bool]]) -> Position:
    """Return where an issue stands in the order; without one, the last change comes first."""
    position = []
    for name, descending in (*(order or (("updated", True),)), ("id", False)):
        value = row["number"] if name in ("id", "key") else row.get(name)
        if isinstance(value, (set, frozenset)):
            value = sum(map(ord, "".join(sorted(value))))
        number = value.timestamp() if isinstance(value, datetime) else float(value or 0)
        position.append(-number if descending else number)
    return tuple(position)


def _histories(issues: Iterable[Issue], field_ids: Collection[str]) -> list[History]:
    """Return whole histories, of which one item at least is of the fields."""
    return [
        history
        for issue in issues
        for history in issue.histories
        if not field_ids or any(item.get("fieldId") in field_ids for item in history.items)
    ]


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
