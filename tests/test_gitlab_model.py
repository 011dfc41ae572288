"""Random histories of a GitLab server, loaded run after run and merged by key: the warehouse ends as the server is."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.gitlab_repository import collect_garbage, commit, git, make_repository, reset
from wherescape import WhereScape
from wherescape.connectors.gitlab.gitlab_create_metadata import gitlab_create_metadata
from wherescape.connectors.gitlab.gitlab_load_data import gitlab_load_data
from wherescape.connectors.gitlab.gitlab_tables import TABLES
from wherescape.errors import WhereScapeError
from wherescape.high_water_mark import PREFIX
from wherescape.sandbox.git_repository import Commit
from wherescape.sandbox.gitlab_project import Project
from wherescape.sandbox.gitlab_server import (
    BAD_GATEWAY,
    FORBIDDEN,
    NOT_FOUND,
    RETRY_LATER,
    TOKEN_EXPIRED,
    GitLabServer,
)
from wherescape.sandbox.gitlab_tracker import Item, Items
from wherescape.sandbox.red_server import RedServer
from wherescape.tables import find_table
from wherescape.testing.api_server import Answer, Refused, Request

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KINDS = ("issues", "merge_requests", "pipelines")
SHORT_PAUSES = (timedelta(), timedelta(), SECOND, 40 * SECOND, 4 * MINUTE, 20 * MINUTE)
PAUSES = (*SHORT_PAUSES, 59 * MINUTE, HOUR, 2 * HOUR, 2 * HOUR, 5 * HOUR, 3 * DAY)
LONGEST_TRANSACTION = 4 * MINUTE
STEPS = 100

IN_A_PROJECT = re.compile(r"/projects/(?P<id>\d+)/(?P<kind>\w+)")

Row = tuple[Any, ...]
Thing = TypeVar("Thing")

TRACKER = {
    "load_gitlab_project": ("path", "description", "updated_at"),
    "load_gitlab_issue": ("title", "state", "updated_at"),
    "load_gitlab_merge_request": ("title", "sha", "updated_at"),
    "load_gitlab_merge_request_commit": ("project_id", "title"),
    "load_gitlab_pipeline": ("status", "updated_at"),
}
REPOSITORY = {
    "load_gitlab_project": ("path", "last_activity_at"),
    "load_gitlab_commit": ("title", "committed_date"),
    "load_gitlab_branch_commit": ("title", "committed_date"),
    "load_gitlab_branch": ("commit_id", "merged"),
    "load_gitlab_tag": ("commit_id",),
}
"""The tables, and the columns beside their keys that are compared."""

SCOPES: tuple[dict[str, Any], ...] = ({}, {"groups": "sandbox"}, {"everything_visible": True})


class TroubledGitLab(GitLabServer):
    """A GitLab that answers some requests otherwise than it should, from some answer on."""

    trouble: Answer | None = None
    trouble_path = ""
    answers_left = 0
    has_refused = False

    def answer(self, request: Request) -> Answer:
        if self.trouble and self.trouble_path in f"{request.path}/":
            if self.answers_left <= 0:
                self.has_refused = True
                return self.trouble
            self.answers_left -= 1
        try:
            answer = super().answer(request)
        except Refused:
            self.has_refused = True
            raise
        # For commits that are gone an empty list is a refusal, too.
        self.has_refused |= answer.body == "[]" and request.path.endswith("/repository/commits")
        return answer


class Users:
    """People who change things on a server at random."""

    def __init__(self, server: GitLabServer, choice: random.Random, folder: Path, *, on_tracker: bool) -> None:
        self.server = server
        self.random = choice
        self.folder = folder
        self.are_at_work = True
        self._count = 0
        self._kind = KINDS[0]
        actions = self._on_tracker() if on_tracker else self._on_repository()
        self._actions = (*actions, (self._hide_or_show, 4), (self._add_project, 1), (self._rename, 1))
        for _ in range(3):
            self._add_project()
        self.projects[1].is_visible = False

    @property
    def projects(self) -> list[Project]:
        return list(self.server.projects.values())

    def work(self) -> None:
        """Change something after a while of nothing; often in the same moment as the last change."""
        self._pass_time(PAUSES)
        self._change(self.random.choice(self.projects), self.random.choice(KINDS))

    def disturb(self) -> None:
        """Change what is just being read."""
        if self.are_at_work and (path := IN_A_PROJECT.match(self.server.requests[-1].path)):
            self._pass_time(SHORT_PAUSES)
            kind = path["kind"] if path["kind"] in KINDS else self.random.choice(KINDS)
            self._change(self.server.projects[int(path["id"])], kind)
            self._pass_time(SHORT_PAUSES)

    def _pass_time(self, pauses: Sequence[timedelta]) -> None:
        self.server.now = self._now() + self.random.choice(pauses)

    def _change(self, project: Project, kind: str) -> None:
        self._kind = kind
        actions, weights = zip(*self._actions, strict=True)
        self.random.choices(actions, weights)[0](project)

    def _now(self) -> datetime:
        assert self.server.now
        return self.server.now

    def _moment(self) -> datetime:
        """Return when a transaction that ends now has begun, which is the time that its rows have."""
        return self._now() - self.random.choice((0, 0.5, 1)) * LONGEST_TRANSACTION

    def _some(self, things: list[Thing], count: int) -> list[Thing]:
        return self.random.sample(things, min(count, len(things)))

    def _text(self) -> str:
        self._count += 1
        return f"Lamp {self._count}"

    # ---------------------------------------------------------------------------------------------------- projects

    def _add_project(self, _: object = None) -> None:
        if len(self.projects) < 5:
            path = self.folder / f"project-{len(self.projects)}"
            project = self.server.add_project(
                make_repository(path, self.random.randrange(1, 5)), created_at=self._now() - DAY
            )
            for kind in KINDS:
                for _ in range(self.random.randrange(3)):
                    self._add_items(project, getattr(project, kind))

    def _hide_or_show(self, project: Project) -> None:
        # Without any project left, GitLab would look as if the token were a wrong one.
        project.is_visible = not project.is_visible or project.id == 1

    def _rename(self, project: Project) -> None:
        project.rename(self._text().replace(" ", "-"), self._moment())

    # ----------------------------------------------------------------------------------------------------- tracker

    def _on_tracker(self) -> tuple[tuple[Callable[[Project], object], int], ...]:
        return (
            (lambda project: self._add_items(project, getattr(project, self._kind)), 8),
            (lambda project: self._update_items(project, getattr(project, self._kind)), 8),
            (lambda project: self._delete_item(getattr(project, self._kind)), 6),
            (lambda project: project.update(self._moment(), description=self._text()), 2),
        )

    def _add_items(self, project: Project, items: Items) -> None:
        at = self._moment()
        for _ in range(self.random.choice((1, 1, 4))):
            items.add(at, title=self._text(), commit_ids=self._some_commits(project))

    def _update_items(self, project: Project, items: Items) -> None:
        at = self._moment()
        for item in self._some(list(items), self.random.choice((1, 4))):
            state, status = self.random.choice(("opened", "closed")), self.random.choice(("running", "success"))
            commit_ids = self._some_commits(project)
            items.update(item.id, at, title=self._text(), state=state, status=status, commit_ids=commit_ids)

    def _delete_item(self, items: Items) -> None:
        for item in self._some(list(items), 1):
            items.delete(item.id)

    def _some_commits(self, project: Project) -> list[str]:
        history = [commit.id for commit in project.default_history()]
        return self._some(history, self.random.randrange(3))

    # -------------------------------------------------------------------------------------------------- repository

    def _on_repository(self) -> tuple[tuple[Callable[[Project], object], int], ...]:
        return (
            (self._push_commits, 8),
            (self._merge, 4),
            (self._push_with_force, 7),
            (self._start_branch, 4),
            (self._delete_branch, 2),
            (self._move_tag, 3),
            (self._delete_tag, 1),
        )

    def _path(self, project: Project) -> Path:
        assert project.repository
        return project.repository.path

    def _branch(self, project: Project) -> str:
        return self.random.choice(("main", *project.references().branches))

    def _commit(self, project: Project, branch: str, *parents: str) -> None:
        """Make a commit, dated up to a week before it is pushed."""
        at = self._now() - self.random.choice((timedelta(), HOUR, 7 * DAY))
        commit(self._path(project), branch, self._text(), at, *parents)

    def _push_commits(self, project: Project) -> None:
        branch = self._branch(project)
        for _ in range(self.random.choice((1, 1, 3))):
            self._commit(project, branch, f"refs/heads/{branch}^0")
        project.push(self._now())

    def _merge(self, project: Project) -> None:
        self._commit(project, "main", "refs/heads/main^0", f"refs/heads/{self._branch(project)}^0")
        project.push(self._now())

    def _push_with_force(self, project: Project) -> None:
        branch, base = self._branch(project), self._any_commit(project)
        if self.random.random() < 0.5:
            reset(self._path(project), branch, base)
        else:
            self._commit(project, branch, base)
        if self.random.random() < 0.7:
            collect_garbage(self._path(project))
        project.push(self._now())

    def _start_branch(self, project: Project) -> None:
        branch, base = f"change-{self.random.randrange(4)}", self._any_commit(project)
        if self.random.random() < 0.3:
            reset(self._path(project), branch, base)
        else:
            self._commit(project, branch, base)
        project.push(self._now())

    def _delete_branch(self, project: Project) -> None:
        branch = self._branch(project)
        if branch != "main":
            git(self._path(project), "update-ref", "-d", f"refs/heads/{branch}")
            project.push(self._now())

    def _move_tag(self, project: Project) -> None:
        git(self._path(project), "tag", "--force", f"v{self.random.randrange(4)}", self._any_commit(project))
        project.push(self._now())

    def _delete_tag(self, project: Project) -> None:
        for tag in project.references().tags[:1]:
            git(self._path(project), "tag", "--delete", tag.name)
            project.push(self._now())

    def _any_commit(self, project: Project) -> str:
        assert project.repository
        return self.random.choice(project.repository.history(None)).id


class Warehouse:
    """What the jobs of a warehouse do: load, and merge the load table by its key."""

    def __init__(self, red: RedServer, server: TroubledGitLab, tables: dict[str, Row], **arguments: Any) -> None:
        self.red = red
        self.server = server
        self.tables = tables
        self.arguments = arguments
        self.rows: dict[str, dict[Row, Row]] = {table: {} for table in tables}
        for table in tables:
            red.register_load_table(table)
            wherescape = self._wherescape(table)
            gitlab_create_metadata(wherescape=wherescape)
            wherescape.close()
            red.create_table(table)

    def load(self, table: str, *, staged: bool = False, succeeds: bool = True) -> None:
        """Load a table from its high-water mark on, if it has one, and merge it.

        Arguments:
            table: which.
            staged: whether the mark counts only once the rows are merged.
            succeeds: whether they are merged.
        """
        rows = self._load(table, staged_mark=staged)
        if succeeds:
            self.rows[table].update(rows)
            if staged:
                wherescape = self._wherescape(table)
                wherescape.confirm_high_water_marks(PREFIX + table)
                wherescape.close()

    def drop_what_is_gone(self) -> None:
        """Drop the rows of which the server does not know the key any more."""
        for table, rows in self.rows.items():
            existing = self._load(table, keys_only=True).keys()
            self.rows[table] = {key: row for key, row in rows.items() if key in existing}

    def _load(self, table: str, **arguments: Any) -> dict[Row, Row]:
        key = find_table(table, TABLES, "GitLab").key
        columns = key if "keys_only" in arguments else (*key, *self.tables[table])
        wherescape = self._wherescape(table)
        # With more than one worker, what a history does to a load would not be the same each time.
        try:
            wherescape.push_to_target(f"TRUNCATE load.{table}")
            gitlab_load_data(wherescape=wherescape, max_retries=0, workers=1, **self.arguments, **arguments)
            found = wherescape.query_target(f"SELECT {', '.join(columns)} FROM load.{table}")
        finally:
            wherescape.close()
        rows = {tuple(row[: len(key)]): tuple(row[len(key) :]) for row in found}
        assert len(rows) == len(found), "a key came twice"
        return rows

    def _wherescape(self, table: str) -> WhereScape:
        config = {"url": self.server.url, "apikey": self.server.token}
        return WhereScape(self.red.environment(table, source_config=config))


def truth(server: GitLabServer, tables: dict[str, Row], *, all_branches: bool) -> dict[str, dict[Row, Row]]:
    """Return what the warehouse should hold of a server."""
    found: dict[str, dict[Row, Row]] = {table: {} for table in tables}
    for project in server.projects.values():
        if project.is_visible:
            for table, values in (*tracker_rows(project), *repository_rows(project, all_branches)):
                if table in found:
                    columns = (*find_table(table, TABLES, "GitLab").key, *tables[table])
                    row = tuple(values[column] for column in columns)
                    size = len(columns) - len(tables[table])
                    found[table][row[:size]] = row[size:]
    return found


def tracker_rows(project: Project) -> Iterator[tuple[str, dict[str, Any]]]:
    entity = project.entity()
    times = {name: stored(getattr(project, name)) for name in ("updated_at", "last_activity_at")}
    yield "load_gitlab_project", {**entity, **times}
    for kind, items in (("issue", project.issues), ("merge_request", project.merge_requests)):
        for item in items:
            yield f"load_gitlab_{kind}", item_values(items, item)
    for item in project.pipelines:
        yield "load_gitlab_pipeline", item_values(project.pipelines, item)
    for item in project.merge_requests:
        assert project.repository
        for found in project.repository.commits_by_id(item.commit_ids).values():
            yield "load_gitlab_merge_request_commit", {**commit_values(project, found), "merge_request_id": item.id}


def repository_rows(project: Project, all_branches: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    assert project.repository
    ids = {"project_id": project.id}
    for branch in project.repository.branches():
        # psqlODBC gives a boolean as a character.
        merged = str(int(branch.merged and branch.name != "main"))
        yield "load_gitlab_branch", {**ids, "name": branch.name, "commit_id": branch.commit_id, "merged": merged}
        for found in project.repository.history(branch.commit_id):
            values = commit_values(project, found)
            yield "load_gitlab_branch_commit", {**values, "branch_name": branch.name}
            if all_branches or branch.name == "main":
                yield "load_gitlab_commit", values
    for tag in project.repository.tags():
        yield "load_gitlab_tag", {**ids, "name": tag.name, "commit_id": tag.commit_id}


def item_values(items: Items, item: Item) -> dict[str, Any]:
    return {**items.entity(item), "updated_at": stored(item.updated_at)}


def commit_values(project: Project, found: Commit) -> dict[str, Any]:
    at = datetime.fromtimestamp(found.committed_at, UTC)
    return {"id": found.id, "project_id": project.id, "title": found.message.strip(), "committed_date": stored(at)}


def stored(moment: datetime | None) -> datetime | None:
    """Return a moment as a load table holds it, of which GitLab has cut the microseconds."""
    if moment is None:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=moment.microsecond // 1000 * 1000)


@pytest.fixture
def server() -> Iterator[TroubledGitLab]:
    with TroubledGitLab() as server:
        server.now = NOON
        yield server


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("tables", [TRACKER, REPOSITORY], ids=["tracker", "repository"])
def test_the_warehouse_equals_the_server_in_the_end(
    clean_red: RedServer, server: TroubledGitLab, tmp_path: Path, tables: dict[str, Row], seed: int
) -> None:
    choice = random.Random(seed)
    server.max_per_page = choice.choice((2, 2, 3, 100))
    server.has_branch_keyset = choice.random() < 0.5
    server.answers_gone_commits = choice.random() < 0.5
    all_branches = choice.random() < 0.5
    users = Users(server, choice, tmp_path, on_tracker=tables is TRACKER)
    scope = SCOPES[seed % len(SCOPES)]
    warehouse = Warehouse(clean_red, server, tables, all_branches=all_branches, **scope)

    for _ in range(STEPS):
        if choice.random() < 0.6:
            users.work()
        else:
            load_in_a_restless_moment(warehouse, users)

    users.are_at_work = False
    server.now = users._now() + HOUR
    for table in tables:
        warehouse.load(table)
    warehouse.drop_what_is_gone()
    expected = truth(server, tables, all_branches=all_branches)
    for table in tables:
        assert warehouse.rows[table] == expected[table], table


def load_in_a_restless_moment(warehouse: Warehouse, users: Users) -> None:
    """Load a table while users work on and GitLab may get into trouble."""
    server, choice = warehouse.server, users.random
    for _ in range(choice.randrange(5)):
        server.after_answer(users.disturb, after=choice.randrange(12))
    server.trouble = choice.choice((None, None, None, BAD_GATEWAY, RETRY_LATER, TOKEN_EXPIRED, NOT_FOUND, FORBIDDEN))
    of_one_project = server.trouble in (NOT_FOUND, FORBIDDEN)
    server.trouble_path = f"/projects/{choice.choice(list(server.projects))}/" if of_one_project else ""
    server.answers_left, server.has_refused = choice.randrange(10), False
    table = choice.choice(list(warehouse.tables))
    staged = choice.random() < 0.5
    try:
        warehouse.load(table, staged=staged, succeeds=not staged or choice.random() < 0.5)
    except WhereScapeError:
        assert server.has_refused
    server.trouble = None
