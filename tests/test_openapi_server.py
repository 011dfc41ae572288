"""The stand-in for any API with an OpenAPI document: it refuses what that forbids, and answers what it promises."""

from collections.abc import Mapping
from typing import Any

import pytest
import requests

from tests.servers.openapi import Json, Operation, Specification
from tests.servers.openapi_answers import (
    BARE,
    DEEPEST,
    EMPTY_LISTS,
    EVERYTHING,
    NEWER,
    NULLS,
    AnswerMaker,
    Shape,
    properties_of,
)
from tests.servers.openapi_server import OpenApiServer
from wherescape.errors import SandboxError
from wherescape.testing.api_server import json_answer

DOCUMENT: Json = {
    "openapi": "3.0.3",
    "servers": [{"url": "https://books.example.com/api"}],
    "security": [{"token": []}, {"bearer": []}, {}],
    "paths": {
        "/shelves/{shelf}/books": {
            "parameters": [{"name": "shelf", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {
                "parameters": [
                    {"name": "since", "in": "query", "schema": {"type": "string", "format": "date-time"}},
                    {"name": "per_page", "in": "query", "schema": {"type": "integer", "maximum": 100}},
                    {"name": "sort", "in": "query", "schema": {"type": "string", "enum": ["asc", "desc"]}},
                    {"name": "lent", "in": "query", "schema": {"type": "boolean"}},
                    {"name": "price", "in": "query", "schema": {"type": "number"}},
                    {
                        "name": "ids",
                        "in": "query",
                        "explode": False,
                        "schema": {"type": "array", "items": {"type": "integer"}},
                    },
                    {"$ref": "#/components/parameters/version"},
                ],
                "responses": {
                    "200": {
                        "headers": {"X-Total": {"example": 2}},
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Book"}}
                            }
                        },
                    },
                    "401": {"content": {"application/json": {"example": {"message": "401 Unauthorized"}}}},
                    "429": {
                        "headers": {"Retry-After": {"example": 30}},
                        "content": {"text/plain": {"example": "Retry later"}},
                    },
                    "500": {},
                },
            },
        },
        "/shelves/{shelf}/{anything}": {"get": {"responses": {"200": {}}}},
        "/search": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Query"}}},
                },
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {"examples": {"more": {"value": {"next": "x"}}, "last": {"value": {}}}}
                        }
                    }
                },
            }
        },
    },
    "components": {
        "parameters": {"version": {"name": "Version", "in": "header", "required": True, "schema": {"type": "string"}}},
        "securitySchemes": {
            "token": {"type": "apiKey", "in": "header", "name": "X-Token"},
            "bearer": {"type": "http", "scheme": "bearer"},
        },
        "schemas": {
            "Query": {
                "type": "object",
                "required": ["words"],
                "additionalProperties": False,
                "properties": {
                    "words": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
                    "after": {"type": "string", "nullable": True},
                },
            },
            "Book": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "integer", "format": "int64"},
                    "title": {"type": "string", "maxLength": 5},
                    "state": {"enum": ["lent", "there"]},
                    "lent_at": {"type": "string", "format": "date-time", "nullable": True},
                    "author": {"allOf": [{"$ref": "#/components/schemas/Person"}], "nullable": True},
                    "pages": {"type": "integer", "minimum": 1, "maximum": 9},
                    "price": {"type": "number"},
                    "labels": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
                    "sequel": {"$ref": "#/components/schemas/Book"},
                    "names": {"type": "object", "additionalProperties": {"type": "string"}},
                    "key": {"type": "string", "format": "uuid"},
                    "page": {"type": "string", "format": "uri"},
                },
            },
            "Person": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
    },
}
BOOKS = "/shelves/7/books"
SHAPES = (EVERYTHING, NULLS, EMPTY_LISTS, BARE, Shape(0.5, 0.5, (0, 3), seed=1), Shape(0.5, 0.5, (0, 3), seed=2))


@pytest.fixture
def specification() -> Specification:
    return Specification(DOCUMENT)


@pytest.fixture
def server(specification: Specification) -> OpenApiServer:
    maker = AnswerMaker(specification, EVERYTHING)
    return OpenApiServer(
        specification,
        lambda operation, request, before: maker.make(operation.schema, before * 10_000),
        lambda request, before, body: {"X-Total": str(len(body))} if before else {},
        {"GET /readers/{reader}": lambda request: json_answer({"path": request.path})},
    )


