"""The Friday Pulse host scripts as RED runs them: against real databases and a server on loopback."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.loading import run_report, texts_of_red
from tests.servers.friday_pulse_server import FridayPulseServer
from wherescape import WhereScape
from wherescape.connectors.friday_pulse.friday_pulse_create_metadata import friday_pulse_create_metadata
from wherescape.connectors.friday_pulse.friday_pulse_load_data import RESOURCES, friday_pulse_load_data
from wherescape.connectors.friday_pulse.friday_pulse_tables import TABLES
from wherescape.errors import (
    ApiAnswerInvalid,
    ApiUnavailable,
    DeclarationError,
    EnvironmentVariableError,
    UnknownTableKind,
)
from wherescape.load_task import LoadResult
from wherescape.resources import resource_of
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import TaskResult
from wherescape.tables import MASKED_TEXT, find_table
from wherescape.testing.api_server import Answer, json_answer

HOST_SCRIPTS = Path(__file__).parents[1] / "host_scripts"
WEEK = timedelta(weeks=1)
# Five surveys, the newest on the day of the first load.
DATES = [f"{date(2026, 1, 9) - weeks * WEEK}" for weeks in (5, 4, 2, 1, 0)]
NEXT = "2026-01-16"
NOTE = "Tom of Sales is leaving"

# The rows of a full load, and of one a week later after `a_week_passes`.
ROWS = {
    "load_friday_pulse_topics": (2, 3),
    "load_friday_pulse_group_types": (2, 3),
    "load_friday_pulse_groups": (2, 3),
    "load_friday_pulse_general_results": (15, 16),
    "load_friday_pulse_group_results": (30, 48),
    "load_friday_pulse_general_notes": (5, 4),
    "load_friday_pulse_group_notes": (5, 8),
    "load_friday_pulse_general_risks": (10, 7),
    "load_friday_pulse_group_risks": (10, 16),
}
PATHS = {
    "topic": "/topics",
    "group_type": "/group-types",
    "group": "/groups",
    "general_result": "/results",
    "general_note": "/notes",
    "general_risk": "/risk",
    "group_result": "/groups/1/results",
    "group_note": "/groups/1/notes",
    "group_risk": "/groups/1/risk",
}
RESULTS, GROUP_RESULTS = "load_friday_pulse_general_results", "load_friday_pulse_group_results"
NOTES = "load_friday_pulse_group_notes"
MARK, GROUP_MARK = "HWM_ds_friday_pulse_general_results", "HWM_ds_friday_pulse_group_results"


@pytest.fixture
def server() -> Iterator[FridayPulseServer]:
    with FridayPulseServer() as server:
        server.add_group("Sales 😀", ["mia", "tom"], ["department", "location"])
        server.add_group("Support", ["ada"])
        for day in DATES:
            server.add_survey(day)
            server.respond_to(day, "mia", happiness=80, growth=75)
            server.respond_to(day, "ada", happiness=40)
            server.add_note(day, "mia", NOTE, tags=["a, b", "c"])
        yield server


def a_week_passes(server: FridayPulseServer) -> None:
    """Let a survey, a topic, a type and a group come, and late answers to a survey of three weeks ago and an older."""
    server.pass_time(WEEK)
    server.topics["pride"] = "Pride"
    server.types["project"] = "Project"
    server.add_group("Apollo", ["mia", "ada"], ["project"])
    server.add_survey(NEXT)
    server.respond_to(NEXT, "mia", happiness=90)
    server.respond_to(NEXT, "ada", happiness=90)
    server.add_note(NEXT, "ada", NOTE)
    for day in (DATES[1], DATES[2]):
        server.respond_to(day, "tom", happiness=20)


def source(server: FridayPulseServer) -> dict[str, str]:
    return {"url": server.url, "apikey": server.token}


def run(red: RedServer, server: FridayPulseServer, script: str, table: str) -> TaskResult:
    return red.run_host_script(HOST_SCRIPTS / script, table, source_config=source(server))


def attached(red: RedServer, server: FridayPulseServer, table: str, **config: str) -> WhereScape:
    """Return the WhereScape object of a script that is attached to a load table."""
    return WhereScape(red.environment(table, source_config=source(server) | config))


def create(red: RedServer, server: FridayPulseServer, table: str) -> None:
    red.register_load_table(table)
    wherescape = attached(red, server, table)
    friday_pulse_create_metadata(wherescape)
    wherescape.close()
    red.create_table(table)


def load(red: RedServer, server: FridayPulseServer, table: str, **arguments: Any) -> LoadResult:
    """Load in this process, as the host script would."""
    red.query_warehouse(f"TRUNCATE load.{table}")
    wherescape = attached(red, server, table)
    try:
        return friday_pulse_load_data(wherescape=wherescape, max_retries=0, **arguments)
    finally:
        wherescape.close()


def rows(red: RedServer, table: str, expressions: str, order: str = "1") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in red.query_warehouse(f"SELECT {expressions} FROM load.{table} ORDER BY {order}")]


def dates(red: RedServer, table: str) -> list[str]:
    return [row[0] for row in rows(red, table, "DISTINCT CAST(sample_date AS text)")]


def said(result: TaskResult) -> str:
    return "\n".join([result.message, *result.audit, *result.detail])


def is_now(red: RedServer, server: FridayPulseServer, mark: str) -> bool:
    """Tell whether a mark holds Friday Pulse's time at the start of the load, some seconds early at most."""
    value = red.read_parameter(mark)
    return bool(value) and timedelta() < server.now - datetime.fromisoformat(str(value)) < timedelta(minutes=1)


