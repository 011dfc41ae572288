"""All that differs between PostgreSQL, SQL Server and any other target database over ODBC."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import UUID

from wherescape import tsql
from wherescape.errors import ValueDoesNotFit

if TYPE_CHECKING:
    import pyodbc

DataType = Literal["text", "integer", "bigint", "numeric", "double", "boolean", "date", "timestamp", "json"]
"""What the values of a declared column are; each dialect has its own column type for it."""

Columns = Sequence[Sequence[Any]]
"""A batch of rows, turned on its side: the values of each column."""


@dataclass(frozen=True)
class Capacity:
    """What a column of a target holds without changing it.

    Arguments:
        text_length: characters; None for no limit.
        whole_digits: digits of a decimal before the point.
        decimals: digits of a decimal behind the point; -2 for whole hundreds.
        fraction_digits: digits of a second's fraction.
        has_time: whether moments keep their time of day.
        keeps_offset: whether a moment needs its offset to be understood.
        binary_digits: of the significand, where numbers are kept as float; None for decimals and integers.
        not_finite: whether numbers may be NaN or infinite.
    """

    text_length: int | None = None
    whole_digits: int = 131_072
    decimals: int = 16_383
    fraction_digits: int = 6
    has_time: bool = True
    keeps_offset: bool = False
    binary_digits: int | None = None
    not_finite: bool = True

    @property
    def limits_digits(self) -> bool:
        """Whether it is a column of decimals with a precision and scale of its own."""
        return (self.whole_digits, self.decimals) != (131_072, 16_383)


@dataclass(frozen=True)
class Savepoint:
    """The statements by which one refused batch can be undone, and not the whole transaction."""

    make: str
    undo: str
    release: str


class PreparedInsert(Protocol):
    """An insert into one table, ready for batch after batch."""

    @property
    def capacities(self) -> Sequence[Capacity] | None:
        """What each of its columns holds; None if only the dialect can tell."""

    def encode(self, columns: Columns) -> Any:
        """Return a batch as `execute` sends it; raises ValueDoesNotFit."""

    def execute(self, cursor: "pyodbc.Cursor", encoded: Any) -> None:
        """Insert a batch; raises the driver's error."""


@dataclass(frozen=True)
class Dialect:
    """A kind of database.

    Arguments:
        name: for messages.
        quotes: what an identifier is quoted with, left and right.
        types: the column type for each type that a Column can declare.
        prepare_insert: (cursor, table, columns) to a PreparedInsert; table and columns as they stand in SQL.
        bind_utc: an aware moment in UTC to what is sent for it as a parameter.
        savepoint: None where a refused batch ends the transaction.
        capacities: what columns of the above types hold, where they limit it.
        longest_parameter: bytes of a parameter that pyodbc hands over at once; 0 for what the driver says. In pieces,
            a batch waits a hundred times for its turn among Python's threads.
    """

    name: str
    quotes: tuple[str, str]
    types: Mapping[DataType, str]
    prepare_insert: Callable[["pyodbc.Cursor", str, Sequence[str]], PreparedInsert]
    bind_utc: Callable[[datetime], object] = lambda moment: moment.replace(tzinfo=None)
    savepoint: Savepoint | None = None
    capacities: Mapping[DataType, Capacity] = field(default_factory=dict)
    longest_parameter: int = 0

    def quote(self, identifier: str) -> str:
        """Quote a name, so that a column may be called `default` or `order`."""
        left, right = self.quotes
        return left + identifier.replace(right, right * 2) + right


def of(dbms_name: str) -> Dialect:
    """Choose the dialect for what the driver calls its database (SQL_DBMS_NAME)."""
    name = dbms_name.lower()
    if "postgres" in name:
        return POSTGRESQL
    if "sql server" in name:
        return SQL_SERVER
    return OTHER


# ---------------------------------------------------------------------------------------------------- PostgreSQL


class _ArrayInsert:
    """One array parameter for each column: `INSERT … SELECT unnest(?::bigint[]), unnest(?::text[])`.

    A set of any size is one round trip, and far below psqlODBC's limit of 7,498 parameters a statement.
    """

    def __init__(self, cursor: "pyodbc.Cursor", table: str, columns: Sequence[str]) -> None:
        self.columns = columns
        types = _column_types(cursor, table, columns)
        self.capacities = [_capacity(column_type) for column_type in types]
        self.elements = [_array_element(column_type) for column_type in types]
        # unnest would take an array of arrays apart, so a column of arrays travels as texts.
        values = ", ".join(
            f"unnest(?::text[])::{element}" if element.endswith("[]") else f"unnest(?::{element}[])"
            for element in self.elements
        )
        # In the select list, since the server materializes what stands in FROM.
        self.sql = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values}"

    def encode(self, columns: Columns) -> list[str]:
        return [
            _array_literal(name, values, element)
            for name, values, element in zip(self.columns, columns, self.elements, strict=True)
        ]

    def execute(self, cursor: "pyodbc.Cursor", encoded: list[str]) -> None:
        cursor.execute(self.sql, encoded)


