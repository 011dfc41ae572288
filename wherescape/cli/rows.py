"""Shows rows in a terminal."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

LONGEST_VALUE = 24
BESIDE_EACH_OTHER = 6


def show_rows(console: Console, title: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows, a few columns at a time, so that they can be read at any width.

    Arguments:
        console: where.
        title: what they are.
        names: of the columns.
        rows: their values; long ones are shown cut.
    """
    for start in range(0, len(names), BESIDE_EACH_OTHER):
        part = slice(start, start + BESIDE_EACH_OTHER)
        table = Table(title=title if start == 0 else None, title_justify="left", box=box.SIMPLE_HEAD)
        for name in names[part]:
            table.add_column(name, no_wrap=True)
        for row in rows:
            table.add_row(*(_shown(value) for value in row[part]))
        console.print(table)


def _shown(value: Any) -> str:
    text = "-" if value is None else " ".join(str(value).split())
    return escape(text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…")
