"""What a Jira Cloud site holds and what happens to it; no HTTP. `JiraServer` shows it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

Json = dict[str, Any]
Category = Literal["new", "indeterminate", "done"]
Language = Literal["en", "nl", "zh"]

CATEGORY_IDS: Mapping[Category, int] = {"new": 2, "indeterminate": 4, "done": 3}
NAMES: Mapping[Language, Mapping[str, str]] = {
    "en": {"new": "To Do", "indeterminate": "In Progress", "done": "Done", "review": "In Review", "Task": "Task"},
    "nl": {"new": "Te doen", "indeterminate": "In uitvoering", "done": "Gereed", "review": "Controle", "Task": "Taak"},
    "zh": {"new": "待办", "indeterminate": "处理中", "done": "已完成", "review": "评审中", "Task": "任务"},
}
"""What the user's language makes of a name; a history keeps the one of its time."""

TO_DO, IN_PROGRESS, IN_REVIEW, DONE = "10000", "3", "10001", "10002"

FIELD_KINDS: Mapping[str, Json] = {
    "number": {"type": "number"},
    "date": {"type": "date"},
    "datetime": {"type": "datetime"},
    "string": {"type": "string"},
    "textarea": {"type": "string"},
    "option": {"type": "option"},
    "cascading": {"type": "option-with-child"},
    "multiselect": {"type": "array", "items": "option"},
    "labels": {"type": "array", "items": "string"},
    "user": {"type": "user"},
    "multiuser": {"type": "array", "items": "user"},
    "sprint": {"type": "array", "items": "json"},
}
"""The kinds of custom fields, with the schema that `GET /field` shows."""

CUSTOM_TYPES = {
    "number": "com.atlassian.jira.plugin.system.customfieldtypes:float",
    "date": "com.atlassian.jira.plugin.system.customfieldtypes:datepicker",
    "datetime": "com.atlassian.jira.plugin.system.customfieldtypes:datetime",
    "string": "com.atlassian.jira.plugin.system.customfieldtypes:textfield",
    "textarea": "com.atlassian.jira.plugin.system.customfieldtypes:textarea",
    "option": "com.atlassian.jira.plugin.system.customfieldtypes:select",
    "cascading": "com.atlassian.jira.plugin.system.customfieldtypes:cascadingselect",
    "multiselect": "com.atlassian.jira.plugin.system.customfieldtypes:multiselect",
    "labels": "com.atlassian.jira.plugin.system.customfieldtypes:labels",
    "user": "com.atlassian.jira.plugin.system.customfieldtypes:userpicker",
    "multiuser": "com.atlassian.jira.plugin.system.customfieldtypes:multiuserpicker",
    "sprint": "com.pyxis.greenhopper.jira:gh-sprint",
}


@dataclass
class Project:
    """A project; `fields` are what only some have, such as isPrivate, entityId and uuid.

    `details` are shown only to who expands them.
    """

    id: str
    key: str
    name: str
    style: str = "classic"
    status: str = "live"
    is_hidden: bool = False
    issues_made: int = 0
    fields: Json = field(default_factory=dict)
    details: Json = field(default_factory=dict)


@dataclass
class Status:
    """A status; one that is deleted stays in the histories only."""

    id: str
    name: str
    category: Category
    is_deleted: bool = False


@dataclass
class User:
    """A user; one that is filtered out takes a place in a list without being shown."""

    id: str
    name: str
    email: str | None
    active: bool = True
    kind: str = "atlassian"
    is_filtered: bool = False


@dataclass
class CustomField:
    """A custom field."""

    id: str
    name: str
    kind: str


@dataclass
class History:
    """What one edit changed in an issue."""

    id: int
    issue_id: int
    author: str
    created: datetime
    items: list[Json]


@dataclass
class Worklog:
    """Time that was spent on an issue."""

    id: int
    issue_id: int
    author: str
    update_author: str
    created: datetime
    updated: datetime
    started: datetime
    seconds: int
    comment: str | None = None
    group: str = ""


@dataclass(frozen=True)
class Indexed:
    """An issue as the search index has it from some moment on; no longer in it without `row`."""

    visible_at: datetime
    row: Mapping[str, Any] | None


@dataclass
class Issue:
    """An issue; `values` holds the fields that a user sets, by their id."""

    id: int
    key: str
    project_id: str
    status_id: str
    creator: str
    created: datetime
    updated: datetime
    values: Json
    old_keys: list[str] = field(default_factory=list)
    resolved: datetime | None = None
    category_changed: datetime | None = None
    is_archived: bool = False
    histories: list[History] = field(default_factory=list)


@dataclass
class Board:
    """A board; a kanban board has no sprints."""

    id: int
    name: str
    kind: str
    project_id: str
    sprint_ids: list[int] = field(default_factory=list)


