"""What reading a source told about itself: the one thing that a connector and the load of its records share."""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from wherescape.errors import SourceIncomplete

Item = TypeVar("Item")

LONGEST_TIMELINE = 1_000


@dataclass(frozen=True)
class Skipped:
    """A part of the source that could not be read, so that rows are missing.

    Arguments:
        name: such as the path of a project.
        reason: such as `404 for its commits`.
    """

    name: str
    reason: str


@dataclass
class Span:
    """A piece of work, or neighbours drawn together: when it began, how long it took, how many rows it had.

    Arguments:
        at: seconds on the clock of `time.monotonic`.
        seconds: how long it took.
        rows: how many rows it had.
        pieces: how many pieces are drawn together.
        until: when the last of them ended, on the same clock.
    """

    at: float
    seconds: float
    rows: int
    pieces: int = 1
    until: float = 0.0

    def __post_init__(self) -> None:
        self.until = self.until or self.at + self.seconds

    def draw_together(self, other: "Span") -> None:
        """Take in another span."""
        self.until = max(self.until, other.until)
        self.at = min(self.at, other.at)
        self.seconds += other.seconds
        self.rows += other.rows
        self.pieces += other.pieces


class Timeline:
    """Spans in the order in which they were added, at most a thousand: then neighbours are drawn together in pairs."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._pieces_a_span = 1

    def add(self, at: float, seconds: float, rows: int) -> None:
        """Add a piece of work."""
        span = Span(at, seconds, rows)
        if self.spans and self.spans[-1].pieces < self._pieces_a_span:
            self.spans[-1].draw_together(span)
            return
        if len(self.spans) >= LONGEST_TIMELINE:
            for first, second in zip(self.spans[::2], self.spans[1::2], strict=True):
                first.draw_together(second)
            self.spans = self.spans[::2]
            self._pieces_a_span *= 2
        self.spans.append(span)


@dataclass
class Extraction:
    """The reading of a source, written by an API client while it reads, from any thread.

    Attributes:
        started: the source's own time, UTC, at its first good answer; None before it, or if it does not tell the time.
        expected_rows: how many rows the source said that its lists have; None if it did not say.
        incomplete: the lists that gave fewer rows than they said that they have.
        skipped: the parts that could not be read.
        requests: how many requests were sent, repeated ones included.
        retries: how many of them repeated another.
        waited_seconds: how long it waited between requests because it had to.
        pages: when pages were fetched, and their rows.
        sent: when requests were sent, repeated ones included.
        repeated: when requests were repeated.
        waits: when it waited, since it had to.
    """

    started: datetime | None = None
    expected_rows: int | None = None
    incomplete: list[Skipped] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    requests: int = 0
    retries: int = 0
    waited_seconds: float = 0.0
    pages: Timeline = field(default_factory=Timeline)
    sent: Timeline = field(default_factory=Timeline)
    repeated: Timeline = field(default_factory=Timeline)
    waits: Timeline = field(default_factory=Timeline)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _to_load: int = field(default=0, init=False, repr=False)
    _has_answered: bool = field(default=False, init=False, repr=False)

    def answered(self, moment: datetime | None) -> None:
        """Note the source's time in a good answer; only that of the first one counts."""
        with self._lock:
            if not self._has_answered:
                self._has_answered = True
                self.started = moment

    def count_request(self, *, is_retry: bool = False) -> None:
        """Count a request that is sent now."""
        now = time.monotonic()
        with self._lock:
            self.requests += 1
            self.sent.add(now, 0.0, 0)
            if is_retry:
                self.retries += 1
                self.repeated.add(now, 0.0, 0)

    def add_page(self, at: float, seconds: float, rows: int) -> None:
        """Add a page that was fetched; see `Timeline.add`."""
        with self._lock:
            self.pages.add(at, seconds, rows)

    def add_wait(self, seconds: float) -> None:
        """Add to the time that was spent waiting, until now."""
        now = time.monotonic()
        with self._lock:
            self.waited_seconds += seconds
            self.waits.add(now - seconds, seconds, 0)

    def expect(self, rows: int) -> None:
        """Add to the rows that the source said that it has, and that a load is to have."""
        with self._lock:
            self._to_load += rows
            self.expected_rows = (self.expected_rows or 0) + rows

    def end_list(self, name: str, came: int, expected: int | None) -> None:
        """Note the end of a list.

        Arguments:
            name: what it is called.
            came: how many rows it gave.
            expected: how many it said that it has, the most if it said several; None if it did not say.
        """
        if expected is None:
            return
        with self._lock:
            self.expected_rows = (self.expected_rows or 0) + expected
            if came < expected:
                self.incomplete.append(Skipped(name, f"{came:,} of {expected:,} rows came"))

    def missing(self, rows: int, *, allow_skipped: bool) -> str:
        """Say what of the source is missing in a load; empty if nothing is.

        Arguments:
            rows: how many were read, rejected ones included.
            allow_skipped: whether parts that could not be read may be missing.
        """
        if self.incomplete:
            first, others = self.incomplete[0], len(self.incomplete) - 1
            return f"{first.reason} from {first.name}" + (f", and {others} more lists are short" if others else "")
        if rows < self._to_load:
            return f"{rows:,} rows came, where the source said that it has {self._to_load:,}"
        if self.skipped and not allow_skipped:
            parts = "1 part" if len(self.skipped) == 1 else f"{len(self.skipped)} parts"
            return f"{parts} of the source could not be read"
        return ""

    def skip(self, name: str, reason: str) -> None:
        """Note a part that could not be read."""
        with self._lock:
            self.skipped.append(Skipped(name, reason))

    def require_all(self, records: Iterable[Item]) -> Iterator[Item]:
        """Give records on, and fail at their end if a part of the source is missing, so that nothing is loaded.

        For a load whose rows say what exists: what is missing would be taken for deleted.

        Arguments:
            records: what is read from the source.

        Raises:
            SourceIncomplete: after the last record, if a part could not be read or a list was short.
        """
        count = 0
        for record in records:
            yield record
            count += 1
        if missing := self.missing(count, allow_skipped=False):
            raise SourceIncomplete(
                f"The source was not read whole: {missing}. What is missing would look deleted, so nothing was loaded."
            )
