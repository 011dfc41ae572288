"""Requests that change something: done once, done again, or of unknown outcome, and never a wrong one of the three."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from wherescape.api_client import ApiClient
from wherescape.errors import (
    ApiAnswerInvalid,
    ApiError,
    ApiOutcomeUnknown,
    ApiRateLimited,
    ApiRefused,
    ApiUnavailable,
)
from wherescape.testing.api_server import Answer, ApiServer, Request, json_answer


class KeepingServer(ApiServer):
    """Keeps what it is sent."""

    prefix = "/api"

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[str, str, Any]] = []

    def answer(self, request: Request) -> Answer:
        self.kept.append((request.method, request.path, request.body))
        return Answer(204) if request.method == "DELETE" else json_answer({"n": len(self.kept)}, 207)


@pytest.fixture
def server() -> Iterator[KeepingServer]:
    with KeepingServer() as server:
        yield server


@pytest.fixture
def client(server: KeepingServer) -> Iterator[ApiClient]:
    with ApiClient(f"{server.url}/api", max_retries=3, backoff_factor=0) as client:
        yield client


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("is_repeatable", [True, False])
def test_each_method_is_sent_once(server: KeepingServer, client: ApiClient, method: str, is_repeatable: bool) -> None:
    answer = client.send_json(method, "things/1", {"name": "x"}, is_repeatable=is_repeatable)
    assert server.kept == [(method, "/things/1", {"name": "x"})]
    assert (answer.status_code, answer.body) == ((204, None) if method == "DELETE" else (207, {"n": 1}))


@pytest.mark.parametrize(
    "fault", [Answer(0), Answer(500), Answer(503), Answer(429), Answer(200, '{"n": 1}', cut=True)]
)
def test_what_is_repeatable_is_repeated(server: KeepingServer, client: ApiClient, fault: Answer) -> None:
    server.fail_next(fault, times=2)
    assert client.send_json("PATCH", "things/1", {}).body == {"n": 1}


@pytest.mark.parametrize(
    "fault", [Answer(0), Answer(408), Answer(500), Answer(502), Answer(503), Answer(200, '{"n": 1}', cut=True)]
)
def test_what_is_not_repeatable_is_sent_once_and_its_outcome_is_unknown(
    server: KeepingServer, client: ApiClient, fault: Answer
) -> None:
    server.fail_next(fault)
    with pytest.raises(ApiOutcomeUnknown, match="is not known"):
        client.send_json("POST", "things", {"name": "x"}, is_repeatable=False)
    assert len(server.requests) == 1


def test_what_was_turned_away_is_sent_again(server: KeepingServer, client: ApiClient) -> None:
    server.fail_next(Answer(429), times=2)
    client.send_json("POST", "things", {"name": "x"}, is_repeatable=False)
    assert len(server.kept) == 1


def test_a_rate_limit_without_end_is_no_unknown_outcome(server: KeepingServer, client: ApiClient) -> None:
    server.fail_next(Answer(429), times=10)
    with pytest.raises(ApiRateLimited):
        client.send_json("POST", "things", is_repeatable=False)
    assert server.kept == []


def test_without_a_connection_nothing_was_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with (
        ApiClient(address, max_retries=1, backoff_factor=0) as client,
        pytest.raises(ApiUnavailable, match="could not be reached after 1 retries") as raised,
    ):
        client.send_json("POST", "things", is_repeatable=False)
    assert not isinstance(raised.value, ApiOutcomeUnknown)


@pytest.mark.parametrize("is_repeatable", [True, False])
def test_a_refusal_carries_what_the_answer_holds(
    server: KeepingServer, client: ApiClient, is_repeatable: bool
) -> None:
    server.fail_next(json_answer({"message": "no such field", "errors": [{"in": "name"}]}, 400))
    with pytest.raises(ApiRefused) as raised:
        client.send_json("POST", "things", is_repeatable=is_repeatable)
    assert raised.value.body == {"message": "no such field", "errors": [{"in": "name"}]}


@pytest.mark.parametrize(
    ("is_repeatable", "error"), [(True, ApiAnswerInvalid), (False, ApiOutcomeUnknown)], ids=["repeatable", "not"]
)
def test_an_answer_that_cannot_be_read_is_an_error(
    server: KeepingServer, client: ApiClient, is_repeatable: bool, error: type[ApiError]
) -> None:
    server.fail_next(Answer(200, "<html>", {"Content-Type": "text/html"}))
    with pytest.raises(error):
        client.send_json("POST", "things", is_repeatable=is_repeatable)
