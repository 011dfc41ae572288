import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.test_api_client import Query, ScriptedServer
from wherescape.api_client import ApiClient
from wherescape.errors import ApiRateLimited, ApiUnavailable
from wherescape.extraction import LONGEST_TIMELINE, Timeline
from wherescape.testing.api_server import Answer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.script = lambda path, query: Answer(200, "[]")
        yield server


def connect(server: ScriptedServer, max_wait_seconds: float = 7200) -> ApiClient:
    return ApiClient(f"{server.url}/api/v4", max_retries=3, max_wait_seconds=max_wait_seconds, backoff_factor=0)


@pytest.mark.parametrize("fault", [Answer(502), Answer(429), Answer(0), Answer(200, "[]", cut=True)])
def test_requests_and_retries_are_counted(server: ScriptedServer, fault: Answer) -> None:
    answers = iter([fault, fault, Answer(200, "[]"), Answer(200, "[]")])
    server.script = lambda path, query: next(answers)
    with connect(server) as client:
        client.get_json("things")
        client.get_json("things")
    assert (client.extraction.requests, client.extraction.retries) == (4, 2)
    assert len(server.requests) == 4


def test_a_request_that_was_not_repeated_is_not_counted(server: ScriptedServer) -> None:
    server.script = lambda path, query: Answer(429, "", {"Retry-After": "3600"})
    with connect(server, max_wait_seconds=60) as client, pytest.raises(ApiRateLimited):
        client.get_json("things")
    assert (client.extraction.requests, client.extraction.retries) == (1, 0)


def test_a_first_answer_without_a_time_leaves_the_start_open(server: ScriptedServer) -> None:
    answers = iter([Answer(200, "[]", {"Date": "unknown"}), Answer(200, "[]")])
    server.script = lambda path, query: next(answers)
    with connect(server) as client:
        client.get_json("things")
        client.get_json("things")
    assert client.extraction.started is None


def test_a_body_that_is_not_json_does_not_start_the_read(server: ScriptedServer) -> None:
    answers = iter([Answer(200, "<html>", {"Content-Type": "text/html"}), Answer(200, "[]")])
    server.script = lambda path, query: next(answers)
    with connect(server) as client:
        server.now = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
        with pytest.raises(Exception, match="not JSON"):
            client.get_json("things")
        server.now = datetime(2026, 1, 5, 10, 5, tzinfo=UTC)
        client.get_json("things")
    assert client.extraction.started == server.now - timedelta(seconds=1)


def test_pages_are_noted_with_their_rows(server: ScriptedServer) -> None:
    def answer(path: str, query: Query) -> Answer:
        number = int(query.get("page", 1))
        link = {"Link": f'<{server.url}/api/v4/things?page={number + 1}>; rel="next"'} if number < 3 else {}
        return Answer(200, json.dumps([{"id": row} for row in range(number)]), link)

    server.script = answer
    begin = time.monotonic()
    with connect(server) as client:
        list(client.follow_links("things"))
    end = time.monotonic()
    spans = client.extraction.pages.spans
    assert [span.rows for span in spans] == [1, 2, 3]
    assert all(begin <= span.at and span.seconds > 0 and span.at + span.seconds <= end for span in spans)


@pytest.mark.parametrize(
    ("totals", "expected"),
    [(("3", "4"), 4), (("3", ""), 3), (("4", "3"), 4), ((None, "0"), 0), (("3", None), 3), ((None, None), None)],
)
def test_the_total_that_a_header_tells_is_expected(
    server: ScriptedServer, totals: tuple[str | None, str | None], expected: int | None
) -> None:
    def answer(path: str, query: Query) -> Answer:
        is_last = "page" in query
        headers = {} if is_last else {"Link": f'<{server.url}/api/v4/things?page=2>; rel="next"'}
        total = totals[is_last]
        return Answer(200, "[]", headers | ({} if total is None else {"X-Total": total}))

    server.script = answer
    with connect(server) as client:
        list(client.follow_links("things", total_header="X-Total"))
        assert client.extraction.expected_rows == expected
        list(client.follow_links("things"))
        assert client.extraction.expected_rows == expected


def test_totals_of_several_lists_add_up(server: ScriptedServer) -> None:
    server.script = lambda path, query: Answer(200, "[]", {"X-Total": "2"})
    with connect(server) as client:
        for path in ("things/1", "things/2"):
            list(client.follow_links(path, total_header="X-Total"))
    assert client.extraction.expected_rows == 4


QUOTA_USED_UP = {"RateLimit-Remaining": "0", "RateLimit-Reset": "3600"}


def ask_until_closed(client: ApiClient) -> Callable[[], None]:
    def ask() -> None:
        with pytest.raises(ApiUnavailable, match="was closed"):
            while True:
                client.get_json("things")

    return ask


def test_a_quota_that_is_used_up_holds_all_threads(server: ScriptedServer) -> None:
    server.script = lambda path, query: Answer(200, "[]", QUOTA_USED_UP)
    with connect(server) as client, ThreadPoolExecutor(4) as pool:
        client.get_json("things")
        asking = [pool.submit(ask_until_closed(client)) for _ in range(4)]
        client.close()
        for future in asking:
            future.result(timeout=30)
    assert len(server.requests) == 1


def test_a_quota_that_is_renewed_too_late_is_not_waited_for(server: ScriptedServer) -> None:
    server.script = lambda path, query: Answer(200, "[]", QUOTA_USED_UP)
    with connect(server, max_wait_seconds=60) as client:
        client.get_json("things")
        client.get_json("things")
    assert client.extraction.waited_seconds == 0


def test_a_wait_asked_of_one_request_is_kept_by_all(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    is_held = threading.Event()

    def notice(record: object) -> bool:
        is_held.set()
        return True

    caplog.set_level("INFO", logger="wherescape.api_client")
    caplog.handler.addFilter(notice)
    server.script = lambda path, query: Answer(429, "", {"Retry-After": "3600"})
    with connect(server) as client, ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask_until_closed(client))
        assert is_held.wait(30)
        others = [pool.submit(ask_until_closed(client)) for _ in range(3)]
        client.close()
        for future in (first, *others):
            future.result(timeout=30)
    caplog.handler.removeFilter(notice)
    assert len(server.requests) == 1
    assert "makes all requests wait for 3600 seconds" in caplog.text


def test_the_time_that_was_waited_is_told(server: ScriptedServer) -> None:
    answers = iter([Answer(429, "", {"Retry-After": "0.2"}), Answer(200, "[]")])
    server.script = lambda path, query: next(answers)
    begin = time.monotonic()
    with connect(server) as client:
        client.get_json("things")
    assert 0.2 <= client.extraction.waited_seconds <= time.monotonic() - begin


def test_a_closed_client_asks_nothing_more(server: ScriptedServer) -> None:
    client = connect(server)
    client.close()
    with pytest.raises(ApiUnavailable, match="was closed"):
        client.get_json("things")
    assert not server.requests


@pytest.mark.parametrize("pieces", [1, LONGEST_TIMELINE, LONGEST_TIMELINE + 1, 3 * LONGEST_TIMELINE + 7])
def test_a_long_timeline_is_drawn_together_and_loses_nothing(pieces: int) -> None:
    timeline = Timeline()
    for number in range(pieces):
        timeline.add(float(number), 0.5, 3)
    assert len(timeline.spans) <= LONGEST_TIMELINE
    assert sum(span.rows for span in timeline.spans) == 3 * pieces
    assert sum(span.seconds for span in timeline.spans) == 0.5 * pieces
    starts = [span.at for span in timeline.spans]
    assert starts == sorted(starts)
