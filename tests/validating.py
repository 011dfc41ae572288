"""What tests of the checks share: an empty warehouse, its tables, and the CSV file that a check leaves."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from wherescape import WhereScape
from wherescape.sandbox.red_server import RESET_WAREHOUSE, RedServer
from wherescape.validators.check import CheckResult

FORGET_TABLES = """
    DELETE FROM red.ws_fact_tab;
    DELETE FROM red.ws_dim_tab;
    DELETE FROM red.ws_ods_tab;
    DELETE FROM red.ws_normal_tab;
    DELETE FROM red.ws_obj_object WHERE oo_type_key IN (
        SELECT ot_type_key FROM red.ws_obj_type
         WHERE ot_description IN ('Fact Table', 'Dimension', 'Data Store', 'EDW 3NF'));
    UPDATE red.ws_dbc_target SET dt_database = 'warehouse'
"""


@contextmanager
def empty_warehouse(red: RedServer, workdir: Path) -> Iterator[WhereScape]:
    """Give the WhereScape object of a check in an empty warehouse; a reset of all would take too long."""
    red.query_repository(FORGET_TABLES)
    red.query_warehouse("SET client_min_messages = warning; " + RESET_WAREHOUSE)
    variables = {"WSL_WORKDIR": str(workdir), "WSL_JOB_KEY": "7", "WSL_JOB_NAME": "Nightly"}
    wherescape = WhereScape(red.environment("load_check") | variables)
    try:
        yield wherescape
    finally:
        wherescape.close()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def lines(result: CheckResult, header: str) -> list[str]:
    """Return the lines of the CSV file without header and date; both are held to the letter."""
    text = result.csv.read_bytes().decode("utf-8")
    assert text.startswith(header + "\n") and text.endswith("\n")
    day = datetime.strptime(result.csv.stem[-6:], "%y%m%d").date().isoformat()
    found = text.removeprefix(header + "\n").split("\n")[:-1]
    assert all(line.startswith(f"{day},") for line in found)
    return [line.removeprefix(f"{day},") for line in found]
