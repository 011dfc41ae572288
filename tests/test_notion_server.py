"""The stand-in for Notion keeps to the API's contract, and holds a client to it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from tests.servers.notion_server import OLD_VERSION, START, DataSource, NotionServer, Page, block
from wherescape.errors import SandboxError

BY_CREATION = [{"timestamp": "created_time", "direction": "ascending"}]
SECOND = timedelta(seconds=1)


@pytest.fixture
def server() -> Iterator[NotionServer]:
    with NotionServer() as server:
        yield server


@pytest.fixture
def tasks(server: NotionServer) -> DataSource:
    return server.add_data_source({"Name": "title", "Blocks": "relation", "Sum": "rollup"})


def ask(server: NotionServer, method: str, path: str, version: str = "2025-09-03", **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {server.token}", "Notion-Version": version}
    return requests.request(method, f"{server.url}/v1/{path}", headers=headers, timeout=10, **more)


def query(server: NotionServer, source: DataSource, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = ask(server, "POST", f"data_sources/{source.id}/query", json=body).json()
    return answer


def query_all(server: NotionServer, source: DataSource, **body: Any) -> list[dict[str, Any]]:
    pages = [query(server, source, **body)]
    while pages[-1]["has_more"]:
        pages.append(query(server, source, start_cursor=pages[-1]["next_cursor"], **body))
    return pages


def ids(pages: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for page in pages for row in page["results"]]


def add(server: NotionServer, source: DataSource, count: int, passing: timedelta = 40 * SECOND) -> list[Page]:
    made = []
    for number in range(count):
        made.append(server.add_page(source, {"Name": f"Task {number}"}))
        server.pass_time(passing)
    return made


@pytest.mark.parametrize(
    ("method", "path", "version", "body", "message"),
    [
        ("GET", "users", "", None, "Notion-Version"),
        ("GET", "users", "2024-01-01", None, "Notion-Version"),
        ("GET", "users?page_size=101", "2025-09-03", None, "page_size"),
        ("GET", "users?limit=5", "2025-09-03", None, "query"),
        ("GET", "users?start_cursor=x", "2025-09-03", None, "start_cursor"),
        ("GET", "databases", "2025-09-03", None, "Invalid request URL"),
        ("GET", "data_sources/x", "2025-09-03", None, "uuid"),
        ("GET", "data_sources/{id}", OLD_VERSION, None, "Invalid request URL"),
        ("POST", "data_sources/{id}/query", "2025-09-03", {"page_size": 101}, "page_size"),
        ("POST", "data_sources/{id}/query", "2025-09-03", {"limit": 5}, "body"),
        ("POST", "data_sources/{id}/query", "2025-09-03", {"start_cursor": "x"}, "start_cursor"),
        ("POST", "data_sources/{id}/query", "2025-09-03", {"sorts": [{"timestamp": "name"}]}, "sorts"),
        ("POST", "data_sources/{id}/query", "2025-09-03", {"filter": {"timestamp": "created_time"}}, "filter"),
        (
            "POST",
            "data_sources/{id}/query",
            "2025-09-03",
            {"filter": {"timestamp": "created_time", "created_time": {"since": "2026-01-05"}}},
            "filter",
        ),
        ("POST", "databases/{database_id}/query", "2025-09-03", {}, "Invalid request URL"),
    ],
)
def test_what_the_contract_forbids_is_refused_and_noted(
    server: NotionServer, tasks: DataSource, method: str, path: str, version: str, body: Any, message: str
) -> None:
    path = path.format(id=tasks.id, database_id=tasks.database_id)
    answer = ask(server, method, path, version, json=body)
    assert (answer.status_code, answer.json()["object"]) == (400, "error")
    assert message in answer.json()["message"]
    with pytest.raises(SandboxError, match="broke the contract"):
        server.__exit__(None)
    server.mistakes.clear()
    server.start()


def test_a_wrong_token_and_what_is_not_shared_are_refused(server: NotionServer, tasks: DataSource) -> None:
    server.databases[tasks.database_id].is_shared = False
    assert ask(server, "GET", f"data_sources/{tasks.id}").json()["code"] == "object_not_found"
    server.token, token = "ntn_other", server.token
    answer = requests.get(
        f"{server.url}/v1/users",
        headers={"Authorization": f"Bearer {token}", "Notion-Version": "2025-09-03"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_a_database_holds_data_sources(server: NotionServer, tasks: DataSource) -> None:
    database = server.databases[tasks.database_id]
    path = f"databases/{database.id}"
    assert ask(server, "GET", path).json()["data_sources"] == [{"id": tasks.id, "name": "Tasks"}]
    assert "properties" not in ask(server, "GET", path).json()
    assert "Name" in ask(server, "GET", path, OLD_VERSION).json()["properties"]
    assert ask(server, "POST", f"{path}/query", OLD_VERSION, json={}).json()["results"] == []
    server.add_data_source({"Name": "title"}, database)
    assert ask(server, "POST", f"{path}/query", OLD_VERSION, json={}).status_code == 400


@pytest.mark.parametrize("timestamp", ["created_time", "last_edited_time"])
@pytest.mark.parametrize("direction", ["ascending", "descending"])
@pytest.mark.parametrize("short", [False, True])
def test_a_query_gives_all_rows_in_order(
    server: NotionServer, tasks: DataSource, timestamp: str, direction: str, short: bool
) -> None:
    made = add(server, tasks, 12)
    server.edit(made[3], {"Name": "Edited"})
    server.trash(made[5])
    server.pages_are_short = short
    sorts = [{"timestamp": timestamp, "direction": direction}]
    pages = query_all(server, tasks, page_size=5, sorts=sorts)
    assert sorted(ids(pages)) == sorted(page.id for page in made if page is not made[5])
    times = [row[timestamp] for page in pages for row in page["results"]]
    assert times == sorted(times, reverse=direction == "descending")
    assert max(len(page["results"]) for page in pages) <= 5
    assert {page["request_status"]["type"] for page in pages} == {"complete"}


def test_times_are_shown_and_compared_to_the_minute(server: NotionServer, tasks: DataSource) -> None:
    server.pass_time(59 * SECOND)
    page = server.add_page(tasks, {"Name": "Late"})
    bound = {"timestamp": "last_edited_time", "last_edited_time": {"on_or_after": START.isoformat()}}
    (row,) = query(server, tasks, filter=bound)["results"]
    assert (row["id"], row["last_edited_time"]) == (page.id, "2026-01-05T10:05:00.000Z")
    bound["last_edited_time"] = {"after": START.isoformat()}
    assert query(server, tasks, filter={"and": [bound]})["results"] == []


def test_times_may_be_rounded_to_the_nearest_minute(server: NotionServer, tasks: DataSource) -> None:
    server.rounding = 30 * SECOND
    server.pass_time(29 * SECOND)
    server.add_page(tasks, {"Name": "Down"})
    server.pass_time(SECOND)
    server.add_page(tasks, {"Name": "Up"})
    times = [row["created_time"] for row in query(server, tasks, sorts=BY_CREATION)["results"]]
    assert times == ["2026-01-05T10:05:00.000Z", "2026-01-05T10:06:00.000Z"]


def test_a_query_ends_at_its_limit_and_says_so(server: NotionServer, tasks: DataSource) -> None:
    made = add(server, tasks, 7, 60 * SECOND)
    server.row_limit = 5
    pages = query_all(server, tasks, page_size=2, sorts=BY_CREATION)
    assert ids(pages) == [page.id for page in made[:5]]
    assert pages[-1]["request_status"] == {
        "type": "incomplete",
        "incomplete_reason": "query_result_limit_reached",
    }
    server.row_limit = 7
    assert query_all(server, tasks, sorts=BY_CREATION)[-1]["request_status"] == {"type": "complete"}


def test_rows_added_and_trashed_between_pages_move_no_other(server: NotionServer, tasks: DataSource) -> None:
    made = add(server, tasks, 6, 60 * SECOND)
    first = query(server, tasks, page_size=3, sorts=BY_CREATION)
    server.trash(made[2])
    server.edit(made[0], {"Name": "Edited"})
    new = server.add_page(tasks, {"Name": "New"})
    rest = query(server, tasks, page_size=9, sorts=BY_CREATION, start_cursor=first["next_cursor"])
    assert ids([rest]) == [*(page.id for page in made[3:]), new.id]


def test_a_page_holds_25_items_and_its_property_all(server: NotionServer, tasks: DataSource) -> None:
    related = [page.id for page in add(server, tasks, 130)]
    server.property(tasks, "Sum").config["relation_property_id"] = server.property(tasks, "Blocks").id
    total = {"type": "number", "number": 130, "function": "count"}
    page = server.add_page(tasks, {"Name": ["a"] * 30, "Blocks": related, "Sum": total})
    shown = ask(server, "GET", f"pages/{page.id}").json()["properties"]
    assert (len(shown["Blocks"]["relation"]), shown["Blocks"]["has_more"]) == (25, True)
    assert (len(shown["Name"]["title"]), shown["Sum"]["rollup"]["type"]) == (25, "incomplete")
    path = f"pages/{page.id}/properties/{shown['Blocks']['id']}"
    first = ask(server, "GET", path).json()
    rest = ask(server, "GET", path, params={"start_cursor": first["next_cursor"]}).json()
    assert [item["relation"]["id"] for item in first["results"] + rest["results"]] == related
    assert rest["property_item"]["type"] == "relation"
    summed = ask(server, "GET", f"pages/{page.id}/properties/{shown['Sum']['id']}").json()
    assert summed["property_item"]["rollup"] == total


def test_blocks_are_given_level_by_level(server: NotionServer, tasks: DataSource) -> None:
    page = server.add_page(tasks, {}, block("toggle", "Outer", block("paragraph", "Inner")))
    (outer,) = ask(server, "GET", f"blocks/{page.id}/children").json()["results"]
    assert (outer["has_children"], outer["toggle"]["rich_text"][0]["plain_text"]) == (True, "Outer")
    (inner,) = ask(server, "GET", f"blocks/{outer['id']}/children").json()["results"]
    assert (inner["has_children"], inner["paragraph"]["rich_text"][0]["plain_text"]) == (False, "Inner")
    server.delete(page)
    assert ask(server, "GET", f"blocks/{page.id}/children").status_code == 404
