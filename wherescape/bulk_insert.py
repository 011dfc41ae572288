"""Batches into a table, inserted by a thread of its own, each while the next is made ready."""

import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wherescape.column_types import Capacity, Columns, DataType
from wherescape.dialects import Dialect, PreparedInsert, Savepoint
from wherescape.errors import StatementFailed

if TYPE_CHECKING:
    import pyodbc

_SWITCH_SECONDS = 0.0005
# SQLSTATE classes: data exception, and integrity constraint violation.
_OF_THE_ROW = ("22", "23")


@dataclass(frozen=True)
class Refusal:
    """A row that the database refused.

    Arguments:
        row: its place in the batch, from 0.
        error: what the driver raised.
    """

    row: int
    error: "pyodbc.Error"


@dataclass(frozen=True)
class InsertedBatch:
    """A batch that was inserted.

    Arguments:
        rows: how many rows it had.
        refusals: those of them that the database refused.
        at: when it began, on the clock of `time.monotonic`.
        seconds: how long it took.
    """

    rows: int
    refusals: list[Refusal]
    at: float
    seconds: float


class BulkInsert:
    """Inserts batches into one table, inside a transaction that somebody else opened and will end.

    Arguments:
        cursor: of the transaction; nobody else may use its connection while a batch is under way.
        savepoint_cursor: another one, so that the driver need not prepare the insert again after each savepoint.
        dialect: the kind of database.
        statement: the insert.
    """

    def __init__(
        self,
        cursor: "pyodbc.Cursor",
        savepoint_cursor: "pyodbc.Cursor",
        dialect: Dialect,
        statement: PreparedInsert,
    ) -> None:
        self._cursor = cursor
        self._savepoint_cursor = savepoint_cursor
        self._dialect = dialect
        self._statement = statement
        self._worker = ThreadPoolExecutor(1, "wherescape-insert")
        _begin_switching_often()
        self._under_way: Future[InsertedBatch] | None = None

    def capacities(self, types: Sequence[DataType]) -> Sequence[Capacity]:
        """Return what each column of the table holds.

        Arguments:
            types: the columns' declared types, for a database that is not asked.
        """
        return self._statement.capacities or [self._dialect.capacities.get(name, Capacity()) for name in types]

    def begin(self) -> None:
        """Mark the transaction, so that `end` can tell whether it is still the same."""
        if self._dialect.savepoint and self._dialect.savepoint.begin:
            self._savepoint_cursor.execute(self._dialect.savepoint.begin)

    def end(self) -> None:
        """Wait for the last batch; raises the driver's error if the transaction has ended meanwhile."""
        self.wait()
        if self._dialect.savepoint and self._dialect.savepoint.end:
            self._savepoint_cursor.execute(self._dialect.savepoint.end)

    def send(self, columns: Columns, most_refused: int | None = None) -> "Future[InsertedBatch]":
        """Insert a batch while the caller goes on; waits for the batch before.

        Arguments:
            columns: the values of each column; not to be changed afterwards.
            most_refused: how many rows the database may refuse, which are then looked for; with more of them the
                batch comes to an end half done, so the caller must not commit. None: a refusal is an error.

        Returns:
            What will be known when the batch is inserted; its result raises the driver's error.

        Raises:
            ValueDoesNotFit: a value cannot be sent.
        """
        # In this thread: two that both need the interpreter slow each other down.
        encoded = self._statement.encode(columns)
        self.wait()
        self._under_way = self._worker.submit(self._insert, columns, encoded, most_refused)
        return self._under_way

    def wait(self) -> None:
        """Wait for the batch that is under way; raises the driver's error if it failed."""
        if self._under_way is not None:
            self._under_way.result()
            self._under_way = None

    def close(self) -> None:
        """End the thread; a batch that is still under way is cancelled, since nobody wants it any more."""
        if self._under_way is not None and not self._under_way.done():
            with suppress(Exception):
                self._cursor.cancel()
        self._worker.shutdown()
        _end_switching_often()
        self._under_way = None

    def _insert(self, columns: Columns, encoded: Any, most_refused: int | None) -> InsertedBatch:
        at = time.monotonic()
        rows = len(columns[0])
        refusals: list[Refusal] = []
        if most_refused is not None and self._dialect.savepoint:
            self._insert_some(self._dialect.savepoint, columns, encoded, range(rows), refusals, most_refused)
        else:
            self._execute(encoded, rows)
        return InsertedBatch(rows, refusals, at, time.monotonic() - at)

    def _undo(self, savepoint: Savepoint, cause: "pyodbc.Error") -> None:
        import pyodbc

        try:
            self._savepoint_cursor.execute(savepoint.undo)
            if savepoint.release:
                self._savepoint_cursor.execute(savepoint.release)
        except pyodbc.Error:
            # The refusal has ended the transaction, and is what has to be told.
            raise cause from None

    def _execute(self, encoded: Any, rows: int) -> None:
        self._statement.execute(self._cursor, encoded)
        # Not every driver counts.
        if 0 <= self._cursor.rowcount < rows:
            raise StatementFailed(
                f"The database took {self._cursor.rowcount:,} of {rows:,} rows without an error, so nothing was"
                " inserted. Look for a trigger or a rule of the table that drops rows."
            )

    def _insert_some(
        self, savepoint: Savepoint, columns: Columns, encoded: Any, rows: range, refusals: list[Refusal], most: int
    ) -> None:
        """Insert rows of a batch; where the database refuses them, halve them until those that it means are found."""
        import pyodbc

        self._savepoint_cursor.execute(savepoint.make)
        try:
            self._execute(encoded, len(rows))
        except pyodbc.Error as error:
            if not str(error.args[0]).startswith(_OF_THE_ROW):
                raise
            self._undo(savepoint, error)
            if len(rows) == 1:
                refusals.append(Refusal(rows[0], error))
                return
            for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
                if len(refusals) <= most:
                    part = [values[half.start : half.stop] for values in columns]
                    self._insert_some(savepoint, columns, self._statement.encode(part), half, refusals, most)
        else:
            if savepoint.release:
                self._savepoint_cursor.execute(savepoint.release)


_switching_lock = threading.Lock()
_switching: list[float] = []


def _begin_switching_often() -> None:
    """Let threads take turns more often: the driver waits up to 5 ms each time that it needs the interpreter again."""
    with _switching_lock:
        _switching.append(sys.getswitchinterval())
        sys.setswitchinterval(min(_switching[0], _SWITCH_SECONDS))


def _end_switching_often() -> None:
    with _switching_lock:
        usual = _switching[0]
        _switching.pop()
        if not _switching:
            sys.setswitchinterval(usual)


def rows_to_columns(rows: Sequence[Sequence[Any]]) -> Columns:
    """Turn rows on their side."""
    return list(zip(*rows, strict=True))
