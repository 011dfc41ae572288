"""Jira's load tables under the tests that every connector inherits."""

from collections.abc import Mapping
from typing import Any, ClassVar

from tests.servers.jira_server import JiraServer
from wherescape.connectors.jira.jira_create_metadata import jira_create_metadata
from wherescape.connectors.jira.jira_load_data import jira_load_data
from wherescape.testing.contract import START, ConnectorContract, Key


class JiraContract(ConnectorContract[JiraServer]):
    """What all of them share."""

    key = ("id",)
    create_metadata = staticmethod(jira_create_metadata)
    load_data = staticmethod(jira_load_data)
    options: ClassVar[Mapping[str, Any]] = {"workers": 1}
    personal = ("Mia Krystof",)
    mask_options = {"mask_persons": True}

    def start(self) -> JiraServer:
        server = JiraServer("Europe/Amsterdam")
        server.now = START
        return server

    def connection(self, server: JiraServer) -> dict[str, str]:
        return {"url": server.url, "user": server.user_name, "apikey": server.apikey}

    def shorten_pages(self, server: JiraServer) -> None:
        server.pages_are_short = True
        server.ids_per_page = server.issues_per_page = server.projects_per_page = server.worklogs_per_page = 2


class TestIssues(JiraContract):
    load_table = "load_jira_issue"

    def add(self, server: JiraServer) -> Key:
        return (server.add_issue(assignee=server.me),)

    def change(self, server: JiraServer, key: Key) -> None:
        server.touch(int(key[0]))

    def remove(self, server: JiraServer, key: Key) -> None:
        server.delete_issue(int(key[0]))


class TestWorklogs(JiraContract):
    load_table = "load_jira_worklog"

    def add(self, server: JiraServer) -> Key:
        issue = next(iter(server.issues), None) or server.add_issue()
        return (server.add_worklog(issue),)

    def change(self, server: JiraServer, key: Key) -> None:
        server.edit_worklog(int(key[0]), 120)

    def remove(self, server: JiraServer, key: Key) -> None:
        server.delete_worklog(int(key[0]))
