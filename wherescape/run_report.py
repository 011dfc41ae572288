"""A load as data: what happened when, for a person or a page to look at later."""

import json
import logging
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from wherescape.errors import RunReportInvalid
from wherescape.extraction import Extraction, Skipped, Span, Timeline
from wherescape.high_water_mark import HighWaterMark
from wherescape.redaction import redact
from wherescape.tables import Table
from wherescape.tally import Tally
from wherescape.text_file import write_whole

logger = logging.getLogger(__name__)

PAGE_VARIABLE = "WHERESCAPE_REPORT_PAGE"
MOST_EARLIER_RUNS = 30
NEEDED = (
    *("table", "outcome", "started", "seconds", "inserted", "rejected", "columns", "batches"),
    *("sequence", "job", "task", "mark"),
)
"""What each report has; other fields came with later releases, or are of some loads only."""
_FILE_NAME = re.compile(r"(?P<table>.+)_(?P<sequence>\d+)\.json", re.ASCII)


def timeline_of(timeline: Timeline, begin: float) -> list[dict[str, float]]:
    """Return the spans of a timeline, in seconds since the load began.

    Spans that are drawn together also tell how many they are, and when the last of them ended.
    """
    return [_span_of(span, begin) for span in timeline.spans]


def _span_of(span: Span, begin: float) -> dict[str, float]:
    told = {"at": round(span.at - begin, 3), "seconds": round(span.seconds, 3), "rows": span.rows}
    return told if span.pieces == 1 else told | {"pieces": span.pieces, "until": round(span.until - begin, 3)}


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
        "sent": timeline_of(extraction.sent, begin),
        "repeated": timeline_of(extraction.repeated, begin),
        "waits": timeline_of(extraction.waits, begin),
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
        "read": tally.read,
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


def read_run_report(path: Path) -> dict[str, Any]:
    """Read a report.

    Raises:
        RunReportInvalid: the file cannot be read, or is no run report.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunReportInvalid(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise RunReportInvalid(f"{path} is no run report: it is not JSON ({error}).") from error
    missing = [name for name in NEEDED if not isinstance(report, dict) or name not in report]
    if missing:
        raise RunReportInvalid(
            f"{path} is no run report: {', '.join(missing)} is missing. A load writes one to"
            " {WSL_WORKDIR}/runs/{table}_{sequence}.json."
        )
    return cast(dict[str, Any], report)


def earlier_runs(path: Path, started: str) -> list[dict[str, Any]]:
    """Return the reports of the same table beside a report that began before it, the oldest first.

    They are the last ones, at most 30; a file that is no report is passed over.

    Arguments:
        path: of the report.
        started: when its load began.
    """
    name = _FILE_NAME.fullmatch(path.name)
    if name is None:
        return []
    beside = (_FILE_NAME.fullmatch(entry.name) for entry in path.parent.iterdir())
    sequences = sorted(
        (int(other["sequence"]) for other in beside if other and other["table"] == name["table"]), reverse=True
    )
    found: list[dict[str, Any]] = []
    for sequence in sequences:
        try:
            report = read_run_report(path.with_name(f"{name['table']}_{sequence}.json"))
        except RunReportInvalid:
            continue
        if report["started"] < started:
            found.append(report)
        if len(found) == MOST_EARLIER_RUNS:
            break
    return sorted(found, key=lambda report: str(report["started"]))


def is_page_wanted(wanted: bool | None) -> bool:
    """Tell whether a load draws its report as a page: what it was told, else what the environment says."""
    if wanted is not None:
        return wanted
    setting = os.environ.get(PAGE_VARIABLE, "")
    if setting.lower() not in ("", "on", "off"):
        logger.warning("%s is %r: set it to 'on' or 'off', or leave it out.", PAGE_VARIABLE, setting)
    return setting.lower() == "on"
