"""The proxy passes bytes on as they are, later if it is told so, and acts at the moment that it is told."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress

import pyodbc
import pytest

from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.tcp_proxy import HOST, Address, Moment, TcpProxy, proxy_process

TIMEOUT_SECONDS = 20


class Echo:
    """A server that answers each line with the same line; `lines` are those that it has read."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._listener = socket.create_server((HOST, 0))
        self.address: Address = (HOST, self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[client], daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, client.makefile("rwb") as stream:
            for line in stream:
                self.lines.append(line.strip())
                stream.write(line)
                stream.flush()


class Client:
    """One connection to a port of this machine."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=TIMEOUT_SECONDS)

    def send(self, text: bytes) -> None:
        self._socket.sendall(text)

    def receive(self) -> bytes:
        """Return a line; what came before the end of the connection if there is no whole one."""
        line = b""
        with suppress(ConnectionError):
            while not line.endswith(b"\n") and (more := self._socket.recv(65_536)):
                line += more
        return line.strip()

    def ask(self, text: bytes) -> bytes:
        self.send(text + b"\n")
        return self.receive()

    def end(self) -> None:
        """Say that nothing more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as server:
        yield server


@contextmanager
def proxy_here(target: Address, *, delay_seconds: float) -> Iterator[int]:
    with TcpProxy(target, delay_seconds=delay_seconds) as proxy:
        yield proxy.port


@contextmanager
def client_of(port: int) -> Iterator[Client]:
    with closing(Client(port)) as client:
        yield client


def test_bytes_are_passed_on_as_they_are(echo: Echo) -> None:
    text = bytes(range(32, 127)) * 20_000
    with TcpProxy(echo.address) as proxy, client_of(proxy.port) as client:
        threading.Thread(target=client.send, args=[text + b"\n"]).start()
        assert client.receive() == text.strip()


def test_several_clients_are_served_at_once(echo: Echo) -> None:
    with TcpProxy(echo.address) as proxy, client_of(proxy.port) as first, client_of(proxy.port) as second:
        assert [second.ask(b"2"), first.ask(b"1"), second.ask(b"3")] == [b"2", b"1", b"3"]


def test_the_end_of_a_connection_is_passed_on(echo: Echo) -> None:
    with TcpProxy(echo.address) as proxy, client_of(proxy.port) as client:
        client.send(b"half a line")
        client.end()
        assert client.receive() == b"half a line"


def test_a_client_of_a_server_that_is_down_is_dropped(echo: Echo) -> None:
    echo.close()
    with TcpProxy(echo.address) as proxy, client_of(proxy.port) as client:
        assert client.receive() == b""


def test_no_answer_comes_before_the_delay_of_both_ways(echo: Echo) -> None:
    with TcpProxy(echo.address, delay_seconds=0.05) as proxy, client_of(proxy.port) as client:
        begin = time.monotonic()
        assert client.ask(b"hello") == b"hello"
        assert time.monotonic() - begin >= 0.1


def test_a_cut_drops_connections_and_refuses_new_ones_until_it_is_restored(echo: Echo) -> None:
    with TcpProxy(echo.address) as proxy, client_of(proxy.port) as before:
        assert before.ask(b"1") == b"1"
        proxy.cut()
        with client_of(proxy.port) as during:
            assert [before.receive(), during.receive()] == [b"", b""]
        proxy.restore()
        with client_of(proxy.port) as after:
            assert after.ask(b"2") == b"2"
    assert echo.lines == [b"1", b"2"]


def test_a_dropped_client_may_come_back(echo: Echo) -> None:
    with TcpProxy(echo.address) as proxy, client_of(proxy.port) as before:
        assert before.ask(b"1") == b"1"
        proxy.drop()
        with client_of(proxy.port) as after:
            assert [before.receive(), after.ask(b"2")] == [b"", b"2"]


@pytest.mark.parametrize(
    ("moment", "seen", "answer"),
    [(Moment.BEFORE, [], b""), (Moment.ANSWERED, [b"COMMIT"], b""), (Moment.AFTER, [b"COMMIT"], b"COMMIT")],
)
def test_a_cut_at_a_moment_of_the_conversation(echo: Echo, moment: Moment, seen: list[bytes], answer: bytes) -> None:
    with TcpProxy(echo.address) as proxy, client_of(proxy.port) as client:
        proxy.when(b"COMMIT", proxy.cut, moment)
        assert client.ask(b"BEGIN") == b"BEGIN"
        client.send(b"COMMIT\n")
        assert client.receive() == answer
        assert client.receive() == b""
    assert echo.lines == [b"BEGIN", *seen]


@pytest.mark.parametrize(
    ("pattern", "occurrence", "expected"),
    [(b"b", 1, 2), (b"b", 3, 4), (b"", 3, 3), (b"ab", 1, 2), (b"\nb", 2, 4)],
)
def test_an_action_runs_once_at_its_occurrence(echo: Echo, pattern: bytes, occurrence: int, expected: int) -> None:
    asked: list[int] = []
    acted: list[int] = []
    with TcpProxy(echo.address) as proxy, client_of(proxy.port) as client:
        proxy.when(pattern, lambda: acted.append(len(asked)), occurrence=occurrence)
        for text in (b"a", b"ab", b"b", b"b", b"bbb"):
            asked.append(1)
            client.ask(text)
    assert acted == [expected]


def test_a_pattern_in_two_pieces_is_found(echo: Echo) -> None:
    with TcpProxy(echo.address) as proxy, client_of(proxy.port) as client:
        proxy.when(b"COM\nMIT", proxy.cut)
        assert client.ask(b"COM") == b"COM"
        assert client.ask(b"MIT") == b""


def test_a_join_waits_for_connections_and_their_actions(echo: Echo) -> None:
    acting, may_end = threading.Event(), threading.Event()
    acted: list[bool] = []

    def act() -> None:
        acting.set()
        acted.append(may_end.wait(TIMEOUT_SECONDS))

    with TcpProxy(echo.address) as proxy:
        proxy.when(b"COMMIT", act)
        with client_of(proxy.port) as client:
            client.send(b"COMMIT\n")
            assert acting.wait(TIMEOUT_SECONDS)
        with pytest.raises(TimeoutError, match="1 connections"):
            proxy.join(timeout=0.01)
        may_end.set()
        proxy.join(TIMEOUT_SECONDS)
        assert acted == [True]


def test_an_action_that_is_forgotten_does_not_run(echo: Echo) -> None:
    with TcpProxy(echo.address) as proxy, client_of(proxy.port) as client:
        proxy.when(b"COMMIT", proxy.cut)
        proxy.clear()
        assert client.ask(b"COMMIT") == b"COMMIT"


@pytest.mark.parametrize("delay_seconds", [0.0, 0.0005])
@pytest.mark.parametrize("start", [proxy_here, proxy_process])
def test_both_databases_are_reached_through_a_proxy(
    red: RedServer, start: Callable[..., AbstractContextManager[int]], delay_seconds: float
) -> None:
    with start(red.database_address, delay_seconds=delay_seconds) as port:
        through = red.variables_through(repository_port=port, target_port=port)
        for variable, user, password in (
            ("WSL_META_DSN", red.meta_user, red.meta_password),
            ("WSL_TGT_DSN", red.target_user, red.target_password),
        ):
            assert f"Servername={HOST};Port={port};" in through[variable]
            with closing(pyodbc.connect(f"{through[variable]};UID={user};PWD={password}")) as connection:
                assert connection.execute("SELECT current_user").fetchval() == user


def test_a_database_that_was_stopped_is_back_at_its_address_with_what_was_committed(clean_red: RedServer) -> None:
    address = clean_red.database_address
    clean_red.query_warehouse("CREATE TABLE load.kept (a integer); INSERT INTO load.kept VALUES (1)")
    clean_red.stop_database()
    try:
        with TcpProxy(address) as proxy, client_of(proxy.port) as client:
            assert client.receive() == b""
    finally:
        clean_red.start_database()
    assert clean_red.database_address == address
    assert [tuple(row) for row in clean_red.query_warehouse("SELECT a FROM load.kept")] == [(1,)]
