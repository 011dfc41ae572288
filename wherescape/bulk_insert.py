"""Batches into a table, each inserted by a thread of its own while the next is made ready."""

import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wherescape.dialects import Capacity, Columns, DataType, Dialect, PreparedInsert, Savepoint
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
class Batch:
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
        # The driver lets go of the interpreter now and then, and waits up to 5 ms each time to get it back.
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(min(self._switch_interval, _SWITCH_SECONDS))
        self._under_way: Future[Batch] | None = None

    def capacities(self, types: Sequence[DataType]) -> Sequence[Capacity]:
        """Return what each column of the table holds.

        Arguments:
            types: the columns' declared types, for a database that is not asked.
        """
        return self._statement.capacities or [self._dialect.capacities.get(name, Capacity()) for name in types]

    def send(self, columns: Columns, most_refused: int = 0) -> "Future[Batch]":
        """Insert a batch while the caller goes on; waits for the batch before.

        Arguments:
            columns: the values of each column; not to be changed afterwards.
            most_refused: how many rows the database may refuse. They are looked for while there are no more.

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
        sys.setswitchinterval(self._switch_interval)
        self._under_way = None

    def _insert(self, columns: Columns, encoded: Any, most_refused: int) -> Batch:
        at = time.monotonic()
        rows = len(columns[0])
        refusals: list[Refusal] = []
        if most_refused and self._dialect.savepoint:
            self._insert_some(self._dialect.savepoint, columns, encoded, range(rows), refusals, most_refused)
        else:
            self._execute(encoded, rows)
        return Batch(rows, refusals, at, time.monotonic() - at)

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
            self._savepoint_cursor.execute(savepoint.undo)
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


def rows_to_columns(rows: Sequence[Sequence[Any]]) -> Columns:
    """Turn rows on their side."""
    return list(zip(*rows, strict=True))
