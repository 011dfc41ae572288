"""GitLab's load tables, declared once for their metadata, their load and the README.

The first columns of each are those of an older library, in its order; what came later follows them.

Source of the fields: GitLab documentation, "Projects", "Issues", "Merge requests", "Pipelines", "Commits", "Branches"
and "Tags" API.
"""

from wherescape.tables import Column, Table


def _person(name: str, who: str) -> tuple[Column, ...]:
    return (
        Column(f"{name}_id", "numeric", comment=f"{who}: user id."),
        Column(f"{name}_username", "text", comment=f"{who}: user name."),
        Column(f"{name}_name", "text", comment=f"{who}: full name."),
    )


_TEXT_AND_TIME_OF_A_MILESTONE = (
    Column("milestone_title", "text", comment="Milestone: title."),
    Column("milestone_description", "text", comment="Milestone: description."),
    Column("milestone_state", "text", comment="Milestone: active or closed."),
    Column("milestone_created_at", "timestamp", comment="Milestone: when it was created, UTC."),
    Column("milestone_updated_at", "timestamp", comment="Milestone: when it last changed, UTC."),
    Column("milestone_due_date", "timestamp", comment="Milestone: day on which it is due, at midnight."),
    Column("milestone_start_date", "timestamp", comment="Milestone: first day, at midnight."),
)

_AUTHORS_OF_A_COMMIT = (
    Column("author_name", "text", comment="Author's name."),
    Column("author_email", "text", comment="Author's e-mail."),
    Column("authored_date", "timestamp", comment="When it was written, UTC."),
    Column("committer_name", "text", comment="Committer's name."),
    Column("committer_email", "text", comment="Committer's e-mail."),
    Column("parent_ids", "json", comment="SHAs of the parents, a list."),
    Column("web_url", "text", display_name="Web URL", comment="Page of the commit."),
)

PROJECTS = Table(
    kind="project",
    record_source="gitlab api - project",
    key=("id",),
    columns=(
        Column("id", "numeric", comment="Project id; stays when the project is renamed or moved."),
        Column("description", "text", comment="Description."),
        Column("name", "text", comment="Name."),
        Column("name_with_namespace", "text", comment="Name with the names of its groups."),
        Column("path", "text", comment="Name in URLs."),
        Column("path_with_namespace", "text", comment="Full path in URLs."),
        Column("created_at", "timestamp", comment="When the project was created, UTC."),
        Column("default_branch", "text", comment="Default branch; null if the repository is empty or not readable."),
        Column("ssh_url_to_repo", "text", display_name="SSH URL to repo", comment="Clone address for SSH."),
        Column("http_url_to_repo", "text", display_name="HTTP URL to repo", comment="Clone address for HTTP."),
        Column("web_url", "text", display_name="Web URL", comment="Page of the project."),
        Column("readme_url", "text", display_name="Readme URL", comment="Page of the readme; null without one."),
        Column("avatar_url", "text", display_name="Avatar URL", comment="Picture; null without one."),
        Column("forks_count", "numeric", comment="Number of forks."),
        Column("star_count", "numeric", comment="Number of stars."),
        Column("last_activity_at", "timestamp", comment="Last activity, UTC; GitLab updates it once an hour at most."),
        Column("updated_at", "timestamp", comment="Last change of the project itself, UTC; null on older servers."),
        Column("visibility", "text", comment="private, internal or public."),
        Column("archived", "boolean", comment="Whether it is archived."),
        Column("empty_repo", "boolean", comment="Whether the repository has no commit; null if it is not readable."),
        Column("topics", "json", comment="Topics, a list of texts."),
        Column("creator_id", "numeric", comment="User who created it."),
        Column("open_issues_count", "numeric", comment="Number of open issues; null if issues are disabled."),
        Column("forked_from_project_id", "numeric", comment="Project that it is a fork of."),
        Column("namespace_id", "numeric", comment="Group or user that it belongs to: namespace id."),
        Column("namespace_name", "text", comment="Group or user that it belongs to: name."),
        Column("namespace_path", "text", comment="Group or user that it belongs to: name in URLs."),
        Column("namespace_kind", "text", comment="group or user."),
        Column("namespace_full_path", "text", comment="Group or user that it belongs to: full path in URLs."),
    ),
)