def books_of(specification: Specification) -> Operation:
    """Return the operation that lists the books of a shelf."""
    found = specification.find("GET", BOOKS)
    assert found is not None
    return found


def ask(
    server: OpenApiServer,
    path: str = BOOKS,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    method: str = "",
) -> requests.Response:
    headers = {"X-Token": "secret", "Version": "1", **(headers or {})}
    method = method or ("GET" if body is None else "POST")
    return requests.request(method, f"{server.url}/api{path}", params=query, headers=headers, json=body, timeout=30)


@pytest.mark.parametrize(
    ("query", "mistake"),
    [
        ({"colour": "red"}, "the query has no parameter colour"),
        ({"since": "2026-01-05T10:00:00"}, "query since: $ '2026-01-05T10:00:00' is not a 'date-time'"),
        ({"since": "yesterday"}, "is not a 'date-time'"),
        ({"per_page": "101"}, "query per_page: $ 101 is greater than the maximum of 100"),
        ({"per_page": "many"}, "'many' is not of type 'integer'"),
        ({"sort": "up"}, "'up' is not one of ['asc', 'desc']"),
        ({"lent": "yes"}, "'yes' is not of type 'boolean'"),
        ({"ids": "1,two"}, "query ids: $[1] 'two' is not of type 'integer'"),
    ],
)
def test_a_query_that_the_document_forbids_is_a_mistake(
    server: OpenApiServer, query: dict[str, str], mistake: str
) -> None:
    with server:
        assert ask(server, query=query).status_code == 400
        assert mistake in server.mistakes.pop()


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"since": "2026-01-05T10:00:00Z", "per_page": "100", "sort": "asc", "lent": "true", "price": "1.5"},
        {"since": "2026-01-05T10:00:00.123+02:00", "ids": "1,2,3"},
    ],
)
def test_a_request_that_the_document_allows_is_answered(server: OpenApiServer, query: dict[str, str]) -> None:
    with server:
        answer = ask(server, query=query)
    assert (answer.status_code, len(answer.json()), answer.headers["X-Total"]) == (200, 2, "2")


@pytest.mark.parametrize(
    ("request_", "mistake"),
    [
        ({"path": "/shelves/top/books"}, "path shelf: $ 'top' is not of type 'integer'"),
        ({"path": "/nothing"}, "GET /nothing is not in the specification"),
        ({"method": "DELETE"}, f"DELETE {BOOKS} is not in the specification"),
        ({"headers": {"Version": ""}, "path": "/search", "method": "POST"}, "it has no body"),
        ({"headers": {"X-Token": ""}}, "no login"),
        ({"headers": {"X-Token": "", "Authorization": "Basic c2VjcmV0"}}, "no login"),
        ({"method": "GET", "body": {}}, "it takes no body"),
        ({"path": "/search", "body": {}}, "body: $ 'words' is a required property"),
        ({"path": "/search", "body": {"words": ["a", 1]}}, "body: $.words[1] 1 is not of type 'string'"),
        ({"path": "/search", "body": {"words": [], "after": 1}}, "body: $.after 1 is not"),
        ({"path": "/search", "body": {"words": [], "before": ""}}, "('before' was unexpected)"),
        (
            {"path": "/search", "body": {"words": []}, "headers": {"Content-Type": "text/json"}},
            "the body's Content-Type is text/json",
        ),
    ],
)
def test_a_request_that_the_document_forbids_is_a_mistake(
    server: OpenApiServer, request_: dict[str, Any], mistake: str
) -> None:
    with server:
        assert ask(server, **request_).status_code in (400, 404)
        assert mistake in server.mistakes.pop()


def test_a_header_that_is_missing_is_a_mistake(server: OpenApiServer) -> None:
    with server:
        requests.get(f"{server.url}/api{BOOKS}", headers={"X-Token": "secret"}, timeout=30)
        assert server.mistakes.pop().endswith("the header lacks Version")


def test_a_mistake_that_the_client_passes_over_is_found(server: OpenApiServer) -> None:
    with pytest.raises(SandboxError, match="the query has no parameter colour"), server:
        ask(server, query={"colour": "red"})


def test_any_login_of_the_document_will_do(server: OpenApiServer) -> None:
    with server:
        assert ask(server, headers={"X-Token": "", "Authorization": "Bearer secret"}).ok


def test_a_body_that_the_document_allows_is_answered(server: OpenApiServer) -> None:
    with server:
        assert ask(server, "/search", body={"words": ["a", "b"], "after": None}).ok
        assert [str(operation) for operation in server.asked] == ["POST /search"]


