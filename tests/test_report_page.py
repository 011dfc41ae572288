"""A load as a page: what it shows of real loads, that it needs nothing else, and that it stays small."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.loading import LOAD_TABLE, alter, create_load_table, item_table, warnings_of
from wherescape import Column, WhereScape
from wherescape.cli.main import commands
from wherescape.extraction import Extraction
from wherescape.pages import charts
from wherescape.sandbox.red_server import RedServer

TABLE = item_table(Column("a_text", "text"), Column("a_integer", "integer"), Column("updated_at", "timestamp"))
MOMENT = "2026-01-05T10:05:00+00:00"


@pytest.fixture(scope="module")
def red(red: RedServer) -> RedServer:
    red.reset()
    create_load_table(red, TABLE)
    return red


@pytest.fixture
def wherescape(red: RedServer) -> Iterator[WhereScape]:
    """A script's object in a run of its own; what other tests loaded and their reports are gone."""
    empty(red)
    for path in (red.workdir / "runs").glob("*"):
        path.unlink()
    made = WhereScape(run_of(red, 7))
    yield made
    made.close()


def empty(red: RedServer) -> None:
    red.query_warehouse(f"TRUNCATE load.{LOAD_TABLE}")


def run_of(red: RedServer, sequence: int) -> dict[str, str]:
    return red.environment(LOAD_TABLE, WSL_SEQUENCE=str(sequence), WSL_JOB_NAME="Nightly")


def page_of(wherescape: WhereScape) -> Path:
    return wherescape.workdir / "runs" / f"{LOAD_TABLE}_{wherescape.sequence}.html"


def report_of(wherescape: WhereScape) -> Path:
    return page_of(wherescape).with_suffix(".json")


