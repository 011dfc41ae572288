"""What a load of a GitLab table brings after an earlier one: all that is new, whatever its date, and little more."""

import dataclasses
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.gitlab_loading import column, create, load
from tests.gitlab_repository import add_commits, collect_garbage, git, make_repository, reset
from tests.loading import warnings_of
from wherescape.connectors.gitlab.gitlab_known_projects import KnownProjectsFile
from wherescape.connectors.gitlab.gitlab_tables import TABLES
from wherescape.errors import ApiRefused, DeclarationError, SourceIncomplete
from wherescape.sandbox.gitlab_server import FORBIDDEN, NOT_FOUND, GitLabServer
from wherescape.sandbox.red_server import RedServer

MONDAY = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
COMMIT, BRANCH_COMMIT = "load_gitlab_commit", "load_gitlab_branch_commit"
ISSUE, TAG, BRANCH, PROJECT = "load_gitlab_issue", "load_gitlab_tag", "load_gitlab_branch", "load_gitlab_project"
WRONG_PROJECTS = ['{"1": {"main": "HEAD"}}', '{"one": {}}', '{"1": null}']
TRACKED = {"issues": ISSUE, "merge_requests": "load_gitlab_merge_request", "pipelines": "load_gitlab_pipeline"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "lamp")


@pytest.fixture
def server(repository: Path) -> Iterator[GitLabServer]:
    with GitLabServer(repository) as server:
        server.now = MONDAY
        yield server


def unix(moment: datetime) -> int:
    return int(moment.timestamp())


def pushed(server: GitLabServer, at: datetime, project: int = 1) -> None:
    server.now = at
    server.project(project).push(at)


def titles(red: RedServer, table: str = COMMIT) -> list[str]:
    return column(red, table, "title")


def commit_file(repository: Path, title: str, at: datetime, branch: str = "main") -> str:
    """Put one commit on a branch, and return its SHA."""
    tree = git(repository, "hash-object", "-t", "tree", "-w", "--stdin")
    parent = git(repository, "rev-parse", branch)
    date = f"{unix(at)} +0000"
    stream = f"tree {tree}\nparent {parent}\nauthor A <a@example.com> {date}\ncommitter A <a@example.com> {date}\n\n"
    commit = git(repository, "hash-object", "-t", "commit", "-w", "--stdin", stdin=f"{stream}{title}\n".encode())
    git(repository, "update-ref", f"refs/heads/{branch}", commit)
    return commit


# --------------------------------------------------------------------------------------------------------- commits


@pytest.mark.parametrize("table", [COMMIT, BRANCH_COMMIT])
def test_a_commit_that_was_pushed_late_is_found(
    clean_red: RedServer, server: GitLabServer, repository: Path, table: str
) -> None:
    create(clean_red, server, table)
    assert load(clean_red, server, table).inserted == 3
    assert load(clean_red, server, table).inserted == 0
    commit_file(repository, "Made a month ago", MONDAY - 30 * DAY)
    pushed(server, MONDAY + DAY)
    load(clean_red, server, table)
    assert titles(clean_red, table) == ["Made a month ago"]
    assert load(clean_red, server, table).inserted == 0


def test_the_commits_of_a_branch_that_is_merged_late_are_found(
    clean_red: RedServer, server: GitLabServer, repository: Path
) -> None:
    reset(repository, "feature", "main")
    commit_file(repository, "On the feature", MONDAY - 30 * DAY, "feature")
    create(clean_red, server, COMMIT)
    load(clean_red, server, COMMIT)
    assert titles(clean_red) == ["Commit 1", "Commit 2", "Commit 3"]
    reset(repository, "main", "feature")
    pushed(server, MONDAY + DAY)
    load(clean_red, server, COMMIT)
    assert titles(clean_red) == ["On the feature"]


