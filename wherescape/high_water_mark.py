"""How far the last load came: a moment kept in a RED parameter."""

import logging
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from wherescape.errors import ConnectionFailed, DeclarationError, ParameterTooLong
from wherescape.extraction import Extraction
from wherescape.repository import PARAMETER_NAME_LENGTH

if TYPE_CHECKING:
    from wherescape.wherescape import WhereScape

logger = logging.getLogger(__name__)

PREFIX = "HWM_"
STAGED = "_next"
CLOCKS_MAY_DIFFER = timedelta(minutes=5)
EARLIEST_ZONE = timezone(timedelta(hours=14))

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class HighWaterMark:
    """A high-water mark, as it stood when it was read.

    Arguments:
        name: the RED parameter that keeps it.
        before: what it held, in UTC; None if it held nothing that can be used.
        since: from when on to read the source: `before` and a lookback earlier; None for a full load.
        is_staged: whether the next mark waits under `{name}_next` until the job confirms it.
        read_at: when it was read, in UTC by this machine's clock: the source was not read before.
    """

    name: str
    before: datetime | None
    since: datetime | None
    is_staged: bool = False
    read_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class NextMark:
    """Where a mark moves after a load.

    Arguments:
        moment: None if it stays.
        held_because: why it stays although rows were loaded, or what the read lacks; empty otherwise.
    """

    moment: datetime | None = None
    held_because: str = ""


def next_mark(
    mark: HighWaterMark,
    *,
    column: str,
    rows: int,
    largest: datetime | None,
    extraction: Extraction | None,
    missing: str,
) -> NextMark:
    """Tell where a mark moves.

    Arguments:
        mark: as it was read.
        column: whose largest value is the mark; empty for the moment at which the reading began.
        rows: how many were loaded.
        largest: that value among them, in UTC.
        extraction: what was told about the reading.
        missing: what of the source is missing, in words; empty if nothing is.
    """
    if missing:
        return NextMark(held_because=missing)
    started = start_of_reading(mark, extraction)
    if not column:
        unknown = "the source does not tell its time, and the table declares no column to take the mark from"
        return NextMark(started) if started else NextMark(held_because=unknown)
    if largest is None:
        return NextMark(held_because=f"no row has a value in {column}" if rows else "")
    # What changes while the source is read may be in a page that was read before.
    return NextMark(min(max(largest, mark.before or largest), started or mark.read_at))


def start_of_reading(mark: HighWaterMark, extraction: Extraction | None) -> datetime | None:
    """Return the moment up to which a source was read whole, in UTC; None if it does not tell its time.

    It is the source's own time, unless that is ahead of this machine's.
    """
    if extraction is None or extraction.started is None:
        return None
    return min(extraction.started, mark.read_at.replace(microsecond=0))


def read_high_water_mark(
    wherescape: "WhereScape", name: str = "", lookback: timedelta = timedelta(), *, is_staged: bool = False
) -> HighWaterMark:
    """Read a high-water mark.

    A plain date is the beginning of that day, wherever on earth it begins first. A parameter that is missing, empty or
    unreadable means a full load, which is said at INFO; so does a mark that lies in the future, which is a warning.
    What an earlier run staged and nobody confirmed is dropped: this load reads it again.

    Arguments:
        wherescape: gives access to the parameter.
        name: the RED parameter; `HWM_` and the load table's name when left out.
        lookback: how much earlier to start, for sources that change old rows; subtracted here, never when writing.
        is_staged: whether the next mark is to be confirmed at the end of the job.

    Raises:
        ParameterTooLong: the name does not fit; nothing was loaded yet.
        DeclarationError: the lookback is negative.
    """
    if lookback < timedelta():
        raise DeclarationError(
            f"The lookback {lookback} is negative and would skip rows: it says how much earlier to start."
        )
    name = name or PREFIX + wherescape.table
    longest = name + STAGED if is_staged else name
    if len(longest) > PARAMETER_NAME_LENGTH:
        raise ParameterTooLong(
            f"The high-water mark's parameter {longest!r} has {len(longest)} characters; RED keeps"
            f" {PARAMETER_NAME_LENGTH}. Give the mark a shorter name."
        )
    if is_staged and wherescape.read_parameter(name + STAGED):
        wherescape.write_parameter(name + STAGED, "")
    before = _moment(name, wherescape.read_parameter(name).strip())
    if before and before > datetime.now(UTC) + CLOCKS_MAY_DIFFER:
        logger.warning(
            "The high-water mark %s is %s, which lies in the future: what came before it may be missing, so this is a"
            " full load.",
            name,
            mark_text(before),
        )
        before = None
    try:
        since = before - lookback if before else None
    except OverflowError:
        since = None
    return HighWaterMark(name, before, since, is_staged)


