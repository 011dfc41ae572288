from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.gitlab_repository import (
    FIRST_COMMIT,
    add_commits,
    collect_garbage,
    git,
    make_empty_repository,
    make_repository,
    make_varied_repository,
    reset,
)
from wherescape.errors import SandboxError
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.testing.api_server import Answer

COMMITS = "projects/1/repository/commits"
BRANCHES = "projects/1/repository/branches"
TAGS = "projects/1/repository/tags"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitLabServer]:
    with GitLabServer(make_varied_repository(tmp_path / "varied")) as server:
        yield server


def get(server: GitLabServer, path: str, **query: str | int) -> requests.Response:
    headers = {"PRIVATE-TOKEN": server.token}
    return requests.get(f"{server.url}/api/v4/{path}", params=query, headers=headers, timeout=10)


def follow(server: GitLabServer, response: requests.Response) -> requests.Response:
    """Ask for the page that a page names as the next one."""
    return requests.get(response.links["next"]["url"], headers={"PRIVATE-TOKEN": server.token}, timeout=10)


def names(response: requests.Response) -> list[str]:
    return [item["name"] for item in response.json()]


def titles(response: requests.Response) -> list[str]:
    return [item["title"] for item in response.json()]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, {"message": "401 Unauthorized"}),
        ({"PRIVATE-TOKEN": "glpat-wrong"}, {"message": "401 Unauthorized"}),
        (
            {"Authorization": "Bearer wrong"},
            {
                "error": "invalid_token",
                "error_description": "Token was revoked. You have to re-authorize.",
            },
        ),
    ],
)
def test_a_missing_or_wrong_token_is_refused(server: GitLabServer, headers: dict[str, str], body: object) -> None:
    response = requests.get(f"{server.url}/api/v4/projects", headers=headers, timeout=10)
    assert (response.status_code, response.json()) == (401, body)


def test_a_bearer_token_is_accepted(server: GitLabServer) -> None:
    headers = {"Authorization": f"Bearer {server.token}"}
    assert requests.get(f"{server.url}/api/v4/projects", headers=headers, timeout=10).ok


def test_a_project_is_found_by_id_and_by_path(server: GitLabServer) -> None:
    by_id = get(server, "projects/1").json()
    assert by_id == get(server, "projects/sandbox%2Fvaried").json()
    assert by_id["path_with_namespace"] == "sandbox/varied"
    assert by_id["created_at"] == "2020-09-13T12:26:40.000Z"
    assert by_id["last_activity_at"] == "2020-09-13T12:29:40.000Z"


@pytest.mark.parametrize("path", ["projects/2", "projects/2/repository/commits", "projects/nobody%2Fnothing"])
def test_an_unknown_project_is_not_found(server: GitLabServer, path: str) -> None:
    response = get(server, path)
    assert (response.status_code, response.json()) == (404, {"message": "404 Project Not Found"})


def test_commits_carry_offsets_parents_and_any_text(server: GitLabServer) -> None:
    merge, latin, feature, start = get(server, COMMITS).json()
    assert merge["parent_ids"] == [latin["id"], feature["id"]]
    assert merge["committed_date"] == "2020-09-13T05:29:40.000-07:00"
    assert feature["committed_date"] == "2020-09-13T17:57:40.000+05:30"
    assert feature["authored_date"] == "2020-09-12T17:56:40.000+05:30"
    assert (feature["author_name"], feature["committer_name"]) == ("Jürgen", "Ann Author")
    assert feature["title"] == "Größe 😀"
    assert feature["message"] == "Größe 😀\n\nSecond line\n"
    assert latin["title"] == "caf\N{REPLACEMENT CHARACTER}"
    assert (start["parent_ids"], start["created_at"]) == ([], start["committed_date"])


def test_commits_are_paged_without_totals(server: GitLabServer) -> None:
    first = get(server, COMMITS, per_page=3)
    assert first.headers["X-Next-Page"] == "2"
    assert "X-Total" not in first.headers
    assert "X-Total-Pages" not in first.headers
    assert "last" not in first.links
    last = follow(server, first)
    assert titles(last) == ["Start here"]
    assert last.headers["X-Next-Page"] == ""
    assert last.headers["X-Prev-Page"] == "1"
    assert "next" not in last.links


@pytest.mark.parametrize(("path", "total"), [(BRANCHES, "3"), (TAGS, "2")])
def test_branches_and_tags_promise_a_second_page_that_is_empty(server: GitLabServer, path: str, total: str) -> None:
    first, second = get(server, path), get(server, path, page=2)
    assert (first.headers["X-Next-Page"], first.headers["X-Total"], first.headers["X-Total-Pages"]) == (
        "2",
        total,
        "1",
    )
    assert (second.json(), second.headers["X-Next-Page"]) == ([], "")
    assert "next" not in second.links


