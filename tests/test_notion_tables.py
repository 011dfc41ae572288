"""The columns of a data source's load table, and what ties them to properties."""

from collections.abc import Sequence

import pytest

from wherescape.connectors.notion.notion_properties import Property
from wherescape.connectors.notion.notion_tables import PAGES, table_of, with_registered_only
from wherescape.errors import DeclarationError
from wherescape.tables import Table

FIXED = len(PAGES.columns)


def text(property_id: str, name: str) -> Property:
    return Property(property_id, name, "rich_text")


def declare(properties: Sequence[Property], registered: dict[str, str] | None = None) -> Table:
    return table_of("d5", properties, registered or {})


def names(table: Table) -> list[str]:
    return [column.name for column in table.columns[FIXED:]]


def register(table: Table) -> dict[str, str]:
    return {column.source: column.name for column in table.columns}


def test_columns_are_named_after_properties() -> None:
    table = declare(
        [text("a", "Größe (cm)"), Property("b", "Due", "date"), Property("c", "Go", "button"), text("d", "2024")]
    )
    assert names(table) == ["grosse_cm", "due_start", "due_end", "column_2024"]
    assert [column.display_name for column in table.columns[FIXED:]] == ["Größe (cm)", "Due start", "Due end", "2024"]
    assert (table.key, table.mark_column) == (("page_id",), "page_last_edited_time")


def test_a_renamed_property_keeps_its_column() -> None:
    registered = register(declare([text("a", "Name"), text("b", "State")]))
    renamed = declare([text("a", "Name"), text("b", "Phase")], registered)
    assert names(renamed) == ["name", "state"]
    assert renamed.columns[-1].display_name == "Phase"


def test_two_properties_that_change_names_keep_their_columns() -> None:
    registered = register(declare([text("a", "Old"), text("b", "New")]))
    assert register(declare([text("a", "New"), text("b", "Old")], registered)) == registered


def test_a_new_property_does_not_get_the_column_of_another_one() -> None:
    registered = register(declare([text("a", "State")]))
    table = declare([text("b", "State"), text("a", "Old state")], registered)
    columns = register(table)
    assert columns["property:a"] == "state"
    assert columns["property:b"].startswith("state_")
    assert register(declare([text("c", "State")], columns))["property:c"] not in columns.values()


@pytest.mark.parametrize(
    "labels",
    [
        ("Cost €", "Cost"),
        ("cost", "COST"),
        ("!", "?"),
        ("Due start", "due-start"),
        ("page id", "Page ID"),
        ("dss_load_date", "DSS load date"),
        ("x" * 100, "x" * 99),
    ],
)
def test_equal_names_get_columns_of_their_own_that_stay(labels: tuple[str, str]) -> None:
    properties = [text(f"p{number}", label) for number, label in enumerate(labels)]
    table = declare(properties)
    registered = register(table)
    assert len({name.lower() for name in names(table)}) == 2
    assert register(declare(properties[::-1], registered)) == registered
    assert max(map(len, names(table))) <= 59


def test_a_column_renamed_in_red_stays_renamed() -> None:
    registered = register(declare([text("a", "State")])) | {"property:a": "Phase"}
    assert names(declare([text("a", "State")], registered)) == ["Phase"]
    assert names(declare([text("a", "State"), text("b", "phase")], registered))[1].startswith("phase_")


def test_a_property_of_another_type_keeps_its_column() -> None:
    registered = register(declare([text("a", "Due")]))
    assert names(declare([Property("a", "Due", "date")], registered)) == ["due", "due_end"]
    assert names(declare([Property("a", "Due", "number")], registered)) == ["due"]


def test_what_is_loaded_is_what_is_registered() -> None:
    registered = register(declare([text("a", "State")]))
    loaded = with_registered_only(declare([text("a", "State"), text("b", "New")], registered), registered)
    assert names(loaded) == ["state"]
    with pytest.raises(DeclarationError, match="Run the metadata script"):
        with_registered_only(declare([text("a", "State")]), {})


def test_persons_are_masked_where_a_column_holds_them() -> None:
    properties = [Property("a", "Mail", "email"), Property("b", "Phone", "phone_number"), text("c", "Text")]
    masks = [column.mask for column in table_of("d5", properties, {}, mask_persons=True).columns[FIXED:]]
    assert masks == ["hash", "hash", ""]
