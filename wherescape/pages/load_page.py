"""One load as a page: whether it worked, how many rows, what was slow, what was lost. Made from a run report."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from wherescape.pages import charts
from wherescape.pages.charts import Chart, Shape, Tick
from wherescape.pages.page import render
from wherescape.progress import rows_text, seconds_text

Json = dict[str, Any]

BINS = 250
MOST_NAMED = 10
NAMES_OF_RUNS = {"main": "loaded", "warn": "with rejected rows or a held mark", "bad": "failed"}


@dataclass(frozen=True)
class Work:
    """A piece of work, or some drawn together, in seconds since the load began."""

    at: float
    until: float
    seconds: float
    rows: int
    pieces: int


@dataclass(frozen=True)
class Lane:
    """One kind of work over the time of the load."""

    name: str
    note: str
    chart: Chart


@dataclass(frozen=True)
class Fact:
    """A figure at the top of the page."""

    value: str
    name: str
    color: str = ""


@dataclass(frozen=True)
class Finding:
    """What a person should know, with a color for how bad it is."""

    color: str
    text: str


@dataclass(frozen=True)
class ColumnShare:
    """The NULLs and the rejected rows of a column; `percent` is the share of NULLs."""

    name: str
    nulls: int
    percent: float
    rejected: int


@dataclass(frozen=True)
class Run:
    """A row in the table of the last runs."""

    began: str
    outcome: str
    color: str
    inserted: int
    rejected: int
    took: str
    mark: str
    moved_by: str
    is_this: bool


def load_page(report: Json, earlier: Sequence[Json], name: str = "") -> str:
    """Return the page of a load.

    Arguments:
        report: as `run_report.read_run_report` returns it.
        earlier: the reports of the same table's loads before it, the oldest first.
        name: of the report's file without its suffix, by which the reject file is found.
    """
    extraction = report.get("extraction") or {}
    pages = _works(extraction.get("pages", ()))
    batches = _works(report["batches"])
    kept = charts_of_pages(pages)
    complete, shares = _columns(report)
    return render(
        "load.html.j2",
        report=report,
        name=name,
        moment=moment_text,
        is_mark_staged=is_one_staged(report.get("mark") or {}),
        began=moment_text(report["started"]),
        outcome=outcome_of(report),
        facts=_facts(report, extraction),
        findings=_findings(report, extraction),
        lanes=_lanes(report, extraction, pages, batches),
        progress=_progress(report, pages, batches),
        has_fetched_more=report["outcome"] == "loaded" and "read" in report and _rows(pages) > report["read"],
        rows_a_page=kept[0],
        seconds_a_page=kept[1],
        is_extraction_known=bool(report.get("extraction")),
        complete_columns=complete,
        columns=shares,
        runs=_runs([*earlier, report]),
        rows_a_run=_rows_a_run([*earlier, report]) if earlier else None,
        seconds_a_run=_seconds_a_run([*earlier, report]) if earlier else None,
    )


def moment_text(moment: str | None) -> str:
    """Say a moment of a report: `2026-01-05 10:05:22 UTC`; `none` without one."""
    if not moment:
        return "none"
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def is_one_staged(mark: Json) -> bool:
    """Tell whether a mark of a report waits to be confirmed where it moved to."""
    return bool(mark.get("staged")) and mark.get("after") != mark.get("before")


def outcome_of(report: Json) -> Finding:
    """Say how a load ended, and its color."""
    if report["outcome"] == "failed":
        return Finding("bad", "failed")
    if report["outcome"] != "loaded":
        return Finding("bad", "outcome unknown")
    if report["rejected"]:
        return Finding("warn", "loaded, rows rejected")
    if (report.get("mark") or {}).get("held_because"):
        return Finding("warn", "loaded, mark held")
    return Finding("good", "loaded")


def _works(spans: Iterable[Json]) -> list[Work]:
    return [
        Work(
            span["at"],
            span.get("until", span["at"] + span["seconds"]),
            span["seconds"],
            span["rows"],
            span.get("pieces", 1),
        )
        for span in spans
    ]


def _rows(works: Iterable[Work]) -> int:
    return sum(work.rows for work in works)


def _facts(report: Json, extraction: Json) -> list[Fact]:
    facts = [
        Fact(f"{report['inserted']:,}", "row inserted" if report["inserted"] == 1 else "rows inserted"),
        Fact(f"{report['rejected']:,}", "rejected", "warn" if report["rejected"] else ""),
        Fact(seconds_text(report["seconds"]), "load time"),
    ]
    if report["inserted"] and report["seconds"]:
        facts.append(Fact(charts.count_text(report["inserted"] / report["seconds"]), "rows a second"))
    if extraction:
        retries = extraction["retries"]
        facts += [
            Fact(f"{extraction['requests']:,}", "requests"),
            Fact(f"{retries:,}", "of them repeated", "warn" if retries else ""),
            Fact(seconds_text(extraction["waited_seconds"]), "waited for the source"),
        ]
    return facts


def _findings(report: Json, extraction: Json) -> list[Finding]:
    mark = report.get("mark") or {}
    found = []
    if report["outcome"] == "failed":
        read = rows_text(report.get("read", 0), 0)
        found.append(Finding("bad", f"Nothing was loaded, after {read} had been read. {report.get('error', '')}"))
    elif report["outcome"] != "loaded":
        found.append(Finding("bad", f"Whether the rows are in the table is not known. {report.get('error', '')}"))
    elif report.get("error"):
        found.append(Finding("bad", report["error"]))
    if mark.get("held_because"):
        found.append(Finding("warn", f"The high-water mark {mark['name']} stays: {mark['held_because']}."))
    for kind, text in (("incomplete", "Lists are short"), ("skipped", "Parts could not be read")):
        if parts := [f"{part['name']}: {part['reason']}" for part in extraction.get(kind, ())]:
            found.append(Finding("warn", f"{text} ({len(parts):,}). {_names(parts, '; ')}."))
    if report["rejected"]:
        found.append(Finding("warn", f"{rows_text(report['rejected'], 0)} did not fit: {_rejected_text(report)}."))
    if report.get("missing_fields"):
        effect = "; the columns are NULL" if report["inserted"] else ""
        found.append(Finding("warn", f"No record has {_names(report['missing_fields'])}{effect}."))
    if report.get("unknown_fields"):
        found.append(Finding("quiet", f"Fields that no column takes: {_names(report['unknown_fields'])}."))
    if not found and not report["inserted"]:
        found.append(Finding("quiet", "There was nothing to load."))
    return found


def _rejected_text(report: Json) -> str:
    counts = {name: column["rejected"] for name, column in report["columns"].items() if column["rejected"]}
    named = [f"column {name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: -item[1])]
    if whole := report["rejected"] - sum(counts.values()):
        named.append(f"as a whole {whole:,}")
    return _names(named)


def _names(names: Iterable[object], between: str = ", ") -> str:
    texts = [str(name) for name in names]
    more = [f"and {len(texts) - MOST_NAMED:,} more"] if len(texts) > MOST_NAMED else []
    return between.join(texts[:MOST_NAMED] + more)


# ------------------------------------------------------------------------------------------------------ the time


def _lanes(report: Json, extraction: Json, pages: Sequence[Work], batches: Sequence[Work]) -> list[Lane]:
    sent, repeated = _works(extraction.get("sent", ())), _works(extraction.get("repeated", ()))
    waits = _works(extraction.get("waits", ()))
    begin, end = _begin_and_end(report, [*pages, *batches, *waits, *sent])
    ticks = charts.time_ticks(begin, end)
    lanes = []
    for name, works, color in (
        ("Fetching", pages, "main"),
        ("Waiting for the source", waits, "warn"),
        ("Inserting", batches, "second"),
    ):
        if extraction or works:
            lanes.append(_lane(name, works, color, begin, end))
    if sent:
        lanes.append(_requests_lane(sent, repeated, begin, end))
    if lanes:
        lanes[-1] = replace(lanes[-1], chart=replace(lanes[-1].chart, x=ticks))
    return lanes


def _lane(name: str, works: Sequence[Work], color: str, begin: float, end: float) -> Lane:
    width = (end - begin) / BINS
    density = spread(works, begin, end, lambda work: work.seconds / width)
    share = sum(min(1.0, value) for value in density) / BINS
    note = f"{round(100 * share)}% of the time" if works else "never"
    most = max(density)
    if most >= 1.5:
        note += f", up to {round(most)} at once"
    chart = Chart(f"{name}: {note}", (), (), shapes=(Shape(charts.area(density, max(1.0, most)), color),), height=34)
    return Lane(name, note, chart)


def _requests_lane(sent: Sequence[Work], repeated: Sequence[Work], begin: float, end: float) -> Lane:
    counts = spread(sent, begin, end, lambda work: work.pieces)
    again = spread(repeated, begin, end, lambda work: work.pieces)
    top = max(*counts, 1.0)
    number = sum(work.pieces for work in repeated)
    note = f"{sum(work.pieces for work in sent):,}" + (f", {number:,} of them repeated" if number else "")
    shapes = (Shape(charts.area(counts, top), "quiet"), Shape(charts.area(again, top), "bad"))
    return Lane("Requests", note, Chart(f"Requests: {note}", (), (), shapes=shapes, height=34))


def spread(works: Iterable[Work], begin: float, end: float, size: Callable[[Work], float]) -> list[float]:
    """Spread the sizes of works over the time that each of them took, in BINS equal parts of a load's time."""
    parts = [0.0] * BINS
    width = (end - begin) / BINS
    for work in works:
        first, last = (work.at - begin) / width, (work.until - begin) / width
        length = max(last - first, 1e-9)
        for number in range(max(0, int(first)), min(BINS, int(last) + 1)):
            inside = min(last, number + 1) - max(first, number)
            parts[number] += size(work) * (max(inside, 0.0) / length if last - first > 1e-9 else 1)
    return parts


