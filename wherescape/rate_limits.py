"""The waits that APIs ask for: read from the headers of their answers, and kept by all threads of a client."""

import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from wherescape.errors import ApiUnavailable
from wherescape.extraction import Extraction

EARLIEST_UNIX_SECONDS = 1e9
EARLIEST_UNIX_MILLISECONDS = 1e12
LONGEST_WAIT = timedelta(days=3650).total_seconds()

_SECONDS, _MILLISECONDS = 1.0, 0.001
_QUOTAS = (
    ("RateLimit-Remaining", "RateLimit-Reset", _SECONDS),
    ("X-RateLimit-Remaining", "X-RateLimit-Reset", _SECONDS),
    ("X-Rate-Limit-Remaining", "X-Rate-Limit-Reset", _SECONDS),
    ("X-HubSpot-RateLimit-Remaining", "X-HubSpot-RateLimit-Interval-Milliseconds", _MILLISECONDS),
)
_NUMBER = re.compile(r"\d{1,20}(\.\d{1,20})?", re.ASCII)
_REMAINING = re.compile(r"\b(?:r|remaining)\s*=\s*(\d+)", re.ASCII)
_RESET = re.compile(r"\b(?:t|reset)\s*=\s*(\d+)", re.ASCII)


def requested_wait(status: int, headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a refusal asks to wait; None if it does not say so legibly.

    Retry-After counts on every refusal. The time at which a quota is renewed stands on every answer, and so counts on
    a 429 only. Either may be a number of seconds, a Unix time in seconds or milliseconds, an HTTP date or an ISO 8601
    moment; times are compared with the server's own clock.

    Sources: RFC 9110, "Retry-After"; IETF draft "RateLimit header fields for HTTP", old and new; GitLab, "User and IP
    rate limits" (Unix time); Atlassian, "Rate limiting" (ISO 8601); HubSpot, "API usage guidelines" (an interval).

    Arguments:
        status: the HTTP status of the answer.
        headers: names are found in any case.
    """
    wait = _seconds_until(headers.get("Retry-After", ""), headers)
    if wait is not None or status != 429:
        return wait
    quotas = _quotas(headers)
    exhausted = [wait for is_exhausted, wait in quotas if is_exhausted]
    return max(exhausted or [wait for _, wait in quotas], default=None)


def wait_for_quota(headers: Mapping[str, str]) -> float:
    """Return the seconds until a quota is renewed that a good answer has used up; 0 if none is."""
    return max((wait for is_exhausted, wait in _quotas(headers) if is_exhausted), default=0.0)


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """Return the moment of the Date header in UTC; None if there is none."""
    return _http_date(headers.get("Date", ""))


def moment_in(seconds: float) -> str:
    """Return the moment that is some seconds away, for messages."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


class Pace:
    """Keeps the calls of several threads apart in time.

    Arguments:
        per_second: how many calls there may be in a second.
    """

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second
        self._lock = threading.Lock()
        self._next = 0.0

    def take_turn(self) -> float:
        """Take the next turn, and return the seconds until it comes."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
            return turn - now


class Gate:
    """Holds back all requests of a client while its API asks any of them to wait.

    Arguments:
        extraction: counts how long requests were held back; threads that wait at the same time count once.
    """

    def __init__(self, extraction: Extraction) -> None:
        self._extraction = extraction
        self._changed = threading.Condition()
        self._opens_at = 0.0
        self._is_closed = False
        self._waiting = 0
        self._waiting_since = 0.0

    def hold(self, seconds: float) -> None:
        """Let nobody pass for some seconds from now."""
        with self._changed:
            self._opens_at = max(self._opens_at, time.monotonic() + seconds)

    def close(self) -> None:
        """Let nobody pass any more; those who wait learn it at once."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def pass_through(self, delay: float = 0) -> None:
        """Wait until the gate is open, and a delay of one's own is over.

        Raises:
            ApiUnavailable: the gate is closed.
        """
        ready_at = time.monotonic() + delay
        with self._changed:
            if self._seconds_left(ready_at):
                self._wait_until(ready_at)
            if self._is_closed:
                raise ApiUnavailable("The API client was closed while it was still in use: reading ends here.")

    def _seconds_left(self, ready_at: float) -> float:
        return 0.0 if self._is_closed else max(0.0, max(ready_at, self._opens_at) - time.monotonic())

    def _wait_until(self, ready_at: float) -> None:
        if not self._waiting:
            self._waiting_since = time.monotonic()
        self._waiting += 1
        while seconds := self._seconds_left(ready_at):
            self._changed.wait(min(seconds, threading.TIMEOUT_MAX))
        self._waiting -= 1
        if not self._waiting:
            self._extraction.add_wait(time.monotonic() - self._waiting_since)


def _quotas(headers: Mapping[str, str]) -> list[tuple[bool, float]]:
    """Return of each quota whether it is used up, and the seconds until it is renewed."""
    texts = [(headers.get(remaining, ""), headers.get(reset, ""), unit) for remaining, reset, unit in _QUOTAS]
    combined = headers.get("RateLimit", "")
    for quota in [combined] if "remaining" in combined else combined.split(","):
        remaining, reset = _REMAINING.search(quota), _RESET.search(quota)
        texts.append((remaining[1] if remaining else "", reset[1] if reset else "", _SECONDS))
    waits = [(remaining.strip() == "0", _seconds_until(reset, headers, unit)) for remaining, reset, unit in texts]
    return [(is_exhausted, wait) for is_exhausted, wait in waits if wait is not None]


def _seconds_until(text: str, headers: Mapping[str, str], unit: float = _SECONDS) -> float | None:
    text = text.strip()
    if not text:
        return None
    now = server_time(headers) or datetime.now(UTC)
    if _NUMBER.fullmatch(text):
        wait = float(text)
        if wait >= EARLIEST_UNIX_MILLISECONDS:
            wait = wait / 1_000 - now.timestamp()
        elif wait >= EARLIEST_UNIX_SECONDS:
            wait -= now.timestamp()
        else:
            wait *= unit
    elif moment := _http_date(text) or _iso_moment(text):
        wait = (moment - now).total_seconds()
    else:
        return None
    return max(0.0, wait) if wait <= LONGEST_WAIT else None


def _http_date(text: str) -> datetime | None:
    try:
        return _in_utc(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None


def _iso_moment(text: str) -> datetime | None:
    try:
        return _in_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _in_utc(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
