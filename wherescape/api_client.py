"""JSON over HTTP for connectors: time-outs, retries, rate limits and paging. Knows no API and no database."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from decimal import Decimal
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError, ProtocolError
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

from wherescape.api_response import ApiResponse, Json, Record, message_of, place_of, whole_number
from wherescape.concurrency import in_parallel
from wherescape.errors import (
    ApiAnswerInvalid,
    ApiOutcomeUnknown,
    ApiRateLimited,
    ApiRefused,
    ApiUnavailable,
    DeclarationError,
)
from wherescape.extraction import Extraction
from wherescape.rate_limits import Gate, moment_in, requested_wait, server_time, wait_for_quota
from wherescape.redaction import redact

logger = logging.getLogger(__name__)

_SURELY_EXACT = 15
MAX_EMPTY_PAGES = 20
MAX_CONNECTIONS = 100
LONG_WAIT = 10
LONGEST_DETAIL = 200
UNSENT = (ConnectTimeoutError, NewConnectionError)
RETRIED_STATUSES = (408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)


class ApiClient:
    """Asks one API for JSON.

    Broken connections, cut bodies, 429 and 5xx are retried with growing, jittered waits; a wait that the API asks for
    (Retry-After, RateLimit-Reset and their kin) is kept to by all threads. Redirects are not followed, since a login
    would travel with them. Several threads may use one client; once it is closed, their waits end with an error.

    Arguments:
        base_url: the address that paths are added to.
        headers: sent with every request; register a secret among them with `wherescape.redaction.add_secret`.
        credential: what to check when the API answers 401, in words.
        timeout: seconds to wait for a connection, and for each piece of an answer.
        max_retries: how often one request is repeated; 0 for never.
        max_wait_seconds: the longest single wait that the API may ask for.
        backoff_factor: seconds that the waits grow from: none at first, then twice this, four times this, up to 120.
        is_anonymous: tells by the headers of a good answer that the API did not accept the login, and so answered with
            what anyone may see; for an API that does so in place of a 401.
        no_use_to_wait: tells by the JSON of a 429 in words why no wait of this load helps, such as that the quota of
            the day is used up; empty if one may.
        describe: tells what the JSON of a refusal says, for messages; its own message when left out. For an API whose
            messages repeat what it was sent, and so may hold personal data.

    Raises:
        DeclarationError: a header holds a line end or another character that HTTP forbids, or `max_retries` is
            negative.
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
        is_anonymous: Callable[[Mapping[str, str]], bool] = lambda headers: False,
        no_use_to_wait: Callable[[Json], str] = lambda body: "",
        describe: Callable[[Json], str] | None = None,
    ) -> None:
        if max_retries < 0:
            raise DeclarationError(f"max_retries is {max_retries}; 0 is the least, for no retry.")
        self.base_url = base_url.rstrip("/")
        self.extraction = Extraction()
        """What was read so far: the server's time at the first good answer, requests, waits, pages."""
        self._credential = credential
        self._is_anonymous = is_anonymous
        self._no_use_to_wait = no_use_to_wait
        self._describe = describe
        for name, value in (headers or {}).items():
            if not (value.isascii() and value.isprintable()):
                raise DeclarationError(f"The header {name} holds a character that HTTP forbids; check {credential}.")
        self._timeout = timeout
        self._max_retries = max_retries
        self._max_wait_seconds = max_wait_seconds
        self._gate = Gate(self.extraction)
        waits: dict[str, Any] = {
            "total": max_retries,
            "allowed_methods": None,
            "raise_on_status": False,
            "backoff_factor": backoff_factor,
            "backoff_jitter": backoff_factor,
        }
        self._retry = _Retry(status_forcelist=RETRIED_STATUSES, **waits)
        self._retry_unsent = _RetryUnsent(status_forcelist=(429,), respect_retry_after_header=False, **waits)
        self._retry.client = self._retry_unsent.client = self
        self._session = _session(self._retry, headers or {})
        self._session_for_unrepeatable = _session(self._retry_unsent, headers or {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, and end the waits of other threads."""
        self._gate.close()
        self._session.close()
        self._session_for_unrepeatable.close()

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
        return self._ask("GET", self._url(path), params)

    def post_json(self, path: str, body: Json) -> ApiResponse:
        """Ask for one document by POST, for a search and the like: it is repeated as if it were a GET.

        Arguments:
            path: as for `get_json`.
            body: sent as JSON.

        Raises:
            ApiError: as for `get_json`.
        """
        return self._ask("POST", self._url(path), body=body)

    def send_json(
        self,
        method: str,
        path: str,
        body: Json = None,
        params: Mapping[str, str | int] | None = None,
        *,
        is_repeatable: bool = True,
    ) -> ApiResponse:
        """Change something.

        Arguments:
            method: POST, PUT, PATCH or DELETE.
            path: as for `get_json`.
            body: sent as JSON; nothing is sent for None.
            params: the query.
            is_repeatable: whether doing it twice is the same as doing it once. If not, it is sent again only if it
                surely was not carried out: without a connection, and after 429.

        Returns:
            The answer, of which the body is None if it has no content; 202 and 207 are good answers.

        Raises:
            ApiOutcomeUnknown: it is not repeatable, and whether it was carried out is not known.
            ApiError: as for `get_json`.
        """
        return self._ask(method, self._url(path), params, body, is_change=True, is_repeatable=is_repeatable)

    def pause(self, seconds: float) -> None:
        """Wait before the next request of this thread, for an API that tells its rate limit in its documents only.

        Raises:
            ApiUnavailable: the client is closed.
        """
        self._gate.pass_through(seconds)

    def follow_links(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        paging_header: str = "",
        total_header: str = "",
    ) -> Iterator[list[Record]]:
        """Read a list page by page, for as long as the Link header names a next one (RFC 8288).

        The next page is asked from the base URL's host, whatever host the link names: a server behind a proxy may know
        itself by another name, and the login must not travel there.

        Arguments:
            path: as for `get_json`.
            params: the query of the first page; the links carry it on.
            paging_header: a header that every page has, and that is empty on the last one. A page without it is an
                error, and so is one that names a next page in it and no link to it: a proxy that strips headers would
                otherwise look like the end of the list.
            total_header: a header that tells how many records the list has, on pages that have it; a list that gives
                fewer is noted in `extraction`.

        Raises:
            ApiAnswerInvalid: a page that is no list of objects or lacks the paging header or the link that it
                promises, a link to a page already read, or empty pages that promise more without end.
            ApiError: as for `get_json`.
        """
        url: str | None = self._url(path)
        guard = _PagingGuard()
        total: int | None = None
        count = 0
        while url:
            begin = time.monotonic()
            response = self._ask("GET", url, params)
            records = response.records()
            if paging_header and paging_header not in response.headers:
                raise ApiAnswerInvalid(
                    f"{place_of(response.url)} answered without the header {paging_header}: where the list ends is"
                    " unknown. Check whether a proxy between here and the API removes headers."
                )
            if total_header in response.headers:
                total = _largest(total, whole_number(response.headers[total_header]))
            count += len(records)
            self.extraction.add_page(begin, time.monotonic() - begin, len(records))
            yield records
            # requests quotes a URL anew, so that a link to the same page may be written otherwise.
            guard.was_read(url, response.url)
            url, params = self._next_url(response), None
            if url:
                guard.check(place_of(response.url), url, records)
            elif response.headers.get(paging_header, "").strip():
                raise ApiAnswerInvalid(
                    f"{place_of(response.url)} names a next page in the header {paging_header}, but no link to it."
                    " Check whether a proxy between here and the API removes the header Link."
                )
        self.extraction.end_list(path, count, total)

    def follow_cursor(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        records: str,
        token: str,
        sent_as: str = "",
        by_post: bool = False,
        more_flag: str = "",
        last_flag: str = "",
        total: str = "",
    ) -> Iterator[list[Record]]:
        """Read a list page by page, for as long as an answer holds a token for the next one.

        The end is a token that is missing, null or empty, or what the API's own flag says; never a short page, nor an
        empty one. The names of fields in an answer may lead inwards: `paging.next.after`.

        Arguments:
            path: as for `get_json`.
            query: the query of each page, or the JSON body with `by_post`.
            records: the field with the page's records.
            token: the field with the next page's token.
            sent_as: the name of the token in the query; that of the field when left out.
            by_post: ask by POST.
            more_flag: a field that is false on the last page, if it is there, such as Notion's `has_more`.
            last_flag: a field that is true on the last page, if it is there, such as Jira's `isLast`.
            total: a field that tells how many records the list has; a list that gives fewer is noted in `extraction`.

        Raises:
            ApiAnswerInvalid: a page without a list of objects or with an error in it, a token already used or missing
                where there is more, or empty pages that promise more without end.
            ApiError: as for `get_json`.
        """
        query = dict(query or {})
        guard = _PagingGuard()
        expected: int | None = None
        count = 0
        while True:
            begin = time.monotonic()
            response = self.post_json(path, query) if by_post else self.get_json(path, query)
            page = response.records(records)
            self.extraction.add_page(begin, time.monotonic() - begin, len(page))
            count += len(page)
            if total:
                expected = _largest(expected, response.whole_number(total))
            yield page
            following = _next_token(response, token, more_flag, last_flag)
            if following is None:
                break
            guard.check(place_of(response.url), str(following), page)
            guard.was_read(str(following))
            query[sent_as or token] = following
        self.extraction.end_list(path, count, expected)

    def read_parents(
        self,
        parents: Iterable[Record],
        read: Callable[[Record], Iterable[Record]],
        *,
        name: Callable[[Record], str],
        what: str,
        workers: int = 4,
    ) -> Iterator[Record]:
        """Read the records of several parents at once, one parent after the other.

        A parent that answers 403 or 404 is left out from there on, named in a warning and in `extraction.skipped`.

        Arguments:
            parents: such as the projects that have commits.
            read: gives the records of a parent by way of this client.
            name: what a parent is called.
            what: what its records are called, such as `commits`.
            workers: how many parents are read at once. If the reading ends early, the client is closed, so that none
                of them goes on to wait for the API.

        Raises:
            ApiRefused: all parents answered 403 or 404.
            ApiError: as `read`.
        """
        count = refused = 0
        with closing(in_parallel(parents, read, workers, on_abandon=self.close)) as reading:
            for parent, records in reading:
                count += 1
                try:
                    yield from records
                except ApiRefused as error:
                    if error.status_code not in (403, 404):
                        raise
                    refused, status = refused + 1, error.status_code
                    self.extraction.skip(name(parent), f"{status} for its {what}")
                    logger.warning(
                        "%s answered %s for its %s, so rows of it are missing: it is gone, or not visible with %s.",
                        name(parent),
                        status,
                        what,
                        self._credential,
                    )
        if count and refused == count:
            # GitLab also answers so to an address that it has blocked.
            raise ApiRefused(
                f"Not one of {count} answered with its {what}. Check what {self._credential} may read, and whether the"
                " API blocks this machine's IP address.",
                status,
            )

    def _url(self, path: str) -> str:
        return f"{self.base_url}/{path.lstrip('/')}"

    def _next_url(self, response: ApiResponse) -> str | None:
        target = _next_link(response)
        if target is None:
            return None
        base, page = urlsplit(self.base_url), urlsplit(urljoin(response.url, target))
        return urlunsplit((base.scheme, base.netloc, page.path, page.query, ""))

    def _ask(
        self,
        method: str,
        url: str,
        params: Mapping[str, str | int] | None = None,
        body: Json = None,
        *,
        is_change: bool = False,
        is_repeatable: bool = True,
    ) -> ApiResponse:
        self._gate.pass_through()
        self.extraction.count_request()
        retry: Retry = self._retry
        while True:
            response = self._send(method, url, params, body, is_repeatable)
            try:
                content = response.content
                break
            except requests.RequestException as error:
                if not is_repeatable:
                    raise _outcome_unknown(url, f"its answer was cut short ({_root_cause(error)})") from None
                spent = len(response.raw.retries.history) if response.raw.retries else 0
                try:
                    retry = retry.new(total=max(0, int(retry.total or 0) - spent))
                    retry = retry.increment(method, url, error=ProtocolError("body cut short"))
                except MaxRetryError:
                    raise ApiAnswerInvalid(
                        f"The answer of {place_of(url)} was cut short or damaged {self._attempts()}"
                        f" ({_root_cause(error)})."
                    ) from None
                retry.sleep()
        if not is_repeatable and (response.status_code >= 500 or response.status_code == 408):
            raise _outcome_unknown(url, f"it answered {response.status_code} {self._detail(response)}".rstrip())
        self._check_status(response, url, is_change)
        try:
            parsed = None if is_change and not content else _parse(content, response, url)
        except ApiAnswerInvalid as error:
            if not is_repeatable:
                raise _outcome_unknown(url, str(error)) from None
            raise
        answer = ApiResponse(parsed, response.headers, response.url, response.status_code)
        # The Date is that of the answer, to the second below; what it tells may be as old as the request.
        moment = server_time(response.headers)
        self.extraction.answered(moment and (moment - response.elapsed).replace(microsecond=0))
        self._keep_to_quota(response.headers)
        return answer

    def _send(
        self, method: str, url: str, params: Mapping[str, str | int] | None, body: Json, is_repeatable: bool
    ) -> requests.Response:
        session = self._session if is_repeatable else self._session_for_unrepeatable
        try:
            return session.request(
                method, url, params=params, json=body, timeout=self._timeout, allow_redirects=False, stream=True
            )
        # The causes hold the whole URL with its query, hence `from None`.
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
            raise ApiUnavailable(f"{place_of(url)} is no http or https address. Check the base URL.") from None
        except requests.exceptions.SSLError as error:
            if not (is_repeatable or _is_unsent(error)):
                raise _outcome_unknown(url, f"the connection broke ({_root_cause(error)})") from None
            raise ApiUnavailable(
                f"No safe connection to {place_of(url)} ({_root_cause(error)}). Check its certificate; a company's own"
                " authority is made known with the environment variable REQUESTS_CA_BUNDLE."
            ) from None
        except requests.RequestException as error:
            if not (is_repeatable or _is_unsent(error)):
                raise _outcome_unknown(url, f"it did not answer ({_root_cause(error)})") from None
            raise ApiUnavailable(
                f"{place_of(url)} could not be reached {self._attempts()} ({_root_cause(error)}). Check the base URL,"
                " whether the server is up, and firewall and proxy (HTTPS_PROXY)."
            ) from None

    def _check_status(self, response: requests.Response, url: str, is_change: bool) -> None:
        status = response.status_code
        if status in (202, 206) and not is_change:
            raise ApiAnswerInvalid(f"{place_of(url)} answered {status}: what it gives is not ready, or a part only.")
        if status < 300:
            if self._is_anonymous(response.headers):
                raise ApiRefused(
                    f"{place_of(url)} answered with what anyone may see, as if without a login. Check"
                    f" {self._credential}: it is wrong, expired or revoked.",
                    401,
                )
            return
        answer = f"{place_of(url)} answered {status} {self._detail(response)}".rstrip()
        if status == 429:
            if reason := self._no_use_to_wait(_json_of(response.content)):
                raise ApiRateLimited(f"{place_of(url)} answered 429: {reason}.")
            wait = requested_wait(status, response.headers)
            when = f"come back at {moment_in(wait)}" if wait else "come back later"
            raise ApiRateLimited(f"{answer} {self._attempts()}: {when}, or ask for a higher rate limit.")
        if status >= 500 or status == 408:
            raise ApiUnavailable(f"{answer} {self._attempts()}. Check the state of the server and run again.", status)
        if status == 401:
            raise ApiRefused(f"{answer}. Check {self._credential}: it is wrong, expired or revoked.", status)
        if status == 403:
            may = "do" if is_change else "read"
            raise ApiRefused(f"{answer}. Check what {self._credential} may {may}.", status, _json_of(response.content))
        if 300 <= status < 400:
            target = place_of(urljoin(url, response.headers.get("Location", "")))
            raise ApiRefused(f"{answer}: it has moved to {target}. Correct the base URL.", status)
        raise ApiRefused(f"{answer}.", status, _json_of(response.content))

    def _keep_to_quota(self, headers: Mapping[str, str]) -> None:
        """Hold what follows until the quota is renewed; if that is too late, the API may well say so itself."""
        wait = wait_for_quota(headers)
        if 0 < wait <= self._max_wait_seconds:
            self._hold_all(wait)

    def _wait_to_repeat(self, response: BaseHTTPResponse | None, backoff: float) -> None:
        if response and response.status == 429 and (reason := self._no_use_to_wait(_json_of(response.data))):
            raise ApiRateLimited(f"The API answered 429: {reason}.")
        wait = requested_wait(response.status, response.headers) if response else None
        if response and wait and wait > self._max_wait_seconds:
            raise ApiRateLimited(
                f"The API answered {response.status} and asks to wait {wait:.0f} seconds; this load waits for"
                f" {self._max_wait_seconds:.0f} at most (max_wait_seconds). Run it again at {moment_in(wait)}."
            )
        if wait or (response and response.status == 429):
            self._hold_all(wait or backoff)
        self._gate.pass_through(0 if wait else backoff)
        self.extraction.count_request(is_retry=True)

    def _hold_all(self, seconds: float) -> None:
        self._gate.hold(seconds)
        if seconds >= LONG_WAIT:
            logger.info("The API's rate limit makes all requests wait for %.0f seconds.", seconds)

    def _detail(self, response: requests.Response) -> str:
        """Return what an error answer says, in one short line; nothing of an HTML page."""
        if "html" in response.headers.get("Content-Type", ""):
            return ""
        body = _json_of(response.content)
        own = response.text if body is None else message_of(body)
        text = self._describe(body) if self._describe else own
        text = " ".join(text.split()).removeprefix(f"{response.status_code} ")
        return redact(text)[:LONGEST_DETAIL]

    def _attempts(self) -> str:
        return f"after {self._max_retries} retries" if self._max_retries else "without a retry"


class _Retry(Retry):
    """Waits as its client does."""

    client: ApiClient

    def new(self, **kw: Any) -> Self:
        retry = super().new(**kw)
        retry.client = self.client
        return retry

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        retry = super().increment(method, url, response, error, _pool, _stacktrace)
        if response is not None and response.status == 429:
            # What it says is kept, before urllib3 drains the connection.
            with suppress(HTTPError):
                response.data  # noqa: B018
        return retry

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        self.client._wait_to_repeat(response, self.get_backoff_time())


class _RetryUnsent(_Retry):
    """Repeats only what surely was not carried out."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if error and not isinstance(error, UNSENT):
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)


class _PagingGuard:
    """Finds a list without end."""

    def __init__(self) -> None:
        self._read: set[str] = set()
        self._empty_pages = 0

    def was_read(self, *pages: str) -> None:
        self._read.update(pages)

    def check(self, place: str, following: str, records: list[Record]) -> None:
        if following in self._read:
            raise ApiAnswerInvalid(f"{place} names a page as the next that was already read.")
        self._empty_pages = 0 if records else self._empty_pages + 1
        if self._empty_pages >= MAX_EMPTY_PAGES:
            raise ApiAnswerInvalid(f"{place} gave {self._empty_pages} empty pages in a row and still promises more.")


# RFC 8288, "Link". requests' own parser gives up at a parameter that holds `=` or has no value, and so loses `rel`.
_LINK_PARAMETER = re.compile(r';\s*([^\s;,="]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?\s*')
_LINK = re.compile(r'\s*<([^>]*)>\s*((?:;\s*[^\s;,="]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?\s*)*)(?:,|$)')


def _next_link(response: ApiResponse) -> str | None:
    """Return the link of the relation `next`; None if the header names none.

    Raises:
        ApiAnswerInvalid: the header cannot be read to its end.
    """
    header = response.headers.get("Link", "").strip()
    at = 0
    while at < len(header):
        link = _LINK.match(header, at)
        if link is None:
            raise ApiAnswerInvalid(f"{place_of(response.url)} answered with a Link header that cannot be read.")
        url, parameters = link.groups()
        found = _LINK_PARAMETER.findall(parameters)
        relations = [quoted or plain for name, quoted, plain in found if name.lower() == "rel"]
        # Of several the first one counts.
        if relations and "next" in relations[0].lower().split():
            return str(url).strip()
        at = link.end()
    return None


def _session(retry: Retry, headers: Mapping[str, str]) -> requests.Session:
    session = requests.Session()
    session.headers.update({"Accept": "application/json", **headers})
    # Without it, requests would add the login that ~/.netrc holds for the host.
    session.auth = lambda request: request
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry, pool_maxsize=MAX_CONNECTIONS))
    return session


