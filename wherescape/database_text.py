"""Any value as the text that a database reads it from."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID


def database_text(value: Any, element: str = "") -> str:
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