@pytest.mark.parametrize("gone", ["kept", "404", "empty list"])
def test_the_commits_of_a_forced_push_are_found(
    clean_red: RedServer, server: GitLabServer, repository: Path, gone: str
) -> None:
    create(clean_red, server, COMMIT)
    load(clean_red, server, COMMIT)
    reset(repository, "main", "main~1")
    commit_file(repository, "Instead of the third", MONDAY - DAY)
    if gone != "kept":
        collect_garbage(repository)
    server.answers_gone_commits = gone == "empty list"
    pushed(server, MONDAY + DAY)
    load(clean_red, server, COMMIT)
    expected = ["Instead of the third"] if gone == "kept" else ["Commit 1", "Commit 2", "Instead of the third"]
    assert titles(clean_red) == expected


def test_a_branch_that_is_set_back_brings_nothing_wrong(
    clean_red: RedServer, server: GitLabServer, repository: Path
) -> None:
    create(clean_red, server, COMMIT)
    load(clean_red, server, COMMIT)
    reset(repository, "main", "main~1")
    pushed(server, MONDAY + DAY)
    load(clean_red, server, COMMIT)
    assert titles(clean_red) == ["Commit 1", "Commit 2"]
    assert load(clean_red, server, COMMIT).inserted == 0


def test_a_new_branch_brings_its_own_commits(clean_red: RedServer, server: GitLabServer, repository: Path) -> None:
    for table in (COMMIT, BRANCH_COMMIT):
        create(clean_red, server, table)
        load(clean_red, server, table, all_branches=True)
    reset(repository, "feature", "main~1")
    commit_file(repository, "On the feature", MONDAY - DAY, "feature")
    pushed(server, MONDAY + DAY)
    load(clean_red, server, COMMIT, all_branches=True)
    assert titles(clean_red) == ["On the feature"]
    load(clean_red, server, BRANCH_COMMIT)
    assert titles(clean_red, BRANCH_COMMIT) == ["Commit 1", "Commit 2", "On the feature"]
    assert set(column(clean_red, BRANCH_COMMIT, "branch_name")) == {"feature"}


def test_a_commit_of_several_branches_comes_once(clean_red: RedServer, server: GitLabServer, repository: Path) -> None:
    create(clean_red, server, COMMIT)
    reset(repository, "left", "main")
    commit_file(repository, "Shared", MONDAY - DAY, "left")
    reset(repository, "right", "left")
    commit_file(repository, "Left", MONDAY - DAY, "left")
    commit_file(repository, "Right", MONDAY - DAY, "right")
    load(clean_red, server, COMMIT, all_branches=True)
    assert titles(clean_red) == ["Commit 1", "Commit 2", "Commit 3", "Left", "Right", "Shared"]
    for branch in ("left", "main", "right"):
        reset(repository, branch, commit_file(repository, f"Later {branch}", MONDAY - DAY, branch))
    reset(repository, "main", "left")
    pushed(server, MONDAY + DAY)
    load(clean_red, server, COMMIT, all_branches=True)
    assert titles(clean_red) == ["Later left", "Later right", "Left", "Shared"]


def test_only_the_default_branch_is_loaded_unless_asked(
    clean_red: RedServer, server: GitLabServer, repository: Path
) -> None:
    reset(repository, "feature", "main")
    commit_file(repository, "On the feature", MONDAY - DAY, "feature")
    create(clean_red, server, COMMIT)
    for day in range(2):
        server.now = MONDAY + day * DAY
        load(clean_red, server, COMMIT)
        assert "On the feature" not in titles(clean_red)
    # Nothing was pushed since, and yet there is more to load.
    load(clean_red, server, COMMIT, all_branches=True)
    assert titles(clean_red) == ["Commit 1", "Commit 2", "Commit 3", "On the feature"]
    assert load(clean_red, server, COMMIT, all_branches=True).inserted == 0
    assert load(clean_red, server, COMMIT).inserted == 0


