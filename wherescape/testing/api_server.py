"""A stand-in for an API on loopback: what all fake servers share, whatever they serve."""

import json
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from requests.structures import CaseInsensitiveDict

from wherescape.errors import SandboxError


@dataclass(frozen=True)
class Request:
    """A request that the server got.

    Arguments:
        path: behind the server's prefix, its parts percent-encoded.
        query: decoded; of a name that is given twice, the last value.
        method: GET, POST, PUT, PATCH or DELETE.
        body: the parsed JSON; None without one.
        headers: names are found in any case.
    """

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    Arguments:
        status: the HTTP status; 0 closes the connection without an answer.
        body: the text that is sent.
        headers: replace Date, Content-Length and a Content-Type of JSON, or are added to them.
        cut: send half of the body only, and close the connection.
    """

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


def json_answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(status, json.dumps(body), headers or {})


class Refused(Exception):  # noqa: N818  an answer, not a fault of the server
    """Ends the making of an answer with another one."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass
class _Fault:
    answer: Answer
    path: str
    after: int
    times: int


@dataclass
class _Hook:
    action: Callable[[], object]
    path: str
    after: int


class ApiServer(ABC):
    """Serves an API on 127.0.0.1; a subclass knows which.

    It is strict: what the API's contract forbids is refused, and leaving the `with` block is an error then, so that a
    client that passes over a refusal is found as well.

    Raises:
        SandboxError: when the `with` block is left without another error, if the client broke the contract.
    """

    prefix = ""
    """What every path begins with, such as `/api/v4`; other paths get a page of HTML."""

    def __init__(self) -> None:
        self.now: datetime | None = None
        """The time that Date headers show; None for the real one."""
        self.requests: list[Request] = []
        self.mistakes: list[str] = []
        """What the client did that the contract forbids; clear it after a test of that."""
        self.lock = threading.RLock()
        """Held while an answer is made; hold it to change several things at once."""
        self.rewrite: Callable[[Request, Answer], Answer] = lambda request, answer: answer
        """Changes true answers before they are sent."""
        self._faults: list[_Fault] = []
        self._hooks: list[_Hook] = []
        self._server: _LoopbackServer | None = None

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """Answer one request; may raise `Refused`."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, exception_type: object, *exception: object) -> None:
        self.stop()
        if self.mistakes and exception_type is None:
            raise SandboxError(f"The client broke the contract of {type(self).__name__}: {'; '.join(self.mistakes)}.")

    @property
    def is_running(self) -> bool:
        """Whether it answers requests."""
        return self._server is not None

    @property
    def url(self) -> str:
        """The address without the prefix."""
        if self._server is None:
            raise SandboxError(
                f"The {type(self).__name__} is not running; call start() or use it in a with statement."
            )
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self, port: int = 0) -> None:
        """Start to serve.

        Arguments:
            port: 0 for one that is free.

        Raises:
            SandboxError: another program has the port.
        """
        try:
            self._server = _LoopbackServer(self, port)
        except OSError as error:
            raise SandboxError(f"Port {port} cannot be served: {error.strerror}; choose another.") from error
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop to serve: connections that are open are closed at the next request, new ones are refused."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def fail_next(self, answer: Answer, *, times: int = 1, path: str = "", after: int = 0) -> None:
        """Send another answer than the real one.

        Arguments:
            answer: what to send.
            times: for how many requests.
            path: only for requests whose path contains it.
            after: how many such requests to answer truly first.
        """
        with self.lock:
            self._faults.append(_Fault(answer, path, after, times))

    def mend(self) -> None:
        """Forget the faults of `fail_next` and the actions of `after_answer` that have not come."""
        with self.lock:
            self._faults.clear()
            self._hooks.clear()

    def after_answer(self, action: Callable[[], object], *, path: str = "", after: int = 0) -> None:
        """Run something once an answer is made and before it is sent, such as a change between two pages.

        Arguments:
            action: called once, with the lock held.
            path: only for requests whose path contains it.
            after: how many such requests to pass over first.
        """
        with self.lock:
            self._hooks.append(_Hook(action, path, after))

    def mistake(self, text: str, answer: Answer) -> Refused:
        """Note that the client broke the contract, and return the refusal to raise."""
        self.mistakes.append(text)
        return Refused(answer)

    def respond(self, request: Request) -> Answer:
        """Answer one request, or give the answer that `fail_next` asks for."""
        with self.lock:
            self.requests.append(request)
            if fault := self._take_fault(request.path):
                return fault
            try:
                answer = self.rewrite(request, self._made(request))
                self._run_hooks(request.path)
            except Exception as error:
                # It would look like a broken connection, which a client repeats.
                self.mistakes.append(f"{request.method} {request.path} made the server fail: {error!r}")
                answer = Answer(500)
            return answer

    def _made(self, request: Request) -> Answer:
        try:
            return self.answer(request)
        except Refused as refused:
            return refused.answer

    def _take_fault(self, path: str) -> Answer | None:
        for fault in self._faults:
            if fault.path in path and fault.times:
                if fault.after:
                    fault.after -= 1
                    continue
                fault.times -= 1
                return fault.answer
        return None

    def _run_hooks(self, path: str) -> None:
        for hook in [hook for hook in self._hooks if hook.path in path]:
            if hook.after:
                hook.after -= 1
            else:
                self._hooks.remove(hook)
                hook.action()


class FunctionServer(ApiServer):
    """A fake API that is one function.

        with FunctionServer(lambda request: {"items": []}) as server:
            ...

    Arguments:
        function: answers a request with an `Answer`, or with what is sent as JSON; may raise `Refused`.
    """

    def __init__(self, function: Callable[[Request], object]) -> None:
        super().__init__()
        self._function = function

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        answer = self._function(request)
        return answer if isinstance(answer, Answer) else json_answer(answer)


class _LoopbackServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, api: ApiServer, port: int) -> None:
        self.api = api
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that goes away in the middle is its own business.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _LoopbackServer
    # A body must not wait for the client to acknowledge the headers; that costs 40 ms a request.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:  # noqa: N802  the name that http.server calls
        api = self.server.api
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        # A client that was killed while it sent has asked for nothing.
        if not api.is_running or len(body) < length:
            self.close_connection = True
            return
        url = urlsplit(self.path)
        if not url.path.startswith(f"{api.prefix}/"):
            self._send(Answer(404, "<html><body>Not found</body></html>", {"Content-Type": "text/html"}))
            return
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        try:
            parsed = json.loads(body) if body else None
        except ValueError:
            with api.lock:
                api.mistakes.append(f"{self.command} {url.path} has a body that is not JSON")
            self._send(json_answer({"error": "the body is not JSON"}, 400))
            return
        path = url.path.removeprefix(api.prefix)
        self._send(api.respond(Request(path, query, self.command, parsed, CaseInsensitiveDict(self.headers.items()))))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _send(self, answer: Answer) -> None:
        if not answer.status:
            self.close_connection = True
            return
        body = answer.body.encode()
        headers = {
            "Date": self.date_time_string(),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **answer.headers,
        }
        self.send_response_only(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if answer.cut else body)
        self.close_connection = self.close_connection or answer.cut

    def date_time_string(self, timestamp: float | None = None) -> str:
        now = self.server.api.now
        return format_datetime(now.astimezone(UTC), usegmt=True) if now else super().date_time_string(timestamp)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the console clean; `ApiServer.requests` tells what was asked."""
