"""Runs a host script as RED does, and explains what RED would read from it."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from portalocker import Lock, LockException
from rich.console import Console

from wherescape.cli.environment import (
    SERVER,
    environment_option,
    find_variables,
    schema_option,
    source_variables,
    ws_env_option,
)
from wherescape.cli.terminal import console_for_lines, show_rows
from wherescape.environment import SOURCE_PREFIX
from wherescape.progress import rows_text
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import Execution, TaskResult, run_outside
from wherescape.wherescape import WhereScape

MEANINGS = {
    1: ("success", "RED goes on with the tasks behind it."),
    -1: ("success with warnings", "RED goes on with the tasks behind it; read what it warns of."),
    -2: ("error", "RED holds the tasks that depend on it."),
    -3: ("fatal error", "RED holds the tasks that depend on it."),
}
SAMPLE_ROWS = 5
LOAD_SCHEMA = "load"
SECONDS_TO_START = 60


@click.command()
@click.argument("host_script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--table", required=True, help="The load table that the script is attached to.")
@click.option("--url", default="", help="The API's address, in place of WSL_SRCCFG_URL.")
@click.option("--timeout", default=3_600.0, show_default=True, help="Seconds after which the script is killed.")
@click.option("--truncate", is_flag=True, help="With --ws-env: empty the load table first, as RED's pre-load action.")
@schema_option
@ws_env_option
@environment_option
def run(
    host_script: Path,
    table: str,
    url: str,
    timeout: float,
    truncate: bool,
    schema: str,
    ws_env: Path | None,
    environment: str,
) -> None:
    """Run a host script as RED does, and explain its status line.

    Without --ws-env it runs against a stand-in RED server, which is started if need be and stays up for the next run:
    the load table is registered, emptied before each run, and created once the metadata script has run. With --ws-env
    it runs against that environment, as from RED's own window.

    What RED's connection tells a script is taken from the variables WSL_SRCCFG_APIKEY, WSL_SRCCFG_USER and so on. The
    folder you stand in is on Python's path. The exit status is 0 for 1 and -1, otherwise 1.
    """
    if not table.strip():
        raise click.UsageError("--table is empty: name the load table that the script is attached to.")
    if ws_env is None and schema != LOAD_SCHEMA:
        raise click.UsageError(f"The stand-in server has its load tables in {LOAD_SCHEMA}; --schema is for --ws-env.")
    console = console_for_lines()
    source = source_variables(url)
    path = {"PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))}
    if ws_env is not None:
        variables = find_variables(ws_env, environment, table, schema) | source
        if truncate:
            _empty(variables)
        execution = Execution(Path(sys.executable), timeout, sys.stderr.isatty())
        result = run_outside(host_script, variables | path, execution)
        _explain(console, result)
    else:
        with _stand_in(console) as red:
            red.register_load_table(table)
            result = red.run_host_script(
                host_script,
                table,
                schema=schema,
                environment=path,
                source_config={name[len(SOURCE_PREFIX) :]: value for name, value in source.items()},
                timeout=timeout,
                is_watched=sys.stderr.isatty(),
            )
            _explain(console, result)
            _show_table(console, red, table, schema, result)
    sys.exit(0 if result.status >= -1 else 1)


@click.command("stop-server")
def stop_server() -> None:
    """Stop the stand-in RED server that `run` keeps up for this folder, and remove its databases."""
    red = RedServer(SERVER, keep=True)
    if not red.attach():
        raise click.ClickException(f"No stand-in server was started from {Path.cwd()}.")
    red.stop()
    click.echo("The stand-in RED server is stopped, its databases are gone.")


@contextmanager
def _stand_in(console: Console) -> Iterator[RedServer]:
    red = RedServer(SERVER, keep=True)
    with _alone():
        if not red.attach():
            console.print("Starting a stand-in RED server, which stays up: wherescape stop-server stops it.")
            red.start()
    yield red


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for another process that starts a server for this folder, so that there is one and not two."""
    try:
        SERVER.mkdir(exist_ok=True)
        lock = Lock(SERVER / "lock", timeout=SECONDS_TO_START)
        lock.acquire()
    except (OSError, LockException) as error:
        raise click.ClickException(
            f"{SERVER.absolute()}, for the stand-in server, cannot be used: {error}."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _empty(variables: dict[str, str]) -> None:
    target = WhereScape(variables)
    try:
        target.push_to_target(f"TRUNCATE TABLE {target.load_full_name}")
    finally:
        target.close()


def _explain(console: Console, result: TaskResult) -> None:
    name, meaning = MEANINGS[result.status]
    _print(console, "status", [f"{result.status}  {name}: {meaning}"])
    _print(console, "message", [result.message])
    _print(console, "audit", result.audit)
    _print(console, "detail", result.detail)
    if result.exit_status:
        _print(console, "exit", [f"{result.exit_status}; RED wants 0 whatever the status"])


def _print(console: Console, what: str, lines: Sequence[str]) -> None:
    for number, line in enumerate(lines):
        console.print(f"{what if number == 0 else '':8} {line}")


def _show_table(console: Console, red: RedServer, table: str, schema: str, result: TaskResult) -> None:
    """Create the load table once RED has columns for it, and show what is in it."""
    registered = red.registered_columns(table)
    present = red.table_columns(table, schema)
    if not registered:
        if result.status >= -1:
            console.print(f"\nRED has no columns for {table} yet: run its metadata script before its load script.")
        return
    if registered != present:
        red.create_table(table)
        console.print(f"\n{schema}.{table} is created with {len(registered)} columns.")
        return
    quoted = table.replace('"', '""')
    [[count]] = red.query_warehouse(f'SELECT count(*) FROM {schema}."{quoted}"')
    sample = red.query_warehouse(f'SELECT * FROM {schema}."{quoted}" LIMIT {SAMPLE_ROWS}')
    console.print()
    show_rows(console, f"{schema}.{table} holds {rows_text(count, 0)}. Some of them:", present, sample)
    console.print(f"Open the warehouse with: {red.psql_command()}")
