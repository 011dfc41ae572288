"""Shows what a load would begin with, and loads nothing."""

from pathlib import Path

import click

from wherescape.cli.environment import (
    environment_option,
    schema_option,
    source_variables,
    variables_if_known,
    ws_env_option,
)
from wherescape.cli.terminal import console_for_lines, show_columns, show_rows
from wherescape.high_water_mark import mark_text
from wherescape.preview import Preview, find_loader
from wherescape.preview import preview as look
from wherescape.progress import rows_text


@click.command()
@click.argument("connector")
@click.option("--table", default="", help="The load table; by default one for the connector's first kind of data.")
@click.option("--rows", type=click.IntRange(min=1), default=10, show_default=True, help="How many rows to show.")
@click.option("--url", default="", help="The API's address, in place of WSL_SRCCFG_URL.")
@schema_option
@ws_env_option
@environment_option
def preview(
    connector: str, table: str, rows: int, url: str, schema: str, ws_env: Path | None, environment: str
) -> None:
    """Show the first rows of a connector, its columns, the SQL and the mark that a load would use; write nothing.

    CONNECTOR is a name, such as gitlab, or the path of a folder. RED need not be there: without it there is no mark,
    and columns have the types that are declared. The API key is taken from WSL_SRCCFG_APIKEY.
    """
    found = find_loader(connector, Path.cwd())
    if not table:
        if not found.tables:
            raise click.UsageError(f"{found.name} declares no tables, so name the load table with --table.")
        table = f"load_{found.name}_{found.tables[0].kind}"
    variables = variables_if_known(ws_env, environment, table, schema) | source_variables(url)
    seen = look(found, variables, rows)
    console = console_for_lines()
    show_columns(console, seen.table.columns, f"{seen.load_table}: columns")
    show_rows(console, rows_text(len(seen.rows), 0), [column.name for column in seen.table.columns], seen.rows)
    for row, reason in sorted(seen.unfit.items()):
        console.print(f"Row {row + 1} would be rejected. {reason}")
    console.print(_mark(seen))
    console.print(f"\nA batch of rows is inserted by:\n\n{seen.sql}")
    if seen.sql_is_assumed:
        console.print(f"\n{seen.load_table} is not there yet, so these are PostgreSQL's types as declared.")
    console.print("\nNothing was written.")


def _mark(seen: Preview) -> str:
    mark = seen.mark
    if mark is None:
        return "There is no high-water mark: each load is a full one."
    if mark.since is None:
        return f"The high-water mark {mark.name} is empty: a load would be a full one."
    before, since = mark_text(mark.before), mark_text(mark.since)
    return f"The high-water mark {mark.name} is {before}: a load would ask for what changed since {since}."
