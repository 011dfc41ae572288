"""The stand-in for AnythingLLM keeps to its contract, traps included, and finds a client that does not."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.servers.anythingllm_server import AnythingLlmServer, response_text


@pytest.fixture
def server() -> Iterator[AnythingLlmServer]:
    with AnythingLlmServer() as server:
        yield server


def ask(server: AnythingLlmServer, path: str, body: object = None, **query: str | int) -> requests.Response:
    headers = {"Authorization": f"Bearer {server.apikey}"}
    method = "GET" if body is None else "POST"
    url = f"{server.url}/api/v1/{path}"
    return requests.request(method, url, params=query, json=body, headers=headers, timeout=10)


def ids(response: requests.Response, name: str = "chats") -> list[int]:
    assert response.ok, response.text
    return [row["id"] for row in response.json()[name]]


def test_a_wrong_key_is_answered_403(server: AnythingLlmServer) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        refused = requests.get(f"{server.url}/api/v1/auth", headers=headers, timeout=10)
        assert (refused.status_code, refused.json()) == (403, {"error": "No valid api key found."})
    assert ask(server, "auth").json() == {"authenticated": True}


def test_an_embed_tells_its_workspace_and_how_many_chats_it_has(server: AnythingLlmServer) -> None:
    embed = server.add_embed(server.add_workspace("Sales"))
    chats = [server.add_embed_chat(embed) for _ in range(3)]
    (shown,) = ask(server, "embed").json()["embeds"]
    assert (shown["workspace"]["name"], shown["chat_count"]) == ("Sales", 3)
    assert sorted(ids(ask(server, f"embed/{shown['uuid']}/chats"))) == chats
    assert sorted(ids(ask(server, f"embed/{shown['uuid']}/chats/3f2b9c1e-0001"))) == chats


def test_chats_of_an_embed_have_no_order(server: AnythingLlmServer) -> None:
    embed = server.add_embed(server.add_workspace(), "e")
    chats = [server.add_embed_chat(embed) for _ in range(30)]
    one, other = ids(ask(server, "embed/e/chats")), ids(ask(server, "embed/e/chats"))
    assert sorted(one) == sorted(other) == chats
    assert one != other and one != chats


def test_an_unknown_embed_and_a_database_that_fails_have_no_chats(server: AnythingLlmServer) -> None:
    server.add_embed_chat(server.add_embed(server.add_workspace(), "e"))
    server.failing = {"embed_chats"}
    for uuid in ("nobody", "e"):
        answer = ask(server, f"embed/{uuid}/chats")
        assert (answer.status_code, answer.json()) == (200, {"chats": []})


def test_chats_go_with_their_embed_and_embeds_with_their_workspace(server: AnythingLlmServer) -> None:
    workspace = server.add_workspace()
    server.add_embed_chat(server.add_embed(workspace))
    server.delete_workspace(workspace)
    assert (server.embeds, server.embed_chats) == ({}, {})


def test_a_session_that_is_reset_stays(server: AnythingLlmServer) -> None:
    embed = server.add_embed(server.add_workspace(), "e")
    server.add_embed_chat(embed, session_id="one")
    server.add_embed_chat(embed, session_id="two")
    server.reset_session("one")
    rows = ask(server, "embed/e/chats").json()["chats"]
    assert {row["session_id"]: row["include"] for row in rows} == {"one": False, "two": True}


def test_all_chats_come_twenty_at_a_time_the_newest_first(server: AnythingLlmServer) -> None:
    workspace = server.add_workspace()
    chats = [server.add_chat(workspace) for _ in range(40)]
    pages = [ask(server, "admin/workspace-chats", {"offset": offset}) for offset in (0, 1, 2)]
    assert [ids(page) for page in pages] == [chats[:19:-1], chats[19::-1], []]
    assert [page.json()["hasPages"] for page in pages] == [True, False, False]


def test_the_pages_of_all_chats_move(server: AnythingLlmServer) -> None:
    workspace = server.add_workspace()
    chats = [server.add_chat(workspace) for _ in range(25)]
    server.add_chat(workspace)
    assert ids(ask(server, "admin/workspace-chats", {"offset": 1}))[0] == chats[5]
    server.delete_chat(chats[-1])
    assert ids(ask(server, "admin/workspace-chats", {"offset": 1}))[0] == chats[4]


def test_a_chat_tells_its_workspace_and_user_even_if_they_are_gone(server: AnythingLlmServer) -> None:
    gone, workspace, user = server.add_workspace(), server.add_workspace("Sales"), server.add_user("mia")
    server.add_chat(gone)
    server.add_chat(workspace, user_id=user)
    server.delete_workspace(gone)
    rows = ask(server, "admin/workspace-chats", {}).json()["chats"]
    assert [(row["workspace"]["name"], row["user"]["username"]) for row in rows] == [
        ("Sales", "mia"),
        ("deleted workspace", "unknown user"),
    ]


def test_a_history_shows_two_entries_a_chat_and_the_oldest_hundred(server: AnythingLlmServer) -> None:
    workspace = server.add_workspace()
    chats = [server.add_chat(workspace) for _ in range(102)]
    server.add_chat(workspace, api_session_id="s")
    server.add_chat(workspace, thread_id=server.add_thread(workspace))
    server.chats[chats[0]].include = False
    server.chats[chats[1]].response = response_text(text=None)  # type: ignore[arg-type]
    path = f"workspace/{server.workspaces[workspace].slug}/chats"
    history = ask(server, path).json()["history"]
    assert [entry["chatId"] for entry in history[::2]] == chats[2:101]
    assert [entry["role"] for entry in history[:2]] == ["user", "assistant"]
    newest = ask(server, path, limit=1, orderBy="desc").json()["history"]
    assert [entry["chatId"] for entry in newest] == [chats[-1]] * 2


def test_a_row_that_is_no_json_breaks_its_history(server: AnythingLlmServer) -> None:
    workspace = server.add_workspace()
    server.add_chat(workspace, response="Hi there!")
    assert ask(server, f"workspace/{server.workspaces[workspace].slug}/chats").status_code == 500


def test_an_unknown_workspace_is_answered_400(server: AnythingLlmServer) -> None:
    assert ask(server, "workspace/nobody/chats").status_code == 400
    assert ask(server, "workspace/nobody/thread/none/chats").status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "query"),
    [
        ("embeds", None, {}),
        ("embed", None, {"limit": 3}),
        ("workspace/a/chats", None, {"limit": "all"}),
        ("workspace/a/chats", None, {"orderBy": "newest"}),
        ("workspace/a/thread/b/chats", None, {"limit": 3}),
        ("admin/workspace-chats", {"offset": -1}, {}),
        ("admin/workspace-chats", {"offset": 0.95}, {}),
        ("admin/workspace-chats", {"offset": 0, "limit": 100}, {}),
    ],
)
def test_what_the_contract_forbids_is_a_mistake(
    server: AnythingLlmServer, path: str, body: object, query: dict[str, Any]
) -> None:
    assert ask(server, path, body, **query).status_code >= 400
    assert len(server.mistakes) == 1
    server.mistakes.clear()
