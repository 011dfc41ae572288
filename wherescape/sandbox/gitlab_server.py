"""A stand-in for a GitLab server: serves real git repositories, and trackers, as GitLab REST v4 on loopback.

Sources: GitLab documentation, "REST API", "Projects", "Groups", "Issues", "Merge requests", "Pipelines", "Commits",
"Branches" and "Tags" API.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from wherescape.sandbox.git_repository import GitRepository
from wherescape.sandbox.gitlab_pages import (
    NO_KEYSET,
    commits_page,
    cursor_page,
    gitaly_page,
    id_page,
    offset_page,
    refuse_deep_offset,
    token_page,
)
from wherescape.sandbox.gitlab_parameters import MAX_PER_PAGE, Parameters, not_available
from wherescape.sandbox.gitlab_project import SIMPLE_FIELDS, Group, Project
from wherescape.sandbox.gitlab_tracker import Item, Items
from wherescape.testing.api_server import Answer, ApiServer, Refused, Request, json_answer

Thing = TypeVar("Thing")

NAMESPACE = "sandbox"

RETRY_LATER = Answer(429, "Retry later\n", {"Content-Type": "text/plain"})
BAD_GATEWAY = Answer(502, "<html>Bad gateway</html>", {"Content-Type": "text/html"})
NOT_FOUND = json_answer({"message": "404 Project Not Found"}, 404)
FORBIDDEN = json_answer({"message": "403 Forbidden"}, 403)
TOKEN_EXPIRED = json_answer(
    {
        "error": "invalid_token",
        "error_description": "Token is expired. You can either do re-authorization or token refresh.",
    },
    401,
)
INSUFFICIENT_SCOPE = json_answer(
    {
        "error": "insufficient_scope",
        "error_description": "The request requires higher privileges than provided by the access token.",
        "scope": "api read_api",
    },
    403,
)

PROJECT_ORDERS = ("id", "name", "path", "created_at", "updated_at", "last_activity_at")
PROJECT_FILTERS = ("archived", "simple", "statistics", "search", "with_custom_attributes")
LIST_FILTERS = (
    *("membership", "id_after", "id_before", "min_access_level", "pagination"),
    *("last_activity_after", "last_activity_before", "updated_after", "updated_before"),
)
TRACKER_FILTERS = ("state", "created_after", "created_before", "updated_after", "updated_before")
TRACKER_ORDERS = ("created_at", "updated_at", "title")
PIPELINE_FILTERS = ("status", "ref", "sha", "source", "name")
PIPELINE_ORDERS = ("id", "status", "ref", "updated_at")
DIRECTIONS = ("asc", "desc")


class GitLabServer(ApiServer):
    """Serves git repositories as the projects of a GitLab server: real commits, branches and tags.

        with GitLabServer(Path(".")) as server:
            server.project(1).issues.add(datetime(2026, 1, 5, tzinfo=UTC), title="It works")
            requests.get(f"{server.url}/api/v4/projects", headers={"PRIVATE-TOKEN": server.token})

    Repositories and projects may change while it runs.

    Arguments:
        repositories: their folders; project ids count from 1.
        strict: refuse what GitLab passes over and what hides a client's mistake: a parameter that the endpoint does
            not have, a page size above 100, a date without its zone.
        edition: `ce`, or `ee` for the fields that only the Enterprise Edition has.

    Raises:
        SandboxError: git is not installed, or a folder is no repository.
    """

    prefix = "/api/v4"

    def __init__(self, *repositories: Path, strict: bool = True, edition: str = "ce") -> None:
        super().__init__()
        self.token = f"glpat-{secrets.token_urlsafe(16)}"
        self.projects: dict[int, Project] = {}
        """By their ids; what is removed here is deleted."""
        self.max_per_page = MAX_PER_PAGE
        """How many records a page has at most; fewer than GitLab's own limit make lists of few records long ones."""
        self.max_offset = 50_000
        """Up to which record projects and issues are given by offset."""
        self.max_total = 10_000
        """Above how many records totals are left out."""
        self.has_issue_keyset = True
        """Whether issues have keyset paging; GitLab 18.3."""
        self.has_branch_keyset = True
        """Whether branches and tags have keyset paging, which older servers pass over."""
        self.answers_gone_commits = False
        """Whether commits behind one that is gone are an empty list; 404 otherwise."""
        self._strict = strict
        self._edition = edition
        self._groups: dict[str, Group] = {}
        self._repositories: dict[Path, GitRepository] = {}
        self._project_ids = count(1)
        self._item_ids = count(1)
        for path in repositories:
            self.add_project(path)

    def add_project(
        self,
        repository: Path | None = None,
        *,
        name: str = "",
        group: str = NAMESPACE,
        created_at: datetime | None = None,
    ) -> Project:
        """Add a project.

        Arguments:
            repository: the folder of its repository; None for one without.
            name: that of the folder when left out.
            group: the path of its group, which is made with those around it if it is missing.
            created_at: aware; left out, the commits tell, or it is now.

        Raises:
            SandboxError: the folder is no repository.
        """
        if repository is not None and repository not in self._repositories:
            self._repositories[repository] = GitRepository(repository)
        git = self._repositories[repository] if repository is not None else None
        number = next(self._project_ids)
        project = Project(
            number,
            name or (git.name if git else f"project-{number}"),
            self._group(group),
            git,
            server_url=lambda: self.url,
            ids=self._item_ids,
            created_at=created_at,
            edition=self._edition,
        )
        self.projects[number] = project
        return project

    def project(self, id: int) -> Project:
        """Return a project by its id."""
        return self.projects[id]

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if refusal := self._refuse_login(request.headers):
            return refusal
        if request.method != "GET":
            raise _refusal(405, error="405 Method Not Allowed")
        match request.path.strip("/").split("/"):
            case ["projects"]:
                return self._list_projects(request)
            case ["groups", key, "projects"]:
                return self._list_group_projects(request, unquote(key))
            case ["projects", key, *rest]:
                return self._answer_for_project(request, self._find_project(unquote(key), rest), rest)
        raise _refusal(404, error="404 Not Found")

    def _answer_for_project(self, request: Request, project: Project, rest: list[str]) -> Answer:
        match rest:
            case []:
                self._parameters(request, "license", "statistics", "with_custom_attributes")
                project.notice_pushes(self._time())
                return json_answer(project.entity())
            case ["issues"]:
                return self._list_issues(request, project)
            case ["merge_requests"]:
                return self._list_merge_requests(request, project)
            case ["merge_requests", iid, "commits"]:
                return self._list_merge_request_commits(request, project, iid)
            case ["pipelines"]:
                return self._list_pipelines(request, project)
            case ["repository", "commits"]:
                return self._list_commits(request, project)
            case ["repository", "commits", revision]:
                return self._get_commit(request, project, unquote(revision))
            case ["repository", "branches"]:
                return self._list_branches(request, project)
            case ["repository", "tags"]:
                return self._list_tags(request, project)
        raise _refusal(404, error="404 Not Found")

    # ------------------------------------------------------------------------------------------------ projects

    def _list_projects(self, request: Request) -> Answer:
        parameters = self._parameters(request, *PROJECT_FILTERS, *LIST_FILTERS, "order_by", "sort")
        order_by = parameters.choice("order_by", PROJECT_ORDERS, "created_at")
        is_filtered = bool({"updated_after", "updated_before"} & parameters.query.keys())
        if is_filtered and order_by != "updated_at":
            raise self._mistake(request, "`updated_at` filter and `updated_at` sorting must be paired")
        projects = [project for project in self.projects.values() if project.is_visible]
        if parameters.flag("membership") or "min_access_level" in parameters.query:
            projects = [project for project in projects if project.is_member]
        for project in projects:
            project.notice_pushes(self._time())
        projects = _within(projects, parameters, "updated", attrgetter("updated_at"))
        projects = _within(projects, parameters, "last_activity", attrgetter("last_activity_at"))
        if "id_after" in parameters.query:
            projects = [project for project in projects if project.id > parameters.number("id_after", 1)]
        if "id_before" in parameters.query:
            projects = [project for project in projects if project.id < parameters.number("id_before", 1)]
        projects = self._in_order(projects, parameters, order_by)
        if parameters.asks_for_keyset():
            if order_by != "id":
                raise not_available(NO_KEYSET)
            return id_page(self._url(request), parameters, projects, self._entity(parameters), attrgetter("id"))
        refuse_deep_offset(parameters, self.max_offset, "Project")
        return offset_page(
            self._url(request), parameters, projects, self._entity(parameters), total_limit=self.max_total
        )

    def _list_group_projects(self, request: Request, key: str) -> Answer:
        parameters = self._parameters(
            request, *PROJECT_FILTERS, "order_by", "sort", "include_subgroups", "with_shared", "min_access_level"
        )
        group = next((group for group in self._groups.values() if key in (str(group.id), group.path)), None)
        if group is None:
            raise _refusal(404, message="404 Group Not Found")
        subgroups = f"{group.path}/" if parameters.flag("include_subgroups") else "\0"
        projects = [
            project
            for project in self.projects.values()
            if project.is_visible and (project.group == group or project.group.path.startswith(subgroups))
        ]
        for project in projects:
            project.notice_pushes(self._time())
        projects = self._in_order(projects, parameters, parameters.choice("order_by", PROJECT_ORDERS, "created_at"))
        refuse_deep_offset(parameters, self.max_offset, "Project")
        return offset_page(
            self._url(request), parameters, projects, self._entity(parameters), total_limit=self.max_total
        )

    def _in_order(self, projects: list[Project], parameters: Parameters, order_by: str) -> list[Project]:
        archived, search = parameters.flag("archived"), parameters.text("search").lower()
        projects = [project for project in projects if archived is None or project.is_archived == archived]
        projects = [project for project in projects if search in project.name.lower()]
        return _ordered(
            projects,
            lambda project: project.name if order_by == "path" else getattr(project, order_by),
            is_descending=parameters.choice("sort", DIRECTIONS, "desc") == "desc",
        )

    def _entity(self, parameters: Parameters) -> Callable[[Project], dict[str, Any]]:
        if not parameters.flag("simple"):
            return Project.entity
        return lambda project: {name: project.entity()[name] for name in SIMPLE_FIELDS}

    def _find_project(self, key: str, rest: list[str]) -> Project:
        for project in self.projects.values():
            if project.is_visible and key in (str(project.id), project.path):
                return project
        for project in self.projects.values():
            if project.is_visible and key in project.former_paths:
                path = "/".join(quote(part, safe="") for part in rest)
                location = f"{self.url}{self.prefix}/projects/{project.id}{'/' if path else ''}{path}"
                raise Refused(json_answer({"message": "302 Found"}, 302, {"Location": location}))
        raise Refused(NOT_FOUND)

    # ------------------------------------------------------------------------------------------------- tracker

    def _list_issues(self, request: Request, project: Project) -> Answer:
        parameters = self._parameters(
            request, *TRACKER_FILTERS, "order_by", "sort", "scope", "with_labels_details", "pagination", "cursor"
        )
        _require_feature(project, "issues")
        order_by = parameters.choice("order_by", (*TRACKER_ORDERS, "due_date"), "created_at")
        is_descending = parameters.choice("sort", DIRECTIONS, "desc") == "desc"
        issues = _tracked(project.issues, parameters)
        issues = _ordered(issues, lambda issue: _value(project.issues, issue, order_by), is_descending=is_descending)

        def entity(item: Item) -> dict[str, Any]:
            issue = project.issues.entity(item)
            if parameters.flag("with_labels_details"):
                issue["labels"] = [{"id": 1, "name": name, "color": "#6699cc"} for name in issue["labels"]]
            return issue

        if parameters.asks_for_keyset():
            if not self.has_issue_keyset:
                raise not_available(NO_KEYSET)
            return cursor_page(
                self._url(request),
                parameters,
                issues,
                entity,
                lambda issue: (_value(project.issues, issue, order_by), issue.id),
                is_descending=is_descending,
            )
        if self.has_issue_keyset:
            refuse_deep_offset(parameters, self.max_offset, "Issue")
        return offset_page(self._url(request), parameters, issues, entity, total_limit=self.max_total)

    def _list_merge_requests(self, request: Request, project: Project) -> Answer:
        parameters = self._parameters(
            request, *TRACKER_FILTERS, "order_by", "sort", "scope", "source_branch", "iids[]"
        )
        _require_feature(project, "merge_requests")
        order_by = parameters.choice("order_by", (*TRACKER_ORDERS, "merged_at"), "created_at")
        found = _ordered(
            _tracked(project.merge_requests, parameters),
            lambda item: _value(project.merge_requests, item, order_by),
            is_descending=parameters.choice("sort", DIRECTIONS, "desc") == "desc",
        )
        return offset_page(
            self._url(request), parameters, found, project.merge_requests.entity, total_limit=self.max_total
        )

    def _list_merge_request_commits(self, request: Request, project: Project, iid: str) -> Answer:
        parameters = self._parameters(request)
        _require_feature(project, "merge_requests")
        found = next((item for item in project.merge_requests if str(item.iid) == iid), None)
        if found is None:
            raise _refusal(404, message="404 Not found")
        commits = project.repository.commits_by_id(found.commit_ids) if project.repository else {}
        return offset_page(
            self._url(request),
            parameters,
            [commits[commit_id] for commit_id in found.commit_ids],
            project.commit_entity,
            total_limit=self.max_total,
        )

    def _list_pipelines(self, request: Request, project: Project) -> Answer:
        times = ("created_after", "created_before", "updated_after", "updated_before")
        parameters = self._parameters(request, *PIPELINE_FILTERS, *times, "order_by", "sort")
        _require_feature(project, "builds")
        order_by = parameters.choice("order_by", PIPELINE_ORDERS, "id")
        found = _within(project.pipelines, parameters, "updated", attrgetter("updated_at"), is_inclusive=False)
        found = _within(found, parameters, "created", attrgetter("created_at"), is_inclusive=False)
        for name in PIPELINE_FILTERS:
            if name in parameters.query:
                found = [item for item in found if project.pipelines.entity(item)[name] == parameters.query[name]]
        found = _ordered(
            found,
            lambda item: _value(project.pipelines, item, order_by),
            is_descending=parameters.choice("sort", DIRECTIONS, "desc") == "desc",
        )
        return offset_page(self._url(request), parameters, found, project.pipelines.entity, total_limit=self.max_total)

    # ---------------------------------------------------------------------------------------------- repository

    def _list_commits(self, request: Request, project: Project) -> Answer:
        parameters = self._parameters(request, "ref_name", "since", "until", "all", "order", "with_stats")
        _require_feature(project, "repository")
        since, until = parameters.moment("since"), parameters.moment("until")
        order = parameters.choice("order", ("default", "topo"), "default")
        repository = project.repository
        revision = parameters.text("ref_name") or project.references().default_branch
        if repository is None or revision is None:
            raise _refusal(404, message="404 Repository Not Found")
        start = repository.resolve(revision)
        if start:
            commits = repository.history(None if parameters.flag("all") else start, order)
        elif self.answers_gone_commits:
            commits = []
        else:
            raise _refusal(404, message="404 Ref Not Found")
        if since is not None:
            commits = [commit for commit in commits if commit.committed_at >= since.timestamp()]
        if until is not None:
            commits = [commit for commit in commits if commit.committed_at <= until.timestamp()]
        return commits_page(self._url(request), parameters, commits, project.commit_entity)

    def _get_commit(self, request: Request, project: Project, revision: str) -> Answer:
        self._parameters(request, "stats")
        _require_feature(project, "repository")
        commit_id = project.repository.resolve(revision) if project.repository else None
        if commit_id is None or project.repository is None or ".." in revision:
            raise _refusal(404, message="404 Commit Not Found")
        return json_answer(project.commit_entity(project.repository.commits_by_id([commit_id])[commit_id]))

    def _list_branches(self, request: Request, project: Project) -> Answer:
        parameters = self._parameters(request, "search", "sort", "page_token", "pagination")
        _require_feature(project, "repository")
        refs = project.repository.branches() if project.repository else []
        commits = project.repository.commits_by_id([ref.commit_id for ref in refs]) if project.repository else {}
        sort = parameters.choice("sort", ("name_asc", "updated_asc", "updated_desc"), "name_asc")
        if sort != "name_asc":
            refs = sorted(refs, key=lambda ref: commits[ref.commit_id].committed_at, reverse=sort == "updated_desc")
        refs = [ref for ref in refs if parameters.text("search") in ref.name]
        default = project.references().default_branch
        page = token_page if parameters.asks_for_keyset() and self.has_branch_keyset else gitaly_page
        return page(
            self._url(request),
            parameters,
            refs,
            lambda ref: project.branch_entity(ref, commits[ref.commit_id], is_default=ref.name == default),
        )

    def _list_tags(self, request: Request, project: Project) -> Answer:
        parameters = self._parameters(request, "search", "order_by", "sort", "page_token", "pagination")
        _require_feature(project, "repository")
        refs = project.repository.tags() if project.repository else []
        commits = project.repository.commits_by_id([ref.commit_id for ref in refs]) if project.repository else {}
        if parameters.choice("order_by", ("name", "updated"), "updated") == "name":
            refs = sorted(refs, key=attrgetter("name"), reverse=True)
        if parameters.choice("sort", DIRECTIONS, "desc") == "asc":
            refs = refs[::-1]
        refs = [ref for ref in refs if parameters.text("search") in ref.name]
        page = token_page if parameters.asks_for_keyset() and self.has_branch_keyset else gitaly_page
        return page(self._url(request), parameters, refs, lambda ref: project.tag_entity(ref, commits[ref.commit_id]))

    # -------------------------------------------------------------------------------------------------- shared

    def _refuse_login(self, headers: Mapping[str, str]) -> Answer | None:
        bearer = headers.get("Authorization", "").removeprefix("Bearer ")
        if self.token in (headers.get("PRIVATE-TOKEN"), bearer):
            return None
        if bearer:
            return json_answer(
                {"error": "invalid_token", "error_description": "Token was revoked. You have to re-authorize."}, 401
            )
        return json_answer({"message": "401 Unauthorized"}, 401)

    def _parameters(self, request: Request, *known: str) -> Parameters:
        return Parameters(
            request,
            known,
            max_per_page=self.max_per_page,
            is_strict=self._strict,
            refuse=lambda text: self._mistake(request, text),
        )

    def _mistake(self, request: Request, text: str) -> Refused:
        answer = json_answer({"error": text}, 400)
        return self.mistake(f"GET {request.path}: {text}", answer) if self._strict else Refused(answer)

    def _url(self, request: Request) -> str:
        return f"{self.url}{self.prefix}{request.path}"

    def _time(self) -> datetime:
        return self.now or datetime.now(UTC)

    def _group(self, path: str) -> Group:
        if path not in self._groups:
            parent = path.rpartition("/")[0]
            parent_id = self._group(parent).id if parent else None
            self._groups[path] = Group(len(self._groups) + 1, path, parent_id)
        return self._groups[path]