def _is_unsent(error: requests.RequestException) -> bool:
    cause: object = error.args[0] if error.args else None
    return isinstance(cause.reason if isinstance(cause, MaxRetryError) else cause, UNSENT)


def _outcome_unknown(url: str, why: str) -> ApiOutcomeUnknown:
    return ApiOutcomeUnknown(
        f"Whether {place_of(url)} did what it was sent is not known: {why}. Look there before it is sent again."
    )


def _largest(one: int | None, other: int | None) -> int | None:
    return max((number for number in (one, other) if number is not None), default=None)


def _exact_number(text: str) -> float | Decimal:
    """Return a number as float where that keeps its digits, else as Decimal."""
    number = float(text)
    is_plain = len(text) <= _SURELY_EXACT and "e" not in text.lower()
    return number if is_plain or Decimal(repr(number)) == Decimal(text) else Decimal(text)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _parse(body: bytes, response: requests.Response, url: str) -> Json:
    try:
        return json.loads(body, parse_float=_exact_number, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        kind = response.headers.get("Content-Type", "no content type")
        raise ApiAnswerInvalid(
            f"{place_of(url)} answered {response.status_code} with {len(body)} bytes that are not JSON ({kind})."
            " A login page or a proxy may stand between; check the base URL."
        ) from None


def _next_token(response: ApiResponse, token: str, more_flag: str, last_flag: str) -> str | int | None:
    # Slack, "Pagination": the last page has an empty one.
    following = None if (found := response.find(token)) == "" else found
    has_more, is_last = (response.flag(flag) if flag else None for flag in (more_flag, last_flag))
    if has_more is False or is_last:
        return None
    if following is None and (has_more or is_last is False):
        raise ApiAnswerInvalid(f"{place_of(response.url)} promises another page, but without a {token} to ask for it.")
    if following is None or (isinstance(following, (str, int)) and not isinstance(following, bool)):
        return following
    raise ApiAnswerInvalid(f"{place_of(response.url)} gave a {token} for the next page that is no token.")


def _json_of(body: bytes) -> Json:
    """Return what an error answer holds; None if it is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _root_cause(error: BaseException) -> str:
    """Return the innermost reason of an error of requests, without the URLs that the outer ones carry."""
    reason = getattr(error, "reason", None) or next((arg for arg in error.args if isinstance(arg, Exception)), None)
    if isinstance(reason, Exception):
        return _root_cause(reason)
    text = str(error).rpartition(">: ")[2] or type(error).__name__
    return redact(text)[:LONGEST_DETAIL]
