"""`wherescape report`: one load as a page."""

from pathlib import Path

import click

from wherescape.errors import RunReportInvalid
from wherescape.pages.load_page import load_page
from wherescape.pages.page import write_page
from wherescape.run_report import earlier_runs, read_run_report


@click.command()
@click.argument("run", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="RUN.json")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the page is written; by default beside RUN.json.",
)
def report(run: Path, html: Path | None) -> None:
    """Draw one load as a page to look at.

    RUN.json is what the load left in WSL_WORKDIR, under runs/{table}_{sequence}.json. The page shows when it fetched
    and inserted, requests and waits, rows of each page, NULLs and rejected rows by column, and the last runs: those
    whose reports lie beside RUN.json. It needs no network and no other file.
    """
    html = html or run.with_suffix(".html")
    if html.resolve() == run.resolve():
        raise click.UsageError(f"--html {html} is the report itself, which would be overwritten.")
    data = read_run_report(run)
    try:
        page = load_page(data, earlier_runs(run, data["started"]), run.stem)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RunReportInvalid(f"{run} is no run report: {type(error).__name__}: {error}.") from error
    try:
        write_page(html, page)
    except OSError as error:
        raise click.ClickException(f"The page {html} cannot be written: {error.strerror or error}.") from error
    click.echo(f"The page: {html}")
