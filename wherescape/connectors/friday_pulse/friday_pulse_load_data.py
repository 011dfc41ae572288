"""Loads a Friday Pulse load table."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from wherescape import WhereScape
from wherescape.api_source import required_key
from wherescape.connectors.friday_pulse.friday_pulse_tables import (
    GENERAL_NOTES,
    GENERAL_RESULTS,
    GENERAL_RISKS,
    GROUP_NOTES,
    GROUP_RESULTS,
    GROUP_RISKS,
    GROUP_TYPES,
    GROUPS,
    TABLES,
    TOPICS,
    with_masked_notes,
)
from wherescape.connectors.friday_pulse.friday_pulse_wrapper import BASE_URL, FridayPulse, Subject
from wherescape.errors import DeclarationError
from wherescape.high_water_mark import name_of_store
from wherescape.load_task import LoadResult
from wherescape.resources import Resource, check_arguments, resource_of
from wherescape.tables import Table, find_table

LOOKBACK_WEEKS = 3


@dataclass(frozen=True)
class Wanted:
    """What a load wants of Friday Pulse; see `friday_pulse_load_data`."""

    since: date | None
    exclude_groups: Collection[str]


def _general(table: Table, subject: Subject, *takes: str) -> Resource[FridayPulse, Wanted]:
    return Resource(
        table,
        lambda friday_pulse, wanted: friday_pulse.general(subject, wanted.since),
        is_incremental=True,
        takes=("earliest", *takes),
    )


def _of_groups(table: Table, subject: Subject, *takes: str) -> Resource[FridayPulse, Wanted]:
    return Resource(
        table,
        lambda friday_pulse, wanted: friday_pulse.of_groups(subject, wanted.since, wanted.exclude_groups),
        is_incremental=True,
        takes=("earliest", "exclude_groups", *takes),
    )


RESOURCES: tuple[Resource[FridayPulse, Wanted], ...] = (
    Resource(TOPICS, lambda friday_pulse, wanted: friday_pulse.topics()),
    Resource(GROUP_TYPES, lambda friday_pulse, wanted: friday_pulse.group_types()),
    Resource(GROUPS, lambda friday_pulse, wanted: friday_pulse.groups()),
    _general(GENERAL_RESULTS, "results"),
    _general(GENERAL_NOTES, "notes", "mask_notes"),
    _general(GENERAL_RISKS, "risk"),
    _of_groups(GROUP_RESULTS, "results"),
    _of_groups(GROUP_NOTES, "notes", "mask_notes"),
    _of_groups(GROUP_RISKS, "risk"),
)


def friday_pulse_load_data(
    lookback_weeks: float = LOOKBACK_WEEKS,
    wherescape: WhereScape | None = None,
    *,
    full: bool = False,
    earliest: date | str = "",
    exclude_groups: Sequence[str | int] | str | int = (),
    mask_notes: bool = False,
    high_water_mark: str = "",
    staged_mark: bool = False,
    workers: int = 4,
    max_retries: int = 3,
    max_wait_seconds: float = 600,
) -> LoadResult:
    """Load the Friday Pulse load table that this script is attached to; its name says what to load.

    Results, notes and risks are loaded of all surveys that may have changed since the load table's high-water mark:
    those since some weeks before it, and always the newest. The mark then moves to Friday Pulse's time at the start of
    this load; it stays where it is if anything went wrong. Topics, types of groups and groups are loaded in full.

    The access token is WSL_SRCCFG_APIKEY.

    Arguments:
        lookback_weeks: for how many weeks after its date a survey takes late answers.
        wherescape: made from the environment when left out.
        full: load all surveys that exist, whatever the mark.
        earliest: leave out surveys before this date.
        exclude_groups: ids of groups to leave out, such as those that are too small to have results.
        mask_notes: keep nothing of a note but that there is one.
        high_water_mark: the RED parameter that keeps the mark; when left out, `HWM_` and the load table's name with
            `ds_` in place of `load_`.
        staged_mark: keep the next mark under `{name}_next` until a last task of the job calls
            `confirm_high_water_marks`.
        workers: how many surveys and groups are read at once.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that Friday Pulse may ask for.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that Friday Pulse has.
        DeclarationError: an argument does not go with the table, or is one that it cannot be.
        EnvironmentVariableError: there is no access token.
        ApiError: Friday Pulse could not be read to the end; the load table is as it was.
        LoadError, DatabaseError: as from `WhereScape.load`.
    """
    wherescape = wherescape or WhereScape()
    table = find_table(wherescape.table, TABLES, "Friday Pulse")
    first, excluded = _date(earliest), _ids(exclude_groups)
    resource = resource_of(table, RESOURCES)
    check_arguments(resource, RESOURCES, {"earliest": first, "exclude_groups": excluded, "mask_notes": mask_notes})
    mark = None
    if resource.is_incremental:
        name = high_water_mark or name_of_store(wherescape.table)
        mark = wherescape.high_water_mark(name, lookback=timedelta(weeks=lookback_weeks), staged=staged_mark)
    with connect(
        wherescape, workers=workers, max_retries=max_retries, max_wait_seconds=max_wait_seconds
    ) as friday_pulse:
        known = mark.since.date() if mark and mark.since and not full else None
        since = max((day for day in (known, first) if day), default=None)
        # What has no data would hold the mark back for good; what failed is read again for as long as we look back.
        return wherescape.load(
            with_masked_notes(table) if mask_notes else table,
            resource.read(friday_pulse, Wanted(since, excluded)),
            extraction=friday_pulse.extraction,
            mark=mark,
            allow_skipped=True,
        )


def connect(wherescape: WhereScape, **options: Any) -> FridayPulse:
    """Return Friday Pulse as the RED connection's login sees it.

    Arguments:
        wherescape: gives the access token (WSL_SRCCFG_APIKEY) and, if it is another than Friday Pulse's own, the
            address (WSL_SRCCFG_URL).
        options: of `FridayPulse`.

    Raises:
        EnvironmentVariableError: there is no access token.
    """
    return FridayPulse(
        required_key(wherescape, "Friday Pulse", "access token"),
        wherescape.source_base_url or BASE_URL,
        credential="Friday Pulse's access token (WSL_SRCCFG_APIKEY)",
        **options,
    )


def _date(earliest: date | str) -> date | None:
    if isinstance(earliest, date):
        return earliest.date() if isinstance(earliest, datetime) else earliest
    try:
        return date.fromisoformat(earliest) if earliest else None
    except ValueError:
        raise DeclarationError(
            f"The argument earliest is {earliest[:40]!r}, which is no date; write it like 2026-01-09."
        ) from None


def _ids(groups: Sequence[str | int] | str | int) -> frozenset[str]:
    return frozenset([str(groups)] if isinstance(groups, (str, int)) else map(str, groups))
