"""All that differs between PostgreSQL, SQL Server and any other target database over ODBC."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol

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
    """

    name: str
    quotes: tuple[str, str]
    types: Mapping[DataType, str]
    prepare_insert: Callable[["pyodbc.Cursor", str, Sequence[str]], PreparedInsert]

    def quote(self, identifier: str) -> str:
        """Quote a name, so that a column may be called `default` or `order`."""
        left, right = self.quotes
        return left + identifier.replace(right, right * 2) + right

    def truncate(self, table: str) -> str:
        """Return the statement that empties a table."""
        return f"TRUNCATE TABLE {table}"


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
        # The database itself says what `table` and its columns are, so that its rules of quoting and case apply.
        described = cursor.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE false").description
        self.types = [_array_element(cursor, table, column[0]) for column in described]
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


def _array_element(cursor: "pyodbc.Cursor", table: str, column: str) -> str:
    row = cursor.execute(
        "SELECT pg_catalog.format_type(a.atttypid, NULL) FROM pg_catalog.pg_attribute AS a"
        " WHERE a.attrelid = CAST(? AS regclass) AND a.attname = ?",
        (table, column),
    ).fetchone()
    element = str(row[0])
    # A cast to varchar(n) would cut a long text without a word; inserting a text into it is refused.
    return "text" if element.startswith("character") else element


def _array_literal(column: str, values: Sequence[Any], element: str) -> str:
    aware = element == "timestamp with time zone"
    parts = []
    for number, value in enumerate(values, start=1):
        if value is None:
            parts.append("NULL")
            continue
        text = _text(value, aware)
        if "\0" in text:
            raise ValueDoesNotFit(
                f"Column {column}: the text of row {number} of a batch holds a NUL character, which PostgreSQL cannot"
                " store."
            )
        parts.append('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + ",".join(parts) + "}"


def _text(value: Any, aware: bool) -> str:
    """Write a value as PostgreSQL reads it, exactly."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat(" ")
        # PostgreSQL drops the offset of a text that is aimed at a timestamp without time zone.
        utc = value.astimezone(UTC)
        return utc.isoformat(" ") if aware else utc.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, (bytes, bytearray)):
        return "\\x" + value.hex()
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


# ---------------------------------------------------------------------------------------------------- SQL Server


class _JsonInsert:
    """One JSON document for a batch: `INSERT … SELECT … FROM OPENJSON(?) WITH (…)`.

    The fastest form, with Microsoft's driver as with FreeTDS, and one parameter (SQL Server takes 2,100). The values
    travel as text, so that decimals and fractions of seconds stay exact; the table's own types refuse what does not
    fit, where a narrower type in WITH would cut it.
    """

    def __init__(self, cursor: "pyodbc.Cursor", table: str, columns: Sequence[str]) -> None:
        self.sql = open_json_insert(table, columns)

    def insert(self, cursor: "pyodbc.Cursor", rows: Rows) -> None:
        document = [[_json_text(value) for value in row] for row in rows]
        # NOCOUNT and draining: without them Driver 18 hides an error behind a first result.
        cursor.execute(self.sql, (json.dumps(document, ensure_ascii=False),))
        while cursor.nextset():
            pass


def open_json_insert(table: str, columns: Sequence[str]) -> str:
    """Return SQL Server's set-based insert of a JSON array of rows, each an array of texts."""
    parsed = ", ".join(f"c{number} nvarchar(max) '$[{number}]'" for number in range(len(columns)))
    selected = ", ".join(f"c{number}" for number in range(len(columns)))
    return (
        f"SET NOCOUNT ON; INSERT INTO {table} ({', '.join(columns)})"
        f" SELECT {selected} FROM OPENJSON(?) WITH ({parsed});"
    )


def _json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueDoesNotFit(f"SQL Server cannot store the number {value}.")
    return _text(value, aware=False)


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
    return _text(value, aware=False)


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
