import json
import logging
import threading
from collections.abc import Iterator, Mapping

import pytest

from tests.test_api_client import Query, ScriptedServer
from wherescape.api_client import ApiClient
from wherescape.api_response import Record
from wherescape.errors import ApiError, ApiRefused, ApiUnavailable
from wherescape.extraction import Skipped
from wherescape.testing.api_server import Answer

WORKERS = pytest.mark.parametrize("workers", [1, 4])


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[ApiClient]:
    with ApiClient(f"{server.url}/api/v4", max_retries=0, credential="the test's token") as client:
        yield client


def read(client: ApiClient, count: int, workers: int) -> Iterator[Record]:
    """Read the things of parents 1 to `count`."""
    return client.read_parents(
        ({"id": number} for number in range(1, count + 1)),
        lambda parent: (record for page in client.follow_links(f"{parent['id']}/things") for record in page),
        name=lambda parent: f"group/{parent['id']}",
        what="things",
        workers=workers,
    )


def serve(server: ScriptedServer, faults: Mapping[int, Answer]) -> None:
    def answer(path: str, query: Query) -> Answer:
        parent = int(path.split("/")[1])
        return faults.get(parent) or Answer(200, json.dumps([{"parent": parent}]))

    server.script = answer


def test_parents_are_read_at_the_same_time_and_come_in_order(server: ScriptedServer, client: ApiClient) -> None:
    all_there = threading.Barrier(4)

    def answer(path: str, query: Query) -> Answer:
        all_there.wait(30)
        return Answer(200, json.dumps([{"path": path}]))

    server.script = answer
    records = list(read(client, 8, workers=4))
    assert records == [{"path": f"/{number}/things"} for number in range(1, 9)]


@WORKERS
@pytest.mark.parametrize("status", [403, 404])
def test_parents_that_cannot_be_read_are_named_in_order(
    server: ScriptedServer, client: ApiClient, caplog: pytest.LogCaptureFixture, status: int, workers: int
) -> None:
    serve(server, {2: Answer(status, "{}"), 5: Answer(status, "{}")})
    assert [record["parent"] for record in read(client, 6, workers)] == [1, 3, 4, 6]
    reason = f"{status} for its things"
    assert client.extraction.skipped == [Skipped("group/2", reason), Skipped("group/5", reason)]
    assert [(record.levelno, record.message.partition(",")[0]) for record in caplog.records] == [
        (logging.WARNING, f"group/2 answered {status} for its things"),
        (logging.WARNING, f"group/5 answered {status} for its things"),
    ]
    assert "the test's token" in caplog.text


@WORKERS
@pytest.mark.parametrize(
    "answer",
    [Answer(401, "{}"), Answer(400, "{}"), Answer(502), Answer(200, "{}"), Answer(0), Answer(429)],
    ids=["401", "400", "502", "no list", "dropped", "429"],
)
def test_any_other_failure_of_a_parent_ends_the_read(
    server: ScriptedServer, client: ApiClient, answer: Answer, workers: int
) -> None:
    serve(server, {3: answer})
    seen = []
    with pytest.raises(ApiError, match="/3/things"):
        for record in read(client, 9, workers):
            seen.append(record["parent"])
    assert seen == [1, 2]
    assert client.extraction.skipped == []


@WORKERS
def test_a_server_that_refuses_all_parents_is_an_error(
    server: ScriptedServer, client: ApiClient, workers: int
) -> None:
    serve(server, {1: Answer(403, "{}"), 2: Answer(404, "{}")})
    with pytest.raises(
        ApiRefused, match="Not one of 2 answered with its things. Check what the test's token"
    ) as raised:
        list(read(client, 2, workers))
    assert raised.value.status_code == 404


@WORKERS
def test_no_parents_are_no_error(client: ApiClient, workers: int) -> None:
    assert list(read(client, 0, workers)) == []


def test_a_read_that_is_given_up_does_not_wait_for_the_api(server: ScriptedServer) -> None:
    second_is_asked = threading.Event()

    def answer(path: str, query: Query) -> Answer:
        if path.startswith("/2/"):
            second_is_asked.set()
            return Answer(429, "", {"Retry-After": "3600"})
        return Answer(200, '[{"id": 1}]')

    server.script = answer
    with ApiClient(f"{server.url}/api/v4", max_wait_seconds=7200) as client:
        records = read(client, 2, workers=2)
        assert next(records) == {"id": 1}
        assert second_is_asked.wait(30)
        records.close()  # type: ignore[attr-defined]
        assert not [thread for thread in threading.enumerate() if thread.name == "reader"]
        with pytest.raises(ApiUnavailable, match="was closed"):
            client.get_json("things")
