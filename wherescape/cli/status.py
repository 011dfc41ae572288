"""`wherescape status`: how the load tables are, the ones with problems first."""

from contextlib import closing
from pathlib import Path
from typing import Literal

import click
from rich import box
from rich.console import Console
from rich.table import Table

from wherescape import redaction
from wherescape.cli.environment import environment_option, find_variables, ws_env_option
from wherescape.cli.terminal import console_for_tables
from wherescape.database import Database
from wherescape.environment import Environment
from wherescape.load_status import (
    PROBLEMS,
    LoadStatus,
    Overview,
    read_overview,
    remark_of,
    summary,
)
from wherescape.pages.page import write_page
from wherescape.pages.status_page import status_page
from wherescape.progress import age_text, number_text, seconds_text
from wherescape.repository import Repository

LONGEST_SPARKLINE = 20
BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-~=+*#"
MOST_REMARKS = 20
COLUMNS: dict[str, Literal["left", "right"]] = {
    "load table": "left",
    "status": "left",
    "last run": "left",
    "ago": "right",
    "rows": "right",
    "rejected": "right",
    "took": "right",
    "mark": "left",
    "mark's age": "right",
    "rows of the last runs": "left",
}
LESS_NEEDED = ("last run", "mark", "rejected", "took", "mark's age")
"""What a narrow terminal goes without, in this order."""
WIDEST = 1_000
STYLES = {
    "failed": "bold red",
    "late": "red",
    "warnings": "yellow",
    "unknown": "yellow",
    "no rows": "yellow",
    "running": "cyan",
    "loaded": "green",
    "no run": "dim",
}


@click.command()
@click.option("--table", default="", help="Show this load table only.")
@click.option(
    "--days", type=click.IntRange(1, 3_650), default=30, show_default=True, help="How far back to look for runs."
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page to look at instead.")
@ws_env_option
@environment_option
def status(table: str, days: int, html: Path | None, ws_env: Path | None, environment: str) -> None:
    """Show how the load tables are.

    One line for each: its last run, rows, seconds, high-water mark and its age, and the rows of its last runs; those
    with problems first. It is read from RED's task log, or from the audit log where that lacks what is needed. Times
    are those of the repository's clock.
    """
    variables = find_variables(ws_env, environment)
    redaction.add_secrets_of(variables)
    where = Environment(variables)
    with closing(Database(where.login("repository", "WSL_META"))) as database:
        overview = read_overview(Repository(database, where), days, table)
    if html is None:
        _print(overview)
        return
    try:
        write_page(html, status_page(overview))
    except OSError as error:
        raise click.ClickException(f"The page {html} cannot be written: {error.strerror or error}.") from error
    click.echo(f"{summary(overview)}\nThe page: {html}")


def _print(overview: Overview) -> None:
    console = console_for_tables()
    blocks = BLOCKS if console.encoding.lower().startswith("utf") else PLAIN_BLOCKS
    console.print(summary(overview), soft_wrap=True)
    if overview.remark:
        console.print(overview.remark, soft_wrap=True)
    if overview.tables:
        console.print(_table(overview, blocks, console))
    remarks = [(status.table, remark) for status in overview.tables if (remark := remark_of(status))]
    for table, remark in remarks[:MOST_REMARKS]:
        console.print(f"{table}: {remark}", soft_wrap=True)
    if len(remarks) > MOST_REMARKS:
        console.print(f"{len(remarks) - MOST_REMARKS:,} more have a message; --table shows one, --html all.")


def _table(overview: Overview, blocks: str, console: Console) -> Table:
    """Make the table, without the columns that a narrow terminal has no room for."""
    lines = [_cells(status, blocks) for status in overview.tables]
    dropped: list[str] = []
    while True:
        columns = {heading: justify for heading, justify in COLUMNS.items() if heading not in dropped}
        table = Table(box=box.SIMPLE_HEAD)
        for heading, justify in columns.items():
            is_name = heading == "load table"
            table.add_column(heading, justify=justify, no_wrap=not is_name, overflow="fold" if is_name else "ellipsis")
        for status, cells in zip(overview.tables, lines, strict=True):
            style = STYLES[status.state] if status.state in PROBLEMS else ""
            table.add_row(*(cells[heading] for heading in columns), style=style)
        needed = console.measure(table, options=console.options.update(width=WIDEST)).maximum
        if needed <= console.width or len(dropped) == len(LESS_NEEDED):
            return table
        dropped.append(LESS_NEEDED[len(dropped)])


def _cells(status: LoadStatus, blocks: str) -> dict[str, str]:
    last = status.last
    counts = [run.inserted for run in reversed(status.runs)]
    return {
        "load table": status.table,
        "status": status.state,
        "last run": f"{last.started:%Y-%m-%d %H:%M}" if last else "",
        "ago": age_text(status.age_seconds),
        "rows": number_text(last.inserted if last else None),
        "rejected": number_text((last.rejected if last else None) or None),
        "took": seconds_text(last.seconds) if last and last.seconds is not None else "",
        "mark": status.mark.text if status.mark else "",
        "mark's age": age_text(status.mark.age_seconds) if status.mark else "",
        "rows of the last runs": sparkline(counts[-LONGEST_SPARKLINE:], blocks),
    }


def sparkline(counts: list[int | None], blocks: str) -> str:
    """Draw counts as one character each, from the lowest of `blocks` to the highest; a space where it is unknown."""
    most = max((count for count in counts if count), default=0)
    return "".join(" " if count is None else _block(count, most, blocks) for count in counts)


def _block(count: int, most: int, blocks: str) -> str:
    # The lowest one is for no rows alone.
    return blocks[1 + round((len(blocks) - 2) * count / most)] if count else blocks[0]