class _Page(HTMLParser):
    """The tags of a page, and its text by section."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.sections: dict[str, str] = {"": ""}
        self._heading = ""
        self._open: list[str] = []
        self.feed(html)
        self.sections = {heading: " ".join(text.split()) for heading, text in self.sections.items()}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        if "h2" in self._open:
            self._heading = data
        self.sections[self._heading] = f"{self.sections.get(self._heading, '')} {data}"


def read(path: Path) -> _Page:
    return _Page(path.read_text(encoding="utf-8"))


def run_command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands, ["report", *map(str, arguments)])


def load_pages(wherescape: WhereScape, pages: int, rows: int, **options: Any) -> Extraction:
    """Load pages of rows as a client reads them; the third request is repeated after a wait."""
    extraction = Extraction()

    def records() -> Iterator[dict[str, Any]]:
        for page in range(pages):
            extraction.count_request()
            if page == 2:
                extraction.add_wait(0.001)
                extraction.count_request(is_retry=True)
            extraction.add_page(time.monotonic(), 0.001, rows)
            yield from ({"n": page * rows + n, "a_text": None if n % 2 else "x"} for n in range(rows))

    wherescape.load(TABLE, records(), extraction=extraction, **options)
    return extraction


def test_a_load_draws_its_page_where_it_is_told_to(wherescape: WhereScape) -> None:
    load_pages(wherescape, pages=4, rows=100, report_page=True)
    page = read(page_of(wherescape))
    assert list(page.sections) == [
        "",
        "What took the time",
        "Rows so far",
        "Pages",
        "The last runs",
        "NULLs and rejected rows by column",
    ]
    head, time_taken, rows, *_, columns = page.sections.values()
    assert "load.load_item loaded" in head and "job Nightly · task load_item · sequence 7" in head
    assert "400 rows inserted" in head and "5 requests 1 of them repeated" in head
    assert "Requests 5, 1 of them repeated" in time_taken
    assert "fetched (400)" in rows and "inserted (400)" in rows
    assert "a_text 200 50%" in columns
    assert "No NULLs and no rejected rows: n." in columns
    bars = [attributes for tag, attributes in page.tags if tag == "rect"]
    assert len(bars) == 2 * 4


def test_by_default_there_is_no_page(wherescape: WhereScape) -> None:
    load_pages(wherescape, pages=1, rows=1)
    assert report_of(wherescape).exists() and not page_of(wherescape).exists()


@pytest.mark.parametrize(("setting", "has_page"), [("on", True), ("off", False), ("yes", False)])
def test_the_environment_decides_for_scripts_that_say_nothing(
    wherescape: WhereScape,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    setting: str,
    has_page: bool,
) -> None:
    monkeypatch.setenv("WHERESCAPE_REPORT_PAGE", setting)
    wherescape.load(TABLE, [{"n": 1}])
    assert page_of(wherescape).exists() is has_page
    named = [message for message in warnings_of(caplog) if "WHERESCAPE_REPORT_PAGE is 'yes'" in message]
    assert bool(named) is (setting == "yes")


def test_what_a_script_says_goes_before_the_environment(
    wherescape: WhereScape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERESCAPE_REPORT_PAGE", "on")
    wherescape.load(TABLE, [{"n": 1}], report_page=False)
    assert not page_of(wherescape).exists()


def test_a_page_needs_nothing_else(wherescape: WhereScape) -> None:
    load_pages(wherescape, pages=3, rows=10, report_page=True)
    html = page_of(wherescape).read_text(encoding="utf-8")
    assert not re.findall(r"<script|<link|<img|<iframe|@import|url\(|https?://", html)
    assert "prefers-color-scheme: dark" in html


def test_what_came_from_the_source_is_text_on_the_page(wherescape: WhereScape) -> None:
    extraction = Extraction()
    extraction.skip("<script>alert(1)</script>", "404 & more")
    wherescape.load(TABLE, [{"n": 1, "<b>field</b>": 1}], extraction=extraction, report_page=True)
    html = page_of(wherescape).read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;: 404 &amp; more" in html
    assert "&lt;b&gt;field&lt;/b&gt;" in html
    assert "<script" not in html and "<b>field" not in html


def test_a_load_that_failed_says_so_first(wherescape: WhereScape, red: RedServer) -> None:
    def records() -> Iterator[dict[str, Any]]:
        yield from ({"n": n} for n in range(6_000))
        raise ConnectionError(f"gone, with {red.target_password}")

    with pytest.raises(ConnectionError):
        wherescape.load(TABLE, records(), report_page=True)
    page = read(page_of(wherescape))
    assert "load.load_item failed" in page.sections[""]
    assert "Nothing was loaded, after" in page.sections[""] and "ConnectionError: gone" in page.sections[""]
    assert "0 rows inserted" in page.sections[""]
    assert "inserted, but not committed" in page.sections["Rows so far"]
    assert "Nothing is known about the reading" in page.sections["What took the time"]
    assert red.target_password not in page_of(wherescape).read_text(encoding="utf-8")


def test_a_load_without_rows_has_a_page(wherescape: WhereScape) -> None:
    wherescape.load(TABLE, [], report_page=True)
    page = read(page_of(wherescape))
    assert "There was nothing to load." in page.sections[""]
    assert "Nothing was fetched or inserted." in page.sections["What took the time"]
    assert "Rows so far" not in page.sections and "Pages" not in page.sections


def test_rejected_rows_are_told_by_column_with_the_way_to_them(wherescape: WhereScape, red: RedServer) -> None:
    alter(red, "ADD CONSTRAINT not_five CHECK (n <> 5)")
    try:
        wherescape.load(TABLE, [{"n": n, "a_integer": "x" if n < 2 else n} for n in range(10)], report_page=True)
    finally:
        alter(red, "DROP CONSTRAINT not_five")
    page = read(page_of(wherescape))
    assert "loaded, rows rejected" in page.sections[""]
    assert "3 rows did not fit: column a_integer 2, as a whole 1." in page.sections[""]
    [link] = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert link and (page_of(wherescape).parent / link).resolve().read_text(encoding="utf-8").count("\n") == 3


@pytest.mark.parametrize(("moment", "is_staged"), [("2026-01-06T10:00:00Z", True), (None, False)])
def test_a_mark_is_staged_only_if_it_moved(
    wherescape: WhereScape, red: RedServer, moment: str | None, is_staged: bool
) -> None:
    red.write_parameter("HWM_load_item", MOMENT)
    table = item_table(Column("updated_at", "timestamp"), mark_column="updated_at")
    mark = wherescape.high_water_mark(staged=True)
    wherescape.load(table, [{"n": 1, "updated_at": moment}], mark=mark, report_page=True)
    assert ("(staged)" in page_of(wherescape).read_text(encoding="utf-8")) is is_staged


def test_a_mark_that_is_held_tells_why(wherescape: WhereScape, red: RedServer) -> None:
    red.write_parameter("HWM_load_item", MOMENT)
    extraction = Extraction()
    extraction.skip("group/project", "404")
    mark = wherescape.high_water_mark()
    wherescape.load(TABLE, [{"n": 1}], mark=mark, extraction=extraction, report_page=True)
    head = read(page_of(wherescape)).sections[""]
    assert "loaded, mark held" in head
    assert "The high-water mark HWM_load_item stays: 1 part of the source could not be read." in head
    assert "HWM_load_item: 2026-01-05 10:05:00 UTC → 2026-01-05 10:05:00 UTC" in head


def test_the_last_runs_are_those_whose_reports_lie_beside_it(wherescape: WhereScape, red: RedServer) -> None:
    table = item_table(Column("updated_at", "timestamp"), mark_column="updated_at")
    red.write_parameter("HWM_load_item", "")
    for sequence in (1, 2, 3):
        with_mark = WhereScape(run_of(red, sequence))
        records = [{"n": n, "updated_at": f"2026-01-0{sequence}T10:00:00Z"} for n in range(sequence)]
        with_mark.load(table, records, mark=with_mark.high_water_mark())
        with_mark.close()
    runs = red.workdir / "runs"
    (runs / "load_item_4.json").write_text("[]")
    (runs / "load_item_other_2.json").write_text((runs / "load_item_2.json").read_text())
    assert run_command(runs / "load_item_3.json", "--html", runs / "third.html").exit_code == 0
    assert run_command(runs / "load_item_2.json").exit_code == 0
    shown = read(runs / "third.html").sections["The last runs"]
    marks = re.findall(r"2026-01-0\d 10:00:00 UTC(?: 1 d)?", shown)
    assert marks == ["2026-01-03 10:00:00 UTC 1 d", "2026-01-02 10:00:00 UTC 1 d", "2026-01-01 10:00:00 UTC"]
    # What came after it is no earlier run of the second.
    assert "2026-01-03" not in read(runs / "load_item_2.html").sections["The last runs"]


def test_a_page_stays_small_however_long_the_load_was(wherescape: WhereScape) -> None:
    extraction = Extraction()
    for number in range(40_000):
        extraction.count_request()
        extraction.add_page(float(number), 0.5, 20)
    wherescape.load(TABLE, [{"n": 1}], extraction=extraction, report_page=True)
    page = read(page_of(wherescape))
    assert len(page_of(wherescape).read_bytes()) < 200_000
    titles = page_of(wherescape).read_text(encoding="utf-8").count("on average: 20 rows, 500 ms</title>")
    assert titles == 2 * len({attributes["x"] for tag, attributes in page.tags if tag == "rect"}) > 100
    assert "Requests 40,000" in page.sections["What took the time"]


def test_a_page_that_cannot_be_drawn_does_not_undo_the_load(
    wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    page_of(wherescape).mkdir(parents=True)
    try:
        assert wherescape.load(TABLE, [{"n": 1}], report_page=True).inserted == 1
    finally:
        page_of(wherescape).rmdir()
    assert "cannot be written" in caplog.text


def test_the_command_writes_the_page_beside_the_report_and_says_where(wherescape: WhereScape) -> None:
    load_pages(wherescape, pages=2, rows=5)
    command: list[str | Path] = [Path(sys.executable).with_name("wherescape"), "report", report_of(wherescape)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"The page: {page_of(wherescape)}\n", "")
    assert "10 rows inserted" in read(page_of(wherescape)).sections[""]


def test_a_report_of_an_older_release_is_still_drawn(wherescape: WhereScape) -> None:
    load_pages(wherescape, pages=2, rows=5)
    report = json.loads(report_of(wherescape).read_text(encoding="utf-8"))
    del report["read"]
    for name in ("sent", "repeated", "waits"):
        del report["extraction"][name]
    report_of(wherescape).write_text(json.dumps(report), encoding="utf-8")
    assert run_command(report_of(wherescape)).exit_code == 0


def test_half_of_a_character_keeps_no_page_from_being_drawn(wherescape: WhereScape) -> None:
    load_pages(wherescape, pages=2, rows=5)
    report = json.loads(report_of(wherescape).read_text(encoding="utf-8")) | {"error": "The API sent half of \ud83d"}
    report_of(wherescape).write_text(json.dumps(report), encoding="utf-8")
    assert run_command(report_of(wherescape)).exit_code == 0
    assert "half of \\ud83d" in page_of(wherescape).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "is not JSON"),
        ("[]", "table, outcome"),
        ('{"table": "load.load_item"}', "outcome, started"),
        ("[]", "sequence, job, task, mark"),
    ],
)
def test_what_is_no_report_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    done = run_command(path)
    assert done.exit_code == 1
    assert f"Error: {path} is no run report" in done.stderr and message in done.stderr


@pytest.mark.parametrize(
    ("largest", "end", "labels"),
    [
        (0, 1, ["0", "1"]),
        (3, 3, ["0", "1", "2", "3"]),
        (7, 8, ["0", "2", "4", "6", "8"]),
        (59_666, 60_000, ["0", "20k", "40k", "60k"]),
        (1_234_567, 1_500_000, ["0", "500k", "1M", "1.5M"]),
    ],
)
def test_an_axis_of_counts_has_round_ticks(largest: float, end: float, labels: list[str]) -> None:
    reached, ticks = charts.count_axis(largest)
    assert (reached, [tick.label for tick in ticks]) == (end, labels)
    assert (ticks[0].percent, ticks[-1].percent) == (0, 100)


@pytest.mark.parametrize(
    ("begin", "end", "labels"),
    [
        (0, 0.0371, ["0 s", "10 ms", "20 ms", "30 ms"]),
        (-1, 14.2, ["0 s", "5 s", "10 s"]),
        (0, 200, ["0 s", "1 min", "2 min", "3 min"]),
        (0, 9_000, ["0 s", "30 min", "1 h", "1.5 h", "2 h", "2.5 h"]),
        (0, 4_000_000, ["0 s", "10 d", "20 d", "30 d", "40 d"]),
    ],
)
def test_an_axis_of_time_has_round_ticks(begin: float, end: float, labels: list[str]) -> None:
    assert [tick.label for tick in charts.time_ticks(begin, end)] == labels
