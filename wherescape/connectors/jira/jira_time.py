"""Jira's moments: as it writes them, as JQL reads them, and the first one of work in progress."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from wherescape.errors import ApiAnswerInvalid

EARLIEST_MILLISECONDS = 100_000_000_000
IN_PROGRESS = "indeterminate"


def time_zone(name: object) -> ZoneInfo:
    """Return the time zone of a user's profile.

    Raises:
        ApiAnswerInvalid: Jira does not tell it, or this machine does not know it.
    """
    try:
        return ZoneInfo(str(name or ""))
    except (LookupError, ValueError, OSError):
        raise ApiAnswerInvalid(
            f"Jira says that the API user's time zone is {name!r}, which this machine does not know. Install the"
            " newest time zones (pip install --upgrade tzdata), or set it in the user's Jira profile to UTC."
        ) from None


def jql_moment(since: datetime, zone: ZoneInfo) -> str:
    """Return a moment as JQL takes it, never later than it is: without seconds, in the API user's time zone.

    A local time that autumn has twice may be read as either of the two. If Jira could read it as the later one, it is
    moved back to before the first.

    Source: Atlassian Support, "JQL fields", "Updated".

    Arguments:
        since: aware.
        zone: that of the API user's profile.
    """
    local = since.astimezone(zone)
    if _latest_reading(local) > since.astimezone(UTC):
        first, second = (local.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
        local = (since.astimezone(UTC) - abs(first - second)).astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M}"


def _latest_reading(local: datetime) -> datetime:
    minute = local.replace(second=0, microsecond=0)
    return max(minute.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def moment(value: object) -> datetime | None:
    """Read a moment of a history: ISO 8601 text with an offset, or a number of seconds or milliseconds since 1970.

    Source: Jira Cloud platform REST API v3, "Bulk fetch changelogs", whose example shows numbers.

    Raises:
        ApiAnswerInvalid: it is neither.
    """
    if value is None:
        return None
    try:
        if isinstance(value, str) and not value.isdecimal():
            read = datetime.fromisoformat(value)
            if read.tzinfo is None:
                raise ValueError
            return read.astimezone(UTC)
        milliseconds = int(value)  # type: ignore[call-overload]
        if abs(milliseconds) < EARLIEST_MILLISECONDS:
            milliseconds *= 1_000
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    except (TypeError, ValueError, OverflowError):
        raise ApiAnswerInvalid(
            f"Jira gave a {type(value).__name__} as the time of a change, which is neither an ISO 8601 moment with an"
            " offset nor a number of seconds or milliseconds."
        ) from None


@dataclass(frozen=True)
class StatusChange:
    """A change of an issue's status.

    Arguments:
        at: when, in UTC.
        history_id: the id of the edit, in whose order changes of the same moment came.
        before: the id of the status that the issue left.
        after: the id of the status that it entered.
    """

    at: datetime
    history_id: int
    before: str
    after: str


def first_in_progress(
    created: datetime, status_id: str, changes: Iterable[StatusChange], categories: Mapping[str, Any]
) -> datetime | None:
    """Return when an issue first entered a status of the category `indeterminate`; None if it never did.

    Arguments:
        created: when the issue was created, in the status that its first change left.
        status_id: the issue's status now.
        changes: all changes of its status, in any order.
        categories: the key of each status's category by its id; a status that is missing counts as not in progress.
    """
    ordered = sorted(changes, key=lambda change: (change.at, change.history_id))
    first = ordered[0].before if ordered else status_id
    entered = [(created, first), *((change.at, change.after) for change in ordered)]
    return next((at for at, status in entered if categories.get(status) == IN_PROGRESS), None)
