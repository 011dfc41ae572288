"""Moments on their way to Jira and back, in time zones whose clocks are put back and forward."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherescape.connectors.jira.jira_time import StatusChange, first_in_progress, jql_moment, moment, time_zone
from wherescape.errors import ApiAnswerInvalid

ZONES = ("Europe/Amsterdam", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata", "America/New_York", "UTC")
AUTUMNS = {
    "Europe/Amsterdam": datetime(2026, 10, 25, 1, tzinfo=UTC),
    "America/New_York": datetime(2026, 11, 1, 6, tzinfo=UTC),
    "America/Sao_Paulo": datetime(2018, 2, 18, 2, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 4, 15, tzinfo=UTC),
}
"""When clocks were put back: the moment at which the doubled time begins for the second time."""


def readings(text: str, zone: str) -> list[datetime]:
    """Return the moments as which Jira may read a text."""
    local = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(zone))
    return [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]


@pytest.mark.parametrize(
    ("since", "zone", "text"),
    [
        ("2026-01-05T10:05:59.999+00:00", "UTC", "2026-01-05 10:05"),
        ("2026-01-05T10:05:59+00:00", "Europe/Amsterdam", "2026-01-05 11:05"),
        ("2026-07-05T10:05:59+00:00", "Europe/Amsterdam", "2026-07-05 12:05"),
        ("2026-01-05T23:05:59+00:00", "Asia/Kolkata", "2026-01-06 04:35"),
        ("2026-01-05T10:05:59+00:00", "America/Sao_Paulo", "2026-01-05 07:05"),
        ("2026-01-05T10:05:59+00:00", "Australia/Lord_Howe", "2026-01-05 21:05"),
        ("2026-01-05T12:05:59+02:00", "UTC", "2026-01-05 10:05"),
        # In Amsterdam, 02:30 comes twice; what is in the first of them may be read as the second one.
        ("2026-10-25T00:30:10+00:00", "Europe/Amsterdam", "2026-10-25 01:30"),
        ("2026-10-25T01:30:10+00:00", "Europe/Amsterdam", "2026-10-25 02:30"),
        # On Lord Howe, half an hour comes twice.
        ("2026-04-04T14:45:10+00:00", "Australia/Lord_Howe", "2026-04-05 01:15"),
        ("2026-04-04T15:15:10+00:00", "Australia/Lord_Howe", "2026-04-05 01:45"),
        # In spring, 02:30 does not exist.
        ("2026-03-29T01:10:00+00:00", "Europe/Amsterdam", "2026-03-29 03:10"),
    ],
)
def test_a_moment_is_written_in_the_users_time_zone(since: str, zone: str, text: str) -> None:
    assert jql_moment(datetime.fromisoformat(since), ZoneInfo(zone)) == text


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(ZONES),
)
def test_a_moment_is_never_read_as_a_later_one(since: datetime, zone: str) -> None:
    first, second = readings(jql_moment(since, ZoneInfo(zone)), zone)
    assert first <= since and second <= since
    assert since - max(first, second) < timedelta(hours=1, minutes=1)


@pytest.mark.parametrize("zone", AUTUMNS)
@pytest.mark.parametrize("minutes", range(-70, 75, 5))
def test_a_moment_around_a_doubled_time_is_never_read_as_a_later_one(zone: str, minutes: int) -> None:
    since = AUTUMNS[zone] + timedelta(minutes=minutes, seconds=17)
    assert max(readings(jql_moment(since, ZoneInfo(zone)), zone)) <= since


@pytest.mark.parametrize("name", ["", None, "Middle-earth/Shire", "../../etc/passwd", "Europe"])
def test_an_unknown_time_zone_says_what_to_do(name: object) -> None:
    with pytest.raises(ApiAnswerInvalid, match="pip install --upgrade tzdata") as raised:
        time_zone(name)
    assert repr(name) in str(raised.value)


@pytest.mark.parametrize(
    "value",
    [
        1_591_920_793_360,
        "1591920793360",
        "2020-06-12T08:13:13.360+0800",
        "2020-06-12T00:13:13.360+00:00",
        "2020-06-12T00:13:13.360Z",
    ],
)
def test_a_moment_of_a_history_is_read_in_every_form(value: object) -> None:
    assert moment(value) == datetime(2020, 6, 12, 0, 13, 13, 360_000, tzinfo=UTC)


def test_seconds_are_told_from_milliseconds() -> None:
    assert moment(1_492_070_429) == moment(1_492_070_429_000) == datetime(2017, 4, 13, 8, 0, 29, tzinfo=UTC)


@pytest.mark.parametrize("value", ["soon", "2020-06-12T08:13:13.360", [], {}, 10**30])
def test_what_is_no_moment_is_an_error(value: object) -> None:
    with pytest.raises(ApiAnswerInvalid, match="time of a change"):
        moment(value)


NEW, DOING, REVIEW, DONE, DELETED = "1", "3", "4", "5", "99"
CATEGORIES = {NEW: "new", DOING: "indeterminate", REVIEW: "indeterminate", DONE: "done"}
START = datetime(2026, 1, 5, tzinfo=UTC)


def changed(hours: int, before: str, after: str, history_id: int = 0) -> StatusChange:
    return StatusChange(START + timedelta(hours=hours), history_id, before, after)


@pytest.mark.parametrize(
    ("status", "changes", "hours"),
    [
        pytest.param(NEW, [], None, id="never changed"),
        pytest.param(DOING, [], 0, id="created in progress"),
        pytest.param(DONE, [changed(2, NEW, DOING), changed(5, DOING, DONE)], 2, id="went through"),
        pytest.param(DONE, [changed(9, NEW, DOING), changed(2, NEW, REVIEW), changed(5, REVIEW, NEW)], 2, id="again"),
        pytest.param(DONE, [changed(3, DOING, DONE)], 0, id="created in progress, then changed"),
        pytest.param(DONE, [changed(3, NEW, DONE)], None, id="skipped it"),
        pytest.param(DONE, [changed(2, NEW, DELETED), changed(5, DELETED, DOING)], 5, id="by way of a deleted status"),
        pytest.param(NEW, [changed(2, DOING, NEW, 7), changed(2, NEW, DOING, 6)], 2, id="twice in one moment"),
    ],
)
def test_the_first_moment_in_progress(status: str, changes: list[StatusChange], hours: int | None) -> None:
    expected = None if hours is None else START + timedelta(hours=hours)
    assert first_in_progress(START, status, changes, CATEGORIES) == expected
