"""Reads a GitLab server through its REST API v4; knows nothing of WhereScape."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from urllib.parse import quote

from wherescape.api_client import ApiClient
from wherescape.api_response import Record
from wherescape.api_source import ApiSource, checked_address
from wherescape.connectors.gitlab.gitlab_paging import (
    PAGE_SIZE,
    PAGING_HEADER,
    moment_text,
    read_by_update_time,
    read_until_settled,
)
from wherescape.connectors.gitlab.gitlab_records import (
    branch_record,
    commit_record,
    issue_record,
    merge_request_record,
    pipeline_record,
    project_record,
    tag_record,
)
from wherescape.errors import ApiAnswerInvalid, ApiRefused, DeclarationError
from wherescape.paging import MAX_READINGS
from wherescape.redaction import add_secret

logger = logging.getLogger(__name__)

API_PATH = "/api/v4"
EXAMPLE = "https://gitlab.example.com"

Names = Sequence[str | int]


class Gitlab(ApiSource):
    """A GitLab server, as the owner of an access token sees it.

    Every method gives records page by page, one level deep: what GitLab nests is named `commit_id`,
    `release_tag_name`. Values are GitLab's own; dates are ISO 8601 texts, lists stay lists. What GitLab leaves out for
    want of a release, say, is None.

    Arguments:
        access_token: a personal, group or project access token with the scope `read_api`.
        base_url: the server's address, with or without `/api/v4`.
        groups: read the projects of these groups and of their subgroups, by id or path.
        projects: read these projects, by id or path.
        everything_visible: read every project that the token's owner may see. If none of the three is given, it is the
            projects that the token's owner is a member of.
        credential: where the token comes from, in words, for the error when GitLab refuses it.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that GitLab's rate limit may ask for.
        workers: how many projects are read at once.

    Raises:
        DeclarationError: the address is not http or https, the token holds what no token has, more than one choice of
            projects is given, or one that names none.
    """

    smallest_request = "projects?membership=true&per_page=1"

    def __init__(
        self,
        access_token: str,
        base_url: str,
        *,
        groups: Names | str | int | None = None,
        projects: Names | str | int | None = None,
        everything_visible: bool = False,
        credential: str = "the access token",
        max_retries: int = 6,
        max_wait_seconds: float = 600,
        workers: int = 4,
    ) -> None:
        access_token = access_token.strip()
        add_secret(access_token)
        self._groups, self._projects = _names("groups", groups), _names("projects", projects)
        self._everything_visible = everything_visible
        if bool(self._groups) + bool(self._projects) + everything_visible > 1:
            raise DeclarationError("Choose the projects of GitLab by one of groups, projects and everything_visible.")
        self._workers = workers
        super().__init__(
            ApiClient(
                checked_address("GitLab", base_url, EXAMPLE, path=API_PATH),
                {"PRIVATE-TOKEN": access_token},
                credential=credential,
                max_retries=max_retries,
                max_wait_seconds=max_wait_seconds,
            )
        )

    @property
    def url(self) -> str:
        """The address of the server's API."""
        return self._client.base_url

    def server_time(self) -> datetime | None:
        """Ask for the server's time, in UTC; None if it does not tell."""
        self.check_login()
        return self.extraction.started

    # ------------------------------------------------------------------------------------------------ projects

    def projects(self) -> Iterator[Record]:
        """Read the projects that were chosen, by id or in the order in which they were named.

        If there is none, a warning says so, and it is noted in `extraction.skipped`; so is a named project that
        answers 403 or 404.

        Raises:
            ApiRefused: a group is gone or hidden, or a project is named by a path that it no longer has.
            ApiError: the list could not be read to its end.
        """
        if self._projects:
            found = self._named_projects()
        elif self._groups:
            found = self._projects_of_groups()
        else:
            found = self._listed_projects()
        given: set[int] = set()
        for project in found:
            if project["id"] not in given:
                given.add(project["id"])
                yield project_record(project)
        if not given and not self._projects:
            whose = "groups" if self._groups else "access token's owner"
            logger.warning("There is no project of the %s, so nothing is read: check the token.", whose)
            self.extraction.skip("all projects", f"there is none of the {whose}")

    def of_projects(
        self, projects: Iterable[Record], read: Callable[[Record], Iterable[Record]], what: str
    ) -> Iterator[Record]:
        """Read the records of projects, several projects at once, in the projects' order.

        Read it to the end: giving it up closes the connection.

        Arguments:
            projects: records of `projects`.
            read: such as `branches`.
            what: what its records are called.

        Raises:
            ApiRefused: no project could be read. One that answers 403 or 404 is not an error, but named in a warning
                and in `extraction.skipped`; an empty repository is neither.
            ApiError: as for `projects` and `read`.
        """
        return self._client.read_parents(projects, read, name=_path_of, what=what, workers=self._workers)

    def _listed_projects(self) -> Iterator[Record]:
        """Source: GitLab, "List all projects"; keyset paging has no upper limit and loses nothing that stays."""
        scope: dict[str, str | int] = {} if self._everything_visible else {"membership": "true"}
        params = {**scope, "pagination": "keyset", "order_by": "id", "sort": "asc", "per_page": PAGE_SIZE}
        page: list[Record] = []
        while True:
            last = page[-1]["id"] if page else 0
            bound = {"id_after": last} if last else {}
            for page in self._client.follow_links("projects", {**params, **bound}):
                yield from page
            # Keyset pages have no header but Link, and a proxy that removes it would end the list here.
            if len(page) < PAGE_SIZE:
                break
            if page[-1]["id"] <= last:
                raise ApiAnswerInvalid(f"GitLab's list of projects goes on before {last}, where it had come to.")

    def _projects_of_groups(self) -> Iterator[Record]:
        """Source: GitLab, "List a group's projects", which has no keyset paging."""
        params = {"include_subgroups": "true", "with_shared": "false", "order_by": "id", "sort": "asc"}
        for group in self._groups:
            yield from read_until_settled(self._client, f"groups/{_in_path(group)}/projects", params)

    def _named_projects(self) -> Iterator[Record]:
        for name in self._projects:
            try:
                project = self._client.get_json(f"projects/{_in_path(name)}").body
            except ApiRefused as error:
                if 300 <= error.status_code < 400:
                    raise ApiRefused(
                        f"The project {name!r} was renamed or moved. Correct its path, or name it by its id, which"
                        " stays.",
                        error.status_code,
                    ) from None
                if error.status_code not in (403, 404):
                    raise
                logger.warning("The project %r answered %s: it is gone, or not visible.", name, error.status_code)
                self.extraction.skip(str(name), f"{error.status_code} for the project")
                continue
            if not isinstance(project, dict) or "id" not in project:
                raise ApiAnswerInvalid(f"GitLab's answer for the project {name!r} is no project.")
            yield project

    # -------------------------------------------------------------------------------------------------- tracker

    def issues(
        self, project: Record, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Record]:
        """Read a project's issues in the order of their last change, each once (GitLab, "List project issues").

        Arguments:
            project: a record of `projects`.
            since: aware; only what has changed at or after it.
            until: aware; what has changed later is left out, for a reader that comes again.

        Raises:
            ApiRefused: 403 or 404 of a project that is gone or hidden; one that has no issues by its settings is not
                asked.
            ApiError: the list could not be read to its end.
        """
        yield from map(issue_record, self._tracked(project, "issues", since, until))

    def merge_requests(
        self, project: Record, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Record]:
        """Read a project's merge requests (GitLab, "List project merge requests"); see `issues`."""
        yield from map(merge_request_record, self._tracked(project, "merge_requests", since, until))

    def pipelines(
        self, project: Record, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Record]:
        """Read a project's pipelines (GitLab, "List project pipelines"); see `issues`."""
        yield from map(pipeline_record, self._tracked(project, "pipelines", since, until))

    def merge_request_commits(
        self, project: Record, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Record]:
        """Read the commits of a project's merge requests that have changed (GitLab, "Get merge request commits").

        See `issues`.
        """
        for merge_request in self._tracked(project, "merge_requests", since, until):
            ids = {
                "project_id": project["id"],
                "merge_request_id": merge_request["id"],
                "merge_request_iid": merge_request["iid"],
            }
            path = f"projects/{project['id']}/merge_requests/{merge_request['iid']}/commits"
            try:
                for commit in self._commits(path, {}):
                    yield commit_record(commit, **ids)
            except ApiRefused as error:
                if error.status_code != 404 or self._has_merge_request(project["id"], merge_request["iid"]):
                    raise

    def _has_merge_request(self, project_id: int, iid: int) -> bool:
        """Tell whether a merge request is still there; raises ApiRefused if its project is not."""
        pages = self._client.follow_links(f"projects/{project_id}/merge_requests", {"iids[]": iid})
        return any(page for page in pages)

    def _tracked(
        self, project: Record, resource: str, since: datetime | None, until: datetime | None
    ) -> Iterator[Record]:
        if has_feature(project, resource):
            path = f"projects/{project['id']}/{resource}"
            yield from read_by_update_time(self._client, path, since=since, until=until)

    # ----------------------------------------------------------------------------------------------- repository

    def branches(self, project: Record) -> Iterator[Record]:
        """Read a project's branches with their latest commit, by name (GitLab, "List repository branches").

        Arguments:
            project: a record of `projects`.

        Raises:
            ApiRefused: 403 or 404 of a project that is gone or hidden; an empty repository is no error.
            ApiError: the list could not be read to its end.
        """
        for branch in self._references(project, "branches", {"sort": "name_asc"}):
            yield branch_record(branch, project["id"])

    def tags(self, project: Record) -> Iterator[Record]:
        """Read a project's tags with their commit and release, by name (GitLab, "List project repository tags").

        Arguments:
            project: a record of `projects`.

        Raises:
            ApiError: as for `branches`.
        """
        for tag in self._references(project, "tags", {"order_by": "name", "sort": "asc"}):
            yield tag_record(tag, project["id"])

    def commits(self, project: Record, revision: str = "", since: datetime | None = None) -> Iterator[Record]:
        """Read the commits of a revision, newest first (GitLab, "List repository commits").

        Arguments:
            project: a record of `projects`.
            revision: a SHA, which cannot move while it is read, or a range of two, `a..b`, for what b has and a has
                not; left out, the default branch as it is now. GitLab may answer for a SHA that is gone with an
                empty list as well as with 404.
            since: aware; only commits committed at or after it. A commit that is pushed late has an old date.

        Raises:
            ApiError: as for `branches`.
        """
        revision = revision or self.default_head(project)
        if not revision or not has_feature(project, "repository"):
            return
        params = {"ref_name": revision, **({"since": moment_text(since)} if since else {})}
        path = f"projects/{project['id']}/repository/commits"
        with _empty_repository_allowed(project):
            for commit in self._commits(path, params):
                yield commit_record(commit, project_id=project["id"])

    def default_head(self, project: Record) -> str:
        """Return the SHA of the default branch's latest commit; empty for an empty repository.

        Arguments:
            project: a record of `projects`.

        Raises:
            ApiError: as for `branches`.
        """
        if not has_feature(project, "repository"):
            return ""
        path = f"projects/{project['id']}/repository/commits"
        with _empty_repository_allowed(project):
            latest = next(self._client.follow_links(path, {"per_page": 1}, paging_header=PAGING_HEADER))
            return str(latest[0]["id"]) if latest else ""
        return ""

    def _references(self, project: Record, resource: str, order: Mapping[str, str]) -> Iterator[Record]:
        """Read branches or tags by keyset, or by page number from a server that has no keyset for them."""
        if not has_feature(project, "repository"):
            return
        path = f"projects/{project['id']}/repository/{resource}"
        given: set[str] = set()
        with _empty_repository_allowed(project):
            for reading in range(MAX_READINGS):
                try:
                    for record in self._references_by_keyset(path, order):
                        if record["name"] not in given:
                            given.add(record["name"])
                            yield record
                    return
                except ApiRefused as error:
                    # The one that the last page ended with was deleted meanwhile.
                    if error.status_code != 422 or not given or reading == MAX_READINGS - 1:
                        raise

    def _references_by_keyset(self, path: str, order: Mapping[str, str]) -> Iterator[Record]:
        keyset: dict[str, str | int] = {**order, "per_page": PAGE_SIZE, "pagination": "keyset"}
        is_full = False
        count = 0
        for page in self._client.follow_links(path, keyset, total_header="X-Total"):
            if count == 1 and is_full and not self._has_keyset(path, keyset):
                yield from read_until_settled(self._client, path, order, key="name")
                return
            count += 1
            is_full = len(page) == PAGE_SIZE
            yield from page
        if is_full:
            self._require_end(path, {**order, "per_page": PAGE_SIZE, "page": count + 1}, count * PAGE_SIZE)

    def _has_keyset(self, path: str, keyset: Mapping[str, str | int]) -> bool:
        """Tell whether the server pages a list by keyset; one that cannot passes over that it was asked to."""
        return PAGING_HEADER not in self._client.get_json(path, {**keyset, "per_page": 1}).headers

    def _commits(self, path: str, params: Mapping[str, str]) -> Iterator[Record]:
        pages = self._client.follow_links(
            path, {**params, "per_page": PAGE_SIZE}, paging_header=PAGING_HEADER, total_header="X-Total"
        )
        before: set[str] = set()
        for page in pages:
            # Those that come while the list is read move others to the next page.
            yield from (commit for commit in page if commit["id"] not in before)
            before = {commit["id"] for commit in page}

    def _require_end(self, path: str, params: Mapping[str, str | int], count: int) -> None:
        if self._client.get_json(path, params).body:
            raise ApiAnswerInvalid(
                f"GitLab's list {path} ended after {count} without a link, but there are more."
                " Check whether a proxy between here and GitLab removes headers."
            )


