"""Fact rows that join no dimension row: the shares of 0-keys and of missing keys by fact table and dimension key."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from wherescape.repository import FACT_TABLES, WarehouseColumn, WarehouseTable
from wherescape.validators.check import (
    LOCK_SECONDS,
    SMALLEST_CHANGE,
    Check,
    CheckResult,
    Finding,
    percent,
    points,
    require_share,
    run_check,
    share_of,
)
from wherescape.validators.results import Before
from wherescape.validators.warehouse import Warehouse
from wherescape.wherescape import WhereScape

# Two counts each; PostgreSQL selects 1,664 values at most.
KEYS_IN_A_QUERY = 800

CHECK = Check(
    name="fact_dimension_check",
    title="Facts without a dimension",
    explanation="The share of a fact table's rows whose dimension key is 0, the key of the unknown, or NULL, which"
    " joins no row at all. The mark in a bar is the limit.",
    kinds=(FACT_TABLES,),
    about="is a fact table with a dimension key (key type 2)",
    header=("date", "table", "attribute", "count_of_all_records", "count_of_0_key_records"),
    drawing="Share of the rows",
    parts=("0", "NULL"),
)


def check_fact_dimension_join(
    output_file_location: str | Path = "",
    wherescape: WhereScape | None = None,
    *,
    max_share: float = 0.05,
    max_growth: float = 0.01,
    leave_out: Sequence[str] = (),
    lock_seconds: float = LOCK_SECONDS,
) -> CheckResult:
    """Count the rows of all fact tables, and for each dimension key those with the key 0.

    The result goes to `{job_key}_fact_dimension_check_result_{yymmdd}.csv`, a line for each fact table and dimension
    key, and to a page of the same name. A NULL key is not counted as a 0-key; it is shown on the page, and both
    together are held to `max_share`. What is a dimension key is read from RED: key type 2 of a fact table's column.

    Arguments:
        output_file_location: the folder for the files; RED's work folder when left out.
        wherescape: made from the environment when left out.
        max_share: more rows than this share without a dimension are a warning, from 0 to 1.
        max_growth: a share of 0-keys that has grown by more than this since the last run of an earlier day is a
            warning.
        leave_out: names of tables that are not checked, with or without schema; `*` stands for any text.
        lock_seconds: how long a query waits for the locks of others before its table counts as not read.

    Raises:
        EnvironmentVariableError: there is no target database, or no work folder.
        DeclarationError: a limit is no share.
        ResultNotWritten, DatabaseError: there is no result.
    """
    require_share("max_share", max_share)
    require_share("max_growth", max_growth)

    def measure(warehouse: Warehouse, table: WarehouseTable, before: Before) -> Iterator[Finding]:
        for key, rows, zeros, nulls in _count(warehouse, table):
            yield _judge(key, rows, zeros, nulls, before, max_share, max_growth)

    return run_check(CHECK, _dimension_keys, measure, output_file_location, wherescape, leave_out, lock_seconds)


def _dimension_keys(table: WarehouseTable) -> list[WarehouseColumn]:
    return [column for column in table.columns if column.key_type == "2"]


def _count(warehouse: Warehouse, table: WarehouseTable) -> Iterator[tuple[str, int, int, int]]:
    """Count rows, 0-keys and NULL keys of each dimension key, with one query for all of them."""
    keys = [column.name for column in _dimension_keys(table)]
    for start in range(0, len(keys), KEYS_IN_A_QUERY):
        part = keys[start : start + KEYS_IN_A_QUERY]
        rows, *counts = (int(count or 0) for count in warehouse.query(_query(warehouse, table, part))[0])
        for key, zeros, nulls in zip(part, counts[::2], counts[1::2], strict=True):
            yield key, rows, zeros, nulls


def _query(warehouse: Warehouse, table: WarehouseTable, keys: Sequence[str]) -> str:
    sums = [
        f"SUM(CASE WHEN {warehouse.column(table, key)} {test} THEN CAST(1 AS bigint) ELSE 0 END)"
        for key in keys
        for test in ("= 0", "IS NULL")
    ]
    return f"SELECT {', '.join([warehouse.dialect.row_count, *sums])} FROM {warehouse.table(table)}"


def _judge(
    key: str, rows: int, zeros: int, nulls: int, before: Before, max_share: float, max_growth: float
) -> Finding:
    zero_share, null_share = share_of(zeros, rows), share_of(nulls, rows)
    named = f"{percent(zero_share)} 0-keys" + (f" and {percent(null_share)} NULL" if nulls else "")
    warnings = []
    if zero_share + null_share > max_share:
        warnings.append(f"{key} has {named}, more than max_share {percent(max_share)}")
    last = before.last(key, "count_of_all_records", "count_of_0_key_records")
    earlier_share = share_of(last[1][1], last[1][0]) if last else zero_share
    growth = zero_share - earlier_share
    if last and growth > max_growth:
        warnings.append(
            f"0-keys of {key} grew from {percent(earlier_share)} on {last[0]} to {percent(zero_share)},"
            f" by more than max_growth {percent(max_growth)}"
        )
    return Finding(
        attribute=key,
        values=(key, rows, zeros),
        figures=f"{zeros:,} of {rows:,}, {percent(zero_share)}" + (f"; NULL {nulls:,}" if nulls else ""),
        bar=(zero_share, null_share),
        limit=max_share,
        change=points(growth) if last else "",
        is_worse=growth >= SMALLEST_CHANGE,
        warnings=tuple(warnings),
        badness=zero_share + null_share,
    )
