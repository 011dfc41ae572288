import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from wherescape.api_client import ApiClient
from wherescape.errors import ApiAnswerInvalid, ApiError, ApiRateLimited, ApiUnavailable
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.testing.api_server import Answer, Request

RATE_LIMITED = Answer(429, "Retry later\n", {"Content-Type": "text/plain", "Retry-After": "0"})
BAD_GATEWAY = Answer(502, "<html>Bad gateway</html>", {"Content-Type": "text/html"})
CUT = Answer(200, '[{"id": 1}]', cut=True)
DROPPED = Answer(0)


@pytest.fixture
def server() -> Iterator[GitLabServer]:
    with GitLabServer() as server:
        yield server


def connect(server: GitLabServer, max_retries: int = 6, max_wait_seconds: float = 600) -> ApiClient:
    return ApiClient(
        f"{server.url}/api/v4",
        {"PRIVATE-TOKEN": server.token},
        max_retries=max_retries,
        max_wait_seconds=max_wait_seconds,
        backoff_factor=0,
    )


@pytest.mark.parametrize("fault", [RATE_LIMITED, BAD_GATEWAY, CUT, DROPPED], ids=["429", "502", "cut", "dropped"])
def test_six_failures_in_a_row_are_survived(server: GitLabServer, fault: Answer) -> None:
    server.fail_next(fault, times=6)
    with connect(server) as client:
        assert client.get_json("projects").body == []
    assert len(server.requests) == 7


def test_a_mixture_of_failures_is_survived(server: GitLabServer) -> None:
    for fault in (DROPPED, BAD_GATEWAY, RATE_LIMITED, Answer(503), Answer(408), Answer(522)):
        server.fail_next(fault)
    with connect(server) as client:
        assert client.get_json("projects").body == []


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (RATE_LIMITED, ApiRateLimited, "answered 429 Retry later after 2 retries"),
        (BAD_GATEWAY, ApiUnavailable, "answered 502 after 2 retries"),
        (CUT, ApiAnswerInvalid, "cut short or damaged after 2 retries"),
        (DROPPED, ApiUnavailable, "could not be reached after 2 retries"),
    ],
    ids=["429", "502", "cut", "dropped"],
)
def test_a_failure_that_lasts_is_an_error(
    server: GitLabServer, fault: Answer, error: type[ApiError], said: str
) -> None:
    server.fail_next(fault, times=100)
    with connect(server, max_retries=2) as client, pytest.raises(error, match=said):
        client.get_json("projects")
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
def test_a_refusal_is_not_retried(server: GitLabServer, status: int) -> None:
    server.fail_next(Answer(status, "{}"))
    with connect(server) as client, pytest.raises(ApiError):
        client.get_json("projects")
    assert len(server.requests) == 1


NOW = datetime(2026, 1, 5, 10, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "3600"}, 3600),
        (503, {"Retry-After": "61"}, 61),
        (429, {"Retry-After": format_datetime(NOW + timedelta(hours=1), usegmt=True)}, 3600),
        (429, {"RateLimit-Reset": str(int(NOW.timestamp()) + 120)}, 120),
        (429, {"RateLimit-Reset": "90"}, 90),
        (429, {"Retry-After": "3600", "RateLimit-Reset": "5"}, 3600),
    ],
)
def test_a_wait_beyond_the_limit_says_when_to_come_back(
    server: GitLabServer, status: int, headers: dict[str, str], seconds: int
) -> None:
    server.now = NOW
    server.fail_next(Answer(status, "Retry later", {"Content-Type": "text/plain", **headers}))
    earliest = datetime.now(UTC) + timedelta(seconds=seconds - 1)
    with connect(server, max_wait_seconds=60) as client, pytest.raises(ApiRateLimited) as raised:
        client.get_json("projects")
    message = str(raised.value)
    assert f"wait {seconds} seconds; this load waits for 60 at most" in message
    moment = datetime.fromisoformat(message.rpartition("again at ")[2].rstrip("."))
    assert earliest <= moment <= datetime.now(UTC) + timedelta(seconds=seconds)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "0"},
        {"Retry-After": "soon"},
        {"Retry-After": format_datetime(NOW - timedelta(hours=1), usegmt=True)},
        {"RateLimit-Reset": str(int(NOW.timestamp()) - 10)},
        {"RateLimit-Reset": "never"},
        {},
    ],
)
def test_a_wait_that_is_over_or_unreadable_does_not_stop_the_load(
    server: GitLabServer, headers: dict[str, str]
) -> None:
    server.now = NOW
    server.fail_next(Answer(429, "Retry later", headers))
    with connect(server, max_wait_seconds=0) as client:
        assert client.get_json("projects").body == []


def test_the_reset_time_on_a_server_error_is_not_a_wait(server: GitLabServer) -> None:
    server.fail_next(Answer(502, "", {"RateLimit-Reset": str(int(datetime.now(UTC).timestamp()) + 3600)}))
    with connect(server) as client:
        assert client.get_json("projects").body == []


class PatientServer(GitLabServer):
    """Refuses every request that comes before it said to come back."""

    open_from: float | None = None

    def respond(self, request: Request) -> Answer:
        answer = super().respond(request)
        if self.open_from is None:
            self.open_from = time.monotonic() + 1
        return answer if time.monotonic() >= self.open_from else Answer(429, "", {"Retry-After": "1"})


def test_the_wait_that_is_asked_for_is_kept() -> None:
    with PatientServer() as server, connect(server, max_retries=1) as client:
        assert client.get_json("projects").body == []


class HangingServer(GitLabServer):
    """Answers nothing before it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def respond(self, request: Request) -> Answer:
        self.released.wait(30)
        return super().respond(request)


def test_a_server_that_hangs_is_given_up() -> None:
    with HangingServer() as server, ApiClient(f"{server.url}/api/v4", timeout=(5, 0.1), max_retries=1) as client:
        with pytest.raises(ApiUnavailable, match="timed out"):
            client.get_json("projects")
        server.released.set()
