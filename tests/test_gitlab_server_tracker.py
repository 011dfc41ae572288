"""The stand-in GitLab: projects, issues, merge requests and pipelines, and what changes while it is read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.gitlab_repository import add_commits, git, make_repository
from wherescape.sandbox.gitlab_project import Project
from wherescape.sandbox.gitlab_server import (
    BAD_GATEWAY,
    INSUFFICIENT_SCOPE,
    RETRY_LATER,
    TOKEN_EXPIRED,
    GitLabServer,
)
from wherescape.sandbox.gitlab_tracker import make_epic, make_milestone, make_user
from wherescape.testing.api_server import Answer

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE, MICROSECOND = timedelta(minutes=1), timedelta(microseconds=1)
KINDS = ("issues", "merge_requests", "pipelines")
OLDEST_FIRST: dict[str, str | int] = {"order_by": "updated_at", "sort": "asc"}
KEYSET: dict[str, str | int] = {"pagination": "keyset", **OLDEST_FIRST}


@pytest.fixture
def server() -> Iterator[GitLabServer]:
    with GitLabServer() as server:
        server.now = NOON
        server.add_project(name="lamp", created_at=NOON - 100 * MINUTE)
        yield server


@pytest.fixture
def project(server: GitLabServer) -> Project:
    return server.project(1)


def get(server: GitLabServer, path: str, **query: str | int) -> requests.Response:
    url = path if path.startswith("http") else f"{server.url}/api/v4/{path}"
    return requests.get(url, params=query, headers={"PRIVATE-TOKEN": server.token}, timeout=10, allow_redirects=False)


def ids(response: requests.Response) -> list[Any]:
    return [item["id"] for item in response.json()]


def all_ids(server: GitLabServer, path: str, **query: str | int) -> list[list[int]]:
    """Return the ids of every page that the links lead to."""
    response = get(server, path, **query)
    pages = [ids(response)]
    while "next" in response.links:
        response = get(server, response.links["next"]["url"])
        pages.append(ids(response))
    return pages


# ---------------------------------------------------------------------------------------------------------- tracker


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_added_changed_and_deleted_is_served_so(server: GitLabServer, project: Project, kind: str) -> None:
    items = getattr(project, kind)
    first, second = items.add(NOON), items.add(NOON + MINUTE, id=2**31 + 5)
    items.update(first, NOON + 2 * MINUTE, name="Lamp", title="Lamp")
    newest = get(server, f"projects/1/{kind}", **OLDEST_FIRST).json()[-1]
    assert (newest["id"], newest["iid"], newest["project_id"]) == (first, 1, 1)
    assert (newest["created_at"], newest["updated_at"]) == ("2026-01-05T12:00:00.000Z", "2026-01-05T12:02:00.000Z")
    assert newest["name" if kind == "pipelines" else "title"] == "Lamp"
    items.delete(first)
    assert ids(get(server, f"projects/1/{kind}")) == [second]


@pytest.mark.parametrize("kind", KINDS)
def test_a_time_is_kept_to_the_microsecond_and_shown_to_the_millisecond(
    server: GitLabServer, project: Project, kind: str
) -> None:
    moment = NOON + timedelta(microseconds=123_456)
    getattr(project, kind).add(moment)
    (shown,) = get(server, f"projects/1/{kind}").json()
    assert shown["updated_at"] == "2026-01-05T12:00:00.123Z"
    # So what is asked for from the shown time on is there, whether GitLab counts that time itself or not.
    assert ids(get(server, f"projects/1/{kind}", updated_after=shown["updated_at"])) == [shown["id"]]


@pytest.mark.parametrize(("kind", "is_inclusive"), [("issues", True), ("merge_requests", True), ("pipelines", False)])
def test_updated_after_counts_its_own_moment_but_for_pipelines(
    server: GitLabServer, project: Project, kind: str, is_inclusive: bool
) -> None:
    items = getattr(project, kind)
    before, at, after = (items.add(NOON + MICROSECOND * number) for number in (-1, 0, 1))
    expected = [at, after] if is_inclusive else [after]
    assert ids(get(server, f"projects/1/{kind}", updated_after=NOON.isoformat(), **OLDEST_FIRST)) == expected
    assert ids(get(server, f"projects/1/{kind}", updated_before=NOON.isoformat(), **OLDEST_FIRST)) == (
        [before, at] if is_inclusive else [before]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_equal_times_come_by_falling_id(server: GitLabServer, project: Project, kind: str) -> None:
    items = getattr(project, kind)
    late, early = items.add(NOON), items.add(NOON - MINUTE)
    same = items.add(NOON)
    assert ids(get(server, f"projects/1/{kind}", **OLDEST_FIRST)) == [early, same, late]


def test_a_pipeline_that_was_never_updated_comes_last_and_through_no_filter(
    server: GitLabServer, project: Project
) -> None:
    never = project.pipelines.add(NOON, updated_at=None)
    once = project.pipelines.add(NOON)
    assert ids(get(server, "projects/1/pipelines", **OLDEST_FIRST)) == [once, never]
    assert ids(get(server, "projects/1/pipelines", order_by="updated_at", sort="desc")) == [never, once]
    assert ids(get(server, "projects/1/pipelines", updated_after="2000-01-01T00:00:00Z")) == [once]


@pytest.mark.parametrize(
    ("kind", "query", "expected"),
    [
        ("issues", {"state": "closed"}, [1]),
        ("issues", {"order_by": "title", "sort": "asc"}, [2, 1]),
        ("merge_requests", {"state": "merged"}, [1]),
        ("merge_requests", {"source_branch": "change-2"}, [2]),
        ("pipelines", {"status": "failed"}, [1]),
        ("pipelines", {}, [2, 1]),
    ],
)
def test_lists_are_filtered_and_ordered(
    server: GitLabServer, project: Project, kind: str, query: dict[str, str | int], expected: list[int]
) -> None:
    items = getattr(project, kind)
    items.add(NOON, title="Z", state="closed" if kind == "issues" else "merged", status="failed")
    items.add(NOON, title="A")
    assert ids(get(server, f"projects/1/{kind}", **query)) == expected


def test_an_issue_has_what_the_edition_has(server: GitLabServer, project: Project) -> None:
    project.issues.add(NOON)
    (plain,) = get(server, "projects/1/issues").json()
    with GitLabServer(edition="ee") as enterprise:
        enterprise.add_project().issues.add(NOON, epic=make_epic(7), epic_iid=7, weight=3)
        (rich,) = get(enterprise, "projects/1/issues").json()
    only = {"weight", "blocking_issues_count", "epic", "epic_iid", "iteration", "health_status"}
    assert rich.keys() - plain.keys() == only
    assert (rich["epic"]["iid"], rich["weight"]) == (7, 3)


def test_an_issue_carries_people_milestone_and_labels(server: GitLabServer, project: Project) -> None:
    project.issues.add(
        NOON,
        author=None,
        assignees=[make_user(2), make_user(3)],
        milestone=make_milestone(4, NOON, group_id=1),
        labels=["red", "blue"],
        moved_to_id=2**31 + 1,
        closed_at=NOON,
    )
    project.issues.add(NOON, milestone=make_milestone(4, NOON, project_id=1))
    ours, group = get(server, "projects/1/issues").json()
    assert (group["assignee"]["id"], len(group["assignees"]), group["author"]) == (2, 2, None)
    assert (group["milestone"]["group_id"], "project_id" in group["milestone"]) == (1, False)
    assert (ours["milestone"]["project_id"], "group_id" in ours["milestone"]) == (1, False)
    assert (group["labels"], group["closed_at"]) == (["red", "blue"], "2026-01-05T12:00:00.000Z")
    detailed = get(server, "projects/1/issues", with_labels_details="true").json()[1]
    assert [label["name"] for label in detailed["labels"]] == ["red", "blue"]


def test_a_merge_request_has_commits(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "one")
    commit_ids = git(repository, "rev-list", "main").split()
    with GitLabServer(repository) as server:
        server.project(1).merge_requests.add(NOON, commit_ids=commit_ids[:2])
        assert get(server, "projects/1/merge_requests").json()[0]["sha"] == commit_ids[0]
        response = get(server, "projects/1/merge_requests/1/commits")
        assert (ids(response), response.headers["X-Total"]) == (commit_ids[:2], "2")
        assert get(server, "projects/1/merge_requests/2/commits").status_code == 404


# ----------------------------------------------------------------------------------------------------------- paging


def test_lists_are_paged_by_number_with_totals_up_to_a_limit(server: GitLabServer, project: Project) -> None:
    for _ in range(5):
        project.merge_requests.add(NOON)
    server.max_total = 5
    response = get(server, "projects/1/merge_requests", per_page=2, page=2)
    headers = [response.headers[f"X-{name}"] for name in ("Page", "Next-Page", "Prev-Page", "Total", "Total-Pages")]
    assert headers == ["2", "3", "1", "5", "3"]
    assert response.links.keys() == {"prev", "next", "first", "last"}
    assert get(server, "projects/1/merge_requests", per_page=2, page=3).headers["X-Next-Page"] == ""
    server.max_total = 4
    response = get(server, "projects/1/merge_requests", per_page=2)
    assert ("X-Total" in response.headers, response.headers["X-Next-Page"]) == (False, "2")
    assert response.links.keys() == {"next", "first"}


@pytest.mark.parametrize("order_by", ["created_at", "updated_at", "title", "due_date"])
@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_issues_are_paged_by_cursor_in_any_order(
    server: GitLabServer, project: Project, order_by: str, sort: str
) -> None:
    for number in (3, 1, 1, 2, 1, 2, 3):
        project.issues.add(NOON + number * MICROSECOND, title=str(number), due_date=f"2026-01-0{number}")
    project.issues.add(NOON, due_date=None)
    whole = ids(get(server, "projects/1/issues", order_by=order_by, sort=sort))
    pages = all_ids(server, "projects/1/issues", pagination="keyset", order_by=order_by, sort=sort, per_page=2)
    assert pages == [whole[0:2], whole[2:4], whole[4:6], whole[6:8]]


def test_a_cursor_is_not_led_astray_by_a_row_that_goes(server: GitLabServer, project: Project) -> None:
    numbers = [project.issues.add(NOON + number * MINUTE) for number in range(4)]
    first = get(server, "projects/1/issues", **KEYSET, per_page=2)
    project.issues.delete(numbers[1])
    second = get(server, first.links["next"]["url"])
    assert (ids(second), "Link" in second.headers) == (numbers[2:], False)
    assert not [name for name in second.headers if name.startswith("X-")]


def test_an_older_server_has_no_cursor_for_issues(server: GitLabServer) -> None:
    server.has_issue_keyset = False
    response = get(server, "projects/1/issues", **KEYSET)
    assert (response.status_code, response.json()) == (
        405,
        {"error": "Keyset pagination is not yet available for this type of request"},
    )


@pytest.mark.parametrize(("path", "kind"), [("projects", "Project"), ("projects/1/issues", "Issue")])
def test_a_deep_offset_is_refused_where_there_is_keyset_paging(server: GitLabServer, path: str, kind: str) -> None:
    server.max_offset = 10
    assert get(server, path, page=2, per_page=5).ok
    response = get(server, path, page=3, per_page=5)
    assert response.status_code == 405
    assert response.json()["error"].startswith(
        f"Offset pagination has a maximum allowed offset of 10 for requests that return objects of type {kind}."
    )


@pytest.mark.parametrize("kind", ["merge_requests", "pipelines"])
def test_a_deep_offset_is_served_where_there_is_none(server: GitLabServer, kind: str) -> None:
    server.max_offset = 10
    assert get(server, f"projects/1/{kind}", page=3, per_page=5).ok


@pytest.mark.parametrize(
    ("path", "query", "mistake"),
    [
        ("projects/1/merge_requests", {"pagination": "keyset"}, "pagination: GET"),
        ("projects/1/pipelines", {"cursor": "x"}, "cursor: GET"),
        ("projects/1/merge_requests/1/commits", {"since": "2026-01-01T00:00:00Z"}, "since: GET"),
        ("projects/1/repository/tags", {"updated_after": "2026-01-01T00:00:00Z"}, "updated_after: GET"),
        ("projects/1/repository/branches", {"order_by": "name"}, "order_by: GET"),
        ("projects/1/issues", {"order_by": "status"}, "order_by does not have a valid value"),
        ("projects/1/issues", {"updated_after": ""}, "updated_after is invalid"),
        ("projects/1/issues", {"updated_after": "2026-01-01T00:00:00"}, "updated_after has no time zone"),
        ("projects/1/pipelines", {"sort": "up"}, "sort does not have a valid value"),
        ("groups/sandbox/projects", {"pagination": "keyset"}, "pagination: GET"),
        (
            "projects",
            {"updated_after": "2026-01-01T00:00:00Z"},
            "`updated_at` filter and `updated_at` sorting must be paired",
        ),
    ],
)
def test_what_the_contract_forbids_is_a_mistake(
    server: GitLabServer, path: str, query: dict[str, str | int], mistake: str
) -> None:
    assert get(server, path, **query).status_code == 400
    assert [text.partition(": ")[2].startswith(mistake) for text in server.mistakes] == [True]
    server.mistakes.clear()


# --------------------------------------------------------------------------------------------------------- projects


def test_projects_are_listed_by_membership_and_visibility(server: GitLabServer, project: Project) -> None:
    visible, hidden = server.add_project(), server.add_project()
    visible.is_member, hidden.is_visible = False, False
    assert ids(get(server, "projects", membership="true")) == [1]
    assert ids(get(server, "projects", order_by="id")) == [2, 1]
    assert get(server, "projects/3").json() == {"message": "404 Project Not Found"}
    hidden.is_visible = True
    del server.projects[1]
    assert ids(get(server, "projects", order_by="id", sort="asc")) == [2, 3]
    assert get(server, "projects/1/issues").status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"order_by": "updated_at", "updated_after": NOON.isoformat()}, [2]),
        ({"order_by": "updated_at", "sort": "asc", "updated_before": NOON.isoformat()}, [1, 2]),
        ({"last_activity_after": NOON.isoformat()}, []),
        ({"order_by": "id", "id_after": 1}, [2]),
        ({"archived": "true"}, [2]),
        ({"search": "LAM"}, [1]),
    ],
)
def test_projects_are_filtered(server: GitLabServer, query: dict[str, str | int], expected: list[int]) -> None:
    other = server.add_project(created_at=NOON - 30 * MINUTE)
    other.is_archived = True
    other.update(NOON, description="Changed")
    assert ids(get(server, "projects", **query)) == expected


def test_a_group_has_its_projects_and_those_of_its_subgroups(server: GitLabServer) -> None:
    inner = server.add_project(group="sandbox/inner")
    server.add_project(group="sandboxes")
    assert ids(get(server, "groups/sandbox/projects")) == [1]
    assert ids(get(server, "groups/sandbox/projects", include_subgroups="true", order_by="id")) == [inner.id, 1]
    assert ids(get(server, "groups/sandbox%2Finner/projects")) == [inner.id]
    assert inner.entity()["namespace"]["parent_id"] == server.project(1).group.id
    assert get(server, "groups/nobody/projects").json() == {"message": "404 Group Not Found"}


def test_a_former_path_leads_to_the_project(server: GitLabServer, project: Project) -> None:
    project.rename("candle", NOON)
    response = get(server, "projects/sandbox%2Flamp/issues")
    assert (response.status_code, response.headers["Location"]) == (302, f"{server.url}/api/v4/projects/1/issues")
    assert get(server, "projects/sandbox%2Fcandle").json()["path_with_namespace"] == "sandbox/candle"


@pytest.mark.parametrize(
    ("feature", "path"),
    [
        ("issues", "issues"),
        ("merge_requests", "merge_requests"),
        ("builds", "pipelines"),
        ("repository", "repository/commits"),
        ("repository", "repository/branches"),
        ("repository", "repository/tags"),
    ],
)
def test_a_feature_that_is_disabled_is_refused(
    server: GitLabServer, project: Project, feature: str, path: str
) -> None:
    project.access_levels[feature] = "disabled"
    assert get(server, "projects/1").json()[f"{feature}_access_level"] == "disabled"
    assert get(server, f"projects/1/{path}").json() == {"message": "403 Forbidden"}


# --------------------------------------------------------------------------------------------------------- activity


def activity(server: GitLabServer, id: int = 1) -> str:
    shown = get(server, f"projects/{id}").json()["last_activity_at"]
    assert isinstance(shown, str)
    return shown.partition("T")[2]


def test_an_event_within_an_hour_of_the_last_leaves_the_activity(server: GitLabServer, project: Project) -> None:
    assert activity(server) == "10:20:00.000Z"
    for at, shown in ((59, "10:20:00.000Z"), (60, "11:20:00.000Z"), (70, "11:20:00.000Z")):
        project.push(NOON + (at - 100) * MINUTE)
        assert activity(server) == shown
    project.issues.add(NOON + 30 * MINUTE)
    assert activity(server) == "12:30:00.000Z"
    project.pipelines.add(NOON + 300 * MINUTE)
    project.issues.update(1, NOON + 300 * MINUTE)
    assert activity(server) == "12:30:00.000Z"


def test_a_push_is_noticed_unless_it_was_noted_before(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "one")
    with GitLabServer(repository) as server:
        assert activity(server) == "12:28:40.000Z"
        add_commits(repository, 1)
        server.project(1).push(NOON)
        server.now = NOON + 300 * MINUTE
        assert activity(server) == "12:00:00.000Z"
        git(repository, "tag", "v1")
        assert activity(server) == "17:00:00.000Z"


# ------------------------------------------------------------------------------------------------- trouble and drift


@pytest.mark.parametrize(
    ("answer", "status"), [(TOKEN_EXPIRED, 401), (INSUFFICIENT_SCOPE, 403), (RETRY_LATER, 429), (BAD_GATEWAY, 502)]
)
def test_trouble_comes_in_the_middle(server: GitLabServer, answer: Answer, status: int) -> None:
    server.fail_next(answer, after=1)
    responses: list[Any] = [get(server, "projects/1/issues") for _ in range(3)]
    assert [response.status_code for response in responses] == [200, status, 200]
    assert responses[1].text == answer.body


def test_a_list_may_change_between_its_pages(server: GitLabServer, project: Project) -> None:
    numbers = [project.issues.add(NOON) for _ in range(4)]
    server.after_answer(lambda: project.issues.delete(numbers[3]), path="issues")
    assert all_ids(server, "projects/1/issues", per_page=2) == [[4, 3], [1]]
