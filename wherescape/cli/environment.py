"""Where a command finds RED's databases: the WSL_* variables around it, or a `ws_env.py`."""

import os
import runpy
from pathlib import Path

import click

from wherescape.environment import PREFIX, SOURCE_PREFIX
from wherescape.redaction import redact
from wherescape.sandbox.red_server import RedServer

WS_ENV = Path("ws_env.py")
NEEDED = "WSL_META_DSN"
SERVER = Path(".wherescape")
"""Where `wherescape run` keeps the work folder of its stand-in server."""

ws_env_option = click.option(
    "--ws-env",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"Take the databases from this copy of ws_env_template.py; by default {WS_ENV} in the folder you stand in.",
)
environment_option = click.option(
    "--environment", default="dev1", show_default=True, help="Which of the environments in ws_env.py to take."
)
schema_option = click.option("--schema", default="load", show_default=True, help="The load table's schema.")


def find_variables(ws_env: Path | None, environment: str, table: str = "", schema: str = "load") -> dict[str, str]:
    """Return the WSL_* variables for a load table.

    They are those of `ws_env` if it is given, else those around the process, else those of a `ws_env.py` in the
    current folder, else those of a stand-in server that `wherescape run` has left up there.

    Arguments:
        ws_env: a copy of `ws_env_template.py`.
        environment: the name of one of its environments.
        table: the load table; empty for none.
        schema: its schema.

    Raises:
        click.ClickException: there are none, or the file is not such a copy.
    """
    variables = _known(ws_env, environment, table, schema)
    if variables is None:
        raise click.ClickException(
            f"Where RED's repository is, is not known: there is no {WS_ENV} here and no variable {NEEDED}. Copy"
            f" ws_env_template.py of the package to {WS_ENV} and fill it in, or name such a file with --ws-env."
        )
    return variables


def variables_if_known(ws_env: Path | None, environment: str, table: str, schema: str) -> dict[str, str]:
    """Return the WSL_* variables for a load table as `find_variables` does, or those of the table alone."""
    variables = _known(ws_env, environment, table, schema)
    return _of_table(table, schema) if variables is None else variables


def _known(ws_env: Path | None, environment: str, table: str, schema: str) -> dict[str, str] | None:
    if ws_env is None and NEEDED not in os.environ and WS_ENV.is_file():
        ws_env = WS_ENV
    if ws_env is not None:
        return _from_file(ws_env, environment, table, schema)
    if NEEDED in os.environ:
        variables = {name: value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
        return variables | (_of_table(table, schema) if table else {})
    server = RedServer(SERVER, keep=True)
    return server.environment(table, schema) | source_variables("") if server.attach() else None


def _of_table(table: str, schema: str) -> dict[str, str]:
    return {"WSL_LOAD_TABLE": table, "WSL_LOAD_SCHEMA": schema, "WSL_LOAD_FULLNAME": f"{schema}.{table}"}


def source_variables(url: str) -> dict[str, str]:
    """Return what RED's connection would tell of the API: WSL_SRCCFG_* around the process, and another address."""
    variables = {name: value for name, value in os.environ.items() if name.upper().startswith(SOURCE_PREFIX)}
    return variables | ({f"{SOURCE_PREFIX}URL": url} if url else {})


def _from_file(ws_env: Path, environment: str, table: str, schema: str) -> dict[str, str]:
    try:
        module = runpy.run_path(str(ws_env))
    except (Exception, SystemExit) as error:
        raise click.ClickException(
            f"{ws_env} cannot be run: {type(error).__name__}: {redact(str(error))}. Correct it."
        ) from error
    known, setup_env = module.get("ENVIRONMENTS"), module.get("setup_env")
    if not isinstance(known, dict) or not callable(setup_env):
        raise click.ClickException(
            f"{ws_env} has no ENVIRONMENTS and setup_env: copy ws_env_template.py of the package, and fill it in."
        )
    if environment not in known:
        raise click.ClickException(
            f"{ws_env} has no environment {environment!r}; choose one with --environment: {', '.join(sorted(known))}."
        )
    around = dict(os.environ)
    try:
        setup_env(table, schema=schema, environment=environment)
        return {name: value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
    except (Exception, SystemExit) as error:
        raise click.ClickException(
            f"setup_env of {ws_env} fails for the environment {environment!r}:"
            f" {type(error).__name__}: {redact(str(error))}. Correct the file."
        ) from error
    finally:
        os.environ.clear()
        os.environ.update(around)