def test_a_full_page_of_commits_names_a_next_one_that_is_empty(server: GitLabServer) -> None:
    first, second = get(server, COMMITS, per_page=4), get(server, COMMITS, per_page=4, page=2)
    assert (len(first.json()), first.headers["X-Next-Page"]) == (4, "2")
    assert (second.json(), second.headers["X-Next-Page"]) == ([], "")


@pytest.mark.parametrize(("path", "all_names"), [(BRANCHES, ["feature/ümlaut", "main", "open"]), (TAGS, ["v2", "v1"])])
def test_branches_and_tags_are_paged_by_keyset(server: GitLabServer, path: str, all_names: list[str]) -> None:
    found = []
    response = get(server, path, pagination="keyset", per_page=1)
    while page := names(response):
        assert not [name for name in response.headers if name.startswith("X-")]
        found += page
        response = follow(server, response)
    # A full page names a next one, so that the last page is an empty one.
    assert (found, "Link" in response.headers) == (all_names, False)


def test_the_page_behind_a_branch_that_is_gone_is_refused(server: GitLabServer, tmp_path: Path) -> None:
    first = get(server, BRANCHES, pagination="keyset", per_page=1)
    git(tmp_path / "varied", "branch", "-D", "feature/ümlaut")
    assert follow(server, first).status_code == 422


def test_an_older_server_pages_branches_by_number_whatever_is_asked(server: GitLabServer) -> None:
    server.has_branch_keyset = False
    assert get(server, BRANCHES, pagination="keyset").headers["X-Next-Page"] == "2"


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        (BRANCHES, {"sort": "updated_desc"}, ["open", "main", "feature/ümlaut"]),
        (BRANCHES, {"search": "ma"}, ["main"]),
        (TAGS, {"order_by": "name", "sort": "asc"}, ["v1", "v2"]),
        (TAGS, {"order_by": "updated", "sort": "asc"}, ["v1", "v2"]),
    ],
)
def test_branches_and_tags_come_in_the_order_that_is_asked(
    server: GitLabServer, path: str, query: dict[str, str | int], expected: list[str]
) -> None:
    assert names(get(server, path, **query)) == expected


def test_a_tag_may_have_a_release(server: GitLabServer) -> None:
    server.project(1).releases["v1"] = "The first one"
    assert get(server, TAGS).json()[1]["release"] == {"tag_name": "v1", "description": "The first one"}


def test_projects_are_paged_by_keyset(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "one")
    query: dict[str, str | int] = {"pagination": "keyset", "order_by": "id", "sort": "asc", "per_page": 2}
    with GitLabServer(*[repository] * 3) as server:
        first = get(server, "projects", **query)
        assert [project["id"] for project in first.json()] == [1, 2]
        assert "X-Next-Page" not in first.headers
        last = follow(server, first)
        assert [project["id"] for project in last.json()] == [3]
        assert "Link" not in last.headers
        descending = get(server, "projects", **{**query, "sort": "desc"})
        assert [project["id"] for project in descending.json()] == [3, 2]


def test_keyset_paging_by_name_is_refused(server: GitLabServer) -> None:
    response = get(server, "projects", pagination="keyset", order_by="name")
    assert response.status_code == 405
    assert response.json() == {"error": "Keyset pagination is not yet available for this type of request"}


def test_branches_tell_what_is_merged(server: GitLabServer) -> None:
    branches = {branch["name"]: branch for branch in get(server, BRANCHES).json()}
    assert list(branches) == ["feature/ümlaut", "main", "open"]
    assert [branch["merged"] for branch in branches.values()] == [True, False, False]
    assert [branch["default"] for branch in branches.values()] == [False, True, False]
    assert branches["open"]["commit"]["title"] == "Not merged"


