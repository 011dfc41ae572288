"""`wherescape demo`: the main job, as a new user runs it."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gitlab_repository import git, make_empty_repository, make_varied_repository

# Read by every Python that starts: takes a library away from one of the host scripts.
BREAK_ONE_SCRIPT = """\
import os, sys
if os.environ.get("WSL_LOAD_TABLE") == "load_gitlab_tag" and "first_load" in " ".join(sys.orig_argv):
    sys.modules["requests"] = None
"""


def run_demo(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("wherescape")
    return subprocess.run(
        [command, "demo", *arguments],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def rows_of(output: str, run: str) -> dict[str, list[str]]:
    """The cells of one part of the printed table, by task."""
    part = output.partition(f"\n  {run} ")[2].partition("\n" + " " * 20)[0]
    cells = [re.split(r" {2,}", line.strip()) for line in part.splitlines() if line.startswith("  load_")]
    return {line[0]: line[1:] for line in cells}


def test_the_demo_loads_in_full_and_then_what_is_new(tmp_path: Path) -> None:
    repository = make_varied_repository(tmp_path / "repository")
    done = run_demo("--repository", str(repository), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    tasks = [f"load_gitlab_{kind}" for kind in ("project", "branch", "tag", "commit", "branch_commit")]
    for run in ("metadata", "first load", "second load"):
        assert {task: cells[0] for task, cells in rows_of(done.stdout, run).items()} == dict.fromkeys(tasks, "1")
    first, second = (rows_of(done.stdout, run)["load_gitlab_commit"] for run in ("first load", "second load"))
    assert int(first[2]) > int(second[2]) == 2
    assert first[4] == "-"
    assert first[5] == second[4] <= second[5]
    assert "python_logging" in done.stdout and "psql" in done.stdout


def test_the_second_load_of_a_clone_finds_what_was_pushed(tmp_path: Path) -> None:
    origin = make_varied_repository(tmp_path / "origin")
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    done = run_demo(cwd=tmp_path / "clone")
    assert rows_of(done.stdout, "second load")["load_gitlab_commit"][2] == "2"


def test_the_repository_itself_is_not_touched(tmp_path: Path) -> None:
    repository = make_varied_repository(tmp_path / "repository")
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}
    assert run_demo(cwd=repository).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before


def test_a_step_that_fails_is_shown_with_its_output(tmp_path: Path) -> None:
    repository = make_varied_repository(tmp_path / "repository")
    # Reaches the host scripts through PYTHONPATH, and makes one of them lack a library.
    (tmp_path / "sitecustomize.py").write_text(BREAK_ONE_SCRIPT)
    done = run_demo("--repository", str(repository), cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "load_gitlab_tag (first load) ended with status -3, fatal. Its output:" in done.stdout
    assert "ModuleNotFoundError" in done.stdout or "ImportError" in done.stdout
    assert "second load" not in done.stdout


def make_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("make", "message"),
    [(make_empty_repository, "has no commits yet"), (make_folder, "not a git repository")],
    ids=["no commits", "no repository"],
)
def test_a_folder_that_cannot_be_served_is_named(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    done = run_demo("--repository", str(make(tmp_path / "repository")), cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "name another with --repository" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_kept_server_stays_up_until_it_is_stopped(tmp_path: Path) -> None:
    repository = make_varied_repository(tmp_path / "repository")
    done = run_demo("--keep", "--repository", str(repository), cwd=tmp_path)
    assert done.returncode == 0
    psql = command_after("Open the warehouse with: ", done.stdout)
    stop = command_after("Stop it with: ", done.stdout)
    try:
        query = ["-Atc", "SELECT count(*) FROM load.load_gitlab_commit"]
        answer = subprocess.run([*psql, *query], capture_output=True, text=True, check=True)
        assert answer.stdout.strip() == "2"
        page = Path(done.stdout.partition("as a page: ")[2].splitlines()[0])
        assert "2 rows inserted" in re.sub(r"(<[^>]*>)+", " ", page.read_text(encoding="utf-8"))
    finally:
        subprocess.run(stop, check=True)
    assert subprocess.run([*psql, "-c", "SELECT 1"], capture_output=True).returncode != 0


def command_after(text: str, output: str) -> list[str]:
    return shlex.split(output.partition(text)[2].splitlines()[0])
