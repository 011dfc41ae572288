"""What the crash tests share: a source that grows, a job that loads it, and proxies in front of both databases."""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.host_script import HostScript, Run
from wherescape import WhereScape
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.tcp_proxy import Moment, TcpProxy

LOAD_TABLE = "load_item"
MARK = f"HWM_{LOAD_TABLE}"
ITEMS = 12_000
PAGE_ROWS = 1_000
START = datetime(2026, 1, 5, 10, tzinfo=UTC)
GOOD = ("1", "-1")

CREATE_TABLES = f"""
CREATE TABLE load.{LOAD_TABLE} (
    id bigint, value text, updated_at timestamp, dss_record_source varchar(256), dss_load_date timestamp
);
CREATE TABLE star.item (id bigint PRIMARY KEY, value text, updated_at timestamp)
"""
# As the procedures behind a load table do; it refuses a key that is there twice.
TAKE_OVER = f"""
INSERT INTO star.item SELECT id, value, updated_at FROM load.{LOAD_TABLE}
ON CONFLICT (id) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""
TAKEN_OVER = """
INSERT INTO star.item
SELECT * FROM json_to_recordset(?::json) AS item (id bigint, value text, updated_at timestamp)
"""
SCRIPT = """
import os

from wherescape import Column, Table, WhereScape
from wherescape.api_client import ApiClient

ITEM = Table(
    kind="item",
    columns=(Column("id", "bigint"), Column("value", "text"), Column("updated_at", "timestamp")),
    key=("id",),
    record_source="items api",
    mark_column="updated_at",
)

wherescape = WhereScape()
mark = wherescape.high_water_mark(staged=os.environ["STAGED"] == "yes")
since = {"since": mark.since.isoformat()} if mark.since else {}
with ApiClient(os.environ["SOURCE"], max_retries=2, backoff_factor=0.01) as source:
    records = (record for page in source.follow_links("items", since) for record in page)
    wherescape.load(ITEM, records, extraction=source.extraction, mark=mark)
