"""When a load moves its high-water mark, to where, and when it does not."""

import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest

from tests.loading import (
    LOAD_TABLE,
    alter,
    create_load_table,
    item_table,
    load_table,
    numbers,
    rejects,
    run_report,
)
from wherescape import Column, Table, WhereScape
from wherescape.errors import DeclarationError, LoadError, ParameterTooLong, TooManyRejects
from wherescape.extraction import Extraction
from wherescape.sandbox.red_server import RedServer

COLUMNS = (Column("updated_at", "timestamp"), Column("day", "date"), Column("a_integer", "integer"))
BY_DATA = item_table(*COLUMNS, mark_column="updated_at")
BY_CLOCK = item_table(*COLUMNS)
NAME = f"HWM_{LOAD_TABLE}"
STARTED = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def wherescape(clean_red: RedServer) -> Iterator[WhereScape]:
    with load_table(clean_red, BY_DATA) as made:
        yield made


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def load(
    wherescape: WhereScape, *moments: Any, table: Table = BY_DATA, staged: bool = False, **options: Any
) -> datetime | None:
    """Load a record for each moment and return the result's mark."""
    mark = wherescape.high_water_mark(staged=staged)
    records = [{"n": n, "updated_at": moment} for n, moment in enumerate(moments)]
    return wherescape.load(table, records, mark=mark, **options).mark


@pytest.mark.parametrize(
    "moments",
    [
        ("2026-01-05T10:05:00Z", "2026-01-05T11:05:00Z", "2026-01-04T23:00:00Z"),
        ("2026-01-05T11:05:00+00:00", None),
        ("2026-01-05T13:05:00+02:00", "2026-01-05T12:05:00+02:00"),
        ("2026-01-05T06:05:00-05:00", "2026-01-05T11:04:59.999999Z"),
        ("2026-01-05T11:05:00", "2026-01-05T11:00:00Z"),
        (datetime(2026, 1, 5, 16, 35, tzinfo=timezone(timedelta(hours=5, minutes=30))),),
    ],
)
def test_the_mark_is_the_latest_moment_of_the_data_in_utc(
    wherescape: WhereScape, clean_red: RedServer, moments: tuple[Any, ...]
) -> None:
    assert load(wherescape, *moments) == at("2026-01-05T11:05:00Z")
    assert clean_red.read_parameter(NAME) == "2026-01-05T11:05:00+00:00"


def test_the_mark_of_a_frame(wherescape: WhereScape, clean_red: RedServer) -> None:
    moments = [pd.Timestamp("2026-01-05T13:05:00+02:00"), None, pd.Timestamp("2026-01-04T00:00:00+02:00")]
    frame = pd.DataFrame({"n": [1, 2, 3], "updated_at": moments})
    wherescape.load(BY_DATA, frame, mark=wherescape.high_water_mark())
    assert clean_red.read_parameter(NAME) == "2026-01-05T11:05:00+00:00"


def test_the_latest_moment_may_be_in_any_batch(wherescape: WhereScape, clean_red: RedServer) -> None:
    moments = [STARTED + timedelta(seconds=n % 7_000) for n in range(12_000)]
    assert load(wherescape, *moments) == STARTED + timedelta(seconds=6_999)


def test_a_date_can_be_the_mark(clean_red: RedServer) -> None:
    table = item_table(*COLUMNS, mark_column="day")
    with load_table(clean_red, table) as wherescape:
        records = [{"n": 1, "day": "2026-01-05"}, {"n": 2, "day": "2025-12-31"}]
        wherescape.load(table, records, mark=wherescape.high_water_mark())
    assert clean_red.read_parameter(NAME) == "2026-01-05T00:00:00+00:00"


@pytest.mark.parametrize("table", [BY_DATA, BY_CLOCK], ids=["by data", "by clock"])
def test_the_mark_is_never_later_than_the_start_of_the_extraction(
    wherescape: WhereScape, clean_red: RedServer, table: Table
) -> None:
    extraction = Extraction(started=STARTED)
    assert load(wherescape, STARTED + timedelta(seconds=1), table=table, extraction=extraction) == STARTED
    assert clean_red.read_parameter(NAME) == STARTED.isoformat()


def test_a_row_of_the_future_does_not_make_later_loads_empty(wherescape: WhereScape) -> None:
    before = datetime.now(UTC)
    mark = load(wherescape, "2999-01-01T00:00:00Z")
    assert mark is None or mark <= datetime.now(UTC)
    assert mark is None or mark >= before