def _column_types(cursor: "pyodbc.Cursor", table: str, columns: Sequence[str]) -> list[str]:
    """Return each column's type with its length, of a domain the type below it; any user may ask the catalog."""
    rows = cursor.execute(
        "SELECT attname, CASE WHEN typtype = 'd' THEN pg_catalog.format_type(typbasetype, typtypmod)"
        " ELSE pg_catalog.format_type(atttypid, atttypmod) END"
        " FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_type ON pg_type.oid = atttypid"
        " WHERE attrelid = CAST(? AS regclass) AND attnum > 0 AND NOT attisdropped",
        (table,),
    ).fetchall()
    types = {str(row[0]): str(row[1]) for row in rows}
    # A column that is not there is left to the INSERT to refuse.
    return [types.get(_folded(column), "text") for column in columns]


_WITH_LENGTH = re.compile(r"(?P<name>[^(]*)\((?P<first>\d+)(?:,(?P<second>-?\d+))?\)(?P<rest>.*)")


_CAPACITIES = {
    "real": Capacity(binary_digits=24),
    "double precision": Capacity(binary_digits=53),
    "date": Capacity(has_time=False),
    "timestamp with time zone": Capacity(keeps_offset=True),
}


def _capacity(column_type: str) -> Capacity:
    if column_type in _CAPACITIES:
        return _CAPACITIES[column_type]
    match = _WITH_LENGTH.fullmatch(column_type)
    if match is None or match["rest"].endswith("[]"):
        return Capacity()
    length, scale = int(match["first"]), int(match["second"] or 0)
    if match["name"].startswith("character"):
        return Capacity(text_length=length)
    if match["name"] == "numeric":
        return Capacity(whole_digits=length - scale, decimals=scale)
    if match["name"].startswith("time"):
        return Capacity(fraction_digits=length, keeps_offset=match["rest"] == " with time zone")
    return Capacity()


def _array_element(column_type: str) -> str:
    """Return the type that a column's values are sent as.

    Without a length, since a cast to varchar(n), numeric(p,s) or bit(n) changes a value without a word, where
    inserting one that does not fit is refused.
    """
    match = _WITH_LENGTH.fullmatch(column_type)
    name = match["name"].rstrip() + match["rest"] if match else column_type
    if name.startswith("character") and not name.endswith("[]") or name in ("name", '"char"', "bpchar"):
        return "text"
    return "bit varying" if name == "bit" else name


