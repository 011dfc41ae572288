"""How Jira Cloud shows what a site holds: the JSON of its REST API, version 3, and of its Agile API.

Sources: Jira Cloud platform REST API v3; Jira Software Cloud REST API; Atlassian Document Format.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from tests.servers.jira_site import (
    CATEGORY_IDS,
    CUSTOM_TYPES,
    FIELD_KINDS,
    Board,
    Category,
    CustomField,
    History,
    Issue,
    JiraSite,
    Json,
    Project,
    Sprint,
    Status,
    User,
    Worklog,
)

SYSTEM_FIELDS: Mapping[str, Json] = {
    "summary": {"type": "string", "system": "summary"},
    "issuetype": {"type": "issuetype", "system": "issuetype"},
    "project": {"type": "project", "system": "project"},
    "status": {"type": "status", "system": "status"},
    "statusCategory": {"type": "statusCategory", "system": "statusCategory"},
    "statuscategorychangedate": {"type": "datetime", "system": "statuscategorychangedate"},
    "priority": {"type": "priority", "system": "priority"},
    "resolution": {"type": "resolution", "system": "resolution"},
    "resolutiondate": {"type": "datetime", "system": "resolutiondate"},
    "created": {"type": "datetime", "system": "created"},
    "updated": {"type": "datetime", "system": "updated"},
    "duedate": {"type": "date", "system": "duedate"},
    "assignee": {"type": "user", "system": "assignee"},
    "reporter": {"type": "user", "system": "reporter"},
    "creator": {"type": "user", "system": "creator"},
    "labels": {"type": "array", "items": "string", "system": "labels"},
    "components": {"type": "array", "items": "component", "system": "components"},
    "fixVersions": {"type": "array", "items": "version", "system": "fixVersions"},
    "versions": {"type": "array", "items": "version", "system": "versions"},
    "description": {"type": "string", "system": "description"},
    "environment": {"type": "string", "system": "environment"},
    "timespent": {"type": "number", "system": "timespent"},
    "timeestimate": {"type": "number", "system": "timeestimate"},
    "timeoriginalestimate": {"type": "number", "system": "timeoriginalestimate"},
    "aggregatetimespent": {"type": "number", "system": "aggregatetimespent"},
    "aggregatetimeestimate": {"type": "number", "system": "aggregatetimeestimate"},
    "aggregatetimeoriginalestimate": {"type": "number", "system": "aggregatetimeoriginalestimate"},
    "workratio": {"type": "number", "system": "workratio"},
    "parent": {"type": "issuelink", "system": "parent"},
    "subtasks": {"type": "array", "items": "issuelinks", "system": "subtasks"},
    "issuelinks": {"type": "array", "items": "issuelinks", "system": "issuelinks"},
    "votes": {"type": "votes", "system": "votes"},
    "watches": {"type": "watches", "system": "watches"},
    "security": {"type": "securitylevel", "system": "security"},
}
"""The system fields that this stand-in has, with their schema."""
LEFT_OUT_OF_TEAM_MANAGED = ("environment", "security", "versions")
CATEGORY_COLORS: Mapping[Category, str] = {"new": "blue-gray", "indeterminate": "yellow", "done": "green"}


def adf(text: str) -> Json:
    """Return a text as a document in Atlassian Document Format, a paragraph a line."""
    paragraphs = [
        {"type": "paragraph", "content": [{"type": "text", "text": line}] if line else []} for line in text.split("\n")
    ]
    return {"type": "doc", "version": 1, "content": paragraphs}


class JiraEntities:
    """Makes the JSON of a site's things, for a user in a time zone.

    Arguments:
        site: what there is.
        url: what links begin with.
        time_zone: that of the user who asks: timestamps carry its offset.
    """

    def __init__(self, site: JiraSite, url: str, time_zone: tzinfo) -> None:
        self.site = site
        self.url = f"{url}/rest/api/3"
        self.time_zone = time_zone

    def timestamp(self, moment: datetime | None) -> str | None:
        """Write a moment as Jira does: with milliseconds, and an offset without a colon."""
        if moment is None:
            return None
        local = moment.astimezone(self.time_zone)
        return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"

    def user(self, user: User | None) -> Json | None:
        """Show a user; without an e-mail address if the profile hides it."""
        if user is None:
            return None
        shown: Json = {
            "self": f"{self.url}/user?accountId={user.id}",
            "accountId": user.id,
            "accountType": user.kind,
            "avatarUrls": {"48x48": f"{self.url}/avatar/{user.id}"},
            "displayName": user.name,
            "active": user.active,
        }
        return shown if user.email is None else {**shown, "emailAddress": user.email, "timeZone": str(self.time_zone)}

    def project(self, project: Project, expand: Collection[str] = ()) -> Json:
        """Show a project as in a list of projects, with what is expanded: `lead` and more."""
        details = {**project.details, "lead": self.user(self.site.users[self.site.me]), "projectKeys": [project.key]}
        return {
            "self": f"{self.url}/project/{project.id}",
            "id": project.id,
            "key": project.key,
            "name": project.name,
            "avatarUrls": {"48x48": f"{self.url}/avatar/{project.id}"},
            "projectTypeKey": "software",
            "simplified": project.style == "next-gen",
            "style": project.style,
            **project.fields,
            **{name: value for name, value in details.items() if name in expand},
            **({"archived": True} if project.status == "archived" else {}),
        }

    def category(self, category: Category) -> Json:
        """Show a category of statuses; its name is in the user's language, its id a number."""
        number = CATEGORY_IDS[category]
        return {
            "self": f"{self.url}/statuscategory/{number}",
            "id": number,
            "key": category,
            "colorName": CATEGORY_COLORS[category],
            "name": self.site.named(category),
        }

    def status(self, status: Status) -> Json:
        """Show a status with its category."""
        return {
            "self": f"{self.url}/status/{status.id}",
            "description": "",
            "iconUrl": f"{self.url}/images/status.png",
            "name": status.name,
            "id": status.id,
            "statusCategory": self.category(status.category),
        }

    def custom_field(self, field: CustomField) -> Json:
        """Show a custom field as `GET /field` does."""
        number = field.id.removeprefix("customfield_")
        return {
            "id": field.id,
            "key": field.id,
            "name": field.name,
            "custom": True,
            "orderable": True,
            "navigable": True,
            "searchable": True,
            "clauseNames": [f"cf[{number}]", field.name],
            "schema": {**FIELD_KINDS[field.kind], "custom": CUSTOM_TYPES[field.kind], "customId": int(number)},
        }

    def fields(self) -> list[Json]:
        """Show all fields as `GET /field` does; two of the system's have no schema."""
        system: list[Json] = [
            {"id": "issuekey", "key": "issuekey", "name": "Key"},
            {"id": "thumbnail", "key": "thumbnail", "name": "Images"},
            *(
                {"id": name, "key": name, "name": name.capitalize(), "schema": schema}
                for name, schema in SYSTEM_FIELDS.items()
            ),
        ]
        shared = {"custom": False, "orderable": True, "navigable": True, "searchable": True}
        shown = [{**field, **shared, "clauseNames": [field["id"]]} for field in system]
        return shown + [self.custom_field(field) for field in self.site.custom_fields.values()]

    def issue(self, issue: Issue, names: Sequence[str]) -> Json:
        """Show an issue with some of its fields; a field that its project does not have is left out."""
        shown: Json = {
            "expand": "operations,versionedRepresentations,editmeta,changelog,renderedFields",
            "id": str(issue.id),
            "self": f"{self.url}/issue/{issue.id}",
            "key": issue.key,
        }
        if names:
            shown["fields"] = {name: self._field(issue, name) for name in names if self._has(issue, name)}
        return shown

    def _has(self, issue: Issue, name: str) -> bool:
        is_team_managed = self.site.projects[issue.project_id].style == "next-gen"
        return not (is_team_managed and name in LEFT_OUT_OF_TEAM_MANAGED)

    def _field(self, issue: Issue, name: str) -> Any:
        site = self.site
        value = issue.values.get(name)
        status = site.statuses[issue.status_id]
        match name:
            case "project":
                return self.project(site.projects[issue.project_id])
            case "status":
                return self.status(status)
            case "statusCategory":
                return self.category(status.category)
            case "issuetype":
                name = str(value or site.named("Task"))
                return {"id": "10001", "name": name, "description": f"{name}.", "subtask": False, "hierarchyLevel": 0}
            case "priority":
                return {"id": "3", "name": str(value or "Medium"), "iconUrl": f"{self.url}/images/medium.svg"}
            case "resolution":
                name = site.named("done")
                return {"id": "10000", "name": name, "description": f"{name}."} if issue.resolved else None
            case "resolutiondate":
                return self.timestamp(issue.resolved)
            case "created":
                return self.timestamp(issue.created)
            case "updated":
                return self.timestamp(issue.updated)
            case "statuscategorychangedate":
                return self.timestamp(issue.category_changed or issue.created)
            case "creator":
                return self.user(site.users[issue.creator])
            case "assignee" | "reporter":
                return self.user(site.users[value]) if value else None
            case "labels" | "subtasks" | "issuelinks":
                return value or []
            case "components" | "fixVersions" | "versions":
                return [
                    {"self": f"{self.url}/{name}/{number}", "id": str(number), "name": text}
                    for number, text in enumerate(value or (), start=1)
                ]
            case "timespent" | "aggregatetimespent":
                return site.time_spent(issue.id)
            case "parent":
                parent = site.issues.get(value) if value else None
                return self.issue(parent, ("summary", "status", "issuetype")) if parent else None
            case "description" | "environment":
                return adf(value) if isinstance(value, str) else value
            case "votes":
                return {"votes": 0, "hasVoted": False}
            case "watches":
                return {"watchCount": 1, "isWatching": True}
        return self._custom_value(name, value)

    def _custom_value(self, name: str, value: Any) -> Any:
        field = self.site.custom_fields.get(name)
        if field is None or value is None:
            return value
        match field.kind:
            case "datetime":
                return self.timestamp(value)
            case "textarea":
                return adf(value) if isinstance(value, str) else value
            case "option":
                return self._option(value)
            case "multiselect":
                return [self._option(text) for text in value]
            case "cascading":
                parent, child = value
                return {**self._option(parent), **({"child": self._option(child)} if child else {})}
            case "user":
                return self.user(self.site.users[value])
            case "multiuser":
                return [self.user(self.site.users[account_id]) for account_id in value]
            case "sprint":
                return [self._sprint_of_issue(self.site.sprints[sprint_id]) for sprint_id in value]
        return value

    def _option(self, text: str) -> Json:
        number = str(sum(text.encode()))
        return {"self": f"{self.url}/customFieldOption/{number}", "value": text, "id": number}

    def history(self, history: History, created: Any) -> Json:
        """Show a history; `created` differs between the endpoints."""
        return {
            "id": str(history.id),
            "author": self.user(self.site.users.get(history.author)),
            "created": created,
            "items": history.items,
        }

    def worklog(self, worklog: Worklog) -> Json:
        """Show a worklog; its comment is a document."""
        users = self.site.users
        return {
            "self": f"{self.url}/issue/{worklog.issue_id}/worklog/{worklog.id}",
            "author": self.user(users.get(worklog.author)),
            "updateAuthor": self.user(users.get(worklog.update_author)),
            **({} if worklog.comment is None else {"comment": adf(worklog.comment)}),
            **({"visibility": {"type": "group", "value": worklog.group}} if worklog.group else {}),
            "created": self.timestamp(worklog.created),
            "updated": self.timestamp(worklog.updated),
            "started": self.timestamp(worklog.started),
            "timeSpent": f"{worklog.seconds // 60}m",
            "timeSpentSeconds": worklog.seconds,
            "id": str(worklog.id),
            "issueId": str(worklog.issue_id),
        }

    def board(self, board: Board) -> Json:
        """Show a board; its id is a number, unlike elsewhere."""
        project = self.site.projects[board.project_id]
        return {
            "id": board.id,
            "self": f"{self._agile}/board/{board.id}",
            "name": board.name,
            "type": board.kind,
            "location": {
                "projectId": int(project.id),
                "displayName": f"{project.name} ({project.key})",
                "projectName": project.name,
                "projectKey": project.key,
                "projectTypeKey": "software",
                "name": f"{project.name} ({project.key})",
            },
            "isPrivate": False,
        }

    def sprint(self, sprint: Sprint) -> Json:
        """Show a sprint; what did not happen yet is left out, moments are in UTC."""
        moments = {"startDate": sprint.start, "endDate": sprint.end, "completeDate": sprint.complete}
        return {
            "id": sprint.id,
            "self": f"{self._agile}/sprint/{sprint.id}",
            "state": sprint.state,
            "name": sprint.name,
            **{name: f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z" for name, moment in moments.items() if moment},
            "originBoardId": sprint.board_id,
            **({"goal": sprint.goal} if sprint.goal is not None else {}),
        }

    def _sprint_of_issue(self, sprint: Sprint) -> Json:
        shown = self.sprint(sprint)
        return {key: value for key, value in shown.items() if key not in ("self", "originBoardId")} | {
            "boardId": sprint.board_id
        }

    @property
    def _agile(self) -> str:
        return self.url.replace("/rest/api/3", "/rest/agile/1.0")
