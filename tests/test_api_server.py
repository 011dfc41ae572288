"""What every fake server does, whatever it serves."""

import pytest

from wherescape.api_client import ApiClient
from wherescape.errors import ApiRefused, ApiUnavailable, SandboxError
from wherescape.testing import Answer, ApiServer, Request, json_answer


class EchoServer(ApiServer):
    """Answers with the query that it got; a query without a number makes it fail."""

    prefix = "/api"

    def answer(self, request: Request) -> Answer:
        if "forbidden" in request.query:
            raise self.mistake("forbidden is no parameter", json_answer({}, 400))
        return json_answer([int(request.query["n"])])


def test_a_breach_of_the_contract_fails_the_test_although_the_client_passes_over_it() -> None:
    with (
        pytest.raises(SandboxError, match="forbidden is no parameter"),
        EchoServer() as server,
        pytest.raises(ApiRefused, match="answered 400"),
        ApiClient(f"{server.url}/api") as client,
    ):
        client.get_json("things", {"forbidden": 1})


def test_an_error_of_the_test_itself_is_what_is_told() -> None:
    with pytest.raises(ZeroDivisionError), EchoServer() as server:
        server.mistakes.append("another")
        raise ZeroDivisionError


def test_a_fault_of_the_server_does_not_look_like_one_of_the_network() -> None:
    with (
        pytest.raises(SandboxError, match="GET /things made the server fail: KeyError"),
        EchoServer() as server,
        pytest.raises(ApiUnavailable),
        ApiClient(f"{server.url}/api", max_retries=0) as client,
    ):
        client.get_json("things")


def test_a_change_is_made_once_after_the_chosen_answer() -> None:
    changes: list[int] = []
    with EchoServer() as server, ApiClient(f"{server.url}/api") as client:
        server.after_answer(lambda: changes.append(len(server.requests)), path="things", after=1)
        for number in range(4):
            client.get_json("things" if number else "others", {"n": number})
    assert changes == [3]
