"""The `wherescape` command where something is missing, and what all its parts share."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from wherescape import Column
from wherescape.cli.main import commands
from wherescape.cli.terminal import console_for_lines, console_for_tables, show_columns, show_rows
from wherescape.run_report import NEEDED

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "wherescape").rglob("README.md")),
    ROOT / "host_scripts" / "README.md",
]
WITHOUT = """\
import sys
sys.modules[{module!r}] = None
from wherescape.cli import main
main()
"""


@pytest.mark.parametrize("module", ["click", "rich"])
def test_without_the_extra_it_says_what_to_install(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT.format(module=module)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"The wherescape command needs {module}: pip install 'wherescape[cli]'.\n"


def test_without_the_driver_manager_it_says_what_to_install(tmp_path: Path) -> None:
    # As pyodbc fails where libodbc.so.2 is not installed.
    (tmp_path / "pyodbc.py").write_text("raise ImportError('libodbc.so.2: cannot open shared object file')\n")
    done = subprocess.run(
        [sys.executable, "-c", "from wherescape.cli import main; main()"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "apt-get install unixodbc" in done.stderr and "Traceback" not in done.stderr


def test_help_names_the_commands() -> None:
    command = Path(sys.executable).with_name("wherescape")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert all(f"\n  {name} " in done.stdout for name in commands.commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_that_a_page_names_exist_with_their_options(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in re.findall(r"(?:`|^\$ |^ {4})wherescape ([a-z](?:[^`\n]|\n(?! {4}|\$))*)", text, re.MULTILINE):
        words = line.split()
        command: click.Command = commands
        while isinstance(command, click.Group):
            name = words.pop(0)
            assert name in command.commands, f"wherescape {line}"
            command = command.commands[name]
        known = {option for parameter in command.params for option in parameter.opts}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= known, f"wherescape {line}"


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in commands.commands if f"wherescape {name}" not in text] == []


def test_a_character_that_the_code_page_lacks_is_shown_as_its_number(tmp_path: Path) -> None:
    report = dict.fromkeys(NEEDED, 0) | {"outcome": "loaded", "started": "2026-01-05T10:05:00+00:00", "mark": None}
    run = tmp_path / "t_1.json"
    run.write_text(json.dumps(report | {"columns": {}, "batches": []}), encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("wherescape"), "report", run, "--html", tmp_path / "\u0142.html"],
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u0142.html" in done.stdout


def test_what_looks_like_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show_columns(console_for_lines(), [Column("a", "text", source="[/a]")])
    show_rows(console_for_tables(), "[red]", ["[b]"], [["[/bold]"]])
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("[/a]", "[red]", "[b]", "[/bold]"))
