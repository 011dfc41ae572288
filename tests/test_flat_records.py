"""Nested records made flat, and numbers made moments, before they are loaded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wherescape.epoch import from_epoch, to_epoch, with_moments
from wherescape.flat_records import flat_record


@pytest.mark.parametrize(
    ("record", "sources", "flat"),
    [
        ({"id": 1}, (), {"id": 1}),
        ({"author": {"name": "Ann", "team": {"id": 2}}}, (), {"author.name": "Ann", "author.team.id": 2}),
        ({"tags": [{"name": "a"}], "none": None}, (), {"tags": [{"name": "a"}], "none": None}),
        ({"author": {"name": "Ann"}}, ("author",), {"author": {"name": "Ann"}}),
        ({"author": None}, ("author.name", "author.team.id"), {"author.name": None, "author.team.id": None}),
        ({"author": {"team": None}}, ("author.name", "author.team.id"), {"author.team.id": None}),
        ({"author": None}, ("id",), {"author": None}),
        ({"author": {}}, ("author.name",), {}),
    ],
)
def test_a_record_of_one_level(record: dict[str, Any], sources: tuple[str, ...], flat: dict[str, Any]) -> None:
    assert flat_record(record, sources) == flat


@pytest.mark.parametrize(
    ("number", "per_second", "moment"),
    [
        (0, 1, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_767_607_200_123, 1_000, datetime(2026, 1, 5, 10, 0, 0, 123_000, tzinfo=UTC)),
        (-1.5, 1, datetime(1969, 12, 31, 23, 59, 58, 500_000, tzinfo=UTC)),
        (None, 1, None),
        ("2026-01-05", 1, "2026-01-05"),
        (True, 1, True),
        (10**30, 1, 10**30),
        (float("nan"), 1, None),
    ],
)
def test_a_number_becomes_a_moment_or_is_left_to_the_load(number: Any, per_second: int, moment: Any) -> None:
    found = from_epoch(number, per_second)
    assert found == moment or (moment is None and found is number)


def test_a_moment_becomes_a_number_and_is_never_later_than_it() -> None:
    moment = datetime(2026, 1, 5, 10, 0, 0, 999_999, tzinfo=UTC)
    assert to_epoch(moment) == 1_767_607_200
    assert to_epoch(moment, 1_000) == 1_767_607_200_999
    assert to_epoch(datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC)) == -1
    assert from_epoch(to_epoch(moment, 1_000_000), 1_000_000) - moment == timedelta()


def test_only_the_named_fields_become_moments() -> None:
    record = {"id": 5, "updated": 5}
    assert with_moments(record, ("updated", "gone")) == {"id": 5, "updated": datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)}
    assert record["updated"] == 5
