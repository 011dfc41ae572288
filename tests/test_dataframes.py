"""Values of pandas and numpy become what they mean, in a DataFrame as in plain records."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.loading import TYPES, empty, item_table, load_table, rejects, run_report, stored
from wherescape import Column, WhereScape
from wherescape.column_types import DataType
from wherescape.errors import LoadError
from wherescape.sandbox.red_server import RedServer

TABLE = item_table(*(Column(f"a_{name}", name) for name in TYPES))
REJECTED = object()
MOMENT = "2026-01-05T10:05:13.123456"
STORED_MOMENT = datetime.fromisoformat(MOMENT)


@pytest.fixture(scope="module")
def attached(red: RedServer) -> Iterator[WhereScape]:
    red.reset()
    with load_table(red, TABLE) as made:
        yield made


@pytest.fixture
def wherescape(red: RedServer, attached: WhereScape) -> WhereScape:
    empty(red, attached)
    return attached


def moments(*texts: str | None, unit: str = "ns", zone: str | None = None) -> "pd.Series[Any]":
    series = pd.Series(np.array([text or "NaT" for text in texts], f"datetime64[{unit}]"))
    return series.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else series


COLUMNS: dict[str, tuple[DataType, Any, list[Any]]] = {
    "int64": ("bigint", pd.Series([2**63 - 1, -(2**63), 0]), [2**63 - 1, -(2**63), 0]),
    "int8": ("integer", pd.Series([1, -128], dtype="int8"), [1, -128]),
    "uint64": ("bigint", pd.Series([1, 2**64 - 1], dtype="uint64"), [1, REJECTED]),
    "Int64 with NA": ("bigint", pd.Series([2**53 + 1, None], dtype="Int64"), [2**53 + 1, None]),
    "whole floats, from integers beside NaN": ("bigint", pd.Series([1, None, 3]), [1, None, 3]),
    "fractions for whole numbers": ("bigint", pd.Series([1.0, 1.5]), [1, REJECTED]),
    "float64 with NaN": (
        "double",
        pd.Series([0.1, float("nan"), float("inf"), 5e-324]),
        [0.1, None, float("inf"), 5e-324],
    ),
    "float32": ("double", pd.Series([0.5, 0.1], dtype="float32"), [0.5, float(np.float32(0.1))]),
    "Float64 with NA": ("double", pd.Series([0.1, None], dtype="Float64"), [0.1, None]),
    "float64 as numeric": ("numeric", pd.Series([0.1, float("nan")]), [Decimal("0.1"), None]),
    "Decimals": ("numeric", pd.Series([Decimal("1.10"), None, Decimal("NaN")]), [Decimal("1.10"), None, None]),
    "bool": ("boolean", pd.Series([True, False]), [True, False]),
    "bool with None": ("boolean", pd.Series([True, None, False]), [True, None, False]),
    "boolean with NA": ("boolean", pd.Series([True, None], dtype="boolean"), [True, None]),
    "bool as integer": ("integer", pd.Series([True, False]), [REJECTED, REJECTED]),
    "datetime64 in nanoseconds": ("timestamp", moments(MOMENT, None), [STORED_MOMENT, None]),
    "datetime64 in seconds": (
        "timestamp",
        moments("0001-01-01", "9999-12-31", unit="s"),
        [datetime(1, 1, 1), datetime(9999, 12, 31)],
    ),
    "datetime64 in microseconds": ("timestamp", moments(MOMENT, None, unit="us"), [STORED_MOMENT, None]),
    "datetime64 with an offset": ("timestamp", moments(MOMENT, None, zone="+05:30"), [STORED_MOMENT, None]),
    "datetime64 finer than microseconds": ("timestamp", moments(MOMENT, MOMENT + "789"), [STORED_MOMENT, REJECTED]),
    "datetime64 before the calendar": (
        "timestamp",
        pd.Series(np.array(["-0044-03-15", "2026-01-05"], "M8[s]")),
        [REJECTED, datetime(2026, 1, 5)],
    ),
    "Timestamps": (
        "timestamp",
        pd.Series([pd.Timestamp(MOMENT), pd.NaT, None], dtype=object),
        [STORED_MOMENT, None, None],
    ),
    "Timestamps of two offsets": (
        "timestamp",
        pd.Series([pd.Timestamp(MOMENT + "+02:00"), pd.Timestamp(MOMENT + "-01:00")], dtype=object),
        [STORED_MOMENT - timedelta(hours=2), STORED_MOMENT + timedelta(hours=1)],
    ),
    "datetime64 of numpy": (
        "timestamp",
        pd.Series([np.datetime64(MOMENT), np.datetime64("NaT", "us"), np.datetime64(MOMENT + "789")], dtype=object),
        [STORED_MOMENT, None, REJECTED],
    ),
    "midnights as dates": ("date", moments("2026-01-05", None), [date(2026, 1, 5), None]),
    "moments as dates": ("date", moments("2026-01-05T10:00", None), [REJECTED, None]),
    "dates": ("date", pd.Series([date(1899, 12, 31), None], dtype=object), [date(1899, 12, 31), None]),
    "category of texts": ("text", pd.Series(["a", None, "b"], dtype="category"), ["a", None, "b"]),
    "category of numbers": ("bigint", pd.Series([5, None, 7], dtype="Int64").astype("category"), [5, None, 7]),
    "category of moments": ("timestamp", moments(MOMENT, None).astype("category"), [STORED_MOMENT, None]),
    "objects": ("text", pd.Series(["a", None, float("nan"), pd.NA, ""], dtype=object), ["a", None, None, None, ""]),
    "str": ("text", pd.Series(["é😀", None, ""], dtype="str"), ["é😀", None, ""]),
    "string[python]": ("text", pd.Series(["a", None], dtype="string[python]"), ["a", None]),
    "numbers as text": ("text", pd.Series([1, 2]), ["1", "2"]),
    "lists": ("json", pd.Series([[1, [2]], None, [], [np.int64(3), None]]), [[1, [2]], None, [], [3, None]]),
    "objects of JSON": ("json", pd.Series([{"a": np.float64(0.5)}, {"b": True}]), [{"a": 0.5}, {"b": True}]),
    "arrays of numpy": ("json", pd.Series([np.array([1, 2]), np.array([[0.5]])]), [[1, 2], [[0.5]]]),
    "NaN within a list": ("json", pd.Series([[float("nan")], [1]]), [REJECTED, [1]]),
    "mixed": ("text", pd.Series([1, "two", None, 3.5], dtype=object), ["1", "two", None, "3.5"]),
    "complex": ("double", pd.Series([1j]), [REJECTED]),
    "timedelta": ("bigint", pd.Series(pd.to_timedelta([5], unit="s")), [REJECTED]),
}
WITH_PYARROW: dict[str, tuple[DataType, list[Any], str, list[Any]]] = {
    "string[pyarrow]": ("text", ["é😀", None], "string[pyarrow]", ["é😀", None]),
    "int64[pyarrow]": ("bigint", [2**53 + 1, None], "int64[pyarrow]", [2**53 + 1, None]),
    "timestamp[us][pyarrow]": ("timestamp", [STORED_MOMENT, None], "timestamp[us][pyarrow]", [STORED_MOMENT, None]),
    "bool[pyarrow]": ("boolean", [True, None], "bool[pyarrow]", [True, None]),
}


def check(red: RedServer, wherescape: WhereScape, data_type: DataType, records: Any, expected: list[Any]) -> None:
    column = f"a_{data_type}"
    result = wherescape.load(TABLE, records)
    found: dict[int, Any] = dict(stored(red, f"n, {column}"))
    # psqlODBC gives a boolean as a text.
    read = {"json": json.loads, "boolean": {"1": True, "0": False}.__getitem__}.get(data_type, lambda value: value)
    found = {n: None if value is None else read(value) for n, value in found.items()}
    refusals = rejects(wherescape)
    assert all(refusal["column"] == column for refusal in refusals)
    outcome = [found.get(number, REJECTED) for number in range(len(expected))]
    assert outcome == expected
    assert (result.inserted, result.rejected) == (len(found), expected.count(REJECTED))
    assert sorted(refusal["record"] - 1 for refusal in refusals) == [
        number for number, value in enumerate(expected) if value is REJECTED
    ]


@pytest.mark.parametrize("case", COLUMNS)
def test_a_column_of_a_frame(wherescape: WhereScape, red: RedServer, case: str) -> None:
    data_type, series, expected = COLUMNS[case]
    frame = pd.DataFrame({"n": range(len(series)), f"a_{data_type}": series})
    check(red, wherescape, data_type, frame, expected)


@pytest.mark.parametrize("case", WITH_PYARROW)
def test_a_column_of_a_frame_that_arrow_holds(wherescape: WhereScape, red: RedServer, case: str) -> None:
    pytest.importorskip("pyarrow")
    data_type, values, dtype, expected = WITH_PYARROW[case]
    frame = pd.DataFrame({"n": range(len(values)), f"a_{data_type}": pd.Series(values, dtype=dtype)})
    check(red, wherescape, data_type, frame, expected)


SCALARS: dict[str, tuple[DataType, list[Any], list[Any]]] = {
    "numpy integers": ("bigint", [np.int64(2**63 - 1), np.int8(1), np.uint64(2**64 - 1)], [2**63 - 1, 1, REJECTED]),
    "numpy floats": ("double", [np.float64(0.1), np.float32(0.5), np.float64("inf")], [0.1, 0.5, float("inf")]),
    "numpy bools": ("boolean", [np.True_, np.False_], [True, False]),
    "a numpy bool is no number": ("integer", [np.True_], [REJECTED]),
    "numpy texts": ("text", [np.str_("é")], ["é"]),
    "numpy moments": (
        "timestamp",
        [
            np.datetime64(MOMENT),
            np.datetime64("NaT", "us"),
            np.datetime64("2026-01-05"),
            np.datetime64(MOMENT + "789"),
        ],
        [STORED_MOMENT, None, datetime(2026, 1, 5), REJECTED],
    ),
    "numpy days": ("date", [np.datetime64("2026-01-05"), np.datetime64("NaT", "us")], [date(2026, 1, 5), None]),
    "pandas moments": (
        "timestamp",
        [pd.Timestamp(MOMENT), pd.NaT, pd.NA, pd.Timestamp(MOMENT + "+02:00"), pd.Timestamp(MOMENT + "789")],
        [STORED_MOMENT, None, None, STORED_MOMENT - timedelta(hours=2), REJECTED],
    ),
    "missing texts": ("text", [pd.NA, pd.NaT, None, np.datetime64("NaT", "us")], [None, None, None, None]),
    "missing JSON": ("json", [pd.NA, [pd.NaT], {"a": pd.NA}], [None, [None], {"a": None}]),
    "numpy values in JSON": (
        "json",
        [[np.int64(1)], np.array([1, 2]), {"a": np.bool_(True)}],
        [[1], [1, 2], {"a": True}],
    ),
}


@pytest.mark.parametrize("case", SCALARS)
def test_a_value_in_a_plain_record(wherescape: WhereScape, red: RedServer, case: str) -> None:
    data_type, values, expected = SCALARS[case]
    records = [{"n": n, f"a_{data_type}": value} for n, value in enumerate(values)]
    check(red, wherescape, data_type, records, expected)


@pytest.mark.parametrize("index", [[7, 7, 7], ["a", "b", "c"], [None, None, None], list("cab")], ids=str)
def test_the_index_does_not_matter(wherescape: WhereScape, red: RedServer, index: list[Any]) -> None:
    wherescape.load(TABLE, pd.DataFrame({"n": [1, 2, 3], "a_text": ["a", "b", None]}, index=index))
    assert stored(red, "n, a_text") == [(1, "a"), (2, "b"), (3, None)]


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame({"n": []}), pd.DataFrame({"a_text": []})], ids=str)
def test_an_empty_frame_is_an_empty_load(wherescape: WhereScape, red: RedServer, frame: pd.DataFrame) -> None:
    assert wherescape.load(TABLE, frame).inserted == 0
    assert stored(red) == []


def test_unknown_and_missing_columns_of_a_frame(wherescape: WhereScape, red: RedServer) -> None:
    wherescape.load(TABLE, pd.DataFrame({"kelp": [1, 2], "n": [1, 2], 5: [0, 0]}))
    report = run_report(wherescape)
    assert report["unknown_fields"] == {"kelp": 2, "5": 2}
    assert report["missing_fields"] == [f"a_{name}" for name in TYPES]
    assert stored(red, "n, a_text") == [(1, None), (2, None)]


def test_two_columns_of_one_name_are_refused(wherescape: WhereScape, red: RedServer) -> None:
    frame = pd.DataFrame([[1, "a", "b"]], columns=["n", "a_text", "a_text"])
    with pytest.raises(LoadError, match="a_text"):
        wherescape.load(TABLE, frame)
    assert stored(red) == []


def test_labels_that_are_no_text_match_their_text(wherescape: WhereScape, red: RedServer) -> None:
    table = item_table(Column("a_text", "text", source="2026"))
    wherescape.load(table, pd.DataFrame([[1, "a"]], columns=["n", 2026]))
    assert stored(red, "n, a_text") == [(1, "a")]


def test_a_frame_of_several_batches(wherescape: WhereScape, red: RedServer) -> None:
    frame = pd.DataFrame({"n": range(12_001), "a_integer": [str(n) if n != 7_000 else "x" for n in range(12_001)]})
    before = frame.copy()
    result = wherescape.load(TABLE, frame)
    assert (result.inserted, result.rejected) == (12_000, 1)
    [reject] = rejects(wherescape)
    assert (reject["record"], reject["raw"]) == (7_001, {"n": 7_000, "a_integer": "x"})
    assert stored(red, "n, a_integer") == [(n, n) for n in range(12_001) if n != 7_000]
    pd.testing.assert_frame_equal(frame, before)


def test_the_raw_record_of_a_rejected_row_of_a_frame(wherescape: WhereScape) -> None:
    frame = pd.DataFrame(
        {"n": [1, 2], "a_integer": ["x", "1"], "a_timestamp": moments(MOMENT, None), "a_double": [0.5, None]}
    )
    wherescape.load(TABLE, frame)
    [reject] = rejects(wherescape)
    assert (reject["raw"]["n"], reject["raw"]["a_double"]) == (1, 0.5)
    assert datetime.fromisoformat(reject["raw"]["a_timestamp"]) == STORED_MOMENT
