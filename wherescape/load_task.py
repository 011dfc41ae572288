"""A load as a task of RED: rows, task log, high-water mark, message and run report, in this order."""

import logging
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
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
from wherescape.high_water_mark import HighWaterMark, mark_text, next_mark, write_high_water_mark
from wherescape.load import RejectLimits, load_records
from wherescape.logging import ERROR
from wherescape.masks import masker_for
from wherescape.progress import Progress, rows_text, seconds_text
from wherescape.record_batches import Record
from wherescape.redaction import redact
from wherescape.rejects import RejectFile
from wherescape.tables import Table
from wherescape.tally import Tally, by_column

if TYPE_CHECKING:
    import pandas as pd

    from wherescape.wherescape import WhereScape

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadResult:
    """What a load did.

    Arguments:
        inserted: rows that are now in the load table because of it.
        rejected: rows that did not fit, and are in the reject file instead.
        seconds: how long it took, from the first record to the mark.
        mark: the high-water mark after the load, staged or not, in UTC; None if there is none.
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
    report_page: bool | None,
) -> LoadResult:
    """Load records; see `WhereScape.load`."""
    task = _LoadTask(wherescape, table, extraction, mark, report_page)
    try:
        return task.run(records, allow_skipped, limits, progress_seconds)
    except BaseException as error:
        task.error = error
        if isinstance(error, SystemExit):
            logger.error("The script left while its load was under way, so nothing was loaded.")
        raise
    finally:
        task.report()


class _LoadTask:
    def __init__(
        self,
        wherescape: "WhereScape",
        table: Table,
        extraction: Extraction | None,
        mark: HighWaterMark | None,
        report_page: bool | None,
    ) -> None:
        if not isinstance(extraction, (Extraction, NoneType)) or not isinstance(mark, (HighWaterMark, NoneType)):
            raise DeclarationError(
                "`extraction` is what an API client keeps under that name, and `mark` what `high_water_mark` returns,"
                f" not a {type(extraction).__name__} and a {type(mark).__name__}."
            )
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
        self.error: BaseException | None = None
        self.rejects = RejectFile(_path(wherescape, "rejects", ".jsonl"), table)
        self.report_path = _path(wherescape, "runs", ".json")
        self.is_page_wanted = run_report.is_page_wanted(report_page)

    def run(
        self,
        records: "Iterable[Record] | pd.DataFrame",
        allow_skipped: bool,
        limits: RejectLimits,
        progress_seconds: float,
    ) -> LoadResult:
        wherescape, tally = self.wherescape, self.tally
        if wherescape.target.is_inserting_here:
            raise LoadError(
                "A load began while another of the same WhereScape object was reading its records. Collect what the"
                " inner one is to load, and load it afterwards."
            )
        masker = masker_for(self.table, wherescape.read_parameter)
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
        """Write the run report; a by-product, so that whatever goes wrong with it is a warning."""
        try:
            if self.report_path is not None:
                report = self._as_data()
                run_report.write_run_report(self.report_path, report)
                if self.is_page_wanted:
                    self._draw(self.report_path, report)
        except Exception as error:
            reason = getattr(error, "strerror", None) or error
            logger.warning("The run report %s cannot be written: %s.", self.report_path, reason)

    def _draw(self, path: Path, report: dict[str, Any]) -> None:
        from wherescape.pages.load_page import load_page
        from wherescape.pages.page import write_page

        page = path.with_suffix(".html")
        write_page(page, load_page(report, run_report.earlier_runs(path, report["started"]), path.stem))
        logger.info("The load as a page: %s", page)

    def _as_data(self) -> dict[str, Any]:
        error = self.error
        outcome = "failed" if error else "loaded"
        if isinstance(error, ConnectionFailed) and error.may_be_committed:
            outcome = "unknown"
        return {
            "table": self.wherescape.load_full_name,
            "sequence": self.wherescape.sequence,
            "job": self.wherescape.job_name,
            "task": self.wherescape.task_name,
            "outcome": outcome,
            "error": redact(f"{type(error).__name__}: {error}") if error else "",
            "started": self.started.isoformat(),
            "seconds": round(time.monotonic() - self.begin, 3),
            **run_report.rows_of(self.tally, self.table, is_loaded=self.is_loaded),
            "mark": run_report.mark_of(self.mark, self.mark_after, self.held_because),
            "extraction": run_report.extraction_of(self.extraction, self.begin),
            "batches": run_report.timeline_of(self.tally.batches, self.begin),
        }

    def _log_counts(self) -> None:
        try:
            self.wherescape.update_task_log(inserted=self.tally.inserted, rejected=self.tally.rejected)
        except (DatabaseError, RepositoryError) as error:
            logger.warning("The rows are loaded, but RED's task log does not show them. %s", error)

    def _move_mark(self, allow_skipped: bool) -> None:
        missing = ""
        if self.extraction:
            missing = self.extraction.missing(self.tally.read, allow_skipped=allow_skipped)
        if self.wherescape.status <= ERROR:
            missing = missing or "the script has reported an error"
        if self.tally.rejected and not self.tally.inserted:
            missing = missing or "no row fits the table"
        mark = self.mark
        if mark is None:
            if missing:
                logger.warning("Rows are missing: %s.", missing)
            return
        following = next_mark(
            mark,
            column=self.table.mark_column,
            rows=self.tally.inserted,
            largest=self.tally.largest_mark,
            extraction=self.extraction,
            missing=missing,
        )
        self.held_because = following.held_because
        if self.held_because:
            logger.warning(
                "The high-water mark %s stays at %s: %s.", mark.name, mark_text(mark.before), self.held_because
            )
        if following.moment is None:
            return
        try:
            write_high_water_mark(self.wherescape, mark, following.moment)
        except (DatabaseError, RepositoryError) as error:
            raise MarkNotMoved(
                f"The rows are loaded, but the high-water mark {mark.name} could not be moved for certain. Set this"
                f" RED parameter to {mark.before.isoformat() if mark.before else 'nothing'}, so that the next run"
                f" reads them again. {error}"
            ) from error
        self.mark_after = following.moment

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
