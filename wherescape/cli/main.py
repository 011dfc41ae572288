"""The `wherescape` command: its subcommands."""

from typing import Any

import click

from wherescape.cli.demo import demo
from wherescape.cli.doctor import doctor
from wherescape.cli.example_api import example_api
from wherescape.cli.mark import mark
from wherescape.cli.metadata import metadata
from wherescape.cli.new_connector import new_connector
from wherescape.cli.preview import preview
from wherescape.cli.report import report
from wherescape.cli.run import run, stop_server
from wherescape.cli.status import status
from wherescape.cli.terminal import let_any_text_be_shown
from wherescape.errors import WhereScapeError


class _Commands(click.Group):
    """Shows an error of this library as a message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except WhereScapeError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
@click.version_option(package_name="wherescape")
def commands() -> None:
    """Load data from APIs into a WhereScape RED data warehouse."""
    let_any_text_be_shown()


for command in (
    demo,
    doctor,
    example_api,
    mark,
    metadata,
    new_connector,
    preview,
    report,
    run,
    status,
    stop_server,
):
    commands.add_command(command)
