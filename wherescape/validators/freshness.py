"""The age of the newest row of facts, dimensions, data stores and EDW tables."""

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from wherescape.errors import DeclarationError
from wherescape.repository import (
    DATA_STORES,
    DIMENSIONS,
    EDW_TABLES,
    FACT_TABLES,
    WarehouseColumn,
    WarehouseTable,
)
from wherescape.validators.check import LOCK_SECONDS, Check, CheckResult, Finding, run_check
from wherescape.validators.results import Before
from wherescape.validators.warehouse import Warehouse
from wherescape.wherescape import WhereScape

# Clocks that differ are no rows of the future.
FUTURE = timedelta(minutes=5)
ENDLESS = timedelta(days=999_999_999)

CHECK = Check(
    name="freshness_check",
    title="Age of the newest row",
    explanation="How long ago the newest row of each table was written. The mark in a bar is the limit.",
    kinds=(FACT_TABLES, DIMENSIONS, DATA_STORES, EDW_TABLES),
    about="has a column with the time at which a row was written",
    header=("date", "table", "attribute", "newest_record", "age_in_hours"),
    drawing="Age, up to twice the limit",
)


def check_freshness(
    output_file_location: str | Path = "",
    wherescape: WhereScape | None = None,
    *,
    max_age: timedelta = timedelta(days=2),
    columns: Sequence[str] = ("dss_update_time", "dss_load_date", "dss_create_time"),
    utc_columns: Sequence[str] = ("dss_load_date",),
    leave_out: Sequence[str] = (),
    lock_seconds: float = LOCK_SECONDS,
) -> CheckResult:
    """Find out how old the newest row of all facts, dimensions, data stores and EDW tables is.

    The result goes to `{job_key}_freshness_check_result_{yymmdd}.csv`, a line for each table, and to a page of the
    same name. An empty table, and one whose newest row is in the future, are warnings as well. `newest_record` is in
    the clock of its column; the age is right in any.

    Arguments:
        output_file_location: the folder for the files; RED's work folder when left out.
        wherescape: made from the environment when left out.
        max_age: an older newest row is a warning.
        columns: the columns that tell when a row was written; of several that a table has, the first counts. The names
            are those that RED proposes, as far as known; a warehouse may have others.
        utc_columns: those of them whose values are UTC where their type has no zone, as this library's loads write
            them; others are in the zone of the database session.
        leave_out: names of tables that are not checked, with or without schema; `*` stands for any text.
        lock_seconds: how long a query waits for the locks of others before its table counts as not read.

    Raises:
        EnvironmentVariableError: there is no target database, or no work folder.
        DeclarationError: the limit is no time, or the warehouse is neither PostgreSQL nor SQL Server.
        ResultNotWritten, DatabaseError: there is no result.
    """
    if max_age <= timedelta():
        raise DeclarationError(f"max_age is {max_age}; it is a time such as timedelta(days=2).")
    in_utc = {name.lower() for name in utc_columns}

    def measure(warehouse: Warehouse, table: WarehouseTable, before: Before) -> Iterator[Finding]:
        column = _time_columns(table, columns)[0]
        newest, age = _newest(warehouse, table, column, column.name.lower() in in_utc)
        yield _judge(column.name, newest, age, before, max_age)

    return run_check(
        CHECK,
        lambda table: _time_columns(table, columns),
        measure,
        output_file_location,
        wherescape,
        leave_out,
        lock_seconds,
    )


def _time_columns(table: WarehouseTable, names: Sequence[str]) -> list[WarehouseColumn]:
    """Return the columns of a table that are among some names, in the order of the names."""
    existing = {column.name.lower(): column for column in table.columns}
    return [existing[name.lower()] for name in names if name.lower() in existing]


def _newest(
    warehouse: Warehouse, table: WarehouseTable, column: WarehouseColumn, is_utc: bool
) -> tuple[str | None, timedelta | None]:
    query = warehouse.dialect.newest_row
    if query is None:
        raise DeclarationError("Ages of rows are known to be right on PostgreSQL and SQL Server only.")
    name = warehouse.column(table, column.name)
    newest, seconds = warehouse.query(query(warehouse.table(table), name, column.data_type, is_utc))[0]
    if seconds is None:
        return None, None
    if math.isinf(seconds):
        # PostgreSQL has moments of these names.
        return ("-infinity", ENDLESS) if seconds > 0 else ("infinity", -ENDLESS)
    return newest, timedelta(seconds=float(seconds))


def _judge(column: str, newest: str | None, age: timedelta | None, before: Before, max_age: timedelta) -> Finding:
    if age is None or newest is None:
        return Finding(
            attribute=column,
            values=(column, "", ""),
            figures="no row has a value",
            bar=(1.0,),
            warnings=(f"no row has a value in {column}: it is empty",),
            badness=float("inf"),
        )
    warnings = []
    if age > max_age:
        warnings.append(f"the newest row is {_said(age)} old ({newest}), more than max_age {_said(max_age)}")
    if age < -FUTURE:
        warnings.append(
            f"the newest row is {_said(-age)} in the future ({newest}): check the time zone of {column},"
            " and whether utc_columns should name it"
        )
    last = before.last(column, "age_in_hours")
    return Finding(
        attribute=column,
        values=(column, newest, round(age / timedelta(hours=1), 2)),
        figures=f"{_said(age)}, {newest.replace('T', ' ')}",
        bar=(min(1.0, max(0.0, age / (2 * max_age))),),
        limit=0.5,
        change=f"was {_said(timedelta(hours=last[1][0]))}" if last else "",
        is_worse=last is not None and age > max_age,
        warnings=tuple(warnings),
        badness=abs(age / max_age),
    )


def _said(age: timedelta) -> str:
    """Return an age in the largest unit that says enough."""
    seconds = age.total_seconds()
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:,.0f} s"
