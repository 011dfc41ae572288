"""The stand-in's scheduler runs a host script as RED's does and keeps what it reports."""

import os
import signal
from pathlib import Path

import pytest

from wherescape.errors import SandboxError
from wherescape.sandbox import RedServer, TaskResult


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "script.py"


def run(red: RedServer, script: Path, text: str, table: str = "load_x", timeout: float = 600) -> TaskResult:
    script.write_text(text, encoding="utf-8", newline="\n")
    return red.run_host_script(script, table, timeout=timeout)


def test_the_parts_of_the_output_are_told_apart(clean_red: RedServer, script: Path) -> None:
    result = run(
        clean_red,
        script,
        "import sys; print(-1); print('message'); print('audit 1'); print(); print('detail', file=sys.stderr)",
    )
    assert (result.task, result.status, result.message) == ("load_x", -1, "message")
    assert (result.audit, result.detail, result.exit_status) == (["audit 1", ""], ["detail"], 0)


@pytest.mark.parametrize(("line", "status"), [("1", 1), (" - 1 ", -1), ("-2", -2), ("-3", -3)])
def test_a_status_line_may_have_blanks(clean_red: RedServer, script: Path, line: str, status: int) -> None:
    result = run(clean_red, script, f"print({line!r}); print('message')")
    assert (result.status, result.message) == (status, "message")


@pytest.mark.parametrize("line", ["0", "2", "+1", "1.0", "1 row loaded", "", "\u0661", "x" * 300])
def test_any_other_first_line_is_fatal(clean_red: RedServer, script: Path, line: str) -> None:
    result = run(clean_red, script, f"import sys; sys.stdout.reconfigure(encoding='utf-8'); print({line!r})")
    assert result.status == -3
    assert result.message.startswith(f'Invalid return code "{line}'[:255])
    assert len(result.message) <= 255


def test_a_script_without_output_is_fatal(clean_red: RedServer, script: Path) -> None:
    result = run(clean_red, script, "")
    assert (result.status, result.message) == (-3, 'Invalid return code "". Check the detail log.')


def test_the_exit_status_is_kept_beside_the_status(clean_red: RedServer, script: Path) -> None:
    result = run(clean_red, script, "print(1); print('message'); raise SystemExit(4)")
    assert (result.status, result.exit_status) == (1, 4)


def test_the_traceback_of_a_script_names_it_and_its_line(clean_red: RedServer, script: Path) -> None:
    result = run(clean_red, script, "\n\nraise ValueError('no')\n")
    assert result.status == -3
    assert any("script.py" in line and "line 3" in line for line in result.detail)
    assert "    raise ValueError('no')" in result.detail


def test_job_task_and_log_rows_are_written(clean_red: RedServer, script: Path) -> None:
    result = run(
        clean_red, script, "import sys; print(-2); print('m' * 2000); print('a' * 300); sys.stderr.write('d')"
    )
    assert result.message == "m" * 2000
    task = clean_red.query_repository(
        "SELECT wtr_name, wtr_run_status, wtr_return_code, wtr_return_msg, wtr_info_count, wtr_detail_count "
        "FROM red.ws_wrk_task_run"
    )
    assert [tuple(row) for row in task] == [("load_x", "F", -2, "m" * 1024, 1, 1)]
    job = clean_red.query_repository(
        "SELECT wjr_name, wjr_status, wjr_okay_count, wjr_error_count, count(wjr_completed) OVER () "
        "FROM red.ws_wrk_job_run"
    )
    assert [tuple(row) for row in job] == [("Sandbox", "F", 0, 1, 1)]
    audit = clean_red.query_repository("SELECT wa_status, wa_task, wa_message FROM red.ws_wrk_audit_log")
    assert [tuple(row) for row in audit] == [("I", "load_x", "a" * 256)]
    detail = clean_red.query_repository("SELECT wd_status, wd_task, wd_message FROM red.ws_wrk_error_log")
    assert [tuple(row) for row in detail] == [("I", "load_x", "d")]


