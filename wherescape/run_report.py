"""A load as data: what happened when, for a person or a page to look at later."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from wherescape.extraction import Extraction, Skipped, Timeline
from wherescape.high_water_mark import HighWaterMark
from wherescape.redaction import redact
from wherescape.tables import Table
from wherescape.tally import Tally
from wherescape.text_file import write_whole


def timeline_of(timeline: Timeline, begin: float) -> list[dict[str, float]]:
    """Return the spans of a timeline, in seconds since the load began."""
    return [
        {"at": round(span.at - begin, 3), "seconds": round(span.seconds, 3), "rows": span.rows}
        for span in timeline.spans
    ]


def extraction_of(extraction: Extraction | None, begin: float) -> dict[str, Any] | None:
    """Return what reading the source told about itself."""
    if extraction is None:
        return None
    return {
        "requests": extraction.requests,
        "retries": extraction.retries,
        "waited_seconds": round(extraction.waited_seconds, 3),
        "expected_rows": extraction.expected_rows,
        "incomplete": _parts(extraction.incomplete),
        "skipped": _parts(extraction.skipped),
        "pages": timeline_of(extraction.pages, begin),
    }


def _parts(parts: Sequence[Skipped]) -> list[dict[str, str]]:
    return [{"name": redact(part.name), "reason": redact(part.reason)} for part in parts]


def mark_of(mark: HighWaterMark | None, after: datetime | None, held_because: str) -> dict[str, Any] | None:
    """Return a high-water mark before and after the load."""
    if mark is None:
        return None
    return {
        "name": mark.name,
        "before": mark.before and mark.before.isoformat(),
        "since": mark.since and mark.since.isoformat(),
        "after": after and after.isoformat(),
        "staged": mark.is_staged,
        "held_because": held_because,
    }


def rows_of(tally: Tally, table: Table, *, is_loaded: bool) -> dict[str, Any]:
    """Return the counts of rows; those of a load that failed are of rows that were rolled back."""
    return {
        "inserted": tally.inserted if is_loaded else 0,
        "rejected": tally.rejected,
        "columns": {
            column.name: {"nulls": tally.nulls[column.name], "rejected": tally.rejected_by_column[column.name]}
            for column in table.columns
            if column.name not in tally.lacking
        },
        "unknown_fields": dict(tally.drift.unknown),
        "missing_fields": tally.drift.missing,
    }


def write_run_report(path: Path, report: dict[str, Any]) -> None:
    """Write a report, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(path, json.dumps(report, indent=1) + "\n")