def test_the_start_of_the_extraction_is_the_mark_also_of_an_empty_load(
    wherescape: WhereScape, clean_red: RedServer
) -> None:
    assert load(wherescape, table=BY_CLOCK, extraction=Extraction(started=STARTED)) == STARTED
    assert clean_red.read_parameter(NAME) == STARTED.isoformat()


@pytest.mark.parametrize("moments", [(), (None,), ("2026-01-05T11:05:00Z",)], ids=["no row", "NULL", "older"])
def test_the_mark_never_goes_back(wherescape: WhereScape, clean_red: RedServer, moments: tuple[Any, ...]) -> None:
    clean_red.write_parameter(NAME, "2026-02-01T00:00:00+00:00")
    assert load(wherescape, *moments, extraction=Extraction(started=STARTED)) == at("2026-02-01T00:00:00Z")
    assert clean_red.read_parameter(NAME) == "2026-02-01T00:00:00+00:00"


def test_a_mark_that_lies_beyond_the_sources_clock_is_put_right(wherescape: WhereScape, clean_red: RedServer) -> None:
    later = (STARTED + timedelta(days=1)).isoformat()
    clean_red.write_parameter(NAME, later)
    load(wherescape, "2026-01-05T11:05:00Z", table=BY_CLOCK, extraction=Extraction(started=STARTED))
    assert clean_red.read_parameter(NAME) == STARTED.isoformat()


def test_a_plain_date_is_where_that_day_begins_first(wherescape: WhereScape, clean_red: RedServer) -> None:
    clean_red.write_parameter(NAME, "2026-02-01")
    assert wherescape.high_water_mark().since == at("2026-01-31T10:00:00Z")


def test_a_lookback_is_taken_when_reading_only(wherescape: WhereScape, clean_red: RedServer) -> None:
    clean_red.write_parameter(NAME, "2026-02-01T00:00:00+00:00")
    mark = wherescape.high_water_mark(lookback=timedelta(days=1))
    assert (mark.before, mark.since) == (at("2026-02-01T00:00:00Z"), at("2026-01-31T00:00:00Z"))
    wherescape.load(BY_DATA, [{"n": 1, "updated_at": "2026-01-31T12:00:00Z"}], mark=mark)
    assert clean_red.read_parameter(NAME) == "2026-02-01T00:00:00+00:00"


def test_a_load_without_a_mark_writes_none(wherescape: WhereScape, clean_red: RedServer) -> None:
    result = wherescape.load(BY_DATA, [{"n": 1, "updated_at": "2026-01-05T11:05:00Z"}])
    assert result.mark is None
    assert clean_red.read_parameter(NAME) is None


def test_the_moment_of_a_rejected_row_is_not_the_mark(wherescape: WhereScape, clean_red: RedServer) -> None:
    alter(clean_red, "ADD CHECK (n <> 3)")
    records = [
        {"n": 1, "updated_at": "2026-01-05T11:05:00Z"},
        {"n": 2, "updated_at": "2026-01-06T00:00:00Z", "a_integer": "x"},
        {"n": 3, "updated_at": "2026-01-07T00:00:00Z"},
    ]
    result = wherescape.load(BY_DATA, records, mark=wherescape.high_water_mark())
    assert (result.rejected, [reject["record"] for reject in rejects(wherescape)]) == (2, [2, 3])
    assert clean_red.read_parameter(NAME) == "2026-01-05T11:05:00+00:00"


def extraction(started: datetime | None = STARTED, expected: int | None = None, skipped: bool = False) -> Extraction:
    made = Extraction(started=started)
    if expected is not None:
        made.expect(expected)
    if skipped:
        made.skip("group/project", "404 for its commits")
    return made


HELD = {
    "a part that could not be read": (BY_DATA, extraction(skipped=True)),
    "a part that could not be read, by clock": (BY_CLOCK, extraction(skipped=True)),
    "fewer rows than the source has": (BY_DATA, extraction(expected=2)),
    "a source that does not tell its time": (BY_CLOCK, extraction(started=None)),
    "nothing known of the extraction": (BY_CLOCK, None),
}


