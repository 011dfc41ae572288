"""Records in, load table out."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from wherescape.database import Database
from wherescape.errors import ValueDoesNotFit
from wherescape.tables import Column, Table

Record = Mapping[str, Any]
LONGEST_NUMBER = 1_000


@dataclass(frozen=True)
class LoadResult:
    """What a load did.

    Arguments:
        inserted: rows that are now in the load table because of it.
        seconds: how long it took, from the first record to the commit.
    """

    inserted: int
    seconds: float


def load_records(
    database: Database, full_name: str, table: Table, records: Iterable[Record], started: datetime
) -> LoadResult:
    """Insert records into a load table, all in one transaction.

    Arguments:
        database: where the load table is.
        full_name: the load table's schema and name as they stand in SQL.
        table: the declaration.
        records: dicts; read as they are inserted. A key that is missing becomes NULL.
        started: aware; becomes `dss_load_date`.

    Raises:
        ValueDoesNotFit: a value does not fit its column; nothing was inserted.
        DatabaseError: nothing was inserted.
    """
    begin = time.monotonic()
    quote = database.dialect.quote
    names = [quote(column.name) for column in table.all_columns]
    inserted = database.insert(full_name, names, rows_of(table, records, started))
    return LoadResult(inserted, time.monotonic() - begin)


def rows_of(table: Table, records: Iterable[Record], started: datetime) -> Iterator[tuple[Any, ...]]:
    """Turn records into rows in column order, every value in its column's type."""
    readers = [(column, _READERS[column.data_type]) for column in table.columns]
    tail = (table.record_source, started.astimezone(UTC).replace(tzinfo=None))
    for number, record in enumerate(records, start=1):
        values = [_read(column, reader, record.get(column.source), number) for column, reader in readers]
        yield (*values, *tail)


def _read(column: Column, reader: Callable[[Any], Any], value: Any, number: int) -> Any:
    if value is None:
        return None
    try:
        return reader(value)
    except (ValueError, TypeError, InvalidOperation, OverflowError):
        shown = repr(value)
        raise ValueDoesNotFit(
            f"Record {number}: {shown[:80] + '...' if len(shown) > 80 else shown} does not fit column {column.name},"
            f" a {column.data_type}. Nothing was loaded; correct the value at the source or the column's type."
        ) from None


def as_text(value: Any) -> str:
    """Return text as it is, and anything else as JSON."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    """Return the text of a JSON document; dates, moments and decimals in it become texts."""
    return json.dumps(value, ensure_ascii=False, default=_json_text)


def _json_text(value: Any) -> str:
    if isinstance(value, (date, Decimal, UUID)):
        return str(value)
    raise TypeError(value)


def as_whole_number(value: Any) -> int:
    """Return an int; refuses fractions."""
    number = as_decimal(value)
    if not number.is_finite() or number.adjusted() > LONGEST_NUMBER:
        raise ValueError(value)
    if number != number.to_integral_value():
        raise ValueError(value)
    return int(number)


def as_decimal(value: Any) -> Decimal:
    """Return a Decimal that is exactly the number's shortest text."""
    if isinstance(value, bool):
        raise TypeError(value)
    return Decimal(str(value))


def as_double(value: Any) -> float:
    """Return a float."""
    if isinstance(value, bool):
        raise TypeError(value)
    return float(value)


def as_boolean(value: Any) -> bool:
    """Return a bool from a bool or the texts `true` and `false`."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise TypeError(value)


def as_date(value: Any) -> date:
    """Return a date from a date or an ISO 8601 text."""
    if isinstance(value, datetime):
        raise TypeError(value)
    return value if isinstance(value, date) else date.fromisoformat(value)


def as_timestamp(value: Any) -> datetime:
    """Return a naive datetime in UTC from a datetime, a date or an ISO 8601 text; no offset is taken as UTC."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "text": as_text,
    "integer": as_whole_number,
    "bigint": as_whole_number,
    "numeric": as_decimal,
    "double": as_double,
    "boolean": as_boolean,
    "date": as_date,
    "timestamp": as_timestamp,
    "json": as_json,
}