def test_a_project_without_activity_is_not_asked(clean_red: RedServer, server: GitLabServer) -> None:
    for table in (COMMIT, BRANCH_COMMIT, TAG, BRANCH):
        create(clean_red, server, table)
        load(clean_red, server, table)
        server.requests.clear()
        assert load(clean_red, server, table).inserted == 0
        assert [request.path for request in server.requests] == ["/projects"]


@pytest.mark.parametrize("minutes", [1, 29])
def test_an_activity_that_gitlab_does_not_note_is_found(
    clean_red: RedServer, server: GitLabServer, repository: Path, minutes: int
) -> None:
    # GitLab notes none within an hour after another.
    server.project(1).touch(MONDAY - 30 * MINUTE)
    create(clean_red, server, COMMIT)
    load(clean_red, server, COMMIT)
    commit_file(repository, "Soon after", MONDAY)
    pushed(server, MONDAY + minutes * MINUTE)
    assert server.project(1).last_activity_at == MONDAY - 30 * MINUTE
    load(clean_red, server, COMMIT)
    assert titles(clean_red) == ["Soon after"]


def test_a_lookback_finds_commits_by_their_date(clean_red: RedServer, server: GitLabServer, repository: Path) -> None:
    create(clean_red, server, COMMIT)
    load(clean_red, server, COMMIT, lookback_days=7)
    commit_file(repository, "Too long ago", MONDAY - 8 * DAY)
    commit_file(repository, "Some days ago", MONDAY - 3 * DAY)
    pushed(server, MONDAY + HOUR)
    load(clean_red, server, COMMIT, lookback_days=7)
    assert titles(clean_red) == ["Some days ago"]
    load(clean_red, server, COMMIT)
    assert titles(clean_red) == ["Commit 1", "Commit 2", "Commit 3", "Some days ago", "Too long ago"]


@pytest.mark.parametrize("table", [COMMIT, BRANCH_COMMIT])
def test_a_quiet_project_is_read_after_loads_that_noted_no_branch(
    clean_red: RedServer, server: GitLabServer, repository: Path, table: str
) -> None:
    create(clean_red, server, table)
    load(clean_red, server, table, lookback_days=0)
    commit_file(repository, "Made a month ago", MONDAY - 30 * DAY)
    pushed(server, MONDAY + HOUR)
    for day in (1, 2):
        server.now = MONDAY + day * DAY
        assert load(clean_red, server, table, lookback_days=0).inserted == 0
    load(clean_red, server, table)
    assert "Made a month ago" in titles(clean_red, table)


# -------------------------------------------------------------------------------------- what becomes visible later


def fill(server: GitLabServer, number: int, repository: Path, at: datetime) -> None:
    """Give a project one of each."""
    project = server.project(number)
    project.issues.add(at)
    project.pipelines.add(at)
    project.merge_requests.add(at, commit_ids=[git(repository, "rev-parse", "main")])
    git(repository, "tag", "v1", "main")
    project.push(at)


@pytest.mark.parametrize("table", [f"load_gitlab_{table.kind}" for table in TABLES])
def test_a_project_that_becomes_visible_is_loaded_whole(
    clean_red: RedServer, server: GitLabServer, tmp_path: Path, table: str
) -> None:
    hidden = server.add_project(make_repository(tmp_path / "hidden"), created_at=MONDAY - 50 * DAY)
    for number, path in ((1, "lamp"), (2, "hidden")):
        fill(server, number, tmp_path / path, MONDAY - 40 * DAY)
    hidden.is_member = False
    create(clean_red, server, table)
    load(clean_red, server, table)
    of_one = column(clean_red, table, "project_id" if table != PROJECT else "id")
    assert {*of_one} == {1}
    hidden.is_member = True
    server.now = MONDAY + DAY
    load(clean_red, server, table)
    assert column(clean_red, table, "project_id" if table != PROJECT else "id") == [2] * len(of_one)
    assert load(clean_red, server, table).inserted == 0


