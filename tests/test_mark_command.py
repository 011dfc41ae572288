"""`wherescape mark`: shows and sets the mark of a load, and does no harm when it is given the wrong thing."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wherescape.cli.main import commands
from wherescape.sandbox.red_server import RedServer

NAME = "HWM_load_gitlab_commit"
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def server(red: RedServer) -> RedServer:
    red.reset()
    red.register_load_table("load_gitlab_commit")
    return red


@pytest.fixture
def run(server: RedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run the command with the variables of a RED server without parameters around it."""
    server.query_repository("DELETE FROM red.dss_parameter")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    yield lambda *arguments: CliRunner().invoke(commands, ["mark", *arguments])


def test_a_mark_is_shown_with_its_age(run: Run, server: RedServer) -> None:
    server.write_parameter(NAME, (datetime.now(UTC) - timedelta(days=3, hours=2)).isoformat())
    server.write_parameter(f"{NAME}_next", "2026-01-05T10:05:00+00:00")
    shown = run("load_gitlab_commit")
    assert shown.exit_code == 0
    first, second = shown.output.splitlines()
    assert first.startswith(f"{NAME}: ") and first.endswith("Z, 3 d ago")
    assert second.startswith(f"{NAME}_next: 2026-01-05T10:05Z, ") and "once the job confirms it" in second


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "none, so that the next load is a full one"),
        ("2026-01-05 10:05", "2026-01-05 10:05 without an offset from UTC, so that the next load is a full one"),
        ("yesterday", "'yesterday', which is no ISO 8601 moment, so that the next load is a full one"),
    ],
)
def test_a_mark_that_the_load_cannot_use_says_so(run: Run, server: RedServer, value: str, says: str) -> None:
    server.write_parameter(NAME, value)
    assert run("load_gitlab_commit").output == f"{NAME}: {says}\n"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("2026-01-05T10:05Z", "2026-01-05T10:05:00+00:00"),
        ("2026-01-05T12:05+02:00", "2026-01-05T10:05:00+00:00"),
        ("2026-01-05", "2026-01-04T10:00:00+00:00"),
        ("none", ""),
    ],
)
def test_a_mark_is_set_and_says_what_it_was(run: Run, server: RedServer, value: str, kept: str) -> None:
    server.write_parameter(NAME, "2025-12-01T00:00:00+00:00")
    done = run("load_gitlab_commit", value)
    assert done.exit_code == 0
    assert server.read_parameter(NAME) == kept
    was, now = done.output.splitlines()
    assert was.startswith(f"{NAME} was 2025-12-01T00:00Z, ")
    assert now.startswith(f"{NAME} is now " + (kept[:16] if kept else "none, so that the next load is a full one"))


def test_a_table_may_be_typed_in_another_case(run: Run, server: RedServer) -> None:
    server.write_parameter(NAME, "2025-12-01T00:00:00+00:00")
    run("LOAD_GITLAB_COMMIT", "2026-01-05T10:05Z")
    assert server.read_parameter(NAME) == "2026-01-05T10:05:00+00:00"


@pytest.mark.parametrize("typed", ["load_gitlab_commit", "LOAD_GITLAB_COMMIT"])
def test_a_first_mark_can_be_set_for_a_table_that_red_knows(run: Run, server: RedServer, typed: str) -> None:
    done = run(typed, "2026-01-05T10:05Z")
    assert done.output.splitlines()[0] == f"{NAME} was none, so that the next load is a full one"
    assert server.read_parameter(NAME) == "2026-01-05T10:05:00+00:00"