def test_tags_come_latest_first_and_light_ones_have_no_message(server: GitLabServer) -> None:
    annotated, light = get(server, TAGS).json()
    assert (annotated["name"], light["name"]) == ("v2", "v1")
    assert annotated["message"] == "Second release\n\nwith a body"
    assert annotated["created_at"] == "2020-09-13T14:31:40.000+02:00"
    assert annotated["target"] != annotated["commit"]["id"]
    assert (light["message"], light["created_at"], light["release"]) == (None, None, None)
    assert light["target"] == light["commit"]["id"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"since": "2020-09-13T12:28:40Z"}, ["Merge the feature", "caf\N{REPLACEMENT CHARACTER}"]),
        ({"since": "2020-09-13T14:29:40+02:00"}, ["Merge the feature"]),
        ({"until": "2020-09-13T12:27:40Z"}, ["Größe 😀", "Start here"]),
        ({"since": "2020-09-13T12:27:40Z", "until": "2020-09-13T12:27:40Z"}, ["Größe 😀"]),
        ({"ref_name": "open"}, ["Not merged", "Start here"]),
        ({"ref_name": "v1"}, ["Start here"]),
        ({"all": "true", "since": "2020-09-13T12:30:00Z"}, ["Not merged"]),
    ],
)
def test_commits_are_filtered(server: GitLabServer, query: dict[str, str | int], expected: list[str]) -> None:
    assert titles(get(server, COMMITS, **query)) == expected


def test_a_plus_that_is_not_encoded_is_no_date(server: GitLabServer) -> None:
    url = f"{server.url}/api/v4/{COMMITS}?since=2020-09-13T14:29:40+02:00"
    response = requests.get(url, headers={"PRIVATE-TOKEN": server.token}, timeout=10)
    assert (response.status_code, response.json()) == (400, {"error": "since is invalid"})
    assert server.mistakes == [f"GET /{COMMITS}: since is invalid"]
    server.mistakes.clear()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"ref_name": "v1..main"}, ["Merge the feature", "caf\N{REPLACEMENT CHARACTER}", "Größe 😀"]),
        ({"ref_name": "main..open"}, ["Not merged"]),
        ({"ref_name": "main..v1"}, []),
    ],
)
def test_a_range_gives_what_its_end_has_and_its_start_has_not(
    server: GitLabServer, query: dict[str, str | int], expected: list[str]
) -> None:
    assert titles(get(server, COMMITS, **query)) == expected


@pytest.mark.parametrize("revision", ["{gone}", "{gone}..main", "main..{gone}"])
def test_a_commit_that_is_gone_is_not_found(tmp_path: Path, revision: str) -> None:
    repository = make_repository(tmp_path / "forced")
    gone = git(repository, "rev-parse", "main")
    reset(repository, "main", "main~1")
    collect_garbage(repository)
    with GitLabServer(repository) as server:
        query: dict[str, str | int] = {"ref_name": revision.format(gone=gone)}
        assert get(server, COMMITS, **query).status_code == 404
        assert get(server, f"{COMMITS}/{gone}").json() == {"message": "404 Commit Not Found"}
        server.answers_gone_commits = True
        assert get(server, COMMITS, **query).json() == []


def test_a_commit_is_found_by_what_names_it(server: GitLabServer) -> None:
    newest = get(server, COMMITS).json()[0]
    for name in (newest["id"], "main", "v2"):
        assert get(server, f"{COMMITS}/{name}").json() == newest


def test_an_unknown_branch_is_not_found(server: GitLabServer) -> None:
    response = get(server, COMMITS, ref_name="nowhere")
    assert (response.status_code, response.json()) == (404, {"message": "404 Ref Not Found"})


@pytest.mark.parametrize(
    ("query", "mistake"),
    [
        ({"updated_after": "2020-01-01T00:00:00Z"}, "updated_after: GET /{path} has no such parameter here"),
        ({"sort": "asc"}, "sort: GET /{path} has no such parameter here"),
        ({"per_page": 101}, "per_page is 101; GitLab gives 100 at most"),
        ({"since": "2020-09-13T12:29:40"}, "since has no time zone"),
        ({"page": 0}, "page is invalid"),
        ({"per_page": "ten"}, "per_page is invalid"),
        ({"all": "yes"}, "all does not have a valid value"),
    ],
)
def test_what_gitlab_would_pass_over_is_refused_and_remembered(
    tmp_path: Path, query: dict[str, str | int], mistake: str
) -> None:
    text = mistake.format(path=COMMITS)
    with (
        pytest.raises(SandboxError, match="broke the contract"),
        GitLabServer(make_repository(tmp_path / "one")) as server,
    ):
        response = get(server, COMMITS, **query)
        assert (response.status_code, response.json()) == (400, {"error": text})
    assert server.mistakes == [f"GET /{COMMITS}: {text}"]


def test_what_gitlab_passes_over_is_passed_over_when_not_strict(tmp_path: Path) -> None:
    with GitLabServer(make_repository(tmp_path / "many", commits=120), strict=False) as server:
        response = get(server, COMMITS, updated_after="2020-01-01", since="2020-01-01", per_page=500)
        assert len(response.json()) == 100


