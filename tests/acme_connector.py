"""A small connector and its fake API, for the tests of the tests that connectors inherit; it can be made bad."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from wherescape import Column, Table, WhereScape
from wherescape.api_client import ApiClient
from wherescape.api_response import Record
from wherescape.errors import ApiError
from wherescape.load_task import LoadResult
from wherescape.testing.api_server import FunctionServer, Request, json_answer
from wherescape.testing.contract import START, ConnectorContract, Key

APIKEY = "acme-0123456789abcdef"
PAGE = 2
ITEMS = Table(
    kind="item",
    columns=(Column("id", "integer"), Column("name", "text"), Column("updated_at", "timestamp")),
    key=("id",),
    record_source="Acme api - items",
)


class AcmeServer(FunctionServer):
    """Items by their ids; a page names where the next one begins."""

    def __init__(self) -> None:
        super().__init__(self._items_after)
        self.items: dict[int, Record] = {}
        self.count = 0
        self.page = PAGE
        self.now = START

    def add(self) -> int:
        """Make an item."""
        self.count += 1
        self.change(self.count)
        return self.count

    def change(self, item: int) -> None:
        """Make an item new."""
        assert self.now
        self.items[item] = {"id": item, "name": "Lamp", "updated_at": self.now.isoformat()}

    def _items_after(self, request: Request) -> Any:
        if request.headers.get("X-Api-Key") != APIKEY:
            return json_answer({"message": "wrong key"}, 401)
        since = datetime.fromisoformat(request.query.get("since", "2000-01-01T00:00:00+00:00"))
        after = int(request.query.get("after", 0))
        rest = [item for item in sorted(self.items) if item > after]
        page = [item for item in rest[: self.page] if datetime.fromisoformat(self.items[item]["updated_at"]) >= since]
        following = rest[self.page - 1] if len(rest) > self.page else None
        return {"items": [self.items[item] for item in page], "next": following}


class AcmeContract(ConnectorContract[AcmeServer]):
    """What a connector of Acme inherits."""

    load_table = "load_acme_item"
    key = ("id",)
    not_tested = {"test_nothing_personal_is_left_anywhere": "It tells nothing about persons."}

    def start(self) -> AcmeServer:
        return AcmeServer()

    def connection(self, server: AcmeServer) -> dict[str, str]:
        return {"url": server.url, "apikey": APIKEY}

    def add(self, server: AcmeServer) -> Key:
        return (server.add(),)

    def change(self, server: AcmeServer, key: Key) -> None:
        server.change(key[0])

    def remove(self, server: AcmeServer, key: Key) -> None:
        del server.items[key[0]]

    def shorten_pages(self, server: AcmeServer) -> None:
        server.page = 1


def create_metadata(wherescape: WhereScape | None = None) -> None:
    """Register the columns."""
    (wherescape or WhereScape()).create_metadata(ITEMS)


def load_data(wherescape: WhereScape | None = None, *, max_retries: int = 6) -> LoadResult:
    """Load what is new, as it should be."""
    wherescape = wherescape or WhereScape()
    mark = wherescape.high_water_mark()
    with _client(wherescape, max_retries) as client:
        pages = client.follow_cursor("items", _since(mark.since), records="items", token="next", sent_as="after")
        records = (record for page in pages for record in page)
        return wherescape.load(ITEMS, records, extraction=client.extraction, mark=mark)


def load_data_swallowing_errors(wherescape: WhereScape | None = None, *, max_retries: int = 6) -> LoadResult:
    """Load what comes until something fails, and call that the end."""
    wherescape = wherescape or WhereScape()
    mark = wherescape.high_water_mark()

    def records(client: ApiClient) -> Iterator[Record]:
        pages = client.follow_cursor("items", _since(mark.since), records="items", token="next", sent_as="after")
        try:
            for page in pages:
                yield from page
        except ApiError:
            return

    with _client(wherescape, max_retries) as client:
        return wherescape.load(ITEMS, records(client), mark=mark)


def load_data_to_a_short_page(wherescape: WhereScape | None = None, *, max_retries: int = 6) -> LoadResult:
    """Load until a page is not full."""
    wherescape = wherescape or WhereScape()
    mark = wherescape.high_water_mark()

    def records(client: ApiClient) -> Iterator[Record]:
        query = _since(mark.since)
        while True:
            page = client.get_json("items", query).body["items"]
            yield from page
            if len(page) < PAGE:
                return
            query = {**query, "after": page[-1]["id"]}

    with _client(wherescape, max_retries) as client:
        return wherescape.load(ITEMS, records(client), extraction=client.extraction, mark=mark)


def load_data_remembering_ids(
    wherescape: WhereScape | None = None,
    *,
    max_retries: int = 6,
    seen: set[int] = set(),  # noqa: B006  the fault to be found
) -> LoadResult:
    """Load each item once in the life of the process."""
    wherescape = wherescape or WhereScape()
    mark = wherescape.high_water_mark()

    def records(client: ApiClient) -> Iterator[Record]:
        pages = client.follow_cursor("items", _since(mark.since), records="items", token="next", sent_as="after")
        for record in (record for page in pages for record in page):
            if record["id"] not in seen:
                seen.add(record["id"])
                yield record

    with _client(wherescape, max_retries) as client:
        return wherescape.load(ITEMS, records(client), extraction=client.extraction, mark=mark)


def load_data_moving_the_mark_first(wherescape: WhereScape | None = None, *, max_retries: int = 6) -> LoadResult:
    """Move the mark, and then load."""
    wherescape = wherescape or WhereScape()
    since = wherescape.high_water_mark().since
    wherescape.write_parameter("HWM_load_acme_item", datetime.now(UTC).isoformat())
    with _client(wherescape, max_retries) as client:
        pages = client.follow_cursor("items", _since(since), records="items", token="next", sent_as="after")
        return wherescape.load(ITEMS, (record for page in pages for record in page), extraction=client.extraction)


def _client(wherescape: WhereScape, max_retries: int) -> ApiClient:
    headers = {"X-Api-Key": wherescape.source_apikey}
    return ApiClient(wherescape.source_base_url, headers, max_retries=max_retries)


def _since(moment: datetime | None) -> dict[str, str | int]:
    return {"since": moment.isoformat()} if moment else {}
