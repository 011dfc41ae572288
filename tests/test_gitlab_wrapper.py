import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
import requests

from tests.gitlab_repository import add_commits, git, make_empty_repository, make_repository, make_varied_repository
from tests.loading import warnings_of
from wherescape.api_response import Record
from wherescape.connectors.gitlab.gitlab_tables import BRANCHES, COMMITS, PROJECTS, TAGS
from wherescape.connectors.gitlab.gitlab_wrapper import Gitlab
from wherescape.errors import ApiAnswerInvalid, ApiRefused, ApiUnavailable, DeclarationError
from wherescape.extraction import Skipped
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.tables import Table
from wherescape.testing.api_server import Answer, Request


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitLabServer]:
    with GitLabServer(make_varied_repository(tmp_path / "varied")) as server:
        yield server


@pytest.fixture
def gitlab(server: GitLabServer) -> Iterator[Gitlab]:
    with Gitlab(server.token, server.url, max_retries=1) as gitlab:
        yield gitlab


@pytest.fixture
def two_projects(tmp_path: Path) -> Iterator[GitLabServer]:
    repositories = make_varied_repository(tmp_path / "first"), make_varied_repository(tmp_path / "second")
    with GitLabServer(*repositories) as server:
        yield server


@pytest.fixture
def project(gitlab: Gitlab) -> Record:
    return next(gitlab.projects())


def read_all(gitlab: Gitlab, resource: str) -> Iterator[Record]:
    """Read the branches, tags or commits of all projects."""
    return gitlab.of_projects(gitlab.projects(), getattr(gitlab, resource), resource)


def test_projects_are_those_of_the_tokens_owner_by_id(server: GitLabServer, gitlab: Gitlab) -> None:
    assert [project["path_with_namespace"] for project in gitlab.projects()] == ["sandbox/varied"]
    query = server.requests[0].query
    assert query["membership"] == "true"
    assert (query["pagination"], query["order_by"], query["sort"]) == ("keyset", "id", "asc")


def test_more_projects_than_a_page_holds_are_all_read(tmp_path: Path) -> None:
    repository = make_empty_repository(tmp_path / "same")
    with GitLabServer(*[repository] * 101) as server, Gitlab(server.token, server.url) as gitlab:
        assert [project["id"] for project in gitlab.projects()] == list(range(1, 102))
        assert len(server.requests) == 2


def test_what_a_guest_may_not_see_is_null(server: GitLabServer, gitlab: Gitlab) -> None:
    server.fail_next(Answer(200, '[{"id": 1, "path_with_namespace": "sandbox/varied"}]'), path="projects")
    (project,) = gitlab.projects()
    assert (project["default_branch"], project["readme_url"]) == (None, None)


def test_branches_carry_their_commit(gitlab: Gitlab, project: Record) -> None:
    feature, main, other = gitlab.branches(project)
    assert [branch["name"] for branch in (feature, main, other)] == ["feature/ümlaut", "main", "open"]
    assert (feature["project_id"], feature["merged"], feature["default"]) == (1, True, False)
    assert feature["commit_title"] == "Größe 😀"
    assert feature["commit_committed_date"] == "2020-09-13T17:57:40.000+05:30"


def test_tags_carry_commit_and_parents(gitlab: Gitlab, project: Record) -> None:
    light, annotated = gitlab.tags(project)
    commits = {commit["title"]: commit["id"] for commit in gitlab.commits(project)}
    assert annotated["commit_id"] == commits["Merge the feature"]
    assert annotated["commit_parent_ids_0"] == commits["caf\N{REPLACEMENT CHARACTER}"]
    assert annotated["commit_parent_ids_1"] == commits["Größe 😀"]
    assert (light["commit_parent_ids_0"], light["commit_parent_ids_1"]) == (None, None)
    assert (light["message"], light["release_tag_name"], light["release_description"]) == (None, None, None)


def test_a_tags_release_is_carried(server: GitLabServer, gitlab: Gitlab, project: Record) -> None:
    body = '[{"name": "v1", "commit": null, "release": {"tag_name": "v1", "description": "First"}}]'
    server.fail_next(Answer(200, body), path="tags")
    (tag,) = gitlab.tags(project)
    assert (tag["release_tag_name"], tag["release_description"]) == ("v1", "First")
    assert tag["commit_parent_ids_0"] is None
    assert {column.source for column in TAGS.columns} <= {*tag, "message", "target", "protected"}


def test_commits_are_those_of_the_default_branch(gitlab: Gitlab, project: Record) -> None:
    titles = [commit["title"] for commit in gitlab.commits(project)]
    assert titles == ["Merge the feature", "caf\N{REPLACEMENT CHARACTER}", "Größe 😀", "Start here"]


