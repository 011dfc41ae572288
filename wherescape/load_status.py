"""How the load tables are: the last run of each, its mark, and what needs a look first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from wherescape.high_water_mark import PREFIX, STAGED, moment_of, name_of_store
from wherescape.progress import age_text
from wherescape.redaction import redact
from wherescape.repository import Repository
from wherescape.task_history import (
    UNFINISHED,
    TaskRun,
    days_before,
    read_history,
    read_load_tables,
    read_marks,
    read_now,
    with_progress,
)

STATES = ("failed", "late", "warnings", "unknown", "no rows", "running", "loaded", "no run")
"""What a load table can be, in the order in which a person should look: the first five are problems."""
PROBLEMS = STATES[:5]
FEWEST_RUNS = 3
SPARE_SECONDS = 3_600


@dataclass(frozen=True)
class Mark:
    """A high-water mark.

    Arguments:
        name: of the RED parameter.
        value: as it stands there.
        moment: in UTC; None if the value says none that a load could use.
        is_staged: whether a later one waits to be confirmed.
    """

    name: str
    value: str
    moment: datetime | None
    is_staged: bool

    @property
    def text(self) -> str:
        """Such as `2026-01-05 10:05Z`, or as it stands in RED if it is no moment."""
        text = f"{self.moment:%Y-%m-%d %H:%MZ}" if self.moment else self.value[:25] or "none"
        return f"{text}, one staged" if self.is_staged else text

    @property
    def age_seconds(self) -> float | None:
        """How far it lies back by this machine's clock; None without a moment."""
        return (datetime.now(UTC) - self.moment).total_seconds() if self.moment else None


@dataclass(frozen=True)
class LoadStatus:
    """A load table and its last runs.

    Arguments:
        table: its name.
        schema: of the target; empty if RED does not tell.
        runs: the newest first; none if there was none since the day from which on they were read.
        mark: None if there is none.
        now: by the repository's clock, as are the times of the runs.
    """

    table: str
    schema: str
    runs: Sequence[TaskRun]
    mark: Mark | None
    now: datetime

    @property
    def last(self) -> TaskRun | None:
        """The last run."""
        return self.runs[0] if self.runs else None

    @property
    def state(self) -> str:
        """One of STATES.

        A table is `late` if its last run began longer ago than two of its usual intervals, and than any of those that
        it has had, such as a weekend, and an hour; even if that run has not ended. It has `no rows` if the last run
        loaded none, and all those before it some.
        """
        if self.last is None:
            return "no run"
        outcome = self.last.outcome
        if outcome == "failed":
            return "failed"
        if self._is_late:
            return "late"
        if outcome in UNFINISHED:
            return "running"
        if outcome in ("warnings", "unknown"):
            return outcome
        return "no rows" if self._is_empty_at_once else "loaded"

    @property
    def age_seconds(self) -> float | None:
        """How long ago the last run began."""
        return (self.now - self.last.started).total_seconds() if self.last else None

    @property
    def usual_seconds(self) -> float | None:
        """The usual time between the beginnings of two runs; None if there are too few to tell."""
        return median(self._intervals) if len(self.runs) > FEWEST_RUNS else None

    @property
    def _intervals(self) -> list[float]:
        moments = [run.started for run in self.runs]
        return [(later - earlier).total_seconds() for later, earlier in zip(moments, moments[1:], strict=False)]

    @property
    def _is_late(self) -> bool:
        usual, age = self.usual_seconds, self.age_seconds
        return usual is not None and age is not None and age > max(2 * usual, *self._intervals) + SPARE_SECONDS

    @property
    def _is_empty_at_once(self) -> bool:
        counts = [run.inserted for run in self.runs]
        return counts[0] == 0 and len(counts) > FEWEST_RUNS and all(counts[1:])


@dataclass(frozen=True)
class Overview:
    """All load tables, those with problems first.

    Arguments:
        tables: in the order of STATES, then by name.
        now: by the repository's clock.
        days: how far back runs were looked for.
        source: which of RED's logs they are from.
        remark: what that log lacks; empty if nothing.
    """

    tables: Sequence[LoadStatus]
    now: datetime
    days: int
    source: str
    remark: str

    @property
    def counts(self) -> dict[str, int]:
        """How many tables are in which state, in the order of STATES; without those in which none is."""
        counted = Counter(table.state for table in self.tables)
        return {state: counted[state] for state in STATES if counted[state]}


def read_overview(repository: Repository, days: int, table: str = "") -> Overview:
    """Read how the load tables are.

    Arguments:
        repository: RED's.
        days: how far back to look for runs.
        table: the only load table, in any case; empty for all.

    Raises:
        TableNotRegistered: there is no load table of that name.
        DatabaseError: the repository cannot be read.
    """
    now = read_now(repository)
    tables = read_load_tables(repository, table)
    marks = read_marks(repository)
    history = with_progress(repository, read_history(repository, days_before(now, days), table))
    found = [
        LoadStatus(name, schema, history.runs.get(name.lower(), ()), find_mark(name, marks), now)
        for schema, name in tables
    ]
    found.sort(key=lambda status: (STATES.index(status.state), status.table))
    return Overview(found, now, days, history.source, history.remark)


def find_mark(table: str, marks: Mapping[str, str]) -> Mark | None:
    """Return the high-water mark of a load table: that of its name, or of the data store behind it.

    Arguments:
        table: its name.
        marks: values by names in lower case.
    """
    for name in (PREFIX + table, name_of_store(table)):
        value = marks.get(name.lower(), "")
        is_staged = (name + STAGED).lower() in marks
        if value or is_staged:
            moment = None
            with suppress(ValueError):
                moment = moment_of(value)
            return Mark(name, value, moment, is_staged)
    return None


def summary(overview: Overview) -> str:
    """Say how many load tables are how, and what that is from."""
    count = len(overview.tables)
    states = ", ".join(f"{number:,} {state}" for state, number in overview.counts.items())
    tables = f"{count:,} load {'table' if count == 1 else 'tables'}" + (f": {states}" if states else "")
    return f"{tables}. {overview.days} days of RED's {overview.source}, {overview.now:%Y-%m-%d %H:%M} by its clock."


def remark_of(status: LoadStatus) -> str:
    """Say what is wrong with a load table, or how far its run is; empty where there is nothing to say."""
    last = status.last
    if last is None or status.state == "loaded":
        return ""
    if status.state == "late":
        still = f", which is still {last.outcome}" if last.outcome in UNFINISHED else ""
        ago = f"last did {age_text(status.age_seconds)} ago{still}"
        return f"it usually runs every {age_text(status.usual_seconds)}, and {ago}"
    if status.state == "no rows":
        return f"the last run loaded no rows, the {len(status.runs) - 1} before it did"
    message = redact(last.message.strip())
    if status.state == "running":
        return f"{last.outcome}: {message}" if message else ""
    return message or f"its last run left no message; its status is {status.state}"
