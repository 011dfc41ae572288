"""A TCP proxy in front of a server: makes it distant, cuts it off, or acts at a chosen moment of the conversation."""

import multiprocessing
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

Address = Path | tuple[str, int]
"""Where a server listens: the path of its Unix socket, or host and port."""

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536
# The operating system wakes a sleeper late by less than this.
SLEEP_MARGIN_SECONDS = 0.0002


class Moment(Enum):
    """When the action of `TcpProxy.when` runs."""

    BEFORE = auto()
    """Before the pattern's last byte is forwarded: the server has not seen it whole."""

    ANSWERED = auto()
    """When the first bytes of the server's answer are here: it has acted, the client does not know."""

    AFTER = auto()
    """When the first bytes of the answer were passed on."""


@dataclass(eq=False)
class _Trigger:
    pattern: bytes
    action: Callable[[], object]
    moment: Moment
    countdown: int


class TcpProxy:
    """Forward connections from a port of this machine to a server. Use it as a context manager.

    Arguments:
        target: the server.
        delay_seconds: how much later bytes arrive, in each direction; throughput stays as it is. A process that is
            busy delays its own threads: to measure behind a delay, use `proxy_process`.
    """

    def __init__(self, target: Address, *, delay_seconds: float = 0.0) -> None:
        self.target = target
        self.delay_seconds = delay_seconds
        self.chunks = 0
        """How many pieces the clients have sent so far; a short message is one piece."""
        self.port = 0
        """Where it listens on 127.0.0.1."""
        self._connections: set[_Connection] = set()
        self._triggers: list[_Trigger] = []
        self._is_cut = False
        self._is_closed = False
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)

    def __enter__(self) -> Self:
        listener = socket.create_server((HOST, 0))
        self.port = listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, args=[listener], name="tcp-proxy", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cut()
        self._is_closed = True
        # Closing a listener does not wake the thread that waits at it; a connection does.
        socket.create_connection((HOST, self.port)).close()
        self._acceptor.join()

    def cut(self) -> None:
        """Drop all connections at once, and new ones as soon as they come."""
        with self._lock:
            self._is_cut = True
        self.drop()

    def drop(self) -> None:
        """Drop all connections at once; new ones are welcome."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.drop()

    def restore(self) -> None:
        """Accept connections again."""
        with self._lock:
            self._is_cut = False

    def when(
        self,
        pattern: bytes,
        action: Callable[[], object],
        moment: Moment = Moment.BEFORE,
        *,
        occurrence: int = 1,
    ) -> None:
        """Run an action once, when bytes from a client to the server contain a pattern.

        The bytes are held back while it runs, and dropped if it cuts their connection. It runs in a thread of the
        proxy.

        Arguments:
            pattern: may be spread over several pieces; empty: every piece counts.
            action: such as the proxy's own `cut`.
            moment: when, in relation to the pattern's way to the server and the answer's way back. The client is
                taken to wait for each answer before it sends more.
            occurrence: at which occurrence, counted over all connections from now on.
        """
        with self._lock:
            self._triggers.append(_Trigger(pattern, action, moment, occurrence))

    def join(self, timeout: float) -> None:
        """Wait until all connections have ended, and the actions that they set off.

        Arguments:
            timeout: the longest wait, in seconds.

        Raises:
            TimeoutError: there still are connections.
        """
        with self._ended:
            if not self._ended.wait_for(lambda: not self._connections, timeout):
                raise TimeoutError(f"{len(self._connections)} connections have not ended in {timeout:g} seconds.")

    def clear(self) -> None:
        """Forget the actions that have not run yet."""
        with self._lock:
            self._triggers.clear()

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while not self._is_closed:
                client, _ = listener.accept()
                if self._is_cut:
                    client.close()
                else:
                    self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = _connection_to(self.target)
        except OSError:
            client.close()
            return
        connection = _Connection(self, client, server)
        with self._lock:
            self._connections.add(connection)
            is_cut = self._is_cut
        connection.start()
        if is_cut:
            connection.drop()

    def _take_due(self, chunk: bytes, tails: dict[_Trigger, bytes]) -> list[_Trigger]:
        """Count a client's piece and take out the triggers that are due with it."""
        with self._lock:
            self.chunks += 1
            due = []
            for trigger in list(self._triggers):
                if trigger.pattern:
                    text = tails.get(trigger, b"") + chunk
                    tails[trigger] = text[max(0, len(text) - len(trigger.pattern) + 1) :]
                    trigger.countdown -= text.count(trigger.pattern)
                else:
                    trigger.countdown -= 1
                if trigger.countdown <= 0:
                    self._triggers.remove(trigger)
                    due.append(trigger)
            return due

    def _forget(self, connection: "_Connection") -> None:
        with self._lock:
            self._connections.discard(connection)
            self._ended.notify_all()


