"""Jira's load tables, declared once for their metadata, their load and the README.

Source of the fields: Jira Cloud platform REST API v3, "Projects", "Issues", "Issue worklogs" and "Users"; Jira
Software Cloud REST API, "Board" and "Sprint".
"""

from collections.abc import Sequence
from dataclasses import replace

from wherescape.connectors.jira.jira_fields import Field
from wherescape.errors import DeclarationError
from wherescape.helper_functions import create_column_names
from wherescape.tables import Column, Table

PROJECTS = Table(
    kind="project",
    record_source="Jira api - project",
    key=("id",),
    columns=(
        Column("self", "text", comment="Address of the project in the API."),
        Column("id", "numeric", comment="Project id; stays when the project is renamed."),
        Column("key", "text", comment="Key, which its issues' keys begin with."),
        Column("name", "text", comment="Name."),
        Column("projecttypekey", "text", "Project type key", "software, service_desk or business."),
        Column("simplified", "boolean", comment="Whether the project is team-managed."),
        Column("style", "text", comment="classic (company-managed) or next-gen (team-managed)."),
        Column("isprivate", "boolean", "Is private", "Whether only its members see the project; null if not told."),
        Column("entityid", "text", "Entity id", "Internal id of a team-managed project; null for others."),
        Column("uuid", "text", "UUID", "Internal id of a team-managed project; null for others."),
        Column("description", "text", comment="Description."),
        Column("url", "text", "URL", "Address with more on the project, as its lead entered it."),
        Column("lead_accountid", "text", "Lead account id", "Project lead: account id."),
        Column("lead_displayname", "text", "Lead display name", "Project lead: name."),
        Column("projectcategory_id", "numeric", "Project category id", "Category of the project: id."),
        Column("projectcategory_name", "text", "Project category name", "Category of the project: name."),
        Column("archived", "boolean", comment="Whether the project is archived; see the argument `archived`."),
    ),
)

ISSUES = Table(
    kind="issue",
    record_source="Jira api - issue",
    key=("id",),
    mark_column="updated",
    columns=(
        Column("id", "numeric", comment="Issue id; stays when the issue is moved."),
        Column("key", "text", comment="Key; changes when the issue is moved to another project."),
        Column("issuetype_id", "numeric", "Issue type id", "Issue type: id."),
        Column("issuetype_description", "text", "Issue type description", "Issue type: description."),
        Column("issuetype_name", "text", "Issue type name", "Issue type: name in the API user's language."),
        Column("project_id", "numeric", comment="Project of the issue: id."),
        Column("project_name", "text", comment="Project of the issue: name."),
        Column("timespent", "numeric", "Time spent", "Logged time, in seconds."),
        Column("resolutiondate", "timestamp", "Resolution date", "When the issue was resolved, UTC."),
        Column("created", "timestamp", comment="When the issue was created, UTC."),
        Column("priority_name", "text", comment="Priority: name in the API user's language."),
        Column("priority_id", "numeric", comment="Priority: id."),
        Column("updated", "timestamp", comment="When the issue was last changed, UTC."),
        Column("status_name", "text", comment="Status: name in the API user's language."),
        Column("status_id", "numeric", comment="Status: id."),
        Column("status_statuscategory_id", "numeric", "Status category id", "Category of the status: id."),
        Column(
            "status_statuscategory_key",
            "text",
            "Status category key",
            "Category of the status: new, indeterminate or done; the same in every language.",
        ),
        Column(
            "status_statuscategory_name",
            "text",
            "Status category name",
            "Category of the status: name in the API user's language.",
        ),
        Column("timeoriginalestimate", "numeric", "Original time estimate", "First estimate, in seconds."),
        Column("duedate", "timestamp", "Due date", "Date on which the issue is due, at midnight."),
        Column("resolution", "text", comment="Resolution: name in the API user's language; null while unresolved."),
        Column(
            "status_in_progress_date",
            "timestamp",
            comment="When the issue first entered a status of the category indeterminate (in progress), UTC.",
        ),
        Column("resolution_id", "numeric", comment="Resolution: id."),
        Column("summary", "text", comment="Title."),
        Column("description", "text", comment="Description, as plain text."),
        Column("environment", "text", comment="Environment, as plain text."),
        Column("project_key", "text", comment="Project of the issue: key."),
        Column("parent_id", "numeric", comment="Parent, such as the epic or the task of a subtask: id."),
        Column("parent_key", "text", comment="Parent: key."),
        Column("issuetype_subtask", "boolean", "Issue type is subtask", "Whether the issue is a subtask."),
        Column("issuetype_hierarchylevel", "numeric", "Issue type hierarchy level", "-1 subtask, 0 task, 1 epic."),
        Column("assignee_accountid", "text", "Assignee account id", "Assignee: account id; null if unassigned."),
        Column("assignee_displayname", "text", "Assignee display name", "Assignee: name."),
        Column("reporter_accountid", "text", "Reporter account id", "Reporter: account id."),
        Column("reporter_displayname", "text", "Reporter display name", "Reporter: name."),
        Column("creator_accountid", "text", "Creator account id", "Who created the issue: account id."),
        Column("creator_displayname", "text", "Creator display name", "Who created the issue: name."),
        Column("labels", "json", comment="Labels: a list of texts."),
        Column("components", "json", comment="Components: a list of id and name."),
        Column("fixversions", "json", "Fix versions", "Versions that fix the issue: a list of id and name."),
        Column("versions", "json", "Affected versions", "Versions with the issue: a list of id and name."),
        Column("timeestimate", "numeric", "Remaining time estimate", "Remaining estimate, in seconds."),
        Column("aggregatetimespent", "numeric", "Total time spent", "Logged time with that of subtasks, in seconds."),
        Column(
            "aggregatetimeoriginalestimate",
            "numeric",
            "Total original time estimate",
            "First estimate with that of subtasks, in seconds.",
        ),
        Column(
            "aggregatetimeestimate",
            "numeric",
            "Total remaining time estimate",
            "Remaining estimate with that of subtasks, in seconds.",
        ),
        Column(
            "statuscategorychangedate",
            "timestamp",
            "Status category change date",
            "When the category of the status last changed, UTC.",
        ),
    ),
)

