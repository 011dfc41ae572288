"""A source that changes: fields come, go and move; no column shifts, and it is said what changed."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.loading import alter, item_table, load_table, run_report, stored
from wherescape import Column, WhereScape
from wherescape.errors import LoadError
from wherescape.sandbox.red_server import RedServer

TABLE = item_table(Column("a", "text"), Column("b", "text"), Column("c", "integer", source="sea"))


@pytest.fixture
def wherescape(clean_red: RedServer, caplog: pytest.LogCaptureFixture) -> Iterator[WhereScape]:
    with load_table(clean_red, TABLE) as made:
        caplog.clear()
        caplog.set_level(logging.INFO)
        yield made


def lines(caplog: pytest.LogCaptureFixture, word: str) -> list[tuple[str, str]]:
    """The level and text of the log lines that have the word in them."""
    found = [(record.levelname, record.getMessage()) for record in caplog.records]
    return [(level, text) for level, text in found if word in text]


def test_no_column_shifts(wherescape: WhereScape, clean_red: RedServer) -> None:
    records: list[dict[str, Any]] = [
        {"n": 1, "a": "a1", "b": "b1", "sea": 1},
        {"sea": 2, "new": "x", "b": "b2", "a": "a2", "n": 2},
        {"n": 3, "b": "b3"},
        {"n": 4},
        {"first": 0, "n": 5, "a": "a5"},
    ]
    wherescape.load(TABLE, records)
    assert stored(clean_red, "n, a, b, c") == [
        (1, "a1", "b1", 1),
        (2, "a2", "b2", 2),
        (3, None, "b3", None),
        (4, None, None, None),
        (5, "a5", None, None),
    ]


def test_a_column_that_the_load_table_lacks_is_left_out_and_told(
    wherescape: WhereScape, clean_red: RedServer, caplog: pytest.LogCaptureFixture
) -> None:
    alter(clean_red, "DROP COLUMN b")
    wherescape.load(TABLE, [{"n": 1, "a": "a1", "b": "b1", "sea": 1}])
    assert stored(clean_red, "n, a, c") == [(1, "a1", 1)]
    assert lines(caplog, "left out") == [
        (
            "INFO",
            "load.load_item has no column b, so what comes for it is left out. To have it, run the metadata script and"
            " recreate the table.",
        )
    ]
    assert (wherescape.status, run_report(wherescape)["unknown_fields"]) == (1, {})
    assert run_report(wherescape)["columns"].keys() == {"n", "a", "c"}


@pytest.mark.parametrize("column", ["n", "changed"])
def test_a_load_table_without_its_key_or_mark_is_an_error(clean_red: RedServer, column: str) -> None:
    table = item_table(Column("changed", "timestamp"), mark_column="changed")
    with load_table(clean_red, table) as wherescape:
        alter(clean_red, f"DROP COLUMN {column}")
        with pytest.raises(LoadError, match=f"has no column {column}, so nothing was loaded"):
            wherescape.load(table, [{"n": 1, "changed": None}])


def test_unknown_fields_are_named_in_one_line_with_their_counts(
    wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    records = [
        {"n": n, "a": "", "b": "", "sea": 1, "kelp": n} | ({"anemone": None} if n < 7 else {}) for n in range(9_000)
    ]
    wherescape.load(TABLE, records)
    [(level, text)] = lines(caplog, "kelp")
    assert level == "INFO"
    assert "anemone" in text and "9,000" in text and "7" in text
    assert run_report(wherescape)["unknown_fields"] == {"kelp": 9_000, "anemone": 7}
    assert lines(caplog, "WARNING") == []


def test_the_name_of_a_column_is_an_unknown_field_where_the_column_reads_another(
    wherescape: WhereScape, clean_red: RedServer
) -> None:
    wherescape.load(TABLE, [{"n": 1, "c": 5, "a": "", "b": ""}])
    assert stored(clean_red, "n, c") == [(1, None)]
    assert run_report(wherescape)["unknown_fields"] == {"c": 1}
    assert run_report(wherescape)["missing_fields"] == ["sea"]


def test_a_field_that_no_record_has_is_one_warning(wherescape: WhereScape, caplog: pytest.LogCaptureFixture) -> None:
    wherescape.load(TABLE, ({"n": n, "a": None} for n in range(6_000)))
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "b" in warnings[0] and "sea" in warnings[0]
    assert run_report(wherescape)["missing_fields"] == ["b", "sea"]


def test_a_field_that_one_record_has_is_not_missing(wherescape: WhereScape, caplog: pytest.LogCaptureFixture) -> None:
    records = ({"n": n} | ({"a": None, "b": "", "sea": None} if n == 5_500 else {}) for n in range(6_000))
    wherescape.load(TABLE, records)
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
    assert run_report(wherescape)["missing_fields"] == []


def test_without_records_no_field_is_missing(wherescape: WhereScape, caplog: pytest.LogCaptureFixture) -> None:
    wherescape.load(TABLE, [])
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
    assert run_report(wherescape)["missing_fields"] == []


def test_fields_of_rejected_records_count_too(wherescape: WhereScape) -> None:
    wherescape.load(TABLE, [{"n": "x", "a": "", "b": "", "sea": 1, "kelp": 1}, {"n": 1}])
    report = run_report(wherescape)
    assert (report["unknown_fields"], report["missing_fields"]) == ({"kelp": 1}, [])


def test_thousands_of_unknown_fields_stay_readable(wherescape: WhereScape, caplog: pytest.LogCaptureFixture) -> None:
    wherescape.load(TABLE, ({"n": n, "a": "", "b": "", "sea": 1, f"{n:05}" + "x" * 500: n} for n in range(20_000)))
    [(_, text)] = lines(caplog, "00000x")
    assert len(text) < 10_000
    assert (wherescape.workdir / "runs" / "load_item_0.json").stat().st_size < 1_000_000


@pytest.mark.parametrize(
    "name",
    [5, None, ("a", "b"), "", "\ud800", "\0", "line\nbreak"],
    ids=["number", "None", "tuple", "empty", "half a character", "NUL", "line end"],
)
def test_an_unknown_field_may_have_any_name(wherescape: WhereScape, clean_red: RedServer, name: Any) -> None:
    wherescape.load(TABLE, [{"n": 1, "a": "", "b": "", "sea": 1, name: 1}])
    assert stored(clean_red) == [(1,)]
    assert list(run_report(wherescape)["unknown_fields"].values()) == [1]
