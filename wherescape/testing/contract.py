"""The tests that every connector inherits: whatever an API does in a night, no row is lost without a word.

    class TestAcmeItems(ConnectorContract):
        load_table = "load_acme_item"
        key = ("id",)
        create_metadata = staticmethod(acme_create_metadata)
        load_data = staticmethod(acme_load_data)

        def start(self) -> AcmeServer: ...
        def connection(self, server: AcmeServer) -> dict[str, str]: ...
        def add(self, server: AcmeServer) -> tuple[object, ...]: ...
        def change(self, server: AcmeServer, key: tuple[object, ...]) -> None: ...
        def remove(self, server: AcmeServer, key: tuple[object, ...]) -> None: ...

Each test loads from the connector's fake API into the stand-in RED server, over the real driver.
"""

import json
import logging
import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from wherescape import WhereScape
from wherescape.errors import WhereScapeError
from wherescape.load_task import LoadResult
from wherescape.preview import Loader, preview
from wherescape.sandbox import RedServer
from wherescape.testing.api_server import Answer, ApiServer, json_answer

Server = TypeVar("Server", bound=ApiServer)
Key = tuple[Any, ...]

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MASK_KEY = "0123456789abcdef" * 4
EVERY_REQUEST = 10**9
HTML = Answer(200, "<html><body>Sign in</body></html>", {"Content-Type": "text/html"})

PASSING = {
    "rate limit": Answer(429, '{"message": "slow down"}', {"Retry-After": "0"}),
    "rate limit as text": Answer(429, "Retry later\n", {"Content-Type": "text/plain"}),
    "error": Answer(500, "{}"),
    "bad gateway": Answer(502, "<html></html>", {"Content-Type": "text/html"}),
    "unavailable": Answer(503, ""),
    "no answer": Answer(0),
    "half an answer": Answer(200, '{"id": 1, "name": "one"}', cut=True),
}
LASTING = PASSING | {
    "expired login": Answer(401, '{"message": "Unauthorized"}'),
    "bad request": Answer(400, '{"message": "Bad request"}'),
    "login page": HTML,
    "empty body": Answer(200, ""),
}
OF_ANOTHER_KIND = ["null", '"text"', "5", "[1]", '{"unexpected": true}', '{"error": "out of order"}']