def test_a_project_that_could_not_be_read_is_loaded_whole_later(
    clean_red: RedServer, server: GitLabServer, tmp_path: Path
) -> None:
    server.add_project(make_repository(tmp_path / "second"))
    create(clean_red, server, COMMIT)
    server.fail_next(FORBIDDEN, path="/projects/2/")
    load(clean_red, server, COMMIT, allow_skipped=True)
    assert {*column(clean_red, COMMIT, "project_id")} == {1}
    server.now = MONDAY + DAY
    load(clean_red, server, COMMIT)
    assert column(clean_red, COMMIT, "project_id") == [2, 2, 2]


def test_a_project_that_can_never_be_read_does_not_fail_a_quiet_night(
    clean_red: RedServer, server: GitLabServer, tmp_path: Path
) -> None:
    server.add_project(make_repository(tmp_path / "second"))
    server.fail_next(FORBIDDEN, path="/projects/2/", times=100)
    create(clean_red, server, COMMIT)
    for day, rows in enumerate([3, 0, 0]):
        server.now = MONDAY + day * DAY
        assert load(clean_red, server, COMMIT, allow_skipped=True).inserted == rows


def test_a_feature_that_is_switched_on_later_is_loaded_whole(clean_red: RedServer, server: GitLabServer) -> None:
    server.project(1).issues.add(MONDAY - 40 * DAY)
    server.project(1).access_levels["issues"] = "disabled"
    create(clean_red, server, ISSUE)
    assert load(clean_red, server, ISSUE).inserted == 0
    server.project(1).access_levels["issues"] = "enabled"
    server.now = MONDAY + DAY
    assert load(clean_red, server, ISSUE).inserted == 1


@pytest.mark.parametrize("status", ["scheduled", "started"])
def test_a_project_that_is_being_imported_is_loaded_whole_afterwards(
    clean_red: RedServer, server: GitLabServer, status: str
) -> None:
    project = server.project(1)
    project.fields["import_status"] = status
    create(clean_red, server, ISSUE)
    load(clean_red, server, ISSUE)
    added = [project.issues.add(MONDAY - 400 * DAY) for _ in range(3)]
    project.fields["import_status"] = "finished"
    server.now = MONDAY + DAY
    load(clean_red, server, ISSUE)
    assert column(clean_red, ISSUE, "id") == added
    assert load(clean_red, server, ISSUE).inserted == 0


@pytest.mark.parametrize("table", [ISSUE, COMMIT, PROJECT])
def test_another_server_is_loaded_in_full(
    clean_red: RedServer, server: GitLabServer, tmp_path: Path, table: str
) -> None:
    server.project(1).issues.add(MONDAY - DAY)
    create(clean_red, server, table)
    load(clean_red, server, table)
    with GitLabServer(make_repository(tmp_path / "other")) as other:
        other.now = MONDAY + DAY
        other.project(1).issues.add(MONDAY - 40 * DAY)
        assert load(clean_red, other, table).inserted == (3 if table == COMMIT else 1)
        assert load(clean_red, other, table).inserted == 0


def test_two_marks_of_one_table_have_files_of_their_own(clean_red: RedServer, server: GitLabServer) -> None:
    create(clean_red, server, COMMIT)
    for number, mark in enumerate(["one", "two", "one", "two"]):
        inserted = load(clean_red, server, COMMIT, high_water_mark=mark).inserted
        assert inserted == (3 if number < 2 else 0)
    assert [len(files(clean_red, COMMIT, mark)) for mark in ("one", "two")] == [1, 1]


