"""Rows in a terminal can be read at any width."""

from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from wherescape.cli.main import commands
from wherescape.cli.terminal import show_rows
from wherescape.testing import FunctionServer

NAMES = ["id", "name", "updated_at", "dss_record_source", "dss_load_date", "n", "last"]
ROW = [7, "Ann", "2026-01-05 10:00:00", "shops of the town, north", "2026-01-05 10:05:00.0000", 8, None]


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_no_name_and_no_short_value_is_cut(width: int) -> None:
    console = Console(file=StringIO(), width=width, soft_wrap=True)
    show_rows(console, "1 row", NAMES, [ROW])
    output = console.file.getvalue()  # type: ignore[attr-defined]
    assert [name for name in NAMES if name not in output] == []
    assert "Ann" in output and "2026-01-05 10:00:00" in output and " 7 " in output
    assert "…" not in output


def test_types_are_shown_beside_long_names(tmp_path: Path) -> None:
    long = "a_field_with_a_name_of_some_length_that_goes_on_and_on"
    command = ["new-connector", "acme", "--path", "items", "--header", "", "--folder", str(tmp_path), "--yes"]
    with FunctionServer(lambda request: {"items": [{"id": 1, long: 2}]}) as api:
        done = CliRunner().invoke(commands, [*command, "--base-url", api.url], env={"COLUMNS": "60"})
    assert done.exit_code == 0, done.output
    assert done.output.count("bigint") == 2
    assert "…" not in done.output