BRANCHES = Table(
    kind="branch",
    record_source="gitlab api - branch",
    key=("project_id", "name"),
    columns=(
        Column("project_id", "numeric", comment="Project of the branch."),
        Column("name", "text", comment="Name."),
        Column("merged", "boolean", comment="Whether it is merged into the default branch."),
        Column("protected", "boolean", comment="Whether it is protected."),
        Column("default", "boolean", comment="Whether it is the default branch."),
        Column("developers_can_push", "boolean", comment="Whether developers may push to it."),
        Column("developers_can_merge", "boolean", comment="Whether developers may merge into it."),
        Column("can_push", "boolean", comment="Whether the owner of the access token may push to it."),
        Column("web_url", "text", display_name="Web URL", comment="Page of the branch."),
        Column("commit_author_email", "text", comment="Author of the latest commit: e-mail."),
        Column("commit_author_name", "text", comment="Author of the latest commit: name."),
        Column("commit_authored_date", "timestamp", comment="When the latest commit was written, UTC."),
        Column("commit_committed_date", "timestamp", comment="When the latest commit was committed, UTC."),
        Column("commit_committer_email", "text", comment="Committer of the latest commit: e-mail."),
        Column("commit_committer_name", "text", comment="Committer of the latest commit: name."),
        Column("commit_id", "text", comment="Latest commit: SHA."),
        Column("commit_short_id", "text", comment="Latest commit: first characters of the SHA."),
        Column("commit_title", "text", comment="Latest commit: first line of the message."),
        Column("commit_message", "text", comment="Latest commit: message."),
        Column("commit_parent_ids", "json", comment="Latest commit: SHAs of the parents, a list."),
        Column("commit_web_url", "text", display_name="Commit web URL", comment="Latest commit: page."),
    ),
)

TAGS = Table(
    kind="tag",
    record_source="gitlab api - tag",
    key=("project_id", "name"),
    columns=(
        Column("name", "text", comment="Name."),
        Column("message", "text", comment="Message of an annotated tag; null for a lightweight one."),
        Column("target", "text", comment="SHA of the tag object, or of the commit for a lightweight tag."),
        Column("project_id", "numeric", comment="Project of the tag."),
        Column("commit_id", "text", comment="Tagged commit: SHA."),
        Column("commit_short_id", "text", comment="Tagged commit: first characters of the SHA."),
        Column("commit_created_at", "timestamp", comment="Tagged commit: when it was committed, UTC."),
        Column("commit_parent_ids_0", "text", comment="Tagged commit: SHA of the first parent."),
        Column("commit_parent_ids_1", "text", comment="Tagged commit: SHA of the second parent, for a merge."),
        Column("commit_title", "text", comment="Tagged commit: first line of the message."),
        Column("commit_message", "text", comment="Tagged commit: message."),
        Column("commit_author_name", "text", comment="Tagged commit: author's name."),
        Column("commit_author_email", "text", comment="Tagged commit: author's e-mail."),
        Column("commit_authored_date", "timestamp", comment="Tagged commit: when it was written, UTC."),
        Column("commit_committer_name", "text", comment="Tagged commit: committer's name."),
        Column("commit_committer_email", "text", comment="Tagged commit: committer's e-mail."),
        Column("commit_committed_date", "timestamp", comment="Tagged commit: when it was committed, UTC."),
        Column("commit_web_url", "text", display_name="Commit web URL", comment="Tagged commit: page."),
        Column("release_tag_name", "text", comment="Release of the tag: tag name; null without a release."),
        Column("release_description", "text", comment="Release of the tag: description; null without a release."),
        Column("protected", "boolean", comment="Whether it is protected."),
        Column("created_at", "timestamp", comment="When an annotated tag was made, UTC; null for a lightweight one."),
        Column("commit_parent_ids", "json", comment="Tagged commit: SHAs of all parents, a list."),
    ),
)

