"""A small API to try a new connector on: the stock of a shop, with a key in a header, offset paging and epochs."""

import time

from wherescape.epoch import from_epoch
from wherescape.paging import Offset
from wherescape.testing.list_server import ListServer

PORT = 8765
HEADER = "X-Api-Key"
APIKEY = "example-key"
PER_SECOND = 1_000
FIRST_CHANGE = 1_767_607_200_000  # 2026-01-05T10:00Z
AN_HOUR = 3_600 * PER_SECOND
ITEMS = 25


class ExampleApi(ListServer):
    """`GET /items`, ten items a page at most."""

    def __init__(self) -> None:
        super().__init__(
            "items",
            Offset("items", total="total"),
            login={HEADER: APIKEY},
            since="updated_since",
            changed=lambda record: from_epoch(record["updated"], PER_SECOND),
            moment=lambda text: from_epoch(int(text), PER_SECOND),
        )
        self.most = 10
        self._changes = 0
        for number in range(1, ITEMS + 1):
            self._put(number, FIRST_CHANGE + number * AN_HOUR, stock=number % 7)

    def change(self) -> str:
        """Change one item now, a further one each time, and return its name."""
        number = self._changes % ITEMS + 1
        self._changes += 1
        self._put(number, time.time_ns() // 1_000_000, stock=100 + self._changes)
        return f"Item {number}"

    def _put(self, number: int, updated: int, *, stock: int) -> None:
        self.put(
            {
                "id": number,
                "name": f"Item {number}",
                "price": number + number % 4 * 0.25,
                "stock": {"amount": stock, "place": "Utrecht" if number % 3 else None},
                "tags": [{"name": "new"}, {"name": "sale"}][: number % 3],
                "updated": updated,
            }
        )
