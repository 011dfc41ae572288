"""All that differs between PostgreSQL, SQL Server and any other target database over ODBC."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING, Any, Protocol

from wherescape import tsql
from wherescape.column_types import Capacity, Columns, DataType
from wherescape.database_text import database_text
from wherescape.errors import ValueDoesNotFit
from wherescape.postgresql_insert import ArrayInsert

if TYPE_CHECKING:
    import pyodbc

# PostgreSQL and SQL Server have it alike, a SQL Server that minds letter case in capitals only.
COLUMNS_OF_TABLE = (
    "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, IS_NULLABLE, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH,"
    " NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION FROM INFORMATION_SCHEMA.COLUMNS"
    " WHERE (CAST(? AS varchar(128)) = '' OR LOWER(TABLE_SCHEMA) = LOWER(?)) AND LOWER(TABLE_NAME) = LOWER(?)"
    " ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"
)


@dataclass(frozen=True)
class Savepoint:
    """The statements by which one refused batch can be undone, and not the whole transaction.

    Arguments:
        make, undo, release: around a batch; `release` may be empty.
        begin, end: around all batches; `end` fails if the transaction is no longer the one that they are in.
    """

    make: str
    undo: str
    release: str
    begin: str = ""
    end: str = ""


class PreparedInsert(Protocol):
    """An insert into one table, ready for batch after batch."""

    @property
    def sql(self) -> str:
        """The statement, whose parameters hold a whole batch."""

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
        facts: the query of version, encoding and time in UTC; empty where nobody knows one.
        has_right: the query of whether the user may do something, with table and right as parameters; NULL for a table
            that is not there.
        row_count: the aggregate that counts rows, however many there are.
        lock_limit: milliseconds to what goes before a query that shall not wait longer for the locks of others.
        newest_row: (table, column, the column's type, whether values without a zone are UTC) to the query of the
            newest value, as ISO text in the column's own clock, and its age in seconds; None where there is none yet.
    """

    name: str
    quotes: tuple[str, str]
    types: Mapping[DataType, str]
    prepare_insert: Callable[["pyodbc.Cursor", str, Sequence[str]], PreparedInsert]
    bind_utc: Callable[[datetime], object] = lambda moment: moment.replace(tzinfo=None)
    savepoint: Savepoint | None = None
    capacities: Mapping[DataType, Capacity] = field(default_factory=dict)
    longest_parameter: int = 0
    facts: str = ""
    has_right: str = ""
    row_count: str = "COUNT(*)"
    lock_limit: Callable[[int], str] = lambda milliseconds: ""
    newest_row: Callable[[str, str, str, bool], str] | None = None

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


# ---------------------------------------------------------------------------------------------------- SQL Server


class _JsonInsert:
    """One JSON document for a batch: `INSERT … SELECT … FROM OPENJSON(?) WITH (…)`.

    The fastest form, with Microsoft's driver as with FreeTDS, and one parameter (SQL Server takes 2,100). The values
    travel as text, so that decimals and fractions of seconds stay exact; of text and whole numbers, the table's own
    types refuse what does not fit, where a narrower type in WITH would cut it. A decimal or a moment is held to the
    types that a declaration is rendered to; a table with narrower ones rounds it.
    """

    def __init__(self, cursor: "pyodbc.Cursor", table: str, columns: Sequence[str]) -> None:
        self.sql = tsql.open_json_insert(table, columns)
        cursor.execute(tsql.no_rows(table, columns)).fetchall()
        self.capacities = None

    def encode(self, columns: Columns) -> str:
        return json.dumps(
            list(zip(*(_open_json_texts(values) for values in columns), strict=True)), ensure_ascii=False
        )

    def execute(self, cursor: "pyodbc.Cursor", encoded: str) -> None:
        # NOCOUNT and draining: without them Driver 18 hides an error behind a first result.
        cursor.execute(self.sql, (encoded,))
        while cursor.nextset():
            pass


def _open_json_texts(values: Sequence[Any]) -> Sequence[str | None]:
    return values if set(map(type, values)) <= {str, NoneType} else [_open_json_text(value) for value in values]


def _open_json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueDoesNotFit(f"SQL Server cannot store the number {value}.")
    if isinstance(value, datetime):
        # With a T, since the type datetime reads a date before a blank by the session's language.
        return database_text(value).replace(" ", "T")
    try:
        return database_text(value)
    except TypeError:
        raise ValueDoesNotFit(f"SQL Server cannot store a {type(value).__name__} exactly.") from None


# ------------------------------------------------------------------------------------------- any other database


class _RowInsert:
    """The driver's executemany: slow at a distance, right everywhere."""

    def __init__(self, cursor: "pyodbc.Cursor", table: str, columns: Sequence[str]) -> None:
        self.sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        self.capacities = None

    def encode(self, columns: Columns) -> list[tuple[Any, ...]]:
        return list(zip(*([_odbc_value(value) for value in values] for values in columns), strict=True))

    def execute(self, cursor: "pyodbc.Cursor", encoded: list[tuple[Any, ...]]) -> None:
        cursor.executemany(self.sql, encoded)


def _odbc_value(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    if value is None or isinstance(value, (str, bytes, bool, int, float, Decimal, date, time)):
        return value
    return database_text(value)


def _newest_row(table: str, column: str, data_type: str, is_utc: bool) -> str:
    # Compared with a moment, a timestamp without zone counts as one of the session's zone.
    zone = "SET LOCAL TIME ZONE 'UTC'; " if is_utc else ""
    return (
        f"{zone}SELECT to_char(MAX({column}), 'YYYY-MM-DD\"T\"HH24:MI:SS'),"
        f" EXTRACT(EPOCH FROM CURRENT_TIMESTAMP - MAX({column})) FROM {table}"
    )


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
    ArrayInsert,
    # With its offset it is right for a timestamp with time zone whatever the session's, and for one without as well.
    lambda moment: moment.isoformat(" "),
    Savepoint(
        "SAVEPOINT wherescape_batch",
        "ROLLBACK TO SAVEPOINT wherescape_batch",
        "RELEASE SAVEPOINT wherescape_batch",
        "SAVEPOINT wherescape_load",
        "RELEASE SAVEPOINT wherescape_load",
    ),
    longest_parameter=2**30,
    facts="SELECT current_setting('server_version'), current_setting('server_encoding'),"
    " timezone('UTC', clock_timestamp())",
    # Of a table that there is not, it is NULL.
    has_right="SELECT CAST(has_table_privilege(to_regclass(CAST(? AS text)), CAST(? AS text)) AS integer)",
    lock_limit=lambda milliseconds: f"SET LOCAL lock_timeout = {milliseconds}; ",
    newest_row=_newest_row,
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
    facts=tsql.FACTS,
    has_right=tsql.HAS_RIGHT,
    capacities={
        "numeric": Capacity(whole_digits=28, decimals=10, not_finite=False),
        "double": Capacity(not_finite=False),
    },
    row_count=tsql.ROW_COUNT,
    lock_limit=tsql.lock_limit,
    newest_row=tsql.newest_row,
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
