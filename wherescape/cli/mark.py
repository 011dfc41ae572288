"""Reads and sets high-water marks, as a person does who wants a load to begin elsewhere."""

from datetime import UTC, datetime
from pathlib import Path

import click
from rich import box
from rich.table import Table

from wherescape.cli.environment import environment_option, find_variables, schema_option, ws_env_option
from wherescape.cli.terminal import console_for_tables
from wherescape.environment import Environment
from wherescape.high_water_mark import PREFIX, STAGED, mark_text, moment_of, name_of_store
from wherescape.progress import age_text
from wherescape.repository import Repository
from wherescape.task_history import read_load_tables
from wherescape.wherescape import WhereScape

FULL_LOAD = "none"
COMMENT = "High-water mark that was set by hand."
OF_A_JOB = "high_water_mark"


@click.command()
@click.argument("table", default="")
@click.argument("value", default="")
@ws_env_option
@environment_option
@schema_option
def mark(table: str, value: str, ws_env: Path | None, environment: str, schema: str) -> None:
    """Show or set how far a table is loaded.

    TABLE is a load table, such as load_gitlab_commit, or the RED parameter that keeps its mark; left out, all marks
    are shown. VALUE is a moment with its offset from UTC (2026-01-05T10:05Z), none for a full load, or a date: the
    beginning of that day, wherever on earth it begins first.
    """
    if value and not table:
        raise click.UsageError(f"The name of the table is empty; of which is the mark to be {value}?")
    variables = find_variables(ws_env, environment, table, schema)
    wherescape = WhereScape(variables)
    try:
        if not table:
            _list_marks(wherescape)
            return
        name = _parameter_of(wherescape, Repository(wherescape.meta, Environment(variables)), table)
        if value:
            _set(wherescape, name, value)
        else:
            _show(wherescape, name)
    finally:
        wherescape.close()


def _parameter_of(wherescape: WhereScape, repository: Repository, table: str) -> str:
    """Return the parameter that keeps the mark of a load table.

    Raises:
        TableNotRegistered: there is neither such a parameter nor such a table.
    """
    known = wherescape.parameter_names()
    # A parameter that holds a moment is one that a load was told to keep its mark in.
    if table in known and (table.startswith(PREFIX) or _holds_moment(wherescape, table)):
        return table
    for each in known:
        if each.lower() == _name_of(table).lower():
            return each
    # As RED writes it, which is how a load asks for it; one that is typed wrong must not become a parameter.
    return _name_of(read_load_tables(repository, table)[0][1])


def _name_of(table: str) -> str:
    return name_of_store(table) if "friday_pulse" in table.lower() else PREFIX + table


def _holds_moment(wherescape: WhereScape, name: str) -> bool:
    try:
        moment_of(wherescape.read_parameter(name).strip())
    except ValueError:
        return False
    return True


def _show(wherescape: WhereScape, name: str) -> None:
    click.echo(f"{name}: {_described(wherescape.read_parameter(name))}")
    if staged := wherescape.read_parameter(name + STAGED):
        click.echo(f"{name}{STAGED}: {_described(staged)}, once the job confirms it")


def _set(wherescape: WhereScape, name: str, text: str) -> None:
    moment = _wanted(text)
    before = wherescape.read_parameter(name)
    wherescape.write_parameter(name, moment.isoformat() if moment else "", COMMENT)
    click.echo(f"{name} was {_described(before)}")
    click.echo(f"{name} is now {_described(wherescape.read_parameter(name))}")
    if staged := wherescape.read_parameter(name + STAGED):
        # The end of the job would undo what was set.
        wherescape.write_parameter(name + STAGED, "")
        click.echo(f"{name}{STAGED} was {_described(staged)}, and is dropped: confirmed, it would undo this.")


def _wanted(text: str) -> datetime | None:
    if text.lower() == FULL_LOAD:
        return None
    example = "2026-01-05T10:05Z, a date, or none for a full load"
    try:
        moment = moment_of(text)
    except ValueError as error:
        raise click.ClickException(f"The mark is {error}. Write it like {example}; it stays as it was.") from None
    if moment > datetime.now(UTC):
        raise click.ClickException(
            f"The mark {mark_text(moment)} lies in the future, and the next load would take it for a full load."
            f" Give a moment that is past, like {example}; the mark stays as it was."
        )
    return moment


def _list_marks(wherescape: WhereScape) -> None:
    names = [name for name in wherescape.parameter_names() if name.startswith(PREFIX) or OF_A_JOB in name]
    bases = sorted({name.removesuffix(STAGED) for name in names})
    if not bases:
        click.echo(f"There are no high-water marks yet: no RED parameter begins with {PREFIX}.")
        return
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("RED parameter", "mark", "staged"):
        table.add_column(heading, overflow="fold")
    for name in bases:
        staged = wherescape.read_parameter(name + STAGED) if name + STAGED in names else ""
        table.add_row(name, _described(wherescape.read_parameter(name)), _described(staged) if staged else "-")
    console_for_tables().print(table)


def _described(text: str) -> str:
    """Say a mark and its age."""
    text = text.strip()
    if not text:
        return "none, so that the next load is a full one"
    try:
        moment = moment_of(text)
    except ValueError as error:
        return f"{error}, so that the next load is a full one"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    return f"{mark_text(moment)}, {'in the future' if seconds < 0 else f'{age_text(seconds)} ago'}"
