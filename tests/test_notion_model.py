"""Random histories of a Notion database, loaded run after run and merged by key: the warehouse ends as Notion does."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.servers.notion_server import DataSource, NotionServer, Page, Property
from wherescape import WhereScape
from wherescape.connectors.notion.notion_create_metadata import notion_create_metadata
from wherescape.connectors.notion.notion_load_data import notion_load_data
from wherescape.errors import ApiError
from wherescape.sandbox.red_server import RedServer
from wherescape.testing.api_server import Answer, Request, json_answer

TABLE = "load_notion_task"
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
PAUSES = (timedelta(), SECOND, 20 * SECOND, 40 * SECOND, 2 * MINUTE, 6 * MINUTE)
PAUSES_BETWEEN_PAGES = (timedelta(), SECOND, 40 * SECOND, 5 * MINUTE)
TYPES = ("rich_text", "number", "multi_select", "relation")
NAMES = ("State", "state", "Cost", "Page id", "Phase")
STEPS = 120

Values = dict[str, Any]


class TroubledNotion(NotionServer):
    """A Notion that is down, overloaded, or no longer knows the token, after some answers."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: Answer | None = None
        self.answers_left = 0

    def answer(self, request: Request) -> Answer:
        self.answers_left -= 1
        if self.trouble and self.answers_left < 0:
            return self.trouble
        return super().answer(request)


TROUBLES = (
    None,
    None,
    None,
    json_answer({"object": "error", "code": "service_overload"}, 529),
    json_answer({"object": "error", "code": "unauthorized"}, 401),
    Answer(0),
)


class Users:
    """People who change a database at random, its properties too."""

    def __init__(self, server: NotionServer, source: DataSource, choice: random.Random) -> None:
        self.server = server
        self.source = source
        self.random = choice
        self._actions: tuple[tuple[Callable[[], object], int], ...] = (
            (self._add_page, 8),
            (self._edit, 8),
            (self._trash, 2),
            (self._rename, 2),
            (self._add_property, 1),
            (self._remove_property, 1),
        )

    def work(self, pauses: Sequence[timedelta] = PAUSES) -> None:
        """Change something after a while of nothing."""
        self.server.pass_time(self.random.choice(pauses))
        actions, weights = zip(*self._actions, strict=True)
        self.random.choices(actions, weights)[0]()

    def _pages(self) -> list[Page]:
        return self.server.rows(self.source)

    def _add_page(self) -> None:
        self.server.add_page(self.source, self._values())

    def _edit(self) -> None:
        if pages := self._pages():
            self.server.edit(self.random.choice(pages), self._values())

    def _trash(self) -> None:
        if pages := self._pages():
            self.server.trash(self.random.choice(pages))

    def _rename(self) -> None:
        taken = {found.name for found in self.source.properties.values()}
        if free := [name for name in NAMES if name not in taken]:
            self.random.choice(list(self.source.properties.values())).name = self.random.choice(free)

    def _add_property(self) -> None:
        taken = {found.name for found in self.source.properties.values()}
        if free := [name for name in NAMES if name not in taken]:
            self.server.add_property(self.source, self.random.choice(free), self.random.choice(TYPES))

    def _remove_property(self) -> None:
        others = [found.name for found in self.source.properties.values() if found.type != "title"]
        if len(others) > 2:
            self.server.remove_property(self.source, self.random.choice(others))

    def _values(self) -> Values:
        """Return new values of some properties."""
        found = list(self.source.properties.values())
        return {prop.name: self._value(prop) for prop in self.random.sample(found, self.random.randint(1, len(found)))}

    def _value(self, prop: Property) -> Any:
        number = self.random.randrange(1_000)
        match prop.type:
            case "number":
                return self.random.choice((None, number, number / 8))
            case "multi_select":
                return [f"a, {item}" for item in range(number % 4)]
            case "relation":
                return [f"{item:032x}" for item in range(self.random.choice((0, 3, 25, 40, 120)))]
        return [f"Größe {number}"] * self.random.choice((0, 1, 2, 30))


