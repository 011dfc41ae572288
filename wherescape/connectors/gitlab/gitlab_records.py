"""Makes one flat record of what GitLab nests: `milestone_title`, `author_username`.

What GitLab leaves out for good reason (for want of a release, of a licence, of a right, on an older server) is None. A
field that is still missing then means that the API has changed.
"""

from collections.abc import Sequence

from wherescape.api_response import Json, Record

COMMIT_FIELDS = (
    *("id", "short_id", "title", "message", "created_at", "web_url", "authored_date", "committed_date"),
    *("author_name", "author_email", "committer_name", "committer_email", "parent_ids"),
)
MILESTONE_FIELDS = (
    *("id", "iid", "group_id", "project_id", "title", "description", "state", "created_at", "updated_at"),
    *("due_date", "start_date", "expired", "web_url"),
)
USER_FIELDS = ("id", "username", "name")
LISTS_OF_PERSONS = ("assignees", "reviewers")
EPIC_FIELDS = ("iid", "id", "title", "url", "group_id", "human_readable_end_date", "human_readable_timestamp")
TIME_FIELDS = ("time_estimate", "total_time_spent", "human_time_estimate", "human_total_time_spent")
REFERENCE_FIELDS = ("short", "relative", "full")
TASK_FIELDS = ("count", "completed_count")

OPTIONAL_OF_A_PROJECT = (
    *("default_branch", "readme_url", "updated_at", "empty_repo", "creator_id", "open_issues_count", "topics"),
)
OPTIONAL_OF_A_COMMIT = ("authored_date", "committed_date", "parent_ids", "web_url")
OPTIONAL_OF_AN_ISSUE = (
    *("type", "weight", "blocking_issues_count", "has_tasks", "moved_to_id", "service_desk_reply_to", "epic_iid"),
    *("severity", "health_status", "discussion_locked", "issue_type", "merge_requests_count"),
)
OPTIONAL_OF_A_MERGE_REQUEST = (
    *("draft", "work_in_progress", "squash_commit_sha", "detailed_merge_status", "prepared_at", "discussion_locked"),
    *("reviewers", "squash"),
)


def project_record(project: Record) -> Record:
    """Make a record of a project (GitLab, "Projects API")."""
    return dict.fromkeys(OPTIONAL_OF_A_PROJECT) | _flat(
        project, namespace=("id", "name", "path", "kind", "full_path"), forked_from_project=("id",)
    )


def issue_record(issue: Record) -> Record:
    """Make a record of an issue (GitLab, "Issues API")."""
    record = dict.fromkeys(OPTIONAL_OF_AN_ISSUE) | _flat(
        issue,
        milestone=MILESTONE_FIELDS,
        author=USER_FIELDS,
        closed_by=USER_FIELDS,
        epic=EPIC_FIELDS,
        iteration=("id", "title"),
        time_stats=TIME_FIELDS,
        references=REFERENCE_FIELDS,
        task_completion_status=TASK_FIELDS,
    )
    # An older field of GitLab has the name that the epic's number gets here.
    if record["epic_iid"] is None:
        record["epic_iid"] = issue.get("epic_iid")
    record["assignees"] = _people(issue.get("assignees"))
    return record


def merge_request_record(merge_request: Record) -> Record:
    """Make a record of a merge request (GitLab, "Merge requests API")."""
    # Before GitLab 14.7 it was `merged_by`.
    merge_user = merge_request.get("merge_user") or merge_request.get("merged_by")
    record = dict.fromkeys(OPTIONAL_OF_A_MERGE_REQUEST) | _flat(
        {**merge_request, "merge_user": merge_user},
        milestone=MILESTONE_FIELDS,
        author=USER_FIELDS,
        merge_user=USER_FIELDS,
        closed_by=USER_FIELDS,
        time_stats=TIME_FIELDS,
        references=REFERENCE_FIELDS,
        task_completion_status=TASK_FIELDS,
    )
    record["assignees"] = _people(merge_request.get("assignees"))
    record["reviewers"] = _people(merge_request.get("reviewers"))
    return record


def pipeline_record(pipeline: Record) -> Record:
    """Make a record of a pipeline (GitLab, "Pipelines API")."""
    return {"name": None, **pipeline}


def commit_record(commit: Record, **parents: Json) -> Record:
    """Make a record of a commit (GitLab, "Commits API").

    Arguments:
        commit: GitLab's own.
        parents: what it belongs to, such as `project_id`.
    """
    return {**dict.fromkeys(OPTIONAL_OF_A_COMMIT), **commit, **parents}


def branch_record(branch: Record, project_id: Json) -> Record:
    """Make a record of a branch (GitLab, "Branches API")."""
    return {**_flat(branch, commit=COMMIT_FIELDS), "project_id": project_id}


def tag_record(tag: Record, project_id: Json) -> Record:
    """Make a record of a tag (GitLab, "Tags API")."""
    record = {"created_at": None, **_flat(tag, commit=COMMIT_FIELDS, release=("tag_name", "description"))}
    parents: list[str] = record["commit_parent_ids"] or []
    first, second, *_ = [*parents, None, None]
    return {**record, "commit_parent_ids_0": first, "commit_parent_ids_1": second, "project_id": project_id}


def without_names(record: Record) -> Record:
    """Return a record whose lists of persons have their ids alone."""
    lists = {name: record[name] for name in LISTS_OF_PERSONS if record.get(name)}
    return record | {name: [{"id": person["id"]} for person in persons] for name, persons in lists.items()}


def _flat(record: Record, **nested: Sequence[str]) -> Record:
    """Bring nested objects, given with their fields, to the level of the record; a null becomes a null of each."""
    flat = {name: value for name, value in record.items() if name not in nested}
    for name, fields in nested.items():
        inner = record.get(name) or {}
        flat |= {f"{name}_{field}": inner.get(field) for field in fields}
    return flat


def _people(users: Sequence[Record] | None) -> list[Record] | None:
    return None if users is None else [{field: user.get(field) for field in USER_FIELDS} for user in users]