@pytest.mark.parametrize("table", ROWS)
def test_a_table_is_registered_created_loaded_loaded_again_and_left_alone_by_a_failure(
    clean_red: RedServer, server: FridayPulseServer, table: str
) -> None:
    red, declared = clean_red, find_table(table, TABLES, "Friday Pulse")
    mark = f"HWM_{table.replace('load_', 'ds_')}"
    red.register_load_table(table)
    assert run(red, server, "friday_pulse_create_metadata.py", table).status == 1
    red.create_table(table)
    registered = red.query_repository(
        "SELECT lc_col_name, lc_display_name, lc_src_strategy FROM red.ws_load_col ORDER BY lc_order"
    )
    assert [tuple(row) for row in registered] == [
        (column.name, column.display_name, column.comment) for column in declared.all_columns
    ]

    full = run(red, server, "friday_pulse_load_data.py", table)
    assert (full.status, full.inserted) == (1, ROWS[table][0]), full
    assert rows(red, table, "DISTINCT dss_record_source") == [(declared.record_source,)]
    if resource_of(declared, RESOURCES).is_incremental:
        assert dates(red, table) == DATES and is_now(red, server, mark)

    a_week_passes(server)
    again = run(red, server, "friday_pulse_load_data.py", table)
    assert (again.status, again.inserted) == (1, ROWS[table][1]), again
    if resource_of(declared, RESOURCES).is_incremental:
        assert dates(red, table) == [*DATES[2:], NEXT] and is_now(red, server, mark)

    before = red.read_parameter(mark)
    server.pass_time(WEEK)
    server.fail_next(json_answer({"message": "Forbidden"}, 403), path=PATHS[declared.kind], times=9)
    failed = run(red, server, "friday_pulse_load_data.py", table)
    assert (failed.status, rows(red, table, "count(*)")) == (-2, [(0,)]), failed
    assert "403 Forbidden" in said(failed) and server.token not in said(failed)
    assert red.read_parameter(mark) == before
    texts = texts_of_red(red).values()
    assert not [text for text in texts if server.token in text or NOTE in text]