def test_each_run_has_its_own_sequence_and_keeps_its_keys(clean_red: RedServer, script: Path) -> None:
    text = "import os; print(1); print(*(os.environ['WSL_' + n] for n in ('SEQUENCE', 'JOB_KEY', 'TASK_KEY')))"
    first = run(clean_red, script, text).message.split()
    second = run(clean_red, script, text).message.split()
    assert first[0] != second[0] and first[1:] == second[1:]


def test_the_counters_of_the_task_are_in_the_result(clean_red: RedServer, script: Path) -> None:
    text = """
import os, pyodbc
meta = pyodbc.connect(os.environ["WSL_META_DSN"], UID=os.environ["WSL_META_USER"], PWD=os.environ["WSL_META_PWD"])
keys = [int(os.environ[f"WSL_{name}"]) for name in ("JOB_KEY", "TASK_KEY", "SEQUENCE")]
result = meta.execute("SELECT red.WsWrkTask(?, ?, ?, 10, 0, 0, 0, 0, 2, 1)", keys).fetchval()
meta.commit()
print(1)
print(result)
"""
    result = run(clean_red, script, text)
    assert (result.message, result.inserted, result.updated, result.rejected, result.errored) == ("0", 10, 0, 2, 1)


def test_more_output_than_a_pipe_holds(clean_red: RedServer, script: Path) -> None:
    text = """
import sys
print(1)
print("message")
for number in range(50_000):
    print("audit", number)
    print("detail", number, file=sys.stderr)
"""
    result = run(clean_red, script, text)
    assert (len(result.audit), len(result.detail)) == (50_000, 50_000)
    counted = clean_red.query_repository("SELECT count(*), max(wd_message) FROM red.ws_wrk_error_log")
    assert tuple(counted[0]) == (50_000, "detail 9999")
    order = clean_red.query_repository("SELECT wa_message FROM red.ws_wrk_audit_log ORDER BY wa_row LIMIT 3")
    assert [row[0] for row in order] == ["audit 0", "audit 1", "audit 2"]


def test_bytes_that_are_no_text_are_shown_all_the_same(clean_red: RedServer, script: Path) -> None:
    result = run(clean_red, script, r"import sys; sys.stdout.buffer.write(b'1\nnot \xff text\nwith \0 in it\n')")
    assert result.status == 1
    assert result.message.startswith("not ") and result.message.endswith(" text")
    assert result.audit == ["with \N{REPLACEMENT CHARACTER} in it"]


def test_windows_line_ends_are_line_ends(clean_red: RedServer, script: Path) -> None:
    result = run(clean_red, script, r"import sys; sys.stdout.buffer.write(b'1\r\nmessage\r\naudit\r\n')")
    assert (result.status, result.message, result.audit) == (1, "message", ["audit"])


def test_a_process_that_the_script_left_behind_does_not_hold_it_up(clean_red: RedServer, script: Path) -> None:
    text = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
