"""A load as a task of RED: rows, task log, high-water mark, message and run report, in this order."""

import logging
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherescape import run_report
from wherescape.drift import Drift
from wherescape.errors import (
    ConnectionFailed,
    DatabaseError,
    DeclarationError,
    EnvironmentVariableError,
    LoadError,
    MarkNotMoved,
    RepositoryError,
)
from wherescape.extraction import Extraction
from wherescape.high_water_mark import HighWaterMark, mark_text, write_high_water_mark
from wherescape.load import RejectLimits, Tally, by_column, load_records
from wherescape.masks import SHORTEST_KEY, Masker
from wherescape.progress import Progress, rows_text, seconds_text
from wherescape.record_batches import Record
from wherescape.redaction import redact
from wherescape.rejects import RejectFile
from wherescape.tables import Table

if TYPE_CHECKING:
    import pandas as pd

    from wherescape.wherescape import WhereScape

logger = logging.getLogger(__name__)

MASK_KEY = "mask_key"


@dataclass(frozen=True)
class LoadResult:
    """What a load did.

    Arguments:
        inserted: rows that are now in the load table because of it.
        rejected: rows that did not fit, and are in the reject file instead.
        seconds: how long it took, from the first record to the mark.
        mark: the high-water mark that the next load will start from, in UTC; None if there is none.
    """

    inserted: int
    rejected: int
    seconds: float
    mark: datetime | None = None


def load_task(
    wherescape: "WhereScape",
    table: Table,
    records: "Iterable[Record] | pd.DataFrame",
    *,
    extraction: Extraction | None,
    mark: HighWaterMark | None,
    allow_skipped: bool,
    limits: RejectLimits,
    progress_seconds: float,
) -> LoadResult:
    """Load records; see `WhereScape.load`."""
    task = _LoadTask(wherescape, table, extraction, mark)
    try:
        return task.run(records, allow_skipped, limits, progress_seconds)
    except BaseException as error:
        task.error = f"{type(error).__name__}: {error}"
        raise
    finally:
        task.report()