def test_every_declared_column_has_a_value_in_the_records(gitlab: Gitlab, project: Record) -> None:
    records: list[tuple[Table, Record]] = [
        (PROJECTS, project),
        (BRANCHES, next(gitlab.branches(project))),
        (TAGS, next(gitlab.tags(project))),
        (COMMITS, next(gitlab.commits(project))),
    ]
    for table, record in records:
        assert {column.source for column in table.columns} <= record.keys(), table.kind


@pytest.mark.parametrize(
    "since",
    [
        datetime(2020, 9, 13, 12, 28, 40, tzinfo=UTC),
        datetime.fromisoformat("2020-09-13T14:28:40+02:00"),
    ],
)
def test_commits_are_read_from_a_moment_on(gitlab: Gitlab, project: Record, since: datetime) -> None:
    titles = [commit["title"] for commit in gitlab.commits(project, since=since)]
    assert titles == ["Merge the feature", "caf\N{REPLACEMENT CHARACTER}"]


def test_commits_of_a_range_are_those_that_the_first_has_not(gitlab: Gitlab, project: Record) -> None:
    head = gitlab.default_head(project)
    merge, latin, *_ = gitlab.commits(project)
    assert head == merge["id"]
    assert [commit["title"] for commit in gitlab.commits(project, f"{latin['id']}..{head}")] == [
        "Merge the feature",
        "Größe 😀",
    ]


@pytest.mark.parametrize("count", [100, 101, 250])
def test_all_commits_of_all_pages_are_read_in_order(tmp_path: Path, count: int) -> None:
    repository = make_repository(tmp_path / "long", commits=count)
    with GitLabServer(repository) as server, Gitlab(server.token, server.url) as gitlab:
        (project,) = gitlab.projects()
        titles = [commit["title"] for commit in gitlab.commits(project)]
    assert titles == [f"Commit {number}" for number in range(count, 0, -1)]


def test_a_commit_that_arrives_during_the_read_repeats_no_other(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "busy", commits=250)
    with GitLabServer(repository) as server, Gitlab(server.token, server.url) as gitlab:
        (project,) = gitlab.projects()
        commits = gitlab.commits(project)
        titles = [commit["title"] for commit in islice(commits, 100)]
        add_commits(repository, 1, first=1_700_000_000)
        titles += [commit["title"] for commit in commits]
    assert titles == [f"Commit {number}" for number in range(250, 0, -1)]


@pytest.mark.parametrize("ending", ["", "/", "/api/v4", "/api/v4/"])
def test_the_address_may_have_the_path_of_the_api(server: GitLabServer, ending: str) -> None:
    with Gitlab(server.token, server.url + ending) as gitlab:
        assert len(list(gitlab.projects())) == 1


@pytest.mark.parametrize("base_url", ["gitlab.example.com", "ftp://gitlab.example.com", "https://", " "])
def test_an_address_that_is_none_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(DeclarationError, match="must be an address like https"):
        Gitlab("glpat-never-sent", base_url)


def test_an_empty_repository_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        GitLabServer(make_empty_repository(tmp_path / "empty")) as server,
        Gitlab(server.token, server.url) as gitlab,
    ):
        (project,) = gitlab.projects()
        assert [*gitlab.branches(project), *gitlab.tags(project), *gitlab.commits(project)] == []
        assert any("commits" in request.path for request in server.requests)
        assert [*read_all(gitlab, "branches"), *read_all(gitlab, "tags"), *read_all(gitlab, "commits")] == []
        assert gitlab.extraction.skipped == []
        assert warnings_of(caplog) == []


def test_a_repository_that_is_not_said_to_be_empty_is_refused(
    server: GitLabServer, gitlab: Gitlab, project: Record
) -> None:
    server.fail_next(Answer(404, '{"message": "404 Repository Not Found"}'), path="commits")
    del project["empty_repo"]
    project["default_branch"] = None
    with pytest.raises(ApiRefused) as raised:
        list(gitlab.commits(project))
    assert raised.value.status_code == 404


def test_a_project_without_repository_is_not_asked(server: GitLabServer, gitlab: Gitlab, project: Record) -> None:
    assert list(gitlab.commits({**project, "repository_access_level": "disabled"})) == []
    assert [request.path for request in server.requests] == ["/projects"]


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("resource", ["branches", "tags", "commits"])
def test_a_project_that_cannot_be_read_is_named(
    two_projects: GitLabServer, caplog: pytest.LogCaptureFixture, status: int, resource: str
) -> None:
    two_projects.fail_next(Answer(status, "{}"), path=f"/projects/1/repository/{resource}", times=10)
    with Gitlab(two_projects.token, two_projects.url) as gitlab:
        records = list(read_all(gitlab, resource))
        assert {record["project_id"] for record in records} == {2}
        assert gitlab.extraction.skipped == [Skipped("sandbox/first", f"{status} for its {resource}")]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"sandbox/first answered {status} for its {resource}" in record.message


