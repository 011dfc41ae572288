"""Row counts of fact tables and dimensions over time; a sudden drop is a warning."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from wherescape.repository import DIMENSIONS, FACT_TABLES, WarehouseTable
from wherescape.validators.check import (
    LOCK_SECONDS,
    Check,
    CheckResult,
    Finding,
    percent,
    require_share,
    run_check,
    share_of,
)
from wherescape.validators.results import Before
from wherescape.validators.warehouse import Warehouse
from wherescape.wherescape import WhereScape

CHECK = Check(
    name="fact_dimension_size",
    title="Sizes of facts and dimensions",
    explanation="The rows of each fact table and dimension in the last runs, one column a day, this run last.",
    kinds=(FACT_TABLES, DIMENSIONS),
    about="is a fact table or a dimension",
    header=("date", "table", "table_type", "count_of_all_records"),
    drawing="Rows by day",
)


def check_fact_dimension_size(
    output_file_location: str | Path = "",
    wherescape: WhereScape | None = None,
    *,
    max_drop: float = 0.1,
    leave_out: Sequence[str] = (),
    lock_seconds: float = LOCK_SECONDS,
) -> CheckResult:
    """Count the rows of all fact tables and dimensions, and compare them with the last run of an earlier day.

    The result goes to `{job_key}_fact_dimension_size_result_{yymmdd}.csv`, a line for each table, and to a page of the
    same name, which shows the last 30 days that have a result.

    Arguments:
        output_file_location: the folder for the files; RED's work folder when left out.
        wherescape: made from the environment when left out.
        max_drop: a table that has lost more than this share of its rows is a warning, from 0 to 1.
        leave_out: names of tables that are not checked, with or without schema; `*` stands for any text.
        lock_seconds: how long a query waits for the locks of others before its table counts as not read.

    Raises:
        EnvironmentVariableError: there is no target database, or no work folder.
        DeclarationError: a limit is no share.
        ResultNotWritten, DatabaseError: there is no result.
    """
    require_share("max_drop", max_drop)

    def measure(warehouse: Warehouse, table: WarehouseTable, before: Before) -> Iterator[Finding]:
        sql = f"SELECT {warehouse.dialect.row_count} FROM {warehouse.table(table)}"
        kind = "fact" if table.kind is FACT_TABLES else "dimension"
        yield _judge(int(warehouse.query(sql)[0][0]), kind, before.all("", "count_of_all_records"), max_drop)

    return run_check(CHECK, lambda table: True, measure, output_file_location, wherescape, leave_out, lock_seconds)


def _judge(rows: int, kind: str, before: Sequence[tuple[object, tuple[float, ...]]], max_drop: float) -> Finding:
    change, drop, warnings = "", 0.0, []
    if before:
        day, (earlier,) = before[0]
        drop = share_of(earlier - rows, earlier)
        change = f"{rows - earlier:+,.0f}" if rows != earlier else "no change"
        if drop > max_drop:
            warnings.append(
                f"{percent(drop)} fewer rows than on {day} ({rows:,} of {earlier:,.0f}),"
                f" more than max_drop {percent(max_drop)}"
            )
    return Finding(
        attribute="",
        values=(kind, rows),
        figures=f"{rows:,} rows, {kind}",
        history=(*(figure for _, (figure,) in reversed(before)), rows),
        change=change,
        is_worse=drop > 0,
        warnings=tuple(warnings),
        badness=drop,
    )
