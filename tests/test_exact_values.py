"""What is stored equals what came, or the row is rejected: generated values, a real load, and what came of it.

A strategy draws pairs: a value, and what the load table must hold for it. `REJECTED` stands for a row that must be in
the reject file.
"""

import decimal
import json
import math
import re
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.loading import LOAD_TABLE, TYPES, create_load_table, empty, item_table, rejects, run_report, stored
from tests.test_tsql import RecordingCursor
from wherescape import Column, WhereScape, dialects
from wherescape.column_types import Capacity, DataType
from wherescape.database import BATCH_ROWS
from wherescape.errors import LoadError
from wherescape.sandbox.red_server import RedServer
from wherescape.values import convert

TABLE = item_table(*(Column(f"a_{name}", name) for name in TYPES))
UNLIMITED = 10**9
FEW_BIG_EXAMPLES = settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@dataclass(frozen=True)
class Rejected:
    """Stands for a row that must be in the reject file."""


REJECTED = Rejected()
Pair = tuple[Any, Any]
Pairs = st.SearchStrategy[Pair]


def kept(values: st.SearchStrategy[Any]) -> Pairs:
    """Values that must be stored as they are."""
    return values.map(lambda value: (value, value))


def written(values: st.SearchStrategy[Any], write: Callable[[Any], Any] = str) -> Pairs:
    """Values that come in another form than what must be stored."""
    return values.map(lambda value: (write(value), value))


def refused(*values: Any) -> Pairs:
    return refusing(st.sampled_from(values))


def refusing(values: st.SearchStrategy[Any]) -> Pairs:
    return values.map(lambda value: (value, REJECTED))


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
NUL_OR_SURROGATE = st.sampled_from(["\0", "\ud800", "\udfff", "\ude00\ud83d"])
BAD_TEXT = st.tuples(ANY_TEXT, NUL_OR_SURROGATE, ANY_TEXT).map("".join)
SYNTAX = [
    *(
        "",
        " ",
        "NULL",
        "null",
        "None",
        "NaN",
        "{",
        "}",
        "{}",
        "{NULL}",
        '{"a":1}',
        "[1, 2]",
        ",",
        ";",
        '"',
        '""',
        "''",
    ),
    *("\\", "\\\\", "\\N", "\\.", '\\"', "\n", "\r\n", "\t", "\x01", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffe"),
    *(
        "e\u0301",
        "é",
        "😀",
        "👨‍👩‍👧",
        "\U0010ffff",
        " both ends ",
        "$1",
        "?",
        "%s",
        "'; DROP TABLE x; --",
        "trailing  ",
    ),
]
INT32 = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([-(2**31), -1, 0, 1, 2**31 - 1])
INT64 = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-(2**63), -1, 0, 1, 2**53 + 1, 2**63 - 1])
BEYOND_INT32 = st.sampled_from([2**31, -(2**31) - 1, 2**63, 10**30, str(2**31)])
BEYOND_INT64 = st.sampled_from([2**63, -(2**63) - 1, 10**30, -(10**5_000), str(2**63), "9" * 5_000])
NO_WHOLE_NUMBER = refused(
    *(
        True,
        False,
        0.5,
        -1.5,
        1e300,
        math.inf,
        -math.inf,
        math.nan,
        Decimal("0.1"),
        Decimal("NaN"),
        Decimal("Infinity"),
    ),
    *(
        "",
        " ",
        "one",
        "0x10",
        "1.5",
        "1 2",
        "--1",
        "inf",
        "NaN",
        b"1",
        [],
        [1],
        {},
        {"a": 1},
        date(2026, 1, 1),
        object(),
    ),
)
DECIMALS = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=45).map(tuple),
    st.integers(-60, 60),
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
DOUBLES = st.floats() | st.sampled_from(
    [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1]
)
OFFSETS = st.integers(-86_399, 86_399).map(lambda seconds: timezone(timedelta(seconds=seconds)))
NAIVE = st.datetimes()
AWARE = st.datetimes(timezones=st.just(UTC) | OFFSETS)
NO_MOMENT = refused(
    *(True, 0, 1, 1767607513, 1.5, math.nan, Decimal(1), b"2026-01-05", [], {}, object()),
    *(
        "",
        " ",
        "now",
        "today",
        "epoch",
        "infinity",
        "-infinity",
        "0000-01-01",
        "2026-02-30",
        "2026-13-01",
        "yesterday",
    ),
)
JSON_KEYS = ANY_TEXT | BAD_TEXT
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | FINITE | ANY_TEXT | BAD_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(JSON_KEYS, inner, max_size=4),
    max_leaves=12,
)


