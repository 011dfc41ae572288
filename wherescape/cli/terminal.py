"""How the commands show things: the terminal, or a file in its place, and tables of rows and columns."""

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from wherescape.scaffold.proposals import ProposedColumn
from wherescape.tables import Column

WIDTH_OF_A_FILE = 200
LONGEST_VALUE = 24
BESIDE_EACH_OTHER = 6
GAP = 3


def console_for_tables() -> Console:
    """Return a console that fits tables to its terminal; a file has room for all their columns."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDTH_OF_A_FILE
    return console


def console_for_lines() -> Console:
    """Return a console that leaves lines as long as they are."""
    return Console(highlight=False, markup=False, soft_wrap=True)


def let_any_text_be_shown() -> None:
    """Write a character that the code page lacks as its number: what an API or a database tells may hold any."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show_rows(console: Console, title: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows, a few columns at a time, so that they can be read at any width.

    Arguments:
        console: where.
        title: what they are.
        names: of the columns.
        rows: their values; long ones are shown cut.
    """
    cells = [[_shown(value) for value in row] for row in rows]
    widths = [max(map(cell_len, [name, *column])) for name, *column in zip(names, *cells, strict=True)]
    for part in _parts(widths, console.width):
        table = Table(title=title if part.start == 0 else None, title_justify="left", box=box.SIMPLE_HEAD)
        for name in names[part]:
            table.add_column(name, no_wrap=True)
        for row in cells:
            table.add_row(*row[part])
        console.print(table)


def _parts(widths: Sequence[int], room: int) -> Iterator[slice]:
    """Divide columns into those that stand beside each other; one that is too wide for the room stands alone."""
    start, used = 0, 0
    for at, width in enumerate(widths):
        if at > start and (at - start == BESIDE_EACH_OTHER or used + width + GAP >= room):
            yield slice(start, at)
            start, used = at, 0
        used += width + GAP
    yield slice(start, len(widths))


def show_columns(console: Console, columns: Iterable[Column | ProposedColumn], title: str | None = None) -> None:
    """Print columns of a declaration, or such as are proposed for one."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("column", "type", "field", "mask"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("type", "mask"))
    for column in columns:
        table.add_row(column.name, column.data_type, column.source, column.mask or "-")
    console.print(table)


def _shown(value: Any) -> str:
    text = "-" if value is None else " ".join(str(value).split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