@dataclass
class Sprint:
    """A sprint, on its own board and maybe on others."""

    id: int
    name: str
    state: str
    board_id: int
    start: datetime | None = None
    end: datetime | None = None
    complete: datetime | None = None
    goal: str | None = None


@dataclass(frozen=True)
class Removed:
    """A worklog that was deleted."""

    worklog_id: int
    at: datetime


class JiraSite:
    """A Jira site: one user, one project `EX` and three statuses to begin with.

    Everything happens at `now`, which a test sets; `updated` moves with each write. Methods return ids.
    """

    def __init__(self, language: Language = "en") -> None:
        self.now: datetime | None = None
        self.search_delay = timedelta()
        """How long after a write, made from now on, the search sees it."""
        self.language: Language = language
        self.projects: dict[str, Project] = {}
        self.statuses: dict[str, Status] = {}
        self.users: dict[str, User] = {}
        self.custom_fields: dict[str, CustomField] = {}
        self.issues: dict[int, Issue] = {}
        self.index: dict[int, list[Indexed]] = {}
        self.worklogs: dict[int, Worklog] = {}
        self.removed_worklogs: list[Removed] = []
        self.boards: dict[int, Board] = {}
        self.sprints: dict[int, Sprint] = {}
        self._last_id = 10_000
        self.me = self.add_user("Mia Krystof", "mia@example.com")
        self.add_status(self.named("new"), "new", TO_DO)
        self.add_status(self.named("indeterminate"), "indeterminate", IN_PROGRESS)
        self.add_status(self.named("review"), "indeterminate", IN_REVIEW)
        self.add_status(self.named("done"), "done", DONE)
        self.add_project("EX", "Example")

    def moment(self) -> datetime:
        """Return the time of the site in whole milliseconds: `now`, or the real one."""
        moment = (self.now or datetime.now(UTC)).astimezone(UTC)
        return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)

    def pass_time(self, duration: timedelta) -> None:
        """Let time pass; the clock stands still otherwise, once `now` is set."""
        self.now = self.moment() + duration

    def named(self, name: str) -> str:
        """Return a name in the user's language."""
        return NAMES[self.language].get(name, name)

    # ------------------------------------------------------------------------------------------------- surroundings

    def add_project(
        self,
        key: str,
        name: str = "",
        *,
        private: bool | None = None,
        team_managed: bool = False,
        hidden: bool = False,
        category: str = "",
        description: str = "",
    ) -> str:
        """Add a project.

        Arguments:
            key: such as `EX`.
            name: made from the key when left out.
            private: what isPrivate says; None leaves it out.
            team_managed: a "next-gen" project, which has entityId and uuid.
            hidden: the user may not browse it.
            category: the name of its category.
            description: what it is about.
        """
        project_id = str(self._new_id())
        fields: Json = {} if private is None else {"isPrivate": private}
        if team_managed:
            fields |= {"entityId": f"entity-{project_id}", "uuid": f"uuid-{project_id}"}
        if category:
            fields["projectCategory"] = {"id": "10000", "name": category, "description": f"{category}."}
        style = "next-gen" if team_managed else "classic"
        self.projects[project_id] = Project(
            project_id,
            key,
            name or f"Project {key}",
            style,
            is_hidden=hidden,
            fields=fields,
            details={"description": description, "url": f"https://example.com/{key}"},
        )
        return project_id

    def delete_project(self, project_id: str) -> None:
        """Delete a project with its issues."""
        for issue in [issue for issue in self.issues.values() if issue.project_id == project_id]:
            self.delete_issue(issue.id)
        del self.projects[project_id]

    def archive_project(self, project_id: str) -> None:
        """Archive a project: it leaves the list of live ones, its issues leave the search."""
        self.projects[project_id].status = "archived"
        self._reindex_project(project_id)

    def hide_project(self, project_id: str) -> None:
        """Take the user's right to browse a project."""
        self.projects[project_id].is_hidden = True

    def add_user(
        self,
        name: str,
        email: str | None = None,
        *,
        active: bool = True,
        kind: str = "atlassian",
        filtered: bool = False,
    ) -> str:
        """Add a user; without `email` it is hidden by the profile, with `filtered` it only makes pages short."""
        account_id = f"5b10a2844c20165700ede{self._new_id()}"
        self.users[account_id] = User(account_id, name, email, active, kind, filtered)
        return account_id

    def add_status(self, name: str, category: Category, status_id: str = "") -> str:
        """Add a status."""
        status_id = status_id or str(self._new_id())
        self.statuses[status_id] = Status(status_id, name, category)
        return status_id

    def rename_status(self, status_id: str, name: str) -> None:
        """Rename a status; histories keep the old name."""
        self.statuses[status_id].name = name

    def delete_status(self, status_id: str) -> None:
        """Delete a status that no issue is in: `GET /status` does not show it any more."""
        self.statuses[status_id].is_deleted = True

    def add_custom_field(self, name: str, kind: str) -> str:
        """Add a custom field of a kind of `FIELD_KINDS`."""
        field_id = f"customfield_{self._new_id()}"
        self.custom_fields[field_id] = CustomField(field_id, name, kind)
        return field_id

    def add_board(self, name: str, project_id: str = "", *, kind: str = "scrum") -> int:
        """Add a board; a `kanban` one refuses to list sprints."""
        board_id = self._new_id()
        self.boards[board_id] = Board(board_id, name, kind, project_id or next(iter(self.projects)))
        return board_id

    def add_sprint(
        self,
        board_id: int,
        name: str,
        *,
        state: str = "future",
        start: datetime | None = None,
        end: datetime | None = None,
        complete: datetime | None = None,
        goal: str | None = None,
        also_on: Iterable[int] = (),
    ) -> int:
        """Add a sprint to a board; other boards may show it too."""
        sprint_id = self._new_id()
        self.sprints[sprint_id] = Sprint(sprint_id, name, state, board_id, start, end, complete, goal)
        for board in (board_id, *also_on):
            self.boards[board].sprint_ids.append(sprint_id)
        return sprint_id

    # ------------------------------------------------------------------------------------------------------- issues

    def add_issue(
        self, summary: str = "An issue", project_id: str = "", *, status_id: str = TO_DO, **values: Any
    ) -> int:
        """Add an issue.

        Arguments:
            summary: its title.
            project_id: that of the first project when left out.
            status_id: the status that it is created in.
            values: other fields by their id: users as account ids, `parent` as an issue's id, moments as aware
                datetimes, rich texts as text or ADF, the rest as Jira shows it.
        """
        project = self.projects[project_id or next(iter(self.projects))]
        issue_id, now = self._new_id(), self.moment()
        self.issues[issue_id] = Issue(
            issue_id,
            self._next_key(project),
            project.id,
            status_id,
            self.me,
            now,
            now,
            {"summary": summary, "reporter": self.me, **values},
        )
        self._reindex(issue_id)
        return issue_id

    def update_issue(self, issue_id: int, **values: Any) -> None:
        """Change fields of an issue in one edit; each is an item of one history."""
        issue = self.issues[issue_id]
        items = [self._item(name, issue.values.get(name), value) for name, value in values.items()]
        issue.values.update(values)
        self._write(issue, items)

    def transition(self, issue_id: int, status_id: str) -> None:
        """Bring an issue to another status; a status that is done resolves it."""
        issue = self.issues[issue_id]
        before, after = self.statuses[issue.status_id], self.statuses[status_id]
        item = _change("status", before.id, before.name, after.id, after.name)
        issue.status_id = status_id
        if before.category != after.category:
            issue.category_changed = self.moment()
        items = [item]
        if (after.category == "done") != (issue.resolved is not None):
            issue.resolved = self.moment() if after.category == "done" else None
            pair = [("10000", self.named("done")), (None, None)]
            (old, old_name), (new, new_name) = reversed(pair) if issue.resolved else pair
            items.append(_change("resolution", old, old_name, new, new_name))
        self._write(issue, items)

    def move(self, issue_id: int, project_id: str) -> None:
        """Move an issue to another project: its key changes, its id stays."""
        issue, project = self.issues[issue_id], self.projects[project_id]
        old_project, old_key = self.projects[issue.project_id], issue.key
        issue.old_keys.append(old_key)
        issue.project_id, issue.key = project_id, self._next_key(project)
        key_item = _change("Key", None, old_key, None, issue.key)
        del key_item["fieldId"]
        items = [_change("project", old_project.id, old_project.name, project.id, project.name), key_item]
        self._write(issue, items)

    def touch(self, issue_id: int) -> None:
        """Comment on an issue: `updated` moves, the changelog stays."""
        self._write(self.issues[issue_id], [])

    def delete_issue(self, issue_id: int) -> None:
        """Delete an issue with its changelog and worklogs; the search may still find its id for a while.

        `worklog/deleted` is not told of these worklogs.
        """
        del self.issues[issue_id]
        for worklog_id in [log.id for log in self.worklogs.values() if log.issue_id == issue_id]:
            del self.worklogs[worklog_id]
        self._reindex(issue_id)

    def archive(self, issue_id: int) -> None:
        """Archive an issue: the search does not find it any more; `updated` stays."""
        self.issues[issue_id].is_archived = True
        self._reindex(issue_id)

    def find_issue(self, id_or_key: str) -> Issue | None:
        """Return an issue by its id, its key in any case, or a key that it had before it moved."""
        for issue in self.issues.values():
            if id_or_key.upper() in (str(issue.id), issue.key, *issue.old_keys):
                return None if self.projects[issue.project_id].is_hidden else issue
        return None

    def indexed_rows(self) -> dict[int, Mapping[str, Any]]:
        """Return the issues as the search sees them now, by id; hidden projects are none of the user's business."""
        now = self.moment()
        rows = {}
        for issue_id, versions in self.index.items():
            row = next((version.row for version in reversed(versions) if version.visible_at <= now), None)
            project = self.projects.get(row["project_id"]) if row else None
            if row and project and not project.is_hidden:
                rows[issue_id] = row
        return rows

    # ----------------------------------------------------------------------------------------------------- worklogs

    def add_worklog(
        self,
        issue_id: int,
        seconds: int = 3600,
        *,
        started: datetime | None = None,
        comment: str | None = None,
        group: str = "",
    ) -> int:
        """Log work on an issue, whose `updated` moves and whose changelog tells it; `group` is who alone sees it."""
        worklog_id, now = self._new_id(), self.moment()
        before = self.time_spent(issue_id)
        self.worklogs[worklog_id] = Worklog(
            worklog_id, issue_id, self.me, self.me, now, now, started or now, seconds, comment, group
        )
        self._write_time_spent(issue_id, before)
        return worklog_id

    def edit_worklog(self, worklog_id: int, seconds: int) -> None:
        """Change how long the work took."""
        worklog = self.worklogs[worklog_id]
        before = self.time_spent(worklog.issue_id)
        worklog.seconds, worklog.updated = seconds, self.moment()
        self._write_time_spent(worklog.issue_id, before)

    def delete_worklog(self, worklog_id: int) -> None:
        """Delete a worklog; `worklog/deleted` tells it."""
        issue_id = self.worklogs[worklog_id].issue_id
        before = self.time_spent(issue_id)
        del self.worklogs[worklog_id]
        self.removed_worklogs.append(Removed(worklog_id, self.moment()))
        self._write_time_spent(issue_id, before)

    def time_spent(self, issue_id: int) -> int | None:
        """Return the seconds that were spent on an issue; None if no work was logged."""
        seconds = [worklog.seconds for worklog in self.worklogs.values() if worklog.issue_id == issue_id]
        return sum(seconds) if seconds else None

    # ----------------------------------------------------------------------------------------------------- the rest

    def _write_time_spent(self, issue_id: int, before: int | None) -> None:
        self._write(self.issues[issue_id], [self._item("timespent", before, self.time_spent(issue_id))])

    def _write(self, issue: Issue, items: list[Json]) -> None:
        issue.updated = self.moment()
        if items:
            issue.histories.append(History(self._new_id(), issue.id, self.me, issue.updated, items))
        self._reindex(issue.id)

    def _item(self, name: str, before: Any, after: Any) -> Json:
        custom = self.custom_fields.get(name)
        item = _change(custom.name if custom else name, None, _text(before), None, _text(after), name)
        return {**item, "fieldtype": "custom"} if custom else item

    def _reindex(self, issue_id: int) -> None:
        issue = self.issues.get(issue_id)
        row = self._row(issue) if issue else None
        self.index.setdefault(issue_id, []).append(Indexed(self.moment() + self.search_delay, row))

    def _reindex_project(self, project_id: str) -> None:
        for issue in [issue for issue in self.issues.values() if issue.project_id == project_id]:
            self._reindex(issue.id)

    def _row(self, issue: Issue) -> Mapping[str, Any] | None:
        project, status = self.projects[issue.project_id], self.statuses[issue.status_id]
        if issue.is_archived or project.status != "live":
            return None
        kind = str(issue.values.get("issuetype", self.named("Task")))
        return {
            "number": issue.id,
            "project_id": project.id,
            "created": issue.created,
            "updated": issue.updated,
            "resolutiondate": issue.resolved,
            "id": {str(issue.id), issue.key.lower()},
            "key": {str(issue.id), issue.key.lower()},
            "project": {project.id, project.key.lower(), project.name.lower()},
            "status": {status.id, status.name.lower()},
            "statuscategory": {status.category, str(CATEGORY_IDS[status.category])},
            "issuetype": {kind.lower()},
            "labels": {label.lower() for label in issue.values.get("labels", ())},
            "assignee": {str(issue.values["assignee"]).lower()} if issue.values.get("assignee") else set(),
            "reporter": {str(issue.values["reporter"]).lower()},
        }

    def _next_key(self, project: Project) -> str:
        project.issues_made += 1
        return f"{project.key}-{project.issues_made}"

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id


def _change(
    name: str, before: str | None, old: str | None, after: str | None, new: str | None, field_id: str = ""
) -> Json:
    return {
        "field": name,
        "fieldtype": "jira",
        "fieldId": field_id or name,
        "from": before,
        "fromString": old,
        "to": after,
        "toString": new,
    }


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return " ".join(str(part) for part in value) if isinstance(value, list) else str(value)
