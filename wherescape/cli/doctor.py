"""Shows what an examination finds, line by line, with what to do about it."""

import os
import shutil
import sys
import textwrap
from pathlib import Path

import click

from wherescape.catalogue import CONNECTOR_NAMES, connector_named, connector_of
from wherescape.cli.environment import environment_option, find_variables, schema_option, ws_env_option
from wherescape.doctor.examination import examine
from wherescape.doctor.findings import Finding, exit_status
from wherescape.environment import PREFIX
from wherescape.errors import WhereScapeError
from wherescape.redaction import redact

COLOURS = {"ok": "green", "warning": "yellow", "error": "red", "skipped": "bright_black"}
STATE_WIDTH, TOPIC_WIDTH = 8, 13


@click.command()
@click.option("--table", default="", help="The load table, such as load_gitlab_commit.")
@click.option(
    "--connector",
    type=click.Choice(CONNECTOR_NAMES),
    help="The connector whose API is asked; by default the one that the load table is named after.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=20,
    show_default=True,
    help="How long a check may take.",
)
@ws_env_option
@environment_option
@schema_option
def doctor(
    table: str, connector: str | None, seconds: float, ws_env: Path | None, environment: str, schema: str
) -> None:
    """Examine what a load needs, and say how to mend what is wrong.

    Variables, ODBC, both databases, RED's routines and rights, folders, code page, clocks, and one call of the API.
    Nothing is changed in any database. The exit status is 0 if all is well, 1 with warnings, 2 with errors.
    """
    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        _show(finding)

    try:
        variables = find_variables(ws_env, environment, table, schema)
    except (click.ClickException, WhereScapeError) as error:
        tell(Finding("variables", "error", str(error)))
        variables = {name: value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
    load_table = table or variables.get("WSL_LOAD_TABLE", "")
    chosen = connector_named(connector) if connector else connector_of(load_table)
    for finding in examine(variables, chosen, seconds):
        tell(finding)
    click.echo(_summary(findings))
    sys.exit(exit_status(findings))


def _show(finding: Finding) -> None:
    state = click.style(finding.state.ljust(STATE_WIDTH), fg=COLOURS[finding.state])
    topic = finding.topic.ljust(TOPIC_WIDTH)
    first, *more = _lines(finding.message) + [f"-> {line}" for line in _lines(finding.mend)[:1]]
    more += [f"   {line}" for line in _lines(finding.mend)[1:]]
    click.echo(f"{state}  {topic}  {first}")
    for line in more:
        click.echo(" " * (STATE_WIDTH + TOPIC_WIDTH + 4) + line)


def _lines(text: str) -> list[str]:
    """Cut a text into lines as wide as the terminal; in a file it stays one line."""
    text = " ".join(redact(text).split())
    if not sys.stdout.isatty():
        return [text] if text else []
    width = shutil.get_terminal_size().columns - STATE_WIDTH - TOPIC_WIDTH - 8
    return textwrap.wrap(text, max(width, 40), break_on_hyphens=False)


def _summary(findings: list[Finding]) -> str:
    counts = []
    for state, name in (("error", "error"), ("warning", "warning")):
        count = sum(finding.state == state for finding in findings)
        if count:
            counts.append(f"{count} {name}{'s' if count > 1 else ''}")
    return ", ".join(counts) + "." if counts else "All is well."
