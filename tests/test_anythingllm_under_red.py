"""The AnythingLLM host scripts as RED runs them: against real databases and a server on loopback."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.loading import rejects, texts_of_red
from tests.servers.anythingllm_server import AnythingLlmServer, response_text
from wherescape import WhereScape
from wherescape.connectors.anythingllm.anythingllm_create_metadata import anythingllm_create_metadata
from wherescape.connectors.anythingllm.anythingllm_load_data import (
    anythingllm_load_data,
    anythingllm_load_data_chats,
)
from wherescape.connectors.anythingllm.anythingllm_tables import (
    EMBED_CHATS,
    TABLES,
    WORKSPACE_CHATS,
    WORKSPACES,
    table_for,
)
from wherescape.errors import (
    ApiAnswerInvalid,
    ApiError,
    ApiUnavailable,
    DeclarationError,
    EnvironmentVariableError,
    UnknownTableKind,
)
from wherescape.load_task import LoadResult
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import TaskResult
from wherescape.tables import MASKED_TEXT, Table
from wherescape.testing.api_server import Answer, json_answer

HOST_SCRIPTS = Path(__file__).parents[1] / "host_scripts"
MASK_KEY = "0123456789abcdef0123456789ABCDEF"
CHATS, WORKSPACE_CHAT = "load_anythingllm_chat", "load_anythingllm_workspace_chat"

# What the server below has: the rows of a load, and of one after `something_of_each`.
ROWS = {
    CHATS: (3, 3),
    "load_anythingllm_embed": (2, 3),
    "load_anythingllm_workspace": (2, 3),
    WORKSPACE_CHAT: (2, 3),
}
PATHS = {
    CHATS: "/chats",
    "load_anythingllm_embed": "/embed",
    "load_anythingllm_workspace": "/workspaces",
    WORKSPACE_CHAT: "/admin/workspace-chats",
}
# Each stands for one person, and is in whatever is masked of that person.
VISITOR, USER = "visitor-4711", "user-0815"


@pytest.fixture
def server() -> Iterator[AnythingLlmServer]:
    with AnythingLlmServer() as server:
        sales, help_desk = server.add_workspace("Sales"), server.add_workspace("Help 😀", openAiTemp=0.7)
        shop, helper = server.add_embed(sales, "shop"), server.add_embed(help_desk, "help")
        connection = {"host": f"https://{VISITOR}.example.com", "ip": f"203.0.113.7 {VISITOR}", "username": VISITOR}
        for embed in (shop, shop, helper):
            server.add_embed_chat(
                embed,
                f"I am {VISITOR} 😀",
                personal_response(VISITOR),
                session_id=f"session of {VISITOR}",
                connection=json.dumps(connection),
            )
        user = server.add_user(USER)
        thread = server.add_thread(sales, f"I am {USER}", user)
        server.add_chat(sales, f"I am {USER}", personal_response(USER), user_id=user, thread_id=thread)
        server.add_chat(sales, f"I am {USER}", personal_response(USER), api_session_id=f"session of {USER}")
        yield server


def personal_response(person: str) -> str:
    sources = [{"title": "staff.md", "text": f"All of {person}"}]
    return response_text(f"Hello {person}", sources=sources, attachments=[{"name": f"{person}.png"}])


def something_of_each(server: AnythingLlmServer) -> None:
    """Let one of each come, an embed go with its chat, and a session be reset."""
    workspace = server.add_workspace("New")
    server.add_embed(workspace)
    server.add_embed_chat(server.add_embed(workspace))
    server.delete_embed(next(embed.id for embed in server.embeds.values() if embed.uuid == "help"))
    server.add_chat(workspace)
    server.reset_session(f"session of {VISITOR}")


def source(server: AnythingLlmServer) -> dict[str, str]:
    return {"url": server.url, "apikey": server.apikey}


def run(red: RedServer, server: AnythingLlmServer, script: str, table: str, **config: str) -> TaskResult:
    return red.run_host_script(HOST_SCRIPTS / script, table, source_config=source(server) | config)


def attached(red: RedServer, server: AnythingLlmServer, table: str, **config: str) -> WhereScape:
    """Return the WhereScape object of a script that is attached to a load table."""
    return WhereScape(red.environment(table, source_config=source(server) | config))


def create(red: RedServer, server: AnythingLlmServer, table: str, kind: str = "") -> None:
    red.register_load_table(table)
    wherescape = attached(red, server, table)
    anythingllm_create_metadata(kind, wherescape)
    wherescape.close()
    red.create_table(table)


def load(red: RedServer, server: AnythingLlmServer, table: str, user: str = "", **arguments: Any) -> LoadResult:
    """Load in this process, as the host script would."""
    red.query_warehouse(f"TRUNCATE load.{table}")
    wherescape = attached(red, server, table, user=user)
    try:
        return anythingllm_load_data(wherescape=wherescape, max_retries=0, **arguments)
    finally:
        wherescape.close()


def rows(red: RedServer, table: str, expressions: str, order: str = "1") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in red.query_warehouse(f"SELECT {expressions} FROM load.{table} ORDER BY {order}")]


def everything_left(red: RedServer, table: str) -> str:
    """Return what a load left anywhere: the load table's rows, the files of the work folder, and RED's log rows."""
    stored = "\n".join(row[0] for row in red.query_warehouse(f"SELECT CAST(t AS text) FROM load.{table} AS t"))
    return "\n".join([stored, *texts_of_red(red).values()])


def said(result: TaskResult) -> str:
    return "\n".join([result.message, *result.audit, *result.detail])


@pytest.mark.parametrize("table", ROWS)
def test_a_table_is_registered_created_loaded_loaded_again_and_left_alone_by_a_failure(
    clean_red: RedServer, server: AnythingLlmServer, table: str
) -> None:
    red = clean_red
    red.register_load_table(table)
    assert run(red, server, "anythingllm_create_metadata.py", table).status == 1
    red.create_table(table)
    registered = red.query_repository(
        "SELECT lc_col_name, lc_display_name, lc_src_strategy FROM red.ws_load_col ORDER BY lc_order"
    )
    declared = table_for(table)
    assert [tuple(row) for row in registered] == [
        (column.name, column.display_name, column.comment) for column in declared.all_columns
    ]

    full = run(red, server, "anythingllm_load_data.py", table)
    assert (full.status, full.inserted) == (1, ROWS[table][0]), full
    assert rows(red, table, "DISTINCT dss_record_source") == [(declared.record_source,)]
    outputs = said(full) + everything_left(red, table)

    something_of_each(server)
    again = run(red, server, "anythingllm_load_data.py", table)
    assert (again.status, again.inserted) == (1, ROWS[table][1]), again
    outputs += said(again) + everything_left(red, table)

    server.fail_next(json_answer({"error": "No valid api key found."}, 403), path=PATHS[table], times=9)
    failed = run(red, server, "anythingllm_load_data.py", table)
    assert (failed.status, rows(red, table, "count(*)")) == (-2, [(0,)]), failed
    assert "403 No valid api key found." in said(failed)
    outputs += said(failed) + everything_left(red, table)

    assert VISITOR not in outputs and USER not in outputs and server.apikey not in outputs


def test_a_chat_arrives_as_it_is(clean_red: RedServer, server: AnythingLlmServer) -> None:
    create(clean_red, server, CHATS)
    names = [column.name for column in EMBED_CHATS.columns if column.mask]
    assert load(clean_red, server, CHATS, user="help", unmasked=names).inserted == 1
    (row,) = clean_red.query_warehouse(f"SELECT * FROM load.{CHATS}")
    (chat,) = [chat for chat in server.embed_chats.values() if server.embeds[chat.embed_id].uuid == "help"]
    assert (row.id, row.prompt, row.session_id) == (chat.id, f"I am {VISITOR} 😀", f"session of {VISITOR}")
    assert (row.include, row.embed_id, row.user_id) == ("1", chat.embed_id, None)
    assert row.created_at == chat.created.replace(tzinfo=None) and row.created_at.microsecond == 123_000
    assert (row.connection_ip, row.connection_username) == (f"203.0.113.7 {VISITOR}", VISITOR)
    assert (row.response_text, row.response_type) == (f"Hello {VISITOR}", "chat")
    assert json.loads(row.response_sources) == [{"title": "staff.md", "text": f"All of {VISITOR}"}]
    assert json.loads(row.response_attachments) == [{"name": f"{VISITOR}.png"}]
    assert (row.response_sources_count, row.metrics_total_tokens) == (1, 827)
    assert (row.metrics_output_tps, row.metrics_duration) == (Decimal("31.25"), Decimal("0.48"))
    assert (row.embed_uuid, row.workspace_name, row.metrics_model) == ("help", "Help 😀", "gpt-4o")


def test_workspaces_and_their_chats_arrive_as_they_are(clean_red: RedServer, server: AnythingLlmServer) -> None:
    create(clean_red, server, "load_anythingllm_workspace")
    load(clean_red, server, "load_anythingllm_workspace", unmasked="threads")
    row, _ = clean_red.query_warehouse("SELECT * FROM load.load_anythingllm_workspace ORDER BY id")
    assert (row.name, row.threads_count, row.created_at) == ("Sales", 1, datetime(2026, 1, 5, 10, 6, 0, 123_000))
    assert json.loads(row.threads)[0]["name"] == f"I am {USER}"
    create(clean_red, server, WORKSPACE_CHAT)
    load(clean_red, server, WORKSPACE_CHAT, unmasked="user_username")
    names = "user_username, coalesce(thread_id, 0), workspace_name, prompt, api_session_id, metrics_duration"
    assert rows(clean_red, WORKSPACE_CHAT, names, "id") == [
        (USER, next(iter(server.chats.values())).thread_id, "Sales", MASKED_TEXT, None, Decimal("0.48")),
        ("unknown user", 0, "Sales", MASKED_TEXT, MASKED_TEXT, Decimal("0.48")),
    ]


def test_conversations_of_workspaces_fit_the_same_table(clean_red: RedServer, server: AnythingLlmServer) -> None:
    create(clean_red, server, WORKSPACE_CHAT)
    server.gives_all_chats = False
    assert load(clean_red, server, WORKSPACE_CHAT, by_workspace=True).inserted == 1
    ((prompt, user_id, created_at),) = rows(clean_red, WORKSPACE_CHAT, "prompt, user_id, created_at")
    assert (prompt, user_id, created_at.microsecond) == (MASKED_TEXT, next(iter(server.users)), 0)
    assert USER not in everything_left(clean_red, WORKSPACE_CHAT)


# -------------------------------------------------------------------------------------------------------------- embeds


@pytest.mark.parametrize(
    ("user", "arguments", "count"),
    [
        ("", {}, 3),
        ("shop", {}, 2),
        (" help\n", {}, 1),
        ("shop help", {}, 3),
        ("shop", {"embed_uuids": ["help"]}, 1),
        ("shop", {"embed_uuids": "help"}, 1),
        ("", {"embed_uuids": ("shop", "help")}, 3),
    ],
)
def test_which_embeds_are_loaded(
    clean_red: RedServer, server: AnythingLlmServer, user: str, arguments: dict[str, Any], count: int
) -> None:
    create(clean_red, server, CHATS)
    assert load(clean_red, server, CHATS, user, **arguments).inserted == count


def test_an_embed_that_is_not_there_is_told(clean_red: RedServer, server: AnythingLlmServer) -> None:
    create(clean_red, server, CHATS)
    failed = run(clean_red, server, "anythingllm_load_data.py", CHATS, user="shopp")
    assert failed.status == -2
    assert "no embed 'shopp'" in said(failed) and "shop (Sales), help (Help" in said(failed)


def test_an_embed_without_chats_is_a_success_without_rows(clean_red: RedServer, server: AnythingLlmServer) -> None:
    server.add_embed(next(iter(server.workspaces)), "new")
    create(clean_red, server, CHATS)
    loaded = run(clean_red, server, "anythingllm_load_data.py", CHATS, user="new")
    assert (loaded.status, loaded.inserted) == (1, 0), loaded


def test_an_empty_answer_where_chats_are_is_an_error(clean_red: RedServer, server: AnythingLlmServer) -> None:
    create(clean_red, server, CHATS)
    server.failing = {"embed_chats"}
    with pytest.raises(ApiAnswerInvalid, match="Embed shop has 2 chats, but 0 came"):
        load(clean_red, server, CHATS)
    assert rows(clean_red, CHATS, "count(*)") == [(0,)]


def test_a_failure_behind_many_rows_leaves_none_of_them(clean_red: RedServer, server: AnythingLlmServer) -> None:
    for _ in range(2_500):
        server.add_chat(next(iter(server.workspaces)))
    create(clean_red, server, WORKSPACE_CHAT)
    server.fail_next(Answer(500, "Internal Server Error"), path="workspace-chats", after=130)
    with pytest.raises(ApiUnavailable, match="answered 500"):
        load(clean_red, server, WORKSPACE_CHAT)
    assert rows(clean_red, WORKSPACE_CHAT, "count(*)") == [(0,)]


# --------------------------------------------------------------------------------------------------------------- masks


def hashed(text: str) -> str:
    return hmac.new(MASK_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_a_mask_hides_a_value_and_not_that_there_is_none(clean_red: RedServer, server: AnythingLlmServer) -> None:
    (embed,) = [embed.id for embed in server.embeds.values() if embed.uuid == "help"]
    server.add_embed_chat(embed, response="null", connection=None)
    create(clean_red, server, CHATS)
    load(clean_red, server, CHATS, user="help")
    names = [column.name for column in EMBED_CHATS.columns if column.mask]
    with_all, without = rows(clean_red, CHATS, ", ".join(names), "id")
    assert set(with_all) == {MASKED_TEXT}
    hidden = dict(zip(names, without, strict=True))
    assert {name for name, value in hidden.items() if value == MASKED_TEXT} == {"prompt", "session_id"}
    assert {value for value in hidden.values() if value != MASKED_TEXT} == {None}


def test_a_hash_is_the_same_for_the_same_session(clean_red: RedServer, server: AnythingLlmServer) -> None:
    clean_red.write_parameter("mask_key", MASK_KEY)
    create(clean_red, server, CHATS)
    load(clean_red, server, CHATS, hashed=["session_id", "connection_ip"])
    assert rows(clean_red, CHATS, "DISTINCT session_id, connection_ip, prompt") == [
        (hashed(f"session of {VISITOR}"), hashed(f"203.0.113.7 {VISITOR}"), MASKED_TEXT)
    ]
    assert VISITOR not in everything_left(clean_red, CHATS)


def test_a_hash_without_a_key_is_an_error(clean_red: RedServer, server: AnythingLlmServer) -> None:
    create(clean_red, server, CHATS)
    with pytest.raises(DeclarationError, match="RED parameter mask_key has 0 characters"):
        load(clean_red, server, CHATS, hashed="session_id")


@pytest.mark.parametrize("table", [EMBED_CHATS, WORKSPACES, WORKSPACE_CHATS], ids=lambda table: table.kind)
def test_each_switch_shows_its_column_and_no_other(
    clean_red: RedServer, server: AnythingLlmServer, table: Table
) -> None:
    name = f"load_anythingllm_{table.kind}"
    create(clean_red, server, name)
    masked = [column.name for column in table.columns if column.mask]
    for shown in masked:
        load(clean_red, server, name, unmasked=shown)
        (counts,) = rows(
            clean_red, name, ", ".join(f"count(*) FILTER (WHERE {other} <> '{MASKED_TEXT}')" for other in masked)
        )
        assert {other for other, count in zip(masked, counts, strict=True) if count} == {shown}


# No database stores NUL, and a count of tokens must be a number.
@pytest.mark.parametrize(
    ("spoil", "column"),
    [
        ({"response": response_text(type="chat\0")}, "response_type"),
        ({"response": response_text(metrics={"total_tokens": VISITOR})}, "metrics_total_tokens"),
    ],
    ids=["NUL", "no number"],
)
def test_a_row_that_does_not_fit_is_kept_without_what_is_masked(
    clean_red: RedServer, server: AnythingLlmServer, spoil: dict[str, Any], column: str
) -> None:
    create(clean_red, server, CHATS)
    embed = next(iter(server.embeds))
    response = json.loads(spoil["response"])
    response["sources"] = [{"text": f"All of {USER}"}]
    server.add_embed_chat(embed, f"I am {USER}", json.dumps(response), session_id=f"session of {USER}")
    wherescape = attached(clean_red, server, CHATS)
    result = anythingllm_load_data(wherescape=wherescape, max_retries=0)
    (reject,) = rejects(wherescape)
    wherescape.close()
    assert (result.inserted, result.rejected, reject["column"]) == (3, 1, column)
    assert {name for name, value in reject["raw"].items() if value == MASKED_TEXT} == {
        *("prompt", "session_id", "connection_host", "connection_ip", "response_text", "response_sources")
    }
    assert USER not in everything_left(clean_red, CHATS)


def test_what_is_no_json_is_masked_and_not_told(clean_red: RedServer, server: AnythingLlmServer) -> None:
    (embed,) = [embed.id for embed in server.embeds.values() if embed.uuid == "help"]
    server.add_embed_chat(embed, response=f"Plain words of {USER}", connection=f"{USER}, 203.0.113.9")
    create(clean_red, server, CHATS)
    loaded = run(clean_red, server, "anythingllm_load_data.py", CHATS, user="help")
    assert (loaded.status, loaded.inserted) == (1, 2)
    outputs = said(loaded) + everything_left(clean_red, CHATS)
    assert "no JSON object: 1 of connection_information, 1 of response." in outputs
    assert USER not in outputs and "203.0.113.9" not in outputs


def test_a_failing_load_tells_no_personal_data(clean_red: RedServer, server: AnythingLlmServer) -> None:
    create(clean_red, server, CHATS)
    for answer in (
        json_answer({"chats": [{"id": VISITOR, "prompt": VISITOR}]}),
        json_answer({"chats": f"I am {VISITOR}"}),
        Answer(200, f"<html>{VISITOR}</html>", {"Content-Type": "text/html"}),
        Answer(500, f"<html>{VISITOR}</html>", {"Content-Type": "text/html"}),
    ):
        server.fail_next(answer, path="/chats", times=9)
        with pytest.raises(ApiError) as caught:
            load(clean_red, server, CHATS)
        assert VISITOR not in str(caught.value)
        assert VISITOR not in everything_left(clean_red, CHATS)


# ----------------------------------------------------------------------------------------------------- earlier scripts


def test_the_earlier_script_loads_chats_whatever_the_tables_name(
    clean_red: RedServer, server: AnythingLlmServer
) -> None:
    table = "load_history_of_embed"
    create(clean_red, server, table, "chat")
    loaded = run(clean_red, server, "anythingllm_load_data_chats.py", table, user="shop")
    assert (loaded.status, loaded.inserted) == (1, 2), loaded


def test_a_table_without_the_newer_columns_is_loaded_without_them(
    clean_red: RedServer, server: AnythingLlmServer
) -> None:
    create(clean_red, server, CHATS)
    for column in ("embed_uuid", "workspace_id", "workspace_name", "metrics_model", "metrics_provider"):
        clean_red.query_warehouse(f"ALTER TABLE load.{CHATS} DROP COLUMN {column}")
    wherescape = attached(clean_red, server, CHATS, user="shop")
    assert anythingllm_load_data_chats(wherescape, max_retries=0, unmasked=["prompt"]).inserted == 2
    wherescape.close()
    assert rows(clean_red, CHATS, "DISTINCT prompt, response_text") == [(f"I am {VISITOR} 😀", MASKED_TEXT)]


# ----------------------------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        ("load_anythingllm_embed", {"embed_uuids": ["shop"]}, "embed_uuids does not go with embed"),
        (WORKSPACE_CHAT, {"embed_uuids": "shop"}, "embed_uuids does not go with workspace_chat"),
        (CHATS, {"by_workspace": True}, "by_workspace does not go with chat"),
        (CHATS, {"unmasked": ["promt"]}, "unmasked names promt"),
    ],
)
def test_an_argument_of_another_table_is_an_error_before_anything_is_asked(
    red: RedServer, server: AnythingLlmServer, table: str, arguments: dict[str, Any], message: str
) -> None:
    wherescape = attached(red, server, table)
    with pytest.raises(DeclarationError, match=message):
        anythingllm_load_data(wherescape=wherescape, **arguments)
    assert server.requests == []


@pytest.mark.parametrize(
    ("config", "message"),
    [({"url": ""}, "WSL_SRCCFG_URL is missing"), ({"apikey": ""}, "There is no API key for AnythingLLM")],
)
def test_a_connection_that_lacks_something_is_an_error(
    red: RedServer, server: AnythingLlmServer, config: dict[str, str], message: str
) -> None:
    with pytest.raises(EnvironmentVariableError, match=message):
        anythingllm_load_data(wherescape=attached(red, server, CHATS, **config))


def test_a_table_that_does_not_tell_its_kind_is_an_error(red: RedServer, server: AnythingLlmServer) -> None:
    wherescape = attached(red, server, "load_history")
    for function in (anythingllm_load_data, anythingllm_create_metadata):
        with pytest.raises(UnknownTableKind, match="must contain one of chat, embed"):
            function(wherescape=wherescape)


def test_a_system_without_anything_is_loaded_if_that_may_be(clean_red: RedServer) -> None:
    with AnythingLlmServer() as empty:
        for table in TABLES:
            name = f"load_anythingllm_{table.kind}"
            create(clean_red, empty, name)
            with pytest.raises(ApiAnswerInvalid, match="not one"):
                load(clean_red, empty, name)
            assert load(clean_red, empty, name, allow_empty=True).inserted == 0