def has_feature(project: Record, resource: str) -> bool:
    """Tell whether a project has a kind of data, as far as it says.

    Arguments:
        project: a record of `Gitlab.projects`.
        resource: issues, merge_requests, pipelines or repository.
    """
    level, flag = _SETTINGS[resource]
    return project.get(level) != "disabled" and project.get(flag) is not False


_SETTINGS = {
    "issues": ("issues_access_level", "issues_enabled"),
    "merge_requests": ("merge_requests_access_level", "merge_requests_enabled"),
    "pipelines": ("builds_access_level", "jobs_enabled"),
    "repository": ("repository_access_level", ""),
}


def _names(what: str, names: Names | str | int | None) -> tuple[str | int, ...]:
    found = () if names is None else (names,) if isinstance(names, (str, int)) else tuple(names)
    if names is not None and not (found and all(str(name).strip() for name in found)):
        raise DeclarationError(
            f"{what}={names!r} names none. Name the {what} of GitLab to read, or leave {what} out for all projects"
            " that the access token's owner is a member of."
        )
    return found


def _in_path(name: str | int) -> str:
    return quote(str(name).strip("/"), safe="")


def _path_of(project: Record) -> str:
    return str(project.get("path_with_namespace") or project["id"])


@contextmanager
def _empty_repository_allowed(project: Record) -> Iterator[None]:
    """Pass over the 404 of a repository without commits, which is the same as that of one that is gone."""
    try:
        yield
    except ApiRefused as error:
        if error.status_code != 404 or project.get("empty_repo") is not True:
            raise