@pytest.mark.parametrize("case", HELD)
@pytest.mark.parametrize("before", [None, "2026-01-01T00:00:00+00:00"])
@pytest.mark.parametrize("staged", [False, True], ids=["", "staged"])
def test_the_mark_is_held_and_a_warning_says_why(
    wherescape: WhereScape,
    clean_red: RedServer,
    caplog: pytest.LogCaptureFixture,
    case: str,
    before: str | None,
    staged: bool,
) -> None:
    if before:
        clean_red.write_parameter(NAME, before)
    table, told = HELD[case]
    mark = load(wherescape, "2026-01-05T11:05:00Z", table=table, extraction=told, staged=staged)
    assert mark == (at(before) if before else None)
    assert (clean_red.read_parameter(NAME), clean_red.read_parameter(f"{NAME}_next") or "") == (before, "")
    warnings = [record.getMessage() for record in caplog.records if NAME in record.getMessage()]
    assert [record.levelno for record in caplog.records if NAME in record.getMessage()].count(logging.WARNING) == 1
    held_because = run_report(wherescape)["mark"]["held_because"]
    assert held_because and held_because in warnings[-1]
    assert numbers(clean_red) == [0]


def test_a_skipped_part_can_be_allowed(wherescape: WhereScape, clean_red: RedServer) -> None:
    load(wherescape, "2026-01-05T11:05:00Z", extraction=extraction(skipped=True), allow_skipped=True)
    assert clean_red.read_parameter(NAME) == "2026-01-05T11:05:00+00:00"


def test_missing_rows_cannot_be_allowed(wherescape: WhereScape, clean_red: RedServer) -> None:
    load(wherescape, "2026-01-05T11:05:00Z", extraction=extraction(expected=2, skipped=True), allow_skipped=True)
    assert clean_red.read_parameter(NAME) is None


def test_more_rows_than_expected_and_rejected_rows_do_not_hold_the_mark(
    wherescape: WhereScape, clean_red: RedServer
) -> None:
    load(wherescape, "2026-01-05T11:05:00Z", "no moment", extraction=extraction(expected=2))
    assert clean_red.read_parameter(NAME) == "2026-01-05T11:05:00+00:00"
    load(wherescape, "2026-01-06T11:05:00Z", "2026-01-06T11:00:00Z", extraction=extraction(expected=1))
    assert clean_red.read_parameter(NAME) == "2026-01-06T11:05:00+00:00"


def dying(moment: str) -> Iterator[dict[str, Any]]:
    yield from ({"n": n, "updated_at": moment} for n in range(6_000))
    raise ConnectionError("gone")


@pytest.mark.parametrize("staged", [False, True], ids=["", "staged"])
def test_a_load_that_fails_moves_no_mark(wherescape: WhereScape, clean_red: RedServer, staged: bool) -> None:
    mark = wherescape.high_water_mark(staged=staged)
    with pytest.raises(ConnectionError):
        wherescape.load(BY_DATA, dying("2026-01-05T11:05:00Z"), mark=mark, extraction=extraction())
    with pytest.raises(TooManyRejects):
        wherescape.load(
            BY_DATA, [{"n": "x"}], mark=mark, max_rejected=0, max_rejected_share=0, extraction=extraction()
        )
    assert [clean_red.read_parameter(name) or "" for name in (NAME, f"{NAME}_next")] == ["", ""]
    assert numbers(clean_red) == []


def test_a_staged_mark_counts_when_it_is_confirmed(wherescape: WhereScape, clean_red: RedServer) -> None:
    load(wherescape, "2026-01-05T11:05:00Z")
    assert load(wherescape, "2026-01-06T00:00:00Z", staged=True) == at("2026-01-06T00:00:00Z")
    assert clean_red.read_parameter(NAME) == "2026-01-05T11:05:00+00:00"
    assert clean_red.read_parameter(f"{NAME}_next") == "2026-01-06T00:00:00+00:00"
    wherescape.confirm_high_water_marks(NAME)
    assert clean_red.read_parameter(NAME) == "2026-01-06T00:00:00+00:00"
    assert wherescape.high_water_mark(staged=True).since == at("2026-01-06T00:00:00Z")


def test_a_staged_mark_that_nobody_confirmed_is_dropped(wherescape: WhereScape, clean_red: RedServer) -> None:
    load(wherescape, "2026-01-06T00:00:00Z", staged=True)
    mark = wherescape.high_water_mark(staged=True)
    assert mark.since is None
    assert not clean_red.read_parameter(f"{NAME}_next")
    wherescape.confirm_high_water_marks(NAME)
    assert wherescape.high_water_mark().since is None


