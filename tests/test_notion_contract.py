"""Notion's load tables under the tests that every connector inherits."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from tests.servers.notion_server import DataSource, NotionServer
from wherescape.connectors.notion.notion_create_metadata import notion_create_metadata
from wherescape.connectors.notion.notion_load_data import notion_load_data
from wherescape.testing.contract import START, ConnectorContract, Key


class TestPages(ConnectorContract[NotionServer]):
    load_table = "load_notion_task"
    key = ("page_id",)
    create_metadata = staticmethod(notion_create_metadata)
    load_data = staticmethod(notion_load_data)
    options: ClassVar[Mapping[str, Any]] = {"workers": 1}
    records = 5
    personal = ("Ann Lee", "ann@example.com")
    mask_options = {"mask_persons": True}

    tasks: DataSource

    def start(self) -> NotionServer:
        server = NotionServer()
        server.now = START
        self.tasks = server.add_data_source({"Name": "title", "Mail": "email", "Who": "people"})
        self.ann = server.add_user("Ann Lee", "ann@example.com")
        return server

    def connection(self, server: NotionServer) -> dict[str, str]:
        return {"url": server.url, "apikey": server.token}

    def file_name(self, server: NotionServer) -> str:
        return self.tasks.id

    def shorten_pages(self, server: NotionServer) -> None:
        server.pages_are_short = True

    def add(self, server: NotionServer) -> Key:
        page = server.add_page(self.tasks, {"Name": "Paint", "Mail": "ann@example.com", "Who": [self.ann]})
        return (page.id,)

    def change(self, server: NotionServer, key: Key) -> None:
        server.edit(server.pages[str(key[0])], {"Name": "Paint again"})

    def remove(self, server: NotionServer, key: Key) -> None:
        server.delete(server.pages[str(key[0])])

    def pass_time(self, server: NotionServer, time: timedelta) -> None:
        server.pass_time(time)
