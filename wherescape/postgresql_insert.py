"""PostgreSQL's set-based insert: what the catalog says of the columns, and their values as the texts of arrays."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING, Any

from wherescape.column_types import Capacity, Columns, DataType
from wherescape.database_text import database_text
from wherescape.errors import ValueDoesNotFit

if TYPE_CHECKING:
    import pyodbc


class ArrayInsert:
    """One array parameter for each column: `INSERT … SELECT unnest(?::bigint[]), unnest(?::text[])`.

    A set of any size is one round trip, and far below psqlODBC's limit of 7,498 parameters a statement.
    """

    def __init__(self, cursor: "pyodbc.Cursor", table: str, columns: Sequence[str]) -> None:
        self.columns = columns
        types = _column_types(cursor, table, columns)
        self.capacities = [_capacity(column_type) for column_type in types]
        self.elements = [_array_element(column_type) for column_type in types]
        self.sql = array_insert(table, columns, self.elements)

    def encode(self, columns: Columns) -> list[str]:
        """Return the text of an array for each column; raises ValueDoesNotFit."""
        return [
            _array_literal(name, values, element)
            for name, values, element in zip(self.columns, columns, self.elements, strict=True)
        ]

    def execute(self, cursor: "pyodbc.Cursor", encoded: list[str]) -> None:
        """Insert a batch; raises the driver's error."""
        cursor.execute(self.sql, encoded)


def array_insert(table: str, columns: Sequence[str], elements: Sequence[str]) -> str:
    """Return the statement.

    Arguments:
        table: as it stands in SQL, as do the columns.
        columns: to be filled.
        elements: the type that each column's values are sent as.
    """
    # unnest would take an array of arrays apart, so a column of arrays travels as texts.
    values = ", ".join(
        f"unnest(?::text[])::{element}" if element.endswith("[]") else f"unnest(?::{element}[])"
        for element in elements
    )
    # In the select list, since the server materializes what stands in FROM.
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values}"


def _column_types(cursor: "pyodbc.Cursor", table: str, columns: Sequence[str]) -> list[str]:
    """Return each column's type with its length, of a domain the type below it; any user may ask the catalog."""
    rows = cursor.execute(
        "WITH RECURSIVE base(name, type, modifier) AS ("
        " SELECT attname, atttypid, atttypmod FROM pg_catalog.pg_attribute"
        " WHERE attrelid = CAST(? AS regclass) AND attnum > 0 AND NOT attisdropped"
        " UNION ALL SELECT name, typbasetype, typtypmod FROM base JOIN pg_catalog.pg_type ON oid = type"
        " WHERE typtype = 'd')"
        " SELECT name, pg_catalog.format_type(type, modifier) FROM base JOIN pg_catalog.pg_type ON oid = type"
        " WHERE typtype <> 'd'",
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
    "name": Capacity(text_length=63),
    '"char"': Capacity(text_length=1),
    "timestamp with time zone": Capacity(keeps_offset=True),
}


_DATA_TYPES: Mapping[str, DataType] = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "bigint",
    "numeric": "numeric",
    "real": "double",
    "double precision": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamp",
}


def _capacity(column_type: str) -> Capacity:
    match = _WITH_LENGTH.fullmatch(column_type)
    name = match["name"] if match else column_type
    capacity = _CAPACITIES.get(name + match["rest"] if match else name, Capacity())
    if match and not match["rest"].endswith("[]"):
        length, scale = int(match["first"]), int(match["second"] or 0)
        if name.startswith("character"):
            capacity = Capacity(text_length=length)
        elif name == "numeric":
            capacity = Capacity(whole_digits=length - scale, decimals=scale)
        elif name == "timestamp":
            capacity = replace(capacity, fraction_digits=length)
    return replace(capacity, data_type=_DATA_TYPES.get(name))


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
            if None not in values:
                return '{"' + '","'.join(values) + '"}'
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
        text = database_text(value, element)
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
