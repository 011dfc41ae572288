"""The Jira host scripts as RED runs them: against real databases and a Jira on loopback."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.servers.jira_server import JiraServer
from tests.servers.jira_site import DONE, IN_PROGRESS, Removed
from wherescape import WhereScape
from wherescape.connectors.jira.jira_create_metadata import jira_create_metadata, jira_create_metadata_issue
from wherescape.connectors.jira.jira_load_data import (
    HIGH_WATER_MARK,
    jira_load_data,
    jira_load_data_issue,
    jira_load_data_issue_incremental,
    jira_load_data_project,
)
from wherescape.connectors.jira.jira_tables import ISSUES, TABLES
from wherescape.errors import DeclarationError, EnvironmentVariableError, LoadError, SourceIncomplete, UnknownTableKind
from wherescape.load_task import LoadResult
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import TaskResult
from wherescape.tables import find_table, with_legacy_names
from wherescape.testing.api_server import Answer, json_answer

HOST_SCRIPTS = Path(__file__).parents[1] / "host_scripts"
NOW = datetime(2026, 1, 5, 10, 5, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LAST_CHANGE = NOW + HOUR
ISSUE_TABLE, PROJECT_TABLE = "load_jira_issue", "load_jira_project"

# What the site below has: rows of a full load, and of one after `something_of_each`. What changed at the mark itself
# comes again.
ROWS = {
    "load_jira_project": (2, 2),
    "load_jira_issue": (3, 2),
    "load_jira_changelog": (3, 2),
    "load_jira_worklog": (3, 2),
    "load_jira_worklog_deleted": (2, 2),
    "load_jira_sprint": (1, 1),
    "load_jira_board": (2, 2),
    "load_jira_user": (2, 2),
}
MARKS = {
    "load_jira_issue": HIGH_WATER_MARK,
    "load_jira_changelog": "HWM_load_jira_changelog",
    "load_jira_worklog": "HWM_load_jira_worklog",
    "load_jira_worklog_deleted": "HWM_load_jira_worklog_deleted",
}
PATHS = {
    "load_jira_project": "project/search",
    "load_jira_issue": "issue/bulkfetch",
    "load_jira_changelog": "changelog/bulkfetch",
    "load_jira_worklog": "worklog/list",
    "load_jira_worklog_deleted": "worklog/deleted",
    "load_jira_sprint": "/sprint",
    "load_jira_board": "/board",
    "load_jira_user": "users/search",
}


@pytest.fixture
def server() -> Iterator[JiraServer]:
    with JiraServer("Europe/Amsterdam") as server:
        server.now = NOW
        private = server.add_project("PR", private=True)
        server.add_user("Ann Lee", "ann@example.com")
        first, second, third = (
            server.add_issue("Lamp 😀"),
            server.add_issue("Switch", private),
            server.add_issue("Größe"),
        )
        server.add_sprint(server.add_board("Plan"), "Sprint 1", state="active", start=NOW)
        server.add_board("Flow", kind="kanban")
        logs = [server.add_worklog(issue) for issue in (first, first, second, second)]
        server.delete_worklog(logs.pop())
        server.issues[first].histories.clear()
        server.issues[second].histories[:] = server.issues[second].histories[:1]
        server.update_issue(first, summary="Lamp 💡", environment="Cellar")
        server.pass_time(HOUR)
        server.touch(third)
        server.worklogs[logs[0]].updated = server.moment()
        server.removed_worklogs.append(Removed(1, server.moment()))
        server.pass_time(HOUR)
        yield server


def source(server: JiraServer) -> dict[str, str]:
    return {"url": server.url, "user": server.user_name, "apikey": server.apikey}


def run(red: RedServer, server: JiraServer, script: str, table: str, **config: str) -> TaskResult:
    return red.run_host_script(HOST_SCRIPTS / script, table, source_config=source(server) | config)


def attached(red: RedServer, server: JiraServer, table: str, **config: str) -> WhereScape:
    """Return the WhereScape object of a script that is attached to a load table."""
    return WhereScape(red.environment(table, source_config=source(server) | config))


def create(red: RedServer, server: JiraServer, table: str, **arguments: Any) -> None:
    red.register_load_table(table)
    wherescape = attached(red, server, table)
    jira_create_metadata(wherescape=wherescape, **arguments)
    wherescape.close()
    red.create_table(table)


def load(
    red: RedServer, server: JiraServer, table: str, function: Any = jira_load_data, **arguments: Any
) -> LoadResult:
    """Load in this process, as the host script would."""
    red.query_warehouse(f"TRUNCATE load.{table}")
    wherescape = attached(red, server, table)
    try:
        result = function(wherescape=wherescape, max_retries=0, **arguments)
        assert isinstance(result, LoadResult)
        return result
    finally:
        wherescape.close()


def rows(red: RedServer, table: str, expressions: str, order: str = "1") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in red.query_warehouse(f"SELECT {expressions} FROM load.{table} ORDER BY {order}")]


@pytest.mark.parametrize("table", ROWS)
def test_a_table_is_registered_created_loaded_loaded_again_and_left_alone_by_a_failure(
    clean_red: RedServer, server: JiraServer, table: str
) -> None:
    red = clean_red
    red.register_load_table(table)
    assert run(red, server, "jira_create_metadata.py", table).status == 1
    red.create_table(table)
    registered = red.query_repository(
        "SELECT lc_col_name, lc_display_name, lc_src_strategy FROM red.ws_load_col ORDER BY lc_order"
    )
    declared = find_table(table, TABLES, "Jira")
    assert [tuple(row) for row in registered] == [
        (column.name, column.display_name, column.comment) for column in declared.all_columns
    ]

    full = run(red, server, "jira_load_data.py", table)
    assert (full.status, full.inserted) == (1, ROWS[table][0]), full
    assert rows(red, table, "DISTINCT dss_record_source") == [(declared.record_source,)]
    mark = red.read_parameter(MARKS.get(table, "HWM_none"))
    assert (mark is not None) == (table in MARKS)

    something_of_each(server)
    increment = run(red, server, "jira_load_data.py", table)
    assert (increment.status, increment.inserted) == (1, ROWS[table][1]), increment
    later = red.read_parameter(MARKS.get(table, "HWM_none"))
    assert (later or "") > (mark or "") if table in MARKS else later is None

    something_of_each(server)
    server.fail_next(json_answer({"errorMessages": ["No."]}, 403), path=PATHS[table], times=9)
    failed = run(red, server, "jira_load_data.py", table)
    assert (failed.status, rows(red, table, "count(*)")) == (-2, [(0,)]), failed
    told = "\n".join([failed.message, *failed.audit, *failed.detail])
    assert "403" in told and server.apikey not in told and "mia@example.com" not in told
    assert red.read_parameter(MARKS.get(table, "HWM_none")) == later


def something_of_each(server: JiraServer) -> None:
    """Let an hour pass, change one issue, worklog and so on, and let another hour pass."""
    server.pass_time(HOUR)
    second = list(server.issues)[1]
    server.update_issue(second, summary="Switch on")
    server.worklogs[list(server.worklogs)[1]].updated = server.moment()
    server.removed_worklogs.append(Removed(len(server.removed_worklogs), server.moment()))
    server.pass_time(HOUR)


def test_an_issue_arrives_as_it_is(clean_red: RedServer, server: JiraServer) -> None:
    (first, *_) = server.issues
    server.transition(first, IN_PROGRESS)
    server.pass_time(HOUR)
    server.transition(first, DONE)
    server.issues[first].values |= {"duedate": "2026-02-01", "labels": ["a", "b"], "description": "Dark 😀"}
    create(clean_red, server, ISSUE_TABLE)
    load(clean_red, server, ISSUE_TABLE)
    (row,) = clean_red.query_warehouse(f"SELECT * FROM load.{ISSUE_TABLE} WHERE id = {first}")
    assert (row.id, row.key, row.summary, row.description) == (first, "EX-1", "Lamp 💡", "Dark 😀")
    assert (row.created, row.status_in_progress_date) == (datetime(2026, 1, 5, 10, 5), datetime(2026, 1, 5, 12, 5))
    assert row.resolutiondate == row.updated == datetime(2026, 1, 5, 13, 5)
    assert (row.duedate, row.resolution, row.labels) == (datetime(2026, 2, 1), "Done", '["a", "b"]')
    assert (row.status_statuscategory_id, row.priority_id, row.parent_id) == (3, 3, None)


# --------------------------------------------------------------------------------------------------------------- marks


def test_the_mark_is_the_last_change_that_was_loaded(clean_red: RedServer, server: JiraServer) -> None:
    create(clean_red, server, ISSUE_TABLE)
    assert load(clean_red, server, ISSUE_TABLE).mark == LAST_CHANGE
    assert clean_red.read_parameter(HIGH_WATER_MARK) == LAST_CHANGE.isoformat()


def test_the_overlap_finds_what_the_search_did_not_see_yet(clean_red: RedServer, server: JiraServer) -> None:
    create(clean_red, server, ISSUE_TABLE)
    server.search_delay = 9 * MINUTE
    late = server.add_issue("Late in the index")
    server.search_delay = timedelta()
    server.pass_time(8 * MINUTE)
    server.add_issue("At once in the index")
    assert load(clean_red, server, ISSUE_TABLE).inserted == 4
    server.pass_time(HOUR)
    load(clean_red, server, ISSUE_TABLE)
    assert (late,) in rows(clean_red, ISSUE_TABLE, "id")
    assert load(clean_red, server, ISSUE_TABLE, overlap_minutes=0).inserted == 1


def test_a_change_in_the_middle_of_the_load_comes_with_the_next_one(clean_red: RedServer, server: JiraServer) -> None:
    create(clean_red, server, ISSUE_TABLE)
    first, *_, last = server.issues

    def change() -> None:
        server.pass_time(HOUR)
        server.update_issue(last, summary="Fresh")
        server.update_issue(first, summary="Missed")

    server.after_answer(change, path="issue/bulkfetch")
    started = server.moment()
    mark = load(clean_red, server, ISSUE_TABLE, workers=1).mark
    assert mark is not None and mark <= started
    server.pass_time(HOUR)
    load(clean_red, server, ISSUE_TABLE)
    assert ("Missed",) in rows(clean_red, ISSUE_TABLE, "summary")


def test_a_project_load_leaves_the_mark_of_issues(clean_red: RedServer, server: JiraServer) -> None:
    clean_red.write_parameter(HIGH_WATER_MARK, "2026-01-01T00:00:00+00:00")
    for table, function in ((PROJECT_TABLE, jira_load_data_project), ("load_jira_projects", jira_load_data)):
        create(clean_red, server, table)
        assert load(clean_red, server, table, function).inserted == 2
    assert clean_red.read_parameter(HIGH_WATER_MARK) == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("mark", ["", "yesterday", "2026-01-05 10:05"])
def test_a_mark_that_cannot_be_used_means_a_full_load(clean_red: RedServer, server: JiraServer, mark: str) -> None:
    clean_red.write_parameter(HIGH_WATER_MARK, mark)
    create(clean_red, server, ISSUE_TABLE)
    assert load(clean_red, server, ISSUE_TABLE, jira_load_data_issue_incremental).inserted == 3
    assert clean_red.read_parameter(HIGH_WATER_MARK) == LAST_CHANGE.isoformat()


def test_the_autumn_hour_loses_nothing(clean_red: RedServer, server: JiraServer) -> None:
    create(clean_red, server, ISSUE_TABLE)
    begin = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    loaded: set[int] = set()
    for server.fold in (0, 1):
        clean_red.write_parameter(HIGH_WATER_MARK, begin.isoformat())
        for number in range(9):
            server.now = begin + number * 20 * MINUTE
            server.add_issue(f"Issue {number}")
            load(clean_red, server, ISSUE_TABLE, overlap_minutes=0)
            loaded |= {int(row[0]) for row in rows(clean_red, ISSUE_TABLE, "id")}
    assert {issue.id for issue in server.issues.values() if issue.created >= begin} <= loaded


def test_a_staged_mark_counts_once_it_is_confirmed(clean_red: RedServer, server: JiraServer) -> None:
    create(clean_red, server, ISSUE_TABLE)
    load(clean_red, server, ISSUE_TABLE, staged_mark=True)
    assert not clean_red.read_parameter(HIGH_WATER_MARK)
    assert clean_red.read_parameter(f"{HIGH_WATER_MARK}_next") == LAST_CHANGE.isoformat()


def test_a_second_table_of_issues_can_have_a_mark_of_its_own(clean_red: RedServer, server: JiraServer) -> None:
    create(clean_red, server, ISSUE_TABLE)
    load(clean_red, server, ISSUE_TABLE, projects=["PR"], high_water_mark="HWM_private")
    assert clean_red.read_parameter(HIGH_WATER_MARK) is None
    assert clean_red.read_parameter("HWM_private") == NOW.isoformat()


@pytest.mark.parametrize(
    ("since", "count"),
    [
        ("2026-01-05T11:30:00+00:00", 1),
        (datetime(2026, 1, 5, 11, 5, tzinfo=UTC), 2),
        ("2026-01-05 12:30", 1),
        ("2026-01-05 11:00", 4),
    ],
)
def test_a_period_can_be_loaded_again_whatever_the_mark(
    clean_red: RedServer, server: JiraServer, since: object, count: int
) -> None:
    server.add_issue("Two hours later")
    create(clean_red, server, ISSUE_TABLE)
    assert load(clean_red, server, ISSUE_TABLE, since=since).inserted == count
    assert clean_red.read_parameter(HIGH_WATER_MARK) is None


# ----------------------------------------------------------------------------------------------------- earlier scripts


@pytest.mark.parametrize(
    ("function", "arguments", "count"),
    [
        (jira_load_data_issue, {}, 3),
        (jira_load_data_issue_incremental, {}, 0),
        (jira_load_data, {"load_type": "issue"}, 3),
        (jira_load_data, {"load_type": "issue", "use_high_water_mark": True}, 0),
        (jira_load_data, {}, 0),
        (jira_load_data, {"full": True}, 3),
        (jira_load_data, {"use_high_water_mark": False}, 3),
    ],
)
def test_what_starts_at_the_mark(
    clean_red: RedServer, server: JiraServer, function: Any, arguments: dict[str, Any], count: int
) -> None:
    mark = (LAST_CHANGE + 20 * MINUTE).isoformat()
    clean_red.write_parameter(HIGH_WATER_MARK, mark)
    create(clean_red, server, ISSUE_TABLE)
    assert load(clean_red, server, ISSUE_TABLE, function, **arguments).inserted == count
    assert clean_red.read_parameter(HIGH_WATER_MARK) == mark


@pytest.mark.parametrize(
    ("metadata", "script", "count"),
    [
        ("jira_create_metadata_issue.py", "jira_load_data_issue.py", 3),
        ("jira_create_metadata_issue.py", "jira_load_data_issue_incremental.py", 3),
        ("jira_create_metadata_project.py", "jira_load_data_project.py", 2),
    ],
)
def test_scripts_of_one_kind_need_no_word_in_the_tables_name(
    clean_red: RedServer, server: JiraServer, metadata: str, script: str, count: int
) -> None:
    clean_red.register_load_table("load_tickets")
    assert run(clean_red, server, metadata, "load_tickets").status == 1
    clean_red.create_table("load_tickets")
    assert run(clean_red, server, script, "load_tickets").inserted == count


def test_a_table_with_numbered_columns_is_loaded(clean_red: RedServer, server: JiraServer) -> None:
    known = with_legacy_names(ISSUES).columns[:22]
    types = {"numeric": "numeric", "timestamp": "timestamp", "text": "text"}
    definitions = ", ".join(f"{column.name} {types[column.data_type]}" for column in known)
    clean_red.register_load_table(ISSUE_TABLE)
    clean_red.query_warehouse(
        f"CREATE TABLE load.{ISSUE_TABLE} ({definitions}, dss_record_source text, dss_load_date timestamp)"
    )
    result = load(clean_red, server, ISSUE_TABLE, is_legacy=True)
    assert (result.inserted, result.mark) == (3, LAST_CHANGE)
    assert rows(clean_red, ISSUE_TABLE, "key_002, updated_013")[0] == ("EX-1", datetime(2026, 1, 5, 10, 5))


# ------------------------------------------------------------------------------------------------------------- options


def test_custom_fields_are_in_metadata_and_load_alike(clean_red: RedServer, server: JiraServer) -> None:
    red = clean_red
    points = server.add_custom_field("Story Points", "number")
    team = server.add_custom_field("Team", "multiselect")
    notes, buddy = server.add_custom_field("Notes", "textarea"), server.add_custom_field("Buddy", "user")
    due = server.add_custom_field("Due", "datetime")
    first, *_ = server.issues
    values = {points: 3.5, team: ["Red", "Blue"], notes: "Note", buddy: server.me, due: NOW}
    server.issues[first].values |= values
    chosen = ["Story Points", team, "notes", "Buddy", "Due"]
    arguments: dict[str, Any] = {"custom_fields": chosen, "with_adf": True}
    create(red, server, ISSUE_TABLE, **arguments)
    types = dict(
        tuple(row)
        for row in red.query_warehouse(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'load_jira_issue'"
        )
    )
    assert (types["story_points"], types["due"]) == ("numeric", "timestamp without time zone")
    load(red, server, ISSUE_TABLE, **arguments)
    columns = "story_points, team, notes, buddy_accountid, buddy_displayname, due"
    filled, empty, _ = rows(red, ISSUE_TABLE, columns, "id")
    assert filled == (3.5, '["Red", "Blue"]', "Note", server.me, "Mia Krystof", NOW.replace(tzinfo=None))
    assert '"Note"' in rows(red, ISSUE_TABLE, "notes_adf", "id")[0][0]
    assert empty == (None,) * 6


def test_a_load_table_without_a_chosen_field_is_an_error(clean_red: RedServer, server: JiraServer) -> None:
    server.add_custom_field("Story Points", "number")
    server.add_issue()
    create(clean_red, server, ISSUE_TABLE)
    wherescape = attached(clean_red, server, ISSUE_TABLE)
    with pytest.raises(LoadError, match="has no column story_points, so nothing was loaded"):
        jira_load_data(wherescape=wherescape, custom_fields=["Story Points"])
    wherescape.close()


def test_a_wrong_custom_field_is_an_error_in_metadata_and_load_alike(clean_red: RedServer, server: JiraServer) -> None:
    server.add_custom_field("Story Points", "number")
    create(clean_red, server, ISSUE_TABLE)
    for function in (jira_load_data, jira_create_metadata):
        wherescape = attached(clean_red, server, ISSUE_TABLE)
        with pytest.raises(DeclarationError, match=r"no field 'Story Point'. It has .*\(Story Points\)"):
            function(wherescape=wherescape, custom_fields=["Story Point"])
        wherescape.close()


def test_persons_can_be_masked(clean_red: RedServer, server: JiraServer) -> None:
    red = clean_red
    red.write_parameter("mask_key", "0123456789abcdef" * 2)
    first, *_ = server.issues
    server.issues[first].values["assignee"] = server.me
    change = {"field": "assignee", "fieldId": "assignee", "to": server.me, "toString": "Mia Krystof"}
    server.issues[first].histories[0].items.append(change)
    for table in (ISSUE_TABLE, "load_jira_changelog", "load_jira_user"):
        create(red, server, table)
        load(red, server, table, mask_persons=True)
        text = "\n".join(map(str, rows(red, table, f"CAST({table} AS text)")))
        assert "Mia" not in text and "mia@" not in text and "Ann" not in text
        assert server.me in text


def test_the_keys_of_what_exists_tell_what_is_gone(clean_red: RedServer, server: JiraServer) -> None:
    clean_red.write_parameter(HIGH_WATER_MARK, "2026-01-01T00:00:00+00:00")
    server.delete_issue(list(server.issues)[0])
    for table in (ISSUE_TABLE, "load_jira_changelog", "load_jira_worklog", "load_jira_user"):
        create(clean_red, server, table, keys_only=True)
    load(clean_red, server, ISSUE_TABLE, keys_only=True)
    assert rows(clean_red, ISSUE_TABLE, "id") == [(issue,) for issue in server.issues]
    load(clean_red, server, "load_jira_changelog", keys_only=True)
    histories = [history for issue in server.issues.values() for history in issue.histories]
    assert rows(clean_red, "load_jira_changelog", "issue_id, history_id, position") == [
        (history.issue_id, history.id, position) for history in histories for position in range(len(history.items))
    ]
    assert load(clean_red, server, "load_jira_worklog", keys_only=True).inserted == 1
    assert load(clean_red, server, "load_jira_user", keys_only=True).inserted == 2
    assert clean_red.read_parameter(HIGH_WATER_MARK) == "2026-01-01T00:00:00+00:00"


def test_keys_of_a_source_that_was_not_read_whole_are_not_loaded(clean_red: RedServer, server: JiraServer) -> None:
    table = "load_jira_sprint"
    server.add_board("Second")
    create(clean_red, server, table, keys_only=True)
    server.fail_next(Answer(404, "{}"), path="/sprint")
    with pytest.raises(SourceIncomplete, match="1 part of the source"):
        load(clean_red, server, table, keys_only=True)


def test_a_scope_restricts_the_load(clean_red: RedServer, server: JiraServer) -> None:
    create(clean_red, server, ISSUE_TABLE)
    create(clean_red, server, PROJECT_TABLE)
    assert load(clean_red, server, ISSUE_TABLE, full=True, include_private=False).inserted == 2
    assert load(clean_red, server, PROJECT_TABLE, include_private=False).inserted == 1
    assert load(clean_red, server, ISSUE_TABLE, full=True, projects="PR").inserted == 1
    assert load(clean_red, server, ISSUE_TABLE, full=True, jql="project = EX").inserted == 2


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        ("load_jira_worklog", {"projects": ["EX"]}, "projects does not go with worklog"),
        ("load_jira_worklog", {"keys_only": True, "since": NOW}, "goes neither with since"),
        ("load_jira_issue", {"keys_only": True, "use_high_water_mark": True}, "goes neither with since"),
        ("load_jira_worklog_deleted", {"keys_only": True}, "nor with worklog_deleted"),
        ("load_jira_user", {"include_private": False}, "include_private does not go with user"),
        ("load_jira_project", {"jql": "a = b"}, "jql does not go with project"),
        ("load_jira_board", {"since": NOW}, "since does not go with board"),
        ("load_jira_issue", {"archived": True}, "archived does not go with issue"),
        ("load_jira_issue", {"since": "tomorrow"}, "since is 'tomorrow', which is no moment"),
        ("load_jira_issue", {"jql": "a = b ORDER BY c"}, "ORDER BY"),
        ("load_jira_issue", {"overlap_minutes": -5}, "negative"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_an_error(
    clean_red: RedServer, server: JiraServer, table: str, arguments: dict[str, Any], message: str
) -> None:
    clean_red.register_load_table(table)
    wherescape = attached(clean_red, server, table)
    with pytest.raises(DeclarationError, match=message):
        jira_load_data(wherescape=wherescape, **arguments)
    wherescape.close()
    assert clean_red.read_parameter(HIGH_WATER_MARK) is None


# ---------------------------------------------------------------------------------------------------------- connection


def test_no_user_means_a_bearer_token_and_the_cloud_address_serves(clean_red: RedServer, server: JiraServer) -> None:
    create(clean_red, server, ISSUE_TABLE)
    result = run(clean_red, server, "jira_load_data.py", ISSUE_TABLE, user="", url=server.cloud_url)
    assert (result.status, result.inserted) == (1, 3), result


@pytest.mark.parametrize("name", ["url", "apikey"])
def test_a_connection_that_lacks_something_names_it(clean_red: RedServer, server: JiraServer, name: str) -> None:
    create(clean_red, server, ISSUE_TABLE)
    wherescape = attached(clean_red, server, ISSUE_TABLE, **{name: ""})
    with pytest.raises(EnvironmentVariableError, match=f"WSL_SRCCFG_{name.upper()}"):
        jira_load_data(wherescape=wherescape)
    wherescape.close()


def test_a_token_that_expires_in_the_middle_loads_nothing(clean_red: RedServer, server: JiraServer) -> None:
    create(clean_red, server, ISSUE_TABLE)
    server.after_answer(lambda: setattr(server, "is_login_valid", False), path="search/jql")
    result = run(clean_red, server, "jira_load_data.py", ISSUE_TABLE)
    assert (result.status, rows(clean_red, ISSUE_TABLE, "count(*)")) == (-2, [(0,)]), result
    assert "as if without a login" in result.message and "WSL_SRCCFG_APIKEY" in result.message
    assert clean_red.read_parameter(HIGH_WATER_MARK) is None


def test_a_load_table_of_no_known_kind_lists_the_known_ones(clean_red: RedServer, server: JiraServer) -> None:
    clean_red.register_load_table("load_jira_filter")
    wherescape = attached(clean_red, server, "load_jira_filter")
    for function in (jira_create_metadata, jira_load_data):
        with pytest.raises(UnknownTableKind, match="board, changelog, issue, project"):
            function(wherescape=wherescape)
    wherescape.close()


def test_metadata_of_issues_with_custom_fields_by_the_old_name(
    clean_red: RedServer, server: JiraServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add_custom_field("Story Points", "number")
    clean_red.register_load_table("load_tickets")
    for name, value in clean_red.environment("load_tickets", source_config=source(server)).items():
        monkeypatch.setenv(name, value)
    jira_create_metadata_issue(custom_fields=["Story Points"])
    registered = clean_red.query_repository("SELECT lc_col_name FROM red.ws_load_col")
    assert ("story_points",) in [tuple(row) for row in registered]
