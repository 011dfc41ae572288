"""JSON over HTTP for connectors: time-outs, retries, rate limits and paging. Knows no API and no database."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, ProtocolError
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

from wherescape.errors import ApiAnswerInvalid, ApiRateLimited, ApiRefused, ApiUnavailable, DeclarationError
from wherescape.redaction import redact

Json = Any
Record = dict[str, Any]

MAX_EMPTY_PAGES = 20
LONGEST_DETAIL = 200
EARLIEST_UNIX_TIME = 1_000_000_000


@dataclass(frozen=True)
class ApiResponse:
    """An answer of an API.

    Arguments:
        body: the parsed JSON.
        headers: the headers; names are found in any case.
        url: the URL that was asked, with its query.
    """

    body: Json
    headers: Mapping[str, str]
    url: str


class ApiClient:
    """Asks one API for JSON.

    Broken connections, cut bodies, 429 and 5xx are retried with growing, jittered waits; a wait that the API asks for
    (Retry-After, RateLimit-Reset) is kept to. Redirects are not followed, since a login would travel with them.

    Arguments:
        base_url: the address that paths are added to.
        headers: sent with every request; register a secret among them with `wherescape.redaction.add_secret`.
        credential: what to check when the API answers 401, in words.
        timeout: seconds to wait for a connection, and for each piece of an answer.
        max_retries: how often one request is repeated; 0 for never.
        max_wait_seconds: the longest single wait that the API may ask for.
        backoff_factor: seconds that the waits grow from: none at first, then twice this, four times this, up to 120.

    Raises:
        DeclarationError: a header holds a line end or another character that HTTP forbids.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        *,
        credential: str = "the credentials",
        timeout: tuple[float, float] = (10, 60),
        max_retries: int = 6,
        max_wait_seconds: float = 600,
        backoff_factor: float = 0.5,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.first_answered: datetime | None = None
        """The server's time of the first good answer, UTC; None before it, or if it gave no Date header."""
        self._credential = credential
        for name, value in (headers or {}).items():
            if not (value.isascii() and value.isprintable()):
                raise DeclarationError(f"The header {name} holds a character that HTTP forbids; check {credential}.")
        self._timeout = timeout
        self._max_retries = max_retries
        self._retry = _Retry(
            total=max_retries,
            status_forcelist=(429, 500, 502, 503, 504),
            raise_on_status=False,
            backoff_factor=backoff_factor,
            backoff_jitter=backoff_factor,
        )
        self._retry.max_wait_seconds = max_wait_seconds
        self._has_answered = False
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", **(headers or {})})
        # Without it, requests would add the login that ~/.netrc holds for the host.
        self._session.auth = lambda request: request
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=self._retry))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get_json(self, path: str, params: Mapping[str, str | int] | None = None) -> ApiResponse:
        """Ask for one document.

        Arguments:
            path: added to the base URL; its parts already percent-encoded.
            params: the query.

        Raises:
            ApiRefused: 401, 403, 404, a redirect, or another answer that a retry does not mend.
            ApiUnavailable: no connection, time-outs or 5xx, after all retries.
            ApiRateLimited: 429 after all retries, or a longer wait asked for than `max_wait_seconds`.
            ApiAnswerInvalid: a body that is cut short or not JSON.
        """
        return self._get(f"{self.base_url}/{path.lstrip('/')}", params)

    def follow_links(
        self, path: str, params: Mapping[str, str | int] | None = None, *, paging_header: str = ""
    ) -> Iterator[list[Record]]:
        """Read a list page by page, for as long as the Link header names a next one (RFC 8288).

        The next page is asked from the base URL's host, whatever host the link names: a server behind a proxy may know
        itself by another name, and the login must not travel there.

        Arguments:
            path: as for `get_json`.
            params: the query of the first page; the links carry it on.
            paging_header: a header that every page has. A page without it is an error: a proxy that strips the paging
                headers would otherwise look like the end of the list.

        Raises:
            ApiAnswerInvalid: a page that is no list of objects or lacks the paging header, a link to a page already
                read, or empty pages that promise more without end.
            ApiError: as for `get_json`.
        """
        url: str | None = f"{self.base_url}/{path.lstrip('/')}"
        asked: set[str] = set()
        empty_pages = 0
        while url:
            response = self._get(url, params)
            records = _records(response)
            if paging_header and paging_header not in response.headers:
                raise ApiAnswerInvalid(
                    f"{_place(response.url)} answered without the header {paging_header}: where the list ends is"
                    " unknown. Check whether a proxy between here and the API removes headers."
                )
            yield records
            # requests quotes a URL anew, so that a link to the same page may be written otherwise.
            asked |= {url, response.url}
            url, params = self._next_url(response), None
            if url in asked:
                raise ApiAnswerInvalid(f"{_place(response.url)} names a page as the next that was already read.")
            empty_pages = 0 if records else empty_pages + 1
            if url and empty_pages >= MAX_EMPTY_PAGES:
                raise ApiAnswerInvalid(
                    f"{_place(response.url)} gave {empty_pages} empty pages in a row and still promises more."
                )

    def _next_url(self, response: ApiResponse) -> str | None:
        link = requests.utils.parse_header_links(response.headers.get("Link", ""))
        target = next((item["url"] for item in link if "next" in item.get("rel", "").split()), None)
        if target is None:
            return None
        base, page = urlsplit(self.base_url), urlsplit(urljoin(response.url, target))
        return urlunsplit((base.scheme, base.netloc, page.path, page.query, ""))

    def _get(self, url: str, params: Mapping[str, str | int] | None) -> ApiResponse:
        retry: Retry = self._retry
        while True:
            response = self._send(url, params)
            try:
                body = response.content
                break
            except requests.RequestException as error:
                try:
                    retry = retry.increment("GET", url, error=ProtocolError("body cut short"))
                except MaxRetryError:
                    raise ApiAnswerInvalid(
                        f"The answer of {_place(url)} was cut short {self._attempts()} ({_root_cause(error)})."
                    ) from None
                retry.sleep()
        self._check_status(response, url)
        if not self._has_answered:
            self._has_answered = True
            self.first_answered = _server_time(response.headers)
        return ApiResponse(_parse(body, response, url), response.headers, response.url)

    def _send(self, url: str, params: Mapping[str, str | int] | None) -> requests.Response:
        try:
            return self._session.get(url, params=params, timeout=self._timeout, allow_redirects=False, stream=True)
        # The causes hold the whole URL with its query, hence `from None`.
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
            raise ApiUnavailable(f"{_place(url)} is no http or https address. Check the base URL.") from None
        except requests.exceptions.SSLError as error:
            raise ApiUnavailable(
                f"No safe connection to {_place(url)} ({_root_cause(error)}). Check its certificate; a company's own"
                " authority is made known with the environment variable REQUESTS_CA_BUNDLE."
            ) from None
        except requests.RequestException as error:
            raise ApiUnavailable(
                f"{_place(url)} could not be reached {self._attempts()} ({_root_cause(error)}). Check the base URL,"
                " whether the server is up, and firewall and proxy (HTTPS_PROXY)."
            ) from None

    def _check_status(self, response: requests.Response, url: str) -> None:
        status = response.status_code
        answer = f"{_place(url)} answered {status} {_detail(response)}".rstrip()
        if status == 429:
            wait = _requested_wait(status, response.headers)
            when = f"come back at {_moment_in(wait)}" if wait else "come back later"
            raise ApiRateLimited(f"{answer} {self._attempts()}: {when}, or ask for a higher rate limit.")
        if status >= 500:
            raise ApiUnavailable(f"{answer} {self._attempts()}. Check the state of the server and run again.")
        if status == 401:
            raise ApiRefused(f"{answer}. Check {self._credential}: it is wrong, expired or revoked.", status)
        if status == 403:
            raise ApiRefused(f"{answer}. Check what {self._credential} may read.", status)
        if 300 <= status < 400:
            target = _place(urljoin(url, response.headers.get("Location", "")))
            raise ApiRefused(f"{answer}: it has moved to {target}. Correct the base URL.", status)
        if status >= 400:
            raise ApiRefused(f"{answer}.", status)

    def _attempts(self) -> str:
        return f"after {self._max_retries} retries" if self._max_retries else "without a retry"


