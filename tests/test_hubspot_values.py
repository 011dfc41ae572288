"""The forms that HubSpot takes values in."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tests.servers.hubspot_portal import definition, options
from wherescape.connectors.hubspot.hubspot_values import means_the_same, to_hubspot
from wherescape.errors import ValueDoesNotFit

SELECT = definition("color", "enumeration", options=options("red", "blue", "true"))
CHECKBOX = definition("colors", "enumeration", options=options("red", "blue"), fieldType="checkbox")
OWNER = definition("hubspot_owner_id", "enumeration", externalOptions=True)


def of(kind: str) -> dict[str, Any]:
    return definition("x", kind)


@pytest.mark.parametrize(
    ("value", "about", "expected"),
    [
        (None, of("string"), ""),
        ("", of("number"), ""),
        (" a\n", of("string"), " a\n"),
        (5, of("string"), "5"),
        (Decimal("1.50"), of("string"), "1.5"),
        (True, of("string"), "true"),
        (Decimal("12345678901234567890.123456789"), of("number"), "12345678901234567890.123456789"),
        (Decimal("1E+3"), of("number"), "1000"),
        (Decimal("-0.00"), of("number"), "0"),
        (0.1, of("number"), "0.1"),
        (1e-7, of("number"), "0.0000001"),
        (" 42 ", of("number"), "42"),
        (True, of("bool"), "true"),
        (0, of("bool"), "false"),
        ("Yes", of("bool"), "true"),
        (date(2026, 1, 5), of("date"), "2026-01-05"),
        (datetime(2026, 1, 5), of("date"), "2026-01-05"),
        (datetime(2026, 1, 5, tzinfo=UTC), of("date"), "2026-01-05"),
        ("2026-01-05", of("date"), "2026-01-05"),
        ("1767571200000", of("date"), "2026-01-05"),
        (datetime(2026, 1, 5, 10, 5), of("datetime"), "2026-01-05T10:05:00.000Z"),
        (datetime(2026, 1, 5, 10, 5, tzinfo=timezone(timedelta(hours=1))), of("datetime"), "2026-01-05T09:05:00.000Z"),
        ("2026-01-05T10:05:00+01:00", of("datetime"), "2026-01-05T09:05:00.000Z"),
        (date(2026, 1, 5), of("datetime"), "2026-01-05T00:00:00.000Z"),
        ("red", SELECT, "red"),
        (True, SELECT, "true"),
        ("red;blue", CHECKBOX, "red;blue"),
        ('["red", "blue"]', CHECKBOX, "red;blue"),
        (" red ; blue;", CHECKBOX, "red;blue"),
        (4711, OWNER, "4711"),
    ],
)
def test_a_value_is_written_as_hubspot_takes_it(value: object, about: dict[str, Any], expected: str) -> None:
    assert to_hubspot(value, about) == expected


@pytest.mark.parametrize(
    ("value", "about", "said"),
    [
        ("1,5", of("number"), "no number"),
        (float("nan"), of("number"), "no number"),
        (Decimal("Infinity"), of("number"), "no number"),
        (True, of("number"), "no number"),
        ("maybe", of("bool"), "neither true nor false"),
        ("05-01-2026", of("date"), "no date"),
        (datetime(2026, 1, 5, 10, 5), of("date"), "time of day"),
        ("soon", of("datetime"), "no moment"),
        ("green", SELECT, "none of the property's values"),
        ("RED", SELECT, "label of a value; HubSpot takes the value itself, red"),
        ("red;green", CHECKBOX, "none of the property's values"),
        (b"red", of("string"), "binary"),
    ],
)
def test_what_hubspot_would_refuse_is_refused_without_being_shown(
    value: object, about: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueDoesNotFit, match=said) as raised:
        to_hubspot(value, about)
    assert str(value) not in str(raised.value).split()


@pytest.mark.parametrize(
    ("one", "other", "about", "expected"),
    [
        ("", None, of("string"), True),
        ("a", "A", of("string"), False),
        ("1", "1.0", of("number"), True),
        ("1", "2", of("number"), False),
        ("2026-01-05", "1767571200000", of("date"), True),
        ("2026-01-05T10:05:00.000Z", "2026-01-05T10:05:00Z", of("datetime"), True),
        ("true", "false", of("bool"), False),
        ("red;blue", "blue;red", CHECKBOX, True),
        ("red", "red;blue", CHECKBOX, False),
        ("red", "something else", of("number"), False),
        ("Ann@Example.com", "ann@example.com", definition("email"), True),
        ("a", " a ", of("string"), True),
    ],
)
def test_values_are_compared_by_what_they_mean(
    one: str, other: str | None, about: dict[str, Any], expected: bool
) -> None:
    assert means_the_same(one, other, about) is expected
    if other is not None:
        assert means_the_same(other, one, about) is expected
