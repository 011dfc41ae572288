"""What tests of a load share: a load table made from its declaration, and what a load leaves behind."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

from wherescape import Column, Table, WhereScape
from wherescape.column_types import DataType
from wherescape.sandbox.red_server import RedServer
from wherescape.tables import Mask
from wherescape.testing.contract import texts_of_red as texts_of_red

LOAD_TABLE = "load_item"
TYPES: tuple[DataType, ...] = get_args(DataType)
"""Every type that a column can be declared with."""


def item_table(*columns: Column, mark_column: str = "") -> Table:
    """Declare a load table: `n`, which identifies a row, and the given columns."""
    return Table("item", (Column("n", "bigint"), *columns), ("n",), "items api", mark_column=mark_column)


def masked(name: str, mask: Mask, source: str = "") -> Column:
    return Column(name, "text", source=source, mask=mask)


def create_load_table(red: RedServer, table: Table, *, truncate: bool = True) -> None:
    """Register a load table in RED, write its metadata, and create it in the warehouse."""
    red.register_load_table(LOAD_TABLE, truncate=truncate)
    wherescape = WhereScape(red.environment(LOAD_TABLE))
    wherescape.create_metadata(table)
    wherescape.close()
    red.create_table(LOAD_TABLE)


@contextmanager
def load_table(red: RedServer, table: Table, **variables: str) -> Iterator[WhereScape]:
    """Create a load table and give the WhereScape object of a script that is attached to it."""
    create_load_table(red, table)
    wherescape = WhereScape(red.environment(LOAD_TABLE) | variables)
    try:
        yield wherescape
    finally:
        wherescape.close()


def alter(red: RedServer, change: str) -> None:
    """Change the load table, as a developer does in RED or in the database."""
    red.query_warehouse(f"ALTER TABLE load.{LOAD_TABLE} {change}")


def stored(red: RedServer, expressions: str = "n", order: str = "n") -> list[tuple[Any, ...]]:
    """Return the rows of the load table."""
    rows = red.query_warehouse(f"SELECT {expressions} FROM load.{LOAD_TABLE} ORDER BY {order}")
    return [tuple(row) for row in rows]


def numbers(red: RedServer) -> list[int]:
    """Return what is in the column `n` of the load table."""
    return [row[0] for row in stored(red)]


def empty(red: RedServer, wherescape: WhereScape) -> None:
    """Empty the load table and drop its reject file, where a reset between two loads would take too long."""
    red.query_warehouse(f"TRUNCATE load.{LOAD_TABLE}")
    reject_file(wherescape).unlink(missing_ok=True)


def reject_file(wherescape: WhereScape) -> Path:
    return wherescape.workdir / "rejects" / f"{wherescape.table}_{wherescape.sequence}.jsonl"


def rejects(wherescape: WhereScape) -> list[dict[str, Any]]:
    """Return the lines of the reject file; none if there is no file."""
    path = reject_file(wherescape)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def run_report(wherescape: WhereScape) -> dict[str, Any]:
    """Return the run report of the last load."""
    path = wherescape.workdir / "runs" / f"{wherescape.table}_{wherescape.sequence}.json"
    report = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    assert isinstance(report, dict)
    return report


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged as a warning or worse, whatever level an earlier test has left behind."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
