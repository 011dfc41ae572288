"""The declared tables: what warehouses in use have, what is behind it, and what a note keeps of itself."""

import pytest

from wherescape.connectors.friday_pulse.friday_pulse_load_data import RESOURCES
from wherescape.connectors.friday_pulse.friday_pulse_tables import (
    GENERAL_NOTES,
    GENERAL_RESULTS,
    GENERAL_RISKS,
    GROUP_NOTES,
    GROUP_RESULTS,
    GROUP_TYPES,
    GROUPS,
    TABLES,
    TOPICS,
    with_masked_notes,
)
from wherescape.errors import UnknownTableKind
from wherescape.tables import Table, find_table

# What the load tables of warehouses in use look like.
COLUMNS_IN_USE = {
    TOPICS: "code name",
    GROUP_TYPES: "code name",
    GENERAL_RESULTS: """sample_date score response_rate response_count total_count question_count topic_code
        topic_name""",
    GROUP_RESULTS: "sample_date score response_rate response_count total_count topic_code topic_name group_id",
}
RECORD_SOURCES = {
    "topic": "topics",
    "group_type": "group types",
    "group": "groups",
    "general_result": "general results",
    "group_result": "group results",
    "general_note": "general notes",
    "group_note": "group notes",
    "general_risk": "general risks",
    "group_risk": "group risks",
}
each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)


@pytest.mark.parametrize("table", COLUMNS_IN_USE, ids=lambda table: table.kind)
def test_the_columns_of_tables_in_use_come_first(table: Table) -> None:
    expected = COLUMNS_IN_USE[table].split()
    assert [column.name for column in table.columns][: len(expected)] == expected


@each_table
def test_the_record_source_is_that_of_tables_in_use(table: Table) -> None:
    assert table.record_source == f"Friday Pulse API - {RECORD_SOURCES[table.kind]}"


@each_table
def test_every_column_is_explained_and_what_has_no_column_is_kept(table: Table) -> None:
    assert all(column.comment.endswith(".") for column in table.columns)
    assert (table.columns[-1].name, table.columns[-1].data_type) == ("other_fields", "json")


def test_which_tables_are_of_surveys_and_of_groups() -> None:
    for resource in RESOURCES:
        assert resource.is_incremental == (resource.table.columns[0].name == "sample_date"), resource.table.kind
        assert ("exclude_groups" in resource.takes) == ("group_id" in resource.table.key), resource.table.kind
        assert ("mask_notes" in resource.takes) == resource.table.kind.endswith("note"), resource.table.kind


@pytest.mark.parametrize("plural", [True, False], ids=["plural", "singular"])
@each_table
def test_the_load_tables_name_tells_what_to_load(table: Table, plural: bool) -> None:
    name = f"load_friday_pulse_{table.kind}{'s' * plural}"
    assert find_table(name, TABLES, "Friday Pulse") is table
    assert find_table(name.upper(), TABLES, "Friday Pulse") is table


@pytest.mark.parametrize("load_table", ["load_friday_pulse", "load_friday_pulse_results", "load_friday_pulse_notes"])
def test_an_unknown_kind_lists_the_known_ones(load_table: str) -> None:
    known = ", ".join(sorted(RECORD_SOURCES))
    with pytest.raises(UnknownTableKind, match=f"from Friday Pulse: it must contain one of {known}"):
        find_table(load_table, TABLES, "Friday Pulse")


def test_a_note_is_labelled_and_masked_on_request() -> None:
    for table in (GENERAL_NOTES, GROUP_NOTES):
        plain, masked = table.columns[-1], with_masked_notes(table).columns[-1]
        assert plain.display_name == masked.display_name == "Other fields [GDPR_HIGH]"
        assert (plain.mask, masked.mask, masked.name) == ("", "fixed", plain.name)
        assert with_masked_notes(table).columns[:-1] == table.columns[:-1]
    for table in (GENERAL_RISKS, GENERAL_RESULTS, GROUPS):
        assert with_masked_notes(table) == table