def test_without_names_what_this_job_staged_is_confirmed(clean_red: RedServer) -> None:
    create_load_table(clean_red, BY_DATA)
    jobs = {}
    for job in ("Nightly", "Hourly"):
        jobs[job] = WhereScape(clean_red.environment(LOAD_TABLE) | clean_red.start_task(LOAD_TABLE, job))
        mark = jobs[job].high_water_mark(f"mark of {job}", staged=True)
        jobs[job].load(BY_DATA, [{"n": 1, "updated_at": "2026-01-05T11:05:00Z"}], mark=mark)
    assert jobs["Nightly"].confirm_high_water_marks() == ["mark of Nightly"]
    assert clean_red.read_parameter("mark of Nightly") == "2026-01-05T11:05:00+00:00"
    assert clean_red.read_parameter("mark of Hourly") is None
    for wherescape in jobs.values():
        wherescape.close()


@pytest.mark.parametrize(
    ("length", "staged", "fits"), [(64, False, True), (65, False, False), (60, True, False), (59, True, True)]
)
def test_a_name_that_red_cannot_keep_is_refused_before_anything_is_read(
    wherescape: WhereScape, length: int, staged: bool, fits: bool
) -> None:
    name = "m" * length
    if not fits:
        with pytest.raises(ParameterTooLong, match=name):
            wherescape.high_water_mark(name, staged=staged)
        return
    mark = wherescape.high_water_mark(name, staged=staged)
    wherescape.load(BY_DATA, [{"n": 1, "updated_at": "2026-01-05T11:05:00Z"}], mark=mark)
    assert wherescape.read_parameter(name + "_next" * staged) == "2026-01-05T11:05:00+00:00"


@pytest.mark.parametrize("name", ["no_column", "a_integer"])
def test_a_mark_must_be_a_moment_or_a_date_of_the_table(name: str) -> None:
    with pytest.raises(DeclarationError, match=name):
        item_table(*COLUMNS, mark_column=name)


AT_TEN, AT_ELEVEN = "2026-01-05T10:05:00Z", "2026-01-05T11:05:00Z"
MESSAGES = {
    "the first mark": (None, [AT_ELEVEN], False, "1 row, 0.0 s, mark none -> 2026-01-05T11:05Z"),
    "a mark with seconds": (
        "2026-01-05T12:05:00+02:00",
        ["2026-01-05T11:05:13Z"],
        False,
        "1 row, 0.0 s, mark 2026-01-05T10:05Z -> 2026-01-05T11:05:13Z",
    ),
    "rejected rows": (None, [AT_ELEVEN, "x"], False, "1 row, 1 rejected, 0.0 s, mark none -> 2026-01-05T11:05Z"),
    "a staged mark": (
        AT_TEN,
        [AT_ELEVEN, AT_TEN],
        True,
        "2 rows, 0.0 s, mark 2026-01-05T10:05Z -> 2026-01-05T11:05Z staged",
    ),
    "no rows": (AT_TEN, [], False, "0 rows, 0.0 s, mark 2026-01-05T10:05Z -> 2026-01-05T10:05Z"),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_the_message_tells_rows_rejects_time_and_mark(
    wherescape: WhereScape, clean_red: RedServer, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    caplog.set_level(logging.INFO)
    before, moments, staged, message = MESSAGES[case]
    if before:
        clean_red.write_parameter(NAME, before)
    load(wherescape, *moments, staged=staged)
    assert re.sub(r"\d+\.\d s", "0.0 s", wherescape.main_message) == message
    assert wherescape.main_message in [record.getMessage() for record in caplog.records]


ASKING_SOURCE = """\
from wherescape import Column, Table, WhereScape

wherescape = WhereScape()
table = Table("item", (Column("n", "bigint"), Column("a_integer", "integer")), ("n",), "items api")

def records():
    for n in range(12_000):
        if n % 500 == 0:
            [(answer,)] = wherescape.query_target("SELECT CAST(? AS integer)", (n,))
            wherescape.push_to_target("INSERT INTO load.noted VALUES (?)", (n,))
        yield {"n": n, "a_integer": answer + n % 500}
    {end}

wherescape.load(table, records())
"""


@pytest.mark.parametrize(("end", "status", "rows"), [("", 1, 12_000), ("1 / 0", -3, 0)])
def test_a_source_may_ask_the_database_that_it_is_loaded_into(
    clean_red: RedServer, end: str, status: int, rows: int
) -> None:
    create_load_table(clean_red, BY_DATA)
    clean_red.query_warehouse("CREATE TABLE load.noted (n integer)")
    script = clean_red.workdir / "load.py"
    script.write_text(ASKING_SOURCE.replace("{end}", end), encoding="utf-8")
    result = clean_red.run_host_script(script, LOAD_TABLE, timeout=60)
    assert (result.status, result.inserted) == (status, rows), result
    assert numbers(clean_red) == list(range(rows))
    [(noted,)] = clean_red.query_warehouse("SELECT count(*) FROM load.noted")
    assert noted == (24 if rows else 0)


def test_a_load_within_a_load_moves_no_mark_before_its_rows_are_committed(
    wherescape: WhereScape, clean_red: RedServer
) -> None:
    def records() -> Iterator[dict[str, Any]]:
        yield {"n": 1}
        load(wherescape, "2026-01-05T11:05:00Z")
        raise ConnectionError("gone")

    with pytest.raises((ConnectionError, LoadError)):
        wherescape.load(BY_DATA, records())
    assert (numbers(clean_red), clean_red.read_parameter(NAME)) in [([], None), ([0], "2026-01-05T11:05:00+00:00")]


SCRIPT = """\
import logging, os, signal, sys

from wherescape import Column, Table, WhereScape

ITEM = Table("item", (Column("n", "bigint"), Column("updated_at", "timestamp")), ("n",), "items api", "updated_at")

def records():
    yield {{"n": 1, "updated_at": "2026-01-05T10:05:00Z"}}
    {statement}

wherescape = WhereScape()
mark = wherescape.high_water_mark()
wherescape.load(ITEM, records(), mark=mark)
"""
SWALLOWED = """try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    except BaseException:
        pass"""


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ('logging.error("page 2 is missing")', -2),
        ("sys.exit()", -2),
        pytest.param(
            SWALLOWED, -3, marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
        ),
    ],
    ids=["an error is logged", "exit", "a signal is swallowed"],
)
def test_a_run_that_failed_does_not_move_the_mark(clean_red: RedServer, statement: str, status: int) -> None:
    create_load_table(clean_red, BY_DATA)
    script = clean_red.workdir / "load.py"
    script.write_text(SCRIPT.format(statement=statement), encoding="utf-8")
    result = clean_red.run_host_script(script, LOAD_TABLE, timeout=60)
    assert result.status == status, result
    assert clean_red.read_parameter(NAME) is None