def write_high_water_mark(wherescape: "WhereScape", mark: HighWaterMark, moment: datetime) -> None:
    """Write a mark with its offset, or stage it, after the load's data is committed.

    Arguments:
        wherescape: gives access to the parameter.
        mark: which.
        moment: aware; no later than the moment at which the extraction started.
    """
    value = moment.astimezone(UTC).isoformat()
    if mark.is_staged:
        name, comment = mark.name + STAGED, _staged_by(wherescape)
    else:
        name, comment = mark.name, "High-water mark of the last complete load."
    try:
        wherescape.write_parameter(name, value, comment)
    except ConnectionFailed:
        # It may have been the answer that was lost, and a mark that moves in a load that failed loses its rows.
        wherescape.write_parameter(name, value, comment)


def stage_moment(wherescape: "WhereScape", name: str, moment: datetime) -> None:
    """Let a moment wait under `{name}_next` for `confirm_high_water_marks` in this run of the job.

    Arguments:
        wherescape: gives access to the parameter.
        name: the RED parameter that holds the moment once it is confirmed.
        moment: aware.
    """
    wherescape.write_parameter(name + STAGED, moment.astimezone(UTC).isoformat(), _staged_by(wherescape))


def is_staged_by_this_run(wherescape: "WhereScape", name: str) -> bool:
    """Tell whether this run of the job has staged a moment under `{name}_next`."""
    value, comment = wherescape.read_parameter(name + STAGED, include_comment=True)
    return bool(value) and comment == _staged_by(wherescape)


def confirm_high_water_marks(*names: str, wherescape: "WhereScape | None" = None) -> list[str]:
    """Make staged marks the ones that the next loads start from: the last task of a job, when all has succeeded.

    A load table is emptied at each start. A mark that moved before the procedures behind the load have taken its rows
    would lose them; so the load stages its mark, and this confirms it.

    Arguments:
        names: the RED parameters; left out, all those that this run of the job staged.
        wherescape: made from the environment when left out.

    Returns:
        The names of the marks that were confirmed.
    """
    from wherescape.wherescape import WhereScape

    wherescape = wherescape or WhereScape()
    confirmed = []
    for name in names or _staged_names(wherescape):
        moment = wherescape.read_parameter(name + STAGED)
        if not moment:
            # A load without anything new stages nothing; a name that no load ever staged is a wrong one.
            is_known = name + STAGED in wherescape.parameter_names()
            logger.log(
                logging.INFO if is_known else logging.WARNING,
                "The high-water mark %s is not staged, so it stays.",
                name,
            )
            continue
        wherescape.write_parameter(name, moment, "High-water mark of the last complete load.")
        wherescape.write_parameter(name + STAGED, "")
        logger.info("The high-water mark %s is confirmed: %s.", name, moment)
        confirmed.append(name)
    count = len(confirmed)
    wherescape.main_message = f"{'1 high-water mark' if count == 1 else f'{count} high-water marks'} confirmed"
    return confirmed


def mark_text(moment: datetime | None) -> str:
    """Say a mark: `2026-01-05T10:05Z`, with seconds where there are any; `none` for None."""
    if moment is None:
        return "none"
    precision = "seconds" if moment.second or moment.microsecond else "minutes"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def name_of_store(load_table: str) -> str:
    """Return the RED parameter that keeps a load table's mark under the name of the data store behind it, `ds_`."""
    return PREFIX + load_table.replace("load_", "ds_", 1)


def moment_of(text: str) -> datetime:
    """Return the moment that the text of a mark says, in UTC.

    Arguments:
        text: ISO 8601 with an offset, or a plain date: the beginning of that day, wherever on earth it begins first.

    Raises:
        ValueError: it says none. Its message begins with the text.
    """
    try:
        if _DATE.fullmatch(text):
            # Where the day begins first, so that nothing of it is skipped.
            return datetime.fromisoformat(text).replace(tzinfo=EARLIEST_ZONE).astimezone(UTC)
        moment = datetime.fromisoformat(text)
        in_utc = moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r}, which is no ISO 8601 moment") from None
    if in_utc is None:
        # What an older library wrote was the server's local time; a guess could skip rows.
        raise ValueError(f"{text[:40]} without an offset from UTC")
    return in_utc


def _moment(name: str, text: str) -> datetime | None:
    if not text:
        logger.info("Parameter %s holds no high-water mark: full load.", name)
        return None
    try:
        return moment_of(text)
    except ValueError as error:
        logger.info("Parameter %s holds %s: full load.", name, error)
        return None


def _staged_names(wherescape: "WhereScape") -> list[str]:
    staged = [name for name in wherescape.parameter_names() if name.endswith(STAGED)]
    mine = _staged_by(wherescape)
    pairs = [(name, *wherescape.read_parameter(name, include_comment=True)) for name in sorted(staged)]
    return [name.removesuffix(STAGED) for name, value, comment in pairs if value and comment == mine]


def _staged_by(wherescape: "WhereScape") -> str:
    return f"Staged by job {wherescape.job_key} {wherescape.job_name}, run {wherescape.sequence}."
