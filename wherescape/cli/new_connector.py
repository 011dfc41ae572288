"""Asks what a new connector needs to know, looks at the API's first page, and writes its files."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import click
from rich.console import Console

from wherescape.api_client import ApiClient
from wherescape.api_response import ApiResponse
from wherescape.api_source import checked_address
from wherescape.cli.terminal import console_for_lines, show_columns
from wherescape.column_types import DataType
from wherescape.environment import SOURCE_PREFIX
from wherescape.paging import Offset, PageNumber, Paging, Whole
from wherescape.redaction import add_secret
from wherescape.scaffold.connector import (
    PER_SECOND,
    SINCE_FORMATS,
    Login,
    NewConnector,
    code_of,
    files_of,
    paging_of,
    write_files,
)
from wherescape.scaffold.proposals import (
    ProposedColumn,
    find_records,
    next_address,
    propose_changed,
    propose_columns,
    propose_key,
    propose_paging,
)
from wherescape.tables import Column

KEY_VARIABLE = f"{SOURCE_PREFIX}APIKEY"
EXAMPLE = "https://api.example.com/v1"


@click.command("new-connector")
@click.argument("name")
@click.option("--base-url", help=f"The API's address, such as {EXAMPLE}.")
@click.option("--header", help="The request header with the API key, such as Authorization; empty without a login.")
@click.option("--prefix", help="What stands before the key in it, such as Bearer.")
@click.option("--path", help="The list to load, below the address: items.")
@click.option("--records", help="The field of an answer that holds the records: data.items.")
@click.option("--paging", help='How it is paged: whole, links, cursor, offset, or such as Offset(size_as="count").')
@click.option("--column", "changes", multiple=True, help="A column's last word: name=type, name=text:hash or -name.")
@click.option("--key", help="The field that tells a record from all others.")
@click.option("--changed", help="The field that tells when a record changed last.")
@click.option("--since", help="The query parameter that asks for what has changed since a moment.")
@click.option("--since-format", type=click.Choice(SINCE_FORMATS), help="How its value is written.")
@click.option("--kind", help="What a record is, for the load table's name: item.")
@click.option("--package", default="", help="The package that it is to be in; one of its own when left out.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("."),
    help="Where to write it; by default the folder you stand in.",
)
@click.option("--yes", is_flag=True, help="Take what the first page proposes, and ask nothing.")
def new_connector(
    name: str,
    base_url: str | None,
    header: str | None,
    prefix: str | None,
    path: str | None,
    records: str | None,
    paging: str | None,
    changes: Sequence[str],
    key: str | None,
    changed: str | None,
    since: str | None,
    since_format: str | None,
    kind: str | None,
    package: str,
    folder: Path,
    yes: bool,
) -> None:
    """Write a connector for an API, with host scripts and tests.

    What is not given as an option is asked for; the first page of the API proposes the answers. The API key is taken
    from the variable WSL_SRCCFG_APIKEY, or asked for, and written nowhere.
    """
    ask = _Questions(yes)
    console = console_for_lines()
    base_url = checked_address(name, ask(base_url, "Address of the API", needed="--base-url"), EXAMPLE)
    header = ask(header, "Header of the API key, empty without a login", "Authorization" if _key() else "")
    if header:
        prefix = _with_blank(
            ask(prefix, "What stands before the key in it", "Bearer" if header == "Authorization" else "")
        )
    login = Login(header, prefix or "") if header else Login()
    path = ask(path, "Path of the list", needed="--path").strip("/")
    if "@" in urlsplit(base_url).netloc or (_key() and _key() in f"{base_url}/{path}"):
        raise click.ClickException(
            "The address holds a password or the API key, which would be written into the code. Leave it out, and say"
            " with --header how the API is told the key."
        )

    response = _first_answer(base_url, login, path, ask)
    records = ask(records, "Field with the records, empty if the answer is the list", find_records(response.body))
    page = response.records(records)
    proposed_paging = propose_paging(response.body, response.headers, records)
    pages = paging_of(ask(paging, "Paging", code_of(proposed_paging)), proposed_paging, records)
    if isinstance(pages, Whole) and next_address(response.body, records):
        raise click.ClickException(
            f"{path} names the address of a next page, so one answer is not the whole list. No paging here follows"
            ' it: name the parameters that page the list with --paging, such as PageNumber(page_as="page").'
        )
    columns = propose_columns(page)
    if not columns:
        raise click.ClickException(f"{path} has no record to propose columns from; ask when the API has one.")
    console.print(f"The first page of {path} has {len(page)} records with {len(columns)} fields.")
    columns = _settled(columns, changes, ask, console)
    key = ask(key, "Field that tells a record from all others", propose_key(columns))
    changed = ask(changed, "Field that tells when it changed last, empty if none does", propose_changed(columns))
    since = ask(since, "Parameter that asks for what changed since a moment, empty if none does", "")
    if since:
        since_format = ask(since_format, f"Its format, of {', '.join(SINCE_FORMATS)}", _format_like(columns, changed))
    connector = NewConnector(
        name=name,
        base_url=base_url,
        login=login,
        kind=ask(kind, "What a record is, for the name of its load table", _singular(path)),
        path=path,
        paging=_told_apart_by(pages, key),
        columns=columns,
        key=key,
        changed=changed,
        since=since,
        since_format=since_format or SINCE_FORMATS[0],
        package=package,
    )
    files = files_of(connector)
    write_files(folder, files)
    _show_files(console, folder, files)
    _show_what_follows(console, connector)


class _Questions:
    """Asks a person, or takes what is proposed."""

    def __init__(self, takes_proposals: bool) -> None:
        self._takes_proposals = takes_proposals

    def __call__(self, given: str | None, question: str, proposal: str = "", *, needed: str = "") -> str:
        """Return an answer: the given one, or else a person's.

        Arguments:
            given: from the command line; None if it was not there.
            question: as a person reads it.
            proposal: what Enter answers.
            needed: the option without which there is no answer to take.
        """
        if given is not None:
            return given.strip()
        if not self._takes_proposals:
            return str(
                click.prompt(question, default=None if needed else proposal, show_default=bool(proposal))
            ).strip()
        if needed:
            raise click.UsageError(f"With --yes nothing is asked, so {needed} is needed.")
        return proposal

    def for_key(self) -> str:
        """Return the API key, as a person types it unseen."""
        if self._takes_proposals:
            raise click.UsageError(f"With --yes nothing is asked, so the variable {KEY_VARIABLE} is needed.")
        return str(click.prompt("API key, not shown and not kept", hide_input=True)).strip()


def _key() -> str:
    return os.environ.get(KEY_VARIABLE, "").strip()


def _with_blank(prefix: str) -> str:
    return f"{prefix} " if prefix[-1:].isalnum() else prefix


def _first_answer(base_url: str, login: Login, path: str, ask: _Questions) -> ApiResponse:
    headers = {}
    if login.header:
        key = _key() or ask.for_key()
        add_secret(key)
        headers[login.header] = login.prefix + key
    with ApiClient(base_url, headers, credential=f"the API key ({KEY_VARIABLE})", max_retries=2) as client:
        return client.get_json(path)


def _settled(
    columns: list[ProposedColumn], changes: Sequence[str], ask: _Questions, console: Console
) -> list[ProposedColumn]:
    """Return the columns with a person's changes to them."""
    for change in changes:
        columns = _changed(columns, change)
    show_columns(console, columns)
    while not changes and (
        change := ask(None, "Change one (name=type, name=text:hash, -name), or Enter if all are right")
    ):
        try:
            columns = _changed(columns, change)
            show_columns(console, columns)
        except click.UsageError as error:
            console.print(error.message)
    return columns