def test_a_project_that_goes_away_half_way_is_named(tmp_path: Path) -> None:
    long, short = make_repository(tmp_path / "long", commits=250), make_repository(tmp_path / "short")
    with GitLabServer(long, short) as server, Gitlab(server.token, server.url) as gitlab:
        server.fail_next(Answer(404, '{"message": "404 Project Not Found"}'), path="/1/repository/commits", after=2)
        assert [commit["project_id"] for commit in read_all(gitlab, "commits")] == [1] * 100 + [2] * 3
        assert gitlab.extraction.skipped == [Skipped("sandbox/long", "404 for its commits")]


@pytest.mark.parametrize("workers", [1, 4])
def test_projects_come_in_order_whatever_the_number_of_workers(tmp_path: Path, workers: int) -> None:
    repositories = [make_repository(tmp_path / f"p{number}", commits=number) for number in range(1, 11)]
    with GitLabServer(*repositories) as server, Gitlab(server.token, server.url, workers=workers) as gitlab:
        read = [(commit["project_id"], commit["title"]) for commit in read_all(gitlab, "commits")]
    assert read == [(project, f"Commit {number}") for project in range(1, 11) for number in range(project, 0, -1)]


class MeetingServer(GitLabServer):
    """Answers for commits only when all four projects have been asked for."""

    def __init__(self, *repositories: Path) -> None:
        super().__init__(*repositories)
        self.all_there = threading.Barrier(4)

    def respond(self, request: Request) -> Answer:
        if request.path.endswith("commits"):
            self.all_there.wait(30)
        return super().respond(request)


def test_four_projects_are_read_at_once(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "one", commits=1)
    with MeetingServer(*[repository] * 4) as server, Gitlab(server.token, server.url) as gitlab:
        assert [commit["project_id"] for commit in read_all(gitlab, "commits")] == [1, 2, 3, 4]


def test_a_token_without_projects_is_told(
    server: GitLabServer, gitlab: Gitlab, caplog: pytest.LogCaptureFixture
) -> None:
    server.fail_next(Answer(200, "[]"), path="projects")
    assert list(read_all(gitlab, "commits")) == []
    assert gitlab.extraction.skipped == [Skipped("all projects", "there is none of the access token's owner")]
    assert "no project of the access token's owner" in caplog.text


@pytest.mark.parametrize(("resource", "total"), [("branches", 3), ("tags", 2), ("commits", None)])
def test_the_total_that_gitlab_tells_is_expected(
    server: GitLabServer, gitlab: Gitlab, resource: str, total: int | None
) -> None:
    server.has_branch_keyset = False
    assert len(list(read_all(gitlab, resource))) == (total or 4)
    assert gitlab.extraction.expected_rows == total


@pytest.mark.parametrize("status", [403, 404])
def test_a_list_of_projects_that_cannot_be_read_is_an_error(server: GitLabServer, gitlab: Gitlab, status: int) -> None:
    server.fail_next(Answer(status, "{}"))
    with pytest.raises(ApiRefused):
        list(gitlab.projects())


def test_a_wrong_token_is_an_error_that_says_where_it_comes_from(server: GitLabServer) -> None:
    with (
        Gitlab("glpat-wrong-token", server.url, credential="the token of the test") as gitlab,
        pytest.raises(ApiRefused, match="Check the token of the test: it is wrong, expired or revoked") as raised,
    ):
        list(gitlab.projects())
    assert "glpat-wrong-token" not in str(raised.value)


@pytest.mark.parametrize("resource", ["branches", "tags", "commits"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, '{"message": "401 Unauthorized"}'), ApiRefused),
        (Answer(502, "<html></html>", {"Content-Type": "text/html"}), ApiUnavailable),
        (Answer(200, "<html>Sign in</html>", {"Content-Type": "text/html"}), ApiAnswerInvalid),
        (Answer(0), ApiUnavailable),
    ],
    ids=["401", "502", "html", "dropped"],
)
def test_any_other_fault_is_an_error(
    server: GitLabServer, gitlab: Gitlab, project: Record, resource: str, answer: Answer, error: type[Exception]
) -> None:
    server.fail_next(answer, path=resource, times=10)
    with pytest.raises(error):
        list(read_all(gitlab, resource))
    assert gitlab.extraction.skipped == []


def test_commits_without_paging_headers_are_an_error(server: GitLabServer, gitlab: Gitlab, project: Record) -> None:
    server.fail_next(Answer(200, "[]"), path="commits")
    with pytest.raises(ApiAnswerInvalid, match="without the header X-Next-Page"):
        list(gitlab.commits(project))


