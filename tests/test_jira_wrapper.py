"""The Jira wrapper against a Jira on loopback, trap by trap."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.servers.jira_server import JiraServer
from tests.servers.jira_site import DONE, IN_PROGRESS, IN_REVIEW, TO_DO
from wherescape.api_response import Record
from wherescape.connectors.jira.jira_scope import Scope
from wherescape.connectors.jira.jira_tables import (
    BOARDS,
    CHANGES,
    DELETED_WORKLOGS,
    ISSUES,
    PROJECTS,
    SPRINTS,
    USERS,
    WORKLOGS,
)
from wherescape.connectors.jira.jira_wrapper import Jira
from wherescape.errors import ApiAnswerInvalid, ApiError, ApiRateLimited, ApiRefused, DeclarationError
from wherescape.extraction import Skipped
from wherescape.testing.api_server import Answer, json_answer

NOW = datetime(2026, 1, 5, 10, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def server() -> Iterator[JiraServer]:
    with JiraServer() as server:
        server.now = NOW
        yield server


@pytest.fixture
def jira(server: JiraServer) -> Iterator[Jira]:
    with Jira(server.user_name, server.apikey, server.url, max_retries=1) as jira:
        yield jira


def ids(records: Iterator[Record]) -> list[int]:
    return [int(record["id"]) for record in records]


def asked(server: JiraServer, path: str) -> list[Record]:
    """Return the bodies of the requests of a path."""
    return [request.body for request in server.requests if request.path.endswith(path)]


# --------------------------------------------------------------------------------------------------- login and address


@pytest.mark.parametrize("ending", ["", "/", "/rest/api/3", "/rest/api/3/"])
@pytest.mark.parametrize("is_cloud", [False, True], ids=["site", "cloud"])
def test_a_site_is_read_by_either_address(server: JiraServer, ending: str, is_cloud: bool) -> None:
    issue = server.add_issue()
    base_url = (server.cloud_url if is_cloud else server.url) + ending
    for user in (server.user_name, ""):
        with Jira(user, server.apikey, base_url) as jira:
            assert ids(jira.issues()) == [issue]
    schemes = {request.headers["Authorization"].split()[0] for request in server.requests}
    assert schemes == {"Basic", "Bearer"}


@pytest.mark.parametrize("base_url", ["example.atlassian.net", "ftp://example.atlassian.net", "https://", " "])
def test_an_address_that_is_none_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(DeclarationError, match="must be an address like https"):
        Jira("mia@example.com", "ATATT-never-sent", base_url)


@pytest.mark.parametrize("user", ["mia@example.com", ""])
def test_a_wrong_login_is_an_error_although_most_answers_are_empty(server: JiraServer, user: str) -> None:
    with Jira(user, "ATATT-wrong", server.url) as jira:
        for read in (jira.projects, jira.issues, jira.issue_ids, jira.changes, jira.worklogs, jira.boards, jira.users):
            with pytest.raises(ApiRefused, match="answered 401"):
                list(read())
    assert {request.path for request in server.requests} == {"/rest/api/3/myself"}


def test_an_answer_that_names_no_user_is_an_error(server: JiraServer, jira: Jira) -> None:
    server.fail_next(json_answer({"displayName": "Former user"}), path="myself")
    with pytest.raises(ApiAnswerInvalid, match="does not say whose login it is"):
        list(jira.projects())


@pytest.mark.parametrize(
    ("what", "before"), [("changes", "search/jql"), ("issues", "issue/bulkfetch")], ids=["changes", "issues"]
)
def test_a_login_that_is_lost_for_one_answer_is_an_error(what: str, before: str) -> None:
    with JiraServer() as server:
        issue = server.add_issue()
        server.transition(issue, IN_PROGRESS)
        server.after_answer(lambda: setattr(server, "is_login_valid", False), path=before)
        server.after_answer(lambda: setattr(server, "is_login_valid", True), path="changelog/bulkfetch")
        with (
            Jira(server.user_name, server.apikey, server.url, max_retries=0) as jira,
            pytest.raises(ApiRefused, match="as if without a login"),
        ):
            list(getattr(jira, what)())


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("path", ["search/jql", "issue/bulkfetch", "changelog/bulkfetch", "status"])
def test_a_login_that_ends_in_the_middle_is_an_error(server: JiraServer, jira: Jira, path: str, is_told: bool) -> None:
    server.tells_failed_login = is_told
    server.add_issue(status_id=IN_PROGRESS)
    server.after_answer(lambda: setattr(server, "is_login_valid", False), path=path)
    with pytest.raises(ApiRefused, match=r"answered 401|as if without a login"):
        list(jira.issues())


def test_another_user_in_the_end_is_an_error(server: JiraServer, jira: Jira) -> None:
    server.fail_next(json_answer({"accountId": "somebody else"}), path="myself", after=1)
    with pytest.raises(ApiAnswerInvalid, match="another user's"):
        list(jira.projects())


# ------------------------------------------------------------------------------------------------------------ projects


def test_all_pages_of_projects_are_read(server: JiraServer, jira: Jira) -> None:
    server.projects_per_page = 7
    for number in range(30):
        server.add_project(f"P{number}", private=number % 2 == 0 or None)
    assert ids(jira.projects()) == sorted(
        map(int, server.projects), key=lambda number: server.projects[f"{number}"].key
    )


def test_a_project_says_what_it_is(server: JiraServer, jira: Jira) -> None:
    server.add_project("TM", "Team", private=True, team_managed=True, category="Inside", description="About")
    example, team = jira.projects()
    assert {column.source for column in PROJECTS.columns} == set(example) == set(team)
    assert (example["isprivate"], example["entityid"], example["uuid"]) == (None, None, None)
    assert (team["isprivate"], team["style"], team["projectcategory_name"]) == (True, "next-gen", "Inside")
    assert (team["uuid"], team["description"]) == (f"uuid-{team['id']}", "About")
    assert (team["lead_displayname"], team["archived"]) == ("Mia Krystof", False)


def test_private_projects_can_be_left_out(server: JiraServer, jira: Jira) -> None:
    server.add_project("AA", private=True)
    server.add_project("BB", private=False)
    assert [project["key"] for project in jira.projects(include_private=False)] == ["BB", "EX"]


def test_archived_projects_come_on_request(server: JiraServer, jira: Jira) -> None:
    server.archive_project(server.add_project("OLD"))
    assert [project["key"] for project in jira.projects()] == ["EX"]
    assert [(project["key"], project["archived"]) for project in jira.projects(archived=True)] == [
        ("EX", False),
        ("OLD", True),
    ]


def test_a_project_that_appears_while_they_are_read_repeats_none(server: JiraServer, jira: Jira) -> None:
    server.projects_per_page = 2
    for key in ("B", "C", "D"):
        server.add_project(key)
    server.after_answer(lambda: server.add_project("A"), path="project/search")
    assert [project["key"] for project in jira.projects()] == ["B", "C", "D", "EX"]


def test_a_project_that_goes_while_they_are_read_shows_as_a_short_list(server: JiraServer, jira: Jira) -> None:
    server.projects_per_page = 2
    gone = server.add_project("A")
    for key in ("B", "C", "D"):
        server.add_project(key)
    server.after_answer(lambda: server.delete_project(gone), path="project/search")
    assert len(list(jira.projects())) == 4
    assert jira.extraction.incomplete == [Skipped("rest/api/3/project/search", "4 of 5 rows came")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"values": [], "total": 3, "startAt": 0, "isLast": False}, "empty page after 0 records"),
        ({"values": [], "total": 3}, "empty page after 0 records"),
        ({"values": [{"key": "EX"}]}, "without an id"),
        ({"values": [{"id": "1"}], "startAt": 50}, "another page"),
        ({"total": 3}, "no list of records in values"),
        ({"values": ["EX"]}, "no list of records in values"),
        (["EX"], "no list of records in values"),
    ],
)
def test_a_page_of_projects_that_cannot_be_right_is_an_error(
    server: JiraServer, jira: Jira, body: object, message: str
) -> None:
    server.fail_next(json_answer(body), path="project/search")
    with pytest.raises(ApiAnswerInvalid, match=message):
        list(jira.projects())


def test_a_list_without_flag_and_total_ends_with_an_empty_page(server: JiraServer, jira: Jira) -> None:
    server.fail_next(json_answer({"values": [{"id": "1"}]}), path="project/search")
    server.fail_next(json_answer({"values": []}), path="project/search")
    assert ids(jira.projects()) == [1]


# -------------------------------------------------------------------------------------------------------------- issues


def test_an_issue_has_every_declared_column(server: JiraServer, jira: Jira) -> None:
    person = server.add_user("Ann Lee", "ann@example.com")
    parent = server.add_issue("Epic")
    server.pass_time(HOUR)
    issue = server.add_issue(
        "Lamp",
        assignee=person,
        parent=parent,
        description="It is dark.",
        labels=["b", "a"],
        components=["Light"],
        fixVersions=["1.0"],
        duedate="2026-02-01",
        timeoriginalestimate=7_200,
    )
    server.transition(issue, DONE)
    *_, record = jira.issues()
    assert set(record) == {column.source for column in ISSUES.columns}
    expected = {
        "id": str(issue),
        "key": "EX-2",
        "summary": "Lamp",
        "project_key": "EX",
        "parent_id": str(parent),
        "parent_key": "EX-1",
        "assignee_accountid": person,
        "assignee_displayname": "Ann Lee",
        "creator_displayname": "Mia Krystof",
        "status_id": DONE,
        "status_statuscategory_id": 3,
        "status_statuscategory_key": "done",
        "resolution": "Done",
        "resolution_id": "10000",
        "description": "It is dark.",
        "environment": None,
        "labels": ["b", "a"],
        "components": [{"id": "1", "name": "Light"}],
        "fixversions": [{"id": "1", "name": "1.0"}],
        "duedate": "2026-02-01",
        "timeoriginalestimate": 7_200,
        "issuetype_hierarchylevel": 0,
    }
    assert {name: record[name] for name in expected} == expected


def test_an_issue_of_a_team_managed_project_lacks_fields_and_has_nulls(server: JiraServer, jira: Jira) -> None:
    server.add_issue("Lamp", server.add_project("TM", team_managed=True))
    (record,) = jira.issues()
    assert set(record) == {column.source for column in ISSUES.columns}
    assert record["environment"] is record["resolution"] is record["assignee_accountid"] is None


def test_issues_come_by_the_hundred_in_the_order_of_their_creation(server: JiraServer, jira: Jira) -> None:
    issues = [server.add_issue() for _ in range(250)]
    assert ids(jira.issues()) == issues
    assert sorted(len(body["issueIdsOrKeys"]) for body in asked(server, "issue/bulkfetch")) == [50, 100, 100]
    (search,) = asked(server, "search/jql")
    assert (search["fields"], search["maxResults"]) == (["id"], 5_000)


def test_an_issue_that_is_there_but_left_out_is_an_error(server: JiraServer, jira: Jira) -> None:
    server.add_issue()
    server.fail_next(json_answer({"issues": [], "issueErrors": []}), path="issue/bulkfetch")
    with pytest.raises(ApiAnswerInvalid, match="left issue 1[0-9]* out although it is there"):
        list(jira.issues())


def test_a_worklog_that_is_left_out_is_asked_for_again(server: JiraServer, jira: Jira) -> None:
    worklog = server.add_worklog(server.add_issue())
    server.pass_time(HOUR)
    server.fail_next(json_answer([]), path="worklog/list")
    assert ids(jira.worklogs()) == [worklog]


@pytest.mark.parametrize("tells_is_last", [True, False])
@pytest.mark.parametrize("are_short", [True, False])
def test_all_pages_of_ids_are_read(server: JiraServer, jira: Jira, tells_is_last: bool, are_short: bool) -> None:
    server.ids_per_page, server.tells_is_last, server.pages_are_short = 10, tells_is_last, are_short
    issues = [server.add_issue() for _ in range(35)]
    assert ids(jira.issues()) == ids(jira.issue_ids()) == issues


def test_what_two_pages_hold_comes_once(server: JiraServer, jira: Jira) -> None:
    issue, other = server.add_issue(status_id=IN_PROGRESS), server.add_issue()
    server.update_issue(issue, summary="Light")
    change = {"issueId": f"{issue}", "changeHistories": [{"id": "7", "created": 1, "items": [{"field": "summary"}]}]}
    pages: dict[str, list[Record]] = {
        "search/jql": [{"issues": [{"id": f"{issue}"}]}, {"issues": [{"id": f"{issue}"}, {"id": f"{other}"}]}],
        "changelog/bulkfetch": [{"issueChangeLogs": [change]}, {"issueChangeLogs": [change]}],
    }
    for path, (first, second) in pages.items():
        server.fail_next(json_answer({**first, "nextPageToken": "more"}), path=path)
        server.fail_next(json_answer(second), path=path)
    assert [record["issue_id"] for record in jira.changes()] == [f"{issue}"]
    (search,) = {tuple(body["issueIdsOrKeys"]) for body in asked(server, "changelog/bulkfetch")}
    assert search == (f"{issue}", f"{other}")


def test_a_token_that_comes_again_ends_the_search_with_an_error(server: JiraServer, jira: Jira) -> None:
    page = json_answer({"issues": [{"id": "1"}], "nextPageToken": "same", "isLast": False})
    server.fail_next(page, path="search/jql", times=3)
    with pytest.raises(ApiAnswerInvalid, match="already read"):
        list(jira.issue_ids())


def test_a_token_that_expires_ends_the_search_with_an_error(server: JiraServer, jira: Jira) -> None:
    server.ids_per_page = 1
    server.add_issue(), server.add_issue()
    server.after_answer(server.expire_tokens, path="search/jql")
    with pytest.raises(ApiRefused, match="token is invalid or expired"):
        list(jira.issue_ids())


def test_an_answer_200_with_an_error_in_it_is_no_end(server: JiraServer, jira: Jira) -> None:
    server.ids_per_page = 1
    server.add_issue(), server.add_issue()
    server.fail_next(json_answer({"issues": [], "errorMessages": ["Timed out."]}), path="search/jql", after=1)
    with pytest.raises(ApiAnswerInvalid, match=r"Timed out\."):
        list(jira.issue_ids())


def test_edits_and_deletions_while_the_ids_are_read_lose_no_other_issue(server: JiraServer, jira: Jira) -> None:
    server.ids_per_page = 2
    issues = []
    for _ in range(9):
        issues.append(server.add_issue())
        server.pass_time(HOUR)

    def drift() -> None:
        server.update_issue(issues[0], summary="again")
        server.update_issue(issues[4], summary="again")
        server.delete_issue(issues[1])

    server.after_answer(drift, path="search/jql")
    later: list[int] = []
    server.after_answer(lambda: later.append(server.add_issue()), path="search/jql", after=2)
    assert ids(jira.issues()) == [issue for issue in issues if issue != issues[1]] + later


def test_an_issue_that_goes_meanwhile_is_left_out_and_counted(
    server: JiraServer, jira: Jira, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stays, goes = server.add_issue(), server.add_issue()
    server.after_answer(lambda: server.delete_issue(goes), path="search/jql")
    assert ids(jira.issues()) == [stays]
    assert "1 issues that the search found are gone" in caplog.text


def test_an_issue_that_jira_cannot_read_is_an_error(server: JiraServer, jira: Jira) -> None:
    issues = [server.add_issue() for _ in range(3)]
    server.unreadable_issues = {issues[1]}
    with pytest.raises(ApiAnswerInvalid, match=f"could not read issue {issues[1]}: The issue could not be loaded"):
        list(jira.issues())


def test_an_issue_that_jira_can_read_alone_is_read_alone(server: JiraServer, jira: Jira) -> None:
    issues = [server.add_issue() for _ in range(3)]
    server.unreadable_issues = {issues[1]}
    server.after_answer(server.unreadable_issues.clear, path="issue/bulkfetch")
    assert ids(jira.issues()) == issues


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"issues": [{"id": "10006", "key": "EX-1"}]}, "without the field updated"),
        ({"issues": [{"fields": {}}]}, "without an id"),
        ({"issueErrors": []}, "no list of records in issues"),
        ({"issues": [], "issueErrors": "none"}, "no list of records in issueErrors"),
    ],
)
def test_an_answer_without_what_was_asked_is_an_error(
    server: JiraServer, jira: Jira, body: object, message: str
) -> None:
    server.add_issue()
    server.fail_next(json_answer(body), path="issue/bulkfetch")
    with pytest.raises(ApiAnswerInvalid, match=message):
        list(jira.issues())


def test_the_order_does_not_depend_on_the_number_of_workers(server: JiraServer) -> None:
    for number in range(230):
        server.add_issue(f"Issue {number}")
    read = []
    for workers in (1, 3):
        with Jira(server.user_name, server.apikey, server.url, workers=workers) as jira:
            read.append(list(jira.issues()))
    assert read[0] == read[1]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/Sao_Paulo"])
def test_issues_since_a_moment_are_asked_in_the_users_time_zone(server: JiraServer, jira: Jira, zone: str) -> None:
    server.time_zone = zone
    server.add_issue()
    server.pass_time(HOUR)
    issue = server.add_issue()
    assert ids(jira.issues(NOW + timedelta(seconds=90))) == [issue]
    assert ids(jira.issues(NOW + HOUR)) == [issue]
    assert ids(jira.issues(NOW + HOUR + timedelta(seconds=59))) == [issue]
    assert ids(jira.issues(NOW + HOUR + timedelta(seconds=60))) == []


def test_a_moment_without_an_offset_is_the_users_local_time(server: JiraServer, jira: Jira) -> None:
    server.time_zone = "Asia/Kolkata"
    server.add_issue()
    list(jira.issues(datetime(2026, 1, 5, 15, 35)))
    assert '"2026-01-05 15:35"' in asked(server, "search/jql")[0]["jql"]


@pytest.mark.parametrize("fold", [0, 1])
def test_no_issue_of_a_doubled_hour_is_lost_whatever_jira_takes_it_for(
    server: JiraServer, jira: Jira, fold: int
) -> None:
    server.time_zone, server.fold = "Europe/Amsterdam", fold
    for minutes in range(-75, 80, 15):
        server.now = datetime(2026, 10, 25, 1, tzinfo=UTC) + timedelta(minutes=minutes)
        issue = server.add_issue()
        assert issue in ids(jira.issues(server.now)), minutes


def test_a_time_zone_that_is_unknown_here_is_an_error_only_where_it_matters(server: JiraServer, jira: Jira) -> None:
    server.fail_next(json_answer({"accountId": server.me, "timeZone": "Middle-earth/Shire"}), path="myself")
    server.add_issue()
    assert len(list(jira.issues())) == 1
    with pytest.raises(ApiAnswerInvalid, match="tzdata"):
        list(jira.issues(NOW))


def test_a_scope_restricts_issues(server: JiraServer, jira: Jira) -> None:
    private = server.add_project("PR", private=True)
    open_issue, hidden = server.add_issue(labels=["x"]), server.add_issue(project_id=private)
    assert ids(jira.issues()) == [open_issue, hidden]
    assert ids(jira.issues(scope=Scope(include_private=False))) == [open_issue]
    assert ids(jira.issues(scope=Scope(["PR"]))) == ids(jira.issues(scope=Scope([private]))) == [hidden]
    assert ids(jira.issues(scope=Scope(jql="labels = x OR labels = y"))) == [open_issue]
    with pytest.raises(ApiRefused, match="'NOPE' does not exist for the field 'project'"):
        list(jira.issues(scope=Scope(["NOPE"])))


# -------------------------------------------------------------------------------------------------- status in progress


@pytest.mark.parametrize("dates", ["milliseconds", "text"])
@pytest.mark.parametrize("language", ["en", "nl", "zh"])
def test_progress_is_found_by_the_category_in_every_language(dates: str, language: str) -> None:
    with JiraServer("Asia/Kolkata", language=language) as server:  # type: ignore[arg-type]
        server.now, server.history_dates = NOW, dates  # type: ignore[assignment]
        issue = server.add_issue()
        for status in (IN_REVIEW, TO_DO, IN_PROGRESS, DONE):
            server.pass_time(HOUR)
            server.transition(issue, status)
        with Jira(server.user_name, server.apikey, server.url) as jira:
            (record,) = jira.issues()
    assert record["status_in_progress_date"] == NOW + HOUR


def test_progress_is_found_in_a_history_of_many_pages(server: JiraServer, jira: Jira) -> None:
    server.histories_per_page = 3
    issues = [server.add_issue(), server.add_issue(), server.add_issue(status_id=IN_PROGRESS)]
    for status in (IN_PROGRESS, TO_DO) * 10:
        server.pass_time(HOUR)
        for issue in issues:
            server.transition(issue, status)
            server.update_issue(issue, summary=f"{status}")
    assert [record["status_in_progress_date"] for record in jira.issues()] == [NOW + HOUR, NOW + HOUR, NOW]
    assert all(body["fieldIds"] == ["status"] for body in asked(server, "changelog/bulkfetch"))


def test_a_status_that_was_deleted_counts_as_not_in_progress_and_is_told(
    server: JiraServer, jira: Jira, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    old = server.add_status("Doing it", "indeterminate")
    issue = server.add_issue(status_id=old)
    server.pass_time(HOUR)
    server.transition(issue, IN_PROGRESS)
    server.delete_status(old)
    (record,) = jira.issues()
    assert record["status_in_progress_date"] == NOW + HOUR
    assert f"name 1 statuses that Jira no longer tells about, which count as not in progress: {old}" in caplog.text


def test_a_status_that_only_its_issue_tells_about_counts(server: JiraServer, jira: Jira) -> None:
    status = server.add_status("Doing it", "indeterminate")
    server.delete_status(status)
    server.add_issue(status_id=status)
    (record,) = jira.issues()
    assert record["status_in_progress_date"] == NOW


# ----------------------------------------------------------------------------------------------------------- changelog


def test_each_changed_field_is_a_record(server: JiraServer, jira: Jira) -> None:
    issue = server.add_issue("Lamp")
    server.pass_time(HOUR)
    server.update_issue(issue, summary="Light", environment="Cellar")
    server.move(issue, server.add_project("AB"))
    records = list(jira.changes())
    assert set(records[0]) == {column.source for column in CHANGES.columns}
    assert [(record["field"], record["position"]) for record in records] == [
        ("summary", 0),
        ("environment", 1),
        ("project", 0),
        ("Key", 1),
    ]
    assert (records[0]["from_string"], records[0]["to_string"]) == ("Lamp", "Light")
    assert records[0]["created"] == NOW + HOUR
    assert records[3]["fieldid"] is None
    assert (records[2]["from_value"], records[3]["to_string"]) == (
        server.issues[issue].histories[1].items[0]["from"],
        "AB-1",
    )


def test_histories_that_are_split_over_pages_come_whole_and_once(server: JiraServer, jira: Jira) -> None:
    server.histories_per_page, server.ids_per_page = 2, 3
    issues = [server.add_issue() for _ in range(5)]
    for number in range(4):
        for issue in issues:
            server.update_issue(issue, summary=f"{number}")
    found = [(int(record["issue_id"]), record["history_id"]) for record in jira.changes()]
    assert sorted(issue for issue, _ in found) == sorted(issues * 4)
    assert len(set(found)) == 20


def test_changes_are_those_of_issues_changed_since(server: JiraServer, jira: Jira) -> None:
    old, new = server.add_issue(), server.add_issue()
    server.update_issue(old, summary="old")
    server.update_issue(new, summary="old")
    server.pass_time(HOUR)
    server.update_issue(new, summary="new")
    records = list(jira.changes(NOW + timedelta(minutes=1)))
    assert [(record["issue_id"], record["to_string"]) for record in records] == [(f"{new}", "old"), (f"{new}", "new")]


def test_names_of_persons_can_be_left_out_of_changes(server: JiraServer, jira: Jira) -> None:
    field = server.add_custom_field("Reviewer", "user")
    issue = server.add_issue("Lamp")
    server.update_issue(issue, assignee="Ann Lee", summary="Light", **{field: "Bob Ray"})
    assert [record["to_string"] for record in jira.changes()] == ["Ann Lee", "Light", "Bob Ray"]
    assert [record["to_string"] for record in jira.changes(with_names=False)] == [None, "Light", None]


# ------------------------------------------------------------------------------------------------------------ worklogs


def test_worklogs_are_read_page_by_page(server: JiraServer, jira: Jira) -> None:
    server.worklogs_per_page = 2
    issue = server.add_issue()
    logs = []
    for number in range(7):
        logs.append(server.add_worklog(issue, 60 * number, comment="Looked into it."))
        server.pass_time(timedelta(minutes=1))
    records = list(jira.worklogs())
    assert ids(iter(records)) == logs
    assert set(records[0]) == {column.source for column in WORKLOGS.columns}
    assert (records[6]["timespentseconds"], records[6]["issue_id"]) == (360, str(issue))
    assert (records[6]["comment"], records[6]["author_displayname"]) == ("Looked into it.", "Mia Krystof")
    assert ids(jira.worklogs(NOW + timedelta(minutes=5))) == logs[4:]


def test_a_page_of_worklogs_that_ends_where_it_began_does_not_stop_the_reading(server: JiraServer, jira: Jira) -> None:
    worklog = server.add_worklog(server.add_issue())
    server.pass_time(HOUR)
    page = {"values": [{"worklogId": worklog}], "until": 0, "lastPage": False}
    server.fail_next(json_answer(page), path="worklog/updated")
    assert ids(jira.worklogs()) == [worklog]
    asked_since = [request.query["since"] for request in server.requests if request.path.endswith("worklog/updated")]
    assert asked_since == ["0", "1"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"values": [], "lastPage": False}, "does not tell where"),
        ({"values": [], "until": 5}, "does not tell where"),
        ({"values": [], "until": -5, "lastPage": False}, "does not tell where"),
        ({"values": [{"worklogId": 1}] * 1_000, "until": 0, "lastPage": False}, "1000 worklogs of one millisecond"),
        ({"values": [{"updatedTime": 1}], "lastPage": True}, "without its worklogId"),
        ({"lastPage": True}, "no list of records"),
    ],
)
def test_a_page_of_worklogs_that_cannot_be_right_is_an_error(
    server: JiraServer, jira: Jira, body: object, message: str
) -> None:
    server.fail_next(json_answer(body), path="worklog/updated")
    with pytest.raises(ApiAnswerInvalid, match=message):
        list(jira.worklogs())


def test_a_worklog_that_goes_meanwhile_is_left_out_and_counted(
    server: JiraServer, jira: Jira, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    issue = server.add_issue()
    stays, goes = server.add_worklog(issue), server.add_worklog(issue)
    server.pass_time(HOUR)
    server.after_answer(lambda: server.delete_worklog(goes), path="worklog/updated")
    assert ids(jira.worklogs()) == [stays]
    assert "1 worklogs are deleted" in caplog.text


def test_deleted_worklogs_are_told(server: JiraServer, jira: Jira) -> None:
    issue = server.add_issue()
    first, second = server.add_worklog(issue), server.add_worklog(issue)
    server.delete_worklog(first)
    server.pass_time(HOUR)
    server.delete_worklog(second)
    server.pass_time(HOUR)
    records = list(jira.deleted_worklogs())
    assert records == [{"id": first, "deleted": NOW}, {"id": second, "deleted": NOW + HOUR}]
    assert set(records[0]) == {column.source for column in DELETED_WORKLOGS.columns}
    assert ids(jira.deleted_worklogs(NOW + timedelta(minutes=30))) == [second]


# --------------------------------------------------------------------------------------------- boards, sprints, users


def test_boards_and_their_sprints(server: JiraServer, jira: Jira) -> None:
    server.boards_per_page = 2
    scrum, kanban, other = (server.add_board(name, kind=kind) for name, kind in BOARD_KINDS)
    sprint = server.add_sprint(
        scrum, "Sprint 1", state="closed", start=NOW, complete=NOW, goal="Light", also_on=[other]
    )
    future = server.add_sprint(other, "Sprint 2")
    boards = list(jira.boards())
    assert set(boards[0]) == {column.source for column in BOARDS.columns}
    assert [(board["id"], board["type"], board["location_projectkey"]) for board in boards] == [
        (scrum, "scrum", "EX"),
        (kanban, "kanban", "EX"),
        (other, "simple", "EX"),
    ]
    sprints = list(jira.sprints())
    assert set(sprints[0]) == {column.source for column in SPRINTS.columns}
    assert [(record["id"], record["state"], record["originboardid"]) for record in sprints] == [
        (sprint, "closed", scrum),
        (future, "future", other),
    ]
    assert (sprints[0]["goal"], sprints[1]["startdate"]) == ("Light", None)
    assert jira.extraction.skipped == []


BOARD_KINDS = (("Plan", "scrum"), ("Flow", "kanban"), ("Team", "simple"))


def test_a_scrum_board_that_refuses_is_an_error(server: JiraServer, jira: Jira) -> None:
    server.add_board("Plan")
    server.fail_next(json_answer({"errorMessages": ["Bad request"]}, 400), path="/sprint")
    with pytest.raises(ApiRefused, match="answered 400"):
        list(jira.sprints())


def test_a_board_that_goes_meanwhile_is_told(server: JiraServer, jira: Jira) -> None:
    first, second = server.add_board("One"), server.add_board("Two")
    sprint = server.add_sprint(second, "Sprint")
    server.fail_next(Answer(404, "{}"), path=f"board/{first}/sprint")
    assert ids(jira.sprints()) == [sprint]
    assert jira.extraction.skipped == [Skipped(f"Board {first}", "404 for its sprints")]


def test_a_site_without_jira_software_says_so() -> None:
    with JiraServer(agile=False) as server, Jira(server.user_name, server.apikey, server.url) as jira:
        for read in (jira.boards, jira.sprints):
            with pytest.raises(ApiRefused, match="has no Jira Software"):
                list(read())


@pytest.mark.parametrize("per_page", [1_000, 7])
def test_all_users_are_read_although_pages_are_short(server: JiraServer, jira: Jira, per_page: int) -> None:
    server.users_per_page = per_page
    for number in range(40):
        server.add_user(f"User {number}", filtered=number % 3 == 0)
    users = list(jira.users())
    assert set(users[0]) == {column.source for column in USERS.columns}
    shown = [user.id for user in server.users.values() if not user.is_filtered]
    assert [user["accountid"] for user in users] == shown
    assert (users[0]["emailaddress"], users[1]["emailaddress"]) == ("mia@example.com", None)


def test_a_page_without_any_visible_user_is_no_end(server: JiraServer, jira: Jira) -> None:
    for number in range(370):
        server.add_user(f"User {number}", filtered=number < 350)
    assert len(list(jira.users())) == 21


def test_users_that_come_again_and_again_are_an_error(server: JiraServer, jira: Jira) -> None:
    server.fail_next(json_answer([{"accountId": "5b1"}]), path="users/search", times=2_000)
    with pytest.raises(ApiAnswerInvalid, match="same users"):
        list(jira.users())


# ------------------------------------------------------------------------------------------------------------- fields


def test_fields_are_chosen_from_those_of_the_site(server: JiraServer, jira: Jira) -> None:
    points, sprint = server.add_custom_field("Story Points", "number"), server.add_custom_field("Sprint", "sprint")
    fields = jira.fields(["story points", sprint])
    assert [field.id for field in fields] == [points, sprint]
    board = server.add_board("Plan")
    values: dict[str, Any] = {points: 3.5, sprint: [server.add_sprint(board, "Sprint 1")]}
    server.add_issue("Lamp", **values)
    (record,) = jira.issues(fields=fields)
    assert (record[points], record[sprint][0]["name"]) == (3.5, "Sprint 1")
    with pytest.raises(DeclarationError, match="no field 'Estimate'"):
        jira.fields(["Estimate"])


def test_there_must_be_a_worker(server: JiraServer) -> None:
    with (
        Jira(server.user_name, server.apikey, server.url, workers=0) as jira,
        pytest.raises(DeclarationError, match="at least one worker"),
    ):
        list(jira.issues())


# ------------------------------------------------------------------------------------------------------- rate limits


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"Retry-After": "0", "RateLimit-Reason": "jira-burst-based"}),
        (429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-01-05T10:05Z"}),
        (429, {"X-RateLimit-Reset": "2026-01-05T10:04Z", "RateLimit-Reason": "jira-quota-tenant-based"}),
        (503, {"Retry-After": "0"}),
    ],
)
def test_a_refusal_for_some_time_is_waited_out(
    server: JiraServer, jira: Jira, status: int, headers: dict[str, str]
) -> None:
    issue = server.add_issue()
    server.fail_next(json_answer({"errorMessages": ["Rate limit exceeded."]}, status, headers), path="bulkfetch")
    assert ids(jira.issues()) == [issue]
    assert jira.extraction.retries == 1


def test_a_quota_that_is_near_its_limit_is_no_error(server: JiraServer, jira: Jira) -> None:
    server.more_headers = {
        "X-RateLimit-Limit": "350",
        "X-RateLimit-Remaining": "10",
        "X-RateLimit-Reset": "2026-01-05T11:05Z",
        "X-RateLimit-NearLimit": "true",
    }
    issue = server.add_issue()
    assert ids(jira.issues()) == [issue]
    assert jira.extraction.waited_seconds == 0


@pytest.mark.parametrize("headers", [{"Retry-After": "86400"}, {"X-RateLimit-Reset": "2026-01-06T10:05Z"}])
def test_a_refusal_for_too_long_is_an_error_at_once(server: JiraServer, jira: Jira, headers: dict[str, str]) -> None:
    server.add_issue()
    server.fail_next(json_answer({}, 429, headers), path="search/jql", times=9)
    with pytest.raises(ApiRateLimited, match="asks to wait 86400 seconds"):
        list(jira.issues())


@pytest.mark.parametrize("answer", [Answer(0), Answer(200, '{"issues": []}', cut=True), Answer(502, "Bad Gateway")])
@pytest.mark.parametrize("path", ["search/jql", "issue/bulkfetch", "changelog/bulkfetch", "myself"])
def test_a_broken_answer_is_asked_again(server: JiraServer, jira: Jira, path: str, answer: Answer) -> None:
    issue = server.add_issue()
    server.fail_next(answer, path=path)
    assert ids(jira.issues()) == [issue]


@pytest.mark.parametrize(
    "answer", [Answer(0), Answer(500, "{}"), Answer(200, "<html>", {"Content-Type": "text/html"})]
)
@pytest.mark.parametrize("path", ["search/jql", "issue/bulkfetch", "changelog/bulkfetch", "status", "myself"])
def test_what_stays_broken_is_an_error_and_never_a_shorter_list(
    server: JiraServer, jira: Jira, path: str, answer: Answer
) -> None:
    server.add_issue()
    server.fail_next(answer, path=path, after=1 if path == "myself" else 0, times=9)
    with pytest.raises(ApiError):
        list(jira.issues())