class _Connection:
    """One client's connection: a pump for each direction."""

    def __init__(self, proxy: TcpProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._awaiting_answer: list[_Trigger] = []
        self._tails: dict[_Trigger, bytes] = {}
        self._open_directions = 2
        self._lock = threading.Lock()
        for end in (client, server):
            if end.family == socket.AF_INET:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        for source, destination, deliver in (
            (self._client, self._server, self._to_server),
            (self._server, self._client, self._to_client),
        ):
            arguments = (source, destination, deliver)
            threading.Thread(target=self._pump, args=arguments, name="tcp-proxy-pump", daemon=True).start()

    def drop(self) -> None:
        for end in (self._client, self._server):
            # A close alone does not wake a thread that waits for bytes.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _pump(self, source: socket.socket, destination: socket.socket, deliver: Callable[[bytes], None]) -> None:
        try:
            for chunk in _delayed(_chunks(source), self._proxy.delay_seconds):
                deliver(chunk)
            destination.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop()
        finally:
            self._end_direction()

    def _end_direction(self) -> None:
        with self._lock:
            self._open_directions -= 1
            is_over = not self._open_directions
        if is_over:
            self._client.close()
            self._server.close()
            self._proxy._forget(self)

    def _to_server(self, chunk: bytes) -> None:
        due = self._proxy._take_due(chunk, self._tails)
        for trigger in due:
            if trigger.moment is Moment.BEFORE:
                trigger.action()
        with self._lock:
            self._awaiting_answer += [trigger for trigger in due if trigger.moment is not Moment.BEFORE]
        self._server.sendall(chunk)

    def _to_client(self, chunk: bytes) -> None:
        with self._lock:
            due, self._awaiting_answer = self._awaiting_answer, []
        for trigger in due:
            if trigger.moment is Moment.ANSWERED:
                trigger.action()
        self._client.sendall(chunk)
        for trigger in due:
            if trigger.moment is Moment.AFTER:
                trigger.action()


@contextmanager
def proxy_process(target: Address, *, delay_seconds: float = 0.0) -> Iterator[int]:
    """Run a proxy in a process of its own and give its port on 127.0.0.1.

    Arguments:
        target: the server.
        delay_seconds: how much later bytes arrive, in each direction.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, target, delay_seconds), daemon=True)
    process.start()
    theirs.close()
    try:
        with ours:
            yield int(ours.recv())
    finally:
        process.join()


def _serve(parent: Connection, target: Address, delay_seconds: float) -> None:
    with TcpProxy(target, delay_seconds=delay_seconds) as proxy:
        parent.send(proxy.port)
        with suppress(EOFError):
            parent.recv()


def _connection_to(target: Address) -> socket.socket:
    if not isinstance(target, Path):
        return socket.create_connection(target)
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(str(target))
    except OSError:
        server.close()
        raise
    return server


def _chunks(source: socket.socket) -> Iterator[bytes]:
    while chunk := source.recv(CHUNK_BYTES):
        yield chunk


def _delayed(chunks: Iterator[bytes], seconds: float) -> Iterator[bytes]:
    """Yield each chunk so much later than it came, as a long line would: none waits for the one before it."""
    if not seconds:
        yield from chunks
        return
    line: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

    def receive() -> None:
        with suppress(OSError):
            for chunk in chunks:
                line.put((time.perf_counter() + seconds, chunk))
        line.put((0.0, b""))

    threading.Thread(target=receive, name="tcp-proxy-line", daemon=True).start()
    while True:
        due, chunk = line.get()
        if not chunk:
            return
        _wait_until(due)
        yield chunk


def _wait_until(due: float) -> None:
    while (left := due - time.perf_counter()) > 0:
        # Near the end it only lets other threads run: the moment would be missed asleep.
        time.sleep(max(0.0, left - SLEEP_MARGIN_SECONDS))