CHANGES = Table(
    kind="changelog",
    record_source="Jira api - changelog",
    key=("issue_id", "history_id", "position"),
    columns=(
        Column("issue_id", "numeric", comment="Issue that was changed: id."),
        Column("history_id", "numeric", comment="Id of the edit; one edit may change several fields."),
        Column("position", "integer", comment="Place of the field in the edit, from 0."),
        Column("created", "timestamp", comment="When the change was made, UTC."),
        Column("author_accountid", "text", "Author account id", "Who made the change: account id; null if unknown."),
        Column("author_displayname", "text", "Author display name", "Who made the change: name."),
        Column("field", "text", comment="Changed field: name."),
        Column("fieldid", "text", "Field id", "Changed field: id; null for some, such as Link and Rank."),
        Column("fieldtype", "text", "Field type", "jira or custom."),
        Column("from_value", "text", comment="Value before: id, account id or the like; null if there is none."),
        Column("from_string", "text", comment="Value before, as shown at the time of the change."),
        Column("to_value", "text", comment="Value after: id, account id or the like; null if there is none."),
        Column("to_string", "text", comment="Value after, as shown at the time of the change."),
    ),
)

WORKLOGS = Table(
    kind="worklog",
    record_source="Jira api - worklog",
    key=("id",),
    mark_column="updated",
    columns=(
        Column("id", "numeric", comment="Worklog id."),
        Column("issue_id", "numeric", comment="Issue of the worklog: id."),
        Column("author_accountid", "text", "Author account id", "Who worked: account id; null if unknown."),
        Column("author_displayname", "text", "Author display name", "Who worked: name."),
        Column("updateauthor_accountid", "text", "Update author account id", "Who last changed it: account id."),
        Column("updateauthor_displayname", "text", "Update author display name", "Who last changed it: name."),
        Column("created", "timestamp", comment="When the worklog was written, UTC."),
        Column("updated", "timestamp", comment="When the worklog was last changed, UTC."),
        Column("started", "timestamp", comment="When the work began, UTC."),
        Column("timespentseconds", "numeric", "Time spent in seconds", "How long it took, in seconds."),
        Column("timespent", "text", "Time spent", "How long it took, as Jira shows it: 3h 20m."),
        Column("comment", "text", comment="Comment, as plain text."),
        Column("visibility_type", "text", comment="group or role, if only one sees the worklog."),
        Column("visibility_value", "text", comment="Name of that group or role."),
    ),
)

DELETED_WORKLOGS = Table(
    kind="worklog_deleted",
    record_source="Jira api - worklog_deleted",
    key=("id",),
    mark_column="deleted",
    columns=(
        Column("id", "numeric", comment="Id of a worklog that was deleted."),
        Column("deleted", "timestamp", comment="When it was deleted, UTC."),
    ),
)