def test_results_arrive_as_they_are(clean_red: RedServer, server: FridayPulseServer) -> None:
    create(clean_red, server, RESULTS)
    server.surveys[DATES[-1]].question_count = 12
    server.more = {"benchmark": 71.5}
    load(clean_red, server, RESULTS, earliest=DATES[-1])
    growth, happiness, overall = rows(clean_red, RESULTS, "*", "topic_code")
    third = Decimal("33.3")
    assert growth[:8] == (date(2026, 1, 9), Decimal(75), third, 1, 3, 12, "growth", "Growth")
    assert happiness[:8] == (date(2026, 1, 9), Decimal(60), Decimal("66.7"), 2, 3, 12, "happiness", "Happiness")
    assert overall[:8] == (date(2026, 1, 9), Decimal(65), Decimal("66.7"), 2, 3, 12, None, None)
    assert {row[8] for row in (growth, happiness, overall)} == {'{"benchmark": 71.5}'}


def test_groups_and_notes_arrive_as_they_are(clean_red: RedServer, server: FridayPulseServer) -> None:
    create(clean_red, server, "load_friday_pulse_groups")
    server.groups["0"].fields = {"head": None}
    load(clean_red, server, "load_friday_pulse_groups")
    names = "id, name, group_type_code, group_type_codes, other_fields"
    assert rows(clean_red, "load_friday_pulse_groups", names) == [
        ("0", "Sales 😀", "department", '["department", "location"]', '{"head": null}'),
        ("1", "Support", "department", '["department"]', None),
    ]
    create(clean_red, server, NOTES)
    load(clean_red, server, NOTES, earliest=date(2026, 1, 9))
    ((day, group_id, position, fields),) = rows(clean_red, NOTES, "sample_date, group_id, position, other_fields")
    assert (day, group_id, position) == (date(2026, 1, 9), "0", 1)
    assert json.loads(fields) == {"text": NOTE, "tags": ["a, b", "c"]}


def test_a_load_table_of_an_older_library_is_loaded(clean_red: RedServer, server: FridayPulseServer) -> None:
    create(clean_red, server, GROUP_RESULTS)
    clean_red.query_warehouse(
        f"ALTER TABLE load.{GROUP_RESULTS} DROP COLUMN other_fields, ALTER COLUMN sample_date TYPE timestamp,"
        " ALTER COLUMN group_id TYPE integer USING 0, ALTER COLUMN score TYPE integer"
    )
    for survey in server.surveys.values():
        survey.scores = {"mia": {"happiness": 80}, "ada": {"happiness": 40}}
    assert load(clean_red, server, GROUP_RESULTS).inserted == 30
    assert rows(clean_red, GROUP_RESULTS, "DISTINCT group_id, max(sample_date) OVER ()") == [
        (group_id, datetime(2026, 1, 9)) for group_id in (0, 1)
    ]


# ----------------------------------------------------------------------------------------------------- high-water mark


@pytest.mark.parametrize(
    ("value", "arguments", "expected"),
    [
        ("", {}, DATES),
        ("last Friday", {}, DATES),
        ("2026-01-09 12:00:00", {}, DATES),
        ("2026-01-09T12:00:00+00:00", {}, DATES[2:]),
        # A warehouse may write the mark itself, as the date of its newest row.
        ("2026-01-09", {}, DATES[2:]),
        (" 2026-01-09\n", {"lookback_weeks": 1}, DATES[3:]),
        ("2026-01-02", {"lookback_weeks": 0}, DATES[3:]),
        ("2026-01-09", {"lookback_weeks": 4}, DATES[1:]),
        ("2026-01-09", {"lookback_weeks": 0}, DATES[4:]),
        ("2026-01-09", {"full": True}, DATES),
        ("0001-01-05", {}, DATES),
        # An older survey may be published after a load that was later than its date.
        ("2026-06-01", {"lookback_weeks": 0}, DATES[4:]),
        ("", {"earliest": "2026-01-02"}, DATES[3:]),
        ("", {"earliest": datetime(2026, 1, 2, 8)}, DATES[3:]),
        ("2026-01-09", {"earliest": "2026-01-02"}, DATES[3:]),
        ("2026-01-09", {"earliest": "2025-01-01"}, DATES[2:]),
    ],
)
def test_which_surveys_are_loaded(
    clean_red: RedServer, server: FridayPulseServer, value: str, arguments: dict[str, Any], expected: list[str]
) -> None:
    create(clean_red, server, RESULTS)
    clean_red.write_parameter(MARK, value)
    load(clean_red, server, RESULTS, **arguments)
    assert dates(clean_red, RESULTS) == expected and is_now(clean_red, server, MARK)


