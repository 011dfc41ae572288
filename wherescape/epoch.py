"""Moments as numbers since 1970-01-01 UTC, as many APIs write them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from wherescape.api_response import Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_epoch(number: Any, per_second: int = 1) -> Any:
    """Return an aware moment in UTC, exact to the microsecond.

    Arguments:
        number: seconds since 1970, or parts of a second; what is no number stays as it is, for the load to refuse.
        per_second: how many make a second: 1,000 for milliseconds.
    """
    if isinstance(number, bool):
        return number
    try:
        return _EPOCH + timedelta(microseconds=number * 1_000_000 / per_second)
    except (TypeError, ValueError, OverflowError):
        return number


def to_epoch(moment: datetime, per_second: int = 1) -> int:
    """Return the whole number of an aware moment, rounded down.

    Arguments:
        moment: aware.
        per_second: how many make a second: 1,000 for milliseconds.
    """
    return (moment - _EPOCH) // timedelta(microseconds=1) * per_second // 1_000_000


def with_moments(record: Record, fields: Iterable[str], per_second: int = 1) -> Record:
    """Return a record with the numbers in some of its fields made moments; see `from_epoch`."""
    return record | {field: from_epoch(record[field], per_second) for field in fields if field in record}