BOARDS = Table(
    kind="board",
    record_source="Jira api - board",
    key=("id",),
    columns=(
        Column("id", "numeric", comment="Board id."),
        Column("name", "text", comment="Name."),
        Column("type", "text", comment="scrum, kanban or simple (team-managed)."),
        Column("isprivate", "boolean", "Is private", "Whether only some see the board; null if not told."),
        Column("location_projectid", "numeric", "Project id", "Project of the board: id; null for a person's board."),
        Column("location_projectkey", "text", "Project key", "Project of the board: key."),
        Column("location_projectname", "text", "Project name", "Project of the board: name."),
        Column("location_projecttypekey", "text", "Project type key", "Project of the board: type."),
    ),
)

SPRINTS = Table(
    kind="sprint",
    record_source="Jira api - sprint",
    key=("id",),
    columns=(
        Column("id", "numeric", comment="Sprint id."),
        Column("name", "text", comment="Name."),
        Column("state", "text", comment="future, active or closed."),
        Column("startdate", "timestamp", "Start date", "When it started, or is planned to, UTC."),
        Column("enddate", "timestamp", "End date", "When it is planned to end, UTC."),
        Column("completedate", "timestamp", "Complete date", "When it was closed, UTC."),
        Column("createddate", "timestamp", "Created date", "When it was made, UTC."),
        Column("originboardid", "numeric", "Origin board id", "Board on which it was made; others may show it too."),
        Column("goal", "text", comment="Goal."),
    ),
)

USERS = Table(
    kind="user",
    record_source="Jira api - user",
    key=("accountid",),
    columns=(
        Column("accountid", "text", "Account id", "Account id, the same in all Atlassian products."),
        Column("accounttype", "text", "Account type", "atlassian, app or customer."),
        Column("displayname", "text", "Display name", "Name, as the user allows it to be shown."),
        Column("emailaddress", "text", "E-mail address", "E-mail address; null where the user does not show it."),
        Column("active", "boolean", comment="Whether the account is active."),
        Column("timezone", "text", "Time zone", "Time zone; null where the user does not show it."),
        Column("locale", "text", comment="Language; null where the user does not show it."),
    ),
)

TABLES = (PROJECTS, ISSUES, CHANGES, WORKLOGS, DELETED_WORKLOGS, SPRINTS, BOARDS, USERS)

"""The tables that are loaded from a high-water mark on."""

RICH_TEXTS = {ISSUES.kind: ("description", "environment"), WORKLOGS.kind: ("comment",)}
"""The columns that hold the text of a document."""

PERSON_SUFFIXES = ("displayname", "emailaddress")
"""What the names of columns end with that tell who a person is; account ids stay."""


def extended(table: Table, fields: Sequence[Field] = (), *, with_adf: bool = False) -> Table:
    """Return a declaration with the columns that a user has chosen, behind those that every load has.

    A load table must have the chosen ones: one that lacks them was made before a field was renamed, say.

    Arguments:
        table: one of `TABLES`.
        fields: what Jira tells about the chosen fields; for issues only.
        with_adf: add the documents behind rich texts (Atlassian Document Format) as JSON.

    Raises:
        DeclarationError: fields are chosen for another table than that of issues, or the table has no rich text.
    """
    if fields and table.kind != ISSUES.kind:
        raise DeclarationError(f"Custom fields go with {ISSUES.kind} only, not with {table.kind}. Leave them out.")
    if with_adf and table.kind not in RICH_TEXTS:
        raise DeclarationError(
            f"with_adf goes with {', '.join(RICH_TEXTS)} only, not with {table.kind}. Leave it out."
        )
    columns = list(table.columns)
    if with_adf:
        columns += [
            Column(f"{name}_adf", "json", comment=f"{name.capitalize()}: the document with its formatting.")
            for name in RICH_TEXTS[table.kind]
        ]
    wanted = [part for field in fields for part in field.parts(with_adf=with_adf)]
    names = create_column_names([column.name for column in columns] + [part.name for part in wanted])
    for name, part in zip(names[len(columns) :], wanted, strict=True):
        columns.append(Column(name, part.data_type, part.name, part.comment, source=part.source))
    chosen = tuple(column.name for column in columns[len(table.columns) :])
    return replace(table, columns=tuple(columns), required=chosen)
