"""The forms that HubSpot takes values in, and whether two of them mean the same.

Source: HubSpot, "Properties": every value is a text; dates are `2026-01-05`, moments ISO 8601 in UTC, several values
of an enumeration stand with semicolons in between, and an empty text clears a value.
"""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from wherescape.api_response import Record
from wherescape.errors import ValueDoesNotFit

KEPT_IN_LOWER_CASE = ("email", "domain")
"""Properties that HubSpot writes in lower case, whatever it is sent."""
TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


def as_kept(name: str, text: str) -> str:
    """Return a value of a property as HubSpot writes it down."""
    return text.strip().lower() if name in KEPT_IN_LOWER_CASE else text


def to_hubspot(value: object, definition: Record) -> str:
    """Return a value as HubSpot takes it; an empty text for None.

    Arguments:
        value: as the database gives it; a moment without an offset is in UTC.
        definition: of the property, with its options.

    Raises:
        ValueDoesNotFit: HubSpot would refuse it; the message does not show the value.
    """
    if value is None or value == "":
        return ""
    write = _WRITERS.get(str(definition.get("type")), _text)
    return as_kept(str(definition.get("name")), write(value, definition))


def means_the_same(one: str | None, other: str | None, definition: Record) -> bool:
    """Tell whether two values of a property are the same to HubSpot."""
    if not one or not other:
        return (one or "") == (other or "")
    if one.strip() == other.strip():
        return True
    name = str(definition.get("name"))
    if as_kept(name, one) == as_kept(name, other):
        return True
    kind = str(definition.get("type"))
    try:
        if kind == "enumeration" and _holds_several(definition):
            return {*_parts(one)} == {*_parts(other)}
        if kind in _WRITERS and kind != "enumeration":
            return _WRITERS[kind](one, definition) == _WRITERS[kind](other, definition)
    except ValueDoesNotFit:
        return False
    return False


def _text(value: object, definition: Record) -> str:
    if isinstance(value, (bytes, bytearray)):
        raise ValueDoesNotFit("is binary")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return _plain(value)
    if isinstance(value, datetime):
        return _moment(value, definition)
    return str(value)


def _number(value: object, definition: Record) -> str:
    if isinstance(value, bool):
        raise ValueDoesNotFit("is no number")
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueDoesNotFit("is no number") from None
    if not number.is_finite():
        raise ValueDoesNotFit("is no number")
    return _plain(number)


def _plain(number: Decimal) -> str:
    """Write a number without an exponent, and without zeros that mean nothing."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text


def _boolean(value: object, definition: Record) -> str:
    text = str(value).strip().lower()
    if text in TRUE:
        return "true"
    if text in FALSE:
        return "false"
    raise ValueDoesNotFit("is neither true nor false")


def _date(value: object, definition: Record) -> str:
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        if moment.time() != time():
            raise ValueDoesNotFit("is a date with a time of day")
        return moment.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = str(value).strip()
    try:
        if text.isdecimal() and len(text) > len("20260105"):
            return _date(datetime.fromtimestamp(int(text) / 1000, UTC), definition)
        return date.fromisoformat(text).isoformat() if "T" not in text else _date(_parsed(text), definition)
    except (ValueError, OverflowError, OSError):
        raise ValueDoesNotFit("is no date") from None


def _moment(value: object, definition: Record) -> str:
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime.combine(value, time(), UTC)
    else:
        moment = _parsed(str(value).strip())
    try:
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
    except OverflowError:
        raise ValueDoesNotFit("is no moment") from None
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _parsed(text: str) -> datetime:
    try:
        if text.isdecimal():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise ValueDoesNotFit("is no moment") from None


def _enumeration(value: object, definition: Record) -> str:
    options = definition.get("options") or ()
    known = {str(each.get("value")): str(each.get("label")) for each in options}
    several = _holds_several(definition)
    parts = _parts(_listed(value)) if several else [_listed(value)]
    if definition.get("externalOptions") or not known:
        # Owners and the like, which the definition does not list.
        return ";".join(parts)
    chosen = []
    for part in parts:
        if part in known:
            chosen.append(part)
            continue
        lower = part.lower()
        if lower in (TRUE[0], FALSE[0]) and lower in known:
            chosen.append(lower)
            continue
        of_label = [name for name, label in known.items() if label.lower() == lower]
        if of_label:
            raise ValueDoesNotFit(f"is the label of a value; HubSpot takes the value itself, {of_label[0]}")
        raise ValueDoesNotFit("is none of the property's values")
    return ";".join(chosen)


def _listed(value: object) -> str:
    """Return several values as HubSpot has them, be they a JSON list."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value).strip()
    if text.startswith("["):
        try:
            items = json.loads(text)
        except ValueError:
            return text
        if isinstance(items, list):
            return ";".join(str(item) for item in items)
    return text


def _holds_several(definition: Record) -> bool:
    return definition.get("fieldType") == "checkbox"


def _parts(text: str) -> list[str]:
    # HubSpot writes a semicolon in front of values that were added to others.
    return [part.strip() for part in text.split(";") if part.strip()]


_WRITERS: dict[str, Callable[[Any, Record], str]] = {
    "number": _number,
    "bool": _boolean,
    "date": _date,
    "datetime": _moment,
    "enumeration": _enumeration,
}