def test_the_next_answer_of_a_path_is_another_one(server: OpenApiServer) -> None:
    with server:
        first, second = (ask(server).json() for _ in range(2))
    assert {book["id"] for book in first}.isdisjoint({book["id"] for book in second})
    assert max(book["lent_at"] for book in first) < min(book["lent_at"] for book in second)


def test_a_path_beside_the_document_is_answered_as_said(server: OpenApiServer) -> None:
    with server:
        assert ask(server, "/readers/8").json() == {"path": "/readers/8"}
        assert server.asked_beside == ["GET /readers/{reader}"]


def test_the_path_with_the_fewest_parameters_goes_first(specification: Specification) -> None:
    assert books_of(specification).path == "/shelves/{shelf}/books"


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (401, '{"message": "401 Unauthorized"}', {}),
        (429, "Retry later", {"Retry-After": "30", "Content-Type": "text/plain"}),
        (500, "", {}),
    ],
)
def test_an_error_is_that_of_the_document(
    specification: Specification, status: int, body: str, headers: dict[str, str]
) -> None:
    operation = books_of(specification)
    assert operation.error_statuses == [401, 429, 500]
    answer = operation.error(status)
    assert (answer.status, answer.body, dict(answer.headers)) == (status, body, headers)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer_fits_its_schema(specification: Specification, shape: Shape) -> None:
    schema = books_of(specification).schema
    answer = AnswerMaker(specification, shape).make(schema)
    assert len(answer) == 2
    assert [*specification.problems(answer, schema)] == []


def make_books(specification: Specification, shape: Shape, **arguments: Any) -> list[Json]:
    books = AnswerMaker(specification, shape).make(books_of(specification).schema, **arguments)
    assert isinstance(books, list)
    return books


def test_the_shapes_are_what_they_say(specification: Specification) -> None:
    names = set(DOCUMENT["components"]["schemas"]["Book"]["properties"])
    everything, nulls, empty, bare, newer = (
        make_books(specification, shape)[0] for shape in (EVERYTHING, NULLS, EMPTY_LISTS, BARE, NEWER)
    )
    assert everything.keys() == nulls.keys() == empty.keys() == names
    assert None not in everything.values()
    assert {name for name, value in nulls.items() if value is None} == {"lent_at", "author"}
    assert (len(everything["labels"]), empty["labels"]) == (2, [])
    assert bare.keys() == {"id"}
    assert newer.keys() - names == {"added_later"}


def test_what_may_be_missing_may_be_null_if_the_document_does_not_tell() -> None:
    book = make_books(Specification(DOCUMENT, nullable=True), NULLS)[0]
    assert {name for name, value in book.items() if value is not None} == {"id"}


def test_what_is_always_there_is_required() -> None:
    specification = Specification(DOCUMENT, always={"Book": ("title",)})
    assert make_books(specification, BARE)[0].keys() == {"id", "title"}
    assert "title" not in DOCUMENT["components"]["schemas"]["Book"]["required"]


def test_a_schema_that_holds_itself_ends(specification: Specification) -> None:
    depth, book = 0, make_books(specification, EVERYTHING)[0]
    while book := book.get("sequel"):
        depth += 1
    assert 0 < depth <= DEEPEST


def test_a_property_that_is_left_out_changes_no_other(specification: Specification) -> None:
    complete = make_books(specification, EVERYTHING)
    lacking = make_books(specification, EVERYTHING, leave_out=("author", "name"))
    assert [book.pop("author") for book in lacking] == [{}, {}]
    assert all(book.pop("author")["name"] for book in complete)
    assert lacking == complete


def test_the_properties_of_a_schema_are_found_at_any_depth(specification: Specification) -> None:
    schema = books_of(specification).schema
    names = list(DOCUMENT["components"]["schemas"]["Book"]["properties"])
    assert [*properties_of(specification, schema)] == [(name,) for name in names]
    assert [*properties_of(specification, schema, ("author",))] == [("author", "name")]
    assert [*properties_of(specification, schema, ("sequel", "author"))] == [("sequel", "author", "name")]
    assert [*properties_of(specification, schema, ("title",))] == []


def test_texts_look_as_they_are_told_to(specification: Specification) -> None:
    texts = {"title": lambda number: f"T{number}", "date-time": lambda number: f"at {number}"}
    schema = books_of(specification).schema
    book = AnswerMaker(specification, EVERYTHING, texts).make(schema)[0]
    assert (book["title"][0], book["lent_at"][:3]) == ("T", "at ")
