"""Reading a Notion workspace: whole, once, and in spite of what the API does."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.servers.notion_server import START, DataSource, NotionServer, Page, block
from wherescape.connectors.notion import notion_wrapper
from wherescape.connectors.notion.notion_wrapper import Notion
from wherescape.errors import (
    ApiAnswerInvalid,
    ApiError,
    ApiRateLimited,
    ApiRefused,
    ApiUnavailable,
    DeclarationError,
)
from wherescape.testing.api_server import Answer, json_answer

MINUTE = timedelta(minutes=1)
PROPERTIES = {"Name": "title", "Hours": "number", "Blocks": "relation", "Who": "people"}


@pytest.fixture
def server() -> Iterator[NotionServer]:
    with NotionServer() as server:
        yield server


@pytest.fixture
def tasks(server: NotionServer) -> DataSource:
    return server.add_data_source(PROPERTIES)


@pytest.fixture
def notion(server: NotionServer) -> Iterator[Notion]:
    with connect(server) as notion:
        yield notion


def connect(server: NotionServer, **options: Any) -> Notion:
    return Notion(server.token, server.url, **{"max_retries": 0, **options})


def add(server: NotionServer, source: DataSource, count: int, passing: timedelta = MINUTE) -> list[Page]:
    made = []
    for number in range(count):
        made.append(server.add_page(source, {"Name": f"Task {number}"}))
        server.pass_time(passing)
    return made


def read(notion: Notion, source: DataSource, since: datetime | None = None, **options: Any) -> list[dict[str, Any]]:
    return list(notion.rows(notion.data_source(source.id), since, **options))


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["page_id"] for row in rows]


def field(server: NotionServer, source: DataSource, name: str) -> str:
    return f"property:{server.property(source, name).id}"


def queries(server: NotionServer) -> list[dict[str, Any]]:
    return [request.body for request in server.requests if request.path.endswith("/query")]


# ------------------------------------------------------------------------------------------------------- data sources


@pytest.mark.parametrize(
    "written",
    [
        "{id}",
        "{hex}",
        " {hex} ",
        "https://www.notion.so/team/Tasks-{hex}?v=00000000000040008000000000000000&pvs=4",
        "https://app.notion.com/p/{hex}",
        "https://example.notion.site/{HEX}",
    ],
)
@pytest.mark.parametrize("of", ["data source", "database"])
def test_a_data_source_is_found_by_any_of_its_ids(
    server: NotionServer, tasks: DataSource, notion: Notion, written: str, of: str
) -> None:
    found = tasks.id if of == "data source" else tasks.database_id
    bare = found.replace("-", "")
    source = notion.data_source(written.format(id=found, hex=bare, HEX=bare.upper()))
    assert (source.id, source.name) == (tasks.id, "Tasks")
    assert [prop.name for prop in source.properties] == list(PROPERTIES)


def test_of_several_data_sources_one_must_be_chosen(server: NotionServer, tasks: DataSource, notion: Notion) -> None:
    other = server.add_data_source({"Name": "title"}, server.databases[tasks.database_id], name="Bugs")
    with pytest.raises(DeclarationError, match=rf"2 data sources: {tasks.id} \(Tasks\), {other.id} \(Bugs\)"):
        notion.data_source(tasks.database_id)
    assert notion.data_source(other.id).name == "Bugs"


def test_a_database_without_data_sources_is_refused(server: NotionServer, notion: Notion) -> None:
    with pytest.raises(DeclarationError, match="linked"):
        notion.data_source(server.add_database().id)


@pytest.mark.parametrize("text", ["", "Tasks", "https://app.notion.com/p/Tasks?v=00000000000040008000000000000000"])
def test_a_text_without_an_id_is_refused(notion: Notion, text: str) -> None:
    with pytest.raises(DeclarationError, match="32 hexadecimal digits"):
        notion.data_source(text)


def test_what_is_not_shared_is_refused_with_what_to_do(
    server: NotionServer, tasks: DataSource, notion: Notion
) -> None:
    server.databases[tasks.database_id].is_shared = False
    with pytest.raises(ApiRefused, match="share the database with the integration") as raised:
        notion.data_source(tasks.database_id)
    assert raised.value.status_code == 404


def test_a_formula_is_typed_by_what_it_gives(server: NotionServer, tasks: DataSource, notion: Notion) -> None:
    server.add_property(tasks, "Double", "formula")
    assert notion.data_source(tasks.id).properties[-1].rendering.data_type == "text"
    server.add_page(tasks, {"Double": {"type": "number", "number": 6}})
    assert notion.data_source(tasks.id).properties[-1].rendering.data_type == "numeric"


# --------------------------------------------------------------------------------------------------------------- rows


def test_a_row_has_what_every_page_has_and_its_properties(
    server: NotionServer, tasks: DataSource, notion: Notion
) -> None:
    ann = server.add_user("Ann Lee", "ann@example.com")
    page = server.add_page(tasks, {"Name": "Paint", "Hours": 2.5, "Who": [ann], "Blocks": []})
    (row,) = read(notion, tasks)
    assert row == {
        "page_id": page.id,
        "page_created_time": "2026-01-05T10:05:00.000Z",
        "page_last_edited_time": "2026-01-05T10:05:00.000Z",
        "page_created_by": ann,
        "page_last_edited_by": ann,
        "page_url": f"https://app.notion.com/p/{page.id.replace('-', '')}",
        "page_in_trash": False,
        "page_parent_id": tasks.id,
        "property:title": "Paint",
        field(server, tasks, "Hours"): 2.5,
        field(server, tasks, "Blocks"): [],
        field(server, tasks, "Who"): [{"id": ann, "name": "Ann Lee"}],
    }


def test_a_property_is_found_by_its_id_though_renamed_meanwhile(
    server: NotionServer, tasks: DataSource, notion: Notion
) -> None:
    server.add_page(tasks, {"Hours": 3})
    source = notion.data_source(tasks.id)
    server.rename_property(tasks, "Hours", "Effort")
    (row,) = notion.rows(source)
    assert row[field(server, tasks, "Effort")] == 3


@pytest.mark.parametrize("short", [False, True])
def test_all_pages_of_a_list_are_read(server: NotionServer, tasks: DataSource, notion: Notion, short: bool) -> None:
    made = add(server, tasks, 230, timedelta(seconds=7))
    server.pages_are_short = short
    assert sorted(ids(read(notion, tasks))) == sorted(page.id for page in made)


def test_rows_beyond_the_limit_of_a_query_are_read_once(
    server: NotionServer, tasks: DataSource, notion: Notion
) -> None:
    made = add(server, tasks, 23, timedelta(seconds=25))
    server.row_limit = 5
    assert sorted(ids(read(notion, tasks))) == sorted(page.id for page in made)
    assert sorted(row["page_id"] for row in notion.row_ids(notion.data_source(tasks.id))) == sorted(
        page.id for page in made
    )
    assert len(queries(server)) > 4


def test_too_many_rows_of_one_minute_are_an_error(server: NotionServer, tasks: DataSource, notion: Notion) -> None:
    add(server, tasks, 6, timedelta())
    server.row_limit = 5
    with pytest.raises(ApiAnswerInvalid, match=r"one minute \(2026-01-05T10:05:00\+00:00\)"):
        read(notion, tasks)


def test_an_end_that_is_not_told_is_noticed_by_the_number_of_rows(
    server: NotionServer, tasks: DataSource, notion: Notion, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = add(server, tasks, 3)
    monkeypatch.setattr(notion_wrapper, "ROWS_A_QUERY", 2)
    pages = [server._page(page) for page in made]
    silent = {"object": "list", "next_cursor": None, "has_more": False}
    server.fail_next(json_answer(silent | {"results": pages[:2]}), path="/query")
    assert ids(read(notion, tasks)) == [page.id for page in made]


@pytest.mark.parametrize("reason", ["query_result_limit_reached", "something_new"])
def test_a_query_that_ended_early_without_a_row_is_an_error(
    server: NotionServer, tasks: DataSource, notion: Notion, reason: str
) -> None:
    status = {"type": "incomplete", "incomplete_reason": reason}
    empty: dict[str, Any] = {"object": "list", "results": [], "next_cursor": None, "has_more": False}
    server.fail_next(json_answer(empty | {"request_status": status}), path="/query")
    with pytest.raises(ApiAnswerInvalid, match="after 0 rows"):
        read(notion, tasks)


def test_what_changes_between_two_pages_costs_no_row(server: NotionServer, tasks: DataSource, notion: Notion) -> None:
    made = add(server, tasks, 250)

    def change() -> None:
        server.edit(made[10], {"Name": "Edited"})
        server.edit(made[240], {"Name": "Edited"})
        server.trash(made[0])
        server.trash(made[99])
        server.trash(made[200])
        made.append(server.add_page(tasks, {"Name": "New"}))

    server.after_answer(change, path="/query")
    rows = read(notion, tasks)
    assert sorted(ids(rows)) == sorted(page.id for page in made if page is not made[200])
    assert {row["property:title"] for row in rows} >= {"Edited", "New"}


def test_since_a_moment_only_what_was_edited_comes(server: NotionServer, tasks: DataSource, notion: Notion) -> None:
    made = add(server, tasks, 9)
    server.pass_time(59 * MINUTE)
    server.edit(made[2], {"Name": "Edited"})
    server.row_limit = 4
    since = START + 6 * MINUTE
    assert ids(read(notion, tasks, since)) == [made[2].id, *(page.id for page in made[6:])]
    assert ids(read(notion, tasks, (since + MINUTE).astimezone())) == [made[2].id, *(page.id for page in made[7:])]


def test_data_sources_among_the_pages_of_a_wiki_are_no_rows(
    server: NotionServer, tasks: DataSource, notion: Notion
) -> None:
    tasks.others.append({"object": "data_source", "id": tasks.id})
    page = server.add_page(tasks, {"Name": "Paint"})
    assert ids(read(notion, tasks)) == [page.id]
    assert list(notion.row_ids(notion.data_source(tasks.id))) == [{"page_id": page.id}]


# --------------------------------------------------------------------------------------------------------- long values


@pytest.mark.parametrize("count", [24, 25, 26, 100, 101, 230])
def test_a_relation_is_whole(server: NotionServer, tasks: DataSource, notion: Notion, count: int) -> None:
    related = [page.id for page in add(server, tasks, count)]
    page = server.add_page(tasks, {"Blocks": related})
    (row,) = [row for row in read(notion, tasks) if row["page_id"] == page.id]
    assert row[field(server, tasks, "Blocks")] == related


def test_texts_people_and_rollups_are_whole(server: NotionServer, tasks: DataSource, notion: Notion) -> None:
    relation = server.property(tasks, "Blocks").id
    server.add_property(tasks, "Total", "rollup", function="sum", relation_property_id=relation)
    server.add_property(tasks, "All", "rollup", function="show_original", relation_property_id=relation)
    people = [server.add_user(f"Person {number}", f"p{number}@example.com") for number in range(40)]
    runs = [f"{number} " for number in range(60)]
    total = {"type": "number", "number": 60, "function": "sum"}
    array = [{"type": "number", "number": number} for number in range(60)]
    related = [page.id for page in add(server, tasks, 60)]
    server.add_page(
        tasks,
        {
            "Name": runs,
            "Who": people,
            "Blocks": related,
            "Total": total,
            "All": {"type": "array", "array": array, "function": "show_original"},
        },
    )
    row = read(notion, tasks)[-1]
    assert row["property:title"] == "".join(runs)
    assert [person["id"] for person in row[field(server, tasks, "Who")]] == people
    assert row[field(server, tasks, "Total")] == 60
    assert row[field(server, tasks, "All")] == list(range(60))


def test_a_rollup_that_notion_cannot_sum_up_is_an_error(
    server: NotionServer, tasks: DataSource, notion: Notion
) -> None:
    server.add_property(tasks, "Total", "rollup", function="sum")
    server.add_page(tasks, {"Total": {"type": "incomplete", "incomplete": {}, "function": "sum"}})
    with pytest.raises(ApiAnswerInvalid, match="could not sum up"):
        read(notion, tasks)


@pytest.mark.parametrize("workers", [1, 3])
def test_long_values_come_in_the_order_of_the_pages(server: NotionServer, tasks: DataSource, workers: int) -> None:
    related = [page.id for page in add(server, tasks, 30)]
    made = []
    for _ in range(5):
        made.append(server.add_page(tasks, {"Blocks": related}))
        server.pass_time()
    with connect(server, workers=workers) as notion:
        rows = read(notion, tasks)
    assert ids(rows)[30:] == [page.id for page in made]
    assert all(row[field(server, tasks, "Blocks")] == related for row in rows[30:])


@pytest.mark.parametrize("fate", ["delete", "trash"])
@pytest.mark.parametrize("with_content", [False, True])
def test_a_page_that_goes_while_it_is_read_costs_no_other(
    server: NotionServer, tasks: DataSource, fate: str, with_content: bool
) -> None:
    related = [page.id for page in add(server, tasks, 30)]
    page = server.add_page(tasks, {"Blocks": related})
    go: Callable[[], object] = lambda: getattr(server, fate)(page)  # noqa: E731
    server.after_answer(go, path="/query")
    with connect(server) as notion:
        rows = ids(read(notion, tasks, with_content=with_content))
    assert rows == [*related, *([page.id] if fate == "trash" else [])]


def test_a_property_that_goes_while_it_is_read_is_an_error(
    server: NotionServer, tasks: DataSource, notion: Notion
) -> None:
    server.add_page(tasks, {"Blocks": [page.id for page in add(server, tasks, 30)]})
    server.after_answer(lambda: server.remove_property(tasks, "Blocks"), path="/query")
    with pytest.raises(ApiRefused, match="404"):
        read(notion, tasks)


# ------------------------------------------------------------------------------------------------- contents and users


def test_the_contents_of_a_page_are_one_text(server: NotionServer, tasks: DataSource, notion: Notion) -> None:
    server.add_page(
        tasks,
        {"Name": "Plan"},
        block("heading_1", "Größe"),
        block("paragraph", "Two\nlines"),
        block("divider"),
        block("bulleted_list_item", "Outer", block("to_do", "Done", checked=True), block("to_do", "Open")),
        block("column_list", "", block("column", "", block("quote", "Inside"))),
        block("table", "", block("table_row", cells=[[{"plain_text": "a"}], [{"plain_text": "b"}]])),
        block("child_page", title="Sub page"),
        block("equation", expression="e=mc^2"),
        block("image", caption=[{"plain_text": "A lamp"}]),
        block("hologram"),
    )
    server.add_page(tasks, {"Name": "Empty"})
    texts = [row["page_content"] for row in read(notion, tasks, with_content=True)]
    expected = [
        "Größe",
        "Two",
        "lines",
        "- Outer",
        "  [x] Done",
        "  [ ] Open",
        "Inside",
        "a | b",
        "Sub page",
        "e=mc^2",
        "A lamp",
    ]
    assert sorted(texts) == ["", "\n".join(expected)]


def test_long_contents_are_read_to_their_end(server: NotionServer, tasks: DataSource, notion: Notion) -> None:
    lines = [f"Line {number}" for number in range(250)]
    server.add_page(tasks, {"Name": "Long"}, *(block("paragraph", line) for line in lines))
    (row,) = read(notion, tasks, with_content=True)
    assert row["page_content"].splitlines() == lines


def test_contents_that_the_token_may_not_read_are_an_error(
    server: NotionServer, tasks: DataSource, notion: Notion
) -> None:
    server.add_page(tasks, {"Name": "Plan"})
    server.fail_next(json_answer({"object": "error", "message": "Insufficient permissions."}, 403), path="/children")
    with pytest.raises(ApiRefused, match=r"403 Insufficient permissions"):
        read(notion, tasks, with_content=True)


def test_a_block_that_goes_meanwhile_costs_its_text_only(
    server: NotionServer, tasks: DataSource, notion: Notion
) -> None:
    page = server.add_page(
        tasks, {"Name": "Plan"}, block("toggle", "Outer", block("paragraph", "Inner")), block("paragraph", "Last")
    )
    server.after_answer(lambda: page.blocks.pop(0), path=f"{page.id}/children")
    (row,) = read(notion, tasks, with_content=True)
    assert row["page_content"] == "Outer\nLast"


def test_users_are_members_and_bots(server: NotionServer, notion: Notion) -> None:
    people = [server.add_user(f"Person {number}", f"p{number}@example.com") for number in range(120)]
    bot = server.add_user("Loader")
    users = list(notion.users())
    assert [user["id"] for user in users] == [*people, bot]
    assert users[0] == {
        "id": people[0],
        "type": "person",
        "name": "Person 0",
        "avatar_url": None,
        "email": "p0@example.com",
    }
    assert (users[-1]["type"], users[-1]["email"]) == ("bot", None)


def test_users_that_the_token_may_not_read_are_an_error(server: NotionServer, notion: Notion) -> None:
    server.may_read_users = False
    with pytest.raises(ApiRefused, match="may read"):
        list(notion.users())


# ------------------------------------------------------------------------------------------------------------- trouble


OVERLOADED = json_answer({"object": "error", "code": "service_overload", "message": "Busy."}, 529), ApiUnavailable
TROUBLE: list[tuple[Answer, type[ApiError]]] = [
    (json_answer({"object": "error", "code": "rate_limited", "message": "Slow down."}, 429), ApiRateLimited),
    (json_answer({"object": "error", "code": "internal_server_error"}, 500), ApiUnavailable),
    (json_answer({"object": "error", "code": "gateway_timeout"}, 504), ApiUnavailable),
    (Answer(0), ApiUnavailable),
    (Answer(200, '{"object": "list", "results": [], "has_more": false}', cut=True), ApiAnswerInvalid),
]
PATHS = ("/databases/", "/data_sources/", "/query", "/properties/", "/children", "/users")


@pytest.mark.parametrize(
    ("path", "answer", "error"),
    [*(("/query", *trouble) for trouble in TROUBLE), *((path, *OVERLOADED) for path in PATHS)],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_trouble_is_an_error_when_retries_do_not_help(
    server: NotionServer, tasks: DataSource, path: str, answer: Answer, error: type[ApiError]
) -> None:
    made = add(server, tasks, 130)
    server.add_page(tasks, {"Blocks": [page.id for page in made]}, block("paragraph", "Text"))
    since = server.moment() - MINUTE

    def read_all(notion: Notion) -> int:
        list(notion.users())
        return len(read(notion, tasks, since, with_content=True))

    with connect(server, max_retries=1) as notion:
        server.fail_next(answer, path=path)
        assert read_all(notion) == 2
        assert notion.extraction.retries == 1
    with connect(server) as notion:
        server.fail_next(answer, path=path)
        with pytest.raises(error):
            read_all(notion)


@pytest.mark.parametrize("status", [429, 529])
def test_a_longer_wait_than_allowed_is_an_error_that_says_when(
    server: NotionServer, tasks: DataSource, status: int
) -> None:
    refusal = json_answer({"object": "error", "message": "Later."}, status, {"Retry-After": "601"})
    server.fail_next(refusal, path="/query", times=9)
    with (
        connect(server, max_retries=3) as notion,
        pytest.raises(ApiRateLimited, match="asks to wait 601 seconds"),
    ):
        read(notion, tasks)


@pytest.mark.parametrize("status", [429, 529])
def test_a_wait_that_is_asked_for_is_kept_to(server: NotionServer, tasks: DataSource, status: int) -> None:
    server.fail_next(json_answer({"object": "error"}, status, {"Retry-After": "1"}), path="/query")
    add(server, tasks, 1)
    with connect(server, max_retries=1) as notion:
        assert len(read(notion, tasks)) == 1
        assert (notion.extraction.retries, notion.extraction.waited_seconds >= 0.9) == (1, True)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"object": "error", "status": 500, "code": "internal_server_error", "message": "Oops"},
        {"object": "list"},
        {"object": "list", "results": None, "has_more": False},
        {"object": "list", "results": ["x"], "has_more": False},
        {"object": "list", "results": []},
        {"object": "list", "results": [], "has_more": None, "next_cursor": None},
        {"object": "list", "results": [], "has_more": True, "next_cursor": None},
        {"object": "list", "results": [], "has_more": True, "next_cursor": 5},
        {"object": "list", "results": [{"object": "page", "id": "x"}], "has_more": False},
        {"object": "list", "results": [{"object": "page", "id": "x", "properties": {}}], "has_more": False},
        {
            "object": "list",
            "results": [{"object": "page", "id": "x", "created_time": "2026-01-05"}],
            "has_more": False,
        },
    ],
    ids=str,
)
def test_an_answer_of_another_kind_is_an_error(
    server: NotionServer, tasks: DataSource, notion: Notion, body: Any
) -> None:
    server.fail_next(json_answer(body), path="/query")
    with pytest.raises(ApiAnswerInvalid):
        read(notion, tasks)


@pytest.mark.parametrize("path", ["/databases/", "/data_sources/"])
@pytest.mark.parametrize("body", [[], {}, {"object": "error", "message": "Oops"}, {"object": "data_source"}], ids=str)
def test_a_description_of_another_kind_is_an_error(
    server: NotionServer, tasks: DataSource, notion: Notion, path: str, body: Any
) -> None:
    server.fail_next(json_answer(body), path=path)
    with pytest.raises(ApiAnswerInvalid):
        notion.data_source(tasks.database_id)


@pytest.mark.parametrize(
    "value",
    [{"type": "select", "select": "Chore"}, {"type": "date", "date": []}, {"type": "people", "people": 3}],
    ids=str,
)
def test_a_value_of_another_form_is_an_error_without_the_value(
    server: NotionServer, tasks: DataSource, notion: Notion, value: dict[str, Any]
) -> None:
    (page,) = add(server, tasks, 1)
    shown = server._page(page)
    shown["properties"]["Hours"] = {"id": server.property(tasks, "Hours").id, **value}
    server.fail_next(json_answer({"object": "list", "results": [shown], "has_more": False}), path="/query")
    with pytest.raises(ApiAnswerInvalid, match="in another") as raised:
        read(notion, tasks)
    assert "Chore" not in str(raised.value)


@pytest.mark.parametrize("results", [[], [{"object": "data_source"}]])
def test_a_list_without_end_is_an_error(
    server: NotionServer, tasks: DataSource, notion: Notion, results: list[Any]
) -> None:
    again = {"object": "list", "results": results, "has_more": True, "next_cursor": "again"}
    server.fail_next(json_answer(again), path="/query", times=50)
    with pytest.raises(ApiAnswerInvalid, match="does not come to an end"):
        read(notion, tasks)
    assert len(queries(server)) < 25


def test_a_wrong_token_is_named_by_where_it_comes_from_and_never_shown(server: NotionServer) -> None:
    with (
        Notion("ntn_wrong", f"{server.url}/v1/", max_retries=0, credential="the token of the test") as notion,
        pytest.raises(ApiRefused, match="Check the token of the test") as raised,
    ):
        list(notion.users())
    assert "ntn_wrong" not in str(raised.value)


def test_the_extraction_tells_how_it_went(server: NotionServer, tasks: DataSource) -> None:
    add(server, tasks, 150)
    with connect(server) as notion:
        read(notion, tasks)
        extraction = notion.extraction
    assert extraction.started
    assert timedelta() <= server.moment() - extraction.started <= timedelta(seconds=1)
    assert [span.rows for span in extraction.pages.spans] == [100, 50]
    assert (extraction.requests, extraction.retries, extraction.skipped) == (len(server.requests), 0, [])


def test_rows_are_read_as_they_are_taken(server: NotionServer, tasks: DataSource) -> None:
    add(server, tasks, 350)
    with connect(server) as notion:
        rows = notion.rows(notion.data_source(tasks.id))
        next(rows)
        assert len(queries(server)) == 1
        rows.close()  # type: ignore[attr-defined]
