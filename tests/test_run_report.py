"""Every load leaves a report as data, whose sums agree with what was loaded."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.loading import alter, item_table, load_table, run_report, stored
from wherescape import Column, WhereScape
from wherescape.errors import TooManyRejects
from wherescape.extraction import Extraction
from wherescape.sandbox.red_server import RedServer

TABLE = item_table(
    Column("a_text", "text"),
    Column("a_integer", "integer"),
    Column("updated_at", "timestamp"),
    mark_column="updated_at",
)
MOMENT = "2026-01-05T10:05:00+00:00"
PARTS = {
    *("table", "sequence", "job", "task", "outcome", "error", "started", "seconds", "read", "inserted", "rejected"),
    *("mark", "extraction", "batches", "columns", "unknown_fields", "missing_fields"),
}


@pytest.fixture
def wherescape(clean_red: RedServer) -> Iterator[WhereScape]:
    with load_table(clean_red, TABLE) as made:
        yield made


def test_the_sums_agree_with_what_was_loaded(wherescape: WhereScape, clean_red: RedServer) -> None:
    alter(clean_red, "ALTER a_text TYPE varchar(5)")
    alter(clean_red, "ADD CHECK (n <> 6000)")
    records = [
        {
            "n": n,
            "a_text": None if n % 4 == 0 else "too long" if n in (9, 11_999) else "text",
            "a_integer": "x" if n % 5_000 == 1 else None if n % 3 == 0 else n,
            "updated_at": MOMENT,
            "kelp": 1,
        }
        for n in range(12_000)
    ]
    started = datetime.now(UTC)
    result = wherescape.load(TABLE, records)
    report = run_report(wherescape)

    rows, text_nulls, integer_nulls = stored(
        clean_red, "count(*), count(*) FILTER (WHERE a_text IS NULL), count(*) FILTER (WHERE a_integer IS NULL)", "1"
    )[0]
    assert set(report) == PARTS
    assert (report["outcome"], report["error"]) == ("loaded", "")
    assert (report["table"], report["sequence"], report["job"], report["task"]) == (
        "load.load_item",
        0,
        "Develop",
        "load_item",
    )
    assert (report["inserted"], report["rejected"]) == (rows, 6) == (result.inserted, result.rejected)
    assert sum(batch["rows"] for batch in report["batches"]) == rows
    assert report["columns"] == {
        "n": {"nulls": 0, "rejected": 0},
        "a_text": {"nulls": text_nulls, "rejected": 2},
        "a_integer": {"nulls": integer_nulls, "rejected": 3},
        "updated_at": {"nulls": 0, "rejected": 0},
    }
    assert (report["unknown_fields"], report["missing_fields"]) == ({"kelp": 12_000}, [])
    assert (report["mark"], report["extraction"]) == (None, None)
    assert started <= datetime.fromisoformat(report["started"]) <= datetime.now(UTC)
    assert all(
        0 <= batch["at"] <= batch["at"] + batch["seconds"] <= report["seconds"] + 0.1 for batch in report["batches"]
    )


def test_a_load_tells_its_extraction(wherescape: WhereScape) -> None:
    extraction = Extraction(started=datetime(2026, 1, 5, tzinfo=UTC), requests=7, retries=2, waited_seconds=1.5)
    extraction.expect(2)
    extraction.skip("group/project", "404 for its commits")

    def records() -> Iterator[dict[str, Any]]:
        begin = time.monotonic()
        yield {"n": 1}
        yield {"n": 2}
        extraction.pages.add(begin, time.monotonic() - begin, 2)

    wherescape.load(TABLE, records(), extraction=extraction)
    told = run_report(wherescape)["extraction"]
    [page] = told.pop("pages")
    assert told == {
        "requests": 7,
        "retries": 2,
        "waited_seconds": 1.5,
        "expected_rows": 2,
        "incomplete": [],
        "skipped": [{"name": "group/project", "reason": "404 for its commits"}],
        "sent": [],
        "repeated": [],
        "waits": [],
    }
    assert page["rows"] == 2
    assert page["at"] >= 0


def test_a_mark_before_and_after(wherescape: WhereScape, clean_red: RedServer) -> None:
    clean_red.write_parameter("HWM_load_item", "2026-01-01T02:00:00+02:00")
    mark = wherescape.high_water_mark()
    wherescape.load(TABLE, [{"n": 1, "updated_at": MOMENT}], mark=mark)
    assert run_report(wherescape)["mark"] == {
        "name": "HWM_load_item",
        "before": "2026-01-01T00:00:00+00:00",
        "since": "2026-01-01T00:00:00+00:00",
        "after": MOMENT,
        "staged": False,
        "held_because": "",
    }


def test_a_mark_that_is_held_tells_why(wherescape: WhereScape) -> None:
    extraction = Extraction()
    extraction.skip("group/project", "404")
    wherescape.load(TABLE, [{"n": 1, "updated_at": MOMENT}], mark=wherescape.high_water_mark(), extraction=extraction)
    mark = run_report(wherescape)["mark"]
    assert (mark["before"], mark["after"]) == (None, None)
    assert mark["held_because"]


def test_a_source_that_dies_leaves_a_report(wherescape: WhereScape, clean_red: RedServer) -> None:
    def records() -> Iterator[dict[str, Any]]:
        yield from ({"n": n, "kelp": n} for n in range(6_000))
        raise ConnectionError(f"gone, with {clean_red.target_password}")

    with pytest.raises(ConnectionError):
        wherescape.load(TABLE, records())
    report = run_report(wherescape)
    assert set(report) == PARTS
    assert (report["outcome"], report["inserted"]) == ("failed", 0)
    assert "gone" in report["error"] and clean_red.target_password not in report["error"]


def test_a_load_of_too_many_rejects_leaves_a_report(wherescape: WhereScape, clean_red: RedServer) -> None:
    with pytest.raises(TooManyRejects):
        wherescape.load(TABLE, ({"n": n, "a_integer": "x"} for n in range(6_000)))
    report = run_report(wherescape)
    assert (report["outcome"], report["inserted"]) == ("failed", 0)
    assert report["rejected"] == report["columns"]["a_integer"]["rejected"] >= 101
    assert "a_integer" in report["error"]


def test_a_load_that_fails_before_its_first_record_leaves_a_report(
    wherescape: WhereScape, clean_red: RedServer
) -> None:
    alter(clean_red, "RENAME TO load_other")
    with pytest.raises(Exception, match="load_item"):
        wherescape.load(TABLE, [{"n": 1}])
    report = run_report(wherescape)
    assert (report["outcome"], report["inserted"], report["batches"]) == ("failed", 0, [])


def test_an_empty_load_leaves_a_report(wherescape: WhereScape) -> None:
    wherescape.load(TABLE, [])
    report = run_report(wherescape)
    assert (report["outcome"], report["inserted"], report["rejected"], report["batches"]) == ("loaded", 0, 0, [])


def test_a_report_stays_small_however_many_pages_there_are(wherescape: WhereScape) -> None:
    extraction = Extraction()
    for page in range(50_000):
        extraction.pages.add(float(page), 1.0, 20)
    wherescape.load(TABLE, [{"n": 1}], extraction=extraction)
    pages = run_report(wherescape)["extraction"]["pages"]
    assert len(pages) <= 1_000
    assert sum(page["rows"] for page in pages) == 1_000_000
    assert sum(page["seconds"] for page in pages) == 50_000


def test_a_report_that_cannot_be_written_does_not_undo_the_load(
    wherescape: WhereScape, clean_red: RedServer, caplog: pytest.LogCaptureFixture
) -> None:
    (clean_red.workdir / "runs").write_text("in the way")
    assert wherescape.load(TABLE, [{"n": 1}]).inserted == 1
    assert stored(clean_red) == [(1,)]
    assert "run report" in caplog.text


def test_the_report_of_a_job_run_is_replaced_whole(wherescape: WhereScape) -> None:
    for count in (3_000, 1):
        wherescape.load(TABLE, ({"n": n} for n in range(count)))
    assert run_report(wherescape)["inserted"] == 1
    assert [path.name for path in (wherescape.workdir / "runs").iterdir()] == ["load_item_0.json"]