class _Retry(Retry):
    """Waits as long as the API asks to, up to a limit."""

    max_wait_seconds: float = 600

    def new(self, **kw: Any) -> Self:
        retry = super().new(**kw)
        retry.max_wait_seconds = self.max_wait_seconds
        return retry

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        wait = _requested_wait(response.status, response.headers)
        if wait is not None and wait > self.max_wait_seconds:
            raise ApiRateLimited(
                f"The API answered {response.status} and asks to wait {wait:.0f} seconds; this load waits for"
                f" {self.max_wait_seconds:.0f} at most (max_wait_seconds). Run it again at {_moment_in(wait)}."
            )
        return wait


def _requested_wait(status: int, headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer asks to wait: Retry-After in seconds or as a date, else RateLimit-Reset.

    Dates are compared with the server's own clock. RateLimit-Reset is a Unix time (GitLab, "User and IP rate limits")
    or a number of seconds (the IETF draft); it stands on every answer, and so counts on a 429 only.
    """
    now = _server_time(headers) or datetime.now(UTC)
    retry_after = headers.get("Retry-After", "").strip()
    if retry_after.isdecimal():
        return float(retry_after)
    if moment := _http_date(retry_after):
        return max(0.0, (moment - now).total_seconds())
    reset = headers.get("RateLimit-Reset", "").strip()
    if status == 429 and reset.isdecimal():
        seconds = float(reset)
        return max(0.0, seconds - now.timestamp()) if seconds >= EARLIEST_UNIX_TIME else seconds
    return None


def _server_time(headers: Mapping[str, str]) -> datetime | None:
    return _http_date(headers.get("Date", ""))


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _moment_in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def _parse(body: bytes, response: requests.Response, url: str) -> Json:
    try:
        return json.loads(body)
    except ValueError:
        kind = response.headers.get("Content-Type", "no content type")
        raise ApiAnswerInvalid(
            f"{_place(url)} answered {response.status_code} with {len(body)} bytes that are not JSON ({kind})."
            " A login page or a proxy may stand between; check the base URL."
        ) from None


def _records(response: ApiResponse) -> list[Record]:
    body = response.body
    if isinstance(body, list) and all(isinstance(record, dict) for record in body):
        return body
    problem = _message(body) or f"JSON of another kind ({type(body).__name__})"
    raise ApiAnswerInvalid(f"{_place(response.url)} answered 200, but with no list of records: {problem}.")


def _detail(response: requests.Response) -> str:
    """Return what an error answer says, in one short line; nothing of an HTML page."""
    kind = response.headers.get("Content-Type", "")
    if "html" in kind:
        return ""
    try:
        text = _message(json.loads(response.content))
    except ValueError:
        text = response.text
    text = " ".join(text.split()).removeprefix(f"{response.status_code} ")
    return redact(text)[:LONGEST_DETAIL]


def _message(body: Json) -> str:
    if not isinstance(body, dict):
        return ""
    parts = (body.get(key) for key in ("message", "error", "error_description", "errors"))
    return redact(" ".join(part if isinstance(part, str) else json.dumps(part) for part in parts if part))


def _place(url: str) -> str:
    """Return a URL without login and query, for messages."""
    parts = urlsplit(url)
    return redact(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))


def _root_cause(error: BaseException) -> str:
    """Return the innermost reason of an error of requests, without the URLs that the outer ones carry."""
    reason = getattr(error, "reason", None) or next((arg for arg in error.args if isinstance(arg, Exception)), None)
    if isinstance(reason, Exception):
        return _root_cause(reason)
    text = str(error).rpartition(">: ")[2] or type(error).__name__
    return redact(text)[:LONGEST_DETAIL]
