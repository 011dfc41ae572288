"""The declared tables: what warehouses in use have, and what is behind it."""

import pytest

from wherescape.connectors.jira.jira_tables import (
    BOARDS,
    CHANGES,
    DELETED_WORKLOGS,
    ISSUES,
    PERSON_SUFFIXES,
    PROJECTS,
    SPRINTS,
    TABLES,
    USERS,
    WORKLOGS,
)
from wherescape.errors import UnknownTableKind
from wherescape.tables import Table, find_table, with_hashes, with_legacy_names

# What the load tables of warehouses in use look like: n numeric, t text, ts timestamp, b boolean.
COLUMNS_IN_USE = {
    "issue": """id n, key t, issuetype_id n, issuetype_description t, issuetype_name t, project_id n, project_name t,
        timespent n, resolutiondate ts, created ts, priority_name t, priority_id n, updated ts, status_name t,
        status_id n, status_statuscategory_id n, status_statuscategory_key t, status_statuscategory_name t,
        timeoriginalestimate n, duedate ts, resolution t, status_in_progress_date ts""",
    "project": """self t, id n, key t, name t, projecttypekey t, simplified b, style t, isprivate b, entityid t,
        uuid t""",
}
TYPES = {"n": "numeric", "t": "text", "ts": "timestamp", "b": "boolean"}


@pytest.mark.parametrize("table", [ISSUES, PROJECTS], ids=lambda table: table.kind)
def test_the_columns_of_tables_in_use_come_first(table: Table) -> None:
    expected = [column.split() for column in COLUMNS_IN_USE[table.kind].split(",")]
    first = table.columns[: len(expected)]
    assert [(column.name, column.data_type) for column in first] == [(name, TYPES[kind]) for name, kind in expected]
    assert table.record_source == f"Jira api - {table.kind}"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_every_column_is_explained(table: Table) -> None:
    assert all(column.comment.endswith(".") for column in table.columns)


@pytest.mark.parametrize(
    ("load_table", "table"),
    [
        ("load_jira_project", PROJECTS),
        ("load_jira_projects", PROJECTS),
        ("load_jira_issue", ISSUES),
        ("LOAD_JIRA_ISSUES", ISSUES),
        ("load_jira_changelog", CHANGES),
        ("load_jira_issue_changelog", CHANGES),
        ("load_jira_worklog", WORKLOGS),
        ("load_jira_issue_worklog", WORKLOGS),
        ("load_jira_worklog_deleted", DELETED_WORKLOGS),
        ("load_jira_sprint", SPRINTS),
        ("load_jira_board", BOARDS),
        ("load_jira_user", USERS),
    ],
)
def test_the_load_tables_name_tells_what_to_load(load_table: str, table: Table) -> None:
    assert find_table(load_table, TABLES, "Jira") is table


@pytest.mark.parametrize("load_table", ["load_jira", "load_customer", ""])
def test_an_unknown_kind_lists_the_known_ones(load_table: str) -> None:
    known = "board, changelog, issue, project, sprint, user, worklog, worklog_deleted"
    with pytest.raises(UnknownTableKind, match=f"from Jira: it must contain one of {known}"):
        find_table(load_table, TABLES, "Jira")


def test_legacy_names_are_numbered_and_read_the_same_keys() -> None:
    legacy = with_legacy_names(ISSUES)
    assert [column.name for column in legacy.columns[:3]] == ["id_001", "key_002", "issuetype_id_003"]
    assert [column.source for column in legacy.columns] == [column.source for column in ISSUES.columns]
    assert (legacy.key, legacy.mark_column) == (("id_001",), "updated_013")


@pytest.mark.parametrize(
    ("table", "masked"),
    [
        (ISSUES, {"assignee_displayname", "reporter_displayname", "creator_displayname"}),
        (PROJECTS, {"lead_displayname"}),
        (CHANGES, {"author_displayname"}),
        (WORKLOGS, {"author_displayname", "updateauthor_displayname"}),
        (USERS, {"displayname", "emailaddress"}),
        (SPRINTS, set()),
    ],
    ids=lambda value: value.kind if isinstance(value, Table) else "",
)
def test_names_and_addresses_of_persons_can_be_masked(table: Table, masked: set[str]) -> None:
    assert {column.name for column in with_hashes(table, PERSON_SUFFIXES).columns if column.mask == "hash"} == masked