"""


class Item(NamedTuple):
    """A row of the source."""

    id: int
    value: str
    updated_at: datetime


class Source:
    """An API on loopback: the items that have changed since a moment, page by page, in no order of time.

    Attributes:
        items: by their number.
        before_page: called before a page is sent, by its number.
        cut_pages: pages of which only half is ever sent.
        spoilt: items that are sent with a moment that is none.
    """

    def __init__(self) -> None:
        self.items: dict[int, Item] = {}
        self.before_page: dict[int, Callable[[], object]] = {}
        self.cut_pages: set[int] = set()
        self.spoilt: set[int] = set()
        self._rounds = 0

    def grow(self) -> None:
        """Change nine of ten items, and add some."""
        self._rounds += 1
        begin = START + timedelta(hours=self._rounds)
        for number in range(1, ITEMS + 100 * self._rounds):
            if number % 10 != self._rounds % 10 or number not in self.items:
                moment = begin + timedelta(microseconds=number * 7_919 % 1_000_003)
                self.items[number] = Item(number, f"{number}-{self._rounds}", moment)

    @property
    def largest_moment(self) -> datetime:
        return max(item.updated_at for item in self.items.values())

    def page(self, since: str, number: int) -> tuple[list[dict[str, Any]], bool]:
        """Return the records of a page, from 1, and whether another one follows."""
        oldest = datetime.fromisoformat(since) if since else START
        changed = [item for item in self.items.values() if item.updated_at >= oldest]
        page = changed[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
        return [self.record(item) for item in page], len(changed) > number * PAGE_ROWS

    def record(self, item: Item) -> dict[str, Any]:
        """Return an item as it is sent."""
        moment = "soon" if item.id in self.spoilt else item.updated_at.isoformat()
        return {"id": item.id, "value": item.value, "updated_at": moment}


@contextmanager
def serve(source: Source) -> Iterator[str]:
    """Serve a source and give its base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            since, number = query.get("since", [""])[0], int(query.get("page", ["1"])[0])
            source.before_page.pop(number, lambda: None)()
            records, has_next = source.page(since, number)
            body = json.dumps(records).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if has_next:
                following = urlencode({"since": since, "page": number + 1})
                self.send_header("Link", f'<{url}/items?{following}>; rel="next"')
            self.end_headers()
            is_cut = number in source.cut_pages
            self.wfile.write(body[: len(body) // 2] if is_cut else body)
            self.close_connection = is_cut

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of clients that are killed."""

    with Server(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield url
        server.shutdown()
        thread.join()


class CrashSite:
    """A job of RED that loads the source: the load itself, a procedure that takes over its rows, and the mark.

    Arguments:
        red: the RED server.
        folder: where the host script is.
        target: a proxy in front of the warehouse.
        repository: a proxy in front of RED's repository.
        source: what is loaded.
        url: where it is served.
        staged: whether the mark is staged by the load and confirmed at the job's end.
    """

    def __init__(
        self,
        red: RedServer,
        folder: Path,
        target: TcpProxy,
        repository: TcpProxy,
        source: Source,
        url: str,
        staged: bool,
    ) -> None:
        self.red = red
        self.target = target
        self.repository = repository
        self.source = source
        self.staged = staged
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("WSL_", "WHERESCAPE_"))}
        inherited |= {"SOURCE": url, "STAGED": "yes" if staged else "no"}
        self._script = HostScript(folder, inherited)
        self._inherited = inherited
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of the last run."""
        return self._script.environment

    @property
    def process_id(self) -> int:
        """The process of the last run."""
        with self._starting:
            assert self._process is not None
            return self._process.pid

    def prepare(self) -> None:
        """Do what RED does before it starts the script; a session that was killed may yet hold the table."""
        self.red.query_warehouse(f"SET lock_timeout = '20s'; TRUNCATE load.{LOAD_TABLE}")
        self._script.environment = (
            self._inherited
            | self.red.environment(LOAD_TABLE)
            | self.red.start_task(LOAD_TABLE)
            | self.red.variables_through(repository_port=self.repository.port, target_port=self.target.port)
        )

    def start(self, script: str = SCRIPT) -> subprocess.Popen[bytes]:
        """Start the host script."""
        with self._starting:
            self._process = self._script.start(script)
        return self._process

    def finish(self) -> Run:
        """Wait for the host script and return what it reported."""
        assert self._process is not None
        try:
            stdout, stderr = self._process.communicate(timeout=30)
        finally:
            self._process.kill()
        return self._script.result(self._process.returncode, stdout, stderr)

    def load(self, script: str = SCRIPT) -> Run:
        """Run the host script as RED does."""
        self.prepare()
        self.start(script)
        return self.finish()

    def run_job(self, script: str = SCRIPT) -> Run:
        """Run the host script and, if it reports success or a warning, what comes behind it in the job."""
        run = self.load(script)
        if run.stdout and run.status in GOOD:
            self.red.query_warehouse(TAKE_OVER)
            if self.staged:
                self.confirm()
        return run

    def run_over_an_old_row(self, script: str = SCRIPT) -> Run:
        """Run the host script where the load table is not empty at the start."""
        self.prepare()
        self.red.query_warehouse(f"INSERT INTO load.{LOAD_TABLE} (value) VALUES ('old')")
        self.start(script)
        return self.finish()

    def confirm(self, job: Mapping[str, str] | None = None) -> list[str]:
        """Confirm staged marks, as a task of the last run's job or of another one."""
        wherescape = WhereScape(dict(job or self.variables) | self.red.variables_through())
        try:
            return wherescape.confirm_high_water_marks()
        finally:
            wherescape.close()

    def after_mark(self, pattern: bytes, action: Callable[[], object], moment: Moment = Moment.BEFORE) -> None:
        """Run an action at a pattern that follows the mark, an argument of WsParameterWrite, to the repository."""
        self.repository.when(b"+00:00\0", lambda: self.repository.when(pattern, action, moment))

    def kill(self) -> None:
        """Kill the host script with SIGKILL; what it has sent, and the proxies still hold, is lost."""
        with self._starting:
            assert self._process is not None
            self._process.kill()
            self._process.wait()
            self.target.drop()
            self.repository.drop()

    def mend(self) -> None:
        """Bring everything back, and forget what was still to happen."""
        self.source.before_page.clear()
        proxies = (self.target, self.repository)
        for proxy in proxies:
            proxy.clear()
            proxy.join(timeout=30)
        for proxy in proxies:
            proxy.restore()

    def loaded(self) -> list[str]:
        """Return the values that are in the load table, in the order of their items."""
        return [row[0] for row in self.red.query_warehouse(f"SELECT value FROM load.{LOAD_TABLE} ORDER BY id")]

    def stored(self) -> dict[int, Item]:
        """Return what the job has brought together so far."""
        rows = self.red.query_warehouse("SELECT id, value, updated_at FROM star.item")
        return {row.id: Item(row.id, row.value, row.updated_at.replace(tzinfo=UTC)) for row in rows}

    def mark(self) -> datetime | None:
        """Return the high-water mark."""
        text = self.red.read_parameter(MARK)
        return datetime.fromisoformat(text) if text else None

    def assert_nothing_is_lost(self) -> None:
        """Run the job once more, undisturbed, and compare what it has brought together with the source."""
        run = self.run_job()
        assert run.status == "1", run
        assert self.stored() == self.source.items
        assert self.mark() == self.source.largest_moment


@contextmanager
def crash_site(red: RedServer, folder: Path, *, staged: bool = False) -> Iterator[CrashSite]:
    """Build a site where an earlier load was taken over, and whose source has grown since."""
    source = Source()
    source.grow()
    red.register_load_table(LOAD_TABLE)
    red.query_warehouse(CREATE_TABLES)
    red.query_warehouse(TAKEN_OVER, [json.dumps([source.record(item) for item in source.items.values()])])
    red.write_parameter(MARK, source.largest_moment.isoformat())
    source.grow()
    with (
        serve(source) as url,
        TcpProxy(red.database_address) as target,
        TcpProxy(red.database_address) as repository,
    ):
        yield CrashSite(red, folder, target, repository, source, url, staged)
