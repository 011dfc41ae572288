"""How far the last load came: a moment kept in a RED parameter."""

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wherescape.wherescape import WhereScape

logger = logging.getLogger(__name__)


def read_high_water_mark(wherescape: "WhereScape", name: str, lookback: timedelta = timedelta()) -> datetime | None:
    """Read a high-water mark.

    Arguments:
        wherescape: gives access to the parameter.
        name: the RED parameter that holds the mark.
        lookback: how much earlier to start, for sources that change old rows; subtracted here, never when writing.

    Returns:
        An aware moment in UTC, or None for a full load: the parameter is missing, empty or unreadable, which is said
        at INFO.
    """
    text = wherescape.read_parameter(name).strip()
    if not text:
        logger.info("Parameter %s holds no high-water mark: full load.", name)
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        logger.info("Parameter %s holds %r, which is no ISO 8601 moment: full load.", name, text[:40])
        return None
    if moment.tzinfo is None:
        # What an older library wrote was the server's local time; a guess could skip rows.
        logger.info("Parameter %s holds %s without an offset from UTC: full load.", name, text)
        return None
    return moment.astimezone(UTC) - lookback


def write_high_water_mark(wherescape: "WhereScape", name: str, moment: datetime) -> None:
    """Write a high-water mark with its offset, after the load's data is committed.

    Arguments:
        wherescape: gives access to the parameter.
        name: the RED parameter that holds the mark.
        moment: an aware moment; no later than the moment at which the extraction started.
    """
    wherescape.write_parameter(name, moment.astimezone(UTC).isoformat(), "High-water mark of the last complete load.")
