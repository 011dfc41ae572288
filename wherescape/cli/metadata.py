"""Shows what a load table's declaration, RED's columns and the table in the target disagree on."""

import runpy
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import click
from rich import box
from rich.table import Table as Grid

from wherescape.catalogue import CONNECTOR_NAMES, connector_of
from wherescape.cli.environment import environment_option, find_variables, schema_option, ws_env_option
from wherescape.cli.terminal import console_for_tables
from wherescape.environment import Environment
from wherescape.errors import WhereScapeError
from wherescape.host_script_process import refused
from wherescape.metadata_diff import Difference, declared_columns, differences
from wherescape.redaction import redact
from wherescape.repository import Repository
from wherescape.sql_types import is_same_type
from wherescape.tables import Table
from wherescape.wherescape import WhereScape

DIFFER = 1


class Trouble(click.ClickException):  # noqa: N818
    """The three cannot be compared."""

    exit_code = 2


@click.group()
def metadata() -> None:
    """Compare load tables with what RED knows of them."""


@metadata.command()
@click.argument("table")
@click.option(
    "--declaration", "own", help="A Table of your own, as file and name: tables.py:COUNTRIES. The file is run."
)
@ws_env_option
@environment_option
@schema_option
def diff(table: str, own: str | None, ws_env: Path | None, environment: str, schema: str) -> None:
    """Show what the declaration of TABLE, RED's ws_load_col and the table in the target disagree on.

    The declaration is that of the connector that TABLE is named after, as in load_gitlab_commit. HubSpot and Notion
    are asked for their properties. The exit status is 0 if all agree, 1 if not, 2 if they cannot be compared.
    """
    try:
        variables = find_variables(ws_env, environment, table, schema)
        with closing(WhereScape(variables)) as wherescape:
            declaration = _from_file(own) if own else _of_connector(wherescape)
            found = _differences(wherescape, Environment(variables), declaration)
    except (click.ClickException, WhereScapeError) as error:
        raise Trouble(str(error)) from error
    if not found:
        click.echo(f"{table}: declaration, RED and target agree on {len(declaration.all_columns)} columns.")
        return
    _show(table, found)
    sys.exit(DIFFER)


def _differences(wherescape: WhereScape, environment: Environment, declaration: Table) -> list[Difference]:
    repository = Repository(wherescape.meta, environment)
    registered = repository.column_definitions(repository.find_table(wherescape.table, wherescape.schema))
    dialect = wherescape.target.dialect
    return differences(
        declared_columns(declaration, dialect.types),
        registered,
        wherescape.target.table_columns(wherescape.schema, wherescape.table) or None,
        partial(is_same_type, database=dialect.name),
    )


def _of_connector(wherescape: WhereScape) -> Table:
    connector = connector_of(wherescape.table)
    if connector is None:
        raise Trouble(
            f"The name of {wherescape.table} says no connector ({', '.join(CONNECTOR_NAMES)}). Name its declaration"
            " with --declaration, such as tables.py:COUNTRIES."
        )
    return connector.declaration(wherescape)


def _from_file(own: str) -> Table:
    path, _, name = own.rpartition(":")
    file = Path(path)
    if not path or not file.is_file():
        raise Trouble(f"--declaration {own} names no file and name. Write it like tables.py:COUNTRIES.")
    sys.path.insert(0, str(file.resolve().parent))
    try:
        with refused():
            found = runpy.run_path(str(file)).get(name)
    except (Exception, SystemExit) as error:
        raise Trouble(f"{file} cannot be run: {type(error).__name__}: {redact(str(error))}") from error
    finally:
        sys.path.pop(0)
    if not isinstance(found, Table):
        raise Trouble(f"{file} has no Table of the name {name}.")
    return found


def _show(table: str, found: list[Difference]) -> None:
    grid = Grid(box=box.SIMPLE_HEAD)
    for heading in ("column", "difference", "what to do"):
        grid.add_column(heading, overflow="fold")
    for each in found:
        grid.add_row(each.column or "(table)", each.what, each.mend)
    console = console_for_tables()
    console.print(grid)
    console.print(f"{table}: {len(found)} {'difference' if len(found) == 1 else 'differences'}.")
