"""All load tables as a page: what needs a look first, and the rows and times of the last runs as small charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from wherescape.load_status import LoadStatus, Overview, remark_of, summary
from wherescape.pages import charts
from wherescape.pages.page import render
from wherescape.progress import age_text, number_text, rows_text, seconds_text
from wherescape.redaction import redact
from wherescape.task_history import MOST_RUNS, TaskRun

SPARK_SLOT = 10
SPARK_HEIGHT = 24
MOST_LISTED_RUNS = 10
COLORS_OF_STATES = {
    "failed": "bad",
    "late": "bad",
    "warnings": "warn",
    "unknown": "warn",
    "no rows": "warn",
    "running": "main",
    "loaded": "good",
    "no run": "quiet",
}
COLORS_OF_RUNS = {"failed": "bad", "warnings": "warn", "unknown": "warn", "loaded": "good"}


@dataclass(frozen=True)
class Spark:
    """A small chart: a path by color in an area of MOST_RUNS slots, and what it says in words."""

    paths: Sequence[tuple[str, str]]
    title: str


@dataclass(frozen=True)
class RunRow:
    """A run in the list of a table's last runs."""

    began: str
    outcome: str
    color: str
    rows: str
    rejected: str
    took: str
    message: str


@dataclass(frozen=True)
class TableRow:
    """A load table on the page."""

    name: str
    color: str
    ago: str
    rows: str
    rejected: str
    took: str
    mark: str
    mark_age: str
    remark: str
    rows_spark: Spark
    time_spark: Spark
    runs: Sequence[RunRow]


def status_page(overview: Overview) -> str:
    """Return the page of all load tables.

    Arguments:
        overview: as `load_status.read_overview` returns it.
    """
    groups = [
        (state, COLORS_OF_STATES[state], [_row(status) for status in tables])
        for state, tables in groupby(overview.tables, key=lambda status: status.state)
    ]
    return render(
        "status.html.j2",
        summary=summary(overview),
        remark=overview.remark,
        days=overview.days,
        counts=[(count, state, COLORS_OF_STATES[state]) for state, count in overview.counts.items()],
        groups=groups,
        width=MOST_RUNS * SPARK_SLOT,
        height=SPARK_HEIGHT,
    )


def _row(status: LoadStatus) -> TableRow:
    last, state = status.last, status.state
    runs = list(reversed(status.runs))
    return TableRow(
        name=f"{status.schema}.{status.table}" if status.schema else status.table,
        color=COLORS_OF_STATES[state],
        ago=f"{age_text(status.age_seconds)} ago" if last else "",
        rows=number_text(last.inserted if last else None),
        rejected=number_text((last.rejected if last else None) or None),
        took=_took(last) if last else "",
        mark=status.mark.text if status.mark else "",
        mark_age=age_text(status.mark.age_seconds) if status.mark else "",
        remark=remark_of(status),
        rows_spark=_spark(runs, [run.inserted for run in runs], "rows"),
        time_spark=_spark(runs, [run.seconds for run in runs], "time"),
        runs=[_run_row(run) for run in status.runs[:MOST_LISTED_RUNS]],
    )


def _run_row(run: TaskRun) -> RunRow:
    return RunRow(
        f"{run.started:%Y-%m-%d %H:%M:%S}",
        run.outcome,
        COLORS_OF_RUNS.get(run.outcome, "quiet"),
        number_text(run.inserted),
        number_text(run.rejected or None),
        _took(run),
        redact(run.message),
    )


def _took(run: TaskRun) -> str:
    return "" if run.seconds is None else seconds_text(run.seconds)


def _spark(runs: Sequence[TaskRun], values: Sequence[float | None], what: str) -> Spark:
    """Draw values of runs, the newest at the right."""
    known = [value for value in values if value is not None]
    most = max(known, default=0)
    paths: dict[str, str] = {}
    first = MOST_RUNS - len(runs)
    for number, (run, value) in enumerate(zip(runs, values, strict=True), start=first):
        is_bad = run.outcome == "failed"
        height = round(SPARK_HEIGHT * (value or 0) / most) if most else 0
        if is_bad or value:
            height = max(height, 2)
        if height:
            color = COLORS_OF_RUNS.get(run.outcome, "quiet").replace("good", "main")
            bar = f"M{number * SPARK_SLOT} {SPARK_HEIGHT}v-{height}h8v{height}z"
            paths[color] = paths.get(color, "") + bar
    largest = rows_text(int(most), 0) if what == "rows" else charts.duration_text(most)
    title = f"{what} of the last {len(runs)} runs, at most {largest}" if runs else "no runs"
    return Spark(list(paths.items()), title)