class ConnectorContract(ABC, Generic[Server]):
    """Tests of one load table of a connector; a subclass whose name begins with `Test` names the two and the fake API.

    The fake API must refuse what the real one refuses, and keep its time in `server.now`.
    """

    load_table: ClassVar[str]
    """The load table's name."""
    key: ClassVar[tuple[str, ...]]
    """The columns that identify a row."""
    create_metadata: ClassVar[Callable[..., object]]
    """The host function of the metadata, as a staticmethod; takes `wherescape`."""
    load_data: ClassVar[Callable[..., LoadResult]]
    """The host function of the load, as a staticmethod; takes `wherescape` and `max_retries`."""
    options: ClassVar[Mapping[str, Any]] = {}
    """Further arguments of `load_data`."""
    metadata_options: ClassVar[Mapping[str, Any]] = {}
    """Further arguments of `create_metadata`."""
    records: ClassVar[int] = 5
    """How many records a test adds at first."""
    is_incremental: ClassVar[bool] = True
    """Whether a load brings only what is new since the last one."""
    has_changes: ClassVar[bool] = True
    """Whether a record can change."""
    has_removals: ClassVar[bool] = True
    """Whether a record can be deleted."""
    personal: ClassVar[tuple[str, ...]] = ()
    """Texts about persons that are in the records which `add` makes, and that masks keep away."""
    mask_options: ClassVar[Mapping[str, Any]] = {}
    """Arguments of `load_data` that switch masks on."""
    not_tested: ClassVar[Mapping[str, str]] = {}
    """Names of tests that do not apply to this API, and why."""

    # ------------------------------------------------------------------------------------------------- to be named

    @abstractmethod
    def start(self) -> Server:
        """Return the fake API, not yet running and without a record, whose time is `START`."""

    @abstractmethod
    def connection(self, server: Server) -> Mapping[str, str]:
        """Return the fields of the RED connection: `url`, `user`, `apikey`."""

    @abstractmethod
    def add(self, server: Server) -> Key:
        """Add a record at the server's time, and return its key as it stands in the load table."""

    def change(self, server: Server, key: Key) -> None:
        """Change a record at the server's time, if records change."""
        raise NotImplementedError(f"{type(self).__name__} must define change, or set has_changes to False.")

    def remove(self, server: Server, key: Key) -> None:
        """Delete a record, if records can be deleted."""
        raise NotImplementedError(f"{type(self).__name__} must define remove, or set has_removals to False.")

    def one_of(self, keys: Sequence[Key]) -> Key:
        """Return the record that a test changes or removes, of those in order of their keys."""
        return keys[0]

    def secrets(self, server: Server) -> tuple[str, ...]:
        """Return what must not be seen anywhere; the connection's `apikey` when it is not overridden."""
        return (self.connection(server)["apikey"],)

    def file_name(self, server: Server) -> str:
        """Return the load table's Source File Name in RED."""
        return ""

    def shorten_pages(self, server: Server) -> None:
        """Let pages have fewer records than were asked for, as an API may."""
        raise NotImplementedError(f"{type(self).__name__} must define shorten_pages, or say why it cannot.")

    def pass_time(self, server: Server, time: timedelta) -> None:
        """Let time pass at the API."""
        with server.lock:
            server.now = (server.now or START) + time

    # ---------------------------------------------------------------------------------------------------- fixtures

    @pytest.fixture(autouse=True)
    def _applies(self, request: pytest.FixtureRequest) -> None:
        if reason := self.not_tested.get(request.function.__name__):
            pytest.skip(reason)

    @pytest.fixture
    def server(self, clean_red: RedServer) -> Iterator[Server]:
        """The fake API with some records, and the load table that they go to."""
        with self.start() as server:
            self._add_records(server)
            self._create(clean_red, server)
            yield server

    # ------------------------------------------------------------------------------------------------------- tests

    def test_all_records_are_loaded_once(self, clean_red: RedServer) -> None:
        """Each record that exists becomes one row."""
        with self.start() as server:
            added = self._add_records(server)
            self._create(clean_red, server)
            result = self._load(clean_red, server)
        assert sorted(self._rows(clean_red)) == sorted(added)
        assert result.inserted == len(added)

    def test_a_preview_shows_rows_and_writes_nothing(self, clean_red: RedServer, server: Server) -> None:
        """What `wherescape preview` shows is what a load would store, and nothing is left of it."""
        loader = Loader(type(self).__name__, partial(self.load_data, **self.options), ())
        variables = clean_red.environment(self.load_table, source_config=self.connection(server))
        before = self._marks(clean_red), sorted(clean_red.workdir.rglob("*"))
        seen = preview(loader, variables)
        after = self._marks(clean_red), sorted(clean_red.workdir.rglob("*"))
        assert (after, self._rows(clean_red)) == (before, [])
        places = [[column.name for column in seen.table.columns].index(name) for name in self.key]
        shown = {tuple(row[place] for place in places) for row in seen.rows}
        self._load(clean_red, server)
        assert shown
        assert shown <= {*self._rows(clean_red)}

    def test_an_empty_source_is_loaded_empty(self, clean_red: RedServer) -> None:
        """A source without a record is no error."""
        with self.start() as server:
            self._create(clean_red, server)
            assert self._load(clean_red, server).inserted == 0

    def test_two_loads_in_one_process_are_alike(self, clean_red: RedServer, server: Server) -> None:
        """No load leaves anything in the process that changes the next one."""
        first = self._load_anew(clean_red, server)
        assert self._load_anew(clean_red, server) == first

    def test_short_pages_are_no_end(self, clean_red: RedServer, server: Server) -> None:
        """A page with fewer records than were asked for, or none, does not end a list."""
        whole = self._load_anew(clean_red, server)
        self.shorten_pages(server)
        assert self._load_anew(clean_red, server) == whole

    def test_a_page_that_comes_again_is_no_end(self, clean_red: RedServer, server: Server) -> None:
        """An API that gives its first page again and again is found out."""
        whole = self._load_anew(clean_red, server)
        first: dict[str, Answer] = {}
        server.rewrite = lambda request, answer: first.setdefault(request.path, answer)
        self._fails_or_is_whole(clean_red, server, whole)

    @pytest.mark.parametrize("fault", PASSING)
    def test_a_fault_that_passes_costs_no_row(self, clean_red: RedServer, server: Server, fault: str) -> None:
        """A request that fails once is repeated, wherever in the load it is."""
        whole = self._load_anew(clean_red, server)
        for position in self._positions(server):
            server.fail_next(PASSING[fault], after=position)
            assert self._load_anew(clean_red, server, max_retries=3) == whole, f"at request {position + 1}"

    @pytest.mark.parametrize("fault", LASTING)
    def test_a_fault_that_lasts_fails_the_load(self, clean_red: RedServer, server: Server, fault: str) -> None:
        """A request that goes on failing is an error; nothing is loaded and no mark moves."""
        self._load_anew(clean_red, server)
        for position in self._positions(server):
            self._forget(clean_red)
            server.fail_next(LASTING[fault], after=position, times=EVERY_REQUEST)
            self._fails(clean_red, server)
            server.mend()

    @pytest.mark.parametrize("body", OF_ANOTHER_KIND)
    def test_an_answer_of_another_kind_is_an_error(self, clean_red: RedServer, server: Server, body: str) -> None:
        """An answer of 200 that holds no records is not taken for the end of a list."""
        whole = self._load_anew(clean_red, server)
        for position in self._positions(server):
            server.fail_next(Answer(200, body), after=position, times=EVERY_REQUEST)
            self._fails_or_is_whole(clean_red, server, whole)
            server.mend()

    @pytest.mark.parametrize("status", [403, 404])
    def test_rights_that_are_revoked_are_no_shorter_list(
        self, clean_red: RedServer, server: Server, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What is forbidden or gone half way is an error, or a warning that holds the mark."""
        whole = self._load_anew(clean_red, server)
        for position in self._positions(server):
            caplog.clear()
            server.fail_next(json_answer({"message": "not for you"}, status), after=position, times=EVERY_REQUEST)
            self._fails_or_is_whole(clean_red, server, whole, caplog)
            server.mend()

    def test_fields_that_are_new_change_nothing(self, clean_red: RedServer, server: Server) -> None:
        """The API may add fields to its records."""
        whole = self._load_anew(clean_red, server)
        server.rewrite = lambda request, answer: _with_new_fields(answer)
        assert self._load_anew(clean_red, server) == whole

    def test_what_has_come_and_changed_is_loaded(self, clean_red: RedServer, server: Server) -> None:
        """The next load brings what is new, and not everything again."""
        whole = self._load_anew(clean_red, server)
        self.pass_time(server, DAY)
        touched = self._touch(server, self.one_of(whole))
        self.pass_time(server, DAY)
        self._load(clean_red, server)
        found = self._rows(clean_red)
        assert len(found) == len({*found})
        if self.is_incremental:
            assert touched <= {*found} < {*whole} | touched
        else:
            assert {*found} == {*whole} | touched

    def test_what_is_of_the_same_moment_as_the_mark_is_loaded(self, clean_red: RedServer, server: Server) -> None:
        """What happens in the second of the first load is in the next one."""
        whole = self._load_anew(clean_red, server)
        # Before the clock has moved on.
        touched = self._touch(server, self.one_of(whole))
        self.pass_time(server, DAY)
        self._load(clean_red, server)
        assert touched <= {*self._rows(clean_red)}

    @pytest.mark.parametrize("event", ["add", "change", "remove"])
    def test_no_record_is_lost_while_the_source_changes(
        self, clean_red: RedServer, server: Server, event: str
    ) -> None:
        """A record that comes, changes or goes between two pages hides no other."""
        if not {"add": True, "change": self.has_changes, "remove": self.has_removals}[event]:
            pytest.skip("Its records stay as they are.")
        existing = {*self._load_anew(clean_red, server)}
        for position in self._positions(server):
            self._forget(clean_red)
            one = self.one_of(sorted(existing))
            appeared: set[Key] = set()
            removed = {one} if event == "remove" else set()

            server.after_answer(partial(self._happen, server, event, one, appeared), after=position)
            loaded: set[Key] = set()
            for _ in range(2):
                self._load(clean_red, server)
                loaded |= {*self._rows(clean_red)}
                self.pass_time(server, DAY)
            existing = (existing | appeared) - removed
            assert existing <= loaded <= existing | removed, f"after request {position + 1}"

    def test_nothing_personal_is_left_anywhere(
        self, clean_red: RedServer, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Masked texts are in no row, file, log or message."""
        caplog.set_level(logging.DEBUG, "wherescape")
        assert self.personal, f"{type(self).__name__} must name personal texts, or say why there are none."
        clean_red.write_parameter("mask_key", MASK_KEY)
        self._load(clean_red, server)
        plain = self._stored(clean_red)
        assert [text for text in self.personal if text not in plain] == [], plain[:300]
        self._forget(clean_red)
        self._load(clean_red, server, **self.mask_options)
        left = f"{self._stored(clean_red)}\n{self._left_behind(clean_red)}\n{caplog.text}"
        assert [text for text in self.personal if text in left] == []

    def test_no_secret_is_left_anywhere(
        self, clean_red: RedServer, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The login is in no row, file, log or message, whatever fails."""
        caplog.set_level(logging.DEBUG, "wherescape")
        self._load_anew(clean_red, server)
        left = [self._stored(clean_red), self._left_behind(clean_red)]
        for answer in (Answer(401, "{}"), HTML, Answer(0), Answer(429, "{}", {"Retry-After": "100000"})):
            server.fail_next(answer, times=EVERY_REQUEST)
            left.append(str(self._fails(clean_red, server)))
            server.mend()
        everything = "\n".join([*left, self._left_behind(clean_red), caplog.text])
        assert [secret for secret in self.secrets(server) if secret in everything] == []

    def test_red_is_told_of_a_failure(self, clean_red: RedServer, server: Server, tmp_path: Path) -> None:
        """A host script that fails says so in its status, and leaves the load table empty."""
        server.fail_next(Answer(400, '{"message": "Bad request"}'), times=EVERY_REQUEST)
        result = clean_red.run_host_script(
            self._script(tmp_path), self.load_table, source_config=self.connection(server)
        )
        assert (result.status, result.inserted) == (-2, 0), result
        assert self._rows(clean_red) == []

    def test_a_load_that_is_killed_leaves_all_to_the_next(
        self, clean_red: RedServer, server: Server, tmp_path: Path
    ) -> None:
        """A process that is killed has loaded nothing and moved no mark."""
        whole = self._load_anew(clean_red, server)
        positions = self._positions(server)
        self._forget(clean_red)
        marks = self._marks(clean_red)
        for position in positions:
            server.after_answer(lambda: kill(tmp_path / "pid"), after=position)
            result = clean_red.run_host_script(
                self._script(tmp_path), self.load_table, source_config=self.connection(server)
            )
            assert result.status == -3, result
            assert (self._rows(clean_red), self._marks(clean_red)) == ([], marks)
        assert self._load_anew(clean_red, server) == whole

    # ----------------------------------------------------------------------------------------------------- helpers

    def _touch(self, server: Server, one: Key) -> set[Key]:
        """Add a record, and change one if records change; return the keys."""
        if self.has_changes:
            self.change(server, one)
        return {self.add(server), *([one] if self.has_changes else [])}

    def _happen(self, server: Server, event: str, one: Key, appeared: set[Key]) -> None:
        if event == "add":
            appeared.add(self.add(server))
        elif event == "change":
            self.change(server, one)
        else:
            self.remove(server, one)

    def _add_records(self, server: Server) -> set[Key]:
        """Add records, some of which are of one moment."""
        added = set()
        for number in range(self.records):
            added.add(self.add(server))
            self.pass_time(server, HOUR * (number % 2))
        self.pass_time(server, DAY)
        return added

    def _create(self, red: RedServer, server: Server) -> None:
        red.register_load_table(self.load_table, file_name=self.file_name(server))
        wherescape = WhereScape(red.environment(self.load_table, source_config=self.connection(server)))
        try:
            type(self).create_metadata(wherescape=wherescape, **self.metadata_options)
        finally:
            wherescape.close()
        red.create_table(self.load_table)

    def _load(self, red: RedServer, server: Server, **options: Any) -> LoadResult:
        """Load as a host script does, after RED has emptied the load table."""
        red.query_warehouse(f'TRUNCATE load."{self.load_table}"')
        server.requests.clear()
        wherescape = WhereScape(red.environment(self.load_table, source_config=self.connection(server)))
        try:
            return type(self).load_data(wherescape=wherescape, **{"max_retries": 0, **self.options, **options})
        finally:
            wherescape.close()

    def _load_anew(self, red: RedServer, server: Server, **options: Any) -> list[Key]:
        """Load all that exists, and return the keys in order."""
        self._forget(red)
        self._load(red, server, **options)
        return sorted(self._rows(red))

    def _fails(self, red: RedServer, server: Server) -> WhereScapeError:
        """Check that a load fails with an error of the library, loads nothing and leaves the marks."""
        marks = self._marks(red)
        with pytest.raises(WhereScapeError) as raised:
            self._load(red, server)
        assert (self._rows(red), self._marks(red)) == ([], marks)
        return raised.value

    def _fails_or_is_whole(
        self,
        red: RedServer,
        server: Server,
        whole: list[Key],
        caplog: pytest.LogCaptureFixture | None = None,
    ) -> None:
        """Check that a load fails, or has all records, or says in a warning that it has not and leaves the marks."""
        self._forget(red)
        marks = self._marks(red)
        try:
            self._load(red, server)
        except WhereScapeError:
            assert (self._rows(red), self._marks(red)) == ([], marks)
            return
        if caplog and any(record.levelno >= logging.WARNING for record in caplog.records):
            assert self._marks(red) == marks
            return
        assert sorted(self._rows(red)) == whole

    def _positions(self, server: Server) -> list[int]:
        """Return after how many requests a fault is to come: at the first of the last load, half way, at the last."""
        count = len(server.requests)
        return sorted({0, count // 2, max(0, count - 1)})

    def _forget(self, red: RedServer) -> None:
        """Forget what earlier loads had, so that the next one is a full one."""
        red.query_repository("DELETE FROM red.dss_parameter WHERE dss_parameter_name ILIKE '%high_water_mark%'")
        red.query_repository("DELETE FROM red.dss_parameter WHERE dss_parameter_name ILIKE 'hwm%'")

    def _marks(self, red: RedServer) -> list[Key]:
        found = red.query_repository(
            "SELECT dss_parameter_name, dss_parameter_value FROM red.dss_parameter"
            " WHERE dss_parameter_name <> 'mask_key' ORDER BY 1"
        )
        return [tuple(row) for row in found]

    def _rows(self, red: RedServer) -> list[Key]:
        columns = ", ".join(f'"{name}"' for name in self.key)
        return [tuple(row) for row in red.query_warehouse(f'SELECT {columns} FROM load."{self.load_table}"')]

    def _stored(self, red: RedServer) -> str:
        rows = red.query_warehouse(f'SELECT CAST(t AS text) FROM load."{self.load_table}" AS t')
        return "\n".join(row[0] for row in rows)

    def _left_behind(self, red: RedServer) -> str:
        return "\n".join(texts_of_red(red).values())

    def _script(self, folder: Path) -> Path:
        """Write a host script that tells its process id before it loads, from where this process has the connector."""
        function = type(self).load_data
        module = sys.modules[function.__module__.partition(".")[0]]
        # A package of namespaces has a path and no file.
        place = Path(next(iter(getattr(module, "__path__", [module.__file__])))).resolve().parent
        script = folder / "load.py"
        script.write_text(
            "import os, pathlib, sys\n"
            f"sys.path.insert(0, {str(place)!r})\n"
            f"pathlib.Path({str(folder / 'pid')!r}).write_text(str(os.getpid()))\n"
            f"from {function.__module__} import {function.__name__}\n"
            f"{function.__name__}(**{ {'max_retries': 0, **self.options}!r})\n",
            encoding="utf-8",
        )
        return script


def texts_of_red(red: RedServer) -> dict[str, str]:
    """Return all that a run left outside the warehouse: the files of the work folder, and RED's log rows."""
    files = {
        str(path): path.read_bytes().decode("utf-8", "replace") for path in red.workdir.rglob("*") if path.is_file()
    }
    logs = {
        table: "\n".join(row[0] for row in red.query_repository(f"SELECT CAST(log AS text) FROM red.{table} AS log"))
        for table in ("ws_wrk_audit_log", "ws_wrk_error_log", "ws_wrk_task_run")
    }
    return files | logs


def _with_new_fields(answer: Answer) -> Answer:
    """Add a field to every object of a list."""

    def extended(value: Any, *, is_item: bool = False) -> Any:
        if isinstance(value, list):
            return [extended(item, is_item=True) for item in value]
        if not isinstance(value, dict):
            return value
        more = {"field_of_next_year": {"deep": ["x", None]}} if is_item else {}
        return {name: extended(inner) for name, inner in value.items()} | more

    try:
        body = json.loads(answer.body)
    except ValueError:
        return answer
    return Answer(answer.status, json.dumps(extended(body)), answer.headers, answer.cut)


def kill(pid_file: Path) -> None:
    """End a process at once, whose number stands in a file."""
    os.kill(int(pid_file.read_text()), getattr(signal, "SIGKILL", signal.SIGTERM))
