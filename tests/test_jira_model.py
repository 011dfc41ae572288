"""Random histories of a Jira site, loaded run after run and merged by key: the warehouse ends as the site does."""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.servers.jira_server import JiraServer
from tests.servers.jira_site import DONE, IN_PROGRESS, IN_REVIEW, TO_DO, Issue
from wherescape import WhereScape
from wherescape.connectors.jira.jira_create_metadata import jira_create_metadata
from wherescape.connectors.jira.jira_load_data import jira_load_data
from wherescape.errors import WhereScapeError
from wherescape.sandbox.red_server import RedServer
from wherescape.testing.api_server import Answer, Request

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
PAUSES = (timedelta(), timedelta(), SECOND, 40 * SECOND, 2 * MINUTE, 2 * MINUTE, 4 * MINUTE, 15 * MINUTE)
PAUSES_BETWEEN_PAGES = (timedelta(), SECOND, 40 * SECOND, 5 * MINUTE)
SEARCH_DELAYS = (timedelta(), timedelta(), 5 * MINUTE, 9 * MINUTE)
STATUSES = (TO_DO, IN_PROGRESS, IN_REVIEW, DONE)
STEPS = 90

Row = tuple[Any, ...]
Key = tuple[int, ...]

COLUMNS: dict[str, tuple[Any, ...]] = {
    "load_jira_issue": (
        ("id",),
        *("key", "project_id", "summary", "status_id", "created", "updated"),
        *("resolutiondate", "timespent", "status_in_progress_date"),
    ),
    "load_jira_changelog": (("issue_id", "history_id", "position"), "field", "to_string", "created"),
    "load_jira_worklog": (("id",), "issue_id", "timespentseconds", "updated"),
    "load_jira_worklog_deleted": (("id",), "deleted"),
    "load_jira_project": (("id",), "key"),
}
"""The key of each table, and the columns that are compared."""

