import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherescape.errors import ApiUnavailable
from wherescape.extraction import Extraction
from wherescape.rate_limits import Gate, requested_wait, wait_for_quota

NOW = datetime(2026, 1, 5, 10, 5, tzinfo=UTC)
UNIX = int(NOW.timestamp())
DATE = {"Date": format_datetime(NOW, usegmt=True)}


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("2", 2),
        (" 3600 ", 3600),
        ("1.5", 1.5),
        (http_date(NOW + timedelta(hours=1)), 3600),
        (http_date(NOW - timedelta(hours=1)), 0),
        ("Mon, 05 Jan 2026 12:05:30 +0200", 30),
        (str(UNIX + 90), 90),
        (str((UNIX + 90) * 1000), 90),
        ("2026-01-05T10:06Z", 60),
        ("2026-01-05T12:05:10.5+02:00", 10.5),
        ("2026-01-05T10:06", 60),
    ],
)
@pytest.mark.parametrize(
    "name", ["Retry-After", "RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset"], ids=str.lower
)
def test_a_time_is_read_in_every_form(name: str, text: str, seconds: float) -> None:
    assert requested_wait(429, {**DATE, name: text}) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "-5", "-1.5", "soon", "1e3", "²", "٣", "NaN", "inf", "9" * 15, "9" * 400, "Fri, 31 Dec 9999 23:59:59 -1200"],
)
@pytest.mark.parametrize("name", ["Retry-After", "RateLimit-Reset", "X-RateLimit-Reset"])
def test_what_is_no_time_asks_for_nothing(name: str, text: str) -> None:
    assert requested_wait(429, {**DATE, name: text}) is None


@given(st.text(max_size=40))
def test_no_header_can_break_the_reading(text: str) -> None:
    for name in ("Retry-After", "X-RateLimit-Reset", "RateLimit", "Date"):
        wait = requested_wait(429, {name: text})
        assert wait is None or wait >= 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit": '"default";r=0;t=30'}, 30),
        ({"RateLimit": '"burst";r=0;t=2, "daily";r=7;t=3600'}, 2),
        ({"RateLimit": '"burst";r=0;t=2, "daily";r=0;t=3600'}, 3600),
        ({"RateLimit": '"default";t=30'}, 30),
        ({"RateLimit": "limit=100, remaining=0, reset=30"}, 30),
        ({"RateLimit": "nonsense"}, None),
        ({"X-HubSpot-RateLimit-Remaining": "0", "X-HubSpot-RateLimit-Interval-Milliseconds": "10000"}, 10),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-01-05T10:06Z"}, 60),
        ({"Retry-After": "5", "RateLimit-Reset": str(UNIX + 90)}, 5),
        ({"Retry-After": "soon", "RateLimit-Reset": str(UNIX + 90)}, 90),
        (
            {
                "RateLimit-Remaining": "0",
                "RateLimit-Reset": "3",
                "X-RateLimit-Remaining": "9",
                "X-RateLimit-Reset": "60",
            },
            3,
        ),
        ({}, None),
    ],
)
def test_a_refusal_tells_its_wait_in_many_ways(headers: Mapping[str, str], seconds: float | None) -> None:
    assert requested_wait(429, {**DATE, **headers}) == seconds


@pytest.mark.parametrize(("headers", "seconds"), [({"RateLimit-Reset": "90"}, None), ({"Retry-After": "90"}, 90)])
def test_the_time_of_renewal_counts_on_a_429_only(headers: Mapping[str, str], seconds: float | None) -> None:
    assert requested_wait(503, headers) == seconds


def test_times_are_compared_with_the_servers_clock() -> None:
    wrong = datetime(2001, 1, 1, tzinfo=UTC)
    headers = {"Date": http_date(wrong), "Retry-After": http_date(wrong + timedelta(seconds=20))}
    assert requested_wait(503, headers) == 20


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": str(UNIX + 30)}, 30),
        ({"RateLimit-Remaining": "1", "RateLimit-Reset": str(UNIX + 30)}, 0),
        ({"RateLimit-Reset": str(UNIX + 30)}, 0),
        ({"RateLimit-Remaining": "0"}, 0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-01-05T10:06Z"}, 60),
        ({"RateLimit": '"default";r=0;t=30'}, 30),
        ({"RateLimit": '"default";r=1;t=30'}, 0),
        ({"RateLimit": "limit=100, remaining=0, reset=30"}, 30),
        ({"Retry-After": "30"}, 0),
    ],
)
def test_a_good_answer_tells_of_a_quota_that_is_used_up(headers: Mapping[str, str], seconds: float) -> None:
    assert wait_for_quota({**DATE, **headers}) == seconds


def test_an_open_gate_costs_nothing() -> None:
    extraction = Extraction()
    Gate(extraction).pass_through()
    assert extraction.waited_seconds == 0


@pytest.mark.parametrize("delay", [0, 3600])
def test_a_gate_that_closes_ends_all_waits(delay: float) -> None:
    gate = Gate(Extraction())
    gate.hold(0 if delay else 3600)
    with ThreadPoolExecutor(4) as pool:
        passing = [pool.submit(gate.pass_through, delay) for _ in range(4)]
        gate.close()
        for future in passing:
            with pytest.raises(ApiUnavailable, match="was closed"):
                future.result(timeout=30)


def test_a_held_gate_lets_nobody_pass_before_its_time() -> None:
    gate = Gate(Extraction())
    gate.hold(0.1)
    gate.hold(0)
    opens_at = time.monotonic() + 0.09
    gate.pass_through()
    assert time.monotonic() >= opens_at


def test_waits_at_the_same_time_count_once() -> None:
    extraction = Extraction()
    gate = Gate(extraction)
    begin = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(gate.pass_through, 0.2) for _ in range(4)]:
            future.result()
    assert 0.2 <= extraction.waited_seconds <= time.monotonic() - begin