def _changed(columns: list[ProposedColumn], change: str) -> list[ProposedColumn]:
    """Return columns with one of them changed, or left out."""
    match = re.fullmatch(r"(?P<out>-)?(?P<name>[^=]+)(=(?P<type>\w+)(:(?P<mask>\w+))?)?", change.strip())
    if match is None or bool(match["out"]) == bool(match["type"]):
        raise click.UsageError(f"{change!r} is no change of a column; write name=type, name=text:hash or -name.")
    names = [column.name for column in columns]
    if match["name"] not in names:
        raise click.UsageError(f"There is no column {match['name']}; there are {', '.join(names)}.")
    place = names.index(match["name"])
    if match["out"]:
        return columns[:place] + columns[place + 1 :]
    if match["type"] not in get_args(DataType):
        raise click.UsageError(f"{match['type']} is no type; choose one of {', '.join(get_args(DataType))}.")
    old = columns[place]
    per_second = old.per_second if match["type"] == "timestamp" else 0
    # As it will be declared, so that what a declaration refuses is refused here.
    checked = Column(old.name, match["type"], mask=match["mask"] or "")  # type: ignore[arg-type]
    new = replace(old, data_type=checked.data_type, per_second=per_second, mask=checked.mask)
    return [*columns[:place], new, *columns[place + 1 :]]


def _told_apart_by(paging: Paging, key: str) -> Paging:
    return replace(paging, key=key) if isinstance(paging, (Offset, PageNumber)) else paging


def _format_like(columns: Sequence[ProposedColumn], changed: str) -> str:
    """Return the format of the field's own moments, which an API most often takes as well."""
    per_second = next((column.per_second for column in columns if column.source == changed), 0)
    return next((name for name, units in PER_SECOND.items() if units == per_second), SINCE_FORMATS[0])


def _singular(path: str) -> str:
    last = re.sub(r"\W", "_", path.partition("?")[0].rpartition("/")[2].lower())
    return re.sub(r"ies$", "y", last) if last.endswith("ies") else last.removesuffix("s")


def _show_files(console: Console, folder: Path, files: dict[Path, str]) -> None:
    lines = sum(text.count("\n") for text in files.values())
    for place, text in files.items():
        console.print(f"{text.count(chr(10)):5}  {(folder / place).as_posix()}")
    console.print(f"{lines:5}  lines in {len(files)} files, none of them left to write by hand.")


def _show_what_follows(console: Console, connector: NewConnector) -> None:
    name, table = connector.name, connector.load_table
    console.print("\nLook at its first rows, load it, and test it:\n")
    for command in (
        f"wherescape preview {connector.module}",
        f"wherescape run host_scripts/{name}_create_metadata.py --table {table}",
        f"wherescape run host_scripts/{name}_load_data.py --table {table}",
        f"python -m pytest tests/test_{name}_contract.py",
    ):
        console.print(f"    {command}")
