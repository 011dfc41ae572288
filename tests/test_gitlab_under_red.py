"""The GitLab host scripts as RED runs them: against real databases, a real git repository and a GitLab on loopback."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import gitlab_loading
from tests.gitlab_repository import add_commits, git, make_repository, make_varied_repository
from wherescape.connectors.gitlab.gitlab_tables import COMMITS, TABLES
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.gitlab_tracker import make_milestone, make_user
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import TaskResult
from wherescape.tables import Table, find_table, with_legacy_names
from wherescape.testing.api_server import Answer

HOST_SCRIPTS = Path(__file__).parents[1] / "host_scripts"
COMMIT_TABLE = "load_gitlab_commit"
ISSUE_TABLE = "load_gitlab_issue"
COMMIT_MARK = f"HWM_{COMMIT_TABLE}"
ROWS = {
    "load_gitlab_project": 1,
    ISSUE_TABLE: 2,
    "load_gitlab_merge_request": 1,
    "load_gitlab_merge_request_commit": 2,
    "load_gitlab_pipeline": 2,
    COMMIT_TABLE: 4,
    # On main, on the branch that is merged into it, and on the one that is not.
    "load_gitlab_branch_commit": 4 + 2 + 2,
    "load_gitlab_branch": 3,
    "load_gitlab_tag": 2,
}
MARK = "2026-01-05T10:05:00+00:00"
# The read begins with the request, in the second before the answer.
AFTER_THE_MARK = datetime(2026, 1, 5, 10, 5, 1, tzinfo=UTC)
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitLabServer]:
    repository = make_varied_repository(tmp_path / "varied")
    with GitLabServer(repository) as server:
        server.now = AFTER_THE_MARK
        project = server.project(1)
        project.issues.add(EARLIER, id=2**33, milestone=make_milestone(7, EARLIER, group_id=3), labels=["a, b", "c"])
        project.issues.add(EARLIER, moved_to_id=2**33, due_date="2026-02-28", assignees=[make_user(2)])
        project.merge_requests.add(EARLIER, commit_ids=git(repository, "rev-list", "main").split()[:2])
        project.pipelines.add(EARLIER, status="success")
        project.pipelines.add(EARLIER, id=2**40)
        yield server


def run(
    red: RedServer, server: GitLabServer, script: str, table: str, *, token: str | None = None, arguments: str = ""
) -> TaskResult:
    path = HOST_SCRIPTS / script
    if arguments:
        path = red.workdir / script
        path.write_text((HOST_SCRIPTS / script).read_text().replace("()", f"({arguments})"))
    apikey = server.token if token is None else token
    return red.run_host_script(path, table, source_config={"url": server.url, "apikey": apikey})


def create(red: RedServer, server: GitLabServer, table: str) -> None:
    gitlab_loading.create(red, server, table)


def load(
    red: RedServer, server: GitLabServer, table: str, *, token: str | None = None, arguments: str = ""
) -> TaskResult:
    return run(red, server, "gitlab_load_data.py", table, token=token, arguments=arguments)


def count(red: RedServer, table: str) -> int:
    return int(red.query_warehouse(f"SELECT count(*) FROM load.{table}")[0][0])


def titles(red: RedServer) -> list[str]:
    return [row.title for row in red.query_warehouse(f"SELECT title FROM load.{COMMIT_TABLE} ORDER BY committed_date")]


@pytest.mark.parametrize("table", ROWS)
def test_a_table_is_registered_created_loaded_and_loaded_again(
    clean_red: RedServer, server: GitLabServer, table: str
) -> None:
    clean_red.register_load_table(table)
    metadata = run(clean_red, server, "gitlab_create_metadata.py", table)
    assert metadata.status == 1, metadata
    clean_red.create_table(table)

    first = load(clean_red, server, table)
    rows = "1 row" if ROWS[table] == 1 else f"{ROWS[table]} rows"
    assert (first.status, first.message.partition(",")[0]) == (1, rows), first
    assert first.message.endswith(" s, mark none -> 2026-01-05T10:05Z")
    assert (first.inserted, count(clean_red, table)) == (ROWS[table], ROWS[table])
    (source,) = clean_red.query_warehouse(f"SELECT DISTINCT dss_record_source FROM load.{table}")
    assert source[0] == find_table(table, TABLES, "GitLab").record_source
    assert clean_red.read_parameter(f"HWM_{table}") == MARK

    server.now = AFTER_THE_MARK + timedelta(days=1)
    second = load(clean_red, server, table)
    assert (second.status, second.inserted, count(clean_red, table)) == (1, 0, 0), second
    assert clean_red.read_parameter(f"HWM_{table}") == "2026-01-06T10:05:00+00:00"


FAULTS = [
    (Answer(401, '{"message": "401 Unauthorized"}'), "answered 401 Unauthorized. Check GitLab's access token"),
    (Answer(404, "{}"), "404"),
    (Answer(200, "<html>Sign in</html>", {"Content-Type": "text/html"}), "not JSON"),
    (Answer(429, "Retry later", {"Retry-After": "86400"}), "Run it again at"),
]


@pytest.mark.parametrize(
    ("table", "fault", "message"),
    [(table, *FAULTS[number % len(FAULTS)]) for number, table in enumerate(ROWS)]
    + [(COMMIT_TABLE, *fault) for fault in FAULTS],
)
def test_a_load_that_fails_says_so_and_leaves_table_and_mark(
    clean_red: RedServer, server: GitLabServer, table: str, fault: Answer, message: str
) -> None:
    clean_red.write_parameter(f"HWM_{table}", "2020-01-01T00:00:00+00:00")
    create(clean_red, server, table)
    server.fail_next(fault, path="projects", after=0 if table == "load_gitlab_project" else 1, times=100)

    result = load(clean_red, server, table)

    assert result.status == -2, result
    assert message in "\n".join([result.message, *result.audit, *result.detail])
    assert server.token not in "\n".join([result.message, *result.audit, *result.detail])
    assert count(clean_red, table) == 0
    assert clean_red.read_parameter(f"HWM_{table}") == "2020-01-01T00:00:00+00:00"


def test_an_issue_arrives_as_it_is(clean_red: RedServer, server: GitLabServer) -> None:
    create(clean_red, server, ISSUE_TABLE)
    load(clean_red, server, ISSUE_TABLE)
    second, first = clean_red.query_warehouse(f"SELECT * FROM load.{ISSUE_TABLE} ORDER BY id")
    assert (first.id, first.milestone_title, first.milestone_group_id) == (2**33, "Milestone 7", 3)
    assert first.milestone_due_date == datetime(2026, 2, 28)
    assert first.created_at == first.updated_at == datetime(2026, 1, 1)
    assert json.loads(first.labels) == ["a, b", "c"]
    assert (second.moved_to_id, second.due_date) == (str(2**33), datetime(2026, 2, 28))
    assert json.loads(second.assignees) == [{"id": 2, "username": "user2", "name": "User 2"}]
    assert (second.epic_iid, second.weight, second.milestone_id) == (None, None, None)


def test_a_commit_arrives_as_it_is(clean_red: RedServer, server: GitLabServer) -> None:
    create(clean_red, server, COMMIT_TABLE)
    load(clean_red, server, COMMIT_TABLE)
    (row,) = clean_red.query_warehouse(f"SELECT * FROM load.{COMMIT_TABLE} WHERE title LIKE 'Gr%'")
    assert (row.project_id, row.title, row.message) == (1, "Größe 😀", "Größe 😀\n\nSecond line\n")
    assert row.committed_date == row.created_at == datetime(2020, 9, 13, 12, 27, 40)
    assert (len(row.id), row.short_id) == (40, row.id[:8])


def test_only_commits_since_the_mark_are_loaded(clean_red: RedServer, server: GitLabServer, tmp_path: Path) -> None:
    create(clean_red, server, COMMIT_TABLE)
    load(clean_red, server, COMMIT_TABLE)
    server.now = datetime(2026, 1, 6, 10, 5, 1, tzinfo=UTC)
    add_commits(tmp_path / "varied", 2, first=int(datetime(2026, 1, 6, 9, 0, tzinfo=UTC).timestamp()))

    result = load(clean_red, server, COMMIT_TABLE)

    assert (result.status, result.inserted) == (1, 2)
    assert titles(clean_red) == ["Commit 1", "Commit 2"]
    assert clean_red.read_parameter(COMMIT_MARK) == "2026-01-06T10:05:00+00:00"


@pytest.mark.parametrize("mark", ["", "yesterday", "2026-01-05 10:05:00"])
def test_a_mark_that_cannot_be_used_means_a_full_load(clean_red: RedServer, server: GitLabServer, mark: str) -> None:
    clean_red.write_parameter(COMMIT_MARK, mark)
    create(clean_red, server, COMMIT_TABLE)
    result = load(clean_red, server, COMMIT_TABLE)
    assert (result.status, result.inserted) == (1, 4)
    assert any("full load" in line for line in result.audit)
    assert clean_red.read_parameter(COMMIT_MARK) == MARK


@pytest.fixture
def two_projects(tmp_path: Path) -> Iterator[GitLabServer]:
    repositories = make_repository(tmp_path / "first"), make_repository(tmp_path / "second")
    with GitLabServer(*repositories) as server:
        server.now = AFTER_THE_MARK
        server.fail_next(Answer(403, '{"message": "403 Forbidden"}'), path="/projects/2/", times=100)
        yield server


def test_a_project_that_cannot_be_read_holds_the_mark_back(clean_red: RedServer, two_projects: GitLabServer) -> None:
    create(clean_red, two_projects, COMMIT_TABLE)
    result = load(clean_red, two_projects, COMMIT_TABLE)
    assert (result.status, result.inserted) == (-1, 3)
    assert result.message.startswith("3 rows, ")
    assert "mark none -> none" in result.message
    assert any("sandbox/second answered 403" in line for line in [*result.audit, *result.detail])
    assert clean_red.read_parameter(COMMIT_MARK) is None


def test_a_project_that_cannot_be_read_may_be_allowed(clean_red: RedServer, two_projects: GitLabServer) -> None:
    create(clean_red, two_projects, COMMIT_TABLE)
    result = load(clean_red, two_projects, COMMIT_TABLE, arguments="allow_skipped=True")
    assert (result.status, result.inserted) == (-1, 3)
    assert clean_red.read_parameter(COMMIT_MARK) == MARK


def test_a_server_that_refuses_every_project_is_an_error(clean_red: RedServer, two_projects: GitLabServer) -> None:
    two_projects.fail_next(Answer(403, "{}"), path="/projects/1/", times=100)
    create(clean_red, two_projects, "load_gitlab_branch")
    result = load(clean_red, two_projects, "load_gitlab_branch")
    assert result.status == -2
    assert "Not one of 2 answered with its branches" in result.message


def test_a_server_that_does_not_tell_its_time_moves_no_mark(clean_red: RedServer, server: GitLabServer) -> None:
    create(clean_red, server, COMMIT_TABLE)
    project = '[{"id": 1, "path_with_namespace": "sandbox/varied"}]'
    server.fail_next(Answer(200, project, {"Date": "unknown"}))
    result = load(clean_red, server, COMMIT_TABLE)
    assert (result.status, result.inserted) == (-1, 4)
    assert clean_red.read_parameter(COMMIT_MARK) is None


def test_the_token_may_be_in_a_parameter(clean_red: RedServer, server: GitLabServer) -> None:
    create(clean_red, server, COMMIT_TABLE)
    clean_red.write_parameter("gitlab_access_token", server.token)
    assert load(clean_red, server, COMMIT_TABLE, token="").inserted == 4


def test_no_token_at_all_names_both_places(clean_red: RedServer, server: GitLabServer) -> None:
    create(clean_red, server, COMMIT_TABLE)
    result = load(clean_red, server, COMMIT_TABLE, token="")
    assert result.status == -2
    assert "WSL_SRCCFG_APIKEY" in result.message
    assert "gitlab_access_token" in result.message


def test_a_load_table_of_no_known_kind_lists_the_known_ones(clean_red: RedServer, server: GitLabServer) -> None:
    clean_red.register_load_table("load_gitlab_wiki")
    for script in ("gitlab_create_metadata.py", "gitlab_load_data.py"):
        result = run(clean_red, server, script, "load_gitlab_wiki")
        assert result.status == -2
        assert "branch, branch_commit, commit, issue" in result.message


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_the_metadata_is_what_is_declared(clean_red: RedServer, server: GitLabServer, table: Table) -> None:
    create(clean_red, server, f"load_gitlab_{table.kind}")
    rows = clean_red.query_repository(
        "SELECT lc_col_name, lc_display_name, lc_src_strategy FROM red.ws_load_col ORDER BY lc_order"
    )
    expected = [(column.name, column.display_name, column.comment) for column in table.all_columns]
    assert [tuple(row) for row in rows] == expected


def test_a_table_with_numbered_columns_is_loaded(clean_red: RedServer, server: GitLabServer) -> None:
    columns = [column.name for column in with_legacy_names(COMMITS).all_columns]
    types = {"project_id_003": "numeric", "committed_date_005": "timestamp", "created_at_006": "timestamp"}
    types["dss_load_date"] = "timestamp"
    definitions = ", ".join(f"{name} {types.get(name, 'text')}" for name in columns)
    clean_red.register_load_table(COMMIT_TABLE)
    clean_red.query_warehouse(f"CREATE TABLE load.{COMMIT_TABLE} ({definitions})")
    result = load(clean_red, server, COMMIT_TABLE, arguments="is_legacy=True")
    assert (result.status, result.inserted) == (1, 4), result
    rows = clean_red.query_warehouse(f"SELECT title_004 FROM load.{COMMIT_TABLE} ORDER BY committed_date_005")
    assert rows[0][0] == "Start here"


def test_a_token_without_projects_holds_the_mark_back(clean_red: RedServer, server: GitLabServer) -> None:
    create(clean_red, server, COMMIT_TABLE)
    server.fail_next(Answer(200, "[]"), path="projects")
    result = load(clean_red, server, COMMIT_TABLE)
    assert result.status == -1
    assert any("There is no project" in line for line in [result.message, *result.audit, *result.detail])
    assert not clean_red.read_parameter(COMMIT_MARK)


def test_there_must_be_a_worker(clean_red: RedServer, server: GitLabServer) -> None:
    create(clean_red, server, COMMIT_TABLE)
    result = load(clean_red, server, COMMIT_TABLE, arguments="workers=0")
    assert (result.status, clean_red.read_parameter(COMMIT_MARK)) == (-2, None), result
    assert "at least one worker" in result.message


def test_fewer_branches_than_gitlab_counts_are_a_warning(clean_red: RedServer, server: GitLabServer) -> None:
    create(clean_red, server, "load_gitlab_branch")
    page = '[{"name": "main", "commit": null}]'
    server.fail_next(Answer(200, page, {"X-Next-Page": "", "X-Total": "2"}), path="branches")
    result = load(clean_red, server, "load_gitlab_branch")
    assert (result.status, result.inserted) == (-1, 1), result
    assert any(
        "1 of 2 rows came from projects/1/repository/branches" in line
        for line in [result.message, *result.audit, *result.detail]
    ), result


def test_a_second_table_of_commits_can_have_a_mark_of_its_own(clean_red: RedServer, server: GitLabServer) -> None:
    other = f"{COMMIT_TABLE}_again"
    create(clean_red, server, COMMIT_TABLE)
    create(clean_red, server, other)
    first = load(clean_red, server, COMMIT_TABLE)
    second = load(clean_red, server, other, arguments="high_water_mark='my_mark'")
    assert first.inserted == second.inserted > 0
    assert clean_red.read_parameter("my_mark") == clean_red.read_parameter(COMMIT_MARK)
