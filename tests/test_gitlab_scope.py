"""Which projects are read: those of the token's owner, of groups, named ones, or all that are visible."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wherescape.connectors.gitlab.gitlab_wrapper import Gitlab
from wherescape.errors import ApiAnswerInvalid, ApiRefused, DeclarationError
from wherescape.extraction import Skipped
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.testing.api_server import Answer

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[GitLabServer]:
    with GitLabServer() as server:
        server.now = NOON
        for group, name in [("a", "one"), ("a/b", "two"), ("c", "three"), ("a", "four")]:
            server.add_project(name=name, group=group, created_at=NOON)
        server.project(4).is_member = False
        yield server


def read(server: GitLabServer, **scope: Any) -> list[str]:
    with Gitlab(server.token, server.url, max_retries=0, **scope) as gitlab:
        return [project["path_with_namespace"] for project in gitlab.projects()]


@pytest.mark.parametrize(
    ("scope", "paths"),
    [
        ({}, ["a/one", "a/b/two", "c/three"]),
        ({"everything_visible": True}, ["a/one", "a/b/two", "c/three", "a/four"]),
        ({"groups": ["a"]}, ["a/one", "a/b/two", "a/four"]),
        ({"groups": "a/b"}, ["a/b/two"]),
        ({"groups": 2}, ["a/b/two"]),
        ({"groups": ("c", "a/b")}, ["c/three", "a/b/two"]),
        ({"groups": ["a/b", "a"]}, ["a/b/two", "a/one", "a/four"]),
        ({"projects": ["c/three", 1]}, ["c/three", "a/one"]),
        ({"projects": "/c/three/"}, ["c/three"]),
        ({"projects": 4}, ["a/four"]),
        ({"projects": ["a/one", 1]}, ["a/one"]),
    ],
    ids=str,
)
def test_the_projects_are_those_that_were_chosen(server: GitLabServer, scope: Any, paths: list[str]) -> None:
    assert read(server, **scope) == paths


@pytest.mark.parametrize(
    "scope",
    [
        {"groups": ["a"], "projects": [1]},
        {"groups": ["a"], "everything_visible": True},
        {"projects": [1], "everything_visible": True},
    ],
)
def test_there_is_one_choice(server: GitLabServer, scope: Any) -> None:
    with pytest.raises(DeclarationError, match="one of groups, projects and everything_visible"):
        read(server, **scope)


@pytest.mark.parametrize("status", [403, 404])
def test_a_named_project_that_cannot_be_read_is_named(
    server: GitLabServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    server.fail_next(Answer(status, "{}"), path="projects/c%2Fthree")
    with Gitlab(server.token, server.url, projects=["c/three", "a/one"]) as gitlab:
        assert [project["id"] for project in gitlab.projects()] == [1]
        assert gitlab.extraction.skipped == [Skipped("c/three", f"{status} for the project")]
    (record,) = (record for record in caplog.records if record.name.startswith("wherescape"))
    assert (record.levelno, f"'c/three' answered {status}" in record.message) == (logging.WARNING, True)


def test_a_project_that_was_renamed_is_an_error_that_says_what_to_do(server: GitLabServer) -> None:
    server.project(3).rename("third", NOON)
    with pytest.raises(ApiRefused, match="'c/three' was renamed or moved. Correct its path, or name it by its id"):
        read(server, projects=["c/three"])
    assert read(server, projects=["c/third"]) == ["c/third"]


def test_a_server_that_refuses_a_named_project_otherwise_is_an_error(server: GitLabServer) -> None:
    server.fail_next(Answer(401, '{"message": "401 Unauthorized"}'))
    with pytest.raises(ApiRefused, match="401"):
        read(server, projects=[1])


def test_an_answer_that_is_no_project_is_an_error(server: GitLabServer) -> None:
    server.fail_next(Answer(200, "[]"))
    with pytest.raises(ApiAnswerInvalid, match="is no project"):
        read(server, projects=[1])


def test_a_group_that_is_gone_is_an_error(server: GitLabServer) -> None:
    with pytest.raises(ApiRefused, match="groups/a%2Fz/projects answered 404"):
        read(server, groups=["a", "a/z"])


def test_a_group_without_projects_is_told(server: GitLabServer, caplog: pytest.LogCaptureFixture) -> None:
    server.projects.clear()
    with Gitlab(server.token, server.url, groups="a") as gitlab:
        assert list(gitlab.projects()) == []
        assert gitlab.extraction.skipped == [Skipped("all projects", "there is none of the groups")]
    assert "no project of the groups" in caplog.text


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("deleted", [1, 150, 230])
def test_a_project_that_goes_away_meanwhile_hides_no_other_of_its_group(
    server: GitLabServer, after: int, deleted: int
) -> None:
    for _ in range(250 - len(server.projects)):
        server.add_project(group="a", created_at=NOON)
    existing = {project.path for project in server.projects.values() if project.group.path.startswith("a")}
    gone = server.project(deleted).path
    server.after_answer(lambda: server.projects.pop(deleted), path="groups", after=after)
    found = read(server, groups="a")
    assert len(found) == len(set(found))
    assert existing - {gone} <= {*found} <= existing


@pytest.mark.parametrize(
    "scope", [{"groups": []}, {"projects": ()}, {"groups": ""}, {"projects": ["a", " "]}], ids=str
)
def test_a_choice_that_names_none_is_refused(server: GitLabServer, scope: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError, match="names none"):
        Gitlab(server.token, server.url, **scope)


def test_the_servers_time(server: GitLabServer) -> None:
    with Gitlab(server.token, server.url) as gitlab:
        moment = gitlab.server_time()
    assert moment is not None
    assert NOON - timedelta(seconds=2) < moment <= NOON