def test_a_load_that_is_killed_once_its_mark_has_moved_is_known(
    clean_red: RedServer, server: GitLabServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Killed(BaseException):
        pass

    def kill(*arguments: object) -> None:
        raise Killed

    create(clean_red, server, COMMIT)
    with monkeypatch.context() as patched:
        patched.setattr(KnownProjectsFile, "forget_others", kill)
        with pytest.raises(Killed):
            load(clean_red, server, COMMIT)
    assert load(clean_red, server, COMMIT).inserted == 0
    assert warnings_of(caplog) == []


def files(red: RedServer, table: str, mark: str = "") -> list[Path]:
    folder = red.workdir / "gitlab" / (mark or f"HWM_{table}")
    return sorted(folder.iterdir()) if folder.exists() else []


def test_one_file_is_kept_for_a_mark(clean_red: RedServer, server: GitLabServer, repository: Path) -> None:
    create(clean_red, server, COMMIT)
    load(clean_red, server, COMMIT)
    (first,) = files(clean_red, COMMIT)
    assert git(repository, "rev-parse", "main") in first.read_text(encoding="utf-8")
    server.now = MONDAY + DAY
    load(clean_red, server, COMMIT)
    (second,) = files(clean_red, COMMIT)
    assert first.name < second.name


def test_a_file_that_is_lost_is_a_warning_and_the_commits_are_read_whole(
    clean_red: RedServer, server: GitLabServer, repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    create(clean_red, server, COMMIT)
    load(clean_red, server, COMMIT)
    assert warnings_of(caplog) == []
    files(clean_red, COMMIT)[0].unlink()
    commit_file(repository, "Made a month ago", MONDAY - 30 * DAY)
    pushed(server, MONDAY + DAY)
    load(clean_red, server, COMMIT)
    assert titles(clean_red) == ["Commit 1", "Commit 2", "Commit 3", "Made a month ago"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Load with full=True" in record.message
    caplog.clear()
    assert load(clean_red, server, COMMIT).inserted == 0
    assert warnings_of(caplog) == []


@pytest.mark.parametrize(
    "damage",
    ["", "[]", "{}", '{"projects": []}', *(f'{{"projects": {kept}}}' for kept in WRONG_PROJECTS), "\x00"],
)
def test_a_file_that_is_damaged_counts_as_lost(
    clean_red: RedServer, server: GitLabServer, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    create(clean_red, server, ISSUE)
    load(clean_red, server, ISSUE)
    files(clean_red, ISSUE)[0].write_text(damage, encoding="utf-8")
    load(clean_red, server, ISSUE)
    assert "is not to be found" in caplog.text


@pytest.mark.parametrize("table", [TAG, BRANCH, PROJECT])
def test_without_the_file_what_is_small_is_loaded_in_full(
    clean_red: RedServer, server: GitLabServer, repository: Path, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    git(repository, "tag", "v1")
    create(clean_red, server, table)
    load(clean_red, server, table)
    files(clean_red, table)[0].unlink()
    assert load(clean_red, server, table).inserted == 1
    assert warnings_of(caplog) == []


def test_without_a_work_folder_nothing_is_kept(
    clean_red: RedServer, server: GitLabServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.project(1).issues.add(MONDAY - DAY)
    create(clean_red, server, ISSUE)
    assert load(clean_red, server, ISSUE, variables={"WSL_WORKDIR": ""}).inserted == 1
    server.project(1).issues.add(MONDAY - MINUTE)
    assert load(clean_red, server, ISSUE, variables={"WSL_WORKDIR": ""}).inserted == 1
    assert "is not to be found in WSL_WORKDIR" in caplog.text


def test_a_file_that_cannot_be_written_is_a_warning(
    clean_red: RedServer, server: GitLabServer, caplog: pytest.LogCaptureFixture
) -> None:
    create(clean_red, server, ISSUE)
    (clean_red.workdir / "gitlab").write_text("in the way", encoding="utf-8")
    assert load(clean_red, server, ISSUE).mark is not None
    assert "cannot be kept" in caplog.text


# ----------------------------------------------------------------------------------- issues, merge requests, pipelines


@pytest.mark.parametrize("kind", TRACKED)
def test_what_has_changed_since_the_mark_is_loaded(clean_red: RedServer, server: GitLabServer, kind: str) -> None:
    table, items = TRACKED[kind], getattr(server.project(1), kind)
    old, _ = items.add(MONDAY - 2 * DAY), items.add(MONDAY - DAY)
    create(clean_red, server, table)
    assert load(clean_red, server, table).inserted == 2
    server.now = MONDAY + DAY
    new = items.add(MONDAY + HOUR)
    items.update(old, MONDAY + 2 * HOUR)
    load(clean_red, server, table)
    assert column(clean_red, table, "id") == sorted([old, new])


@pytest.mark.parametrize("ahead", [HOUR, 300 * DAY])
def test_a_server_whose_clock_is_ahead_loses_nothing(
    clean_red: RedServer, server: GitLabServer, ahead: timedelta
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    create(clean_red, server, ISSUE)
    server.now = now + ahead
    load(clean_red, server, ISSUE)
    assert datetime.fromisoformat(clean_red.read_parameter(f"HWM_{ISSUE}") or "") <= datetime.now(UTC)
    late = server.project(1).issues.add(now + MINUTE)
    load(clean_red, server, ISSUE)
    assert column(clean_red, ISSUE, "id") == [late]


def test_a_mark_in_the_future_is_a_warning_and_a_full_load(
    clean_red: RedServer, server: GitLabServer, caplog: pytest.LogCaptureFixture
) -> None:
    issue = server.project(1).issues.add(MONDAY - DAY)
    create(clean_red, server, ISSUE)
    clean_red.write_parameter(f"HWM_{ISSUE}", (datetime.now(UTC) + 300 * DAY).isoformat())
    load(clean_red, server, ISSUE)
    assert column(clean_red, ISSUE, "id") == [issue]
    assert "lies in the future" in caplog.text
    assert (clean_red.read_parameter(f"HWM_{ISSUE}") or "").startswith("2026-01-05T11:59:59")


@pytest.mark.parametrize("days", [-1, float("nan"), float("inf"), 1e9])
def test_a_lookback_that_is_none_is_refused(clean_red: RedServer, server: GitLabServer, days: float) -> None:
    create(clean_red, server, ISSUE)
    with pytest.raises(DeclarationError, match="lookback_days is"):
        load(clean_red, server, ISSUE, lookback_days=days)


@pytest.mark.parametrize("kind", TRACKED)
def test_what_was_changed_shortly_before_the_mark_comes_again(
    clean_red: RedServer, server: GitLabServer, kind: str
) -> None:
    table, items = TRACKED[kind], getattr(server.project(1), kind)
    create(clean_red, server, table)
    load(clean_red, server, table)
    # Its transaction ended after the load had read what it was to be part of.
    late = items.add(MONDAY - 4 * MINUTE)
    server.now = MONDAY + DAY
    load(clean_red, server, table)
    assert column(clean_red, table, "id") == [late]


def test_a_changed_merge_request_brings_its_commits(
    clean_red: RedServer, server: GitLabServer, repository: Path
) -> None:
    table, requests = "load_gitlab_merge_request_commit", server.project(1).merge_requests
    first, second, third = git(repository, "rev-list", "main").split()
    one, _ = requests.add(MONDAY - DAY, commit_ids=[third]), requests.add(MONDAY - DAY, commit_ids=[third])
    create(clean_red, server, table)
    assert load(clean_red, server, table).inserted == 2
    server.now = MONDAY + DAY
    requests.update(one, MONDAY + HOUR, commit_ids=[first, second])
    load(clean_red, server, table)
    assert column(clean_red, table, "id") == sorted([first, second])
    assert column(clean_red, table, "merge_request_id") == [one, one]


@pytest.mark.parametrize("scope", [{}, {"groups": "sandbox"}, {"everything_visible": True}], ids=str)
def test_projects_that_have_changed_are_loaded(
    clean_red: RedServer, server: GitLabServer, scope: dict[str, Any]
) -> None:
    server.add_project(name="second", created_at=MONDAY - DAY)
    create(clean_red, server, PROJECT)
    assert load(clean_red, server, PROJECT, **scope).inserted == 2
    server.now = MONDAY + DAY
    server.add_project(name="third", created_at=MONDAY + HOUR)
    server.project(1).update(MONDAY + HOUR, description="new")
    load(clean_red, server, PROJECT, **scope)
    assert column(clean_red, PROJECT, "id") == [1, 3]
    assert load(clean_red, server, PROJECT, **scope).inserted == 0
    load(clean_red, server, PROJECT, full=True)
    assert column(clean_red, PROJECT, "id") == [1, 2, 3]


def test_a_project_whose_group_is_renamed_is_loaded(clean_red: RedServer, server: GitLabServer) -> None:
    project = server.add_project(name="website", group="sales", created_at=MONDAY - DAY)
    create(clean_red, server, PROJECT)
    load(clean_red, server, PROJECT)
    server.now = MONDAY + DAY
    project.group = dataclasses.replace(project.group, path="revenue")
    assert project.updated_at < MONDAY
    load(clean_red, server, PROJECT)
    assert column(clean_red, PROJECT, "path_with_namespace") == ["revenue/website"]


@pytest.mark.parametrize("table", [TAG, BRANCH])
def test_the_tags_and_branches_of_an_active_project_are_loaded_in_full(
    clean_red: RedServer, server: GitLabServer, repository: Path, table: str
) -> None:
    git(repository, "tag", "v1")
    create(clean_red, server, table)
    assert load(clean_red, server, table).inserted == 1
    git(repository, "tag", "v2")
    reset(repository, "feature", "main")
    pushed(server, MONDAY + DAY)
    assert load(clean_red, server, table).inserted == 2


def test_a_full_load_brings_everything_and_moves_the_mark(clean_red: RedServer, server: GitLabServer) -> None:
    create(clean_red, server, COMMIT)
    first = load(clean_red, server, COMMIT).mark
    server.now = MONDAY + DAY
    second = load(clean_red, server, COMMIT, full=True)
    assert second.inserted == 3
    assert first and second.mark and second.mark - first == DAY


# ---------------------------------------------------------------------------------------------------- what exists


@pytest.mark.parametrize("kind", [table.kind for table in TABLES])
def test_the_keys_of_all_that_exists_are_loaded_and_no_mark_moves(
    clean_red: RedServer, server: GitLabServer, repository: Path, kind: str
) -> None:
    table = f"load_gitlab_{kind}_keys"
    fill(server, 1, repository, MONDAY - 40 * DAY)
    create(clean_red, server, table, keys_only=True)
    (declared,) = [declared for declared in TABLES if declared.kind == kind]
    columns = clean_red.query_repository("SELECT lc_col_name FROM red.ws_load_col ORDER BY lc_order")
    assert {row[0] for row in columns} == {*declared.key, "dss_record_source", "dss_load_date"}
    for _ in range(2):
        assert load(clean_red, server, table, keys_only=True).inserted == (
            3 if kind in ("commit", "branch_commit") else 1
        )
    assert clean_red.query_repository("SELECT 1 FROM red.dss_parameter WHERE dss_parameter_name LIKE 'HWM%'") == []
    assert files(clean_red, table) == []


@pytest.mark.parametrize("kind", TRACKED)
def test_what_changes_while_the_keys_are_read_is_among_them(
    clean_red: RedServer, server: GitLabServer, kind: str
) -> None:
    table, items = f"{TRACKED[kind]}_keys", getattr(server.project(1), kind)
    added = [items.add(MONDAY - DAY + number * MINUTE) for number in range(150)]
    create(clean_red, server, table, keys_only=True)
    server.after_answer(lambda: items.update(added[-1], MONDAY + HOUR), path=kind)
    load(clean_red, server, table, keys_only=True)
    assert column(clean_red, table, "id") == added


@pytest.mark.parametrize("table", [ISSUE, COMMIT, PROJECT])
def test_keys_of_which_a_part_cannot_be_read_are_not_loaded(
    clean_red: RedServer, server: GitLabServer, table: str
) -> None:
    server.add_project(name="second", created_at=MONDAY - DAY)
    server.project(1).issues.add(MONDAY)
    server.project(2).issues.add(MONDAY)
    create(clean_red, server, table, keys_only=True)
    server.fail_next(NOT_FOUND, path="/projects/2")
    with pytest.raises(SourceIncomplete, match="could not be read"):
        load(clean_red, server, table, keys_only=True, projects=[1, 2])
    assert column(clean_red, table, "id") == []


# ----------------------------------------------------------------------------------------------------------- marks


def test_each_load_table_has_a_mark_of_its_own(clean_red: RedServer, server: GitLabServer) -> None:
    for number, table in enumerate([COMMIT, ISSUE]):
        server.now = MONDAY + number * DAY
        create(clean_red, server, table)
        load(clean_red, server, table)
    first, second = (clean_red.read_parameter(f"HWM_{table}") for table in (COMMIT, ISSUE))
    assert first and second and first < second


@pytest.mark.parametrize("table", [COMMIT, ISSUE])
def test_what_could_not_be_read_is_read_by_the_next_load(
    clean_red: RedServer, server: GitLabServer, tmp_path: Path, table: str
) -> None:
    server.add_project(make_repository(tmp_path / "second"))
    for number in (1, 2):
        server.project(number).issues.add(MONDAY - DAY)
    create(clean_red, server, table)
    mark = load(clean_red, server, table).mark
    server.now = MONDAY + DAY
    for number, path in ((1, "lamp"), (2, "second")):
        commit_file(tmp_path / path, "New", MONDAY)
        server.project(number).push(MONDAY + HOUR)
        server.project(number).issues.add(MONDAY + HOUR)
    server.fail_next(NOT_FOUND, path="/projects/2/")
    held = load(clean_red, server, table)
    assert (held.inserted, held.mark) == (1, mark)
    assert load(clean_red, server, table).inserted == 2


def test_an_error_on_the_way_leaves_mark_and_file(
    clean_red: RedServer, server: GitLabServer, repository: Path
) -> None:
    create(clean_red, server, COMMIT)
    load(clean_red, server, COMMIT)
    before = clean_red.read_parameter(f"HWM_{COMMIT}"), files(clean_red, COMMIT)
    commit_file(repository, "New", MONDAY)
    pushed(server, MONDAY + DAY)
    server.fail_next(FORBIDDEN, path="commits")
    with pytest.raises(ApiRefused):
        load(clean_red, server, COMMIT)
    assert (clean_red.read_parameter(f"HWM_{COMMIT}"), files(clean_red, COMMIT)) == before
    load(clean_red, server, COMMIT)
    assert titles(clean_red) == ["New"]


def test_a_staged_mark_keeps_what_belongs_to_it_and_to_the_one_in_force(
    clean_red: RedServer, server: GitLabServer, repository: Path
) -> None:
    create(clean_red, server, COMMIT)
    load(clean_red, server, COMMIT)
    for day in (1, 2):
        commit_file(repository, f"Day {day}", MONDAY - 30 * DAY)
        pushed(server, MONDAY + day * DAY)
        load(clean_red, server, COMMIT, staged_mark=True)
        assert len(files(clean_red, COMMIT)) == 2
    assert titles(clean_red) == ["Day 1", "Day 2"]
    clean_red.write_parameter(f"HWM_{COMMIT}", clean_red.read_parameter(f"HWM_{COMMIT}_next") or "")
    commit_file(repository, "Day 3", MONDAY - 30 * DAY)
    pushed(server, MONDAY + 3 * DAY)
    load(clean_red, server, COMMIT)
    assert titles(clean_red) == ["Day 3"]
    assert len(files(clean_red, COMMIT)) == 1


def test_a_range_of_several_pages_is_read_to_its_end(
    clean_red: RedServer, server: GitLabServer, repository: Path
) -> None:
    create(clean_red, server, COMMIT)
    load(clean_red, server, COMMIT)
    add_commits(repository, 250)
    pushed(server, MONDAY + DAY)
    assert load(clean_red, server, COMMIT).inserted == 250
