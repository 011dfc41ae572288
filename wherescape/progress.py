"""How far a long load is: audit lines every so often, and a bar where a person watches."""

import logging
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from wherescape.errors import WhereScapeError
from wherescape.load import Tally

logger = logging.getLogger(__name__)


class Progress:
    """Shows the progress of a load.

    Arguments:
        what: what is loaded, for the bar.
        tally: what the load has done so far.
        audit: writes a line to RED's audit log.
        every_seconds: how often.
    """

    def __init__(self, what: str, tally: Tally, audit: Callable[[str], object], every_seconds: float) -> None:
        self._what = what
        self._tally = tally
        self._audit: Callable[[str], object] | None = audit
        self._every_seconds = every_seconds
        self._begin = self._last = time.monotonic()
        self._resources = ExitStack()
        self._draw: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        if sys.stderr is not None and sys.stderr.isatty():
            self._draw = self._bar()
        return self

    def __exit__(self, *exception: object) -> None:
        self._resources.close()

    def show(self) -> None:
        """Show how far the load is, if it is time to."""
        self._draw()
        now = time.monotonic()
        if self._audit is None or now - self._last < self._every_seconds:
            return
        self._last = now
        try:
            self._audit(
                f"{rows_text(self._tally.read, self._tally.rejected)} so far, {seconds_text(now - self._begin)}"
            )
        except WhereScapeError as error:
            self._audit = None
            logger.warning("The progress of the load is not shown in RED's audit log. %s", error)

    def _bar(self) -> Callable[[], object]:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        except ImportError:
            return lambda: None
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeElapsedColumn(),
        )
        # Standard output belongs to RED.
        progress = Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._resources.enter_context(progress)
        task = progress.add_task(self._what, total=None, rows="")
        return lambda: progress.update(task, rows=rows_text(self._tally.read, self._tally.rejected))


def rows_text(rows: int, rejected: int) -> str:
    """Say how many rows: `1,204 rows, 2 rejected`."""
    text = "1 row" if rows == 1 else f"{rows:,} rows"
    return f"{text}, {rejected:,} rejected" if rejected else text


def seconds_text(seconds: float) -> str:
    """Say how long: `0.2 s`, `14 s`, `3 min 20 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
