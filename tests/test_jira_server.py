"""The stand-in for Jira Cloud keeps to Jira's contract, and finds a client that does not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.servers.jira_server import JiraServer
from tests.servers.jira_site import DONE, IN_PROGRESS, IN_REVIEW, TO_DO
from wherescape.errors import SandboxError
from wherescape.testing.api_server import Answer

START = datetime(2026, 3, 2, 9, 30, 15, 123_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERYTHING = 'created >= "1970-01-01 00:00"'
IN_ORDER = f"{EVERYTHING} ORDER BY updated ASC, id ASC"


@pytest.fixture
def server() -> Iterator[JiraServer]:
    with JiraServer() as server:
        server.now = START
        yield server


def login(server: JiraServer) -> tuple[str, str]:
    return server.user_name, server.apikey


def get(server: JiraServer, path: str, **query: str | int) -> requests.Response:
    return requests.get(f"{server.url}/rest/{path}", params=query, auth=login(server), timeout=10)


def post(server: JiraServer, path: str, body: object, **query: str) -> requests.Response:
    url = f"{server.url}/rest/api/3/{path}"
    return requests.post(url, json=body, params=query, auth=login(server), timeout=10)


def search(server: JiraServer, jql: str = IN_ORDER, **more: Any) -> requests.Response:
    return post(server, "search/jql", {"jql": jql, "fields": ["id"], **more})


def ids(response: requests.Response) -> list[int]:
    assert response.ok, response.text
    return [int(issue["id"]) for issue in response.json()["issues"]]


def found(server: JiraServer, jql: str) -> list[int]:
    return ids(search(server, jql))


def all_pages(server: JiraServer, jql: str = IN_ORDER, **more: Any) -> list[list[int]]:
    pages, token = [], None
    while True:
        response = search(server, jql, nextPageToken=token, **more)
        pages.append(ids(response))
        token = response.json().get("nextPageToken")
        if token is None:
            return pages


def changelog(server: JiraServer, body: dict[str, Any]) -> list[tuple[str, list[str]]]:
    response = post(server, "changelog/bulkfetch", body)
    assert response.ok, response.text
    return [
        (log["issueId"], [history["id"] for history in log["changeHistories"]])
        for log in response.json()["issueChangeLogs"]
    ]


def only_mistake(server: JiraServer) -> str:
    """Return what the client did wrong, and forget it."""
    (mistake,) = server.mistakes
    server.mistakes.clear()
    return mistake


# ----------------------------------------------------------------------------------------------------------- logins


def test_basic_and_bearer_are_accepted_on_site_and_cloud_address(server: JiraServer) -> None:
    bearer = {"Authorization": f"Bearer {server.apikey}"}
    for url in (server.url, server.cloud_url):
        by_basic = requests.get(f"{url}/rest/api/3/myself", auth=login(server), timeout=10)
        by_bearer = requests.get(f"{url}/rest/api/3/myself", headers=bearer, timeout=10)
        assert by_basic.json() == by_bearer.json()
        assert by_basic.json()["timeZone"] == "UTC"


def test_a_wrong_login_is_refused_by_myself_and_sees_nothing_elsewhere(server: JiraServer) -> None:
    server.add_issue()
    server.is_login_valid = False
    refused = get(server, "api/3/myself")
    assert (refused.status_code, refused.headers["Content-Type"]) == (401, "text/plain")
    nothing = search(server)
    assert (nothing.status_code, nothing.json()) == (200, {"issues": [], "isLast": True})
    assert nothing.headers["X-Seraph-LoginReason"] == "AUTHENTICATED_FAILED"
    assert get(server, "api/3/project/search").json()["total"] == 0
    assert get(server, "api/3/worklog/updated").status_code == 401


@pytest.mark.parametrize("place", ["site", "cloud"])
def test_a_wrong_bearer_is_refused_everywhere(server: JiraServer, place: str) -> None:
    url = server.url if place == "site" else server.cloud_url
    headers = {"Authorization": "Bearer wrong"}
    assert requests.get(f"{url}/rest/api/3/field", headers=headers, timeout=10).status_code == 401


# --------------------------------------------------------------------------------------------------------- searches


def test_pages_are_continued_by_a_token_that_the_last_one_lacks(server: JiraServer) -> None:
    issues = [server.add_issue() for _ in range(5)]
    first = search(server, maxResults=2)
    assert (ids(first), first.json()["isLast"]) == (issues[:2], False)
    last = search(server, maxResults=9, nextPageToken=first.json()["nextPageToken"])
    assert (ids(last), last.json()["isLast"]) == (issues[2:], True)
    assert "nextPageToken" not in last.json()
    again = search(server, maxResults=9, nextPageToken=first.json()["nextPageToken"])
    assert ids(again) == issues[2:]


def test_the_flag_of_the_last_page_may_be_absent(server: JiraServer) -> None:
    server.add_issue()
    server.tells_is_last = False
    assert search(server).json().keys() == {"issues"}


def test_pages_can_be_short_or_empty_before_the_end(server: JiraServer) -> None:
    issues = [server.add_issue() for _ in range(9)]
    server.pages_are_short = True
    pages = all_pages(server, maxResults=4)
    assert sum(pages, []) == issues
    assert [] in pages[:-1]


def test_fewer_issues_come_with_fields_than_with_ids(server: JiraServer) -> None:
    server.issues_per_page = 2
    for _ in range(3):
        server.add_issue()
    assert len(ids(search(server, fields=["id", "key"]))) == 3
    assert len(ids(search(server, fields=["summary"]))) == 2


def test_a_token_is_bound_to_its_query_and_expires(server: JiraServer) -> None:
    for _ in range(2):
        server.add_issue()
    token = search(server, maxResults=1).json()["nextPageToken"]
    assert search(server, EVERYTHING, nextPageToken=token).status_code == 400
    assert "another query" in only_mistake(server)
    server.now = START + timedelta(days=8)
    assert search(server, nextPageToken=token).status_code == 400
    assert server.mistakes == []


def test_a_change_between_pages_moves_an_issue_to_the_end_of_an_ascending_list(server: JiraServer) -> None:
    one, two, three = (server.add_issue() for _ in range(3))
    server.after_answer(lambda: server.touch(one), path="search")
    server.now = START + MINUTE
    server.after_answer(lambda: server.delete_issue(two), path="search")
    assert all_pages(server, maxResults=1) == [[one], [three], [one]]


def test_a_change_between_pages_is_missed_in_a_descending_list(server: JiraServer) -> None:
    one, two, three = (server.add_issue() for _ in range(3))
    server.now = START + MINUTE
    server.after_answer(lambda: server.touch(one), path="search")
    assert all_pages(server, f"{EVERYTHING} ORDER BY updated DESC, id DESC", maxResults=1) == [[three], [two]]


def test_the_search_sees_a_write_late(server: JiraServer) -> None:
    server.search_delay = 2 * MINUTE
    issue = server.add_issue()
    assert found(server, IN_ORDER) == []
    server.now = START + 2 * MINUTE
    assert found(server, IN_ORDER) == [issue]
    server.delete_issue(issue)
    assert found(server, IN_ORDER) == [issue]
    assert (
        post(server, "issue/bulkfetch", {"issueIdsOrKeys": [str(issue)], "fields": ["summary"]}).json()["issues"] == []
    )
    server.now = START + 4 * MINUTE
    assert found(server, IN_ORDER) == []


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        ("project in (EX)", "ab"),
        ('project = "Example" AND labels = red', "b"),
        ("project not in (EX, 10001)", "c"),
        ("(project = AB OR labels in (red)) AND NOT statusCategory = Done", "b"),
        ("statusCategory in (done)", "c"),
        ("labels is not EMPTY", "b"),
        ('updated >= "2026-03-02 09:31" AND updated < "2026/03/02 09:32"', "b"),
        ("updated >= -1m", "bc"),
        ("id in (10002, 10004)", "ac"),
        ("id > 10002", "bc"),
        ('created >= "2026-03-03"', ""),
    ],
)
def test_jql_finds_what_it_says(server: JiraServer, restriction: str, expected: str) -> None:
    issues = {"a": server.add_issue()}
    server.now = START + MINUTE
    issues["b"] = server.add_issue(labels=["red", "blue"])
    server.now = START + 2 * MINUTE
    issues["c"] = server.add_issue(project_id=server.add_project("AB"), status_id=DONE)
    numbers = {str(10_002 + n): str(issue) for n, issue in enumerate(issues.values())}
    for placeholder, number in reversed(numbers.items()):
        restriction = restriction.replace(placeholder, number)
    restriction = restriction.replace("10001", next(iter(server.projects)))
    assert found(server, f"{restriction} ORDER BY updated ASC, id") == [issues[name] for name in expected]


@pytest.mark.parametrize(
    ("time_zone", "local", "finds"),
    [
        ("UTC", "2026-03-02 09:30", True),
        ("UTC", "2026-03-02 09:31", False),
        ("Europe/Amsterdam", "2026-03-02 10:30", True),
        ("Europe/Amsterdam", "2026-03-02 10:31", False),
        ("Asia/Kolkata", "2026-03-02 15:00", True),
        ("America/Sao_Paulo", "2026-03-02 06:31", False),
    ],
)
def test_dates_of_jql_are_in_the_users_time_zone(time_zone: str, local: str, finds: bool) -> None:
    with JiraServer(time_zone) as server:
        server.now = START
        server.add_issue()
        assert bool(found(server, f'updated >= "{local}"')) == finds


@pytest.mark.parametrize(("fold", "finds"), [(0, "ab"), (1, "b")])
def test_a_doubled_hour_means_either_of_its_moments(fold: int, finds: str) -> None:
    with JiraServer("Europe/Amsterdam") as server:
        server.fold = fold
        server.now = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
        first = server.add_issue()
        server.pass_time(60 * MINUTE)
        second = server.add_issue()
        shown = post(server, "search/jql", {"jql": IN_ORDER, "fields": ["created"]}).json()["issues"]
        assert [issue["fields"]["created"] for issue in shown] == [
            "2026-10-25T02:45:00.000+0200",
            "2026-10-25T02:45:00.000+0100",
        ]
        expected = [{"a": first, "b": second}[name] for name in finds]
        assert found(server, 'updated >= "2026-10-25 02:30" ORDER BY id') == expected


def test_an_unknown_project_is_refused_without_blaming_the_client(server: JiraServer) -> None:
    server.add_project("XX", hidden=True)
    response = search(server, "project in (XX)")
    assert (response.status_code, response.json()["errorMessages"]) == (
        400,
        ["The value 'XX' does not exist for the field 'project'."],
    )
    assert server.mistakes == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"jql": EVERYTHING}, "without `fields`"),
        ({"jql": "ORDER BY updated", "fields": ["id"]}, "Unbounded"),
        ({"jql": "", "fields": ["id"]}, "Unbounded"),
        ({"jql": 'updated >= "2026-03-02T09:30:00Z"', "fields": ["id"]}, "Valid formats include"),
        ({"jql": 'updated >= "2026-03-02 09:30:00"', "fields": ["id"]}, "Valid formats include"),
        ({"jql": "updated >= 2026-03-02 09:30", "fields": ["id"]}, "Expecting operator"),
        ({"jql": "shoe_size = 3", "fields": ["id"]}, "'shoe_size' does not exist"),
        ({"jql": "project = EX AND", "fields": ["id"]}, "before the end"),
        ({"jql": "(project = EX", "fields": ["id"]}, "Expecting ')'"),
        ({"jql": f"{EVERYTHING} ORDER BY {', '.join(['created'] * 8)}", "fields": ["id"]}, "at most 7"),
        ({"jql": EVERYTHING, "fields": ["id"], "maxResults": 5001}, "maxResults is 5001"),
        ({"jql": EVERYTHING, "fields": ["id"], "expand": ["names"]}, "expand"),
        ({"jql": EVERYTHING, "fields": "id"}, "fields"),
        ({"jql": EVERYTHING, "fields": ["shoesize"]}, "no fields ['shoesize']"),
        ({"jql": EVERYTHING, "fields": ["id"], "startAt": 0}, "startAt"),
    ],
)
def test_a_wrong_search_is_refused_and_remembered(server: JiraServer, body: dict[str, Any], told: str) -> None:
    assert post(server, "search/jql", body).status_code == 400
    assert told in only_mistake(server)


def test_a_client_that_passes_over_a_refusal_is_found() -> None:
    with pytest.raises(SandboxError, match="Unbounded"), JiraServer() as server:
        search(server, "ORDER BY created")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_old_search_is_gone(server: JiraServer, method: str) -> None:
    response = requests.request(method, f"{server.url}/rest/api/3/search", auth=login(server), timeout=10)
    assert response.status_code == 410
    assert "removed" in only_mistake(server)


@pytest.mark.parametrize("path", ["api/3/issue/1/watchers", "api/3/field?x=1", "api/3/users/search?max=1"])
def test_what_is_not_there_is_refused_and_remembered(server: JiraServer, path: str) -> None:
    assert get(server, path).status_code in (400, 404)
    assert only_mistake(server)


def test_the_search_can_be_asked_by_get_too(server: JiraServer) -> None:
    issue = server.add_issue()
    assert ids(get(server, "api/3/search/jql", jql=EVERYTHING, fields="id,key", maxResults=10)) == [issue]


def test_the_count_is_that_of_the_search(server: JiraServer) -> None:
    server.add_issue()
    assert post(server, "search/approximate-count", {"jql": EVERYTHING}).json() == {"count": 1}


# ----------------------------------------------------------------------------------------------------------- issues


def fetch(server: JiraServer, *id_or_keys: str | int, fields: tuple[str, ...] = ("summary",)) -> Any:
    return post(server, "issue/bulkfetch", {"issueIdsOrKeys": [*map(str, id_or_keys)], "fields": [*fields]}).json()


def test_issues_come_by_id_in_order_and_without_those_that_are_gone(server: JiraServer) -> None:
    one, two, three = (server.add_issue() for _ in range(3))
    server.delete_issue(two)
    answer = fetch(server, three, two, one)
    assert [issue["id"] for issue in answer["issues"]] == [str(one), str(three)]
    assert answer["issueErrors"] == []
    server.unreadable_issues.add(one)
    assert [error["id"] for error in fetch(server, one, three)["issueErrors"]] == [str(one)]


def test_a_moved_issue_keeps_its_id_and_is_found_by_its_old_key(server: JiraServer) -> None:
    issue = server.add_issue()
    server.move(issue, server.add_project("NEW"))
    (shown,) = fetch(server, "EX-1", fields=("project",))["issues"]
    assert (shown["id"], shown["key"], shown["fields"]["project"]["key"]) == (str(issue), "NEW-1", "NEW")
    (history,) = get(server, f"api/3/issue/{issue}/changelog").json()["values"]
    assert ["fieldId" in item for item in history["items"]] == [True, False]


def test_fields_are_as_jira_shows_them() -> None:
    with JiraServer("Asia/Shanghai", language="zh") as server:
        server.now = START
        points = server.add_custom_field("Story Points", "number")
        team = server.add_custom_field("Team", "cascading")
        values: dict[str, Any] = {points: 3.5, team: ("A", "A1")}
        issue = server.add_issue("Lamp", description="One\nTwo", **values)
        server.transition(issue, DONE)
        fields = ("created", "status", "resolution", "resolutiondate", "description", "assignee", points, team)
        (shown,) = fetch(server, issue, fields=fields)["issues"]
        values = shown["fields"]
        assert values["created"] == values["resolutiondate"] == "2026-03-02T17:30:15.123+0800"
        assert (values["status"]["id"], values["status"]["name"]) == (DONE, "已完成")
        assert values["status"]["statusCategory"]["key"] == "done"
        assert values["resolution"]["id"] == "10000"
        assert [part["content"][0]["text"] for part in values["description"]["content"]] == ["One", "Two"]
        assert (values["assignee"], values[points]) == (None, 3.5)
        assert (values[team]["value"], values[team]["child"]["value"]) == ("A", "A1")
        described = {field["id"]: field for field in get(server, "api/3/field").json()}
        assert described[points]["schema"]["type"] == "number"
        assert "schema" not in described["issuekey"]


def test_a_team_managed_project_lacks_some_fields(server: JiraServer) -> None:
    issue = server.add_issue(project_id=server.add_project("TM", team_managed=True, private=True))
    (shown,) = fetch(server, issue, fields=("environment", "summary"))["issues"]
    assert shown["fields"].keys() == {"summary"}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"issueIdsOrKeys": ["1"]}, "fields"),
        ({"issueIdsOrKeys": [str(n) for n in range(101)], "fields": ["id"]}, "1 to 100"),
        ({"issueIdsOrKeys": [1], "fields": ["id"]}, "texts"),
        ({"issueIdsOrKeys": [], "fields": ["id"]}, "1 to 100"),
        ({"issueIdsOrKeys": ["1"], "fields": ["id"], "expand": "names"}, "expand"),
    ],
)
def test_a_wrong_fetch_is_refused(server: JiraServer, body: dict[str, Any], told: str) -> None:
    assert post(server, "issue/bulkfetch", body).status_code == 400
    assert told in only_mistake(server)


def test_a_deleted_status_is_known_to_the_histories_only(server: JiraServer) -> None:
    odd = server.add_status("Odd", "indeterminate")
    issue = server.add_issue()
    server.transition(issue, odd)
    server.transition(issue, TO_DO)
    server.delete_status(odd)
    assert odd not in {status["id"] for status in get(server, "api/3/status").json()}
    first, _ = get(server, f"api/3/issue/{issue}/changelog").json()["values"]
    assert first["items"][0] == {
        "field": "status",
        "fieldtype": "jira",
        "fieldId": "status",
        "from": TO_DO,
        "fromString": "To Do",
        "to": odd,
        "toString": "Odd",
    }


# -------------------------------------------------------------------------------------------------------- changelog


def test_histories_are_split_over_pages_by_their_date(server: JiraServer) -> None:
    one, two = server.add_issue(), server.add_issue()
    for status in (IN_PROGRESS, IN_REVIEW):
        for issue in (one, two):
            server.pass_time(MINUTE)
            server.transition(issue, status)
    server.histories_per_page = 3
    body: dict[str, Any] = {"issueIdsOrKeys": [str(one), str(two)]}
    first = post(server, "changelog/bulkfetch", body).json()
    assert [(log["issueId"], len(log["changeHistories"])) for log in first["issueChangeLogs"]] == [
        (str(one), 2),
        (str(two), 1),
    ]
    last = post(server, "changelog/bulkfetch", {**body, "nextPageToken": first["nextPageToken"]}).json()
    assert [(log["issueId"], len(log["changeHistories"])) for log in last["issueChangeLogs"]] == [(str(two), 1)]
    assert "nextPageToken" not in last


def test_a_filtered_changelog_has_whole_histories_of_the_field(server: JiraServer) -> None:
    issue = server.add_issue()
    server.update_issue(issue, summary="Other")
    server.transition(issue, DONE)
    everything, of_status = changelog(server, {"issueIdsOrKeys": [str(issue)]}), {"fieldIds": ["status"]}
    (filtered,) = changelog(server, {"issueIdsOrKeys": [str(issue)], **of_status})
    assert filtered == (str(issue), everything[0][1][1:])
    history = server.issues[issue].histories[1]
    assert [item["field"] for item in history.items] == ["status", "resolution"]


@pytest.mark.parametrize(
    ("dates", "created"),
    [("milliseconds", 1_772_443_815_123), ("seconds", 1_772_443_815), ("text", "2026-03-02T09:30:15.123+0000")],
)
def test_the_date_of_a_history_comes_in_three_forms(server: JiraServer, dates: Any, created: object) -> None:
    server.history_dates = dates
    issue = server.add_issue()
    server.update_issue(issue, summary="Other")
    (log,) = post(server, "changelog/bulkfetch", {"issueIdsOrKeys": [str(issue)]}).json()["issueChangeLogs"]
    assert log["changeHistories"][0]["created"] == created


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"issueIdsOrKeys": [str(n) for n in range(1_001)]}, "1 to 1000"),
        ({"issueIdsOrKeys": ["1"], "fieldIds": [str(n) for n in range(11)]}, "1 to 10 "),
        ({"issueIdsOrKeys": ["1"], "maxResults": 10_001}, "10001"),
        ({"issueIdsOrKeys": ["1", "1"]}, "different"),
        ({"issueKeys": ["1"]}, "issueKeys, issueIdsOrKeys"),
    ],
)
def test_a_wrong_request_for_changelogs_is_refused(server: JiraServer, body: dict[str, Any], told: str) -> None:
    assert post(server, "changelog/bulkfetch", body).status_code == 400
    assert told in only_mistake(server)


# --------------------------------------------------------------------------------------------------------- worklogs


def updated_worklogs(server: JiraServer, since: int = 0, what: str = "updated") -> Any:
    return get(server, f"api/3/worklog/{what}", since=since).json()


def numbers(page: Any) -> list[int]:
    return [value["worklogId"] for value in page["values"]]


def test_worklogs_of_the_last_minute_are_not_yet_listed(server: JiraServer) -> None:
    log = server.add_worklog(server.add_issue())
    assert numbers(updated_worklogs(server)) == []
    server.now = START + MINUTE
    assert numbers(updated_worklogs(server)) == [log]


def test_changed_worklogs_are_paged_by_time(server: JiraServer) -> None:
    issue = server.add_issue()
    first = server.add_worklog(issue)
    server.now = START + MINUTE
    second, third = server.add_worklog(issue), server.add_worklog(issue)
    server.now = START + 2 * MINUTE
    fourth = server.add_worklog(issue)
    server.edit_worklog(first, 60)
    server.now = START + 4 * MINUTE
    server.worklogs_per_page = 1
    page = updated_worklogs(server)
    assert (numbers(page), page["lastPage"]) == ([second, third], False)
    assert page["nextPage"].endswith(f"/rest/api/3/worklog/updated?since={page['until']}")
    server.includes_since = False
    last = updated_worklogs(server, page["until"])
    assert (sorted(numbers(last)), last["lastPage"]) == ([first, fourth], True)
    assert "nextPage" not in last


def test_a_deleted_worklog_is_told_unless_its_issue_went_with_it(server: JiraServer) -> None:
    one, two = server.add_issue(), server.add_issue()
    gone, lost = server.add_worklog(one), server.add_worklog(two)
    server.delete_worklog(gone)
    server.delete_issue(two)
    server.now = START + MINUTE
    assert numbers(updated_worklogs(server, what="deleted")) == [gone]
    assert numbers(updated_worklogs(server)) == []
    assert post(server, "worklog/list", {"ids": [gone, lost]}).json() == []


def test_a_worklog_is_shown_with_its_issue(server: JiraServer) -> None:
    issue = server.add_issue()
    log = server.add_worklog(issue, 600, comment="Looked")
    (shown,) = post(server, "worklog/list", {"ids": [log]}).json()
    assert (shown["id"], shown["issueId"], shown["timeSpentSeconds"]) == (str(log), str(issue), 600)
    (updated,) = fetch(server, issue, fields=("timespent",))["issues"]
    assert updated["fields"] == {"timespent": 600}


@pytest.mark.parametrize("wanted", [["1"], [*range(1_001)]])
def test_a_wrong_request_for_worklogs_is_refused(server: JiraServer, wanted: list[object]) -> None:
    assert post(server, "worklog/list", {"ids": wanted}).status_code == 400
    assert "1000 numbers" in only_mistake(server)


# --------------------------------------------------------------------------------------- projects, users and boards


def test_projects_are_capped_in_silence_and_differ_in_their_fields(server: JiraServer) -> None:
    server.add_project("AA", private=True, team_managed=True)
    server.add_project("BB", private=False)
    server.add_project("ZZ", hidden=True)
    server.archive_project(server.add_project("CC"))
    server.projects_per_page = 2
    first = get(server, "api/3/project/search", maxResults=500).json()
    assert [project["key"] for project in first["values"]] == ["AA", "BB"]
    assert (first["maxResults"], first["total"], first["isLast"]) == (2, 3, False)
    last = requests.get(first["nextPage"], auth=login(server), timeout=10).json()
    assert [("isPrivate" in project, "uuid" in project) for project in first["values"] + last["values"]] == [
        (True, True),
        (True, False),
        (False, False),
    ]
    assert last["isLast"]
    archived = get(server, "api/3/project/search", status="archived", expand="description,lead").json()
    assert [(project["key"], project["description"], "url" in project) for project in archived["values"]] == [
        ("CC", "", False)
    ]


def test_pages_of_users_are_short_where_some_are_filtered(server: JiraServer) -> None:
    server.add_user("Not shown", filtered=True)
    server.add_user("Bot", kind="app")
    first = get(server, "api/3/users/search", startAt=0, maxResults=2).json()
    second = get(server, "api/3/users/search", startAt=2, maxResults=2).json()
    assert [user["displayName"] for user in first + second] == ["Mia Krystof", "Bot"]
    assert "emailAddress" not in second[0]
    assert get(server, "api/3/users/search", startAt=4).json() == []


def test_a_sprint_may_be_on_several_boards_and_a_kanban_board_has_none(server: JiraServer) -> None:
    one, two = server.add_board("One"), server.add_board("Two")
    kanban = server.add_board("Three", kind="kanban")
    sprint = server.add_sprint(one, "Sprint 1", state="active", start=START, also_on=[two])
    assert get(server, "agile/1.0/board", maxResults=2).json()["isLast"] is False
    for board in (one, two):
        page = get(server, f"agile/1.0/board/{board}/sprint").json()
        assert [(value["id"], value["originBoardId"]) for value in page["values"]] == [(sprint, one)]
        assert "total" not in page and "endDate" not in page["values"][0]
    assert get(server, f"agile/1.0/board/{kanban}/sprint").status_code == 400


def test_a_site_without_jira_software_has_no_boards() -> None:
    with JiraServer(agile=False) as server:
        response = get(server, "agile/1.0/board")
        assert (response.status_code, response.headers["Content-Type"]) == (404, "text/html")


def test_headers_of_a_quota_come_with_every_answer(server: JiraServer) -> None:
    server.more_headers = {"X-RateLimit-NearLimit": "true"}
    server.fail_next(Answer(429, "", {"Retry-After": "2", "RateLimit-Reason": "jira-burst-based"}))
    assert get(server, "api/3/myself").headers["RateLimit-Reason"] == "jira-burst-based"
    assert get(server, "api/3/myself").headers["X-RateLimit-NearLimit"] == "true"