def make_branches(repository: Path, count: int) -> None:
    head = git(repository, "rev-parse", "main")
    updates = "".join(f"create refs/heads/branch-{number:03} {head}\n" for number in range(1, count + 1))
    git(repository, "update-ref", "--stdin", stdin=updates.encode())


@pytest.mark.parametrize("has_keyset", [True, False], ids=["keyset", "older server"])
@pytest.mark.parametrize("count", [99, 100, 249])
def test_branches_of_all_pages_are_read(
    server: GitLabServer, gitlab: Gitlab, project: Record, tmp_path: Path, count: int, has_keyset: bool
) -> None:
    server.has_branch_keyset = has_keyset
    make_branches(tmp_path / "varied", count - 3)
    names = [branch["name"] for branch in gitlab.branches(project)]
    assert len(names) == len(set(names)) == count
    assert names == sorted(names)


@pytest.mark.parametrize("has_keyset", [True, False], ids=["keyset", "older server"])
@pytest.mark.parametrize("deleted", [1, 100])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_branch_that_is_deleted_meanwhile_hides_no_other(
    server: GitLabServer,
    gitlab: Gitlab,
    project: Record,
    tmp_path: Path,
    has_keyset: bool,
    deleted: int,
    after: int,
) -> None:
    server.has_branch_keyset = has_keyset
    make_branches(tmp_path / "varied", 250)
    repository, name = tmp_path / "varied", f"branch-{deleted:03}"
    server.after_answer(lambda: git(repository, "branch", "-D", name), path="branches", after=after)
    names = [branch["name"] for branch in gitlab.branches(project)]
    assert {f"branch-{number:03}" for number in range(1, 251)} - {name} <= {*names}
    assert len(names) == len({*names})


@pytest.mark.parametrize("resource", ["branches", "tags"])
def test_a_full_page_of_references_without_a_link_is_not_taken_for_the_end(
    server: GitLabServer, gitlab: Gitlab, project: Record, resource: str
) -> None:
    page = json.dumps([{"name": f"n{number}", "commit": None} for number in range(100)])
    server.fail_next(Answer(200, page), path=resource)
    server.fail_next(Answer(200, page), path=resource)
    with pytest.raises(ApiAnswerInvalid, match="ended after 100 without a link"):
        list(getattr(gitlab, resource)(project))


def test_white_space_around_the_token_does_not_matter(server: GitLabServer) -> None:
    with Gitlab(f" {server.token}\n", server.url) as gitlab:
        assert len(list(gitlab.projects())) == 1


def test_the_read_starts_at_the_servers_time_of_the_first_answer(server: GitLabServer, gitlab: Gitlab) -> None:
    assert gitlab.extraction.started is None
    server.now = datetime(2026, 1, 5, 10, 5, tzinfo=UTC)
    (project,) = gitlab.projects()
    server.now = datetime(2026, 1, 5, 11, 5, tzinfo=UTC)
    list(gitlab.commits(project))
    assert gitlab.extraction.started == datetime(2026, 1, 5, 10, 4, 59, tzinfo=UTC)


def test_a_repository_with_a_tag_on_a_file_is_read(server: GitLabServer, gitlab: Gitlab, tmp_path: Path) -> None:
    blob = git(tmp_path / "varied", "hash-object", "-w", "--stdin", stdin=b"key")
    git(tmp_path / "varied", "tag", "signing-key", blob)
    (project,) = gitlab.projects()
    assert [tag["name"] for tag in gitlab.tags(project)] == ["v1", "v2"]


def test_a_full_page_without_a_link_is_not_taken_for_the_end(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "one")
    with GitLabServer(*[repository] * 101) as server, Gitlab(server.token, server.url) as gitlab:
        url = f"{server.url}/api/v4/projects?membership=true&pagination=keyset&order_by=id&sort=asc&per_page=100"
        page = requests.get(url, headers={"PRIVATE-TOKEN": server.token}, timeout=30)
        server.fail_next(Answer(200, page.text), path="projects")
        assert [project["id"] for project in gitlab.projects()] == [*range(1, 102)]


def test_a_list_of_projects_that_does_not_go_on_is_an_error(tmp_path: Path) -> None:
    page = json.dumps([{"id": number} for number in range(1, 101)])
    with GitLabServer() as server, Gitlab(server.token, server.url) as gitlab:
        server.fail_next(Answer(200, page), path="projects", times=2)
        with pytest.raises(ApiAnswerInvalid, match="goes on before 100"):
            list(gitlab.projects())


def test_a_full_last_page_is_the_end(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "one")
    with GitLabServer(*[repository] * 100) as server, Gitlab(server.token, server.url) as gitlab:
        assert len(list(gitlab.projects())) == 100