def _folded(identifier: str) -> str:
    """Return the name that PostgreSQL understands by an identifier."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.lower()


def _array_literal(column: str, values: Sequence[Any], element: str) -> str:
    """Write a column as the text of an array, at once where all values are of one kind."""
    kinds = set(map(type, values))
    kinds.discard(NoneType)
    kind = kinds.pop() if len(kinds) == 1 else None
    is_json = element in ("json", "jsonb")
    if kind is str:
        joined = "".join(filter(None, values))
        if "\0" not in joined:
            if "\\" in joined or '"' in joined:
                values = [value and value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
            return "{" + ",".join(["NULL" if value is None else f'"{value}"' for value in values]) + "}"
    elif kind in (int, float, bool) and not is_json:
        # Python does not write integers of more than 4,300 digits.
        with suppress(ValueError):
            return "{" + ",".join(map(repr, values)).replace("None", "NULL") + "}"
    elif kind is date and not is_json or kind is Decimal and element == "numeric":
        return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"
    elif kind is datetime and not is_json and all(value is None or value.tzinfo is None for value in values):
        return "{" + ",".join(["NULL" if value is None else value.isoformat() for value in values]) + "}"
    return "{" + ",".join(_array_part(column, number, value, element) for number, value in enumerate(values, 1)) + "}"


def _array_part(column: str, number: int, value: Any, element: str) -> str:
    if value is None:
        return "NULL"
    try:
        text = _text(value, element)
    except (TypeError, OverflowError, ValueError):
        raise ValueDoesNotFit(
            f"Column {column}: the {type(value).__name__} in row {number} of a batch cannot be stored as {element}"
            " exactly; nothing was inserted."
        ) from None
    if "\0" in text:
        raise ValueDoesNotFit(
            f"Column {column}: the text of row {number} of a batch holds a NUL character, which PostgreSQL cannot"
            " store."
        )
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(value: Any, element: str = "") -> str:
    """Write a value as a database reads it, exactly.

    Arguments:
        value: anything that a column can hold.
        element: the PostgreSQL type that it is aimed at.

    Raises:
        TypeError: there is no exact text for it.
        OverflowError: a moment that is no date in UTC.
    """
    if isinstance(value, str):
        return value
    if element in ("json", "jsonb") or isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat(" ")
        # PostgreSQL drops the offset of a text that is aimed at a timestamp without time zone.
        utc = value.astimezone(UTC)
        return utc.isoformat(" ") if element == "timestamp with time zone" else utc.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, (bytes, bytearray, memoryview)):
        if element and element != "bytea":
            raise TypeError(value)
        return "\\x" + bytes(value).hex()
    if isinstance(value, time) and value.tzinfo is not None and element != "time with time zone":
        raise TypeError(value)
    if isinstance(value, Decimal) and value.is_finite():
        # SQL Server takes no exponent in the text of a decimal.
        return format(value, "f")
    if isinstance(value, (bool, int, float, Decimal, date, time, timedelta, UUID)):
        return str(value)
    raise TypeError(value)


# ---------------------------------------------------------------------------------------------------- SQL Server


class _JsonInsert:
    """One JSON document for a batch: `INSERT … SELECT … FROM OPENJSON(?) WITH (…)`.

    The fastest form, with Microsoft's driver as with FreeTDS, and one parameter (SQL Server takes 2,100). The values
    travel as text, so that decimals and fractions of seconds stay exact; the table's own types refuse what does not
    fit, where a narrower type in WITH would cut it.
    """

    def __init__(self, cursor: "pyodbc.Cursor", table: str, columns: Sequence[str]) -> None:
        self.sql = tsql.open_json_insert(table, columns)
        cursor.execute(tsql.no_rows(table, columns)).fetchall()
        self.capacities = None

    def encode(self, columns: Columns) -> str:
        return json.dumps(list(zip(*(_json_texts(values) for values in columns), strict=True)), ensure_ascii=False)

    def execute(self, cursor: "pyodbc.Cursor", encoded: str) -> None:
        # NOCOUNT and draining: without them Driver 18 hides an error behind a first result.
        cursor.execute(self.sql, (encoded,))
        while cursor.nextset():
            pass


def _json_texts(values: Sequence[Any]) -> Sequence[str | None]:
    return values if set(map(type, values)) <= {str, NoneType} else [_json_text(value) for value in values]


def _json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueDoesNotFit(f"SQL Server cannot store the number {value}.")
    if isinstance(value, datetime):
        # With a T, since the type datetime reads a date before a blank by the session's language.
        return _text(value).replace(" ", "T")
    try:
        return _text(value)
    except TypeError:
        raise ValueDoesNotFit(f"SQL Server cannot store a {type(value).__name__} exactly.") from None


# ------------------------------------------------------------------------------------------- any other database


class _RowInsert:
    """The driver's executemany: slow at a distance, right everywhere."""

    def __init__(self, cursor: "pyodbc.Cursor", table: str, columns: Sequence[str]) -> None:
        self.sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        self.capacities = None

    def encode(self, columns: Columns) -> list[tuple[Any, ...]]:
        return list(zip(*([_plain(value) for value in values] for values in columns), strict=True))

    def execute(self, cursor: "pyodbc.Cursor", encoded: list[tuple[Any, ...]]) -> None:
        cursor.executemany(self.sql, encoded)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    if value is None or isinstance(value, (str, bytes, bool, int, float, Decimal, date, time)):
        return value
    return _text(value)


POSTGRESQL = Dialect(
    "PostgreSQL",
    ('"', '"'),
    {
        "text": "text",
        "integer": "integer",
        "bigint": "bigint",
        "numeric": "numeric",
        "double": "double precision",
        "boolean": "boolean",
        "date": "date",
        "timestamp": "timestamp",
        "json": "text",
    },
    _ArrayInsert,
    # With its offset it is right for a timestamp with time zone whatever the session's, and for one without as well.
    lambda moment: moment.isoformat(" "),
    Savepoint(
        "SAVEPOINT wherescape_batch", "ROLLBACK TO SAVEPOINT wherescape_batch", "RELEASE SAVEPOINT wherescape_batch"
    ),
    longest_parameter=2**30,
)
SQL_SERVER = Dialect(
    "SQL Server",
    ("[", "]"),
    {
        "text": "nvarchar(max)",
        "integer": "int",
        "bigint": "bigint",
        "numeric": "numeric(38,10)",
        "double": "float",
        "boolean": "bit",
        "date": "date",
        "timestamp": "datetime2",
        "json": "nvarchar(max)",
    },
    _JsonInsert,
    savepoint=Savepoint(tsql.SAVE_BATCH, tsql.UNDO_BATCH, ""),
    capacities={
        "numeric": Capacity(whole_digits=28, decimals=10, not_finite=False),
        "double": Capacity(not_finite=False),
    },
)
OTHER = Dialect(
    "other",
    ('"', '"'),
    {
        "text": "varchar(4000)",
        "integer": "integer",
        "bigint": "bigint",
        "numeric": "numeric(38,10)",
        "double": "double precision",
        "boolean": "smallint",
        "date": "date",
        "timestamp": "timestamp",
        "json": "varchar(4000)",
    },
    _RowInsert,
    capacities={
        "text": Capacity(text_length=4_000),
        "numeric": Capacity(whole_digits=28, decimals=10, not_finite=False),
        "double": Capacity(not_finite=False),
        "json": Capacity(text_length=4_000),
    },
)
