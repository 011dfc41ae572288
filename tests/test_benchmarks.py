"""Each measure runs, and stores the same rows on all its sides; how fast it is says `make bench` alone."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import report
from benchmarks.__main__ import MEASURES
from benchmarks.measuring import Goal, Measure, Sizes
from wherescape.sandbox import RedServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux tells it")

TINY = Sizes(
    rows=50,
    distant_rows_by_executemany=3,
    frame_rows=50,
    issue_pages=2,
    parents=5,
    parent_seconds=0.001,
    memory_rows=(10, 20),
    repetitions=1,
    imports=1,
    load_tables=3,
    task_runs=12,
)


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_runs(clean_red: RedServer, name: str) -> None:
    measure = MEASURES[name](clean_red, TINY)
    assert all(value > 0 for value in measure.bars.values())
    assert any(bar.startswith("wherescape") for bar in measure.bars)
    assert all(goal.limit > 0 for goal in measure.goals)


MEASURE = Measure(
    "Insert <rows>",
    "rows/s",
    {"wherescape": 50.0, "executemany": 10.0},
    (
        Goal("insert, against `executemany`", 5.0, 8, "times as fast", 1, 80),
        Goal("memory", 3.0, 20, "MiB", 0, 20, at_most=True),
    ),
)


def test_the_page_tells_what_is_reached(clean_red: RedServer, tmp_path: Path) -> None:
    machine = report.describe_machine(clean_red)
    report.write([MEASURE], tmp_path, machine, repetitions=3, imports=5)
    lines = (tmp_path / "README.md").read_text(encoding="utf-8").splitlines()
    assert "| insert, against `executemany` | 5.0 times as fast | at least 8 | **no** |" in lines
    assert "| memory | 3 MiB | at most 20 | yes |" in lines
    plot = ElementTree.parse(tmp_path / "benchmarks.svg").getroot()
    widths = {bar.get("class"): bar.get("width") for bar in plot.iter("{http://www.w3.org/2000/svg}rect")}
    assert (widths["ours"], widths["other"]) == ("300.0", "60.0")