def in_utc(moment: datetime) -> Any:
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return REJECTED


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


WHOLE_DOUBLES = st.integers(-(2**53), 2**53)
KINDS: Mapping[DataType, Sequence[Pairs]] = {
    "text": [
        kept(ANY_TEXT),
        kept(st.sampled_from(SYNTAX)),
        refusing(BAD_TEXT),
        kept(st.integers()).map(lambda pair: (pair[0], str(pair[1]))),
        st.dates().map(lambda day: (day, day.isoformat())),
        DECIMALS.map(lambda number: (number, number)),
        refused(b"bytes", {1, 2}, object()),
    ],
    "integer": [
        kept(INT32),
        written(INT32),
        written(INT32, float),
        written(INT32, Decimal),
        refusing(BEYOND_INT32),
        NO_WHOLE_NUMBER,
    ],
    "bigint": [
        kept(INT64),
        written(INT64),
        written(WHOLE_DOUBLES, float),
        written(INT64, Decimal),
        refusing(BEYOND_INT64),
        NO_WHOLE_NUMBER,
    ],
    "numeric": [
        kept(DECIMALS),
        written(DECIMALS),
        kept(st.integers(-(10**60), 10**60)),
        FINITE.map(lambda number: (number, Decimal(repr(number)))),
        kept(
            st.sampled_from([Decimal("NaN"), Decimal("-0"), Decimal("0E-30"), Decimal("1E-16383"), Decimal(10) ** 400])
        ),
        refused(
            *(True, False, Decimal("sNaN"), Decimal("1E-16384"), Decimal("1E+200000"), Decimal("1E+999999")),
            *("", " ", "one", "0x10", "1 2", "1,5", b"1", [], {}, date(2026, 1, 1), object()),
        ),
    ],
    "double": [
        kept(DOUBLES),
        written(DOUBLES, repr),
        written(WHOLE_DOUBLES, int),
        kept(st.sampled_from([2**53, 2**60, -(2**1000), Decimal("0.5"), Decimal("-0.125"), Decimal(2**70)])),
        refused(
            *(2**53 + 1, -(2**53) - 1, 2**63 - 1, 10**400, Decimal(2**53 + 1), Decimal("1E+400"), "1e400", "-1e400"),
            *(True, False, "", " ", "one", "0x10", "1,5", b"1", [], {}, date(2026, 1, 1), object()),
        ),
    ],
    "boolean": [
        kept(st.booleans()),
        written(st.booleans(), lambda value: str(value).lower()),
        refused(0, 1, 2, 0.0, 1.0, "", "0", "1", "t", "f", "yes", "no", "on", "truth", b"true", [], {}, object()),
    ],
    "date": [
        kept(st.dates()),
        written(st.dates(), date.isoformat),
        kept(st.sampled_from([date.min, date(1582, 10, 10), date(1899, 12, 31), date(1900, 2, 28), date.max])),
        refused(datetime(2026, 1, 5, 10), "2026-01-05T10:00", "2026-01-05 10:00:00", "5 Jan 2026", "01/05/2026"),
        NO_MOMENT,
    ],
    "timestamp": [
        kept(NAIVE),
        written(NAIVE, datetime.isoformat),
        AWARE.map(lambda moment: (moment, in_utc(moment))),
        AWARE.map(lambda moment: (moment.isoformat(), in_utc(moment))),
        AWARE.map(lambda moment: (moment.isoformat(" "), in_utc(moment))),
        st.dates().map(lambda day: (day, datetime(day.year, day.month, day.day))),
        kept(st.sampled_from([datetime.min, datetime.max, datetime(1899, 12, 31, 23, 59, 59, 999_999)])),
        st.sampled_from(
            [
                ("2026-01-05", datetime(2026, 1, 5)),
                ("2026-01-05T10:05Z", datetime(2026, 1, 5, 10, 5)),
                ("2026-01-05T10:05:13.5+01:00", datetime(2026, 1, 5, 9, 5, 13, 500_000)),
                ("2026-01-05T10:05:13.123456Z", datetime(2026, 1, 5, 10, 5, 13, 123_456)),
                (datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), REJECTED),
                (datetime.max.replace(tzinfo=timezone(timedelta(seconds=-1))), REJECTED),
                ("0001-01-01T00:00:00+00:01", REJECTED),
                ("2026-01-05T10:05:13.1234567Z", REJECTED),
                ("2026-01-05T10:05:13.123456789", REJECTED),
                ("20260105T100513.1234567", REJECTED),
                ("20260105T100513.123456", datetime(2026, 1, 5, 10, 5, 13, 123_456)),
                ("2026-01-05T10:05:60Z", REJECTED),
                ("2026-01-05T25:00:00", REJECTED),
                ("2026-01-05T10:05 CET", REJECTED),
            ]
        ),
        NO_MOMENT,
    ],
    "json": [
        kept(JSON),
        kept(st.lists(JSON, max_size=3)),
        kept(st.dictionaries(JSON_KEYS, JSON, max_size=3)),
        kept(st.sampled_from([*SYNTAX, 10**400, -0.0, 5e-324, True, False, [], {}, [[]], {"": None}, [None]])),
        refused(math.nan, math.inf, [math.nan], {"a": [{"b": -math.inf}]}, [b"bytes"], {"a": object()}, {1, 2}),
        refusing(st.builds(endless)),
        refusing(st.builds(nested, st.just("a"), st.just(100_000))),
    ],
}


