"""The connectors and the specifications of their APIs, with what these do not tell: one entry for each."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tests.servers.openapi import Json, Schema
from tests.servers.openapi_answers import Texts
from tests.servers.openapi_server import Beside, Finish
from wherescape.api_response import Record
from wherescape.connectors.gitlab import gitlab_tables
from wherescape.connectors.gitlab.gitlab_increment import Increment
from wherescape.connectors.gitlab.gitlab_wrapper import Gitlab
from wherescape.connectors.jira import jira_tables
from wherescape.connectors.jira.jira_scope import Scope
from wherescape.connectors.jira.jira_wrapper import Jira
from wherescape.tables import Table
from wherescape.testing.api_server import Answer, Request, json_answer


@dataclass(frozen=True, eq=False)
class Reading:
    """One table as the connector's API class reads it.

    Arguments:
        table: what the records must fit.
        operation: the one whose answers hold the records, such as `GET /projects`; empty if the specification lacks
            it.
        read: gives the records, of the API class.
        rows: how many there are where every list has two pages of two.
        left_out: the properties that no column takes, by patterns (`author.*`), with the reasons.
        may_be_empty: whether there may be no record, since these are reached by what may be missing.
    """

    table: Table
    operation: str
    read: Callable[[Any], Iterable[Record]]
    rows: int
    left_out: Mapping[str, str] = field(default_factory=dict)
    may_be_empty: bool = False


@dataclass(frozen=True, eq=False)
class Connector:
    """A connector and its API's specification.

    Arguments:
        specification: the file, below the folder of all specifications.
        connect: makes the API class for an address. It must not retry nor wait, and read one thing after the other.
        tables: all load tables that it has.
        readings: one for each of them.
        finish: makes answers belong to their questions, and lists end with their second page.
        others: what else it asks of the API at an address.
        always: properties that are always there although the specification leaves them optional, by their schema.
        details: properties that the specification leaves open, by their schema.
        nullable: whether whatever may be missing may be null as well, where the specification does not tell.
        texts: what some texts look like.
        beside: answers of paths that the specification lacks.
    """

    specification: str
    connect: Callable[[str], AbstractContextManager[Any]]
    tables: tuple[Table, ...]
    readings: tuple[Reading, ...]
    finish: Finish
    others: tuple[Callable[[str], object], ...] = ()
    always: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    details: Mapping[str, Mapping[str, Schema]] = field(default_factory=dict)
    nullable: bool = False
    texts: Texts = field(default_factory=dict)
    beside: Beside = field(default_factory=dict)

    def __str__(self) -> str:
        return self.specification.partition("/")[0]


# ------------------------------------------------------------------------------------------------------------ GitLab


def _gitlab(url: str, **scope: Any) -> Gitlab:
    return Gitlab("glpat-of-a-test", url, max_retries=0, max_wait_seconds=0, workers=1, **scope)


def _all(table: Table) -> Callable[[Gitlab], Iterable[Record]]:
    return lambda gitlab: Increment(gitlab, table.kind).records()


def _between(what: str) -> Callable[[str], object]:
    def read(url: str) -> object:
        since, until = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
        with _gitlab(url) as gitlab:
            return [*getattr(gitlab, what)(next(gitlab.projects()), since=since, until=until)]

    return read


def _projects_of(**scope: Any) -> Callable[[str], object]:
    def read(url: str) -> object:
        with _gitlab(url, **scope) as gitlab:
            return [*gitlab.projects()]

    return read


def _since(url: str) -> object:
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    with _gitlab(url) as gitlab:
        return gitlab.server_time(), [*gitlab.commits({"id": 1}, "a..b", moment)]


def _page_of_gitlab(request: Request, before: int, body: Json) -> Mapping[str, str]:
    following = {**request.query, "page": "2"}
    link = f'<http://{request.headers["Host"]}{request.path}?{urlencode(following)}>; rel="next"'
    return {
        "X-Next-Page": "" if before else "2",
        "Link": "" if before else link,
        "X-Total": str(len(body)),
        "X-Total-Pages": "",
    }


_UPDATED: Schema = {"updated_at": {"type": ["string", "null"], "format": "date-time"}}
_NUMBERS = {name: {"type": "integer", "format": "int64"} for name in ("id", "iid", "group_id")}
_PROJECT = {"id": 2**31, "path_with_namespace": "shelf/book"}

_OF_THE_PERSON = "of the person, whom id and username name"
_OLDER = "an older name"
_LAZY = "worked out again when it is looked at, without a change of the merge request"
_SETTING = "a setting of the merge, of no use once it is merged"
_SAME = "another form of what is there"
_TRAILERS = {"*trailers": "in the message"}

GITLAB = Connector(
    specification="gitlab/reduced.openapi3.json",
    connect=_gitlab,
    tables=gitlab_tables.TABLES,
    # GitLab's document requires nothing, and tells of null hardly anywhere.
    always={
        "API_Entities_BasicProjectDetails": ("id", "path_with_namespace"),
        "API_Entities_Issue": ("id", "updated_at"),
        "API_Entities_MergeRequestBasic": ("id", "iid", "updated_at"),
        "API_Entities_Ci_PipelineBasic": ("id", "updated_at"),
        "API_Entities_Branch": ("name",),
        "API_Entities_Tag": ("name",),
        "API_Entities_Commit": ("id",),
    },
    details={
        "API_Entities_Issue": _UPDATED,
        "API_Entities_MergeRequestBasic": _UPDATED,
        "API_Entities_Ci_PipelineBasic": _UPDATED,
        # GitLab's document makes a text of what it has no type of.
        "EpicBaseEntity": _NUMBERS,
        "API_Entities_Iteration": _NUMBERS,
    },
    nullable=True,
    finish=_page_of_gitlab,
    beside={
        "GET /api/v4/groups/{id}/projects": lambda _: json_answer([_PROJECT], headers={"X-Next-Page": ""}),
        "GET /api/v4/projects/{id}": lambda _: json_answer(_PROJECT),
    },
    others=(
        _projects_of(groups=["shelf/of books", 7]),
        _projects_of(projects=["shelf/book", 2]),
        _projects_of(everything_visible=True),
        _since,
        *map(_between, ("issues", "merge_requests", "pipelines", "merge_request_commits")),
    ),
    readings=(
        Reading(
            gitlab_tables.PROJECTS,
            "GET /api/v4/projects",
            _all(gitlab_tables.PROJECTS),
            rows=4,
            left_out={
                "custom_attributes": "given on request only, to administrators",
                "license*": "given on request only, for one project at a time",
                "namespace.*": "of the namespace, not of the project",
                "repository_storage": "for administrators only",
                "tag_list": "the older name of topics",
            },
        ),
        Reading(
            gitlab_tables.ISSUES,
            "GET /api/v4/projects/{id}/issues",
            _all(gitlab_tables.ISSUES),
            rows=16,
            left_out={
                "_links": "addresses in the API",
                "assignee": _OLDER,
                "epic_iid": f"{_OLDER}; taken where there is no epic",
                "imported*": "whether it was brought in from elsewhere",
                "iteration.*": "of the iteration, which id and title name",
                "subscribed": "of the owner of the token",
                "task_status": _SAME,
                **{f"{role}.*": _OF_THE_PERSON for role in ("assignees", "author", "closed_by")},
            },
        ),
        Reading(
            gitlab_tables.MERGE_REQUESTS,
            "GET /api/v4/projects/{id}/merge_requests",
            _all(gitlab_tables.MERGE_REQUESTS),
            rows=16,
            left_out={
                **dict.fromkeys(("assignee", "merged_by", "reference", "approvals_before_merge"), _OLDER),
                **dict.fromkeys(("merge_status", "has_conflicts", "blocking_discussions_resolved"), _LAZY),
                **dict.fromkeys(("allow_*", "*_remove_source_branch", "squash_on_merge"), _SETTING),
                **dict.fromkeys(("merge_after", "merge_when_pipeline_succeeds"), _SETTING),
                **dict.fromkeys(("*_html", "references.*", "time_stats.human_*"), _SAME),
                "imported*": "whether it was brought in from elsewhere",
                "milestone.*": "of the milestone, which its id and title name",
                **{f"{role}.*": _OF_THE_PERSON for role in ("assignees", "author", "closed_by")},
                **{f"{role}.*": _OF_THE_PERSON for role in ("merge_user", "reviewers")},
            },
        ),
        Reading(gitlab_tables.PIPELINES, "GET /api/v4/projects/{id}/pipelines", _all(gitlab_tables.PIPELINES), 16),
        Reading(
            gitlab_tables.MERGE_REQUEST_COMMITS,
            "GET /api/v4/projects/{id}/merge_requests/{merge_request_iid}/commits",
            _all(gitlab_tables.MERGE_REQUEST_COMMITS),
            64,
            _TRAILERS,
        ),
        Reading(
            gitlab_tables.BRANCHES,
            "GET /api/v4/projects/{id}/repository/branches",
            _all(gitlab_tables.BRANCHES),
            rows=16,
            left_out={**_TRAILERS, "commit.created_at": "the same as its committed date"},
        ),
        Reading(
            gitlab_tables.TAGS, "GET /api/v4/projects/{id}/repository/tags", _all(gitlab_tables.TAGS), 16, _TRAILERS
        ),
        # The first answer of the path tells the head that the list is read from.
        Reading(
            gitlab_tables.COMMITS,
            "GET /api/v4/projects/{id}/repository/commits",
            _all(gitlab_tables.COMMITS),
            8,
            _TRAILERS,
        ),
        # The second page of each project's commits comes with the first of four branches.
        Reading(
            gitlab_tables.BRANCH_COMMITS,
            "GET /api/v4/projects/{id}/repository/commits",
            _all(gitlab_tables.BRANCH_COMMITS),
            40,
            _TRAILERS,
            may_be_empty=True,
        ),
    ),
)

# -------------------------------------------------------------------------------------------------------------- Jira


def _jira(url: str) -> Jira:
    return Jira("mia@example.com", "token-of-a-test", url, max_retries=0, max_wait_seconds=0, workers=1)


def _ask_jira(read: Callable[[Jira], Iterable[object]]) -> Callable[[str], object]:
    def ask(url: str) -> object:
        with _jira(url) as jira:
            return [*read(jira)]

    return ask


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _schema(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer", "format": "int64"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_NAMED: Schema = {"type": "object", "required": ["id"], "properties": {"id": _TEXT, "name": _TEXT, "self": _TEXT}}
_PARAGRAPH = {"type": "paragraph", "content": [{"type": "text", "text": "It hangs."}]}
_DOCUMENT: Schema = {"enum": [{"type": "doc", "version": 1, "content": [_PARAGRAPH]}]}
# Atlassian's document leaves the fields of an issue open. These are of its documentation, "Issue fields".
_FIELDS_OF_AN_ISSUE: Schema = {
    "type": "object",
    "required": ["created", "updated", "status", "project", "issuetype"],
    "properties": {
        "created": _MOMENT,
        "updated": _MOMENT,
        "status": _schema("StatusDetails"),
        "project": _schema("ProjectDetails"),
        "issuetype": _schema("IssueTypeDetails"),
        "summary": _TEXT,
        "description": _or_null(_DOCUMENT),
        "environment": _or_null(_DOCUMENT),
        "priority": _or_null(_NAMED),
        "resolution": _or_null(_NAMED),
        "resolutiondate": _or_null(_MOMENT),
        "statuscategorychangedate": _or_null(_MOMENT),
        "duedate": _or_null({"type": "string", "format": "date"}),
        **dict.fromkeys(("assignee", "reporter", "creator"), _or_null(_schema("UserDetails"))),
        "parent": {"type": "object", "required": ["id"], "properties": {"id": _TEXT, "key": _TEXT, "self": _TEXT}},
        "labels": {"type": "array", "items": _TEXT},
        "components": {"type": "array", "items": _schema("ProjectComponent")},
        "fixVersions": {"type": "array", "items": _schema("Version")},
        "versions": {"type": "array", "items": _schema("Version")},
        **dict.fromkeys(("timespent", "timeestimate", "timeoriginalestimate"), _or_null(_NUMBER)),
        **dict.fromkeys(
            ("aggregatetimespent", "aggregatetimeestimate", "aggregatetimeoriginalestimate"), _or_null(_NUMBER)
        ),
        "workratio": _NUMBER,
        "votes": {"type": "object", "properties": {"votes": _NUMBER, "hasVoted": {"type": "boolean"}}},
        "watches": {"type": "object", "properties": {"watchCount": _NUMBER, "isWatching": {"type": "boolean"}}},
        "subtasks": {"type": "array", "items": _NAMED},
        "issuelinks": {"type": "array", "items": _NAMED},
        "attachment": {"type": "array", "items": _NAMED},
        "comment": {"type": "object", "properties": {"comments": {"type": "array", "items": _NAMED}}},
        "worklog": {"type": "object", "properties": {"worklogs": {"type": "array", "items": _NAMED}}},
        "progress": {"type": "object", "properties": {"progress": _NUMBER, "total": _NUMBER}},
        "security": _or_null(_NAMED),
        "lastViewed": _or_null(_MOMENT),
    },
}


def _answer_of_jira(request: Request, before: int, body: Json) -> Mapping[str, str]:
    """Give the issues that were asked for, and end each list with its second page."""
    asked = (request.body or {}).get("issueIdsOrKeys", [])
    if "values" in body:
        # The examples of both pages are the same projects.
        body["values"] = [value | {"id": f"{value['id']}{before}"} for value in body["values"] if "id" in value]
        start, count = int(request.query["startAt"]), len(body["values"])
        body |= {"startAt": start, "maxResults": count, "total": start + (count if before else 2 * count)}
    if "issues" in body and request.path.endswith("/issue/bulkfetch"):
        issues = body["issues"]
        body["issues"] = [_issue_of_jira(issues[place % len(issues)], key) for place, key in enumerate(asked)]
        body["issueErrors"] = []
    if "issueChangeLogs" in body:
        logs = zip(body["issueChangeLogs"], asked, strict=False)
        body["issueChangeLogs"] = [log | {"issueId": key} if "issueId" in log else log for log, key in logs]
    if request.path.endswith(("/search/jql", "/changelog/bulkfetch")):
        body["nextPageToken"] = None if before else "next"
    if isinstance(body, dict) and body.get("isLast") is not None:
        body["isLast"] = bool(before)
    return {}


def _issue_of_jira(issue: Json, issue_id: str) -> Json:
    # The example answers a request for three other fields.
    always = dict.fromkeys(("created", "updated"), "2021-01-01T00:00:00.000+0000")
    named = {"id": issue_id} if "id" in issue else {}
    return issue | named | {"fields": always | issue.get("fields", {})}


def _values_of_jira(value: Json) -> Callable[[Request], Answer]:
    return lambda _: json_answer({"startAt": 0, "isLast": True, "lastPage": True, "values": [value]})


def _users_of_jira(request: Request) -> Answer:
    return json_answer([] if int(request.query["startAt"]) else [{"accountId": "1"}])


_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
_CHANGE = {"worklogId": 7, "updatedTime": 1_577_836_800_000}
_OF_THE_ACCOUNT = "of the person, whom account id and name name"
_EXPANDED = "given on request only"
_PAGING = "how the list goes on"
_ON_REQUEST = "a column on request, by custom_fields"
_OWN_LIST = "a list of its own"
_EXPANSIONS = (
    *("changelog", "editmeta", "expand", "fieldsToInclude", "names", "operations", "properties", "renderedFields"),
    *("schema", "transitions", "versionedRepresentations"),
)
_NAMED_PARTS = (
    *("components", "fixVersions", "versions", "issuetype", "priority", "project", "resolution", "status", "parent"),
)

JIRA = Connector(
    specification="jira/reduced.openapi3.json",
    connect=_jira,
    tables=jira_tables.TABLES,
    # Atlassian's document requires nothing, and tells of null hardly anywhere.
    always={
        "User": ("accountId",),
        "PageBeanProject": ("values",),
        "Project": ("id",),
        "SearchAndReconcileResults": ("issues",),
        "BulkIssueResults": ("issues",),
        "IssueBean": ("id", "fields"),
        "BulkChangelogResponseBean": ("issueChangeLogs",),
        "IssueChangeLog": ("issueId",),
        "Changelog": ("id", "created"),
    },
    details={
        "IssueBean": {"fields": _FIELDS_OF_AN_ISSUE},
        "StatusCategory": {"key": {"enum": ["new", "indeterminate", "done"]}},
    },
    nullable=True,
    texts={
        "id": str,
        "accountId": lambda _: "5b10a2844c20165700ede21g",
        "timeZone": lambda _: "Europe/Amsterdam",
        "fieldId": lambda number: ("status", "labels")[number % 2],
        "date-time": lambda number: f"2021-01-01T00:{number // 60 % 60:02}:{number % 60:02}.000+0000",
    },
    finish=_answer_of_jira,
    beside={
        "GET /rest/api/3/status": lambda _: json_answer([{"id": "3", "statusCategory": {"key": "indeterminate"}}]),
        "GET /rest/api/3/worklog/updated": _values_of_jira(_CHANGE),
        "GET /rest/api/3/worklog/deleted": _values_of_jira(_CHANGE),
        "POST /rest/api/3/worklog/list": lambda _: json_answer([{"id": "7", "issueId": "8"}]),
        "GET /rest/api/3/users/search": _users_of_jira,
        "GET /rest/agile/1.0/board": _values_of_jira({"id": 9}),
        "GET /rest/agile/1.0/board/{id}/sprint": _values_of_jira({"id": 10}),
    },
    others=(
        _ask_jira(lambda jira: jira.projects(archived=True, include_private=False)),
        _ask_jira(Jira.issue_ids),
        _ask_jira(lambda jira: jira.issues(_SINCE, Scope(["EX"], 'labels = "red"', include_private=False))),
        _ask_jira(lambda jira: jira.changes(_SINCE, with_names=False)),
    ),
    readings=(
        Reading(
            jira_tables.PROJECTS,
            "GET /rest/api/3/project/search",
            Jira.projects,
            rows=4,
            left_out={
                **dict.fromkeys(("isLast", "maxResults", "nextPage", "self", "startAt", "total"), _PAGING),
                **dict.fromkeys(("values.archived?*", "values.deleted*", "values.retentionTillDate"), "how it ended"),
                **dict.fromkeys(
                    ("values.components", "values.issueType*", "values.roles", "values.versions"), _OWN_LIST
                ),
                **dict.fromkeys(("values.expand", "values.insight", "values.landingPageInfo"), _EXPANDED),
                **dict.fromkeys(("values.permissions", "values.properties"), _EXPANDED),
                **dict.fromkeys(("values.assigneeType", "values.email"), "a setting"),
                "values.avatarUrls": "pictures",
                "values.favourite": "of the API user",
                "values.lead.*": _OF_THE_ACCOUNT,
                "values.projectCategory.*": "of the category, which id and name name",
            },
        ),
        Reading(
            jira_tables.ISSUES,
            "POST /rest/api/3/issue/bulkfetch",
            Jira.issues,
            rows=4,
            left_out={
                "issueErrors": "issues that could not be read; they end the load",
                **{f"issues.{name}": _EXPANDED for name in _EXPANSIONS},
                "issues.self": "an address in the API",
                **{f"issues.fields.{name}.*": _OF_THE_ACCOUNT for name in ("assignee", "creator", "reporter")},
                **{f"issues.fields.{name}.*": "of what id and name name" for name in _NAMED_PARTS},
                **{f"issues.fields.{name}": _OWN_LIST for name in ("attachment", "comment", "issuelinks", "worklog")},
                **{f"issues.fields.{name}": _ON_REQUEST for name in ("lastViewed", "security", "votes", "watches")},
                **{f"issues.fields.{name}": "worked out of the times" for name in ("progress", "workratio")},
                "issues.fields.subtasks": "issues of their own, which name their parent",
            },
        ),
        Reading(
            jira_tables.CHANGES,
            "POST /rest/api/3/changelog/bulkfetch",
            Jira.changes,
            rows=16,
            left_out={
                "issueChangeLogs.changeHistories.author.*": _OF_THE_ACCOUNT,
                "issueChangeLogs.changeHistories.historyMetadata": "of the app that made the change",
                "nextPageToken": _PAGING,
            },
            may_be_empty=True,
        ),
        Reading(jira_tables.WORKLOGS, "", Jira.worklogs, 1),
        Reading(jira_tables.DELETED_WORKLOGS, "", Jira.deleted_worklogs, 1),
        Reading(jira_tables.BOARDS, "", Jira.boards, 1),
        Reading(jira_tables.SPRINTS, "", Jira.sprints, 1),
        Reading(jira_tables.USERS, "", Jira.users, 1),
    ),
)

CONNECTORS = (GITLAB, JIRA)
