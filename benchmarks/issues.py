"""GitLab issues as its API gives them, and the load table of 50 columns that they fill.

Source of the fields: GitLab documentation, "Issues API".
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from wherescape import Column, Table

PAGE_SIZE = 100
NESTED = ("author", "closed_by", "milestone", "time_stats", "task_completion_status", "references")
NUMERIC = (
    *("id", "iid", "project_id", "user_notes_count", "merge_requests_count", "upvotes", "downvotes", "weight"),
    *("blocking_issues_count", "moved_to_id", "author_id", "closed_by_id", "milestone_id", "milestone_iid"),
    *("time_stats_time_estimate", "time_stats_total_time_spent"),
    *("task_completion_status_count", "task_completion_status_completed_count"),
)
TEXT = (
    *("title", "description", "state", "type", "issue_type", "severity", "task_status", "web_url"),
    *("service_desk_reply_to", "author_username", "author_name", "closed_by_username", "milestone_title"),
    *("milestone_state", "milestone_web_url", "time_stats_human_time_estimate", "time_stats_human_total_time_spent"),
    *("references_short", "references_relative", "references_full"),
)
BOOLEAN = ("confidential", "discussion_locked", "has_tasks", "imported")
TIMESTAMP = ("created_at", "updated_at", "closed_at")
DATE = ("due_date", "milestone_due_date", "milestone_start_date")
JSON = ("labels", "assignees")

TABLE = Table(
    kind="issue",
    record_source="benchmark",
    key=("id",),
    columns=(
        *(Column(name, "numeric") for name in NUMERIC),
        *(Column(name, "text") for name in TEXT),
        *(Column(name, "boolean") for name in BOOLEAN),
        *(Column(name, "timestamp") for name in TIMESTAMP),
        *(Column(name, "date") for name in DATE),
        *(Column(name, "json") for name in JSON),
    ),
)

HOST = "https://gitlab.example.com"
NAMES = ("Zoë Müller", "Anne O'Brien", "José Ibáñez", "李小龍", "Ann Smith")
DESCRIPTION = (
    '### Steps\n\n1. Open the *page*\n2. Press "save"\n\nExpected: `saved`; instead: C:\\temp is full – 😀.\n\n'
)


def flatten(issue: dict[str, Any]) -> dict[str, Any]:
    """Bring an issue's nested objects to its own level: `author_id`."""
    flat = {name: value for name, value in issue.items() if name not in NESTED}
    for outer in NESTED:
        for name, value in (issue[outer] or {}).items():
            flat[f"{outer}_{name}"] = value
    return flat


def row(issue: dict[str, Any]) -> tuple[Any, ...]:
    """Return an issue as a row in the order of the columns, with JSON as its text."""
    flat = flatten(issue)
    values = (flat.get(column.name) for column in TABLE.columns)
    return tuple(
        json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value for value in values
    )


def page(number: int) -> list[dict[str, Any]]:
    """Return a page of a hundred issues, as the API gives them; pages are counted from 1."""
    return [issue(n) for n in range((number - 1) * PAGE_SIZE, number * PAGE_SIZE)]


def issue(n: int) -> dict[str, Any]:
    """Return the n-th issue, as the API gives it."""
    project, iid, is_closed = n % 40, n // 40 + 1, n % 3 > 0
    created = datetime(2019, 6, 20, 15, 4, 58, 946000, UTC) + timedelta(seconds=997 * n)
    return {
        "id": 76_000_000 + n,
        "iid": iid,
        "project_id": 1_000 + project,
        "title": f'The page of item {n} is slow – and "save" does nothing',
        "description": None if n % 11 == 0 else DESCRIPTION * (1 + n % 8),
        "state": "closed" if is_closed else "opened",
        "created_at": _moment(created),
        "updated_at": _moment(created + timedelta(hours=n % 900)),
        "closed_at": _moment(created + timedelta(hours=n % 900)) if is_closed else None,
        "closed_by": _user(n + 1) if is_closed else None,
        "labels": ["bug", f"team::{n % 12}"] if n % 2 else [],
        "milestone": _milestone(n) if n % 4 else None,
        "assignees": [_user(n + 2)] if n % 5 else [],
        "author": _user(n),
        "type": "ISSUE",
        "assignee": _user(n + 2) if n % 5 else None,
        "user_notes_count": n % 30,
        "merge_requests_count": n % 3,
        "upvotes": n % 7,
        "downvotes": 0,
        "due_date": f"2026-{n % 12 + 1:02}-{n % 28 + 1:02}" if n % 3 == 0 else None,
        "confidential": n % 50 == 0,
        "discussion_locked": None if n % 9 else True,
        "issue_type": "issue",
        "web_url": f"{HOST}/group/project-{project}/-/issues/{iid}",
        "time_stats": {
            "time_estimate": 3_600 * (n % 9),
            "total_time_spent": 900 * (n % 20),
            "human_time_estimate": f"{n % 9}h" if n % 9 else None,
            "human_total_time_spent": f"{n % 20 * 15}m" if n % 20 else None,
        },
        "task_completion_status": {"count": n % 6, "completed_count": n % 6 // 2},
        "weight": n % 8 if n % 2 else None,
        "blocking_issues_count": 0,
        "has_tasks": n % 6 > 0,
        "task_status": f"{n % 6 // 2} of {n % 6} checklist items completed",
        "_links": {
            "self": f"{HOST}/api/v4/projects/{project}/issues/{iid}",
            "notes": f"{HOST}/api/v4/projects/{project}/issues/{iid}/notes",
            "award_emoji": f"{HOST}/api/v4/projects/{project}/issues/{iid}/award_emoji",
            "project": f"{HOST}/api/v4/projects/{project}",
            "closed_as_duplicate_of": None,
        },
        "references": {
            "short": f"#{iid}",
            "relative": f"project-{project}#{iid}",
            "full": f"group/project-{project}#{iid}",
        },
        "severity": "UNKNOWN",
        "moved_to_id": None,
        "imported": False,
        "imported_from": "none",
        "service_desk_reply_to": None,
    }


def _user(n: int) -> dict[str, Any]:
    n %= 300
    return {
        "id": n,
        "username": f"user.{n}",
        "name": NAMES[n % len(NAMES)],
        "state": "active",
        "avatar_url": f"{HOST}/uploads/-/system/user/avatar/{n}/avatar.png",
        "web_url": f"{HOST}/user.{n}",
    }


def _milestone(n: int) -> dict[str, Any]:
    n %= 20
    return {
        "id": 700 + n,
        "iid": n,
        "group_id": 9,
        "title": f"v4.{n}",
        "description": "Ready for the übergabe.",
        "state": "active",
        "created_at": "2026-01-04T15:31:39.996Z",
        "updated_at": "2026-01-04T15:31:39.996Z",
        "due_date": "2026-06-30",
        "start_date": "2026-01-01",
        "expired": False,
        "web_url": f"{HOST}/groups/group/-/milestones/{n}",
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
