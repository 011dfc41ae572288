"""How far a long load is: audit lines every so often, and a bar where a person watches."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from wherescape.errors import WhereScapeError
from wherescape.tally import Tally

logger = logging.getLogger(__name__)

SHORTEST_INTERVAL = 0.05


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
        self._audit = audit
        self._every_seconds = max(every_seconds, SHORTEST_INTERVAL)
        self._begin = time.monotonic()
        self._resources = ExitStack()
        self._draw: Callable[[], object] = lambda: None
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        if sys.stderr is not None and sys.stderr.isatty():
            self._draw = self._bar()
        # A thread of its own, since a slow source may hold up the load for longer.
        thread = threading.Thread(target=self._write_lines, name="wherescape-progress", daemon=True)
        thread.start()
        self._resources.callback(thread.join)
        self._resources.callback(self._is_over.set)
        return self

    def __exit__(self, *exception: object) -> None:
        self._resources.close()

    def show(self) -> None:
        """Draw how far the load is."""
        self._draw()

    def _write_lines(self) -> None:
        while not self._is_over.wait(self._every_seconds):
            rows = rows_text(self._tally.read, self._tally.rejected)
            try:
                self._audit(f"{rows} so far, {seconds_text(time.monotonic() - self._begin)}")
            except WhereScapeError as error:
                logger.warning("The progress of the load is not shown in RED's audit log. %s", error)
                return

    def _bar(self) -> Callable[[], object]:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar
        except ImportError:
            return lambda: None
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeElapsedColumn(),
        )
        # Standard output belongs to RED.
        bar = Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False)
        self._resources.enter_context(bar)
        task = bar.add_task(self._what, total=None, rows="")
        return lambda: bar.update(task, rows=rows_text(self._tally.read, self._tally.rejected))


def rows_text(rows: int, rejected: int) -> str:
    """Say how many rows: `1,204 rows, 2 rejected`."""
    text = "1 row" if rows == 1 else f"{rows:,} rows"
    return f"{text}, {rejected:,} rejected" if rejected else text


def age_text(seconds: float | None) -> str:
    """Say how long ago: `40 s`, `5 min`, `3 h`, `2 d`; nothing if unknown."""
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def number_text(number: int | None) -> str:
    """Say a number: `1,204`; nothing if it is unknown."""
    return "" if number is None else f"{number:,}"


def seconds_text(seconds: float) -> str:
    """Say how long: `0.2 s`, `14 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