def test_the_mark_is_not_later_than_the_moment_at_which_it_was_read(wherescape: WhereScape) -> None:
    mark = wherescape.high_water_mark()
    records = [{"n": 1, "updated_at": mark.read_at + timedelta(microseconds=1)}]
    assert wherescape.load(BY_DATA, records, mark=mark).mark == mark.read_at


def test_a_column_without_any_value_holds_the_mark(wherescape: WhereScape, caplog: pytest.LogCaptureFixture) -> None:
    assert load(wherescape, None, None) is None
    assert "no row has a value in updated_at" in caplog.text


def test_rows_of_which_none_fits_hold_the_mark(wherescape: WhereScape, clean_red: RedServer) -> None:
    load(wherescape, "yesterday", table=BY_CLOCK, extraction=Extraction(started=STARTED))
    assert clean_red.read_parameter(NAME) is None


def test_a_negative_lookback_is_refused(wherescape: WhereScape) -> None:
    with pytest.raises(DeclarationError, match="would skip rows"):
        wherescape.high_water_mark(lookback=timedelta(hours=-1))


def test_what_an_earlier_run_staged_is_not_confirmed_by_a_later_one(clean_red: RedServer) -> None:
    create_load_table(clean_red, BY_DATA)
    first, second = (
        WhereScape(clean_red.environment(LOAD_TABLE) | clean_red.start_task(LOAD_TABLE, "Nightly")) for _ in range(2)
    )
    load(first, "2026-01-05T11:05:00Z", staged=True)
    assert second.confirm_high_water_marks() == []
    assert first.confirm_high_water_marks() == [NAME]


def test_a_name_that_no_load_ever_staged_is_a_warning(
    wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    load(wherescape, "2026-01-05T11:05:00Z", staged=True)
    assert wherescape.confirm_high_water_marks(NAME) == [NAME]
    assert wherescape.confirm_high_water_marks(NAME) == []
    assert "is not staged" not in caplog.text
    assert wherescape.confirm_high_water_marks("HWM_misspelt") == []
    assert "HWM_misspelt is not staged" in caplog.text
