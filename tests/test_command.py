"""The `wherescape` command where something is missing."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from wherescape.cli.main import commands

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
