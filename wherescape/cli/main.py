"""The `wherescape` command: its subcommands and their options."""

import sys
from pathlib import Path

import click

from wherescape.cli.demo import run_demo
from wherescape.errors import WhereScapeError


@click.group()
@click.version_option(package_name="wherescape")
def commands() -> None:
    """Load data from APIs into a WhereScape RED data warehouse."""


@commands.command()
@click.option(
    "--repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("."),
    help="The git repository to serve as a GitLab project; by default the one you stand in.",
)
@click.option("--keep", is_flag=True, help="Leave the stand-in RED server up, to look around in it.")
def demo(repository: Path, keep: bool) -> None:
    """Load a git repository into an embedded warehouse, as RED would.

    Starts a stand-in RED server on an embedded PostgreSQL, serves a git repository as a GitLab API, registers and
    creates four load tables, and runs their host scripts twice: once in full, once for what is new.
    """
    try:
        succeeded = run_demo(repository, keep)
    except WhereScapeError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if succeeded else 1)
