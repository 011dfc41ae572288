"""A job of several tasks: the first notes GitLab's time, the loads stage their marks, the last confirms them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.gitlab_loading import attached_to, create, load
from tests.gitlab_repository import make_repository
from wherescape.connectors.gitlab import gitlab_load_data as host_functions
from wherescape.connectors.gitlab.gitlab_high_water_mark import (
    HIGH_WATER_MARK,
    gitlab_next_high_water_mark,
    gitlab_update_high_water_mark,
)
from wherescape.errors import ApiAnswerInvalid, ApiRefused, DeclarationError
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.red_server import RedServer
from wherescape.testing.api_server import Answer

MONDAY = datetime(2026, 1, 5, 12, tzinfo=UTC)
SHOWN = "2026-01-05T11:59:59+00:00"
TABLES = ["load_gitlab_commit", "load_gitlab_issue"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitLabServer]:
    with GitLabServer(make_repository(tmp_path / "lamp")) as server:
        server.now = MONDAY
        server.project(1).issues.add(datetime(2026, 1, 1, tzinfo=UTC))
        yield server


@pytest.fixture
def red(clean_red: RedServer, server: GitLabServer) -> RedServer:
    for table in TABLES:
        create(clean_red, server, table)
    return clean_red


def run_of(number: int) -> dict[str, str]:
    return {"WSL_SEQUENCE": str(number), "WSL_JOB_KEY": "3", "WSL_JOB_NAME": "Nightly"}


def marks(red: RedServer, suffix: str = "") -> list[str | None]:
    return [red.read_parameter(f"HWM_{table}{suffix}") or None for table in TABLES]


def test_the_marks_of_a_job_count_when_its_last_task_confirms_them(red: RedServer, server: GitLabServer) -> None:
    gitlab_next_high_water_mark(attached_to(red, server, "", **run_of(1)))
    assert red.read_parameter(f"{HIGH_WATER_MARK}_next") == SHOWN
    for table in TABLES:
        assert load(red, server, table, variables=run_of(1)).inserted > 0
    assert (marks(red), marks(red, "_next")) == ([None, None], [SHOWN, SHOWN])

    last = attached_to(red, server, "", **run_of(1))
    gitlab_update_high_water_mark(last)

    assert last.main_message == "3 high-water marks confirmed"
    assert (marks(red), marks(red, "_next")) == ([SHOWN, SHOWN], [None, None])
    assert red.read_parameter(HIGH_WATER_MARK) == SHOWN
    for table in TABLES:
        assert load(red, server, table, variables=run_of(2)).inserted == 0


def test_a_job_that_fails_before_its_last_task_is_loaded_again(red: RedServer, server: GitLabServer) -> None:
    for number in (1, 2):
        gitlab_next_high_water_mark(attached_to(red, server, "", **run_of(number)))
        for table in TABLES:
            assert load(red, server, table, variables=run_of(number)).inserted > 0
    assert marks(red) == [None, None]


def test_what_another_run_has_begun_stages_nothing(red: RedServer, server: GitLabServer) -> None:
    gitlab_next_high_water_mark(attached_to(red, server, "", **run_of(1)))
    load(red, server, TABLES[0], variables=run_of(2))
    assert marks(red) == [SHOWN, None]


def test_a_load_may_decide_for_itself(red: RedServer, server: GitLabServer) -> None:
    gitlab_next_high_water_mark(attached_to(red, server, "", **run_of(1)))
    load(red, server, TABLES[0], variables=run_of(1), staged_mark=False)
    load(red, server, TABLES[1], variables=run_of(2), staged_mark=True)
    assert (marks(red), marks(red, "_next")) == ([SHOWN, None], [None, SHOWN])


def test_no_load_starts_from_the_mark_that_all_share(red: RedServer, server: GitLabServer) -> None:
    red.write_parameter(HIGH_WATER_MARK, SHOWN)
    assert load(red, server, TABLES[0]).inserted == 3
    with pytest.raises(DeclarationError, match="copy its value to HWM_load_gitlab_commit"):
        load(red, server, TABLES[0], high_water_mark=HIGH_WATER_MARK)


def test_a_server_that_does_not_tell_its_time_is_an_error(red: RedServer, server: GitLabServer) -> None:
    server.fail_next(Answer(200, "[]", {"Date": "unknown"}))
    with pytest.raises(ApiAnswerInvalid, match="does not tell the time"):
        gitlab_next_high_water_mark(attached_to(red, server, ""))
    server.fail_next(Answer(401, "{}"))
    with pytest.raises(ApiRefused, match="401"):
        gitlab_next_high_water_mark(attached_to(red, server, ""))
    assert not red.read_parameter(f"{HIGH_WATER_MARK}_next")


def test_older_host_scripts_find_them_beside_the_load() -> None:
    assert host_functions.gitlab_next_high_water_mark is gitlab_next_high_water_mark
    assert host_functions.gitlab_update_high_water_mark is gitlab_update_high_water_mark