def lists_of(kinds: Sequence[Pairs], rows: int = 60) -> st.SearchStrategy[list[Pair]]:
    """Lists of one kind of value, and of all kinds together with None."""
    none = st.just((None, None))
    mixed = st.lists(st.one_of(none, *kinds), min_size=rows, max_size=rows * 3)
    return st.one_of(mixed, *(st.lists(kind, min_size=1, max_size=rows) for kind in kinds), mixed)


def as_text(data_type: DataType) -> str:
    """An SQL expression for exactly what is stored, which no driver changes."""
    column = f"a_{data_type}"
    if data_type in ("text", "json"):
        return f"encode(convert_to({column}, 'UTF8'), 'hex')"
    return f"CAST({column} AS text)"


READERS: Mapping[DataType, Callable[[str], Any]] = {
    "text": lambda text: bytes.fromhex(text).decode(),
    "integer": int,
    "bigint": int,
    "numeric": Decimal,
    "double": float,
    "boolean": {"true": True, "false": False}.__getitem__,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "json": lambda text: json.loads(bytes.fromhex(text)),
}


def is_same(data_type: DataType, found: Any, expected: Any) -> bool:
    """Tell whether what was stored is exactly what was expected, NaN and the sign of zero included."""
    if found is None or expected is None or isinstance(expected, Rejected):
        return found is expected
    if data_type == "double":
        return math.isnan(found) if math.isnan(expected) else struct.pack("d", found) == struct.pack("d", expected)
    if data_type == "numeric":
        return str(found) == "NaN" if str(expected) == "NaN" else found == expected
    if data_type == "text" and isinstance(expected, Decimal):
        return Decimal(found) == expected
    if data_type == "timestamp":
        return str(found) == str(expected)
    return repr(found) == repr(expected)