class Warehouse:
    """What the jobs of a warehouse do: load, and merge the load table by its key."""

    def __init__(self, red: RedServer, server: TroubledNotion, source: DataSource) -> None:
        self.red = red
        self.server = server
        self.source = source
        self.rows: dict[str, Values] = {}
        for table in (TABLE, f"{TABLE}_keys"):
            red.register_load_table(table, file_name=source.id)
        self._write_metadata(f"{TABLE}_keys", keys_only=True)
        self.develop()

    def develop(self) -> None:
        """Take up what has changed in the schema: metadata, a new table, all rows anew."""
        self._write_metadata(TABLE)
        self.load(full=True)

    def load(self, **arguments: Any) -> None:
        """Load and merge."""
        self.rows.update(self._load(TABLE, **arguments))

    def drop_what_is_gone(self) -> None:
        """Drop the rows of which Notion does not know the key any more."""
        existing = self._load(f"{TABLE}_keys", keys_only=True)
        self.rows = {key: row for key, row in self.rows.items() if key in existing}

    def columns(self) -> dict[str, str]:
        """Return the columns of properties, by the properties' ids."""
        found = self.red.query_repository(
            "SELECT lc_src_column, lc_col_name FROM red.ws_load_col"
            " JOIN red.ws_load_tab ON lt_obj_key = lc_obj_key WHERE lt_table_name = ?",
            [TABLE],
        )
        return {row[0].removeprefix("property:"): row[1] for row in found if row[0].startswith("property:")}

    def _write_metadata(self, table: str, **arguments: Any) -> None:
        wherescape = self._wherescape(table)
        notion_create_metadata(wherescape=wherescape, **arguments)
        wherescape.close()
        self.red.create_table(table)

    def _load(self, table: str, **arguments: Any) -> dict[str, Values]:
        wherescape = self._wherescape(table)
        columns = {} if arguments.get("keys_only") else self.columns()
        try:
            wherescape.push_to_target(f"TRUNCATE load.{table}")
            notion_load_data(wherescape=wherescape, max_retries=0, workers=2, **arguments)
            rows = wherescape.query_target(f"SELECT {', '.join(['page_id', *columns.values()])} FROM load.{table}")
        finally:
            wherescape.close()
        assert len({row[0] for row in rows}) == len(rows)
        return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in rows}

    def _wherescape(self, table: str) -> WhereScape:
        config = {"url": self.server.url, "apikey": self.server.token}
        return WhereScape(self.red.environment(table, source_config=config))


def expected(prop: Property, value: Any) -> Any:
    """Return what a load table should hold of a value."""
    match prop.type:
        case "number":
            return value
        case "multi_select":
            return json.dumps([option["name"] for option in value or ()], ensure_ascii=False)
        case "relation":
            return json.dumps([page["id"] for page in value or ()])
    return "".join(run["plain_text"] for run in value or ()) or None


def truth(server: NotionServer, source: DataSource, property_ids: set[str]) -> dict[str, Values]:
    found = [prop for prop in source.properties.values() if prop.id in property_ids]
    return {
        page.id: {prop.id: expected(prop, page.values.get(prop.id)) for prop in found} for page in server.rows(source)
    }


@pytest.fixture
def server() -> Iterator[TroubledNotion]:
    with TroubledNotion() as server:
        yield server


@pytest.mark.parametrize("seed", range(4))
def test_the_warehouse_equals_notion_in_the_end(clean_red: RedServer, server: TroubledNotion, seed: int) -> None:
    choice = random.Random(seed)
    server.row_limit = choice.choice((25, 10_000))
    server.pages_are_short = choice.random() < 0.5
    server.rounding = choice.choice((timedelta(), 30 * SECOND))
    source = server.add_data_source({"Name": "title", "State": "rich_text", "Cost": "number", "Blocks": "relation"})
    users, warehouse = Users(server, source, choice), Warehouse(clean_red, server, source)

    for _ in range(STEPS):
        event = choice.random()
        if event < 0.75:
            users.work()
        elif event < 0.97:
            load_in_a_restless_moment(warehouse, users)
        else:
            warehouse.develop()

    server.pass_time(HOUR)
    warehouse.load()
    warehouse.drop_what_is_gone()
    known = set(source.properties) & set(warehouse.columns())
    loaded = {key: {property_id: row.get(property_id) for property_id in known} for key, row in warehouse.rows.items()}
    assert loaded == truth(server, source, known)


def load_in_a_restless_moment(warehouse: Warehouse, users: Users) -> None:
    """Load while people work on and Notion may get into trouble."""
    server, choice = warehouse.server, users.random
    for _ in range(choice.randrange(3)):
        server.after_answer(lambda: users.work(PAUSES_BETWEEN_PAGES), after=choice.randrange(6))
    server.trouble, server.answers_left = choice.choice(TROUBLES), choice.randrange(8)
    try:
        warehouse.load()
    except ApiError as error:
        # A property that was removed while its long value was read.
        assert (server.trouble and server.answers_left < 0) or "404" in str(error)
    server.trouble = None
