"""The `wherescape` command where something is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

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
    assert "demo" in done.stdout
