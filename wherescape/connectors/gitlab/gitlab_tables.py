"""GitLab's load tables, declared once for their metadata, their load and the README.

Source of the fields: GitLab documentation, "Projects", "Branches", "Tags" and "Commits" API.
"""

from collections.abc import Sequence
from dataclasses import replace

from wherescape.errors import UnknownTableKind
from wherescape.helper_functions import create_legacy_column_names
from wherescape.tables import Column, Table

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
    ),
)

TABLES = (PROJECTS, BRANCHES, TAGS, COMMITS)

# Their names contain those of other kinds: load_gitlab_branch_commit must not be filled with branches.
KINDS_WITHOUT_TABLE = ("branch_commit", "issue", "merge_request", "merge_request_commit", "pipeline")


def find_table(load_table: str, tables: Sequence[Table] = TABLES) -> Table:
    """Return the declaration for a load table, by the longest kind that its name contains.

    Arguments:
        load_table: the load table's name in RED, such as `load_gitlab_commit`.
        tables: the declarations to choose from.

    Raises:
        UnknownTableKind: the name contains no kind that can be loaded.
    """
    by_kind = {table.kind: table for table in tables}
    kinds = [kind for kind in (*by_kind, *KINDS_WITHOUT_TABLE) if kind in load_table.lower()]
    kind = max(kinds, key=len, default="")
    if kind not in by_kind:
        raise UnknownTableKind(
            f"The name of load table {load_table!r} does not say what to load from GitLab: it must contain one of"
            f" {', '.join(sorted(by_kind))}" + (f"; {kind} cannot be loaded yet." if kind else ".")
        )
    return by_kind[kind]


def with_legacy_names(table: Table) -> Table:
    """Return a declaration with numbered column names (`id_001`), for load tables made by an older library."""
    names = create_legacy_column_names([column.name for column in table.columns])
    renamed = dict(zip((column.name for column in table.columns), names, strict=True))
    return replace(
        table,
        columns=tuple(replace(column, name=renamed[column.name]) for column in table.columns),
        key=tuple(renamed[name] for name in table.key),
    )