ISSUES = Table(
    kind="issue",
    record_source="gitlab api - issue",
    key=("id",),
    columns=(
        Column("id", "numeric", comment="Issue id."),
        Column("iid", "numeric", comment="Number within the project, as in #12."),
        Column("project_id", "numeric", comment="Project of the issue."),
        Column("title", "text", comment="Title."),
        Column("description", "text", comment="Description, Markdown."),
        Column("state", "text", comment="opened or closed."),
        Column("created_at", "timestamp", comment="When it was created, UTC."),
        Column("updated_at", "timestamp", comment="When it last changed, UTC."),
        Column("closed_at", "timestamp", comment="When it was closed, UTC."),
        Column("milestone_id", "numeric", comment="Milestone: id."),
        Column("milestone_iid", "numeric", comment="Milestone: number within its project or group."),
        Column("milestone_group_id", "numeric", comment="Milestone: group; null for one of a project."),
        *_TEXT_AND_TIME_OF_A_MILESTONE,
        Column("milestone_expired", "boolean", comment="Milestone: whether it is overdue."),
        Column("milestone_web_url", "text", display_name="Milestone web URL", comment="Milestone: page."),
        Column("type", "text", comment="Type in capitals, such as ISSUE; null on older servers."),
        Column("user_notes_count", "numeric", comment="Number of comments."),
        Column("merge_requests_count", "numeric", comment="Number of merge requests that close it."),
        Column("upvotes", "numeric", comment="Number of thumbs up."),
        Column("downvotes", "numeric", comment="Number of thumbs down."),
        Column("due_date", "timestamp", comment="Day on which it is due, at midnight."),
        Column("confidential", "boolean", comment="Whether it is confidential."),
        Column("discussion_locked", "boolean", comment="Whether comments are locked; null if they never were."),
        Column("issue_type", "text", comment="Type, such as issue, incident or task."),
        Column("web_url", "text", display_name="Web URL", comment="Page of the issue."),
        Column("time_stats_time_estimate", "numeric", comment="Estimate in seconds."),
        Column("time_stats_total_time_spent", "numeric", comment="Time spent in seconds."),
        Column("time_stats_human_time_estimate", "text", comment="Estimate in words."),
        Column("time_stats_human_total_time_spent", "text", comment="Time spent in words."),
        Column("task_completion_status_count", "numeric", comment="Number of check boxes in the description."),
        Column("task_completion_status_completed_count", "numeric", comment="Number of those that are ticked."),
        Column("weight", "numeric", comment="Weight; licensed servers only."),
        Column("blocking_issues_count", "numeric", comment="Number of issues that it blocks."),
        Column("has_tasks", "boolean", comment="Whether the description has check boxes."),
        Column("references_short", "text", comment="Reference within the project."),
        Column("references_relative", "text", comment="Reference from where it was asked for."),
        Column("references_full", "text", comment="Reference from anywhere."),
        Column("moved_to_id", "text", comment="Issue that it was moved to."),
        Column("service_desk_reply_to", "text", comment="E-mail that replies of the service desk go to."),
        Column("epic_iid", "numeric", comment="Epic: number within its group; licensed servers only."),
        Column("epic_id", "numeric", comment="Epic: id; licensed servers only."),
        Column("epic_title", "text", comment="Epic: title; licensed servers only."),
        Column("epic_url", "text", display_name="Epic URL", comment="Epic: page; licensed servers only."),
        Column("epic_group_id", "numeric", comment="Epic: group; licensed servers only."),
        Column("epic_human_readable_end_date", "text", comment="Epic: last day in words; licensed servers only."),
        Column("epic_human_readable_timestamp", "text", comment="Epic: time left in words; licensed servers only."),
        Column("milestone_project_id", "numeric", comment="Milestone: project; null for one of a group."),
        Column("labels", "json", comment="Labels, a list of texts."),
        Column("assignees", "json", comment="Assignees, a list of id, username and name."),
        *_person("author", "Author"),
        *_person("closed_by", "Who closed it"),
        Column("severity", "text", comment="Severity of an incident; null on older servers."),
        Column("health_status", "text", comment="on_track, needs_attention or at_risk; licensed servers only."),
        Column("iteration_id", "numeric", comment="Iteration: id; licensed servers only."),
        Column("iteration_title", "text", comment="Iteration: title; licensed servers only."),
    ),
)

