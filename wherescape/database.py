"""One ODBC connection: query, execute, bulk insert, transaction."""

import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wherescape import dialects
from wherescape.bulk_insert import BulkInsert, rows_to_columns
from wherescape.column_types import TableColumn
from wherescape.concurrency import in_reader_thread
from wherescape.environment import Login
from wherescape.errors import ConnectionFailed, DatabaseError, StatementFailed
from wherescape.redaction import redact
from wherescape.sql_types import type_text

if TYPE_CHECKING:
    import pyodbc

logger = logging.getLogger(__name__)

LOGIN_TIMEOUT_SECONDS = 30
IDLE_SECONDS = 60
BATCH_ROWS = 2_500
BATCH_CHARACTERS = 8_000_000
_LARGEST_BIGINT = 2**63 - 1

Row = Sequence[Any]


@dataclass(frozen=True)
class Facts:
    """What a database tells about itself.

    Arguments:
        version: of the server.
        encoding: of the database: of its characters on PostgreSQL, its collation on SQL Server.
        clock: the server's time, in UTC.
    """

    version: str
    encoding: str
    clock: datetime


class Database:
    """One connection to one database, opened on first use and reused.

    A connection that breaks is dropped, so that the next call opens a new one. Safe to share between threads; calls
    wait for each other. While rows are being inserted, another thread gets an error instead: the insert may be waiting
    for what that thread reads.

    Arguments:
        login: where it is and who asks.
        keeps_changes: whether transactions are committed; if not, each is rolled back at its end.
    """

    def __init__(self, login: Login, *, keeps_changes: bool = True) -> None:
        self.login = login
        self._keeps_changes = keeps_changes
        self._connection: pyodbc.Connection | None = None
        self._dialect = dialects.OTHER
        self._is_in_transaction = False
        self._owner = 0
        self._bulk: BulkInsert | None = None
        self._last_used = time.monotonic()
        self._lock = threading.RLock()

    @property
    def dialect(self) -> dialects.Dialect:
        """What differs between this database and others; connects to find out."""
        with self._locked():
            self._connected()
            return self._dialect

    def query(self, sql: str, params: Sequence[object] | None = None) -> list[Any]:
        """Run a statement and return its rows, the last row set's if there are several; commits.

        Arguments:
            sql: one statement or batch, with `?` for each parameter.
            params: the parameters' values; an aware datetime is sent in UTC.

        Returns:
            A list of rows; each can be used as a tuple or by column name.

        Raises:
            ConnectionFailed, StatementFailed
        """
        with self.transaction(sql) as cursor:
            rows: list[Any] = []
            self._run(cursor, sql, params)
            while True:
                if cursor.description is not None:
                    rows = cursor.fetchall()
                if not cursor.nextset():
                    return rows

    def execute(self, sql: str, params: Sequence[object] | None = None) -> int:
        """Run a statement in a transaction of its own and return how many rows it changed.

        Arguments:
            sql: one statement or batch, with `?` for each parameter.
            params: the parameters' values; an aware datetime is sent in UTC.

        Raises:
            ConnectionFailed, StatementFailed: nothing has changed, unless the connection broke at the commit.
        """
        with self.transaction(sql) as cursor:
            self._run(cursor, sql, params)
            changed = 0
            while True:
                changed += max(int(cursor.rowcount), 0)
                # Also where an error behind the first result would be raised.
                if not cursor.nextset():
                    return changed

    def column_names(self, table: str) -> list[str]:
        """Return the names of a table's columns in order.

        Arguments:
            table: the table's name as it stands in SQL.

        Raises:
            ConnectionFailed, StatementFailed: such as when there is no such table.
        """
        sql = f"SELECT * FROM {table} WHERE 1 = 0"
        with self.transaction(sql) as cursor:
            cursor.execute(sql)
            return [column[0] for column in cursor.description]

    def table_columns(self, schema: str, table: str) -> list[TableColumn]:
        """Return what the database's catalog says of a table's columns, in order; nothing if there is no such table.

        Arguments:
            schema: in any case; empty for any: of several tables the first one's columns are returned.
            table: its name without the schema, in any case.

        Raises:
            ConnectionFailed, StatementFailed
        """
        if self.dialect is dialects.OTHER:
            where = ".".join(filter(None, (schema, table)))
            return [TableColumn(name, "") for name in self.column_names(where)]
        rows = self.query(dialects.COLUMNS_OF_TABLE, (schema, schema, table))
        return [
            TableColumn(name, type_text(*of_type), may_be_null == "YES")
            for table_schema, table_name, name, may_be_null, *of_type in rows
            if (table_schema, table_name) == (rows[0][0], rows[0][1])
        ]

    def facts(self) -> "Facts | None":
        """Return what the database tells about itself; None if nobody knows how to ask it.

        Raises:
            ConnectionFailed, StatementFailed
        """
        if not self.dialect.facts:
            return None
        version, encoding, clock = self.query(self.dialect.facts)[0]
        return Facts(str(version), str(encoding), clock.replace(tzinfo=UTC))

    def has_right(self, table: str, right: str) -> bool | None:
        """Tell whether the user of the connection may do something with a table.

        Arguments:
            table: its name with the schema, as it stands in SQL.
            right: SELECT, INSERT, UPDATE or DELETE.

        Returns:
            None if there is no such table, or nobody knows how to ask this database.

        Raises:
            ConnectionFailed
            StatementFailed: the user may not look into the schema.
        """
        if not self.dialect.has_right:
            return None
        found = self.query(self.dialect.has_right, (table, right))[0][0]
        return None if found is None else bool(found)

    def execute_many(self, sql: str, rows: Iterable[Row]) -> int:
        """Run a statement once for every row, all in one transaction.

        A plain `INSERT INTO t (a, b) VALUES (?, ?)` is sent as a set, many rows a statement; any other statement goes
        through the driver's executemany.

        Arguments:
            sql: the statement, with `?` for each value.
            rows: any iterable of rows; it is read as it is sent, never held whole.

        Returns:
            The number of rows.

        Raises:
            ConnectionFailed, StatementFailed: nothing has changed, unless the connection broke at the commit.
        """
        insert = _PLAIN_INSERT.fullmatch(sql)
        if insert:
            names = [name.strip() for name in _split_identifiers(insert["columns"])]
            if len(names) == insert["values"].count("?"):
                return self.insert(insert["table"], names, rows)
        count = 0
        with self.transaction(sql) as cursor:
            for batch in batches(rows):
                cursor.executemany(sql, [self._bindable_row(row) for row in batch])
                count += len(batch)
        return count

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Insert rows as sets, all in one transaction.

        Arguments:
            table: the table's name as it stands in SQL: quoted where the database needs it.
            columns: the columns' names, likewise.
            rows: values in the order of the columns; any iterable, read as it is sent.

        Returns:
            The number of rows.

        Raises:
            ConnectionFailed, StatementFailed: nothing has changed, unless the connection broke at the commit.
        """
        count = 0
        with self.bulk_insert(table, columns) as bulk:
            for batch in batches(rows):
                for row in batch:
                    if len(row) != len(columns):
                        raise StatementFailed(
                            f"A row for {table} has {len(row)} values for {len(columns)} columns; none was inserted."
                        )
                bulk.send(rows_to_columns(batch))
                count += len(batch)
        return count

    def insert_statement(self, table: str, columns: Sequence[str]) -> str:
        """Return the statement that `bulk_insert` sends for each batch; nothing is inserted.

        Raises:
            ConnectionFailed, StatementFailed: such as when there is no such table.
        """
        with self.transaction(f"INSERT INTO {table} ({', '.join(columns)})") as cursor:
            return self.dialect.prepare_insert(cursor, table, columns).sql

    @contextmanager
    def bulk_insert(self, table: str, columns: Sequence[str]) -> Iterator[BulkInsert]:
        """Give what inserts batches into a table; commit when the block ends, roll back when it raises.

        Arguments:
            table: the table's name as it stands in SQL.
            columns: the columns' names, likewise.

        Raises:
            ConnectionFailed, StatementFailed, ValueDoesNotFit: nothing has changed.
        """
        dialect = self.dialect
        with self.transaction(f"INSERT INTO {table} ({', '.join(columns)})") as cursor:
            # Before the first row, so that a table that is missing is found out without one too.
            with closing(self._connected().cursor()) as catalog:
                statement = dialect.prepare_insert(catalog, table, columns)
            bulk = BulkInsert(cursor, self._connected().cursor(), dialect, statement)
            outer, self._bulk = self._bulk, bulk
            try:
                bulk.begin()
                yield bulk
                bulk.end()
            finally:
                self._bulk = outer
                bulk.close()

    @contextmanager
    def transaction(self, what: str = "") -> Iterator["pyodbc.Cursor"]:
        """Give a cursor; commit when the block ends, roll back when it raises.

        Inside another transaction of the same thread (a source of rows that itself asks this database while they are
        inserted) the block is a part of that one, which alone commits.

        Arguments:
            what: the statement, for messages.

        Raises:
            ConnectionFailed, StatementFailed: in place of the driver's error.
        """
        import pyodbc

        with self._locked():
            connection = self._connected()
            if self._is_in_transaction:
                if self._bulk is not None:
                    self._bulk.wait()
                yield connection.cursor()
                return
            committing = False
            self._is_in_transaction = True
            self._owner = threading.get_ident()
            try:
                if "\0" in what:
                    # The driver would send what is before it: an UPDATE without its WHERE.
                    raise StatementFailed(f"The statement holds a NUL character: {what[:80]!r}.")
                yield connection.cursor()
                committing = self._keeps_changes
                connection.commit() if self._keeps_changes else connection.rollback()
            except BaseException as error:
                alive = self._roll_back(connection)
                if isinstance(error, pyodbc.Error):
                    raise self._translated(error, what, alive, committing and not alive) from error
                if isinstance(error, UnicodeEncodeError):
                    half = error.object[error.start : error.end]
                    raise StatementFailed(
                        f"A text holds {half!r}, half of a character, which no database stores; nothing was committed."
                    ) from None
                raise
            finally:
                self._is_in_transaction = False

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self._lock.acquire(blocking=False):
            if in_reader_thread() or self._bulk is not None:
                raise StatementFailed(
                    f"A thread asked the {self.login.role} database while rows are being inserted there, which may be"
                    " waiting for this very thread. Ask it before the load, or in the thread that loads."
                )
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    @property
    def is_inserting_here(self) -> bool:
        """Whether the calling thread is in the middle of a bulk insert, as a source is that is asked for its rows."""
        return self._bulk is not None and self._owner == threading.get_ident()

    def close(self) -> None:
        """Close the connection if there is one; it opens again on next use."""
        with self._lock:
            if self._connection is not None:
                with suppress(Exception):
                    self._connection.close()
                self._connection = None

    def _run(self, cursor: "pyodbc.Cursor", sql: str, params: Sequence[object] | None) -> None:
        if params is None:
            cursor.execute(sql)
        else:
            cursor.execute(sql, self._bindable_row((params,) if isinstance(params, str) else params))

    def _bindable_row(self, row: Sequence[object]) -> list[object]:
        return [_bindable(value, self.dialect) for value in row]

    def _connected(self) -> "pyodbc.Connection":
        if self._connection is not None and not self._is_in_transaction:
            # A firewall drops what is idle for long, as the repository's connection is during a load.
            is_idle = time.monotonic() - self._last_used > IDLE_SECONDS
            self._last_used = time.monotonic()
            if is_idle and not self._roll_back(self._connection):
                logger.debug("The idle connection to the %s database was gone; a new one is opened.", self.login.role)
        if self._connection is None:
            try:
                import pyodbc
            except ImportError as error:
                raise ConnectionFailed(
                    f"The ODBC driver manager is missing ({error}). On Debian and Ubuntu: apt-get install unixodbc."
                ) from error
            # Or the driver manager would give a session that was closed to the next who asks, with its settings and
            # temporary tables; unixODBC does so since 2.3.12.
            pyodbc.pooling = False
            try:
                self._connection = pyodbc.connect(
                    connection_string(self.login, pyodbc.dataSources()), timeout=LOGIN_TIMEOUT_SECONDS
                )
            except pyodbc.Error as error:
                raise ConnectionFailed(self._explain_no_connection(error)) from error
            self._dialect = dialects.of(str(self._connection.getinfo(pyodbc.SQL_DBMS_NAME)))
            if self._dialect.longest_parameter:
                self._connection.maxwrite = self._dialect.longest_parameter
            logger.debug("Connected to the %s database.", self.login.role)
        return self._connection

    def _roll_back(self, connection: "pyodbc.Connection") -> bool:
        """Roll back; False if the connection is broken, which has then been dropped."""
        try:
            connection.rollback()
            if self._dialect is not dialects.OTHER:
                # Some drivers roll back a broken connection without a word; not every database takes this query.
                connection.cursor().execute("SELECT 1").fetchall()
                connection.rollback()
        except Exception:
            self.close()
            return False
        return True

    def _translated(self, error: "pyodbc.Error", what: str, alive: bool, may_be_committed: bool) -> DatabaseError:
        outcome = "a commit may have gone through" if may_be_committed else "nothing was committed"
        if not alive:
            return ConnectionFailed(
                f"The connection to the {self.login.role} database broke; {outcome}. Check that the database is up."
                f" {_text(error)} ({self._name()}) Statement: {_shortened(what)}",
                may_be_committed,
            )
        return StatementFailed(
            f"The {self.login.role} database refused a statement; {outcome}.{_hint(error)} {_text(error)}"
            f" Statement: {_shortened(what)}"
        )

    def _name(self) -> str:
        where = redact(self.login.dsn)
        return f"{where}, {f'user {self.login.user}' if self.login.user else 'trusted login'}"

    def _explain_no_connection(self, error: "pyodbc.Error") -> str:
        import pyodbc

        text, prefix = _text(error), self.login.prefix
        if "IM002" in text or "data source name not found" in text.lower():
            known = ", ".join(sorted(pyodbc.dataSources())) or "none"
            drivers = ", ".join(sorted(pyodbc.drivers())) or "none"
            step = f"Check {prefix}_DSN. Data sources on this machine: {known}; drivers: {drivers}."
        elif "IM003" in text or "can't open lib" in text.lower():
            step = "The driver's library is not installed or is for another processor; reinstall the ODBC driver."
        elif re.search(r"authentication failed|login failed|no password|28P01|28000", text, re.IGNORECASE):
            step = f"Check {prefix}_USER and {prefix}_PWD."
        else:
            step = f"Check that the database is up, that {prefix}_DSN points to it, and that no firewall is between."
        # The next step comes first: RED shows 256 characters.
        return f"No connection to the {self.login.role} database. {step} {text} ({self._name()})"


def connection_string(login: Login, data_sources: dict[str, str]) -> str:
    """Make the ODBC connection string of a login.

    Arguments:
        login: a DSN that holds `=` is taken as a whole connection string, to which user and password are added.
        data_sources: the DSNs of this machine and their drivers, as `pyodbc.dataSources()` gives them.
    """
    whole = login.dsn.strip().rstrip(";")
    if "=" in whole:
        parts = [whole]
        driver = whole
    else:
        parts = [f"DSN={quoted_value(whole)}"]
        driver = data_sources.get(whole, "")
    if login.user:
        parts.append(f"UID={quoted_value(login.user)}")
    if login.password:
        parts.append(f"PWD={quoted_value(login.password)}")
    # sslmode is a keyword of psqlODBC; others refuse it.
    if re.search(r"postgres|psqlodbc", driver, re.IGNORECASE) and not re.search(r"sslmode\s*=", whole, re.IGNORECASE):
        parts.append("sslmode=prefer")
    return ";".join(parts)


def connection_parts(dsn: str) -> dict[str, str]:
    """Return the parts of a connection string by their names in lower case; of a data source's name, that is `dsn`."""
    if "=" not in dsn:
        return {"dsn": dsn.strip()}
    found = re.findall(r"([^=;{}]+)=\s*(?:\{((?:[^}]|\}\})*)\}|([^;]*))", dsn)
    return {name.strip().lower(): braced.replace("}}", "}") or plain.strip() for name, braced, plain in found}