def _progress(report: Json, pages: Sequence[Work], batches: Sequence[Work]) -> Chart | None:
    begin, end = _begin_and_end(report, [*pages, *batches])
    inserted = {"loaded": "inserted", "failed": "inserted, but not committed"}.get(
        report["outcome"], "inserted, perhaps not committed"
    )
    lines = [line for line in ((pages, "main", "fetched"), (batches, "second", inserted)) if line[0]]
    if not lines:
        return None
    top, y = charts.count_axis(max(_rows(works) for works, _, _ in lines))
    shapes = [Shape(charts.line(_so_far(pages), begin, end, top, is_filled=True), "main soft")] if pages else []
    if batches:
        shapes.append(Shape(charts.line(_so_far(batches), begin, end, top), "second", is_line=True))
    totals = ", ".join(f"{_rows(works):,} {name}" for works, _, name in lines)
    legend = [(f"{name} ({_rows(works):,})", color) for works, color, name in lines]
    return Chart(f"Rows so far, over time: {totals}", charts.time_ticks(begin, end), y, shapes=shapes, legend=legend)


def _so_far(works: Iterable[Work]) -> list[tuple[float, float]]:
    rows, points = 0, []
    for work in sorted(works, key=lambda work: work.until):
        rows += work.rows
        points.append((work.until, float(rows)))
    return points


