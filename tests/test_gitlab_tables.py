import pytest

from wherescape.connectors.gitlab.gitlab_tables import (
    BRANCH_COMMITS,
    BRANCHES,
    COMMITS,
    ISSUES,
    MERGE_REQUEST_COMMITS,
    MERGE_REQUESTS,
    PIPELINES,
    PROJECTS,
    TABLES,
    TAGS,
)
from wherescape.errors import UnknownTableKind
from wherescape.tables import Table, find_table, with_key_only, with_legacy_names

# What the load tables of warehouses in use look like: n numeric, t text, ts timestamp, b boolean.
COLUMNS_IN_USE = {
    "project": """id n, description t, name t, name_with_namespace t, path t, path_with_namespace t, created_at ts,
        default_branch t, ssh_url_to_repo t, http_url_to_repo t, web_url t, readme_url t, avatar_url t, forks_count n,
        star_count n, last_activity_at ts""",
    "tag": """name t, message t, target t, project_id n, commit_id t, commit_short_id t, commit_created_at ts,
        commit_parent_ids_0 t, commit_parent_ids_1 t, commit_title t, commit_message t, commit_author_name t,
        commit_author_email t, commit_authored_date ts, commit_committer_name t, commit_committer_email t,
        commit_committed_date ts, commit_web_url t, release_tag_name t, release_description t, protected b""",
    "issue": """id n, iid n, project_id n, title t, description t, state t, created_at ts, updated_at ts, closed_at ts,
        milestone_id n, milestone_iid n, milestone_group_id n, milestone_title t, milestone_description t,
        milestone_state t, milestone_created_at ts, milestone_updated_at ts, milestone_due_date ts,
        milestone_start_date ts, milestone_expired b, milestone_web_url t, type t, user_notes_count n,
        merge_requests_count n, upvotes n, downvotes n, due_date ts, confidential b, discussion_locked b, issue_type t,
        web_url t, time_stats_time_estimate n, time_stats_total_time_spent n, time_stats_human_time_estimate t,
        time_stats_human_total_time_spent t, task_completion_status_count n, task_completion_status_completed_count n,
        weight n, blocking_issues_count n, has_tasks b, references_short t, references_relative t, references_full t,
        moved_to_id t, service_desk_reply_to t, epic_iid n, epic_id n, epic_title t, epic_url t, epic_group_id n,
        epic_human_readable_end_date t, epic_human_readable_timestamp t""",
    "pipeline": """id n, iid n, project_id n, status t, source t, ref t, sha t, web_url t, created_at ts,
        updated_at ts""",
    "merge_request": """id n, iid n, project_id n, title t, description t, state t, merged_at ts, closed_at ts,
        created_at ts, updated_at ts, target_branch t, source_branch t, source_project_id n, target_project_id n,
        draft b, work_in_progress b, milestone_id n, milestone_iid n, milestone_project_id n, milestone_title t,
        milestone_description t, milestone_state t, milestone_created_at ts, milestone_updated_at ts,
        milestone_due_date ts, milestone_start_date ts, merge_commit_sha t, squash_commit_sha t""",
    "merge_request_commit": """id t, short_id t, project_id n, merge_request_id n, title t, committed_date ts,
        created_at ts, message t""",
    "branch_commit": """id t, short_id t, project_id n, title t, branch_name t, committed_date ts, created_at ts,
        message t""",
    "commit": "id t, short_id t, project_id n, title t, committed_date ts, created_at ts, message t",
    "branch": """project_id n, name t, merged b, protected b, default b, developers_can_push b, developers_can_merge b,
        can_push b, web_url t, commit_author_email t, commit_author_name t, commit_authored_date ts,
        commit_committed_date ts, commit_committer_email t, commit_committer_name t, commit_id t, commit_short_id t,
        commit_title t, commit_message t""",
}
TYPES = {"n": "numeric", "t": "text", "ts": "timestamp", "b": "boolean"}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_the_columns_of_tables_in_use_are_kept(table: Table) -> None:
    expected = [column.split() for column in COLUMNS_IN_USE[table.kind].split(",")]
    known = table.columns[: len(expected)]
    assert [(column.name, column.data_type) for column in known] == [(name, TYPES[t]) for name, t in expected]
    assert table.record_source == f"gitlab api - {table.kind}"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_every_column_is_explained(table: Table) -> None:
    assert all(column.comment.endswith(".") for column in table.columns)


@pytest.mark.parametrize(
    ("load_table", "table"),
    [
        ("load_gitlab_project", PROJECTS),
        ("load_gitlab_projects", PROJECTS),
        ("load_gitlab_branch", BRANCHES),
        ("load_gitlab_branches", BRANCHES),
        ("load_gitlab_tag", TAGS),
        ("load_gitlab_commit", COMMITS),
        ("LOAD_GITLAB_COMMITS", COMMITS),
        ("load_gitlab_project_tag", PROJECTS),
        ("load_gitlab_issue", ISSUES),
        ("load_gitlab_pipelines", PIPELINES),
        ("load_gitlab_merge_request", MERGE_REQUESTS),
        ("load_gitlab_merge_request_commit", MERGE_REQUEST_COMMITS),
        ("load_gitlab_branch_commits", BRANCH_COMMITS),
        ("load_gitlab_issue_keys", ISSUES),
    ],
)
def test_the_load_tables_name_tells_what_to_load(load_table: str, table: Table) -> None:
    assert find_table(load_table, TABLES, "GitLab") is table


def test_a_name_that_says_two_kinds_of_the_same_length_is_refused() -> None:
    with pytest.raises(UnknownTableKind, match="says both commit and branch|says both branch and commit"):
        find_table("load_gitlab_commit_branch", TABLES, "GitLab")


@pytest.mark.parametrize("load_table", ["load_gitlab", "load_gitlab_stage", "load_gitlab_reissued", ""])
def test_an_unknown_kind_lists_the_known_ones(load_table: str) -> None:
    with pytest.raises(
        UnknownTableKind,
        match="one of branch, branch_commit, commit, issue, merge_request, merge_request_commit, pipeline, project",
    ) as raised:
        find_table(load_table, TABLES, "GitLab")
    assert repr(load_table) in str(raised.value)


def test_legacy_names_are_numbered_and_read_the_same_keys() -> None:
    legacy = with_legacy_names(COMMITS)
    assert [column.name for column in legacy.columns][:3] == ["id_001", "short_id_002", "project_id_003"]
    assert [column.source for column in legacy.columns] == [column.name for column in COMMITS.columns]
    assert legacy.key == ("project_id_003", "id_001")


def test_the_keys_are_a_table_of_their_own() -> None:
    assert [column.name for column in with_key_only(BRANCH_COMMITS).columns] == ["id", "project_id", "branch_name"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_ids_have_room_for_64_bits(table: Table) -> None:
    assert "integer" not in {column.data_type for column in table.columns}
