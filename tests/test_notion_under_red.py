"""The Notion host scripts as RED runs them: against real databases and a Notion on loopback."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.loading import texts_of_red
from tests.servers.notion_server import START, DataSource, NotionServer, block
from wherescape import WhereScape
from wherescape.connectors.notion.notion_create_metadata import notion_create_metadata
from wherescape.connectors.notion.notion_load_data import notion_load_data
from wherescape.errors import (
    ApiRefused,
    ApiUnavailable,
    DeclarationError,
    EnvironmentVariableError,
)
from wherescape.load_task import LoadResult
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import TaskResult
from wherescape.testing.api_server import Answer, json_answer

HOST_SCRIPTS = Path(__file__).parents[1] / "host_scripts"
TABLE, USERS = "load_notion_task", "load_notion_user"
MARK = f"HWM_{TABLE}"
MASK_KEY = "0123456789abcdef0123456789abcdef"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LAST_EDIT = START + HOUR

PROPERTIES = {
    "Name": "title",
    "Notes": "rich_text",
    "Hours": "number",
    "Kind": "select",
    "State": "status",
    "Labels": "multi_select",
    "Due": "date",
    "Ready": "checkbox",
    "Link": "url",
    "Mail": "email",
    "Phone": "phone_number",
    "Who": "people",
    "Papers": "files",
    "Blocks": "relation",
    "Double": "formula",
    "Number": "unique_id",
    "Born": "created_time",
    "Verified": "verification",
    "Press": "button",
}


@pytest.fixture
def server() -> Iterator[NotionServer]:
    with NotionServer() as server:
        yield server


@pytest.fixture
def tasks(server: NotionServer) -> DataSource:
    """A data source of three pages, read an hour after the last edit."""
    source = server.add_data_source(PROPERTIES)
    server.add_property(source, "Total", "rollup", function="sum")
    ann = server.add_user("Ann Lee", "ann@example.com")
    first = server.add_page(source, {"Name": "Sand"})
    server.add_page(
        source,
        {
            "Name": ["Paint ", "the wall 😀"],
            "Notes": "Größe",
            "Hours": 2.5,
            "Kind": "Chore",
            "State": "Open",
            "Labels": ["a, b", "c"],
            "Due": {"start": "2026-01-07T09:00:00.000+01:00", "end": "2026-01-08", "time_zone": None},
            "Ready": True,
            "Link": "https://example.com/wall",
            "Mail": "mia@example.com",
            "Phone": "+31 20 5550100",
            "Who": [ann],
            "Papers": [{"name": "plan.pdf", "type": "file", "file": {"url": "https://example.com/?signature=x"}}],
            "Blocks": [first],
            "Double": {"type": "number", "number": 5},
            "Number": {"prefix": "TASK", "number": 2},
            "Verified": {"state": "unverified", "verified_by": None, "date": None},
            "Total": {"type": "number", "number": 0.1, "function": "sum"},
        },
        block("paragraph", "Two coats"),
    )
    server.pass_time(HOUR)
    server.add_page(source, {"Name": "Dry"})
    server.pass_time(HOUR)
    return source


def config(server: NotionServer) -> dict[str, str]:
    return {"url": server.url, "apikey": server.token}


def run(red: RedServer, server: NotionServer, script: str, table: str = TABLE) -> TaskResult:
    return red.run_host_script(HOST_SCRIPTS / script, table, source_config=config(server))


def attached(red: RedServer, server: NotionServer, table: str = TABLE, **more: str) -> WhereScape:
    """Return the WhereScape object of a script that is attached to a load table."""
    return WhereScape(red.environment(table, source_config=config(server) | more))


def write_metadata(red: RedServer, server: NotionServer, table: str = TABLE, **arguments: Any) -> None:
    wherescape = attached(red, server, table)
    notion_create_metadata(wherescape=wherescape, **arguments)
    wherescape.close()


def create(red: RedServer, server: NotionServer, source: DataSource, table: str = TABLE, **arguments: Any) -> None:
    red.register_load_table(table, file_name=source.id)
    write_metadata(red, server, table, **arguments)
    red.create_table(table)


def load(red: RedServer, server: NotionServer, table: str = TABLE, **arguments: Any) -> LoadResult:
    """Load in this process, as the host script would."""
    red.query_warehouse(f"TRUNCATE load.{table}")
    wherescape = attached(red, server, table)
    try:
        return notion_load_data(wherescape=wherescape, max_retries=0, **arguments)
    finally:
        wherescape.close()


def rows(red: RedServer, expressions: str, table: str = TABLE) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in red.query_warehouse(f"SELECT {expressions} FROM load.{table} ORDER BY 1")]


def registered(red: RedServer, table: str = TABLE) -> dict[str, str]:
    """Return the display names of the columns that RED knows."""
    found = red.query_repository(
        "SELECT lc_col_name, lc_display_name FROM red.ws_load_col"
        " JOIN red.ws_load_tab ON lt_obj_key = lc_obj_key WHERE lt_table_name = ? ORDER BY lc_order",
        [table],
    )
    return {row[0]: row[1] for row in found}


def test_a_database_is_registered_created_loaded_loaded_again_and_left_alone_by_a_failure(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    red = clean_red
    red.register_load_table(TABLE, file_name=f"https://app.notion.com/p/{tasks.database_id.replace('-', '')}?v=1")
    assert run(red, server, "notion_create_metadata.py").status == 1
    red.create_table(TABLE)

    full = run(red, server, "notion_load_data.py")
    assert (full.status, full.inserted) == (1, 3), full
    mark = red.read_parameter(MARK)
    assert mark == LAST_EDIT.isoformat()

    page = server.add_page(tasks, {"Name": "New"})
    server.pass_time(HOUR)
    increment = run(red, server, "notion_load_data.py")
    assert (increment.status, increment.inserted) == (1, 2), increment
    assert (page.id, "New", f"Notion api - {tasks.id}") in rows(red, "page_id, name, dss_record_source")
    later = red.read_parameter(MARK)
    assert later == (LAST_EDIT + HOUR).isoformat()

    server.edit(page, {"Name": "Newer", "Mail": "mia@example.com"})
    server.fail_next(json_answer({"object": "error", "message": "No."}, 403), path="/query", after=1)
    failed = run(red, server, "notion_load_data.py")
    assert (failed.status, rows(red, "count(*)")) == (-2, [(0,)]), failed
    told = "\n".join([failed.message, *failed.audit, *failed.detail])
    assert "403" in told and server.token not in told and "mia@example.com" not in told
    assert red.read_parameter(MARK) == later


def test_users_are_registered_created_and_loaded_in_full(clean_red: RedServer, server: NotionServer) -> None:
    red = clean_red
    ann = server.add_user("Ann Lee", "ann@example.com")
    red.register_load_table(USERS)
    assert run(red, server, "notion_create_metadata.py", USERS).status == 1
    red.create_table(USERS)
    for _ in range(2):
        assert (run(red, server, "notion_load_data.py", USERS).inserted, red.read_parameter(f"HWM_{USERS}")) == (
            1,
            None,
        )
        assert rows(red, "id, type, name, email", USERS) == [(ann, "person", "Ann Lee", "ann@example.com")]
    server.may_read_users = False
    failed = run(red, server, "notion_load_data.py", USERS)
    assert (failed.status, rows(red, "count(*)", USERS)) == (-2, [(0,)])
    assert "ann@example.com" not in "\n".join(texts_of_red(red).values())


def test_every_value_arrives_as_it_is(clean_red: RedServer, server: NotionServer, tasks: DataSource) -> None:
    create(clean_red, server, tasks)
    assert load(clean_red, server).rejected == 0
    (row,) = clean_red.query_warehouse(f"SELECT * FROM load.{TABLE} WHERE hours IS NOT NULL")
    assert (row.name, row.notes, float(row.hours)) == ("Paint the wall 😀", "Größe", 2.5)
    assert (row.kind, row.state, row.ready, row.number) == ("Chore", "Open", "1", "TASK-2")
    assert (row.due_start, row.due_end) == (datetime(2026, 1, 7, 8), datetime(2026, 1, 8))
    assert (row.link, row.mail, row.phone) == ("https://example.com/wall", "mia@example.com", "+31 20 5550100")
    assert (json.loads(row.labels), json.loads(row.papers)) == (["a, b", "c"], ["plan.pdf"])
    assert json.loads(row.who) == [{"id": next(iter(server.users)), "name": "Ann Lee"}]
    assert (len(json.loads(row.blocks)), float(row.double), str(row.total)) == (1, 5, "0.1")
    assert (row.born, row.page_created_time) == (datetime(2026, 1, 5, 10, 5), datetime(2026, 1, 5, 10, 5))
    assert not hasattr(row, "press")


# ------------------------------------------------------------------------------------------------------ data sources


def test_the_data_source_may_stand_in_a_parameter_or_in_the_script(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    red = clean_red
    red.register_load_table(TABLE)
    with pytest.raises(DeclarationError, match="notion_database_load_notion_task"):
        write_metadata(red, server)
    write_metadata(red, server, data_source=tasks.id)
    red.create_table(TABLE)
    red.write_parameter(f"notion_database_{TABLE}", tasks.database_id)
    assert load(red, server).inserted == 3
    other = server.add_data_source({"Name": "title"})
    assert load(red, server, data_source=other.id).inserted == 0


def test_the_token_may_stand_in_a_parameter(clean_red: RedServer, server: NotionServer, tasks: DataSource) -> None:
    red = clean_red
    create(red, server, tasks)
    wherescape = attached(red, server, apikey="")
    with pytest.raises(EnvironmentVariableError, match="notion_key"):
        notion_load_data(wherescape=wherescape)
    red.write_parameter("notion_key", server.token)
    assert notion_load_data(wherescape=wherescape).inserted == 3
    red.write_parameter("notion_key", "ntn_revoked")
    with pytest.raises(ApiRefused, match="RED parameter notion_key"):
        notion_load_data(wherescape=wherescape)
    wherescape.close()


def test_a_second_data_source_changes_nothing_for_a_load_of_the_first(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    create(clean_red, server, tasks)
    server.add_data_source({"Name": "title"}, server.databases[tasks.database_id])
    assert load(clean_red, server).inserted == 3
    with pytest.raises(DeclarationError, match="2 data sources"):
        load(clean_red, server, data_source=tasks.database_id)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"kind": "block"}, "'block'"), ({"kind": "user", "data_source": "x"}, "Users belong to no data source")],
)
def test_arguments_that_do_not_go_together_are_refused(
    clean_red: RedServer, server: NotionServer, arguments: dict[str, Any], said: str
) -> None:
    clean_red.register_load_table(TABLE)
    with pytest.raises(DeclarationError, match=said):
        write_metadata(clean_red, server, **arguments)
    wherescape = attached(clean_red, server)
    with pytest.raises(DeclarationError, match=said):
        notion_load_data(wherescape=wherescape, **arguments)
    wherescape.close()


def test_a_database_of_user_stories_is_no_table_of_users(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    create(clean_red, server, tasks, "load_notion_user_story")
    assert load(clean_red, server, "load_notion_user_story").inserted == 3


# ----------------------------------------------------------------------------------------------- changes of the schema


def test_a_renamed_property_renames_a_display_name_and_no_column(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    red = clean_red
    create(red, server, tasks)
    columns = list(registered(red))
    server.rename_property(tasks, "Hours", "Effort")
    server.rename_property(tasks, "State", "Hours")
    load(red, server)
    assert rows(red, "hours, state")[0] == (2.5, "Open")
    write_metadata(red, server)
    assert list(registered(red)) == columns
    assert (registered(red)["hours"], registered(red)["state"]) == ("Effort", "Hours")
    load(red, server, full=True)
    assert rows(red, "hours, state")[0] == (2.5, "Open")


def test_a_new_property_waits_for_the_metadata(
    clean_red: RedServer, server: NotionServer, tasks: DataSource, caplog: pytest.LogCaptureFixture
) -> None:
    red = clean_red
    create(red, server, tasks)
    # It takes the name of one that was renamed.
    server.rename_property(tasks, "Notes", "Old notes")
    server.add_property(tasks, "Notes", "rich_text")
    server.edit(server.rows(tasks)[0], {"Notes": "Brand-new"})
    with caplog.at_level(logging.INFO):
        assert load(red, server).inserted == 3
    assert "properties Notes have no column yet" in caplog.text
    assert rows(red, "count(*)", f"{TABLE} WHERE notes = 'Brand-new'") == [(0,)]
    before = set(registered(red))
    write_metadata(red, server)
    (column,) = set(registered(red)) - before
    assert registered(red)[column] == "Notes"
    red.create_table(TABLE)
    load(red, server, full=True)
    assert sorted(rows(red, f"coalesce(notes, ''), coalesce({column}, '')")) == [
        ("", ""),
        ("", "Brand-new"),
        ("Größe", ""),
    ]


def test_a_removed_property_leaves_its_column_empty_with_a_warning(
    clean_red: RedServer, server: NotionServer, tasks: DataSource, caplog: pytest.LogCaptureFixture
) -> None:
    red = clean_red
    create(red, server, tasks)
    server.remove_property(tasks, "Due")
    server.add_property(tasks, "Due start", "rich_text")
    assert load(red, server).inserted == 3
    assert "columns due_start, due_end are NULL" in caplog.text
    assert rows(red, "count(due_start)") == [(0,)]
    write_metadata(red, server)
    assert registered(red)["due_start"] == "Due start"
    assert len([name for name in registered(red) if name.startswith("due_start_")]) == 1


def test_two_properties_of_one_name_have_a_column_each(clean_red: RedServer, server: NotionServer) -> None:
    red = clean_red
    source = server.add_data_source({"Name": "title", "Cost": "number", "Cost €": "number", "cost!": "number"})
    server.add_page(source, {"Cost": 1, "Cost €": 2, "cost!": 3})
    create(red, server, source)
    columns = [name for name, label in registered(red).items() if "cost" in label.lower()]
    load(red, server)
    assert rows(red, ", ".join(columns)) == [(1, 2, 3)]
    # The order in which Notion tells of them is no promise.
    source.properties = dict(reversed(source.properties.items()))
    write_metadata(red, server)
    load(red, server, full=True)
    assert rows(red, ", ".join(columns)) == [(1, 2, 3)]


def test_a_number_that_became_a_text_is_loaded_where_it_fits(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    red = clean_red
    create(red, server, tasks)
    server.property(tasks, "Hours").type = "rich_text"
    for number, page in enumerate(server.rows(tasks)):
        server.edit(page, {"Hours": ["7.50", "many", "8"][number]})
    result = load(red, server)
    assert (result.inserted, result.rejected) == (2, 1)
    assert sorted(map(float, (row[0] for row in rows(red, "hours")))) == [7.5, 8]
    server.property(tasks, "Kind").type = "number"
    for page in server.rows(tasks):
        server.edit(page, {"Hours": "1", "Kind": 4})
    load(red, server, full=True)
    assert rows(red, "DISTINCT kind") == [("4",)]


def test_without_metadata_nothing_is_loaded(clean_red: RedServer, server: NotionServer, tasks: DataSource) -> None:
    clean_red.register_load_table(TABLE, file_name=tasks.id)
    wherescape = attached(clean_red, server)
    with pytest.raises(DeclarationError, match="Run the metadata script"):
        notion_load_data(wherescape=wherescape)
    wherescape.close()


def test_a_column_removed_in_red_is_not_loaded(clean_red: RedServer, server: NotionServer, tasks: DataSource) -> None:
    red = clean_red
    create(red, server, tasks)
    red.query_repository("DELETE FROM red.ws_load_col WHERE lc_col_name IN ('blocks', 'page_url')")
    assert load(red, server).inserted == 3
    assert rows(red, "count(blocks), count(page_url), count(name)") == [(0, 0, 3)]
    red.query_repository("DELETE FROM red.ws_load_col WHERE lc_col_name = 'page_id'")
    with pytest.raises(DeclarationError, match="cannot do without page_id"):
        load(red, server)


# --------------------------------------------------------------------------------------------------------------- marks


def test_the_mark_is_the_last_edit_and_the_next_load_looks_back(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    red = clean_red
    create(red, server, tasks)
    late = server.add_page(tasks, {"Name": "Late"})
    server.pass_time(4 * MINUTE)
    last = server.add_page(tasks, {"Name": "Last"})
    server.pass_time(HOUR)
    assert load(red, server).mark == LAST_EDIT + HOUR + 4 * MINUTE
    assert load(red, server).inserted == 2
    assert sorted(row[0] for row in rows(red, "page_id")) == sorted([late.id, last.id])
    assert load(red, server, overlap_minutes=0).inserted == 1


def test_the_mark_does_not_pass_the_beginning_of_the_load(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    red = clean_red
    create(red, server, tasks)
    begin = server.moment()

    def edit() -> None:
        server.pass_time(HOUR)
        server.edit(server.rows(tasks)[0], {"Name": "Edited"})

    server.after_answer(edit, path="/query")
    result = load(red, server)
    assert result.mark
    assert begin - timedelta(seconds=1) <= result.mark <= begin


def test_an_edit_in_the_minute_of_the_mark_is_not_lost(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    red = clean_red
    create(red, server, tasks)
    page = server.rows(tasks)[0]
    server.pass_time(10 * timedelta(seconds=1))
    server.edit(page, {"Name": "First"})
    load(red, server)
    server.pass_time(20 * timedelta(seconds=1))
    server.edit(page, {"Name": "Second"})
    server.pass_time(HOUR)
    load(red, server, overlap_minutes=0)
    assert rows(red, "name", f"{TABLE} WHERE page_id = '{page.id}'") == [("Second",)]


def test_a_full_load_and_a_staged_mark(clean_red: RedServer, server: NotionServer, tasks: DataSource) -> None:
    red = clean_red
    create(red, server, tasks)
    load(red, server, staged_mark=True)
    assert (red.read_parameter(MARK), red.read_parameter(f"{MARK}_next")) == (None, LAST_EDIT.isoformat())
    red.write_parameter(MARK, (LAST_EDIT + HOUR).isoformat())
    assert load(red, server).inserted == 0
    assert load(red, server, full=True).inserted == 3
    load(red, server, high_water_mark="HWM_other")
    assert red.read_parameter("HWM_other") == LAST_EDIT.isoformat()


def test_what_is_gone_is_found_by_the_keys(clean_red: RedServer, server: NotionServer, tasks: DataSource) -> None:
    red = clean_red
    keys = "load_notion_task_keys"
    create(red, server, tasks, keys, keys_only=True)
    for _ in range(6):
        server.add_page(tasks, {"Name": "More"})
        server.pass_time()
    server.trash(server.rows(tasks)[1])
    server.row_limit = 3
    assert load(red, server, keys, keys_only=True).inserted == 8
    assert rows(red, "page_id", keys) == sorted((page.id,) for page in server.rows(tasks))
    assert red.read_parameter(f"HWM_{keys}") is None
    server.fail_next(Answer(0), path="/query", after=1)
    with pytest.raises(ApiUnavailable):
        load(red, server, keys, keys_only=True)
    assert rows(red, "count(*)", keys) == [(0,)]


# -------------------------------------------------------------------------------------------- contents, personal data


def test_contents_are_loaded_if_the_metadata_declares_them(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    red = clean_red
    create(red, server, tasks)
    load(red, server)
    assert not any("/children" in request.path for request in server.requests)
    create(red, server, tasks, with_content=True)
    load(red, server, full=True)
    assert sorted(row[0] for row in rows(red, "page_content")) == ["", "", "Two coats"]
    # The column stays what it is, also if the argument is left out later.
    write_metadata(red, server)
    load(red, server, full=True)
    assert ("Two coats",) in rows(red, "page_content")


def test_masked_persons_are_nowhere_to_be_found(clean_red: RedServer, server: NotionServer, tasks: DataSource) -> None:
    red = clean_red
    red.write_parameter("mask_key", MASK_KEY)
    people = {"type": "people", "people": [next(iter(server.users.values()))]}
    mails = {"type": "email", "email": "zoe@example.com"}
    server.property(tasks, "Total").config["function"] = "show_original"
    (page,) = [page for page in server.rows(tasks) if page.blocks]
    server.edit(page, {"Total": {"type": "array", "array": [people, mails], "function": "show_original"}})
    create(red, server, tasks)
    red.register_load_table(USERS)
    write_metadata(red, server, USERS)
    red.create_table(USERS)
    result = load(red, server, mask_persons=True)
    assert (result.inserted, result.rejected) == (3, 0)
    assert load(red, server, USERS, mask_persons=True).inserted == 1
    (row,) = red.query_warehouse(f"SELECT * FROM load.{TABLE} WHERE mail IS NOT NULL")
    ann = next(iter(server.users))
    assert json.loads(row.who) == [{"id": ann}]
    assert (json.loads(row.total)[1], len(row.mail), len(row.phone)) == ("[MASKED]", 64, 64)
    assert rows(red, "id, length(name), length(email)", USERS) == [(ann, 64, 64)]
    everything = "\n".join([*texts_of_red(red).values(), str(rows(red, "*")), str(rows(red, "*", USERS))])
    for secret in ("Ann Lee", "ann@example.com", "mia@example.com", "zoe@example.com", "5550100", server.token):
        assert secret not in everything
    assert load(red, server, full=True, mask_persons=False).inserted == 3
    assert "mia@example.com" in str(rows(red, "mail"))


def test_persons_in_rows_that_do_not_fit_are_masked_in_the_reject_file(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    red = clean_red
    red.write_parameter("mask_key", MASK_KEY)
    create(red, server, tasks)
    server.property(tasks, "Hours").type = "rich_text"
    (page,) = [page for page in server.rows(tasks) if page.blocks]
    for row in server.rows(tasks):
        server.edit(row, {"Hours": "many" if row is page else ""})
    assert load(red, server, mask_persons=True).rejected == 1
    texts = "\n".join(texts_of_red(red).values())
    assert page.id in texts
    assert "mia@example.com" not in texts and "Ann Lee" not in texts and "5550100" not in texts


# ------------------------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_load_that_fails_anywhere_leaves_table_and_mark(
    clean_red: RedServer, server: NotionServer, tasks: DataSource, after: int
) -> None:
    red = clean_red
    create(red, server, tasks)
    for number in range(150):
        server.add_page(tasks, {"Name": f"Task {number}"})
    server.fail_next(json_answer({"object": "error"}, 502), path="/query", after=after)
    with pytest.raises(ApiUnavailable):
        load(red, server)
    assert rows(red, "count(*)") == [(0,)]
    assert red.read_parameter(MARK) is None
    assert load(red, server).inserted == 153


def test_more_than_one_query_of_rows_is_loaded_whole(
    clean_red: RedServer, server: NotionServer, tasks: DataSource
) -> None:
    red = clean_red
    create(red, server, tasks)
    for number in range(60):
        server.add_page(tasks, {"Name": f"Task {number}"})
        server.pass_time(20 * timedelta(seconds=1))
    server.row_limit = 7
    assert load(red, server).inserted == 63
    assert rows(red, "count(DISTINCT page_id)") == [(63,)]