def test_a_new_commit_is_seen_at_once(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "growing", commits=1)
    with GitLabServer(repository) as server:
        before = titles(get(server, COMMITS))
        add_commits(repository, 1, first=1_700_000_000)
        assert (len(before), len(titles(get(server, COMMITS)))) == (1, 2)


def test_an_empty_repository_has_no_commits_to_list(tmp_path: Path) -> None:
    with GitLabServer(make_empty_repository(tmp_path / "empty")) as server:
        commits, branches = get(server, COMMITS), get(server, BRANCHES)
        assert (commits.status_code, commits.json()) == (404, {"message": "404 Repository Not Found"})
        assert (branches.json(), branches.headers["X-Next-Page"]) == ([], "2")
        project = get(server, "projects/1").json()
        assert (project["empty_repo"], project["default_branch"]) == (True, None)


def test_a_clone_serves_the_branches_of_its_origin(tmp_path: Path) -> None:
    origin = make_varied_repository(tmp_path / "origin")
    git(tmp_path, "clone", "--quiet", "--branch=open", str(origin), "clone")
    with GitLabServer(tmp_path / "clone") as server:
        assert names(get(server, BRANCHES)) == ["feature/ümlaut", "main", "open"]
        assert get(server, "projects/1").json()["default_branch"] == "open"


def test_a_branch_that_the_clone_has_too_is_served_as_it_is_there(tmp_path: Path) -> None:
    origin = make_repository(tmp_path / "origin", commits=2)
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    add_commits(tmp_path / "clone", 1, first=FIRST_COMMIT + 600)
    with GitLabServer(tmp_path / "clone") as server:
        assert len(get(server, "projects/1/repository/commits").json()) == 3


def test_a_detached_head_keeps_the_branches(tmp_path: Path) -> None:
    repository = make_varied_repository(tmp_path / "detached")
    git(repository, "checkout", "--quiet", "--detach", "open")
    with GitLabServer(repository) as server:
        assert get(server, "projects/1").json()["default_branch"] == "main"


def test_a_shallow_clone_without_branches_serves_its_head(tmp_path: Path) -> None:
    origin = make_repository(tmp_path / "origin", commits=5)
    checkout = make_empty_repository(tmp_path / "checkout")
    git(checkout, "fetch", "--quiet", "--depth=2", origin.as_uri(), "main")
    git(checkout, "checkout", "--quiet", "FETCH_HEAD")
    with GitLabServer(checkout) as server:
        assert names(get(server, BRANCHES)) == ["main"]
        assert titles(get(server, COMMITS)) == ["Commit 5", "Commit 4"]


def test_a_bare_repository_is_named_without_its_ending(tmp_path: Path) -> None:
    make_repository(tmp_path / "source")
    git(tmp_path, "clone", "--quiet", "--bare", "source", "bare.git")
    with GitLabServer(tmp_path / "bare.git") as server:
        assert get(server, "projects/1").json()["path"] == "bare"


def test_a_folder_without_a_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="not a git repository"):
        GitLabServer(tmp_path)


def test_the_date_header_can_be_set(server: GitLabServer) -> None:
    server.now = datetime(2026, 1, 5, 10, 5, tzinfo=UTC)
    assert get(server, "projects").headers["Date"] == "Mon, 05 Jan 2026 10:05:00 GMT"


def test_faults_hit_the_chosen_requests_only(server: GitLabServer) -> None:
    server.fail_next(Answer(429, "Retry later\n", {"Content-Type": "text/plain"}), path="commits", after=1, times=2)
    statuses: list[Any] = [get(server, path).status_code for path in (COMMITS, TAGS, COMMITS, COMMITS, COMMITS)]
    assert statuses == [200, 200, 429, 429, 200]


def test_requests_are_recorded(server: GitLabServer) -> None:
    get(server, COMMITS, since="2020-09-13T14:29:40+02:00")
    assert (server.requests[0].path, server.requests[0].query) == (
        f"/{COMMITS}",
        {"since": "2020-09-13T14:29:40+02:00"},
    )


def test_it_listens_on_loopback_until_it_is_stopped(tmp_path: Path) -> None:
    server = GitLabServer(make_repository(tmp_path / "one"))
    with server:
        url = server.url
        assert url.startswith("http://127.0.0.1:")
        session = requests.Session()
        assert session.get(url, timeout=10).status_code == 404
    with session, pytest.raises(requests.ConnectionError):
        session.get(url, timeout=10)
    with pytest.raises(SandboxError, match="not running"):
        get(server, "projects")