@pytest.mark.parametrize("value", ["", "2026-01-09", "2026-01-09T12:00:00+00:00"])
def test_a_negative_lookback_is_an_error(clean_red: RedServer, server: FridayPulseServer, value: str) -> None:
    create(clean_red, server, RESULTS)
    clean_red.write_parameter(MARK, value)
    with pytest.raises(DeclarationError, match="lookback .* is negative"):
        load(clean_red, server, RESULTS, lookback_weeks=-1)
    assert server.requests == []


def test_a_mark_can_be_staged_and_have_another_name(clean_red: RedServer, server: FridayPulseServer) -> None:
    create(clean_red, server, RESULTS)
    clean_red.write_parameter("pulse", "2026-01-09")
    load(clean_red, server, RESULTS, high_water_mark="pulse", staged_mark=True)
    assert dates(clean_red, RESULTS) == DATES[2:]
    assert clean_red.read_parameter("pulse") == "2026-01-09"
    assert is_now(clean_red, server, "pulse_next")


def test_notes_that_nobody_writes_do_not_hold_the_mark_back(clean_red: RedServer, server: FridayPulseServer) -> None:
    create(clean_red, server, NOTES)
    for survey in server.surveys.values():
        survey.notes.clear()
    assert load(clean_red, server, NOTES).inserted == 0
    server.requests.clear()
    load(clean_red, server, NOTES)
    assert {request.query["date"] for request in server.requests if request.query} == set(DATES[2:])


def test_a_wrong_organisation_without_surveys_moves_no_mark(clean_red: RedServer, server: FridayPulseServer) -> None:
    create(clean_red, server, RESULTS)
    with FridayPulseServer() as other, pytest.raises(ApiAnswerInvalid, match="lists no survey"):
        load(clean_red, other, RESULTS)
    assert not clean_red.read_parameter(MARK)
    load(clean_red, server, RESULTS)
    assert dates(clean_red, RESULTS) == DATES


# -------------------------------------------------------------------------------------------- groups without an answer


def test_a_group_without_data_is_a_warning_that_names_it_and_does_not_hold_the_mark(
    clean_red: RedServer, server: FridayPulseServer, tmp_path: Path
) -> None:
    create(clean_red, server, GROUP_RESULTS)
    server.silent = {("1", day) for day in DATES}

    def run_with(arguments: str) -> TaskResult:
        script = tmp_path / "script.py"
        text = (HOST_SCRIPTS / "friday_pulse_load_data.py").read_text(encoding="utf-8")
        script.write_text(text.replace("()", f"(max_retries=0, {arguments})"), encoding="utf-8")
        return clean_red.run_host_script(script, GROUP_RESULTS, source_config=source(server))

    loaded = run_with("")
    assert (loaded.status, loaded.inserted) == (-1, 15) and is_now(clean_red, server, GROUP_MARK)
    assert "500 for the results of 5 of 10 groups and dates" in said(loaded)
    assert all(f"Support (1) on {day}" in said(loaded) for day in DATES)
    assert rows(clean_red, GROUP_RESULTS, "DISTINCT group_id") == [("0",)]

    server.requests.clear()
    without = run_with("full=True, exclude_groups=1")
    assert (without.status, without.inserted) == (1, 15), without
    assert not [request for request in server.requests if request.path.startswith("/groups/1/")]


def test_the_run_report_lists_what_has_no_data(clean_red: RedServer, server: FridayPulseServer) -> None:
    create(clean_red, server, GROUP_RESULTS)
    server.silent = {("1", day) for day in DATES}
    load(clean_red, server, GROUP_RESULTS)
    skipped = run_report(attached(clean_red, server, GROUP_RESULTS))["extraction"]["skipped"]
    assert skipped == [{"name": f"Support (1) on {day}", "reason": "500 for its results"} for day in DATES]


