"""The issues, merge requests and pipelines of the stand-in GitLab, with all that GitLab tells about them.

Source of the fields: GitLab documentation, "Issues", "Merge requests" and "Pipelines" API.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

ENTERPRISE_ISSUE_FIELDS: Json = {
    "weight": None,
    "blocking_issues_count": 0,
    "epic_iid": None,
    "epic": None,
    "iteration": None,
    "health_status": None,
}
ENTERPRISE_MERGE_REQUEST_FIELDS: Json = {"approvals_before_merge": None}


@dataclass
class Item:
    """An issue, merge request or pipeline.

    Arguments:
        id: on the whole server.
        iid: within its project.
        created_at: aware, to the microsecond, as GitLab's database has it; its answers cut it to milliseconds.
        updated_at: as `created_at`; None for one that GitLab never noted a change of.
        fields: what differs from the defaults in GitLab's answers.
        commit_ids: the commits of a merge request, the latest first.
    """

    id: int
    iid: int
    created_at: datetime
    updated_at: datetime | None
    fields: Json = field(default_factory=dict)
    commit_ids: Sequence[str] = ()


class Items:
    """The issues, the merge requests or the pipelines of one project, as GitLab's database has them.

    Arguments:
        describe: gives the fields of an item in GitLab's answers.
        ids: gives the next id of the server.
        on_add: called with the time at which an item is added.
    """

    def __init__(
        self,
        describe: Callable[[Item], Json],
        ids: Iterator[int],
        on_add: Callable[[datetime], None] = lambda at: None,
    ) -> None:
        self._describe = describe
        self._ids = ids
        self._on_add = on_add
        self._items: dict[int, Item] = {}
        self._last_iid = 0

    def __iter__(self) -> Iterator[Item]:
        return iter(list(self._items.values()))

    def add(self, at: datetime, *, id: int = 0, commit_ids: Sequence[str] = (), **fields: Any) -> int:
        """Add one and return its id.

        Arguments:
            at: when it is created, and last updated unless `updated_at` is among the fields; aware.
            id: chosen by the server when left out.
            commit_ids: the commits of a merge request, the latest first.
            fields: of GitLab's answer; times as aware datetimes.
        """
        self._last_iid += 1
        updated_at = fields.pop("updated_at", at)
        item = Item(id or next(self._ids), self._last_iid, at, updated_at, fields, commit_ids)
        self._items[item.id] = item
        self._on_add(at)
        return item.id

    def update(self, id: int, at: datetime | None = None, **changes: Any) -> None:
        """Change one.

        Arguments:
            id: which.
            at: when; None for a change that GitLab does not note in `updated_at`.
            changes: to the fields of GitLab's answer, or `commit_ids`.
        """
        item = self._items[id]
        item.commit_ids = changes.pop("commit_ids", item.commit_ids)
        item.fields |= changes
        item.updated_at = at or item.updated_at

    def delete(self, id: int) -> None:
        """Delete one, of which GitLab then keeps no trace."""
        del self._items[id]

    def entity(self, item: Item) -> Json:
        """Return an item as GitLab answers it."""
        times = {"created_at": item.created_at, "updated_at": item.updated_at}
        found = self._describe(item) | item.fields | times
        return {name: timestamp(value) if isinstance(value, datetime) else value for name, value in found.items()}


def timestamp(moment: datetime) -> str:
    """Write a moment as GitLab does, cut to milliseconds: `2019-06-20T15:04:58.946Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def make_user(number: int) -> Json:
    """Return an invented user as GitLab shows it in other entities."""
    return {
        "id": number,
        "username": f"user{number}",
        "public_email": None,
        "name": f"User {number}",
        "state": "active",
        "locked": False,
        "avatar_url": None,
        "web_url": f"https://gitlab.example.com/user{number}",
    }


def make_milestone(number: int, at: datetime, *, group_id: int = 0, project_id: int = 0) -> Json:
    """Return a milestone as GitLab shows it in other entities: of a group or of a project, and so with one key."""
    owner = {"group_id": group_id} if group_id else {"project_id": project_id}
    return {
        "id": number,
        "iid": number,
        **owner,
        "title": f"Milestone {number}",
        "description": "",
        "state": "active",
        "created_at": timestamp(at),
        "updated_at": timestamp(at),
        "due_date": "2026-02-28",
        "start_date": None,
        "expired": False,
        "web_url": f"https://gitlab.example.com/milestones/{number}",
    }


def make_epic(number: int) -> Json:
    """Return an epic as GitLab's Enterprise Edition shows it in issues."""
    return {
        "id": number,
        "iid": number,
        "title": f"Epic {number}",
        "url": f"/groups/sandbox/-/epics/{number}",
        "group_id": 1,
        "human_readable_end_date": "Mar 31, 2026",
        "human_readable_timestamp": "45 days remaining",
    }


def describe_issue(item: Item, project_id: int, project_path: str, web_url: str, edition: str) -> Json:
    """Return the fields of an issue that nobody has touched."""
    assignees = item.fields.get("assignees", [])
    return {
        "id": item.id,
        "iid": item.iid,
        "project_id": project_id,
        "title": f"Issue {item.iid}",
        "description": None,
        "state": "opened",
        "created_at": None,
        "updated_at": None,
        "closed_at": None,
        "closed_by": None,
        "labels": [],
        "milestone": None,
        "assignees": [],
        "author": make_user(1),
        "type": "ISSUE",
        "assignee": assignees[0] if assignees else None,
        "user_notes_count": 0,
        "merge_requests_count": 0,
        "upvotes": 0,
        "downvotes": 0,
        "due_date": None,
        "confidential": False,
        "discussion_locked": None,
        "issue_type": "issue",
        "web_url": f"{web_url}/-/issues/{item.iid}",
        "time_stats": _time_stats(),
        "task_completion_status": {"count": 0, "completed_count": 0},
        "has_tasks": False,
        "_links": {"self": f"{web_url}/issues/{item.iid}", "closed_as_duplicate_of": None},
        "references": _references("#", item.iid, project_path),
        "severity": "UNKNOWN",
        "moved_to_id": None,
        "imported": False,
        "imported_from": "none",
        "service_desk_reply_to": None,
    } | (ENTERPRISE_ISSUE_FIELDS if edition == "ee" else {})


def describe_merge_request(item: Item, project_id: int, project_path: str, web_url: str, edition: str) -> Json:
    """Return the fields of a merge request that nobody has touched."""
    fields = item.fields
    assignees = fields.get("assignees", [])
    return {
        "id": item.id,
        "iid": item.iid,
        "project_id": project_id,
        "title": f"Merge request {item.iid}",
        "description": None,
        "state": "opened",
        "created_at": None,
        "updated_at": None,
        "merged_by": fields.get("merge_user"),
        "merge_user": None,
        "merged_at": None,
        "closed_by": None,
        "closed_at": None,
        "target_branch": "main",
        "source_branch": f"change-{item.iid}",
        "user_notes_count": 0,
        "upvotes": 0,
        "downvotes": 0,
        "author": make_user(1),
        "assignees": [],
        "assignee": assignees[0] if assignees else None,
        "reviewers": [],
        "source_project_id": project_id,
        "target_project_id": project_id,
        "labels": [],
        "draft": False,
        "imported": False,
        "imported_from": "none",
        "work_in_progress": fields.get("draft", False),
        "milestone": None,
        "merge_when_pipeline_succeeds": False,
        "merge_status": "unchecked",
        "detailed_merge_status": "mergeable",
        "merge_after": None,
        "sha": item.commit_ids[0] if item.commit_ids else None,
        "merge_commit_sha": None,
        "squash_commit_sha": None,
        "discussion_locked": None,
        "should_remove_source_branch": None,
        "force_remove_source_branch": None,
        "prepared_at": timestamp(item.created_at),
        "reference": f"!{item.iid}",
        "references": _references("!", item.iid, project_path),
        "web_url": f"{web_url}/-/merge_requests/{item.iid}",
        "time_stats": _time_stats(),
        "squash": False,
        "squash_on_merge": False,
        "task_completion_status": {"count": 0, "completed_count": 0},
        "has_conflicts": False,
        "blocking_discussions_resolved": True,
    } | (ENTERPRISE_MERGE_REQUEST_FIELDS if edition == "ee" else {})


def describe_pipeline(item: Item, project_id: int, web_url: str) -> Json:
    """Return the fields of a pipeline that was just created."""
    return {
        "id": item.id,
        "iid": item.iid,
        "project_id": project_id,
        "sha": "0" * 40,
        "ref": "main",
        "status": "created",
        "source": "push",
        "created_at": None,
        "updated_at": None,
        "web_url": f"{web_url}/-/pipelines/{item.id}",
        "name": None,
    }


def _references(sign: str, iid: int, project_path: str) -> Json:
    return {"short": f"{sign}{iid}", "relative": f"{sign}{iid}", "full": f"{project_path}{sign}{iid}"}


def _time_stats() -> Json:
    return {
        "time_estimate": 0,
        "total_time_spent": 0,
        "human_time_estimate": None,
        "human_total_time_spent": None,
    }