MERGE_REQUESTS = Table(
    kind="merge_request",
    record_source="gitlab api - merge_request",
    key=("id",),
    columns=(
        Column("id", "numeric", comment="Merge request id."),
        Column("iid", "numeric", comment="Number within the project, as in !12."),
        Column("project_id", "numeric", comment="Project of the merge request."),
        Column("title", "text", comment="Title."),
        Column("description", "text", comment="Description, Markdown."),
        Column("state", "text", comment="opened, closed, locked or merged."),
        Column("merged_at", "timestamp", comment="When it was merged, UTC."),
        Column("closed_at", "timestamp", comment="When it was closed without a merge, UTC."),
        Column("created_at", "timestamp", comment="When it was created, UTC."),
        Column("updated_at", "timestamp", comment="When it last changed, UTC."),
        Column("target_branch", "text", comment="Branch that it goes into."),
        Column("source_branch", "text", comment="Branch that it comes from."),
        Column("source_project_id", "numeric", comment="Project that it comes from; null if that fork is gone."),
        Column("target_project_id", "numeric", comment="Project that it goes into."),
        Column("draft", "boolean", comment="Whether it is a draft."),
        Column("work_in_progress", "boolean", comment="The older name of draft."),
        Column("milestone_id", "numeric", comment="Milestone: id."),
        Column("milestone_iid", "numeric", comment="Milestone: number within its project or group."),
        Column("milestone_project_id", "numeric", comment="Milestone: project; null for one of a group."),
        *_TEXT_AND_TIME_OF_A_MILESTONE,
        Column("merge_commit_sha", "text", display_name="Merge commit SHA", comment="SHA of the merge commit."),
        Column("squash_commit_sha", "text", display_name="Squash commit SHA", comment="SHA of the squashed commit."),
        Column("milestone_group_id", "numeric", comment="Milestone: group; null for one of a project."),
        Column("labels", "json", comment="Labels, a list of texts."),
        Column("assignees", "json", comment="Assignees, a list of id, username and name."),
        Column("reviewers", "json", comment="Reviewers, a list of id, username and name."),
        *_person("author", "Author"),
        *_person("merge_user", "Who merged it, or set it to merge by itself"),
        *_person("closed_by", "Who closed it"),
        Column("detailed_merge_status", "text", comment="What stands in the way of a merge; null on older servers."),
        Column("sha", "text", display_name="SHA", comment="SHA of the source branch's latest commit."),
        Column("squash", "boolean", comment="Whether its commits become one when it is merged."),
        Column("prepared_at", "timestamp", comment="When it was ready to be reviewed, UTC; null on older servers."),
        Column("user_notes_count", "numeric", comment="Number of comments."),
        Column("upvotes", "numeric", comment="Number of thumbs up."),
        Column("downvotes", "numeric", comment="Number of thumbs down."),
        Column("discussion_locked", "boolean", comment="Whether comments are locked; null if they never were."),
        Column("web_url", "text", display_name="Web URL", comment="Page of the merge request."),
        Column("references_full", "text", comment="Reference from anywhere."),
        Column("time_stats_time_estimate", "numeric", comment="Estimate in seconds."),
        Column("time_stats_total_time_spent", "numeric", comment="Time spent in seconds."),
        Column("task_completion_status_count", "numeric", comment="Number of check boxes in the description."),
        Column("task_completion_status_completed_count", "numeric", comment="Number of those that are ticked."),
    ),
)