@pytest.mark.parametrize("excluded", [1, "1", [1], ("1", 17), [1, 0]])
def test_groups_are_left_out_by_their_ids(clean_red: RedServer, server: FridayPulseServer, excluded: Any) -> None:
    create(clean_red, server, GROUP_RESULTS)
    server.add_group("Nr. 2", ["mia"])
    load(clean_red, server, GROUP_RESULTS, exclude_groups=excluded)
    expected = [("2",)] if excluded == [1, 0] else [("0",), ("2",)]
    assert rows(clean_red, GROUP_RESULTS, "DISTINCT group_id") == expected


def test_a_date_that_no_group_is_answered_for_fails_the_load_unless_it_is_left_out(
    clean_red: RedServer, server: FridayPulseServer
) -> None:
    create(clean_red, server, GROUP_RESULTS)
    server.silent = {(group_id, DATES[0]) for group_id in server.groups}
    with pytest.raises(ApiUnavailable, match=f"every group on {DATES[0]}"):
        load(clean_red, server, GROUP_RESULTS)
    assert rows(clean_red, GROUP_RESULTS, "count(*)") == [(0,)]
    assert not clean_red.read_parameter(GROUP_MARK)
    assert load(clean_red, server, GROUP_RESULTS, earliest=DATES[1]).inserted == 24


def test_a_failure_behind_many_rows_leaves_none_of_them(clean_red: RedServer, server: FridayPulseServer) -> None:
    for number in range(1, 250):
        survey = server.add_survey(date(2026, 1, 9) + timedelta(days=number))
        server.respond_to(survey, "mia", happiness=80)
        server.respond_to(survey, "ada", happiness=80)
    create(clean_red, server, GROUP_RESULTS)
    server.fail_next(Answer(503), path="/groups/1/", after=240, times=9)
    with pytest.raises(ApiUnavailable, match="answered 503"):
        load(clean_red, server, GROUP_RESULTS)
    assert rows(clean_red, GROUP_RESULTS, "count(*)") == [(0,)]
    assert not clean_red.read_parameter(GROUP_MARK)


# ------------------------------------------------------------------------------------------------------- personal data


def test_masked_notes_are_counted_and_nothing_of_them_is_left_anywhere(
    clean_red: RedServer, server: FridayPulseServer
) -> None:
    for table in (NOTES, "load_friday_pulse_general_notes"):
        create(clean_red, server, table)
        load(clean_red, server, table, mask_notes=True)
        assert rows(clean_red, table, "sample_date, other_fields") == [
            (date.fromisoformat(day), MASKED_TEXT) for day in DATES
        ]
    assert not [text for text in texts_of_red(clean_red).values() if NOTE in text]


# ----------------------------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        ("load_friday_pulse_topics", {"earliest": "2026-01-09"}, "earliest does not go with topic"),
        (RESULTS, {"exclude_groups": [17]}, "exclude_groups does not go with general_result"),
        (GROUP_RESULTS, {"mask_notes": True}, "mask_notes does not go with group_result"),
        (RESULTS, {"earliest": "9 January"}, "earliest is '9 January', which is no date"),
    ],
)
def test_an_argument_that_cannot_be_is_an_error_before_anything_is_asked(
    red: RedServer, server: FridayPulseServer, table: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        friday_pulse_load_data(wherescape=attached(red, server, table), **arguments)
    assert server.requests == []


def test_a_connection_without_a_token_is_an_error(red: RedServer, server: FridayPulseServer) -> None:
    with pytest.raises(EnvironmentVariableError, match="no access token for Friday Pulse"):
        friday_pulse_load_data(wherescape=attached(red, server, "load_friday_pulse_topics", apikey=""))


def test_a_table_that_does_not_tell_its_kind_is_an_error(red: RedServer, server: FridayPulseServer) -> None:
    wherescape = attached(red, server, "load_friday_pulse_results")
    for function in (friday_pulse_load_data, friday_pulse_create_metadata):
        with pytest.raises(UnknownTableKind, match="must contain one of general_note, general_result"):
            function(wherescape=wherescape)