def _refusal(status: int, **body: str) -> Refused:
    return Refused(json_answer(body, status))


def _require_feature(project: Project, feature: str) -> None:
    if project.access_levels[feature] == "disabled":
        raise Refused(FORBIDDEN)


def _tracked(items: Items, parameters: Parameters) -> list[Item]:
    """Return the issues or merge requests that the parameters ask for."""
    parameters.choice("scope", ("all",), "all")
    state = parameters.choice("state", ("opened", "closed", "merged", "locked", "all"), "all")
    found = _within(items, parameters, "updated", attrgetter("updated_at"))
    found = _within(found, parameters, "created", attrgetter("created_at"))
    found = [item for item in found if state in ("all", item.fields.get("state", "opened"))]
    branch, iid = parameters.text("source_branch"), parameters.text("iids[]")
    found = [item for item in found if iid in ("", str(item.iid))]
    return [item for item in found if branch in ("", items.entity(item).get("source_branch"))]


def _value(items: Items, item: Item, name: str) -> Any:
    """Return what a list is ordered by; times to the microsecond."""
    return getattr(item, name) if name in ("created_at", "updated_at") else items.entity(item)[name]


def _within(
    items: Iterable[Thing],
    parameters: Parameters,
    what: str,
    moment: Callable[[Thing], datetime | None],
    *,
    is_inclusive: bool = True,
) -> list[Thing]:
    """Return what `{what}_after` and `{what}_before` leave; nothing that has no such time, if one of them is given."""
    after, before = parameters.moment(f"{what}_after"), parameters.moment(f"{what}_before")
    if after is None and before is None:
        return list(items)
    found = []
    for item in items:
        at = moment(item)
        if at is None:
            continue
        is_end = at in (after, before)
        if (after is None or at >= after) and (before is None or at <= before) and (is_inclusive or not is_end):
            found.append(item)
    return found


def _ordered(items: Iterable[Thing], value: Callable[[Thing], Any], *, is_descending: bool) -> list[Thing]:
    """Sort as GitLab does: the largest id first where values are equal, null as if it were larger than all."""
    by_id: list[Thing] = sorted(items, key=attrgetter("id"), reverse=True)
    with_value = [item for item in by_id if value(item) is not None]
    without = [item for item in by_id if value(item) is None]
    with_value.sort(key=value, reverse=is_descending)
    return without + with_value if is_descending else with_value + without
