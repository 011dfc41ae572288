"""Records in, load table out: convert, mask, insert, reject. Knows nothing of any API, nor of RED."""

import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wherescape.bulk_insert import BulkInsert, InsertedBatch, Refusal
from wherescape.column_types import Capacity
from wherescape.database import Database
from wherescape.errors import DeclarationError, LoadError, TooManyRejects
from wherescape.masks import Masker
from wherescape.record_batches import Record, RecordBatch, batches_of
from wherescape.rejects import RejectFile
from wherescape.tables import Table
from wherescape.tally import Tally, by_column
from wherescape.values import convert

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RejectLimits:
    """How many rows may be rejected before a load fails: it must exceed both.

    Arguments:
        rows: a number of rows.
        share: of the rows that were read so far, from 0 to 1.
    """

    rows: int = 100
    share: float = 0.05

    def __post_init__(self) -> None:
        if self.rows < 0 or not 0 <= self.share <= 1:
            raise DeclarationError(
                f"A load may reject {self.rows} rows (max_rejected, 0 or more) and a share of {self.share}"
                " (max_rejected_share, from 0 to 1: 0.05 is 5%)."
            )

    def of(self, read: int) -> int:
        """Return how many of some rows may be rejected."""
        # 0.29 of 100 are 29, not 28.999...
        return max(self.rows, int(round(self.share * read, 6)))


def load_records(
    database: Database,
    full_name: str,
    table: Table,
    records: "Iterable[Record] | pd.DataFrame",
    *,
    started: datetime,
    rejects: RejectFile,
    limits: RejectLimits,
    masker: Masker,
    tally: Tally,
    on_progress: Callable[[], object] = lambda: None,
) -> None:
    """Insert records into a load table, all in one transaction.

    The records are read in the calling thread, while a thread of its own inserts the batch before.

    Arguments:
        database: where the load table is.
        full_name: the load table's schema and name as they stand in SQL.
        table: the declaration.
        records: dicts, read as they are inserted, or a DataFrame. A field that is missing becomes NULL.
        started: aware; becomes `dss_load_date`.
        rejects: where rows go that do not fit.
        limits: how many may.
        masker: masks the columns that are declared so.
        tally: kept up to date, also if the load fails.
        on_progress: called after each batch.

    Raises:
        LoadError, DatabaseError, and whatever the records raise: nothing was inserted, unless the connection broke at
            the commit (`ConnectionFailed.may_be_committed`).
    """
    quote = database.dialect.quote
    with _closed_at_the_end(records), database.transaction(f"INSERT INTO {full_name}"):
        table = _without_lacking_columns(table, database.column_names(full_name), full_name, tally)
        names = [quote(column.name) for column in table.all_columns]
        with database.bulk_insert(full_name, names) as bulk:
            load = _Load(bulk, table, started, rejects, limits, masker, tally)
            for batch in batches_of(records):
                load.send(batch)
                on_progress()
            load.settle()
            if tally.drift.is_foreign:
                raise LoadError(
                    "No record has any field that the table declares, or any of its key, so nothing was loaded. Has"
                    " the API's answer changed? Compare `source` of the columns with a record."
                )
            rejects.sync()
    on_progress()


def _without_lacking_columns(table: Table, present: Sequence[str], full_name: str, tally: Tally) -> Table:
    """Declare only what the load table has columns for: it may be older, or hold less by choice."""
    kept = {name.lower() for name in present}
    tally.lacking = [column.name for column in table.columns if column.name.lower() not in kept]
    if not tally.lacking:
        return table
    names = ", ".join(tally.lacking)
    try:
        table = table.only(present)
    except DeclarationError as error:
        raise LoadError(
            f"{full_name} has no column {names}, so nothing was loaded. {error} Run the metadata script and recreate"
            " the table."
        ) from None
    logger.info(
        "%s has no column %s, so what comes for it is left out. To have it, run the metadata script and recreate the"
        " table.",
        full_name,
        names,
    )
    return table


def _closed_at_the_end(records: object) -> AbstractContextManager[object]:
    """Close a generator when the load is over, so that what it reads from is not left open after an error."""
    return closing(records) if isinstance(records, Generator) else nullcontext()


@dataclass
class _Sent:
    """A batch on its way: what was converted of it, and where each row came from."""

    result: "Future[InsertedBatch]"
    columns: list[Sequence[Any]]
    rows: Sequence[int]
    batch: RecordBatch
    first: int
    limit: int