@pytest.fixture(scope="module")
def red_of_values(red: RedServer) -> RedServer:
    red.reset()
    create_load_table(red, TABLE)
    return red


@pytest.fixture(scope="module")
def wherescape(red_of_values: RedServer) -> Iterator[WhereScape]:
    made = WhereScape(red_of_values.environment(LOAD_TABLE))
    yield made
    made.close()


def outcomes(red: RedServer, wherescape: WhereScape, data_type: DataType, values: Sequence[Any]) -> list[Any]:
    """Load values into an empty table and return what became of each: what is stored, or REJECTED."""
    empty(red, wherescape)
    column = f"a_{data_type}"
    records = [{"n": number, column: value} for number, value in enumerate(values)]
    result = wherescape.load(TABLE, iter(records), max_rejected=UNLIMITED)

    read = READERS[data_type]
    found = {n: None if text is None else read(text) for n, text in stored(red, f"n, {as_text(data_type)}")}
    refusals = rejects(wherescape)
    assert all(refusal["column"] == column and refusal["reason"].strip() for refusal in refusals)
    rejected = {refusal["record"] - 1: REJECTED for refusal in refusals}
    assert (result.inserted, result.rejected) == (len(found), len(refusals))
    assert sorted([*found, *rejected]) == list(range(len(values)))
    together = found | rejected
    return [together[number] for number in range(len(values))]


def check(red: RedServer, wherescape: WhereScape, data_type: DataType, pairs: Sequence[Pair]) -> None:
    found = outcomes(red, wherescape, data_type, [value for value, _ in pairs])
    differing = [
        (value, expected, got)
        for (value, expected), got in zip(pairs, found, strict=True)
        if not is_same(data_type, got, expected)
    ]
    assert not differing, f"(came, expected, found): {str(differing)[:2_000]}"


@pytest.mark.parametrize("data_type", TYPES)
@FEW_BIG_EXAMPLES
@given(data=st.data())
def test_what_is_stored_equals_what_came_or_the_row_is_rejected(
    red_of_values: RedServer, wherescape: WhereScape, data_type: DataType, data: st.DataObject
) -> None:
    check(red_of_values, wherescape, data_type, data.draw(lists_of(KINDS[data_type])))


