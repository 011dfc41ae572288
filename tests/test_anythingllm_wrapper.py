"""The AnythingLLM wrapper against a server on loopback, trap by trap."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.servers.anythingllm_server import AnythingLlmServer, response_text
from wherescape.api_response import Record
from wherescape.connectors.anythingllm.anythingllm_tables import EMBED_CHATS, EMBEDS, WORKSPACE_CHATS, WORKSPACES
from wherescape.connectors.anythingllm.anythingllm_wrapper import AnythingLlm
from wherescape.errors import ApiAnswerInvalid, ApiError, ApiRefused, ApiUnavailable, DeclarationError
from wherescape.tables import Table
from wherescape.testing.api_server import Answer, json_answer

ALL_CHATS = "workspace-chats"


@pytest.fixture
def server() -> Iterator[AnythingLlmServer]:
    with AnythingLlmServer() as server:
        yield server


@pytest.fixture
def anythingllm(server: AnythingLlmServer) -> Iterator[AnythingLlm]:
    with AnythingLlm(server.apikey, server.url, max_retries=0) as anythingllm:
        yield anythingllm


@pytest.fixture
def workspace(server: AnythingLlmServer) -> int:
    return server.add_workspace("Sales")


@pytest.fixture
def embed(server: AnythingLlmServer, workspace: int) -> int:
    return server.add_embed(workspace, "shop")


def ids(records: Iterator[Record]) -> list[int]:
    return [record["id"] for record in records]


def one_of_each(server: AnythingLlmServer) -> None:
    workspace = server.add_workspace("Sales")
    server.add_embed_chat(server.add_embed(workspace, "shop"))
    server.add_chat(workspace, thread_id=server.add_thread(workspace), user_id=server.add_user("mia"))
    server.add_chat(workspace)


READ: dict[str, Callable[[AnythingLlm], Iterator[Record]]] = {
    "embeds": AnythingLlm.embeds,
    "embed_chats": AnythingLlm.embed_chats,
    "workspaces": AnythingLlm.workspaces,
    "workspace_chats": AnythingLlm.workspace_chats,
    "workspace_histories": AnythingLlm.workspace_histories,
}
everything = pytest.mark.parametrize("read", READ.values(), ids=READ.keys())


# --------------------------------------------------------------------------------------------------- login and address


@pytest.mark.parametrize("ending", ["", "/", "/api", "/api/", "/api/v1", "/api/v1/"])
def test_a_server_is_read_by_any_of_its_addresses(server: AnythingLlmServer, embed: int, ending: str) -> None:
    with AnythingLlm(f" {server.apikey}\n", server.url + ending) as anythingllm:
        assert ids(anythingllm.embeds()) == [embed]


@pytest.mark.parametrize("base_url", ["anythingllm.example.com", "ftp://example.com", "https://", "/api", ""])
def test_an_address_that_is_none_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(DeclarationError, match="must be an address like https"):
        AnythingLlm("key-never-sent", base_url)


@everything
def test_a_wrong_key_is_an_error(server: AnythingLlmServer, read: Callable[[AnythingLlm], Iterator[Record]]) -> None:
    one_of_each(server)
    with (
        AnythingLlm("wrong-key-of-a-test", server.url) as anythingllm,
        pytest.raises(ApiRefused, match="403 No valid api key found.*the API key") as caught,
    ):
        list(read(anythingllm))
    assert "wrong-key" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "<html>Sign in</html>", {"Content-Type": "text/html"}),
        Answer(200, '{"embeds": [', cut=True),
        Answer(0),
        Answer(302, "", {"Location": "https://login.example.com"}),
        Answer(500, "Internal Server Error"),
        json_answer([]),
        json_answer({}),
        json_answer(None),
        json_answer({"embeds": None, "chats": None, "workspaces": None, "history": None, "hasPages": False}),
        json_answer({"embeds": {}, "chats": {}, "workspaces": {}, "history": {}, "hasPages": False}),
        json_answer({"embeds": [1], "chats": [1], "workspaces": [1], "history": [1], "hasPages": False}),
        json_answer({"embeds": [{}], "chats": [{}], "workspaces": [{}], "history": [{}], "hasPages": False}),
        json_answer({"embeds": [], "chats": [], "workspaces": [], "history": [], "hasPages": True}),
        json_answer({"embeds": [], "chats": [], "workspaces": [], "history": [], "error": "no database"}),
    ],
    ids=lambda answer: f"{answer.status} {answer.body[:30]}",
)
def test_an_answer_that_is_none_is_an_error(server: AnythingLlmServer, answer: Answer) -> None:
    one_of_each(server)
    server.fail_next(answer, times=999)
    for read in READ.values():
        with AnythingLlm(server.apikey, server.url, max_retries=0) as anythingllm, pytest.raises(ApiError):
            list(read(anythingllm))


@everything
def test_a_failure_that_passes_is_read_over(
    server: AnythingLlmServer, read: Callable[[AnythingLlm], Iterator[Record]]
) -> None:
    one_of_each(server)
    server.fail_next(Answer(502, "Bad Gateway"))
    with AnythingLlm(server.apikey, server.url, max_retries=1) as anythingllm:
        assert list(read(anythingllm))
    assert anythingllm.extraction.retries == 1


@everything
def test_nothing_at_all_is_an_error_unless_it_may_be(
    server: AnythingLlmServer, read: Callable[[AnythingLlm], Iterator[Record]]
) -> None:
    with (
        AnythingLlm(server.apikey, server.url, max_retries=0) as anythingllm,
        pytest.raises(ApiAnswerInvalid, match=r"not one (embed|workspace|chat), which it also says"),
    ):
        list(read(anythingllm))
    with AnythingLlm(server.apikey, server.url, allow_empty=True) as anythingllm:
        assert list(read(anythingllm)) == []


@everything
def test_an_answer_with_an_error_is_one_even_where_there_may_be_nothing(
    server: AnythingLlmServer, read: Callable[[AnythingLlm], Iterator[Record]]
) -> None:
    answer = {"embeds": [], "chats": [], "workspaces": [], "history": [], "hasPages": False, "error": "no database"}
    server.fail_next(json_answer(answer), times=9)
    with (
        AnythingLlm(server.apikey, server.url, allow_empty=True) as anythingllm,
        pytest.raises(ApiAnswerInvalid, match="with no list of"),
    ):
        list(read(anythingllm))


@everything
def test_a_database_that_fails_is_an_error(
    server: AnythingLlmServer, read: Callable[[AnythingLlm], Iterator[Record]]
) -> None:
    one_of_each(server)
    server.failing = {"embed_configs", "embed_chats", "workspaces", "workspace_chats"}
    with AnythingLlm(server.apikey, server.url, max_retries=0) as anythingllm, pytest.raises(ApiAnswerInvalid):
        list(read(anythingllm))


@pytest.mark.parametrize(
    ("read", "table"),
    [
        ("embeds", EMBEDS),
        ("embed_chats", EMBED_CHATS),
        ("workspaces", WORKSPACES),
        ("workspace_chats", WORKSPACE_CHATS),
        ("workspace_histories", WORKSPACE_CHATS),
    ],
)
def test_records_hold_what_the_table_declares(
    server: AnythingLlmServer, anythingllm: AnythingLlm, read: str, table: Table
) -> None:
    one_of_each(server)
    for record in READ[read](anythingllm):
        assert set(record) == {column.source for column in table.columns}


# -------------------------------------------------------------------------------------------------------------- embeds


def test_an_embed_tells_its_workspace(server: AnythingLlmServer, anythingllm: AnythingLlm, embed: int) -> None:
    server.add_embed_chat(embed)
    (record,) = anythingllm.embeds()
    assert (record["uuid"], record["enabled"], record["chat_mode"]) == ("shop", True, "query")
    assert (record["workspace_name"], record["chat_count"]) == ("Sales", 1)


def test_chats_of_all_embeds_come_in_the_order_of_their_ids(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int, embed: int
) -> None:
    other = server.add_embed(workspace, "help")
    chats = {number: [server.add_embed_chat(number) for _ in range(30)] for number in (embed, other)}
    assert ids(anythingllm.embed_chats()) == chats[embed] + chats[other]
    assert ids(anythingllm.embed_chats(["help"])) == chats[other]
    assert ids(anythingllm.embed_chats(["help", "help"])) == chats[other]


def test_an_unknown_embed_is_an_error_that_lists_the_known_ones(
    server: AnythingLlmServer, anythingllm: AnythingLlm, embed: int
) -> None:
    with pytest.raises(DeclarationError, match=r"no embed 'shopp'.*there are shop \(Sales\)"):
        list(anythingllm.embed_chats(["shop", "shopp"]))
    assert not [request for request in server.requests if request.path.endswith("chats")]


def test_an_embed_without_chats_has_none(server: AnythingLlmServer, anythingllm: AnythingLlm, embed: int) -> None:
    assert list(anythingllm.embed_chats(["shop"])) == []


def test_a_uuid_is_written_into_the_path_as_it_must_be(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    chat = server.add_embed_chat(server.add_embed(workspace, "a/b?c d"))
    assert ids(anythingllm.embed_chats(["a/b?c d"])) == [chat]


def test_no_chats_where_there_are_some_is_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, embed: int
) -> None:
    server.add_embed_chat(embed)
    server.failing = {"embed_chats"}
    with pytest.raises(ApiAnswerInvalid, match="Embed shop has 1 chats, but 0 came, 3 times in a row"):
        list(anythingllm.embed_chats(["shop"]))


def test_a_database_that_fails_once_is_asked_again(
    server: AnythingLlmServer, anythingllm: AnythingLlm, embed: int
) -> None:
    chat = server.add_embed_chat(embed)
    server.failing = {"embed_chats"}
    server.after_answer(server.failing.clear, path="shop/chats")
    assert ids(anythingllm.embed_chats(["shop"])) == [chat]


def test_a_chat_that_is_repeated_does_not_make_up_for_one_that_is_missing(
    server: AnythingLlmServer, anythingllm: AnythingLlm, embed: int
) -> None:
    first, _ = server.add_embed_chat(embed), server.add_embed_chat(embed)
    server.fail_next(json_answer({"chats": [{"id": first}, {"id": first}]}), times=9, path="shop/chats")
    with pytest.raises(ApiAnswerInvalid, match="has 2 chats, but 1 came"):
        list(anythingllm.embed_chats())


def test_chats_that_come_or_go_between_count_and_list_are_no_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, embed: int
) -> None:
    first, second = server.add_embed_chat(embed), server.add_embed_chat(embed)
    added: list[int] = []
    server.after_answer(lambda: added.append(server.add_embed_chat(embed)), path="v1/embed")
    assert ids(anythingllm.embed_chats()) == [first, second, *added]
    server.after_answer(lambda: server.delete_embed_chat(first), path="v1/embed")
    assert ids(anythingllm.embed_chats()) == [second, *added]


def test_an_embed_that_goes_while_it_is_read_is_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int, embed: int
) -> None:
    server.add_embed_chat(embed)
    server.add_embed(workspace, "help")
    server.after_answer(lambda: server.delete_embed(embed), path="v1/embed")
    with pytest.raises(ApiAnswerInvalid, match="no chat_count.*shop"):
        list(anythingllm.embed_chats())


@pytest.mark.parametrize("chat_count", [None, "2", True])
def test_a_list_without_a_count_is_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, chat_count: object
) -> None:
    server.fail_next(json_answer({"embeds": [{"id": 1, "uuid": "shop", "chat_count": chat_count}]}))
    with pytest.raises(ApiAnswerInvalid, match="no chat_count in whole numbers"):
        list(anythingllm.embed_chats())


# ---------------------------------------------------------------------------------------------------------- JSON texts


def only_chat(server: AnythingLlmServer, anythingllm: AnythingLlm, **fields: Any) -> Record:
    """Return a chat of an embed as a record."""
    server.add_embed_chat(next(iter(server.embeds)), **fields)
    (record,) = anythingllm.embed_chats()
    return record


def answer_of(record: Record) -> dict[str, Any]:
    """Return what a record has of the response, as far as it is not null."""
    names = [name for name in record if name.startswith(("response_", "metrics_"))]
    return {name: record[name] for name in names if record[name] is not None}


def test_a_response_is_taken_apart(server: AnythingLlmServer, anythingllm: AnythingLlm, embed: int) -> None:
    sources = [{"title": "faq.md", "text": "Größe 😀", "score": 0.8123456789012345}]
    record = only_chat(server, anythingllm, response=response_text("Ja 😀", sources=sources, attachments=[]))
    assert json.loads(record["response_sources"]) == sources and "Größe 😀" in record["response_sources"]
    assert answer_of(record) == {
        "response_text": "Ja 😀",
        "response_type": "chat",
        "response_attachments": "[]",
        "response_sources": record["response_sources"],
        "response_sources_count": 1,
        "metrics_completion_tokens": 15,
        "metrics_prompt_tokens": 812,
        "metrics_total_tokens": 827,
        "metrics_output_tps": 31.25,
        "metrics_duration": 0.48,
        "metrics_model": "gpt-4o",
        "metrics_provider": "OpenAiLLM",
    }


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (None, {}),
        ("null", {}),
        ("{}", {}),
        ('{"text": null, "type": "chat", "sources": null, "metrics": null}', {"response_type": "chat"}),
        (
            '{"text": "Hi", "sources": [], "metrics": {}}',
            {"response_text": "Hi", "response_sources": "[]", "response_sources_count": 0},
        ),
        ('{"text": "Hi", "metrics": [1]}', {"response_text": "Hi"}),
        (
            '{"text": "Hi", "metrics": {"outputTps": null, "duration": 2}}',
            {"response_text": "Hi", "metrics_duration": 2},
        ),
        ('{"text": "Hi", "sources": {"a": 1}}', {"response_text": "Hi", "response_sources": '{"a": 1}'}),
        ('{"text": ["a", {"b": 1}]}', {"response_text": '["a", {"b": 1}]'}),
        ('{"text": ""}', {"response_text": ""}),
    ],
)
def test_a_response_may_lack_anything(
    server: AnythingLlmServer,
    anythingllm: AnythingLlm,
    embed: int,
    response: str | None,
    answer: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    assert answer_of(only_chat(server, anythingllm, response=response)) == answer
    assert "no JSON object" not in caplog.text


@pytest.mark.parametrize(
    "response",
    [
        "Hi there!",
        "",
        "[]",
        '["a"]',
        "12",
        '"Hi"',
        "true",
        '{"text": "Hi"',
        '{"text": NaN}',
        "[" * 100_000,
        "9" * 5_000,
    ],
    ids=lambda response: response[:12],
)
def test_a_response_that_is_no_json_object_is_kept_as_it_is_and_counted(
    server: AnythingLlmServer,
    anythingllm: AnythingLlm,
    embed: int,
    response: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    assert answer_of(only_chat(server, anythingllm, response=response)) == {"response_text": response}
    (told,) = [entry for entry in caplog.records if "no JSON object" in entry.getMessage()]
    assert "1 of response." in told.getMessage() and (not response or response not in told.getMessage())


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        (
            '{"host": "https://example.com", "ip": "203.0.113.7", "username": "mia"}',
            "https://example.com 203.0.113.7 mia",
        ),
        ('{"username": null}', "None None None"),
        ('{"ip": ["203.0.113.7"]}', 'None ["203.0.113.7"] None'),
        (None, "None None None"),
        ("null", "None None None"),
        ("{}", "None None None"),
        ("[]", "None None None"),
        ('"203.0.113.7"', "None None None"),
        ("203.0.113.7", "None None None"),
    ],
)
def test_a_connection_may_lack_anything(
    server: AnythingLlmServer, anythingllm: AnythingLlm, embed: int, connection: str | None, expected: str
) -> None:
    record = only_chat(server, anythingllm, connection=connection)
    assert " ".join(str(record[f"connection_{name}"]) for name in ("host", "ip", "username")) == expected


def test_unreadable_texts_are_counted_by_field(
    server: AnythingLlmServer, anythingllm: AnythingLlm, embed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for response, connection in (("a", "x"), ("b", None), ("{}", "[]"), ("c", "{}")):
        server.add_embed_chat(embed, response=response, connection=connection)
    list(anythingllm.embed_chats())
    assert "2 of connection_information, 3 of response." in caplog.text


# ---------------------------------------------------------------------------------------------------------- workspaces


def test_a_workspace_tells_its_settings_and_threads(server: AnythingLlmServer, anythingllm: AnythingLlm) -> None:
    number = server.add_workspace("Größe", openAiTemp=0.7, openAiPrompt="Be kind.")
    server.add_thread(number, "Holiday")
    (record,) = anythingllm.workspaces()
    assert (record["name"], record["slug"]) == ("Größe", f"größe-{number}")
    assert (record["open_ai_temp"], record["open_ai_history"], record["open_ai_prompt"]) == (0.7, 20, "Be kind.")
    assert record["threads_count"] == 1 and '"name": "Holiday"' in record["threads"]


# ----------------------------------------------------------------------------------------------------------- all chats


@pytest.mark.parametrize("count", [1, 19, 20, 21, 40, 41, 99, 160, 161])
def test_all_pages_of_chats_are_read(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int, count: int
) -> None:
    chats = [server.add_chat(workspace) for _ in range(count)]
    assert ids(anythingllm.workspace_chats()) == chats[::-1]
    assert anythingllm.extraction.expected_rows == count


def test_chats_are_counted_with_few_requests(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    for _ in range(2_000):
        server.add_chat(workspace)
    assert len(ids(anythingllm.workspace_chats())) == 2_000
    assert len(server.requests) < 100 + 20


def test_a_chat_tells_its_workspace_thread_and_user(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    user, thread = server.add_user("mia"), server.add_thread(workspace)
    server.add_chat(workspace, "Why?", user_id=user, thread_id=thread)
    server.add_chat(server.add_workspace("Gone"), api_session_id="session 1")
    server.delete_workspace(list(server.workspaces)[-1])
    of_api, of_user = anythingllm.workspace_chats()
    assert (of_user["workspace_id"], of_user["workspace_name"]) == (workspace, "Sales")
    assert (of_user["thread_id"], of_user["user_id"], of_user["user_username"]) == (thread, user, "mia")
    assert (of_user["prompt"], of_user["response_text"], of_user["metrics_duration"]) == ("Why?", "Hi", 0.48)
    assert (of_api["workspace_name"], of_api["workspace_slug"]) == ("deleted workspace", None)
    assert (of_api["api_session_id"], of_api["user_id"]) == ("session 1", None)


@pytest.mark.parametrize("at", range(12))
def test_chats_that_come_while_they_are_read_repeat_and_hide_none(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int, at: int
) -> None:
    chats = [server.add_chat(workspace) for _ in range(95)]
    for _ in range(3):
        server.after_answer(lambda: server.add_chat(workspace), path=ALL_CHATS, after=at)
    read = ids(anythingllm.workspace_chats())
    assert len(read) == len(set(read)) and set(chats) <= set(read)


def test_chats_that_come_while_they_are_counted_are_no_reason_to_read_again(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    chats = [server.add_chat(workspace) for _ in range(95)]
    for at in range(3):
        server.after_answer(lambda: server.add_chat(workspace), path=ALL_CHATS, after=at)
    assert set(chats) < set(ids(anythingllm.workspace_chats()))
    asked = [request.body["offset"] for request in server.requests]
    assert asked[-5:] == [0, 1, 2, 3, 4] and asked.count(0) == 2


@pytest.mark.parametrize("at", range(6, 12))
def test_chats_that_come_do_not_make_up_for_those_that_are_hidden(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int, at: int
) -> None:
    chats = [server.add_chat(workspace) for _ in range(95)]
    for early in range(3):
        server.after_answer(lambda: server.add_chat(workspace), path=ALL_CHATS, after=early)
    server.after_answer(lambda: server.delete_chat(chats[-2]), path=ALL_CHATS, after=at)
    assert set(server.chats) <= {*ids(anythingllm.workspace_chats())}


@pytest.mark.parametrize("at", range(12))
@pytest.mark.parametrize("which", [-1, 50, 2], ids=["newest", "middle", "oldest"])
def test_chats_that_go_while_they_are_read_hide_no_others(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int, at: int, which: int
) -> None:
    chats = [server.add_chat(workspace) for _ in range(95)]
    server.after_answer(lambda: server.delete_chat(chats[which]), path=ALL_CHATS, after=at)
    read = ids(anythingllm.workspace_chats())
    assert len(read) == len(set(read)) and set(server.chats) <= set(read)


@pytest.mark.parametrize("at", range(12))
def test_chats_that_come_and_go_at_once_hide_no_others(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int, at: int
) -> None:
    chats = [server.add_chat(workspace) for _ in range(95)]
    server.after_answer(lambda: server.delete_chat(chats[-2]), path=ALL_CHATS, after=at)
    server.after_answer(lambda: server.add_chat(workspace), path=ALL_CHATS, after=at + 1)
    read = ids(anythingllm.workspace_chats())
    assert len(read) == len(set(read)) and set(server.chats) & set(chats) <= set(read)


def test_chats_that_keep_going_are_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    for _ in range(200):
        server.add_chat(workspace)
    for at in range(60):
        server.after_answer(lambda: server.delete_chat(max(server.chats)), path=ALL_CHATS, after=at)
    with pytest.raises(ApiAnswerInvalid, match=r"gave \d+ of \d+ chats, and was read 3 times"):
        list(anythingllm.workspace_chats())


def test_a_database_that_fails_in_the_middle_is_no_end(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    chats = [server.add_chat(workspace) for _ in range(95)]
    requests_to_count = 5
    server.after_answer(lambda: server.failing.add("workspace_chats"), path=ALL_CHATS, after=requests_to_count)
    server.after_answer(server.failing.clear, path=ALL_CHATS, after=requests_to_count + 1)
    read = ids(anythingllm.workspace_chats())
    assert sorted(read) == chats


def test_an_empty_page_that_promises_more_is_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    for _ in range(95):
        server.add_chat(workspace)
    server.fail_next(json_answer({"chats": [], "hasPages": True}), path=ALL_CHATS, after=8)
    with pytest.raises(ApiAnswerInvalid, match="does not tell whether there are chats behind page"):
        list(anythingllm.workspace_chats())


def test_a_server_that_gives_the_first_page_for_ever_is_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm
) -> None:
    page = {"chats": [{"id": number} for number in range(20)], "hasPages": True}
    server.fail_next(json_answer(page), times=99, path=ALL_CHATS)
    with pytest.raises(ApiAnswerInvalid, match="gave the first page again"):
        list(anythingllm.workspace_chats())


@pytest.mark.parametrize("has_pages", [None, 0, "false"])
def test_a_page_that_does_not_tell_whether_it_is_the_last_is_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, has_pages: object
) -> None:
    server.fail_next(json_answer({"chats": [{"id": 1}], "hasPages": has_pages}), path=ALL_CHATS)
    with pytest.raises(ApiAnswerInvalid, match="does not tell whether there are chats behind page 0"):
        list(anythingllm.workspace_chats())


def test_a_server_that_does_not_give_all_chats_is_an_error_that_names_the_other_way(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    server.add_chat(workspace)
    server.gives_all_chats = False
    with pytest.raises(ApiRefused, match="answered 401.*multi-user mode.*by_workspace=True"):
        list(anythingllm.workspace_chats())


# ----------------------------------------------------------------------------------------------------------- histories


def test_histories_of_all_threads_are_read_past_the_default_limit(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    thread = server.add_thread(workspace, user_id=server.add_user("mia"))
    other = server.add_workspace("a/b c")
    chats = [server.add_chat(workspace) for _ in range(150)]
    of_thread = [server.add_chat(workspace, thread_id=thread) for _ in range(120)]
    of_other = server.add_chat(other)
    records = list(anythingllm.workspace_histories())
    assert [record["id"] for record in records] == [*chats, *of_thread, of_other]
    assert {record["thread_slug"] for record in records[150:270]} == {f"thread-{thread}"}
    assert {record["user_id"] for record in records[150:270]} == {server.workspaces[workspace].threads[0].user_id}


def test_prompt_and_answer_of_a_history_are_one_chat(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    chat = server.add_chat(workspace, "Why?", response_text("So.", sources=[{"title": "faq.md"}], attachments=[]))
    server.chats[chat].feedback = True
    (record,) = anythingllm.workspace_histories()
    (full,) = anythingllm.workspace_chats()
    lost = ("last_updated_at", "user_username")
    rounded = datetime(2026, 1, 5, 10, 7, tzinfo=UTC)
    assert record == full | {"created_at": rounded} | dict.fromkeys(lost) and full["feedback_score"] is True


def test_what_histories_lack(server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int) -> None:
    first, reset = server.add_chat(workspace), server.add_chat(workspace)
    server.chats[reset].include = False
    server.add_chat(workspace, api_session_id="session 1")
    assert ids(anythingllm.workspace_histories()) == [first]


def test_workspaces_without_any_chat_are_an_error_unless_it_may_be(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    server.add_thread(workspace)
    with pytest.raises(ApiAnswerInvalid, match="not one chat"):
        list(anythingllm.workspace_histories())
    with AnythingLlm(server.apikey, server.url, allow_empty=True) as tolerant:
        assert list(tolerant.workspace_histories()) == []


@pytest.mark.parametrize("threads", ["none", [1], [{}], [None], {"slug": "a"}])
def test_threads_that_are_none_are_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int, threads: object
) -> None:
    slug = server.workspaces[workspace].slug
    answer = {"workspaces": [{"id": workspace, "slug": slug, "threads": threads}]}
    server.fail_next(json_answer(answer), path="v1/workspaces")
    with pytest.raises(ApiAnswerInvalid, match="list of threads|without its slug"):
        list(anythingllm.workspace_histories())


def test_a_workspace_of_a_server_without_threads_is_read(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    chat = server.add_chat(workspace)
    answer = {"workspaces": [{"id": workspace, "slug": server.workspaces[workspace].slug}]}
    server.fail_next(json_answer(answer), path="v1/workspaces", times=2)
    assert ids(anythingllm.workspace_histories()) == [chat]
    (record,) = anythingllm.workspaces()
    assert (record["threads"], record["threads_count"], record["open_ai_temp"]) == (None, None, None)


def test_a_history_without_its_newest_chats_is_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    for _ in range(101):
        server.add_chat(workspace)
    server.most_chats = 100
    with pytest.raises(ApiAnswerInvalid, match="200 entries, and the newest chats are not among them"):
        list(anythingllm.workspace_histories())


def test_a_chat_that_goes_while_a_history_is_read_is_no_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    first, second = server.add_chat(workspace), server.add_chat(workspace)
    server.after_answer(lambda: server.delete_chat(second), path="/chats")
    assert ids(anythingllm.workspace_histories()) == [first]


def test_a_thread_that_is_empty_for_once_is_read_again(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    chat = server.add_chat(workspace, thread_id=server.add_thread(workspace))
    server.fail_next(json_answer({"history": []}), path="/thread/")
    assert ids(anythingllm.workspace_histories()) == [chat]


def test_a_workspace_that_goes_while_it_is_read_is_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    server.after_answer(lambda: server.delete_workspace(workspace), path="v1/workspaces")
    with pytest.raises(ApiRefused, match="answered 400"):
        list(anythingllm.workspace_histories())


def test_a_row_that_breaks_its_history_is_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    server.add_chat(workspace, response="Hi there!")
    with pytest.raises(ApiUnavailable, match="/chats answered 500"):
        list(anythingllm.workspace_histories())


def test_an_entry_without_its_chat_is_an_error(
    server: AnythingLlmServer, anythingllm: AnythingLlm, workspace: int
) -> None:
    history = [{"role": "user", "content": "Why?", "sentAt": 1_692_851_630}]
    server.fail_next(json_answer({"history": history}), path="/chats")
    with pytest.raises(ApiAnswerInvalid, match="no chatId in whole numbers"):
        list(anythingllm.workspace_histories())