PIPELINES = Table(
    kind="pipeline",
    record_source="gitlab api - pipeline",
    key=("id",),
    columns=(
        Column("id", "numeric", comment="Pipeline id."),
        Column("iid", "numeric", comment="Number within the project."),
        Column("project_id", "numeric", comment="Project of the pipeline."),
        Column("status", "text", comment="Status, such as running, success or failed."),
        Column("source", "text", comment="What started it, such as push or schedule."),
        Column("ref", "text", comment="Branch, tag or merge request that it ran for."),
        Column("sha", "text", display_name="SHA", comment="SHA of the commit that it ran on."),
        Column("web_url", "text", display_name="Web URL", comment="Page of the pipeline."),
        Column("created_at", "timestamp", comment="When it was created, UTC."),
        Column("updated_at", "timestamp", comment="When it last changed, UTC."),
        Column("name", "text", comment="Name; null on older servers."),
    ),
)

COMMITS = Table(
    kind="commit",
    record_source="gitlab api - commit",
    key=("project_id", "id"),
    columns=(
        Column("id", "text", comment="SHA."),
        Column("short_id", "text", comment="First characters of the SHA."),
        Column("project_id", "numeric", comment="Project of the commit."),
        Column("title", "text", comment="First line of the message."),
        Column(
            "committed_date", "timestamp", comment="When it was committed, UTC; older than the push that brought it."
        ),
        Column("created_at", "timestamp", comment="The same as the committed date."),
        Column("message", "text", comment="Message."),
        *_AUTHORS_OF_A_COMMIT,
    ),
)

BRANCH_COMMITS = Table(
    kind="branch_commit",
    record_source="gitlab api - branch_commit",
    key=("project_id", "branch_name", "id"),
    columns=(
        Column("id", "text", comment="SHA."),
        Column("short_id", "text", comment="First characters of the SHA."),
        Column("project_id", "numeric", comment="Project of the commit."),
        Column("title", "text", comment="First line of the message."),
        Column("branch_name", "text", comment="Branch that the commit can be reached from."),
        Column(
            "committed_date", "timestamp", comment="When it was committed, UTC; older than the push that brought it."
        ),
        Column("created_at", "timestamp", comment="The same as the committed date."),
        Column("message", "text", comment="Message."),
        *_AUTHORS_OF_A_COMMIT,
    ),
)

MERGE_REQUEST_COMMITS = Table(
    kind="merge_request_commit",
    record_source="gitlab api - merge_request_commit",
    key=("merge_request_id", "id"),
    columns=(
        Column("id", "text", comment="SHA."),
        Column("short_id", "text", comment="First characters of the SHA."),
        Column("project_id", "numeric", comment="Project of the merge request."),
        Column("merge_request_id", "numeric", comment="Merge request id."),
        Column("title", "text", comment="First line of the message."),
        Column("committed_date", "timestamp", comment="When it was committed, UTC."),
        Column("created_at", "timestamp", comment="The same as the committed date."),
        Column("message", "text", comment="Message."),
        Column("merge_request_iid", "numeric", comment="Merge request: number within the project, as in !12."),
        *_AUTHORS_OF_A_COMMIT,
    ),
)

PERSON_SUFFIXES = (
    *("author_name", "author_username", "author_email", "committer_name", "committer_email"),
    *("closed_by_name", "closed_by_username", "merge_user_name", "merge_user_username", "service_desk_reply_to"),
)
"""What the names of columns end with that tell who a person is; user ids stay."""

TABLES = (
    PROJECTS,
    ISSUES,
    MERGE_REQUESTS,
    MERGE_REQUEST_COMMITS,
    PIPELINES,
    COMMITS,
    BRANCH_COMMITS,
    BRANCHES,
    TAGS,
)
