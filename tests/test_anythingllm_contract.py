"""AnythingLLM's load tables under the tests that every connector inherits."""

from collections.abc import Mapping
from typing import Any, ClassVar

from tests.servers.anythingllm_server import AnythingLlmServer, response_text
from wherescape.connectors.anythingllm.anythingllm_create_metadata import anythingllm_create_metadata
from wherescape.connectors.anythingllm.anythingllm_load_data import anythingllm_load_data
from wherescape.connectors.anythingllm.anythingllm_tables import EMBED_CHATS, WORKSPACE_CHATS
from wherescape.tables import Table
from wherescape.testing.contract import START, ConnectorContract, Key


def unmasked(table: Table) -> dict[str, Any]:
    """Return the arguments that store personal data as they are, which is to be asked for."""
    return {"unmasked": [column.name for column in table.columns if column.mask], "allow_empty": True}


class AnythingLlmContract(ConnectorContract[AnythingLlmServer]):
    """What all of them share: a server of one workspace with one embed."""

    key = ("id",)
    create_metadata = staticmethod(anythingllm_create_metadata)
    load_data = staticmethod(anythingllm_load_data)
    is_incremental = False
    mask_options: ClassVar[Mapping[str, Any]] = {"unmasked": ()}
    not_tested = {"test_short_pages_are_no_end": "The API gives whole lists, or pages of 20 and a word on the end."}

    def start(self) -> AnythingLlmServer:
        server = AnythingLlmServer()
        server.now = START
        self.workspace = server.add_workspace()
        self.embed = server.add_embed(self.workspace)
        return server

    def connection(self, server: AnythingLlmServer) -> dict[str, str]:
        return {"url": server.url, "apikey": server.apikey}


class TestEmbedChats(AnythingLlmContract):
    load_table = "load_anythingllm_chat"
    options: ClassVar[Mapping[str, Any]] = unmasked(EMBED_CHATS)
    personal = ("I am Ann Lee", "Hello Ann Lee", "session of Ann", "203.0.113.7", "ann.example.com", "ann.lee")

    def add(self, server: AnythingLlmServer) -> Key:
        connection = '{"host": "https://ann.example.com", "ip": "203.0.113.7", "username": "ann.lee"}'
        chat = server.add_embed_chat(
            self.embed,
            "I am Ann Lee",
            response_text("Hello Ann Lee"),
            session_id="session of Ann",
            connection=connection,
        )
        return (chat,)

    def change(self, server: AnythingLlmServer, key: Key) -> None:
        server.embed_chats[int(key[0])].include = False

    def remove(self, server: AnythingLlmServer, key: Key) -> None:
        server.delete_embed_chat(int(key[0]))


class TestWorkspaceChats(AnythingLlmContract):
    load_table = "load_anythingllm_workspace_chat"
    options: ClassVar[Mapping[str, Any]] = unmasked(WORKSPACE_CHATS)
    records = 45
    personal = ("I am Ann Lee", "Hello Ann Lee", "session of Ann")

    def add(self, server: AnythingLlmServer) -> Key:
        chat = server.add_chat(
            self.workspace, "I am Ann Lee", response_text("Hello Ann Lee"), api_session_id="session of Ann"
        )
        return (chat,)

    def change(self, server: AnythingLlmServer, key: Key) -> None:
        server.chats[int(key[0])].include = False

    def remove(self, server: AnythingLlmServer, key: Key) -> None:
        server.delete_chat(int(key[0]))
