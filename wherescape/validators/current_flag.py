"""Business keys with more or less than one current row, in data stores, EDW tables and dimensions with history."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from wherescape.errors import RepositoryError
from wherescape.repository import DATA_STORES, DIMENSIONS, EDW_TABLES, WarehouseTable
from wherescape.validators.check import (
    LOCK_SECONDS,
    SMALLEST_CHANGE,
    Check,
    CheckResult,
    Finding,
    points,
    run_check,
    share_of,
)
from wherescape.validators.results import Before
from wherescape.validators.warehouse import Warehouse
from wherescape.wherescape import WhereScape

CHECK = Check(
    name="current_flag_check",
    title="Business keys without exactly one current row",
    explanation="The share of a table's business keys that have no current row, and of those that have several.",
    kinds=(DATA_STORES, EDW_TABLES, DIMENSIONS),
    about="has history: a column with the current flag",
    header=(
        "date",
        "table",
        "count_of_all_records",
        "count_of_keys",
        "count_of_keys_without_current_record",
        "count_of_keys_with_several_current_records",
    ),
    drawing="Share of the business keys",
    parts=("several current rows", "none"),
)


def check_current_flag(
    output_file_location: str | Path = "",
    wherescape: WhereScape | None = None,
    *,
    flag_column: str = "dss_current_flag",
    current: str = "Y",
    max_without: int = 0,
    max_several: int = 0,
    leave_out: Sequence[str] = (),
    lock_seconds: float = LOCK_SECONDS,
) -> CheckResult:
    """Count the business keys that have no current row or several, in all tables that RED keeps with history.

    These are the data stores, EDW 3NF tables and dimensions with a current flag; their business key is the columns of
    key type A. Both names are inferred from repositories in use. The result goes to
    `{job_key}_current_flag_check_result_{yymmdd}.csv`, a line for each table, and to a page of the same name.

    Arguments:
        output_file_location: the folder for the files; RED's work folder when left out.
        wherescape: made from the environment when left out.
        flag_column: the column that tells whether a row is the current one.
        current: what it holds then.
        max_without: more business keys without a current row are a warning.
        max_several: more business keys with several current rows are a warning.
        leave_out: names of tables that are not checked, with or without schema; `*` stands for any text.
        lock_seconds: how long a query waits for the locks of others before its table counts as not read.

    Raises:
        EnvironmentVariableError: there is no target database, or no work folder.
        ResultNotWritten, DatabaseError: there is no result.
    """

    def measure(warehouse: Warehouse, table: WarehouseTable, before: Before) -> Iterator[Finding]:
        rows, keys, without, several = _count(warehouse, table, flag_column, current)
        warnings = []
        if without > max_without:
            warnings.append(f"{_keys(without)} no current row, more than max_without {max_without:,}")
        if several > max_several:
            warnings.append(f"{_keys(several)} several current rows, more than max_several {max_several:,}")
        yield _finding(rows, keys, without, several, before, warnings)

    def has_history(table: WarehouseTable) -> bool:
        return any(column.name.lower() == flag_column.lower() for column in table.columns)

    return run_check(CHECK, has_history, measure, output_file_location, wherescape, leave_out, lock_seconds)


def _count(warehouse: Warehouse, table: WarehouseTable, flag_column: str, current: str) -> list[int]:
    """Count rows, business keys, those without a current row, and those with several."""
    business_key = [warehouse.column(table, column.name) for column in table.columns if column.key_type == "A"]
    if not business_key:
        raise RepositoryError(
            f"RED names no business key (key type A) of {table.name}. Mark its columns in RED, or name the table in"
            " leave_out."
        )
    flag = warehouse.column(table, flag_column)
    sql = (
        "SELECT SUM(all_rows), SUM(CAST(1 AS bigint)),"
        " SUM(CASE WHEN current_rows = 0 THEN CAST(1 AS bigint) ELSE 0 END),"
        " SUM(CASE WHEN current_rows > 1 THEN CAST(1 AS bigint) ELSE 0 END)"
        f" FROM (SELECT {warehouse.dialect.row_count} AS all_rows,"
        f" SUM(CASE WHEN {flag} = ? THEN 1 ELSE 0 END) AS current_rows"
        f" FROM {warehouse.table(table)} GROUP BY {', '.join(business_key)}) AS business_keys"
    )
    return [int(count or 0) for count in warehouse.query(sql, [current])[0]]


def _keys(count: int) -> str:
    return "1 business key has" if count == 1 else f"{count:,} business keys have"


def _finding(rows: int, keys: int, without: int, several: int, before: Before, warnings: Sequence[str]) -> Finding:
    last = before.last("", *CHECK.header[3:])
    wrong = share_of(without + several, keys)
    growth = wrong - share_of(last[1][1] + last[1][2], last[1][0]) if last else 0.0
    return Finding(
        attribute="",
        values=(rows, keys, without, several),
        figures=f"{keys:,} keys: {without:,} without, {several:,} with several",
        bar=(share_of(several, keys), share_of(without, keys)),
        change=points(growth) if last else "",
        is_worse=growth >= SMALLEST_CHANGE,
        warnings=tuple(warnings),
        badness=wrong,
    )
