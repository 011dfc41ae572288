"""GitLab's load tables under the tests that every connector inherits."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.gitlab_repository import add_commits, git, make_empty_repository
from wherescape.connectors.gitlab.gitlab_create_metadata import gitlab_create_metadata
from wherescape.connectors.gitlab.gitlab_load_data import gitlab_load_data
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.gitlab_tracker import Items, make_user
from wherescape.testing.contract import START, ConnectorContract, Key

YEAR = timedelta(days=365)


class GitLabContract(ConnectorContract[GitLabServer]):
    """What all of them share: a server of two projects."""

    key = ("id",)
    create_metadata = staticmethod(gitlab_create_metadata)
    load_data = staticmethod(gitlab_load_data)
    # One after the other, so that a request has the same number in each load.
    options: ClassVar[Mapping[str, Any]] = {"workers": 1}

    def start(self) -> GitLabServer:
        server = GitLabServer()
        server.now = START
        for _ in range(2):
            server.add_project(created_at=START - YEAR)
        return server

    def connection(self, server: GitLabServer) -> dict[str, str]:
        return {"url": server.url, "apikey": server.token}

    def shorten_pages(self, server: GitLabServer) -> None:
        server.max_per_page = 2


class OfTracker(GitLabContract):
    """Records of two projects."""

    kind: ClassVar[str]
    fields: ClassVar[Mapping[str, Any]] = {}

    def add(self, server: GitLabServer) -> Key:
        count = sum(len([*getattr(project, self.kind)]) for project in server.projects.values())
        return (getattr(server.project(1 + count % 2), self.kind).add(server.now, **self.fields),)

    def change(self, server: GitLabServer, key: Key) -> None:
        self._items(server, key).update(int(key[0]), server.now)

    def remove(self, server: GitLabServer, key: Key) -> None:
        self._items(server, key).delete(int(key[0]))

    def _items(self, server: GitLabServer, key: Key) -> Items:
        lists: list[Items] = [getattr(project, self.kind) for project in server.projects.values()]
        return next(items for items in lists if key[0] in [item.id for item in items])


class TestIssues(OfTracker):
    load_table, kind = "load_gitlab_issue", "issues"
    personal = ("Ann Lee", "ann.lee", "ann@example.com")
    mask_options = {"mask_persons": True}
    person = {**make_user(7), "name": "Ann Lee", "username": "ann.lee"}
    fields = {"author": person, "assignees": [person], "service_desk_reply_to": "ann@example.com"}


class TestMergeRequests(OfTracker):
    load_table, kind = "load_gitlab_merge_request", "merge_requests"
    personal = ("Ann Lee", "ann.lee")
    mask_options = {"mask_persons": True}
    person = {**make_user(7), "name": "Ann Lee", "username": "ann.lee"}
    fields = {"author": person, "merge_user": person, "assignees": [person], "reviewers": [person]}


class TestPipelines(OfTracker):
    load_table, kind = "load_gitlab_pipeline", "pipelines"
    not_tested = {"test_nothing_personal_is_left_anywhere": "Pipelines tell nothing about persons."}


class TestCommits(GitLabContract):
    """Commits of a project whose default branch grows."""

    load_table = "load_gitlab_commit"
    personal = ("Ann Author", "ann@example.com")
    mask_options = {"mask_persons": True}
    has_changes = has_removals = False

    @pytest.fixture(autouse=True)
    def repository(self, tmp_path: Path) -> None:
        self.folder = make_empty_repository(tmp_path / "lamp")

    def start(self) -> GitLabServer:
        server = GitLabServer(self.folder)
        server.now = START
        return server

    def add(self, server: GitLabServer) -> Key:
        assert server.now
        add_commits(self.folder, 1, first=int(server.now.timestamp()))
        server.project(1).push(server.now)
        return (git(self.folder, "rev-parse", "main"),)
