"""Issues, merge requests and pipelines: all that exist come, each once, whatever changes while they are read."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.gitlab_repository import git, make_varied_repository
from wherescape.api_response import Record
from wherescape.connectors.gitlab import gitlab_tables
from wherescape.connectors.gitlab.gitlab_wrapper import Gitlab
from wherescape.errors import ApiAnswerInvalid, ApiRefused
from wherescape.sandbox.gitlab_project import Project
from wherescape.sandbox.gitlab_server import NOT_FOUND, GitLabServer
from wherescape.sandbox.gitlab_tracker import Items, make_epic, make_milestone, make_user
from wherescape.testing.api_server import Answer

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
KINDS = pytest.mark.parametrize("kind", ["issues", "merge_requests", "pipelines"])


@pytest.fixture
def server() -> Iterator[GitLabServer]:
    with GitLabServer() as server:
        server.now = NOON + timedelta(days=1)
        server.add_project(created_at=NOON)
        yield server


@pytest.fixture
def project(server: GitLabServer) -> Project:
    return server.project(1)


@pytest.fixture
def gitlab(server: GitLabServer) -> Iterator[Gitlab]:
    with Gitlab(server.token, server.url, max_retries=0) as gitlab:
        yield gitlab


def items_of(project: Project, kind: str) -> Items:
    items = getattr(project, kind)
    assert isinstance(items, Items)
    return items


def read(gitlab: Gitlab, kind: str, **bounds: datetime | None) -> list[Record]:
    (project,) = gitlab.projects()
    return list(getattr(gitlab, kind)(project, **bounds))


def ids(records: list[Record]) -> list[int]:
    return [record["id"] for record in records]


def add_many(items: Items, how_many: int, every: timedelta = SECOND) -> list[int]:
    return [items.add(NOON + number * every) for number in range(how_many)]


@KINDS
@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 250])
def test_all_are_read_in_the_order_of_their_change(gitlab: Gitlab, project: Project, kind: str, number: int) -> None:
    expected = add_many(items_of(project, kind), number)
    assert ids(read(gitlab, kind)) == expected


@KINDS
@pytest.mark.parametrize("number_at_one_moment", [99, 100, 101, 350])
def test_many_of_one_moment_are_all_read_once(
    gitlab: Gitlab, project: Project, kind: str, number_at_one_moment: int
) -> None:
    items = items_of(project, kind)
    before = add_many(items, 30)
    moment = NOON + timedelta(hours=1)
    same = [items.add(moment + timedelta(microseconds=number % 999)) for number in range(number_at_one_moment)]
    after = [items.add(moment + number * timedelta(milliseconds=1)) for number in range(1, 31)]
    assert sorted(ids(read(gitlab, kind))) == sorted([*before, *same, *after])


@KINDS
def test_only_what_has_changed_is_read(gitlab: Gitlab, project: Project, kind: str) -> None:
    items = items_of(project, kind)
    old, _, new = (items.add(NOON + number * MINUTE) for number in range(3))
    items.update(old, NOON + 3 * MINUTE)
    assert ids(read(gitlab, kind, since=NOON + 90 * SECOND)) == [new, old]


@KINDS
def test_what_changes_after_the_reading_began_is_left_to_the_next(gitlab: Gitlab, project: Project, kind: str) -> None:
    items = items_of(project, kind)
    at, _ = items.add(NOON), items.add(NOON + timedelta(milliseconds=1))
    assert ids(read(gitlab, kind, until=NOON)) == [at]


@KINDS
def test_a_list_that_grows_faster_than_it_is_read_has_an_end(
    server: GitLabServer, gitlab: Gitlab, project: Project, kind: str
) -> None:
    items = items_of(project, kind)
    expected = add_many(items, 150)
    until = NOON + timedelta(hours=1)

    later = count(1)

    def grow() -> None:
        for _ in range(100):
            items.add(until + next(later) * SECOND)
        if len(server.requests) < 50:
            server.after_answer(grow, path=kind)

    server.after_answer(grow, path=kind)
    assert ids(read(gitlab, kind, until=until)) == expected
    assert len(server.requests) < 10


Change = Callable[[Items, list[int]], None]


def delete_the_oldest(items: Items, added: list[int]) -> None:
    items.delete(added[0])


def delete_the_latest(items: Items, added: list[int]) -> None:
    items.delete(added[-1])


def change_the_oldest(items: Items, added: list[int]) -> None:
    items.update(added[0], NOON + timedelta(hours=2))


def change_the_latest(items: Items, added: list[int]) -> None:
    items.update(added[-1], NOON + timedelta(hours=2))


def change_one_between(items: Items, added: list[int]) -> None:
    items.update(added[120], NOON + timedelta(hours=2))


def add_one(items: Items, added: list[int]) -> None:
    items.add(NOON + timedelta(hours=2))


@KINDS
@pytest.mark.parametrize(
    ("every", "after"),
    [(SECOND, 0), (SECOND, 1), (timedelta(), 0), (timedelta(), 2), (timedelta(), 3)],
    ids=["one by one", "one by one, later", "at one moment", "at one moment, later", "at one moment, later still"],
)
@pytest.mark.parametrize(
    "change",
    [delete_the_oldest, delete_the_latest, change_the_oldest, change_the_latest, change_one_between, add_one],
)
def test_nothing_is_lost_or_repeated_by_a_change_between_pages(
    server: GitLabServer,
    gitlab: Gitlab,
    project: Project,
    kind: str,
    every: timedelta,
    change: Change,
    after: int,
) -> None:
    items = items_of(project, kind)
    added = add_many(items, 250, every)
    server.after_answer(lambda: change(items, added), path=kind, after=after)
    found = ids(read(gitlab, kind))
    assert len(found) == len(set(found))
    existing = {item.id for item in items}
    assert existing <= {*found}
    assert {*found} <= existing | {added[0], added[-1]}


@KINDS
def test_a_list_that_never_settles_is_an_error(
    server: GitLabServer, gitlab: Gitlab, project: Project, kind: str
) -> None:
    items = items_of(project, kind)
    added = iter(add_many(items, 250, timedelta()))

    def shrink() -> None:
        items.delete(next(added))
        server.after_answer(shrink, path=kind)

    server.after_answer(shrink, path=kind)
    with pytest.raises(ApiAnswerInvalid, match="at a quieter time"):
        read(gitlab, kind)


@pytest.mark.parametrize("number_of_others", [5, 150])
def test_what_has_no_time_of_a_change_is_read_too(gitlab: Gitlab, project: Project, number_of_others: int) -> None:
    never = [project.pipelines.add(NOON, updated_at=None) for _ in range(3)]
    others = add_many(project.pipelines, number_of_others)
    assert sorted(ids(read(gitlab, "pipelines"))) == sorted([*never, *others])


def test_a_list_without_any_time_of_a_change_is_read(gitlab: Gitlab, project: Project) -> None:
    never = [project.pipelines.add(NOON, updated_at=None) for _ in range(150)]
    assert sorted(ids(read(gitlab, "pipelines"))) == never


@KINDS
def test_no_offset_gets_deep(server: GitLabServer, gitlab: Gitlab, project: Project, kind: str) -> None:
    server.max_offset, server.max_total = 100, 10
    expected = add_many(items_of(project, kind), 350)
    assert ids(read(gitlab, kind)) == expected


@KINDS
def test_a_page_without_paging_headers_is_an_error(
    server: GitLabServer, gitlab: Gitlab, project: Project, kind: str
) -> None:
    server.fail_next(Answer(200, "[]"), path=kind)
    with pytest.raises(ApiAnswerInvalid, match="without the header X-Next-Page"):
        read(gitlab, kind)


def test_a_time_of_a_change_that_is_none_is_an_error(server: GitLabServer, gitlab: Gitlab) -> None:
    server.fail_next(Answer(200, '[{"id": 1, "updated_at": "yesterday"}]', {"X-Next-Page": ""}), path="issues")
    with pytest.raises(ApiAnswerInvalid, match="'yesterday'"):
        read(gitlab, "issues")


@KINDS
@pytest.mark.parametrize("status", [403, 404])
def test_a_project_that_refuses_is_an_error(server: GitLabServer, gitlab: Gitlab, kind: str, status: int) -> None:
    server.fail_next(Answer(status, "{}"), path=kind)
    with pytest.raises(ApiRefused):
        read(gitlab, kind)


@pytest.mark.parametrize(
    ("kind", "feature"),
    [
        ("issues", "issues"),
        ("merge_requests", "merge_requests"),
        ("merge_request_commits", "merge_requests"),
        ("pipelines", "builds"),
        ("branches", "repository"),
        ("tags", "repository"),
        ("commits", "repository"),
    ],
)
def test_what_a_project_has_switched_off_is_not_asked_for(
    server: GitLabServer, gitlab: Gitlab, project: Project, kind: str, feature: str
) -> None:
    project.access_levels[feature] = "disabled"
    assert read(gitlab, kind) == []
    assert [request.path for request in server.requests] == ["/projects"]


@pytest.mark.parametrize("flag", ["issues_enabled", "merge_requests_enabled", "jobs_enabled"])
def test_an_older_server_says_so_by_another_field(server: GitLabServer, gitlab: Gitlab, flag: str) -> None:
    (project,) = gitlab.projects()
    older = {name: value for name, value in project.items() if not name.endswith("_access_level")} | {flag: False}
    kinds = {"issues_enabled": "issues", "merge_requests_enabled": "merge_requests", "jobs_enabled": "pipelines"}
    assert list(getattr(gitlab, kinds[flag])(older)) == []
    assert len(server.requests) == 1


# ---------------------------------------------------------------------------------------------------------- fields


@pytest.mark.parametrize("edition", ["ce", "ee"])
@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("issues", gitlab_tables.ISSUES),
        ("merge_requests", gitlab_tables.MERGE_REQUESTS),
        ("pipelines", gitlab_tables.PIPELINES),
    ],
)
def test_every_declared_column_has_a_value_in_the_records(kind: str, table: Any, edition: str) -> None:
    with GitLabServer(edition=edition) as server, Gitlab(server.token, server.url) as gitlab:
        getattr(server.add_project(created_at=NOON), kind).add(NOON)
        (record,) = read(gitlab, kind)
    assert {column.source for column in table.columns} <= record.keys()


@pytest.mark.parametrize("kind", ["issues", "merge_requests"])
def test_milestones_of_groups_and_of_projects_are_told_apart(gitlab: Gitlab, project: Project, kind: str) -> None:
    items = items_of(project, kind)
    items.add(NOON, milestone=make_milestone(7, NOON, group_id=3))
    items.add(NOON + SECOND, milestone=make_milestone(8, NOON, project_id=1))
    items.add(NOON + MINUTE)
    found = [
        (record["milestone_id"], record["milestone_group_id"], record["milestone_project_id"])
        for record in read(gitlab, kind)
    ]
    assert found == [(7, 3, None), (8, None, 1), (None, None, None)]


def test_people_and_labels_of_an_issue(gitlab: Gitlab, project: Project) -> None:
    project.issues.add(NOON, labels=["bug", "a, b"], assignees=[make_user(2), make_user(3)], closed_by=make_user(4))
    project.issues.add(NOON + SECOND, author=None)
    first, second = read(gitlab, "issues")
    assert first["labels"] == ["bug", "a, b"]
    assert first["assignees"] == [
        {"id": 2, "username": "user2", "name": "User 2"},
        {"id": 3, "username": "user3", "name": "User 3"},
    ]
    assert (first["author_username"], first["closed_by_id"]) == ("user1", 4)
    assert (second["author_id"], second["closed_by_id"], second["assignees"]) == (None, None, [])


def test_reviewers_and_who_merged(gitlab: Gitlab, project: Project) -> None:
    project.merge_requests.add(NOON, reviewers=[make_user(5)], merge_user=make_user(6), source_project_id=None)
    (record,) = read(gitlab, "merge_requests")
    assert record["reviewers"] == [{"id": 5, "username": "user5", "name": "User 5"}]
    assert (record["merge_user_name"], record["source_project_id"]) == ("User 6", None)


def test_who_merged_has_an_older_name(server: GitLabServer, gitlab: Gitlab) -> None:
    body = '[{"id": 1, "iid": 1, "updated_at": null, "merged_by": {"id": 9, "username": "nine", "name": "Nine"}}]'
    server.fail_next(Answer(200, body, {"X-Next-Page": ""}), path="merge_requests")
    (record,) = read(gitlab, "merge_requests")
    assert (record["merge_user_id"], record["merge_user_username"]) == (9, "nine")


@pytest.mark.parametrize(
    ("fields", "number"),
    [({"epic": make_epic(12), "epic_iid": 11}, 12), ({"epic": None, "epic_iid": 11}, 11), ({}, None)],
    ids=["both", "the older field alone", "none"],
)
def test_the_number_of_an_epic_is_the_epics_own(
    gitlab: Gitlab, project: Project, fields: dict[str, Any], number: int | None
) -> None:
    project.issues.add(NOON, **fields)
    (record,) = read(gitlab, "issues")
    assert record["epic_iid"] == number


def test_commits_of_merge_requests_name_their_merge_request(
    server: GitLabServer, gitlab: Gitlab, tmp_path: Path
) -> None:
    server.projects.clear()
    project = server.add_project(make_varied_repository(tmp_path / "varied"))
    merge, feature = (git(tmp_path / "varied", "rev-parse", name) for name in ("main", "feature/ümlaut"))
    first = project.merge_requests.add(NOON, id=2**40, commit_ids=[merge, feature])
    second = project.merge_requests.add(NOON + MINUTE, commit_ids=[feature])
    project.merge_requests.add(NOON + 2 * MINUTE)
    found = read(gitlab, "merge_request_commits")
    assert [(record["merge_request_id"], record["merge_request_iid"], record["id"]) for record in found] == [
        (first, 1, merge),
        (first, 1, feature),
        (second, 2, feature),
    ]
    assert {column.source for column in gitlab_tables.MERGE_REQUEST_COMMITS.columns} <= found[0].keys()
    (changed,) = read(gitlab, "merge_request_commits", since=NOON + SECOND)
    assert changed["merge_request_id"] == second


def test_a_merge_request_that_is_deleted_meanwhile_takes_no_other_along(
    server: GitLabServer, gitlab: Gitlab, tmp_path: Path
) -> None:
    server.projects.clear()
    project = server.add_project(make_varied_repository(tmp_path / "varied"))
    head = git(tmp_path / "varied", "rev-parse", "main")
    first, second = (project.merge_requests.add(NOON + n * SECOND, commit_ids=[head]) for n in range(2))
    server.after_answer(lambda: project.merge_requests.delete(first), path="merge_requests")
    assert [record["merge_request_id"] for record in read(gitlab, "merge_request_commits")] == [second]


def test_a_merge_request_that_answers_404_but_is_there_is_an_error(
    server: GitLabServer, gitlab: Gitlab, project: Project
) -> None:
    project.merge_requests.add(NOON)
    server.fail_next(NOT_FOUND, path="/commits")
    with pytest.raises(ApiRefused, match="404"):
        read(gitlab, "merge_request_commits")


def test_what_was_never_updated_is_read_though_the_list_changes(
    server: GitLabServer, gitlab: Gitlab, project: Project
) -> None:
    never = {project.pipelines.add(NOON, updated_at=None) for _ in range(3)}
    others = [project.pipelines.add(NOON + number * SECOND) for number in range(150)]
    server.after_answer(lambda: project.pipelines.update(others[-1], NOON + 120 * MINUTE), path="pipelines")
    found = {record["id"] for record in read(gitlab, "pipelines", until=NOON + 60 * MINUTE)}
    assert found >= never | {*others[:-1]}


def test_a_project_that_is_gone_with_its_merge_requests_is_an_error(
    server: GitLabServer, gitlab: Gitlab, project: Project
) -> None:
    project.merge_requests.add(NOON)

    server.after_answer(server.projects.clear, path="merge_requests")
    with pytest.raises(ApiRefused, match="404"):
        read(gitlab, "merge_request_commits")