def quoted_value(value: str) -> str:
    """Brace-quote a value of a connection string where ODBC needs it."""
    if re.search(r"[\[\]{}(),;?*=!@]", value) or value != value.strip():
        return "{" + value.replace("}", "}}") + "}"
    return value


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Cut rows into lists that are bounded by rows and by characters of text."""
    batch: list[Row] = []
    characters = 0
    for row in rows:
        if isinstance(row, (str, bytes, Mapping)):
            raise StatementFailed(f"A row is a {type(row).__name__}; it must be a list or tuple of values.")
        batch.append(row)
        characters += sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if len(batch) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


_IDENTIFIER = r'(?:"(?:[^"]|"")+"|\[(?:[^\]]|\]\])+\]|[\w$#]+)'
_PLAIN_INSERT = re.compile(
    rf"\s*INSERT\s+INTO\s+(?P<table>{_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER}){{0,3}})"
    rf"\s*\(\s*(?P<columns>{_IDENTIFIER}(?:\s*,\s*{_IDENTIFIER})*)\s*\)"
    r"\s*VALUES\s*\((?P<values>\s*\?\s*(?:,\s*\?\s*)*)\)\s*;?\s*",
    re.IGNORECASE,
)


def _split_identifiers(text: str) -> list[str]:
    return re.findall(_IDENTIFIER, text)


def _bindable(value: object, dialect: dialects.Dialect) -> object:
    """Turn a value into one that the driver does not change on the way."""
    if isinstance(value, str):
        if "\0" in value:
            # psqlODBC would cut the text there without a word.
            raise StatementFailed(f"A text holds a NUL character, which ODBC cannot send: {value[:40]!r}.")
    elif isinstance(value, datetime):
        if value.tzinfo is not None:
            try:
                return dialect.bind_utc(value.astimezone(UTC))
            except OverflowError:
                raise StatementFailed(f"The moment {value} is no date in UTC.") from None
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_BIGINT:
        return Decimal(value)
    return value


def _text(error: "pyodbc.Error") -> str:
    # The state comes before the text, or behind it where the error is pyodbc's own.
    return redact(" ".join(max(map(str, error.args), key=len, default=str(error)).split()))


def _hint(error: "pyodbc.Error") -> str:
    state = str(error.args[0]) if error.args else ""
    if state in ("42P01", "42S02"):
        return " The table does not exist: create it in RED (Create), or check the schema."
    if state in ("42501", "42000") and "denied" in str(error):
        return " The database user has no right to do so."
    return ""


def _shortened(sql: str) -> str:
    text = redact(" ".join(sql.split()))
    return text if len(text) <= 300 else text[:300] + "..."