class _Load:
    def __init__(
        self,
        bulk: BulkInsert,
        table: Table,
        started: datetime,
        rejects: RejectFile,
        limits: RejectLimits,
        masker: Masker,
        tally: Tally,
    ) -> None:
        self._bulk = bulk
        self._table = table
        self._capacities = bulk.capacities([column.data_type for column in table.all_columns])
        [self._load_date], _ = convert([started], "timestamp", self._capacities[-1])
        self._rejects = rejects
        self._limits = limits
        self._masker = masker
        self._tally = tally
        self._sent: _Sent | None = None

    def send(self, batch: RecordBatch) -> None:
        """Convert a batch, reject what does not fit, and send the rest on its way."""
        tally = self._tally
        first = tally.read
        tally.read += batch.rows
        if first == 0 and len(batch.no_records) == batch.rows:
            kind = type(batch.no_records[0]).__name__
            raise LoadError(
                f"The records are no dicts but of the type {kind}; pages are made records by"
                " itertools.chain.from_iterable. Nothing was loaded."
            )
        tally.drift.observe(batch)
        columns, unfit = converted(batch, self._table, self._capacities, self._masker)
        limit = self._limits.of(tally.read)
        rows: Sequence[int] = range(batch.rows)
        if unfit:
            # The reject file keeps the records' order.
            self.settle()
            for row, (column, reason) in sorted(unfit.items()):
                self._reject(batch, first, row, column, reason, limit)
            rows = [row for row in rows if row not in unfit]
            columns = [[values[row] for row in rows] for values in columns]
        if rows:
            constant = [self._table.record_source] * len(rows), [self._load_date] * len(rows)
            result = self._bulk.send([*columns, *constant], most_refused=max(0, limit - tally.rejected))
            self.settle()
            self._sent = _Sent(result, columns, rows, batch, first, limit)

    def settle(self) -> None:
        """Wait for the batch that was sent last, and count it."""
        if self._sent is None:
            return
        sent, self._sent = self._sent, None
        done = sent.result.result()
        for refusal in done.refusals:
            self._reject(sent.batch, sent.first, sent.rows[refusal.row], None, _reason(refusal), sent.limit)
        tally = self._tally
        tally.inserted += done.rows - len(done.refusals)
        tally.batches.add(done.at, done.seconds, done.rows - len(done.refusals))
        refused = {refusal.row for refusal in done.refusals}
        for column, values in zip(self._table.columns, sent.columns, strict=True):
            if refused:
                values = [value for row, value in enumerate(values) if row not in refused]
            tally.nulls[column.name] += values.count(None)
            if column.name == self._table.mark_column:
                tally.largest_mark = _largest(tally.largest_mark, values)

    def _reject(self, batch: RecordBatch, first: int, row: int, column: str | None, reason: str, limit: int) -> None:
        tally = self._tally
        self._rejects.add(first + row + 1, column, reason, batch.record(row))
        tally.rejected += 1
        tally.rejected_by_column[column or ""] += 1
        if tally.rejected > limit:
            raise TooManyRejects(
                f"More than {limit:,} of the first {tally.read:,} rows do not fit, so nothing was loaded:"
                f" {by_column(tally)}. See {self._rejects.path}; mend the source or the declaration, or raise"
                " max_rejected and max_rejected_share."
            )


def converted(
    batch: RecordBatch, table: Table, capacities: Sequence[Capacity], masker: Masker
) -> tuple[list[Sequence[Any]], dict[int, tuple[str | None, str]]]:
    """Return the values of a batch as they are inserted, column by column, and what does not fit.

    Arguments:
        batch: some records.
        table: the declaration.
        capacities: what each column of the load table holds.
        masker: masks the columns that are declared so.

    Returns:
        The values, and for each row that is to be rejected the column and the reason, which shows no value.
    """
    columns: list[Sequence[Any]] = []
    unfit: dict[int, tuple[str | None, str]] = {
        row: (None, f"A {type(came).__name__} came where a dict was due.") for row, came in batch.no_records.items()
    }
    sources = [column.source for column in table.columns]
    for column, capacity, values in zip(table.columns, capacities, batch.columns(sources), strict=False):
        if column.mask:
            values, reasons = masker.mask(column.mask, values)
        else:
            values, reasons = convert(values, column.data_type, capacity)
        columns.append(values)
        for row, reason in reasons.items():
            unfit.setdefault(row, (column.name, f"Column {column.name}: {reason}."))
    return columns, unfit


def _reason(refusal: Refusal) -> str:
    return f"The database refused it: {' '.join(str(part) for part in refusal.error.args)}"


def _largest(largest: datetime | None, values: Sequence[Any]) -> datetime | None:
    moments = [value for value in values if value is not None]
    if not moments:
        return largest
    moment = max(moments)
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    moment = moment.replace(tzinfo=UTC)
    return moment if largest is None else max(largest, moment)