print(1)
print(child.pid)
"""
    result = run(clean_red, script, text, timeout=60)
    os.kill(int(result.message), signal.SIGTERM)
    assert result.status == 1


def test_a_script_that_does_not_end_is_killed(clean_red: RedServer, script: Path) -> None:
    text = "import threading; print(1, flush=True); threading.Event().wait()"
    result = run(clean_red, script, text, timeout=0.5)
    assert (result.status, result.message, result.exit_status) == (-3, "Killed after 0.5 seconds.", None)
    assert clean_red.query_repository("SELECT wtr_run_status FROM red.ws_wrk_task_run")[0][0] == "F"


def test_nothing_of_the_caller_s_environment_reaches_the_script(
    clean_red: RedServer, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SESSION", "1")
    monkeypatch.setenv("WSL_LEFTOVER", "1")
    result = run(clean_red, script, "import os; print(1); print(*sorted(os.environ))")
    names = result.message.split()
    assert "PATH" in names and "WSL_META_DSN" in names
    assert "SECRET_OF_THE_SESSION" not in names and "WSL_LEFTOVER" not in names


def test_more_variables_can_be_given(clean_red: RedServer, script: Path) -> None:
    script.write_text("import os; print(1); print(os.environ['WSL_META_PWD'], os.environ['MORE'])")
    result = clean_red.run_host_script(script, environment={"WSL_META_PWD": "replaced", "MORE": "more"})
    assert (result.task, result.message) == ("script", "replaced more")


def test_the_script_runs_in_the_work_folder_and_is_removed_from_it(clean_red: RedServer, script: Path) -> None:
    result = run(clean_red, script, "import os; print(1); print(os.getcwd())")
    assert Path(result.message) == clean_red.workdir
    assert list(clean_red.workdir.iterdir()) == []


@pytest.mark.parametrize(("truncate", "rows"), [(True, 0), (False, 1)])
def test_the_load_table_is_truncated_first_if_it_is_registered_so(
    clean_red: RedServer, script: Path, truncate: bool, rows: int
) -> None:
    clean_red.register_load_table("load_x", truncate=truncate)
    clean_red.query_warehouse("CREATE TABLE load.load_x AS SELECT 1 AS a")
    run(clean_red, script, "print(1)")
    assert clean_red.query_warehouse("SELECT count(*) FROM load.load_x")[0][0] == rows


def test_a_load_table_that_is_yet_to_be_created_is_no_problem(clean_red: RedServer, script: Path) -> None:
    clean_red.register_load_table("load_x")
    assert run(clean_red, script, "print(1)").status == 1


def test_tokens_are_replaced_where_they_have_a_value(clean_red: RedServer, script: Path) -> None:
    clean_red.write_parameter("RED_Database", "warehouse")
    script.write_text("print(1)\nprint('$PRED_Database$ $PNothing$ $WSL_SRCCFG_url$ $WSL_SRCCFG_user$ $5')\n")
    result = clean_red.run_host_script(script, source_config={"url": "https://x"})
    assert result.message == "warehouse $PNothing$ https://x $WSL_SRCCFG_user$ $5"


def test_a_token_is_found_in_any_case_as_its_variable_is(clean_red: RedServer, script: Path) -> None:
    script.write_text("print(1)\nprint('$WSL_SRCCFG_apikey$')\n")
    result = clean_red.run_host_script(script, source_config={"APIKEY": "glpat-1"})
    assert result.message == "glpat-1"


def test_characters_beyond_ascii_in_a_script_stay_as_they_are(clean_red: RedServer, script: Path) -> None:
    assert run(clean_red, script, "print(1)\nprint(ascii('né\N{GRINNING FACE}'))").message == r"'n\xe9\U0001f600'"


def test_a_script_started_in_red_itself_leaves_no_log_rows(clean_red: RedServer, script: Path) -> None:
    script.write_text("import os; print(1); print(os.environ['WSL_JOB_KEY'], os.environ['WSL_JOB_NAME']); print('a')")
    result = clean_red.run_host_script(script, "load_x", interactive=True)
    assert (result.task, result.message, result.audit) == ("load_x", "0 Develop", ["a"])
    for table in ("ws_wrk_job_run", "ws_wrk_task_run", "ws_wrk_audit_log"):
        assert clean_red.query_repository(f"SELECT * FROM red.{table}") == []


def test_a_script_that_does_not_exist_is_named(clean_red: RedServer, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="nothing.py cannot be read"):
        clean_red.run_host_script(tmp_path / "nothing.py")
    assert clean_red.query_repository("SELECT * FROM red.ws_wrk_task_run") == []


def test_the_caller_s_environment_is_left_alone(clean_red: RedServer, script: Path) -> None:
    before = dict(os.environ)
    run(clean_red, script, "print(1)")
    assert dict(os.environ) == before
