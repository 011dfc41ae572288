from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherescape.helper_functions import get_metadata_from_sample_data, infer_type, is_date


@pytest.mark.parametrize(
    ("values", "data_type"),
    [
        ([], "text"),
        ([None, None], "text"),
        ([0, 1, None], "bigint"),
        ([2**63 - 1, -(2**63)], "bigint"),
        ([1, 2**63], "numeric"),
        ([1, 2.5], "numeric"),
        ([Decimal("1.10")], "numeric"),
        ([True, None, False], "boolean"),
        ([True, 1], "text"),
        (["1", 1], "text"),
        ([{"a": 1}, []], "json"),
        ([{"a": 1}, "a"], "text"),
        (["2026-03-01", "2026-03-02"], "date"),
        (["2026-03-01T10:00:00.000Z", None, "2026-03-01T10:00:00+02:00"], "timestamp"),
        (["2026-03-01", "2026-03-01T10:00:00Z"], "timestamp"),
        ([date(2026, 3, 1)], "date"),
        ([datetime(2026, 3, 1, tzinfo=UTC)], "timestamp"),
        (["2026-13-01", "2026-03-01"], "text"),
        (["2026-03-01T25:00"], "text"),
        (["2026-03-01", ""], "text"),
        (["20260301", "2026-W01-1"], "text"),
        (["May", "12", "10.5"], "text"),
        ([b"bytes"], "text"),
    ],
)
def test_a_type_follows_from_all_values(values: list[object], data_type: str) -> None:
    assert infer_type(values) == data_type


def test_sample_data_counts_all_rows_and_keys() -> None:
    rows: list[dict[str, object]] = [
        {"paid": None, "updated_by": "Ann"},
        {"paid": 1, "country": "NL"},
        {"paid": 1.5, "country": None},
    ]
    assert get_metadata_from_sample_data(rows) == (["paid", "updated_by", "country"], ["numeric", "text", "text"])


def test_no_sample_data_gives_no_columns() -> None:
    assert get_metadata_from_sample_data([]) == ([], [])


@pytest.mark.parametrize(
    "text",
    ["2026-03-01", "1 March 2026", "3/1/2026", "29 Feb 2024", "2026-03-01T10:00:00+02:00", "1 Mar 2026 10:00 XYZ"],
)
def test_a_whole_date_is_a_date(text: str) -> None:
    assert is_date(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "12",
        "10.5",
        "-1",
        "20260301",
        "May",
        "Monday",
        "March 2026",
        "1 March",
        "1/2",
        "10:30",
        "30 Feb 2026",
    ],
)
def test_anything_less_is_no_date(text: str | None) -> None:
    assert not is_date(text)


def test_a_date_among_other_words_needs_fuzzy() -> None:
    assert not is_date("due on 1 March 2026 at noon")
    assert is_date("due on 1 March 2026 at noon", fuzzy=True)
    assert not is_date("due in March", fuzzy=True)


@given(st.text(), st.booleans())
def test_any_text_gets_an_answer(text: str, fuzzy: bool) -> None:
    assert is_date(text, fuzzy) in (True, False)


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_iso_date_is_a_date(day: date) -> None:
    assert is_date(day.isoformat())
    assert infer_type([day.isoformat()]) == "date"
