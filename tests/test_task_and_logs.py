"""update_task_log, audit, detail and the job routines on the stand-in repository."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherescape import WhereScape
from wherescape.errors import RoutineMissing
from wherescape.repository import split_message
from wherescape.sandbox.red_server import RedServer

SCRIPT = """\
from wherescape import WhereScape

wherescape = WhereScape()
wherescape.main_message = str(wherescape.update_task_log(inserted=5, updated=4, replaced=3, deleted=2, discarded=1,
                                                         rejected=6, errored=7))
"""


@pytest.fixture
def task(clean_red: RedServer) -> Iterator[WhereScape]:
    """As within a task of a job that RED's scheduler does not know."""
    environment = clean_red.environment("load_item")
    environment |= {"WSL_SEQUENCE": "90001", "WSL_JOB_KEY": "7", "WSL_JOB_NAME": "Nightly", "WSL_TASK_KEY": "8"}
    made = WhereScape(environment)
    yield made
    made.close()


LOGS = {"audit": ("ws_wrk_audit_log", "wa"), "detail": ("ws_wrk_error_log", "wd")}


def keys(red: RedServer, log: str) -> set[tuple[int, int]]:
    """The keys of job and task that the messages were written with."""
    table, prefix = LOGS[log]
    rows = red.query_repository(
        f"SELECT {prefix}_job_key, {prefix}_task_key FROM red.{table} WHERE {prefix}_sequence = 90001"
    )
    return {(row[0], row[1]) for row in rows}


def messages(red: RedServer, log: str) -> list[str]:
    table, prefix = LOGS[log]
    rows = red.query_repository(
        f"SELECT {prefix}_message FROM red.{table} WHERE {prefix}_sequence = 90001 ORDER BY {prefix}_time_stamp, ctid"
    )
    return [row[0] for row in rows]


def test_counts_are_written_for_a_running_task(clean_red: RedServer, tmp_path: Path) -> None:
    script = tmp_path / "counts.py"
    script.write_text(SCRIPT)
    result = clean_red.run_host_script(script)
    assert (result.status, result.message) == (1, "0")
    counts = (result.inserted, result.updated, result.replaced, result.deleted, result.discarded, result.rejected)
    assert counts == (5, 4, 3, 2, 1, 6)
    assert result.errored == 7


@pytest.mark.parametrize("missing", ["WSL_JOB_KEY", "WSL_TASK_KEY", "WSL_SEQUENCE"])
@pytest.mark.parametrize("value", ["0", ""])
def test_outside_a_task_nothing_is_written_and_it_is_said_so(
    clean_red: RedServer, caplog: pytest.LogCaptureFixture, missing: str, value: str
) -> None:
    caplog.set_level(logging.INFO)
    wherescape = WhereScape({**clean_red.environment("load_item"), missing: value})
    assert wherescape.update_task_log(inserted=5) == 0
    assert "5 inserted" in caplog.text
    assert "meta" not in wherescape.__dict__


def test_a_task_that_red_does_not_know_gives_a_warning(task: WhereScape, caplog: pytest.LogCaptureFixture) -> None:
    assert task.update_task_log(inserted=5) in (-1, -3)
    assert "WsWrkTask answered" in caplog.text


@pytest.mark.parametrize("log", ["audit", "detail"])
def test_a_message_is_written(task: WhereScape, clean_red: RedServer, log: str) -> None:
    getattr(task, log)("half way: 'quoted', é")
    assert messages(clean_red, log) == ["half way: 'quoted', é"]
    assert keys(clean_red, log) == {(7, 8)}


@pytest.mark.parametrize("log", ["audit", "detail"])
def test_a_long_message_is_split_at_256_characters(task: WhereScape, clean_red: RedServer, log: str) -> None:
    getattr(task, log)("x" * 600)
    assert [len(message) for message in messages(clean_red, log)] == [256, 256, 88]


@pytest.mark.parametrize("log", ["audit", "detail"])
def test_many_lines_go_through_the_bulk_routine(task: WhereScape, clean_red: RedServer, log: str) -> None:
    lines = [f"line {number} " + "y" * 200 for number in range(500)]
    getattr(task, log)("\n".join(lines))
    assert messages(clean_red, log) == lines
    assert keys(clean_red, log) == {(7, 8)}


def test_a_message_outside_a_task_is_logged(clean_red: RedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    interactive = {"WSL_JOB_KEY": "0", "WSL_JOB_NAME": "Develop"}
    WhereScape({**clean_red.environment("load_item"), **interactive}).audit("look here")
    assert "look here" in caplog.text


@pytest.mark.parametrize(
    ("message", "pieces"),
    [("a", ["a"]), ("a\n\nb", ["a", "b"]), ("", [""]), ("z" * 257, ["z" * 256, "z"])],
)
def test_split_message(message: str, pieces: list[str]) -> None:
    assert split_message(message) == pieces


@pytest.mark.parametrize("name", ["job_clear_logs_by_date", "job_clear_archive_by_date"])
def test_red_10_has_no_job_routines(task: WhereScape, name: str) -> None:
    with pytest.raises(RoutineMissing, match="RED 10"):
        getattr(task, name)()


@pytest.mark.parametrize("name", ["job_clear_logs_by_date", "job_clear_archive_by_date"])
def test_earlier_releases_answer_with_code_message_and_result(name: str) -> None:
    with RedServer(with_job_routines=True) as red:
        code, message, result = getattr(WhereScape(red.environment("load_item")), name)()
    assert (code, result) == ("S", 1)
    assert isinstance(message, str)
