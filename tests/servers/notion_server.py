"""A stand-in for Notion's API on loopback: stateful, and strict about what a client may ask.

Sources: Notion API reference, "Query a data source", "Retrieve a page property item", "Retrieve block children",
"List all users", "Request limits", "Status codes"; "Upgrading to 2025-09-03"; makenotion/notion-sdk-js.
"""

import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from wherescape.testing.api_server import Answer, ApiServer, Refused, Request, json_answer

Json = dict[str, Any]

OLD_VERSION = "2022-06-28"
VERSIONS = (OLD_VERSION, "2025-09-03", "2026-03-11")
ITEMS_IN_A_PAGE_OBJECT = 25
LARGEST_PAGE = 100
START = datetime(2026, 1, 5, 10, 5, tzinfo=UTC)
TIMESTAMPS = ("created_time", "last_edited_time")
COMPARISONS: dict[str, Callable[[datetime, datetime], bool]] = {
    "on_or_after": lambda moment, bound: moment >= bound,
    "after": lambda moment, bound: moment > bound,
    "on_or_before": lambda moment, bound: moment <= bound,
    "before": lambda moment, bound: moment < bound,
}
LISTS = ("title", "rich_text", "people", "relation")
"""The types whose values a page object cuts, and the property endpoint gives item by item."""


@dataclass
class Property:
    """A property of a data source; its id stays when it is renamed."""

    id: str
    name: str
    type: str
    config: Json = field(default_factory=dict)
    description: str | None = None


@dataclass
class DataSource:
    """A table of pages."""

    id: str
    database_id: str
    name: str
    properties: dict[str, Property] = field(default_factory=dict)
    others: list[Json] = field(default_factory=list)
    """What a query gives beside pages: in a wiki, data sources."""


@dataclass
class Database:
    """What holds data sources."""

    id: str
    name: str
    data_sources: list[DataSource] = field(default_factory=list)
    is_shared: bool = True


@dataclass
class Page:
    """A row of a data source; `values` are those of its properties, by their ids."""

    id: str
    data_source_id: str
    created: datetime
    edited: datetime
    values: dict[str, Any] = field(default_factory=dict)
    blocks: list[Json] = field(default_factory=list)
    in_trash: bool = False


def run(text: str) -> Json:
    """Return a run of rich text."""
    return {
        "type": "text",
        "text": {"content": text, "link": None},
        "annotations": {"bold": False, "italic": False, "code": False, "color": "default"},
        "plain_text": text,
        "href": None,
    }


def block(kind: str, text: str = "", *children: Json, **more: Any) -> Json:
    """Return a block of a page; `_children` are given by the endpoint for children only."""
    content = {"rich_text": [run(text)], **more} if text else more
    return {"type": kind, kind: content, "_children": list(children)}


