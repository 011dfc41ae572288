"""Jira's objects as records of one level, named as in the load tables.

Source: Jira Cloud platform REST API v3; Jira Software Cloud REST API.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from wherescape.api_response import Record
from wherescape.connectors.jira.jira_adf import rich_text
from wherescape.connectors.jira.jira_fields import Field
from wherescape.connectors.jira.jira_time import StatusChange, first_in_progress, moment

PERSONS = ("assignee", "reporter", "creator")
ISSUE_FIELDS = (
    *("issuetype", "project", "timespent", "resolutiondate", "created", "priority", "updated", "status"),
    *("timeoriginalestimate", "duedate", "resolution", "summary", "description", "environment", "parent"),
    *(*PERSONS, "labels", "components", "fixVersions", "versions", "timeestimate", "aggregatetimespent"),
    *("aggregatetimeoriginalestimate", "aggregatetimeestimate", "statuscategorychangedate"),
)
AS_THEY_ARE = (
    *("timespent", "resolutiondate", "created", "updated", "timeoriginalestimate", "duedate", "summary", "labels"),
    *("timeestimate", "aggregatetimespent", "aggregatetimeoriginalestimate", "aggregatetimeestimate"),
    "statuscategorychangedate",
)


def flat_project(project: Record, *, is_archived: bool) -> Record:
    """Return a project of a list of archived ones, or of the others."""
    same = ("self", "id", "key", "name", "simplified", "style", "uuid", "description", "url")
    return {
        **{name: project.get(name) for name in same},
        "projecttypekey": project.get("projectTypeKey"),
        "isprivate": project.get("isPrivate"),
        "entityid": project.get("entityId"),
        "projectcategory_id": inner(project, "projectCategory", "id"),
        "projectcategory_name": inner(project, "projectCategory", "name"),
        "archived": bool(project.get("archived", is_archived)),
        **_person("lead", project.get("lead")),
    }


def flat_issue(issue: Record, fields: Sequence[Field] = (), *, with_adf: bool = False) -> Record:
    """Return an issue with the chosen fields behind those that every load has."""
    values: Record = issue["fields"]
    record = {"id": issue["id"], "key": issue.get("key"), **{name: values.get(name) for name in AS_THEY_ARE}}
    for name, parts in {
        "issuetype": ("id", "description", "name", "subtask"),
        "project": ("id", "name", "key"),
        "priority": ("name", "id"),
        "status": ("name", "id"),
        "parent": ("id", "key"),
    }.items():
        record |= {f"{name}_{part}": inner(values, name, part) for part in parts}
    for part in ("id", "key", "name"):
        record[f"status_statuscategory_{part}"] = inner(values, "status", "statusCategory", part)
    for name in PERSONS:
        record |= _person(name, values.get(name))
    for name in ("components", "fixVersions", "versions"):
        record[name.lower()] = _named(values.get(name))
    for name in ("description", "environment"):
        record |= rich_text(name, values.get(name), with_adf=with_adf)
    for field in fields:
        record |= field.record(values.get(field.id), with_adf=with_adf)
    return record | {
        "issuetype_hierarchylevel": inner(values, "issuetype", "hierarchyLevel"),
        "resolution": inner(values, "resolution", "name"),
        "resolution_id": inner(values, "resolution", "id"),
    }


def in_progress(issue: Record, changes: Sequence[StatusChange], categories: Mapping[str, Any]) -> datetime | None:
    """Return when an issue first was in progress; see `first_in_progress`."""
    created = moment(issue["fields"].get("created"))
    status_id = str(inner(issue["fields"], "status", "id"))
    return first_in_progress(created, status_id, changes, categories) if created else None


def flat_history(issue_id: str, history: Record, persons: Collection[str] = ()) -> Iterator[Record]:
    """Yield a record for each field that an edit changed.

    Arguments:
        issue_id: the issue's id.
        history: the edit.
        persons: names and ids of fields that hold persons, whose names are left out.
    """
    edit = {
        "issue_id": issue_id,
        "history_id": history["id"],
        "created": moment(history.get("created")),
        **_person("author", history.get("author")),
    }
    for position, item in enumerate(history.get("items") or ()):
        is_person = item.get("fieldId") in persons or item.get("field") in persons
        yield edit | {
            "position": position,
            "field": item.get("field"),
            "fieldid": item.get("fieldId"),
            "fieldtype": item.get("fieldtype"),
            "from_value": item.get("from"),
            "from_string": None if is_person else item.get("fromString"),
            "to_value": item.get("to"),
            "to_string": None if is_person else item.get("toString"),
        }


def flat_worklog(worklog: Record, *, with_adf: bool = False) -> Record:
    """Return a worklog."""
    return {
        **{name: worklog.get(name) for name in ("id", "created", "updated", "started")},
        "issue_id": worklog.get("issueId"),
        **_person("author", worklog.get("author")),
        **_person("updateauthor", worklog.get("updateAuthor")),
        "timespentseconds": worklog.get("timeSpentSeconds"),
        "timespent": worklog.get("timeSpent"),
        **rich_text("comment", worklog.get("comment"), with_adf=with_adf),
        "visibility_type": inner(worklog, "visibility", "type"),
        "visibility_value": inner(worklog, "visibility", "value"),
    }


def flat_board(board: Record) -> Record:
    """Return a board."""
    parts = ("projectId", "projectKey", "projectName", "projectTypeKey")
    return {
        **{name: board.get(name) for name in ("id", "name", "type")},
        "isprivate": board.get("isPrivate"),
        **{f"location_{part.lower()}": inner(board, "location", part) for part in parts},
    }


def flat_sprint(sprint: Record) -> Record:
    """Return a sprint."""
    dates = ("startDate", "endDate", "completeDate", "createdDate", "originBoardId")
    return {
        **{name: sprint.get(name) for name in ("id", "name", "state", "goal")},
        **{name.lower(): sprint.get(name) for name in dates},
    }


def flat_user(user: Record) -> Record:
    """Return a user, without what the profile hides."""
    names = ("accountId", "accountType", "displayName", "emailAddress", "active", "timeZone", "locale")
    # A user who hides the address has an empty one.
    return {name.lower(): None if user.get(name) == "" else user.get(name) for name in names}


def _person(name: str, person: object) -> Record:
    return {f"{name}_accountid": inner(person, "accountId"), f"{name}_displayname": inner(person, "displayName")}


def _named(items: object) -> Any:
    """Return a list of components or versions with no more than id and name."""
    if not isinstance(items, list):
        return items
    return [{"id": inner(item, "id"), "name": inner(item, "name")} for item in items]


def inner(value: object, *names: str) -> Any:
    """Return what the names lead to; None as soon as there is nothing."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
