import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from wherescape.api_client import ApiClient
from wherescape.errors import ApiAnswerInvalid, ApiError, ApiRefused
from wherescape.testing.api_server import Answer, ApiServer, Request, json_answer

Query = dict[str, Any]


class SearchServer(ApiServer):
    """Answers what a test's function returns for a query, or for a body that was sent by POST."""

    script: Callable[[Query], object]

    def answer(self, request: Request) -> Answer:
        return json_answer(self.script(asked(request)))


def asked(request: Request) -> Query:
    return dict(request.body if request.method == "POST" else request.query)


@pytest.fixture
def server() -> Iterator[SearchServer]:
    with SearchServer() as server:
        yield server


@pytest.fixture
def client(server: SearchServer) -> Iterator[ApiClient]:
    with ApiClient(server.url, max_retries=2, backoff_factor=0) as client:
        yield client


def page(number: int, **more: object) -> Query:
    return {"results": [{"id": number}], **more}


def test_a_document_can_be_asked_for_by_post(server: SearchServer, client: ApiClient) -> None:
    server.script = lambda query: {"asked": query}
    assert client.post_json("search", {"filter": ["a", None]}).body == {"asked": {"filter": ["a", None]}}
    assert server.requests[0].method == "POST"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_a_search_by_post_is_retried(server: SearchServer, client: ApiClient, status: int) -> None:
    server.fail_next(Answer(status), times=2)
    server.script = lambda query: query
    assert client.post_json("search", {"page": 1}).body == {"page": 1}
    assert [(request.method, request.body) for request in server.requests] == [("POST", {"page": 1})] * 3


def test_what_was_sent_is_in_no_error(server: SearchServer, client: ApiClient) -> None:
    server.fail_next(Answer(400))
    with pytest.raises(ApiRefused) as raised:
        client.post_json("search", {"email": "ann@example.com"})
    assert str(raised.value) == f"{server.url}/search answered 400."


@pytest.mark.parametrize("by_post", [False, True], ids=["GET", "POST"])
@pytest.mark.parametrize("last", [{}, {"next": None}], ids=["missing", "null"])
def test_tokens_are_followed_to_the_end(
    server: SearchServer, client: ApiClient, by_post: bool, last: dict[str, None]
) -> None:
    tokens = {None: "t2", "t2": "t3"}

    def answer(query: Query) -> Query:
        following = tokens.get(query.get("cursor"))
        return {"results": [{"token": query.get("cursor")}], **({"next": following} if following else last)}

    server.script = answer
    pages = client.follow_cursor(
        "search", {"size": "2"}, records="results", token="next", sent_as="cursor", by_post=by_post
    )
    assert list(pages) == [[{"token": None}], [{"token": "t2"}], [{"token": "t3"}]]
    method = "POST" if by_post else "GET"
    assert [(request.method, asked(request)) for request in server.requests] == [
        (method, {"size": "2"}),
        (method, {"size": "2", "cursor": "t2"}),
        (method, {"size": "2", "cursor": "t3"}),
    ]


@pytest.mark.parametrize(
    ("first", "second", "arguments"),
    [
        (
            page(1, paging={"next": {"after": "20"}}),
            page(2),
            {"records": "results", "token": "paging.next.after", "sent_as": "after"},
        ),
        (
            page(1, next_cursor="x", has_more=True),
            page(2, next_cursor="stale", has_more=False),
            {"records": "results", "token": "next_cursor", "sent_as": "start_cursor", "more_flag": "has_more"},
        ),
        (
            {"data": {"issues": [{"id": 1}]}, "nextPageToken": 7, "isLast": False},
            {"data": {"issues": [{"id": 2}]}, "nextPageToken": 8, "isLast": True},
            {"records": "data.issues", "token": "nextPageToken", "last_flag": "isLast"},
        ),
    ],
    ids=["nested token", "flag for more", "flag for the last"],
)
def test_each_api_says_in_its_own_way_what_the_end_is(
    server: SearchServer, client: ApiClient, first: Query, second: Query, arguments: dict[str, str]
) -> None:
    token_name = arguments.get("sent_as", arguments["token"])
    server.script = lambda query: second if token_name in query else first
    assert list(client.follow_cursor("search", **arguments)) == [[{"id": 1}], [{"id": 2}]]  # type: ignore[arg-type]