CHANGES = {
    "autumn in Amsterdam": ("Europe/Amsterdam", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "spring in Amsterdam": ("Europe/Amsterdam", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    "autumn on Lord Howe": ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    "autumn in New York": ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    "Kolkata": ("Asia/Kolkata", datetime(2026, 6, 1, tzinfo=UTC)),
}
"""Time zones, and when their clocks are put back or forward, if they are."""


class TroubledJira(JiraServer):
    """A Jira that is down, or does not know the login any more, after some answers."""

    def __init__(self, time_zone: str) -> None:
        super().__init__(time_zone)
        self.trouble = ""
        self.answers_left = 0

    @property
    def is_in_trouble(self) -> bool:
        return bool(self.trouble) and self.answers_left <= 0

    def answer(self, request: Request) -> Answer:
        if self.is_in_trouble and self.trouble == "down":
            return Answer(503, "")
        self.is_login_valid = not self.is_in_trouble
        self.answers_left -= 1
        return super().answer(request)


class Users:
    """People who change things on a site at random."""

    def __init__(self, server: JiraServer, choice: random.Random) -> None:
        self.server = server
        self.random = choice
        self.are_at_work = True
        self.projects = [next(iter(server.projects)), server.add_project("AB", private=True)]
        self._actions: tuple[tuple[Callable[[], object], int], ...] = (
            (self._add_issue, 6),
            (lambda: self._edit(server.touch), 3),
            (lambda: self._edit(lambda issue: server.update_issue(issue, summary=self._text())), 4),
            (lambda: self._edit(lambda issue: server.transition(issue, self.random.choice(STATUSES))), 5),
            (lambda: self._edit(lambda issue: server.move(issue, self.random.choice(self.projects))), 1),
            (lambda: self._edit(server.delete_issue), 1),
            (lambda: self._edit(lambda issue: server.add_worklog(issue, self.random.randrange(60, 9_000))), 3),
            (lambda: self._edit_worklog(lambda log: server.edit_worklog(log, self.random.randrange(60, 9_000))), 2),
            (lambda: self._edit_worklog(server.delete_worklog), 1),
        )

    def work(self, pauses: Sequence[timedelta] = PAUSES) -> None:
        """Change something after a while of nothing; often in the same moment as the last change."""
        if not self.are_at_work:
            return
        self.server.pass_time(self.random.choice(pauses))
        self.server.search_delay = self.random.choice(SEARCH_DELAYS)
        actions, weights = zip(*self._actions, strict=True)
        self.random.choices(actions, weights)[0]()

    def _add_issue(self) -> None:
        self.server.add_issue(
            self._text(), self.random.choice(self.projects), status_id=self.random.choice((TO_DO, TO_DO, IN_REVIEW))
        )

    def _edit(self, change: Callable[[int], object]) -> None:
        if self.server.issues:
            change(self.random.choice(list(self.server.issues)))

    def _edit_worklog(self, change: Callable[[int], object]) -> None:
        if self.server.worklogs:
            change(self.random.choice(list(self.server.worklogs)))

    def _text(self) -> str:
        return f"Lamp {self.random.randrange(1_000_000)}"


class Warehouse:
    """What the jobs of a warehouse do: load, and merge the load table by its key."""

    def __init__(self, red: RedServer, server: TroubledJira) -> None:
        self.red = red
        self.server = server
        self.rows: dict[str, dict[Key, Row]] = {}
        for table in COLUMNS:
            red.register_load_table(table)
            wherescape = self._wherescape(table)
            jira_create_metadata(wherescape=wherescape)
            wherescape.close()
            red.create_table(table)

    def load(self, table: str) -> None:
        """Load a table from its high-water mark on, if it has one, and merge it."""
        self.rows.setdefault(table, {}).update(self._load(table))

    def drop_what_is_gone(self) -> None:
        """Drop the rows of which the site does not know the key any more."""
        for table in ("load_jira_issue", "load_jira_changelog", "load_jira_worklog"):
            existing = self._load(table, keys_only=True).keys()
            self.rows[table] = {key: row for key, row in self.rows[table].items() if key in existing}

    def _load(self, table: str, **arguments: Any) -> dict[Key, Row]:
        key, *columns = COLUMNS[table]
        wherescape = self._wherescape(table)
        try:
            wherescape.push_to_target(f"TRUNCATE load.{table}")
            jira_load_data(wherescape=wherescape, max_retries=0, workers=2, **arguments)
            names = ", ".join(key if arguments else (*key, *columns))
            rows = wherescape.query_target(f"SELECT {names} FROM load.{table}")
        finally:
            wherescape.close()
        return {tuple(map(int, row[: len(key)])): tuple(row[len(key) :]) for row in rows}

    def _wherescape(self, table: str) -> WhereScape:
        config = {"url": self.server.url, "user": self.server.user_name, "apikey": self.server.apikey}
        return WhereScape(self.red.environment(table, source_config=config))


def truth(server: JiraServer) -> dict[str, dict[Key, Row]]:
    """Return what the warehouse should hold of a site."""
    histories = [history for issue in server.issues.values() for history in issue.histories]
    return {
        "load_jira_issue": {(issue.id,): issue_row(server, issue) for issue in server.issues.values()},
        "load_jira_changelog": {
            (history.issue_id, history.id, position): (item["field"], item["toString"], stored(history.created))
            for history in histories
            for position, item in enumerate(history.items)
        },
        "load_jira_worklog": {
            (log.id,): (log.issue_id, log.seconds, stored(log.updated)) for log in server.worklogs.values()
        },
        "load_jira_worklog_deleted": {
            (removed.worklog_id,): (stored(removed.at),) for removed in server.removed_worklogs
        },
        "load_jira_project": {(int(project.id),): (project.key,) for project in server.projects.values()},
    }


def issue_row(server: JiraServer, issue: Issue) -> Row:
    return (
        issue.key,
        int(issue.project_id),
        issue.values["summary"],
        int(issue.status_id),
        stored(issue.created),
        stored(issue.updated),
        stored(issue.resolved),
        server.time_spent(issue.id),
        stored(first_in_progress(server, issue)),
    )


def first_in_progress(server: JiraServer, issue: Issue) -> datetime | None:
    """Return when an issue first was in a status of the category `indeterminate`, whatever it is called."""
    items = [(history.created, item) for history in issue.histories for item in history.items]
    moves = [(at, item["from"], item["to"]) for at, item in items if item["field"] == "status"]
    entered = [(issue.created, moves[0][1] if moves else issue.status_id), *((at, to) for at, _, to in moves)]
    return next((at for at, status in entered if server.statuses[status].category == "indeterminate"), None)


def stored(moment: datetime | None) -> datetime | None:
    """Return a moment as a load table holds it."""
    return moment and moment.astimezone(UTC).replace(tzinfo=None)


@pytest.fixture(params=CHANGES)
def server(request: pytest.FixtureRequest) -> Iterator[TroubledJira]:
    time_zone, change = CHANGES[request.param]
    with TroubledJira(time_zone) as server:
        server.now = change - 90 * MINUTE
        server.ids_per_page, server.histories_per_page, server.worklogs_per_page = 2, 3, 2
        yield server


@pytest.mark.parametrize("seed", range(3))
def test_the_warehouse_equals_the_site_in_the_end(clean_red: RedServer, server: TroubledJira, seed: int) -> None:
    choice = random.Random(f"{server.time_zone} {server.now} {seed}")
    server.fold = seed % 2
    server.includes_since = choice.random() < 0.5
    server.pages_are_short = choice.random() < 0.5
    server.history_dates = choice.choice(("milliseconds", "text"))
    users, warehouse = Users(server, choice), Warehouse(clean_red, server)

    for _ in range(STEPS):
        if choice.random() < 0.6:
            users.work()
        else:
            load_in_a_restless_moment(warehouse, users)

    users.are_at_work = False
    server.pass_time(HOUR)
    for table in COLUMNS:
        warehouse.load(table)
    warehouse.drop_what_is_gone()
    assert warehouse.rows == truth(server)


def load_in_a_restless_moment(warehouse: Warehouse, users: Users) -> None:
    """Load a table while users work on and Jira may get into trouble."""
    server, choice = warehouse.server, users.random
    for _ in range(choice.randrange(3)):
        server.after_answer(lambda: users.work(PAUSES_BETWEEN_PAGES), after=choice.randrange(8))
    server.trouble, server.answers_left = choice.choice(("", "", "", "down", "logged out")), choice.randrange(10)
    try:
        warehouse.load(choice.choices(list(COLUMNS), (7, 3, 2, 1, 1))[0])
    except WhereScapeError:
        assert server.is_in_trouble
    server.trouble = ""
