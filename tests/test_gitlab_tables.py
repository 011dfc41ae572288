import pytest

from wherescape.connectors.gitlab.gitlab_tables import (
    BRANCHES,
    COMMITS,
    PROJECTS,
    TABLES,
    TAGS,
    find_table,
    with_legacy_names,
)
from wherescape.errors import UnknownTableKind
from wherescape.tables import Table

# What the load tables of warehouses in use look like: n numeric, t text, ts timestamp, b boolean.
COLUMNS_IN_USE = {
    "project": """id n, description t, name t, name_with_namespace t, path t, path_with_namespace t, created_at ts,
        default_branch t, ssh_url_to_repo t, http_url_to_repo t, web_url t, readme_url t, avatar_url t, forks_count n,
        star_count n, last_activity_at ts""",
    "tag": """name t, message t, target t, project_id n, commit_id t, commit_short_id t, commit_created_at ts,
        commit_parent_ids_0 t, commit_parent_ids_1 t, commit_title t, commit_message t, commit_author_name t,
        commit_author_email t, commit_authored_date ts, commit_committer_name t, commit_committer_email t,
        commit_committed_date ts, commit_web_url t, release_tag_name t, release_description t, protected b""",
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
    assert [(column.name, column.data_type) for column in table.columns] == [(name, TYPES[t]) for name, t in expected]
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
    ],
)
def test_the_load_tables_name_tells_what_to_load(load_table: str, table: Table) -> None:
    assert find_table(load_table) is table


@pytest.mark.parametrize(
    "load_table",
    [
        "load_gitlab_branch_commit",
        "load_gitlab_merge_request_commit",
        "load_gitlab_merge_request",
        "load_gitlab_issue",
        "load_gitlab_pipelines",
    ],
)
def test_a_kind_that_cannot_be_loaded_is_not_taken_for_another(load_table: str) -> None:
    with pytest.raises(UnknownTableKind, match="cannot be loaded yet"):
        find_table(load_table)


@pytest.mark.parametrize("load_table", ["load_gitlab", "load_customer", ""])
def test_an_unknown_kind_lists_the_known_ones(load_table: str) -> None:
    with pytest.raises(UnknownTableKind, match="one of branch, commit, project, tag") as raised:
        find_table(load_table)
    assert repr(load_table) in str(raised.value)


def test_legacy_names_are_numbered_and_read_the_same_keys() -> None:
    legacy = with_legacy_names(COMMITS)
    assert [column.name for column in legacy.columns][:3] == ["id_001", "short_id_002", "project_id_003"]
    assert [column.source for column in legacy.columns] == [column.name for column in COMMITS.columns]
    assert legacy.key == ("project_id_003", "id_001")
