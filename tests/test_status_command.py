"""`wherescape status`: the load tables of RED, those with problems first, for a terminal and as a page."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlglot
from click.testing import CliRunner, Result

from tests.loading import LOAD_TABLE, create_load_table, item_table
from tests.test_report_page import read
from tests.test_tsql import ENVIRONMENT, RecordingConnection
from wherescape import Column, WhereScape, task_history, tsql
from wherescape.cli.main import commands
from wherescape.cli.status import BLOCKS, sparkline
from wherescape.database import Database
from wherescape.environment import Environment
from wherescape.load_status import Mark, find_mark
from wherescape.progress import age_text
from wherescape.repository import Repository
from wherescape.sandbox.red_server import RedServer
from wherescape.task_history import outcome_of

SCRIPT = """\
from wherescape import Column, Table, WhereScape

wherescape = WhereScape()
COLUMNS = (Column("n", "bigint"), Column("updated_at", "timestamp"))
TABLE = Table("item", COLUMNS, ("n",), "items api", mark_column="updated_at")
records = [{"n": n, "updated_at": "2026-01-05T10:05:00Z"} for n in range(ROWS)]
wherescape.load(TABLE, records, mark=wherescape.high_water_mark())
"""
FAILING_SCRIPT = SCRIPT.replace("range(ROWS)", "range(1 / 0)")


@pytest.fixture(scope="module")
def red(red: RedServer) -> RedServer:
    red.reset()
    return red


@pytest.fixture(autouse=True)
def empty_repository(request: pytest.FixtureRequest) -> None:
    if "red" in request.fixturenames:
        red: RedServer = request.getfixturevalue("red")
        red.query_repository(
            "TRUNCATE red.ws_wrk_task_run, red.ws_wrk_task_log, red.ws_wrk_audit_log, red.dss_parameter;"
            "DELETE FROM red.ws_load_tab; DELETE FROM red.ws_obj_object WHERE oo_name LIKE 'load_%'"
        )


def run_status(red: RedServer, *arguments: str, **variables: str) -> Result:
    return CliRunner(env=red.environment() | variables).invoke(commands, ["status", *arguments])


def add_runs(
    red: RedServer,
    table: str,
    *rows: int | None,
    every: timedelta = timedelta(hours=24),
    code: int = 1,
    message: str = "done",
    ago: timedelta = timedelta(hours=2),
) -> None:
    """Enter runs into the history, the last one `ago`, which reported `code`; None is a run that failed."""
    red.register_load_table(table)
    for number, count in enumerate(reversed(rows)):
        reported = -2 if count is None else code if number == 0 else 1
        red.query_repository(
            "INSERT INTO red.ws_wrk_task_log (wtl_job_key, wtl_sequence, wtl_task_key, wtl_name, wtl_run_status,"
            " wtl_started, wtl_completed, wtl_return_code, wtl_return_msg, wtl_inserted, wtl_rejected)"
            " SELECT 1, ?::integer, hashtext(?), ?::varchar, ?::varchar, moment, moment + interval '90 seconds',"
            " ?::integer, ?::varchar, ?::integer, 0 FROM (SELECT localtimestamp - ?::integer * interval '1 second')"
            " AS began (moment)",
            [
                100 - number,
                table,
                table,
                "F" if reported < -1 else "C",
                reported,
                message if number == 0 else "done",
                count or 0,
                int((ago + number * every).total_seconds()),
            ],
        )


def lines_of(output: str) -> dict[str, list[str]]:
    """The cells of the printed table, by load table, in their order."""
    cells = [re.split(r" {2,}", line.strip()) for line in output.splitlines() if line.startswith("  load_")]
    return {line[0]: line[1:] for line in cells}


def states_of(output: str) -> dict[str, str]:
    return {table: cells[0] for table, cells in lines_of(output).items()}


def test_real_loads_are_shown_with_rows_mark_and_message(red: RedServer, tmp_path: Path) -> None:
    create_load_table(red, item_table(Column("updated_at", "timestamp"), mark_column="updated_at"))
    red.register_load_table("load_other")
    for rows, script in ((3, SCRIPT), (2, SCRIPT), (0, FAILING_SCRIPT)):
        path = tmp_path / "script.py"
        path.write_text(script.replace("ROWS", str(rows)), encoding="utf-8")
        red.run_host_script(path, LOAD_TABLE)
    done = subprocess.run(
        [Path(sys.executable).with_name("wherescape"), "status"],
        env={**os.environ, **red.environment(), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("2 load tables: 1 failed, 1 no run. 30 days of RED's task log, ")
    lines = lines_of(done.stdout)
    state, _, ago, rows_of_last, took, mark, _, runs = lines["load_item"]
    assert (state, rows_of_last, mark, runs) == ("failed", "0", "2026-01-05 10:05Z", "█▆▁")
    assert ago.endswith(" s") and took.endswith(" s")
    assert lines["load_other"] == ["no run"]
    assert re.search(r"^load_item: .*division by zero", done.stdout, re.MULTILINE)
    assert red.meta_password not in done.stdout


def test_problems_come_first(red: RedServer) -> None:
    add_runs(red, "load_a_good", 5, 5)
    red.register_load_table("load_b_never")
    add_runs(red, "load_c_warned", 5, 5, code=-1)
    add_runs(red, "load_d_failed", 5, None, message="The API answered 503.")
    add_runs(red, "load_e_late", 5, 5, 5, 5, every=timedelta(hours=1), ago=timedelta(hours=4))
    add_runs(red, "load_f_empty", 5, 5, 5, 0)
    add_runs(red, "load_g_often_empty", 5, 0, 5, 0)
    add_runs(red, "load_h_in_time", 5, 5, 5, 5, every=timedelta(hours=1), ago=timedelta(hours=2))
    red.register_load_table("load_i_running")
    red.start_task("load_i_running")
    output = run_status(red).output
    assert list(states_of(output).items()) == [
        ("load_d_failed", "failed"),
        ("load_e_late", "late"),
        ("load_c_warned", "warnings"),
        ("load_f_empty", "no rows"),
        ("load_i_running", "running"),
        ("load_a_good", "loaded"),
        ("load_g_often_empty", "loaded"),
        ("load_h_in_time", "loaded"),
        ("load_b_never", "no run"),
    ]
    assert "9 load tables: 1 failed, 1 late, 1 warnings, 1 no rows, 1 running, 3 loaded, 1 no run." in output
    assert "load_d_failed: The API answered 503." in output
    assert "load_e_late: it usually runs every 60 min, and last did 4 h ago" in output
    assert "load_f_empty: the last run loaded no rows, the 3 before it did" in output


def test_a_weekend_makes_no_table_late(red: RedServer) -> None:
    add_runs(red, LOAD_TABLE, 5, 5, 5, 5, ago=timedelta(hours=70))
    assert states_of(run_status(red).output) == {LOAD_TABLE: "late"}
    red.query_repository(
        "UPDATE red.ws_wrk_task_log SET wtl_started = wtl_started - interval '48 hours' WHERE wtl_sequence < 99"
    )
    assert states_of(run_status(red).output) == {LOAD_TABLE: "loaded"}


def test_a_run_that_hangs_is_late(red: RedServer) -> None:
    add_runs(red, LOAD_TABLE, 5, 5, 5, 5, every=timedelta(hours=1), ago=timedelta(hours=4))
    red.query_repository(
        "UPDATE red.ws_wrk_task_log SET wtl_run_status = 'R', wtl_completed = NULL, wtl_return_code = NULL"
        " WHERE wtl_sequence = (SELECT MAX(wtl_sequence) FROM red.ws_wrk_task_log)"
    )
    output = run_status(red).output
    assert states_of(output) == {LOAD_TABLE: "late"}
    assert "it usually runs every 60 min, and last did 4 h ago, which is still running" in output


def test_a_run_under_way_tells_how_far_it_is(red: RedServer) -> None:
    red.register_load_table(LOAD_TABLE)
    with closing(WhereScape(red.environment(LOAD_TABLE) | red.start_task(LOAD_TABLE))) as wherescape:
        for line in ("1,204 rows so far, 60 s", "2,408 rows so far, 2 min 0 s"):
            wherescape.audit(line)
    output = run_status(red).output
    assert states_of(output) == {"load_item": "running"}
    assert "load_item: running: 2,408 rows so far, 2 min 0 s" in output


def test_current_runs_and_history_are_one(red: RedServer) -> None:
    add_runs(red, "load_a", 1, 2, 3)
    red.query_repository(
        "INSERT INTO red.ws_wrk_task_run (wtr_job_key, wtr_sequence, wtr_task_key, wtr_name, wtr_run_status,"
        " wtr_started, wtr_completed, wtr_inserted)"
        " SELECT wtl_job_key, wtl_sequence, wtl_task_key, wtl_name, 'C', wtl_started, wtl_completed, wtl_inserted"
        " FROM red.ws_wrk_task_log WHERE wtl_inserted = 3;"
        "INSERT INTO red.ws_wrk_task_run (wtr_job_key, wtr_sequence, wtr_task_key, wtr_name, wtr_run_status,"
        " wtr_completed, wtr_inserted) VALUES (1, 200, 1, 'LOAD_A', 'C', localtimestamp, 4)"
    )
    *_, runs = lines_of(run_status(red).output)["load_a"]
    assert runs == sparkline([1, 2, 3, 4], BLOCKS)


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (84, "load table, status, ago, rows, rows of the last runs"),
        (110, "load table, status, ago, rows, took, mark's age, rows of the last runs"),
        (160, "load table, status, last run, ago, rows, rejected, took, mark, mark's age, rows of the last runs"),
    ],
)
def test_a_narrow_terminal_shows_whole_what_matters_most(red: RedServer, width: int, headings: str) -> None:
    add_runs(red, "load_a_table_with_quite_a_name", 5)
    red.write_parameter("HWM_load_a_table_with_quite_a_name", "2026-01-05T10:05:00+00:00")
    output = run_status(red, FORCE_COLOR="1", COLUMNS=str(width)).output
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in output.splitlines()]
    shown = next(line for line in lines if "status" in line and "ago" in line)
    assert re.sub(r" {2,}", ", ", shown.strip()) == headings
    assert any(line.startswith("  load_a_table_with_quite_a_name   loaded") for line in lines)


def test_one_table_and_other_days(red: RedServer) -> None:
    add_runs(red, "load_a", 5, ago=timedelta(days=40))
    add_runs(red, "load_b", 5)
    assert states_of(run_status(red).output) == {"load_b": "loaded", "load_a": "no run"}
    assert states_of(run_status(red, "--table", "LOAD_A").output) == {"load_a": "no run"}
    only = run_status(red, "--table", "load_a", "--days", "50").output
    assert states_of(only) == {"load_a": "loaded"} and "1 load table: 1 loaded. 50 days" in only
    unknown = run_status(red, "--table", "load_c")
    assert unknown.exit_code == 1 and "no load table 'load_c'" in unknown.stderr


def test_a_repository_without_load_tables(red: RedServer) -> None:
    done = run_status(red)
    assert done.exit_code == 0 and done.output.startswith("0 load tables. ")


def test_a_task_log_with_other_columns_gives_way_to_the_audit_log(red: RedServer) -> None:
    for table in ("load_a", "load_b", "load_c"):
        red.register_load_table(table)
        wherescape = red.environment(table) | red.start_task(table)
        for status, message in (
            ("I", "300 rows so far, 60 s"),
            ("I", "1,204 rows, 2 rejected, 14 s, mark none -> 2026-01-05T11:05Z" if table == "load_a" else "other"),
            ("E" if table == "load_b" else "I", "The end."),
        ):
            red.query_repository(
                "INSERT INTO red.ws_wrk_audit_log (wa_sequence, wa_job, wa_task, wa_status, wa_message, wa_job_key)"
                " VALUES (?::integer, 'Nightly', ?::varchar, ?::varchar, ?::varchar, 1)",
                [int(wherescape["WSL_SEQUENCE"]), table, status, message],
            )
    for log, prefix in task_history.RUN_TABLES:
        red.query_repository(f"ALTER TABLE red.{log} RENAME {prefix}started TO {prefix}begin")
    try:
        output = run_status(red).output
    finally:
        for log, prefix in task_history.RUN_TABLES:
            red.query_repository(f"ALTER TABLE red.{log} RENAME {prefix}begin TO {prefix}started")
    assert "ws_wrk_task_run: wtr_started; ws_wrk_task_log: wtl_started" in output and "audit log" in output
    assert states_of(output) == {"load_b": "failed", "load_a": "warnings", "load_c": "unknown"}
    assert lines_of(output)["load_a"][3:5] == ["1,204", "2"]


def test_a_task_log_without_a_history_says_what_is_left_out(red: RedServer) -> None:
    add_runs(red, "load_a", 5)
    red.register_load_table("load_b")
    red.start_task("load_b")
    red.query_repository("ALTER TABLE red.ws_wrk_task_log RENAME wtl_inserted TO wtl_rows")
    try:
        output = run_status(red).output
    finally:
        red.query_repository("ALTER TABLE red.ws_wrk_task_log RENAME wtl_rows TO wtl_inserted")
    assert "are left out (ws_wrk_task_log: wtl_inserted)" in output
    assert states_of(output) == {"load_b": "running", "load_a": "no run"}


def test_columns_that_are_only_nice_to_have_may_be_missing(red: RedServer) -> None:
    add_runs(red, "load_a", 5, 5, code=-1)
    red.query_repository("ALTER TABLE red.ws_wrk_task_log RENAME wtl_return_code TO wtl_code")
    try:
        assert states_of(run_status(red).output) == {"load_a": "loaded"}
    finally:
        red.query_repository("ALTER TABLE red.ws_wrk_task_log RENAME wtl_code TO wtl_return_code")


def test_the_page_shows_tables_runs_and_messages(red: RedServer, tmp_path: Path) -> None:
    add_runs(red, "load_a_good", 5, 5)
    add_runs(red, "load_b_failed", 5, None, message="<b>503</b> & more")
    red.write_parameter("HWM_load_a_good", "2026-01-05T10:05:00+00:00")
    path = tmp_path / "pages" / "status.html"
    done = run_status(red, "--html", str(path))
    assert done.exit_code == 0 and done.output.endswith(f"The page: {path}\n")
    page, html = read(path), path.read_text(encoding="utf-8")
    assert "2 load tables: 1 failed, 1 loaded." in page.sections[""]
    assert html.index("load.load_b_failed") < html.index("load.load_a_good")
    assert "&lt;b&gt;503&lt;/b&gt; &amp; more" in html and "2026-01-05 10:05Z" in html
    assert html.count("<details>") == 2 and "rows of the last 2 runs, at most 5 rows" in html
    assert not re.findall(r"<script|<link|<img|@import|url\(|https?://", html)


def test_an_empty_page(red: RedServer, tmp_path: Path) -> None:
    run_status(red, "--html", str(tmp_path / "status.html"))
    assert "RED's repository has no load tables." in read(tmp_path / "status.html").sections[""]


def test_without_a_repository_it_says_where_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(commands, ["status"])
    assert done.exit_code == 1 and "ws_env.py" in done.stderr and "WSL_META_DSN" in done.stderr


@pytest.mark.parametrize(
    ("status", "code", "rejected", "outcome"),
    [
        ("C", 1, 0, "loaded"),
        ("C", None, 0, "loaded"),
        ("C", None, 2, "warnings"),
        ("C", -1, 0, "warnings"),
        ("C", -2, 0, "failed"),
        ("F", None, 0, "failed"),
        ("A", 1, 0, "failed"),
        ("R", None, 0, "running"),
        ("W", None, 0, "waiting"),
        ("H", None, 0, "held"),
        ("Z", None, 0, "unknown"),
        ("", None, 0, "unknown"),
    ],
)
def test_how_a_run_ended(status: str, code: int | None, rejected: int, outcome: str) -> None:
    assert outcome_of(status, code, rejected) == outcome


@pytest.mark.parametrize(
    ("marks", "text", "has_age"),
    [
        ({}, "", False),
        ({"hwm_load_a": "2026-01-05T12:05:00+02:00"}, "2026-01-05 10:05Z", True),
        ({"hwm_ds_a": "2026-01-05T10:05:00+00:00"}, "2026-01-05 10:05Z", True),
        ({"hwm_load_a": "2026-01-05", "hwm_load_a_next": "x"}, "2026-01-04 10:00Z, one staged", True),
        ({"hwm_load_a": "2026-01-05T10:05:00"}, "2026-01-05T10:05:00", False),
        ({"hwm_load_a_next": "x"}, "none, one staged", False),
        ({"hwm_load_a": "9999-12-31T23:59:59-14:00"}, "9999-12-31T23:59:59-14:00", False),
    ],
)
def test_a_mark_is_found_by_the_tables_name(marks: dict[str, str], text: str, has_age: bool) -> None:
    mark = find_mark("load_a", marks)
    assert (mark.text if mark else "") == text
    assert (mark is not None and mark.age_seconds is not None) is has_age


def test_a_marks_age_is_that_of_its_moment() -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=3)
    mark = find_mark("load_a", {"hwm_load_a": hour_ago.isoformat()})
    assert isinstance(mark, Mark) and age_text(mark.age_seconds) == "3 h"


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (-3, "0 s"), (119, "119 s"), (121, "2 min"), (7_300, "2 h"), (200_000, "2 d")]
)
def test_an_age_has_one_unit(seconds: float | None, text: str) -> None:
    assert age_text(seconds) == text


def test_a_sparkline_tells_no_rows_from_few() -> None:
    assert sparkline([0, 1, None, 1_000], BLOCKS) == "▁▂ █"
    assert sparkline([], BLOCKS) == ""


# ------------------------------------------------------------------------------------------------------ SQL Server

TASK_LOG = (
    "SELECT run_task, run_sequence, run_status, run_code, run_started, run_completed, run_inserted, run_rejected,"
    " run_message FROM (SELECT runs.*, ROW_NUMBER() OVER (PARTITION BY LOWER(run_task)"
    " ORDER BY run_started DESC, run_sequence DESC) AS run_age FROM ("
    "SELECT wtr_name AS run_task, wtr_sequence AS run_sequence, wtr_run_status AS run_status, NULL AS run_code,"
    " wtr_started AS run_started, wtr_completed AS run_completed, wtr_inserted AS run_inserted,"
    " wtr_rejected AS run_rejected, LEFT(wtr_return_msg, 300) AS run_message"
    " FROM dbo.ws_wrk_task_run WHERE wtr_started >= ? AND LOWER(wtr_name) = LOWER(?)"
    " UNION ALL "
    "SELECT wtl_name AS run_task, wtl_sequence AS run_sequence, wtl_run_status AS run_status, NULL AS run_code,"
    " wtl_started AS run_started, wtl_completed AS run_completed, wtl_inserted AS run_inserted,"
    " wtl_rejected AS run_rejected, NULL AS run_message"
    " FROM dbo.ws_wrk_task_log WHERE wtl_started >= ? AND LOWER(wtl_name) = LOWER(?)"
    ") AS runs WHERE LOWER(run_task) IN (SELECT LOWER(lt_table_name) FROM dbo.ws_load_tab)) AS numbered"
    " WHERE run_age <= 30 ORDER BY run_task, run_age"
)
AUDIT_LOG = (
    "SELECT run_task, run_sequence, run_severity, run_started, run_completed, run_message FROM ("
    "SELECT runs.*, ROW_NUMBER() OVER (PARTITION BY LOWER(run_task) ORDER BY run_started DESC, run_sequence DESC)"
    " AS run_age FROM ("
    "SELECT wa_task AS run_task, wa_sequence AS run_sequence,"
    " MAX(CASE WHEN wa_status IN ('E', 'F') THEN 2 WHEN wa_status = 'W' THEN 1 ELSE 0 END) AS run_severity,"
    " MIN(wa_time_stamp) AS run_started, MAX(wa_time_stamp) AS run_completed,"
    " MAX(CASE WHEN wa_message LIKE '% rows, %' OR wa_message LIKE '1 row, %' THEN wa_message END) AS run_message"
    " FROM dbo.ws_wrk_audit_log WHERE wa_time_stamp >= ? GROUP BY wa_task, wa_job_key, wa_sequence"
    ") AS runs WHERE LOWER(run_task) IN (SELECT LOWER(lt_table_name) FROM dbo.ws_load_tab)) AS numbered"
    " WHERE run_age <= 30 ORDER BY run_task, run_age"
)


PROGRESS = (
    "SELECT wa_task, wa_sequence, wa_message FROM (SELECT wa_task, wa_sequence, wa_message,"
    " ROW_NUMBER() OVER (PARTITION BY LOWER(wa_task), wa_sequence ORDER BY wa_time_stamp DESC) AS line_age"
    " FROM dbo.ws_wrk_audit_log WHERE wa_sequence IN (?, ?)) AS lines WHERE line_age = 1"
)


def test_the_text_of_the_queries() -> None:
    assert task_history.progress_query("dbo", 2) == PROGRESS
    logs = [("ws_wrk_task_run", "wtr_", ["return_msg"]), ("ws_wrk_task_log", "wtl_", [])]
    assert task_history.task_log_query("dbo", logs, is_one_table=True) == TASK_LOG
    assert task_history.audit_log_query("dbo", is_one_table=False) == AUDIT_LOG


@pytest.mark.parametrize("text", [TASK_LOG, AUDIT_LOG, PROGRESS, tsql.NOW])
def test_a_parser_of_t_sql_takes_them(text: str) -> None:
    assert len([parsed for parsed in sqlglot.parse(text, dialect="tsql") if parsed]) == 1


@pytest.fixture
def on_sql_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Repository, RecordingConnection]]:
    """A repository on SQL Server, which has other columns in its task log and answers nothing."""
    connection = RecordingConnection([[(datetime(2026, 1, 5),)], [], [], []])
    monkeypatch.setattr("pyodbc.connect", lambda *arguments, **options: connection)
    environment = Environment(ENVIRONMENT)
    database = Database(environment.login("repository", "WSL_META"))
    yield Repository(database, environment), connection
    database.close()


def test_a_repository_on_sql_server_is_asked_in_its_words(
    on_sql_server: tuple[Repository, RecordingConnection],
) -> None:
    repository, connection = on_sql_server
    since = task_history.read_now(repository)
    task_history.read_load_tables(repository)
    task_history.read_marks(repository)
    history = task_history.read_history(repository, since)
    assert (history.runs, history.source) == ({}, "audit log")
    assert connection.used.executed == [
        ("SELECT CURRENT_TIMESTAMP", []),
        (
            "SELECT target.dt_schema, tab.lt_table_name FROM dbo.ws_load_tab AS tab"
            " LEFT JOIN dbo.ws_obj_object AS obj ON obj.oo_obj_key = tab.lt_obj_key"
            " LEFT JOIN dbo.ws_dbc_target AS target ON target.dt_target_key = obj.oo_target_key"
            " ORDER BY tab.lt_table_name",
            [],
        ),
        (
            "SELECT dss_parameter_name, dss_parameter_value FROM dbo.dss_parameter"
            " WHERE dss_parameter_name LIKE 'HWM%'",
            [],
        ),
        ("SELECT * FROM dbo.ws_wrk_task_run WHERE 1 = 0", []),
        ("SELECT * FROM dbo.ws_wrk_task_log WHERE 1 = 0", []),
        (AUDIT_LOG, [since]),
    ]