def some_of(pairs: Pairs) -> list[Pair]:
    """Draw often enough that every value of a short list has come."""
    drawn: list[Pair] = []

    @settings(max_examples=40, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(pairs)
    def draw(pair: Pair) -> None:
        drawn.append(pair)

    draw()
    return drawn


@pytest.mark.parametrize("data_type", TYPES)
def test_a_column_of_one_kind_is_stored_as_the_same_values_among_others(
    red_of_values: RedServer, wherescape: WhereScape, data_type: DataType
) -> None:
    for kind in KINDS[data_type]:
        check(red_of_values, wherescape, data_type, some_of(kind))
    together = [pair for kind in KINDS[data_type] for pair in some_of(kind)]
    check(red_of_values, wherescape, data_type, [(None, None), *together, *reversed(together)])


@pytest.mark.parametrize("length", [1_000_000, 9_000_000])
def test_a_long_text_between_short_ones(red_of_values: RedServer, wherescape: WhereScape, length: int) -> None:
    long = '😀"\\\n{},é' * (length // 8)
    check(
        red_of_values, wherescape, "text", [("a", "a"), (long, long), ("", ""), (None, None), (long + "\0", REJECTED)]
    )


@pytest.mark.parametrize("rows", [0, 1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, 2 * BATCH_ROWS])
def test_every_row_comes_once_at_the_border_of_a_batch(
    red_of_values: RedServer, wherescape: WhereScape, rows: int
) -> None:
    at_the_border = {1, *range(BATCH_ROWS - 2, BATCH_ROWS + 2), rows - 1}
    pairs: list[Pair] = [("x", REJECTED) if n in at_the_border else (n, n) for n in range(rows)]
    check(red_of_values, wherescape, "integer", pairs)


def test_a_source_that_fills_one_dict_again_and_again_is_refused(
    red_of_values: RedServer, wherescape: WhereScape
) -> None:
    def records() -> Iterator[dict[str, Any]]:
        record: dict[str, Any] = {}
        for record["n"] in range(3):
            yield record

    empty(red_of_values, wherescape)
    with pytest.raises(LoadError, match="yield a new dict"):
        wherescape.load(TABLE, records())
    assert stored(red_of_values) == []


LARGE: Mapping[str, Callable[[int], Any]] = {
    "texts": lambda n: {"n": n, "a_text": "x" * 1_500_000},
    "lists of numbers": lambda n: {"n": n, "a_json": [n] * 300_000},
    "nested": lambda n: {"n": n, "a_json": {"deep": [{"text": "x" * 1_500_000}]}},
}


@pytest.mark.parametrize("case", LARGE)
@pytest.mark.parametrize("as_records", [iter, pd.DataFrame], ids=["dicts", "frame"])
def test_a_batch_is_bounded_by_its_size(
    red_of_values: RedServer, wherescape: WhereScape, case: str, as_records: Callable[[Any], Any]
) -> None:
    empty(red_of_values, wherescape)
    wherescape.load(TABLE, as_records([LARGE[case](n) for n in range(14)]))
    batches = [batch["rows"] for batch in run_report(wherescape)["batches"]]
    assert sum(batches) == 14
    assert max(batches) <= 8


@pytest.mark.parametrize(
    "context",
    [decimal.ExtendedContext, decimal.BasicContext, decimal.Context(prec=3)],
    ids=["extended", "basic", "three digits"],
)
def test_the_context_of_decimals_changes_no_value(
    red_of_values: RedServer, wherescape: WhereScape, context: decimal.Context
) -> None:
    digits = "123456789.123456789"
    with decimal.localcontext(context):
        check(
            red_of_values, wherescape, "numeric", [(digits, Decimal(digits)), ("one", REJECTED), (0.1, Decimal("0.1"))]
        )
        check(red_of_values, wherescape, "double", [("0.1", 0.1), ("one", REJECTED), (2**53 + 1, REJECTED)])
        check(red_of_values, wherescape, "bigint", [(str(2**62), 2**62), ("one", REJECTED), ("1.5", REJECTED)])


NOON_OF_TOKYO = """\
from datetime import UTC, date, datetime
from wherescape import Column, Table, WhereScape

wherescape = WhereScape()
columns = (Column("n", "bigint"), Column("a_timestamp", "timestamp"), Column("a_date", "date"))
records = [
    {"n": 1, "a_timestamp": datetime(2026, 1, 5, 12), "a_date": date(2026, 1, 5)},
    {"n": 2, "a_timestamp": datetime(2026, 1, 5, 12, tzinfo=UTC), "a_date": "2026-01-05"},
    {"n": 3, "a_timestamp": "2026-01-05T12:00:00", "a_date": "2026-01-05"},
    {"n": 4, "a_timestamp": "2026-01-05T21:00:00+09:00", "a_date": "2026-01-05"},
    {"n": 5, "a_timestamp": datetime(2026, 1, 5, 21).astimezone(), "a_date": "2026-01-05"},
]
wherescape.load(Table("item", columns, ("n",), "items api"), records)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows takes its time zone from the system alone")
def test_the_time_zone_of_the_scheduler_changes_no_value(red_of_values: RedServer) -> None:
    script = red_of_values.workdir / "load.py"
    script.write_text(NOON_OF_TOKYO, encoding="utf-8")
    result = red_of_values.run_host_script(script, LOAD_TABLE, environment={"TZ": "JST-9"}, timeout=60)
    assert result.status == 1, result
    assert stored(red_of_values, "DISTINCT a_timestamp, a_date", "1") == [(datetime(2026, 1, 5, 12), date(2026, 1, 5))]


def is_for_sql_server(data_type: DataType, value: Any) -> bool:
    """Tell whether numeric(38,10) and float hold a number; they know no NaN."""
    if data_type == "double":
        return math.isfinite(value)
    if data_type == "numeric":
        number = Decimal(value)
        return number.is_finite() and abs(number) < 10**28 and (Fraction(number) * 10**10).denominator == 1
    return True


READERS_OF_SQL_SERVER: Mapping[DataType, Callable[[str], Any]] = {
    **READERS,
    "text": str,
    "boolean": {"1": True, "0": False}.__getitem__,
    "json": json.loads,
}
FORMS_OF_SQL_SERVER: Mapping[DataType, str] = {
    "numeric": r"-?\d+(\.\d+)?",
    "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?",
    "date": r"\d{4}-\d\d-\d\d",
    "boolean": "[01]",
}


@pytest.mark.parametrize("data_type", TYPES)
@FEW_BIG_EXAMPLES
@given(data=st.data())
def test_what_is_sent_to_sql_server_equals_what_came(data_type: DataType, data: st.DataObject) -> None:
    pairs = data.draw(lists_of(KINDS[data_type]))
    cursor: Any = RecordingCursor([[]])
    insert = dialects.SQL_SERVER.prepare_insert(cursor, "[load].[load_item]", ["[a]"])
    values, reasons = convert(
        [value for value, _ in pairs], data_type, dialects.SQL_SERVER.capacities.get(data_type, Capacity())
    )
    document = json.loads(insert.encode([values]))
    assert len(document) == len(pairs)
    for number, ((value, expected), [text]) in enumerate(zip(pairs, document, strict=True)):
        if expected == REJECTED or not (expected is None or is_for_sql_server(data_type, expected)):
            assert number in reasons, value
            continue
        assert number not in reasons, value
        assert text is None or re.fullmatch(FORMS_OF_SQL_SERVER.get(data_type, ".*"), text, re.DOTALL)
        assert is_same(data_type, None if text is None else READERS_OF_SQL_SERVER[data_type](text), expected), value


POSTGRESQL_TYPES = ["text", "integer", "bigint", "numeric", "double precision", "boolean", "date", "timestamp", "text"]
SQL_SERVER_TYPES = [
    *("nvarchar(max)", "int", "bigint", "numeric(38,10)", "float", "bit", "date", "datetime2", "nvarchar(max)"),
]


@pytest.mark.parametrize(
    ("dialect", "types"),
    [(dialects.POSTGRESQL, POSTGRESQL_TYPES), (dialects.SQL_SERVER, SQL_SERVER_TYPES)],
    ids=["PostgreSQL", "SQL Server"],
)
def test_the_types_of_a_target(dialect: dialects.Dialect, types: list[str]) -> None:
    assert [dialect.types[name] for name in TYPES] == types


@pytest.mark.parametrize(
    "setting",
    ["timezone = 'Asia/Tokyo'", "datestyle = 'SQL, DMY'", "extra_float_digits = 0", "bytea_output = 'escape'"],
)
def test_the_settings_of_a_session_change_no_value(red_of_values: RedServer, setting: str) -> None:
    red = red_of_values
    name = setting.partition(" ")[0]
    red.query_warehouse(f"ALTER ROLE warehouse SET {setting}")
    session = WhereScape(red.environment(LOAD_TABLE))
    try:
        empty(red, session)
        at = datetime(2026, 2, 1, 10, 5, tzinfo=UTC)
        session.load(TABLE, [{"n": 1, "a_timestamp": at, "a_date": date(2026, 2, 1), "a_double": 0.1 + 0.2}])
    finally:
        session.close()
        red.query_warehouse(f"ALTER ROLE warehouse RESET {name}")
    columns = "to_char(a_timestamp, 'YYYY-MM-DD HH24:MI'), to_char(a_date, 'YYYY-MM-DD'), CAST(a_double AS text)"
    assert stored(red, columns) == [("2026-02-01 10:05", "2026-02-01", "0.30000000000000004")]
