"""All that differs between PostgreSQL, SQL Server and any other target database over ODBC."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import UUID

from wherescape import tsql
from wherescape.errors import ValueDoesNotFit

if TYPE_CHECKING:
    import pyodbc

DataType = Literal["text", "integer", "bigint", "numeric", "double", "boolean", "date", "timestamp", "json"]
"""What the values of a declared column are; each dialect has its own column type for it."""

Rows = Sequence[Sequence[Any]]


class PreparedInsert(Protocol):
    """An insert into one table, ready for batch after batch."""

    def insert(self, cursor: "pyodbc.Cursor", rows: Rows) -> None:
        """Insert a batch of rows; raises the driver's error or ValueDoesNotFit."""


@dataclass(frozen=True)
class Dialect:
    """A kind of database.

    Arguments:
        name: for messages.
        quotes: what an identifier is quoted with, left and right.
        types: the column type for each type that a Column can declare.
        prepare_insert: (cursor, table, columns) to a PreparedInsert; table and columns as they stand in SQL.
        bind_utc: an aware moment in UTC to what is sent for it as a parameter.
    """

    name: str
    quotes: tuple[str, str]
    types: Mapping[DataType, str]
    prepare_insert: Callable[["pyodbc.Cursor", str, Sequence[str]], PreparedInsert]
    bind_utc: Callable[[datetime], object] = lambda moment: moment.replace(tzinfo=None)

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
    """One array parameter for each column: `INSERT … SELECT * FROM unnest(?::bigint[], ?::text[])`.

    A set of any size is one round trip, and far below psqlODBC's limit of 7,498 parameters a statement.
    """

    def __init__(self, cursor: "pyodbc.Cursor", table: str, columns: Sequence[str]) -> None:
        self.columns = columns
        self.types = _array_elements(cursor, table, columns)
        # unnest would take an array of arrays apart, so a column of arrays travels as texts.
        nested = [element.endswith("[]") for element in self.types]
        arrays = ", ".join(
            f"?::{'text' if is_array else element}[]" for element, is_array in zip(self.types, nested, strict=True)
        )
        names = [f"c{number}" for number in range(len(columns))]
        selected = ", ".join(
            f"{name}::{element}" if is_array else name
            for name, element, is_array in zip(names, self.types, nested, strict=True)
        )
        self.sql = (
            f"INSERT INTO {table} ({', '.join(columns)})"
            f" SELECT {selected} FROM unnest({arrays}) AS u({', '.join(names)})"
        )

    def insert(self, cursor: "pyodbc.Cursor", rows: Rows) -> None:
        values = zip(*rows, strict=True)
        cursor.execute(
            self.sql,
            [
                _array_literal(column, values, element)
                for column, values, element in zip(self.columns, values, self.types, strict=True)
            ],
        )


def _array_elements(cursor: "pyodbc.Cursor", table: str, columns: Sequence[str]) -> list[str]:
    """Return the type that each column's values are sent as; asks the catalog, for which no right is needed."""
    rows = cursor.execute(
        "SELECT attname, pg_catalog.format_type(atttypid, NULL) FROM pg_catalog.pg_attribute"
        " WHERE attrelid = CAST(? AS regclass) AND attnum > 0 AND NOT attisdropped",
        (table,),
    ).fetchall()
    types = {str(row[0]): str(row[1]) for row in rows}
    # A column that is not there is left to the INSERT to refuse.
    return [_array_element(types.get(_folded(column), "text")) for column in columns]


def _array_element(column_type: str) -> str:
    # A cast to varchar(n) or bit(n) would cut a value without a word; inserting a longer one is refused.
    if column_type.startswith("character") or column_type in ("name", '"char"'):
        return "text"
    return "bit varying" if column_type == "bit" else column_type


def _folded(identifier: str) -> str:
    """Return the name that PostgreSQL understands by an identifier."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.lower()


def _array_literal(column: str, values: Sequence[Any], element: str) -> str:
    parts = []
    for number, value in enumerate(values, start=1):
        if value is None:
            parts.append("NULL")
            continue
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
        parts.append('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + ",".join(parts) + "}"


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

    def insert(self, cursor: "pyodbc.Cursor", rows: Rows) -> None:
        document = [[_json_text(value) for value in row] for row in rows]
        # NOCOUNT and draining: without them Driver 18 hides an error behind a first result.
        cursor.execute(self.sql, (json.dumps(document, ensure_ascii=False),))
        while cursor.nextset():
            pass


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

    def insert(self, cursor: "pyodbc.Cursor", rows: Rows) -> None:
        cursor.executemany(self.sql, [[_plain(value) for value in row] for row in rows])


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
)