class _LoadTask:
    def __init__(
        self, wherescape: "WhereScape", table: Table, extraction: Extraction | None, mark: HighWaterMark | None
    ) -> None:
        self.wherescape = wherescape
        self.table = table
        self.extraction = extraction
        self.mark = mark
        self.mark_after = mark.before if mark else None
        self.held_because = ""
        self.tally = Tally(Drift(table))
        self.started = datetime.now(UTC)
        self.begin = time.monotonic()
        self.seconds = 0.0
        self.is_loaded = False
        self.error = ""
        self.rejects = RejectFile(_path(wherescape, "rejects", ".jsonl"), table)
        self.report_path = _path(wherescape, "runs", ".json")

    def run(
        self,
        records: "Iterable[Record] | pd.DataFrame",
        allow_skipped: bool,
        limits: RejectLimits,
        progress_seconds: float,
    ) -> LoadResult:
        wherescape, tally = self.wherescape, self.tally
        if wherescape.target.is_in_transaction:
            raise LoadError(
                "A load began while another of the same WhereScape object was reading its records. Collect what the"
                " inner one is to load, and load it afterwards."
            )
        masker = Masker(_mask_key(wherescape) if any(column.mask == "hash" for column in self.table.columns) else "")
        try:
            with Progress(wherescape.table, tally, wherescape.audit, progress_seconds) as progress:
                load_records(
                    wherescape.target,
                    wherescape.load_full_name,
                    self.table,
                    records,
                    started=wherescape.run_started,
                    rejects=self.rejects,
                    limits=limits,
                    masker=masker,
                    tally=tally,
                    on_progress=progress.show,
                )
        finally:
            self.rejects.close()
        self.is_loaded = True
        if tally.rejected:
            logger.warning(
                "%s of %s rows do not fit and are not loaded: %s. They are kept in %s.",
                f"{tally.rejected:,}",
                f"{tally.read:,}",
                by_column(tally),
                self.rejects.path,
            )
        tally.drift.tell()
        self._log_counts()
        self._move_mark(allow_skipped)
        self.seconds = time.monotonic() - self.begin
        message = self._message()
        logger.info("%s", message)
        wherescape.main_message = message
        return LoadResult(tally.inserted, tally.rejected, self.seconds, self.mark_after)

    def report(self) -> None:
        if self.report_path is None:
            return
        run_report.write_run_report(
            self.report_path,
            {
                "table": self.wherescape.load_full_name,
                "sequence": self.wherescape.sequence,
                "job": self.wherescape.job_name,
                "task": self.wherescape.task_name,
                "outcome": "failed" if self.error else "loaded",
                "error": redact(self.error),
                "started": self.started.isoformat(),
                "seconds": round(time.monotonic() - self.begin, 3),
                **run_report.rows_of(self.tally, self.table, is_loaded=self.is_loaded),
                "mark": run_report.mark_of(self.mark, self.mark_after, self.held_because),
                "extraction": run_report.extraction_of(self.extraction, self.begin),
                "batches": run_report.timeline_of(self.tally.batches, self.begin),
            },
        )

    def _log_counts(self) -> None:
        try:
            self.wherescape.update_task_log(inserted=self.tally.inserted, rejected=self.tally.rejected)
        except (DatabaseError, RepositoryError) as error:
            logger.warning("The rows are loaded, but RED's task log does not show them. %s", error)

    def _move_mark(self, allow_skipped: bool) -> None:
        self.held_because = self._incomplete(allow_skipped)
        mark = self.mark
        if mark is None:
            if self.held_because.startswith("only"):
                logger.warning("Rows are missing: %s.", self.held_because)
            return
        moment = None if self.held_because else self._next_moment(mark)
        if self.held_because:
            logger.warning(
                "The high-water mark %s stays at %s: %s.", mark.name, mark_text(mark.before), self.held_because
            )
        if moment is None:
            return
        try:
            self._write_mark(mark, moment)
        except (DatabaseError, RepositoryError) as error:
            raise MarkNotMoved(
                f"The rows are loaded, but the high-water mark {mark.name} could not be moved for certain. Set this"
                f" RED parameter to {mark.before.isoformat() if mark.before else 'nothing'}, so that the next run"
                f" reads them again. {error}"
            ) from error
        self.mark_after = moment

    def _write_mark(self, mark: HighWaterMark, moment: datetime) -> None:
        try:
            write_high_water_mark(self.wherescape, mark, moment)
        except ConnectionFailed:
            # It may have been the answer that was lost, and a mark that moves in a load that failed loses its rows.
            write_high_water_mark(self.wherescape, mark, moment)

    def _incomplete(self, allow_skipped: bool) -> str:
        extraction = self.extraction
        if extraction is None:
            return ""
        if extraction.expected_rows is not None and self.tally.read < extraction.expected_rows:
            return (
                f"only {rows_text(self.tally.read, 0)} came, where the source said that it has"
                f" {extraction.expected_rows:,}"
            )
        if extraction.skipped and not allow_skipped:
            parts = "1 part" if len(extraction.skipped) == 1 else f"{len(extraction.skipped)} parts"
            return f"{parts} of the source could not be read"
        return ""

    def _next_moment(self, mark: HighWaterMark) -> datetime | None:
        started = self.extraction.started if self.extraction else None
        if not self.table.high_water_mark:
            if started is None:
                self.held_because = (
                    "the source does not tell its time, and the table declares no column to take it from"
                )
            return started
        # Rows that change while the source is read may be in a page that was read before.
        latest = started or self.started
        seen = [moment for moment in (mark.before, self.tally.largest_mark) if moment is not None]
        return min(max(seen), latest) if self.tally.largest_mark is not None else None

    def _message(self) -> str:
        text = f"{rows_text(self.tally.inserted, self.tally.rejected)}, {seconds_text(self.seconds)}"
        if self.mark is None:
            return text
        moved = f"{text}, mark {mark_text(self.mark.before)} -> {mark_text(self.mark_after)}"
        return f"{moved} staged" if self.mark.is_staged else moved


def _path(wherescape: "WhereScape", folder: str, suffix: str) -> Path | None:
    try:
        workdir = wherescape.workdir
    except EnvironmentVariableError:
        return None
    # What Windows allows in the name of a file.
    name = re.sub(r"[^\w.-]", "_", wherescape.table)
    return workdir / folder / f"{name}_{wherescape.sequence}{suffix}"


def _mask_key(wherescape: "WhereScape") -> str:
    key: Any = wherescape.read_parameter(MASK_KEY)
    if len(key.strip()) < SHORTEST_KEY:
        raise DeclarationError(
            f"Columns are masked by a hash, and the RED parameter {MASK_KEY} has {len(key)} characters;"
            f" {SHORTEST_KEY} are needed. Enter a random text once, such as python -c"
            ' "import secrets; print(secrets.token_hex(32))" prints, and keep it: hashes join for as long as it stays.'
        )
    return str(key)