def test_setting_a_mark_drops_the_staged_one(run: Run, server: RedServer) -> None:
    server.write_parameter(f"{NAME}_next", "2026-01-05T10:05:00+00:00")
    done = run("load_gitlab_commit", "2025-12-01")
    assert server.read_parameter(f"{NAME}_next") == ""
    assert f"{NAME}_next was 2026-01-05T10:05Z" in done.output and "is dropped" in done.output


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("2999-01-01T00:00Z", "lies in the future"),
        ("yesterday", "'yesterday', which is no ISO 8601 moment"),
        ("2026-01-05T10:05", "2026-01-05T10:05 without an offset from UTC"),
        ("2026-02-30", "'2026-02-30', which is no ISO 8601 moment"),
    ],
)
def test_what_is_no_mark_is_refused(run: Run, server: RedServer, value: str, says: str) -> None:
    server.write_parameter(NAME, "2025-12-01T00:00:00+00:00")
    done = run("load_gitlab_commit", value)
    assert done.exit_code == 1
    assert says in done.output and "2026-01-05T10:05Z" in done.output
    assert server.read_parameter(NAME) == "2025-12-01T00:00:00+00:00"


def test_a_name_that_is_typed_wrong_becomes_no_parameter(run: Run, server: RedServer) -> None:
    done = run("load_gitlab_comit", "2026-01-05")
    assert done.exit_code == 1
    assert "no load table 'load_gitlab_comit'" in done.output
    assert server.read_parameter("HWM_load_gitlab_comit") is None


def test_a_friday_pulse_table_keeps_its_mark_under_the_name_of_its_store(run: Run, server: RedServer) -> None:
    server.register_load_table("load_friday_pulse_general_result")
    run("load_friday_pulse_general_result", "2026-01-05T10:05Z")
    assert server.read_parameter("HWM_ds_friday_pulse_general_result") == "2026-01-05T10:05:00+00:00"


def test_a_parameter_that_holds_a_moment_is_a_mark_of_its_own_name(run: Run, server: RedServer) -> None:
    server.write_parameter("sales_mark", "2026-01-05T10:05:00Z")
    assert run("sales_mark").output.startswith("sales_mark: 2026-01-05T10:05Z, ")


def test_a_secret_is_no_mark(run: Run, server: RedServer) -> None:
    server.write_parameter("gitlab_access_token", "glpat-0123456789")
    shown = run("gitlab_access_token")
    changed = run("gitlab_access_token", "2026-01-05")
    assert (shown.exit_code, changed.exit_code) == (1, 1)
    assert "glpat" not in shown.output + changed.output
    assert server.read_parameter("gitlab_access_token") == "glpat-0123456789"


def test_without_a_table_all_marks_are_listed(run: Run, server: RedServer) -> None:
    assert "no high-water marks yet" in run().output
    server.write_parameter(NAME, "2026-01-05T10:05:00+00:00")
    server.write_parameter("HWM_load_jira_issue_next", "2026-01-06T10:05:00+00:00")
    server.write_parameter("gitlab_high_water_mark", "2026-01-07T10:05:00+00:00")
    lines = run().output.splitlines()
    assert any(NAME in line and "2026-01-05T10:05Z" in line for line in lines)
    assert any("HWM_load_jira_issue " in line and "none" in line and "2026-01-06T10:05Z" in line for line in lines)
    assert any("gitlab_high_water_mark" in line and "2026-01-07T10:05Z" in line for line in lines)


def test_a_setup_env_that_fails_is_a_message(tmp_path: Path) -> None:
    ws_env = tmp_path / "ws_env.py"
    ws_env.write_text(
        "ENVIRONMENTS = {'dev1': {}}\ndef setup_env(table, schema, environment): raise KeyError('DSN')\n"
    )
    done = CliRunner().invoke(commands, ["mark", "load_gitlab_commit", "--ws-env", str(ws_env)])
    assert done.exit_code == 1
    assert "setup_env of" in done.output and "KeyError: 'DSN'" in done.output and "Traceback" not in done.output


def test_a_mark_of_no_table_is_not_set_in_silence(run: Run) -> None:
    """As a script asks whose variable is empty."""
    done = run("", "none")
    assert done.exit_code == 2
    assert "The name of the table is empty" in done.output