class NotionServer(ApiServer):
    """A workspace, as an integration sees it; what happens in it is what a test makes happen.

        with NotionServer() as server:
            tasks = server.add_data_source({"Name": "title", "Hours": "number"})
            server.add_page(tasks, {"Name": "Paint", "Hours": 3})

    Time is that of a test: it stands still unless it is told to pass.
    """

    prefix = "/v1"

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.token = f"ntn_{secrets.token_hex(20)}"
        self.row_limit = 10_000
        """How many rows one query gives."""
        self.pages_are_short = False
        """Whether a page of a list may hold fewer items than were asked for, or none, although there are more."""
        self.rounding = timedelta()
        """Half a minute for a server that rounds times to the nearest minute instead of the one below."""
        self.may_read_users = True
        self.has_old_values = False
        """Whether values that an older page never had are left out of it."""
        self.databases: dict[str, Database] = {}
        self.data_sources: dict[str, DataSource] = {}
        self.pages: dict[str, Page] = {}
        self.users: dict[str, Json] = {}
        self._cursors: dict[str, Any] = {}
        self._numbers = count(1)
        self._choice = random.Random(0)

    # ------------------------------------------------------------------------------------------------ what happens

    def pass_time(self, passing: timedelta = timedelta(minutes=1)) -> None:
        """Let time pass."""
        self.now = self.moment() + passing

    def moment(self) -> datetime:
        """Return what time it is."""
        assert self.now
        return self.now

    def add_database(self, name: str = "Work") -> Database:
        """Make a database without data sources."""
        database = Database(self._new_id(), name)
        self.databases[database.id] = database
        return database

    def add_data_source(
        self, properties: Mapping[str, str], database: Database | None = None, *, name: str = "Tasks"
    ) -> DataSource:
        """Make a data source.

        Arguments:
            properties: names and types.
            database: holds it; a new one when left out.
            name: what it is called.
        """
        database = database or self.add_database(name)
        source = DataSource(self._new_id(), database.id, name)
        for property_name, kind in properties.items():
            self.add_property(source, property_name, kind)
        database.data_sources.append(source)
        self.data_sources[source.id] = source
        return source

    def add_property(self, source: DataSource, name: str, kind: str, **config: Any) -> Property:
        """Add a property; `config` is what the schema tells about its type."""
        property_id = "title" if kind == "title" else f"%3A{next(self._numbers):x}%7B"
        added = Property(property_id, name, kind, config)
        source.properties[property_id] = added
        return added

    def rename_property(self, source: DataSource, name: str, new_name: str) -> None:
        """Give a property another name."""
        self.property(source, name).name = new_name

    def remove_property(self, source: DataSource, name: str) -> None:
        """Delete a property, and its values."""
        del source.properties[self.property(source, name).id]

    def property(self, source: DataSource, name: str) -> Property:
        """Return the property of that name."""
        return next(found for found in source.properties.values() if found.name == name)

    def add_user(self, name: str, email: str | None = None) -> str:
        """Make a person, or a bot if there is no address, and return the id."""
        user_id = self._new_id()
        what: Json = {"type": "person", "person": {"email": email}}
        if email is None:
            what = {"type": "bot", "bot": {"owner": {"type": "workspace", "workspace": True}}}
        self.users[user_id] = {"object": "user", "id": user_id, "name": name, "avatar_url": None, **what}
        return user_id

    def add_page(self, source: DataSource, values: Mapping[str, Any], *blocks: Json) -> Page:
        """Make a row.

        Arguments:
            source: where.
            values: by the names of properties; plain ones, or as the API has them.
            blocks: its contents.
        """
        page = Page(self._new_id(), source.id, self.moment(), self.moment(), blocks=list(blocks))
        self.pages[page.id] = page
        self.edit(page, values)
        return page

    def edit(self, page: Page, values: Mapping[str, Any]) -> None:
        """Change values of a row."""
        source = self.data_sources[page.data_source_id]
        for name, value in values.items():
            changed = self.property(source, name)
            page.values[changed.id] = self._value(changed, value)
        page.edited = self.moment()

    def trash(self, page: Page) -> None:
        """Move a row to the trash, where it can still be read by its id."""
        page.in_trash, page.edited = True, self.moment()

    def delete(self, page: Page) -> None:
        """Delete a row for good."""
        del self.pages[page.id]

    def rows(self, source: DataSource) -> list[Page]:
        """Return the rows that exist."""
        return [page for page in self.pages.values() if page.data_source_id == source.id and not page.in_trash]

    def _new_id(self) -> str:
        return str(UUID(int=self._choice.getrandbits(128)))

    def _value(self, changed: Property, value: Any) -> Any:
        match changed.type:
            case "title" | "rich_text":
                return [run(text) for text in ([value] if isinstance(value, str) else value)]
            case "select" | "status" if isinstance(value, str):
                return {"id": value, "name": value, "color": "red"}
            case "multi_select":
                return [{"id": name, "name": name, "color": "red"} for name in value]
            case "date" if isinstance(value, str):
                return {"start": value, "end": None, "time_zone": None}
            case "relation":
                return [{"id": item.id if isinstance(item, Page) else item} for item in value]
            case "people":
                return [self.users.get(user, {"object": "user", "id": user}) for user in value]
            case _:
                return value

    # ----------------------------------------------------------------------------------------------------- answers

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        version = request.headers.get("Notion-Version", "")
        if version not in VERSIONS:
            raise self._mistake("missing_version", "Notion-Version header should be defined and known.")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise self._refused(401, "unauthorized", "API token is invalid.")
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        match request.method, parts:
            case "GET", ["users", "me"]:
                return json_answer({"object": "user", "id": "00000000-0000-4000-8000-000000000000", "type": "bot"})
            case "GET", ["users"]:
                if not self.may_read_users:
                    raise self._refused(403, "restricted_resource", "Insufficient permissions for this endpoint.")
                return self._list(list(self.users.values()), request.query, "user")
            case "GET", ["databases", database_id]:
                return json_answer(self._database(self._find_database(database_id), version))
            case "POST", ["databases", database_id, "query"]:
                database = self._find_database(database_id)
                if version != OLD_VERSION:
                    raise self._mistake("invalid_request_url", "Invalid request URL.")
                if len(database.data_sources) > 1:
                    raise self._refused(400, "validation_error", "Databases with multiple data sources: upgrade.")
                return self._query(database.data_sources[0], request)
            case "GET", ["data_sources", source_id]:
                return json_answer(self._data_source(self._find_source(source_id, version)))
            case "POST", ["data_sources", source_id, "query"]:
                return self._query(self._find_source(source_id, version), request)
            case "GET", ["pages", page_id]:
                return json_answer(self._page(self._find_page(page_id)))
            case "GET", ["pages", page_id, "properties", property_id]:
                return self._property_items(self._find_page(page_id), property_id, request.query)
            case "GET", ["blocks", block_id, "children"]:
                return self._list([self._block(found) for found in self._find_children(block_id)], request.query)
        raise self._mistake("invalid_request_url", f"Invalid request URL: {request.method} {request.path}.")

    def _refused(self, status: int, code: str, message: str) -> Refused:
        error = {"object": "error", "status": status, "code": code, "message": message, "request_id": self._new_id()}
        return Refused(json_answer(error, status))

    def _mistake(self, code: str, message: str) -> Refused:
        return self.mistake(message, self._refused(400, code, message).answer)

    def _missing(self, what: str, wanted: str) -> Refused:
        return self._refused(
            404,
            "object_not_found",
            f"Could not find {what} with ID: {wanted}. Make sure the relevant pages and databases are shared with your"
            " integration.",
        )

    def _uuid(self, text: str) -> str:
        try:
            return str(UUID(text))
        except ValueError:
            raise self._mistake("validation_error", "path failed validation: should be a valid uuid.") from None

    def _find_database(self, database_id: str) -> Database:
        database = self.databases.get(self._uuid(database_id))
        if database is None or not database.is_shared:
            raise self._missing("database", database_id)
        return database

    def _find_source(self, source_id: str, version: str) -> DataSource:
        if version == OLD_VERSION:
            raise self._mistake("invalid_request_url", "Invalid request URL.")
        source = self.data_sources.get(self._uuid(source_id))
        if source is None or not self.databases[source.database_id].is_shared:
            raise self._missing("data_source", source_id)
        return source

    def _find_page(self, page_id: str) -> Page:
        page = self.pages.get(self._uuid(page_id))
        if page is None:
            raise self._missing("page", page_id)
        return page

    def _find_children(self, block_id: str) -> list[Json]:
        wanted = self._uuid(block_id)
        if wanted in self.pages:
            return self._find_page(wanted).blocks
        waiting = [found for page in self.pages.values() for found in page.blocks]
        while waiting:
            found = waiting.pop()
            if found.get("id") == wanted:
                return list(found["_children"])
            waiting += found["_children"]
        raise self._missing("block", block_id)

    def _block(self, found: Json) -> Json:
        found.setdefault("id", self._new_id())
        shown = {name: value for name, value in found.items() if name != "_children"}
        return {"object": "block", **shown, "has_children": bool(found["_children"]), "in_trash": False}

    # ---------------------------------------------------------------------------------------------------- objects

    def _database(self, database: Database, version: str) -> Json:
        answer: Json = {
            "object": "database",
            "id": database.id,
            "title": [run(database.name)],
            "created_time": START.isoformat(timespec="milliseconds"),
            "url": f"https://app.notion.com/p/{database.id.replace('-', '')}",
        }
        if version == OLD_VERSION:
            return answer | {"properties": self._schema(database.data_sources[0])}
        return answer | {"data_sources": [{"id": found.id, "name": found.name} for found in database.data_sources]}

    def _data_source(self, source: DataSource) -> Json:
        return {
            "object": "data_source",
            "id": source.id,
            "title": [run(source.name)],
            "properties": self._schema(source),
            "parent": {"type": "database_id", "database_id": source.database_id},
            "in_trash": False,
        }

    def _schema(self, source: DataSource) -> Json:
        return {
            found.name: {
                "id": found.id,
                "name": found.name,
                "description": found.description,
                "type": found.type,
                found.type: found.config,
            }
            for found in source.properties.values()
        }

    def _page(self, page: Page, only: str = "") -> Json:
        source = self.data_sources[page.data_source_id]
        person = {"object": "user", "id": next(iter(self.users), str(UUID(int=1)))}
        return {
            "object": "page",
            "id": page.id,
            "created_time": _shown(self._time(page, "created_time")),
            "last_edited_time": _shown(self._time(page, "last_edited_time")),
            "created_by": person,
            "last_edited_by": person,
            "cover": None,
            "icon": None,
            "parent": {"type": "data_source_id", "data_source_id": source.id, "database_id": source.database_id},
            "in_trash": page.in_trash,
            "archived": page.in_trash,
            "properties": {
                found.name: self._shown(page, found)
                for found in source.properties.values()
                if only in ("", found.id) and not (self.has_old_values and found.id not in page.values)
            },
            "url": f"https://app.notion.com/p/{page.id.replace('-', '')}",
            "public_url": None,
        }

    def _shown(self, page: Page, found: Property) -> Json:
        """Return a value as a page object has it: lists are cut, and so is what is made of them."""
        value = self._of(page, found)
        shown: Json = {"id": found.id, "type": found.type, found.type: value}
        if found.type in LISTS:
            shown[found.type] = value[:ITEMS_IN_A_PAGE_OBJECT]
        if found.type == "relation":
            shown["has_more"] = len(value) > ITEMS_IN_A_PAGE_OBJECT
        if found.type == "rollup" and value:
            related = page.values.get(found.config.get("relation_property_id", ""), [])
            if value["type"] == "array":
                shown["rollup"] = value | {"array": value["array"][:ITEMS_IN_A_PAGE_OBJECT]}
            elif len(related) > ITEMS_IN_A_PAGE_OBJECT:
                shown["rollup"] = {"type": "incomplete", "incomplete": {}, "function": value.get("function")}
        return shown

    def _of(self, page: Page, found: Property) -> Any:
        if found.id in page.values:
            return page.values[found.id]
        match found.type:
            case "created_time" | "last_edited_time":
                return _shown(self._time(page, found.type))
            case "checkbox":
                return False
            case "multi_select" | "files":
                return []
            case kind if kind in LISTS:
                return []
        return None

    def _property_items(self, page: Page, property_id: str, query: Mapping[str, str]) -> Answer:
        properties = self.data_sources[page.data_source_id].properties.values()
        found = next((found for found in properties if unquote(found.id) == property_id), None)
        if found is None:
            raise self._missing("property", property_id)
        value = self._of(page, found)
        if found.type not in (*LISTS, "rollup"):
            return json_answer({"object": "property_item", "id": found.id, "type": found.type, found.type: value})
        about: Json = {"id": found.id, "next_url": None, "type": found.type, found.type: {}}
        if found.type == "rollup":
            items = value["array"] if value["type"] == "array" else []
            about["rollup"] = value | ({"array": []} if value["type"] == "array" else {})
            items = [{"object": "property_item", "id": found.id, **item} for item in items]
        else:
            items = [
                {"object": "property_item", "id": found.id, "type": found.type, found.type: item} for item in value
            ]
        return self._list(items, query, "property_item", property_item=about)

    # ----------------------------------------------------------------------------------------------------- lists

    def _list(self, items: Sequence[Json], query: Mapping[str, str], kind: str = "block", **more: Any) -> Answer:
        if unknown := set(query) - {"page_size", "start_cursor"}:
            raise self._mistake("validation_error", f"query failed validation: {sorted(unknown)} not expected.")
        size = self._page_size(query.get("page_size", LARGEST_PAGE))
        start = self._position(query["start_cursor"]) if "start_cursor" in query else 0
        page = items[start : start + size]
        end = start + len(page)
        return self._list_answer(page, end if end < len(items) else None, kind, **more)

    def _query(self, source: DataSource, request: Request) -> Answer:
        body: Json = request.body
        known = {"filter", "sorts", "start_cursor", "page_size", "archived", "in_trash", "result_type"}
        if not isinstance(body, dict) or set(body) - known:
            raise self._mistake("validation_error", "body failed validation: a field is not expected.")
        if set(request.query) - {"filter_properties"}:
            raise self._mistake("validation_error", "query failed validation.")
        size = self._page_size(body.get("page_size", LARGEST_PAGE))
        order, *others = body.get("sorts") or [{"timestamp": "created_time", "direction": "descending"}]
        if (
            others
            or order.get("timestamp") not in TIMESTAMPS
            or order.get("direction") not in ("ascending", "descending")
        ):
            raise self._mistake("validation_error", "body.sorts failed validation.")
        name, descending = order["timestamp"], order["direction"] == "descending"
        matches = self._filter(body.get("filter"))
        rows = sorted(
            (page for page in self.rows(source) if matches(page)),
            key=lambda page: self._key(page, name),
            reverse=descending,
        )
        given, behind = self._position(body["start_cursor"]) if "start_cursor" in body else (0, None)
        if behind:
            rows = [page for page in rows if self._key(page, name) != behind]
            rows = [page for page in rows if (self._key(page, name) < behind) == descending]
        if self.pages_are_short:
            size = self._choice.randint(0, size)
        size = min(size, self.row_limit - given)
        page, rest = rows[:size], rows[size:]
        given += len(page)
        is_cut = bool(rest) and given >= self.row_limit
        last = self._key(page[-1], name) if page else behind
        position = (given, last) if rest and not is_cut else None
        status: Json = {"type": "complete"}
        if is_cut:
            status = {"type": "incomplete", "incomplete_reason": "query_result_limit_reached"}
        only = request.query.get("filter_properties", "")
        results = [self._page(row, only) for row in page]
        if position is None:
            results += source.others
        return self._list_answer(results, position, "page_or_data_source", request_status=status)

    def _filter(self, wanted: Json | None) -> Callable[[Page], bool]:
        if wanted is None:
            return lambda page: True
        if set(wanted) == {"and"} and isinstance(wanted["and"], list):
            parts = [self._filter(part) for part in wanted["and"]]
            return lambda page: all(matches(page) for matches in parts)
        name = wanted.get("timestamp")
        if name not in TIMESTAMPS or set(wanted) != {"timestamp", name} or len(wanted[name]) != 1:
            raise self._mistake("validation_error", "body.filter failed validation.")
        ((comparison, text),) = wanted[name].items()
        try:
            bound = datetime.fromisoformat(text)
            compare = COMPARISONS[comparison]
        except (ValueError, KeyError, TypeError):
            raise self._mistake("validation_error", "body.filter failed validation.") from None
        bound = bound if bound.tzinfo else bound.replace(tzinfo=UTC)
        return lambda page: compare(self._time(page, name), bound)

    def _time(self, page: Page, name: str) -> datetime:
        """Return one of a row's times as Notion tells and compares it: to the minute."""
        moment = (page.created if name == "created_time" else page.edited) + self.rounding
        return moment.replace(second=0, microsecond=0)

    def _key(self, page: Page, name: str) -> tuple[datetime, str]:
        """Return what rows are sorted by: one of their times, then their id."""
        return self._time(page, name), page.id

    def _page_size(self, wanted: Any) -> int:
        size = int(wanted) if str(wanted).isdecimal() else 0
        if not 1 <= size <= LARGEST_PAGE:
            raise self._mistake("validation_error", "page_size failed validation: should be from 1 to 100.")
        return size

    def _position(self, cursor: str) -> Any:
        if cursor not in self._cursors:
            raise self._mistake("validation_error", "The start_cursor provided is invalid.")
        return self._cursors[cursor]

    def _list_answer(self, results: Sequence[Json], position: Any, kind: str, **more: Any) -> Answer:
        cursor = None
        if position is not None:
            cursor = self._new_id()
            self._cursors[cursor] = position
        answer = {"object": "list", "results": results, "next_cursor": cursor, "has_more": cursor is not None}
        return json_answer(answer | {"type": kind, kind: {}, "request_id": self._new_id()} | more)


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