def test_short_and_empty_pages_are_no_end(server: SearchServer, client: ApiClient) -> None:
    server.script = lambda query: (
        {"results": [{"id": 1}] if query.get("next") == "15" else [], "next": int(query.get("next", 0)) + 1}
        if query.get("next") != "16"
        else {"results": []}
    )
    pages = client.follow_cursor("search", records="results", token="next")
    assert [record for page in pages for record in page] == [{"id": 1}]


def test_empty_pages_without_end_are_an_error(server: SearchServer, client: ApiClient) -> None:
    server.script = lambda query: {"results": [], "next": int(query.get("next", 0)) + 1}
    with pytest.raises(ApiAnswerInvalid, match="20 empty pages in a row"):
        list(client.follow_cursor("search", records="results", token="next"))
    assert len(server.requests) == 20


@pytest.mark.parametrize("cycle", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_a_token_that_comes_again_is_an_error(server: SearchServer, client: ApiClient, cycle: list[str]) -> None:
    tokens = itertools.cycle(cycle)
    server.script = lambda query: page(1, next=next(tokens))
    with pytest.raises(ApiAnswerInvalid, match="already read"):
        list(client.follow_cursor("search", records="results", token="next"))
    assert len(server.requests) == len(cycle) + 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"next": "x"}, "no list of records: JSON of another kind (NoneType)"),
        ({"results": None}, "another kind (NoneType)"),
        ({"results": {"id": 1}}, "another kind (dict)"),
        ({"results": [1]}, "another kind (list)"),
        ([{"id": 1}], "results is not to be found in JSON of another kind (list)"),
        ("ok", "another kind (str)"),
        ({"status": "error", "message": "Search is down"}, "Search is down"),
        ({"results": [], "error": "Index is stale"}, "with an error: Index is stale"),
        ({"results": [{"id": 1}], "errors": [{"title": "Shard 2 failed"}]}, "Shard 2 failed"),
        ({"results": [], "errorMessages": ["JQL is invalid"]}, "JQL is invalid"),
        (page(1, next=True), "no token"),
        (page(1, next={"after": 1}), "no token"),
        (page(1, more=True), "promises another page, but without a next"),
        (page(1, last=False), "promises another page, but without a next"),
        (page(1, more="no"), "gave a more that is neither true nor false"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_an_error(
    server: SearchServer, client: ApiClient, body: object, said: str
) -> None:
    server.script = lambda query: body
    with pytest.raises(ApiAnswerInvalid) as raised:
        list(client.follow_cursor("search", records="results", token="next", more_flag="more", last_flag="last"))
    assert said in str(raised.value)
    assert f"{server.url}/search" in str(raised.value)


@pytest.mark.parametrize("empty", [{"error": None}, {"errors": []}, {"errors": {}, "errorMessages": []}])
def test_a_field_for_errors_that_holds_none_is_no_error(server: SearchServer, client: ApiClient, empty: Query) -> None:
    server.script = lambda query: page(1, **empty)
    assert list(client.follow_cursor("search", records="results", token="next")) == [[{"id": 1}]]


def test_a_failure_half_way_is_no_end(server: SearchServer, client: ApiClient) -> None:
    server.script = lambda query: page(1, next="x")
    server.fail_next(Answer(404), after=1)
    pages = client.follow_cursor("search", records="results", token="next")
    assert next(pages) == [{"id": 1}]
    with pytest.raises(ApiError, match="answered 404"):
        next(pages)


@pytest.mark.parametrize(
    ("totals", "expected"), [((5, 7), 7), ((5, None), 5), ((5, "many"), 5), ((7, 5), 7), ((0, 0), 0)]
)
def test_the_largest_total_of_a_page_is_expected(
    server: SearchServer, client: ApiClient, totals: tuple[object, object], expected: int | None
) -> None:
    first, second = page(1, next="x", total=totals[0]), page(2, total=totals[1])
    server.script = lambda query: second if query else first
    pages = client.follow_cursor("search", records="results", token="next", total="total")
    next(pages)
    assert client.extraction.expected_rows is None
    next(pages)
    assert next(pages, None) is None
    assert client.extraction.expected_rows == expected


def test_an_empty_token_is_the_end(server: SearchServer, client: ApiClient) -> None:
    server.script = lambda query: page(1, next="")
    assert list(client.follow_cursor("search", records="results", token="next")) == [[{"id": 1}]]