def _begin_and_end(report: Json, works: Iterable[Work]) -> tuple[float, float]:
    """Return the axis of time: the first page may have been fetched before the load began."""
    works = list(works)
    begin = min([0.0, *(work.at for work in works)])
    return begin, max([report["seconds"], begin + 0.001, *(work.until for work in works)])


# ------------------------------------------------------------------------------------------------ pages, columns


def charts_of_pages(pages: Sequence[Work]) -> tuple[Chart | None, Chart | None]:
    """Return how many rows each page had, and how long each took; pages that are many are drawn in groups."""
    if not pages:
        return None, None
    size = -(-len(pages) // charts.MOST_BARS)
    groups = [pages[at : at + size] for at in range(0, len(pages), size)]
    count = sum(page.pieces for page in pages)
    titles, first = [], 1
    rows, seconds = [], []
    for group in groups:
        pieces = sum(page.pieces for page in group)
        rows.append(sum(page.rows for page in group) / pieces)
        seconds.append(sum(page.seconds for page in group) / pieces)
        which = f"Page {first:,}" if pieces == 1 else f"Pages {first:,} to {first + pieces - 1:,}, on average"
        titles.append(f"{which}: {rows[-1]:,.4g} rows, {charts.duration_text(seconds[-1])}")
        first += pieces
    slots = charts.FEWEST_SLOTS if count < charts.FEWEST_SLOTS else count
    x = charts.number_ticks(count, slots)
    drawn = []
    for values, axis, color, what in (
        (rows, charts.count_axis, "main", "Rows"),
        (seconds, charts.time_axis, "quiet", "Time"),
    ):
        top, y = axis(max(values))
        bars = charts.bars(values, top, [color] * len(values), titles)
        drawn.append(Chart(f"{what} of each of {count:,} pages", x, y, bars=bars, height=110))
    return drawn[0], drawn[1]


def _columns(report: Json) -> tuple[list[str], list[ColumnShare]]:
    """Return the columns without NULLs and rejected rows, and the others, the worst first."""
    rows = sum(batch["rows"] for batch in report["batches"])
    complete, shares = [], []
    for name, column in report["columns"].items():
        if column["nulls"] or column["rejected"]:
            percent = min(100.0, 100 * column["nulls"] / rows) if rows else 0.0
            shares.append(ColumnShare(name, column["nulls"], percent, column["rejected"]))
        else:
            complete.append(name)
    return complete, sorted(shares, key=lambda share: (-share.rejected, -share.nulls, share.name))


# -------------------------------------------------------------------------------------------------- the last runs


def _runs(reports: Sequence[Json]) -> list[Run]:
    return [_run(report, is_this=report is reports[-1]) for report in reversed(reports)]


def _run(report: Json, *, is_this: bool) -> Run:
    mark = report.get("mark") or {}
    before, after = mark.get("before"), mark.get("after")
    moved_by = ""
    if before and after:
        seconds = (datetime.fromisoformat(after) - datetime.fromisoformat(before)).total_seconds()
        moved_by = charts.duration_text(seconds) if seconds else "stays"
    outcome = outcome_of(report)
    return Run(
        moment_text(report["started"]),
        outcome.text,
        outcome.color,
        report["inserted"],
        report["rejected"],
        seconds_text(report["seconds"]),
        (moment_text(after) + (" staged" if is_one_staged(mark) else "")) if mark else "",
        moved_by,
        is_this,
    )


def _rows_a_run(reports: Sequence[Json]) -> Chart:
    top, y = charts.count_axis(max(report["inserted"] for report in reports))
    return _chart_of_runs("Rows", reports, [report["inserted"] for report in reports], top, y)


def _seconds_a_run(reports: Sequence[Json]) -> Chart:
    top, y = charts.time_axis(max([0.001, *(report["seconds"] for report in reports)]))
    return _chart_of_runs("Duration", reports, [report["seconds"] for report in reports], top, y)


def _chart_of_runs(
    what: str, reports: Sequence[Json], values: Sequence[float], top: float, y: Sequence[Tick]
) -> Chart:
    titles = [
        f"{moment_text(report['started'])}: {outcome_of(report).text}, {rows_text(report['inserted'], 0)},"
        f" {seconds_text(report['seconds'])}"
        for report in reports
    ]
    colors = [outcome_of(report).color.replace("good", "main") for report in reports]
    legend = [(name, color) for color, name in NAMES_OF_RUNS.items() if color in colors]
    return Chart(
        f"{what} of the last {len(reports)} runs",
        (),
        y,
        bars=charts.bars(values, top, colors, titles),
        legend=legend if len(legend) > 1 else (),
        height=110,
    )
