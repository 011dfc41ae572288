"""Lists that are paged in any way are read whole, each record once, although they change meanwhile."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from wherescape.api_client import ApiClient
from wherescape.errors import ApiAnswerInvalid, ApiRefused
from wherescape.paging import Cursor, Links, Offset, PageNumber, Paging, Whole
from wherescape.testing.api_server import Answer, FunctionServer, Request, json_answer

NUMBERS = [*range(1, 8)]
SIZE = 3


class ListServer(FunctionServer):
    """A list of numbered items, paged in every way at once."""

    def __init__(self) -> None:
        super().__init__(self._page)
        self.numbers = list(NUMBERS)
        self.most = 100
        self.tells_end = False

    def _page(self, request: Request) -> Any:
        query = request.query
        size = min(int(query.get("limit", 100)), self.most)
        start = int(query.get("offset", 0))
        if "page" in query:
            start = (int(query["page"]) - 1) * size
        if "after" in query:
            start = sum(number <= int(query["after"]) for number in self.numbers)
        page = [{"id": number} for number in self.numbers[start : start + size]]
        has_more = start + size < len(self.numbers)
        if request.path == "/plain":
            link = f'<{self.url}/plain?limit={size}&offset={start + size}>; rel="next"'
            return json_answer(page, headers={"Link": link} if has_more else {})
        body = {"data": {"items": page}, "total": len(self.numbers)}
        following = page[-1]["id"] if page and has_more else None
        return body | {"next": following} | ({"last": not has_more} if self.tells_end else {})


@pytest.fixture
def server() -> Iterator[ListServer]:
    with ListServer() as server:
        yield server


@pytest.fixture
def client(server: ListServer) -> Iterator[ApiClient]:
    with ApiClient(server.url, max_retries=0) as client:
        yield client


OFFSET = Offset("data.items", size=SIZE, total="total")
PAGE_NUMBER = PageNumber("data.items", size_as="limit", size=SIZE, total="total")
ONE_BY_ONE: dict[str, Offset | PageNumber] = {"offset": OFFSET, "page number": PAGE_NUMBER}
MOVING: dict[str, Offset | PageNumber] = {
    **ONE_BY_ONE,
    "offset, with a flag": replace(OFFSET, last_flag="last"),
    "page number, with a flag": replace(PAGE_NUMBER, last_flag="last"),
}
EVERY: dict[str, Paging] = {
    **MOVING,
    "cursor": Cursor("data.items", "next", sent_as="after", size_as="limit", size=SIZE, total="total"),
    "whole": Whole("data.items", total="total"),
    "links": Links(size_as="limit", size=SIZE),
}


def read(client: ApiClient, paging: Paging) -> list[int]:
    path = "plain" if isinstance(paging, Links) else "list"
    return [record["id"] for page in paging.pages(client, path, {"colour": "red"}) for record in page]


@pytest.mark.parametrize("count", [0, 1, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE, 7])
@pytest.mark.parametrize("paging", EVERY)
def test_every_record_comes_once(server: ListServer, client: ApiClient, paging: str, count: int) -> None:
    server.numbers = NUMBERS[:count]
    server.tells_end = "flag" in paging
    assert read(client, EVERY[paging]) == NUMBERS[:count]
    assert client.extraction.incomplete == []
    assert all(request.query["colour"] == "red" for request in server.requests if request.path == "/list")


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize("paging", MOVING)
def test_a_short_page_is_no_end(server: ListServer, client: ApiClient, paging: str, most: int) -> None:
    server.tells_end, server.most = "flag" in paging, most
    assert read(client, MOVING[paging]) == NUMBERS


@pytest.mark.parametrize(
    "change",
    [
        lambda numbers: numbers.remove(1),
        lambda numbers: numbers.remove(SIZE),
        lambda numbers: numbers.remove(7),
        lambda numbers: numbers.insert(0, 99),
        lambda numbers: numbers.append(99),
        lambda numbers: numbers.append(numbers.pop(0)),
        lambda numbers: numbers.insert(0, numbers.pop()),
        lambda numbers: numbers.__delitem__(slice(0, SIZE)),
    ],
    ids=[
        "first goes",
        "third goes",
        "last goes",
        "comes first",
        "comes last",
        "to the end",
        "to the front",
        "many go",
    ],
)
@pytest.mark.parametrize("paging", MOVING)
def test_a_list_that_changes_hides_no_record(
    client: ApiClient, server: ListServer, paging: str, change: Callable[[list[int]], object]
) -> None:
    server.tells_end = "flag" in paging
    read(client, MOVING[paging])
    for position in range(len(server.requests)):
        server.numbers = list(NUMBERS)
        server.after_answer(lambda: change(server.numbers), after=position)
        found = read(client, MOVING[paging])
        server.mend()
        assert len(found) == len({*found})
        assert {*NUMBERS} & {*server.numbers} <= {*found}, f"after request {position + 1}"


@pytest.mark.parametrize("paging", ONE_BY_ONE)
def test_a_page_that_comes_again_and_again_is_found_out(server: ListServer, client: ApiClient, paging: str) -> None:
    first: dict[str, Answer] = {}
    server.rewrite = lambda request, answer: first.setdefault(request.path, answer)
    with pytest.raises(ApiAnswerInvalid, match="The list list changed each time that it was read, 10 times"):
        read(client, ONE_BY_ONE[paging])


@pytest.mark.parametrize("paging", ONE_BY_ONE)
def test_a_list_that_never_stands_still_is_an_error(server: ListServer, client: ApiClient, paging: str) -> None:
    def shifted(request: Request, answer: Answer) -> Answer:
        server.numbers.insert(0, 100 + len(server.requests))
        return answer

    server.rewrite = shifted
    with pytest.raises(ApiAnswerInvalid, match="The list list changed each time that it was read, 10 times"):
        read(client, ONE_BY_ONE[paging])


@pytest.mark.parametrize("paging", ONE_BY_ONE)
def test_an_empty_page_that_promises_more_is_an_error(server: ListServer, client: ApiClient, paging: str) -> None:
    server.rewrite = lambda request, answer: json_answer({"data": {"items": []}, "last": False})
    with pytest.raises(ApiAnswerInvalid, match="empty.*but promises more"):
        read(client, replace(ONE_BY_ONE[paging], last_flag="last"))


@pytest.mark.parametrize("paging", ONE_BY_ONE)
def test_a_total_that_is_not_reached_is_noted(server: ListServer, client: ApiClient, paging: str) -> None:
    server.rewrite = lambda request, answer: Answer(200, answer.body.replace('"total": 7', '"total": 9'))
    assert read(client, ONE_BY_ONE[paging]) == NUMBERS
    assert client.extraction.missing(7, allow_skipped=False) == "7 of 9 rows came from list"


@pytest.mark.parametrize("paging", ONE_BY_ONE)
def test_a_record_without_its_key_is_an_error(client: ApiClient, paging: str) -> None:
    with pytest.raises(ApiAnswerInvalid, match="list gave a record whose code is missing"):
        read(client, replace(ONE_BY_ONE[paging], key="code"))


@pytest.mark.parametrize("paging", EVERY)
def test_an_error_is_no_end(server: ListServer, client: ApiClient, paging: str) -> None:
    read(client, EVERY[paging])
    for position in range(len(server.requests)):
        server.fail_next(Answer(403, "{}"), after=position)
        with pytest.raises(ApiRefused):
            read(client, EVERY[paging])
        server.mend()
