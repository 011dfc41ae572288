"""The demonstration: the library's main job on an embedded RED server and a git repository."""

import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich import box
from rich.console import Console
from rich.table import Table

from wherescape.cli.terminal import console_for_tables
from wherescape.errors import SandboxError
from wherescape.high_water_mark import PREFIX
from wherescape.run_report import PAGE_VARIABLE
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import TaskResult

KINDS = ("project", "branch", "tag", "commit", "branch_commit")
LEFT_OUT = "Issues, merge requests and pipelines are left out: a git repository has none."
SAMPLE = "SELECT short_id, committed_date, title FROM load.load_gitlab_commit ORDER BY committed_date DESC LIMIT 5"
METADATA_SCRIPT = """\
from wherescape.connectors.gitlab.gitlab_create_metadata import gitlab_create_metadata

gitlab_create_metadata()
"""
LOAD_SCRIPT = """\
from wherescape.connectors.gitlab.gitlab_load_data import gitlab_load_data

gitlab_load_data()
"""
STATUS_NAMES = {1: "success", -1: "warnings", -2: "error", -3: "fatal"}


@dataclass(frozen=True)
class Step:
    """One run of a host script, as it is shown."""

    run: str
    result: TaskResult
    mark_before: str
    mark_after: str


class StepFailed(Exception):  # noqa: N818
    """A host script did not report success."""


@click.command()
@click.option(
    "--repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("."),
    help="The git repository to serve as a GitLab project; by default the one you stand in.",
)
@click.option("--keep", is_flag=True, help="Leave the stand-in RED server up, to look around in it.")
def demo(repository: Path, keep: bool) -> None:
    """Load a git repository into an embedded warehouse, as RED would.

    Starts a stand-in RED server on an embedded PostgreSQL, serves a git repository as a GitLab API, registers and
    creates its load tables, and runs their host scripts twice: once in full, once for what is new.
    """
    sys.exit(0 if run_demo(repository, keep) else 1)


def run_demo(repository: Path, keep: bool) -> bool:
    """Run the demonstration and print what happened.

    Arguments:
        repository: the git repository to serve; nothing is written to it.
        keep: leave the RED server up.

    Returns:
        Whether every step succeeded. After a step that failed its output is shown and nothing further is run.

    Raises:
        SandboxError: the server cannot start, or the folder is no git repository.
    """
    console = console_for_tables()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="wherescape-demo-")))
        clone = _clone(repository, scratch / f"{repository.resolve().name or 'repository'}.git")
        console.print("Starting the stand-in RED server ...")
        red = stack.enter_context(RedServer(keep=keep))
        gitlab = stack.enter_context(GitLabServer(clone))
        console.print(f"Serving {repository.resolve()} as a GitLab API on {gitlab.url}", soft_wrap=True)
        steps: list[Step] = []

        def run(name: str, script: str, kind: str) -> None:
            path = scratch / f"{name.replace(' ', '_')}_{kind}.py"
            path.write_text(script, encoding="utf-8")
            table = f"load_gitlab_{kind}"
            before = red.read_parameter(PREFIX + table) or ""
            source = {"url": gitlab.url, "apikey": gitlab.token}
            result = red.run_host_script(path, table, source_config=source, environment={PAGE_VARIABLE: "on"})
            steps.append(Step(name, result, before, red.read_parameter(PREFIX + table) or ""))
            if result.status != 1:
                raise StepFailed

        try:
            for kind in KINDS:
                red.register_load_table(f"load_gitlab_{kind}")
                run("metadata", METADATA_SCRIPT, kind)
                red.create_table(f"load_gitlab_{kind}")
            for kind in KINDS:
                run("first load", LOAD_SCRIPT, kind)
            sample = red.query_warehouse(SAMPLE)
            commits = _commit_twice(clone)
            for kind in KINDS:
                run("second load", LOAD_SCRIPT, kind)
        except StepFailed:
            console.print(_steps_table(steps))
            _show_failure(console, steps[-1])
            return False

        console.print(_steps_table(steps))
        console.print(LEFT_OUT)
        console.print(f"Between the two loads {commits} commits were pushed, to a copy of the repository.")
        console.print(_sample_table(sample))
        console.print(f"The last load of commits as a page: {_newest_page(red.workdir)}", soft_wrap=True)
        console.print(f"Log file: {red.workdir / 'python_logging' / 'wherescape.log'}", soft_wrap=True)
        console.print(f"Open the warehouse with: {red.psql_command()}", soft_wrap=True)
        if keep:
            console.print(f"The server stays up. Stop it with: {red.stop_command()}", soft_wrap=True)
        else:
            console.print("Server and files are gone when this command ends; with --keep they stay.")
    return True


def _steps_table(steps: Iterable[Step]) -> Table:
    table = Table(title="What RED's scheduler read from the host scripts", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("task", no_wrap=True)
    table.add_column("status", justify="right")
    table.add_column("message", overflow="fold")
    table.add_column("rows", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("mark before")
    table.add_column("mark after")
    run = ""
    for step in steps:
        if step.run != run:
            run = step.run
            table.add_section()
            table.add_row(run, style="bold")
        result = step.result
        table.add_row(
            result.task,
            str(result.status),
            result.message,
            f"{result.inserted:,}" if run != "metadata" else "",
            f"{result.seconds:.1f}",
            _shown(step.mark_before),
            _shown(step.mark_after),
        )
    return table


def _newest_page(workdir: Path) -> Path:
    return max((workdir / "runs").glob("load_gitlab_commit_*.html"), key=lambda page: page.stat().st_mtime_ns)


def _shown(mark: str) -> str:
    return mark.replace("+00:00", "Z") or "-"


def _sample_table(rows: Iterable[Iterable[object]]) -> Table:
    table = Table(title="Five rows of load.load_gitlab_commit", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("short_id", "committed_date", "title"):
        table.add_column(heading)
    for row in rows:
        table.add_row(*(str(value) for value in row))
    return table


def _show_failure(console: Console, failed: Step) -> None:
    result = failed.result
    console.print(
        f"{result.task} ({failed.run}) ended with status {result.status}, {STATUS_NAMES[result.status]}. Its output:",
        style="bold red",
    )
    for line in (result.message, *result.audit, *result.detail):
        console.print(f"  {line}", soft_wrap=True)


def _clone(repository: Path, target: Path) -> Path:
    """Make a copy that new commits can be pushed to; it shares the original's objects."""
    try:
        top = _git("-C", str(repository), "rev-parse", "--absolute-git-dir")
    except SandboxError as error:
        raise SandboxError(
            f"{repository.resolve()} cannot be served: {error}; name another with --repository."
        ) from None
    _git("clone", "--quiet", "--mirror", "--shared", top, str(target))
    try:
        _git("-C", str(target), "rev-parse", "--verify", "HEAD")
    except SandboxError:
        raise SandboxError(f"{repository.resolve()} has no commits yet; name another with --repository.") from None
    try:
        _git("-C", str(target), "symbolic-ref", "HEAD")
    except SandboxError:
        # A detached HEAD, as in many CI checkouts; an API needs a default branch.
        _git("-C", str(target), "update-ref", "refs/heads/detached-head", "HEAD")
        _git("-C", str(target), "symbolic-ref", "HEAD", "refs/heads/detached-head")
    return target


def _commit_twice(clone: Path) -> int:
    """Add two commits without changes to the default branch, dated now."""
    for number in (1, 2):
        head = _git("-C", str(clone), "rev-parse", "HEAD")
        message = f"Commit {number} that the demonstration pushed between the two runs"
        commit = _git("-C", str(clone), "commit-tree", "HEAD^{tree}", "-p", head, "-m", message)
        branch = _git("-C", str(clone), "symbolic-ref", "HEAD")
        _git("-C", str(clone), "update-ref", branch, commit)
    return 2


def _git(*arguments: str) -> str:
    identity = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", "Demo"), ("EMAIL", "demo@example.com"))
    }
    try:
        # A clone made by another user is still served: nothing of it is run.
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **identity},
        )
    except FileNotFoundError as error:
        raise SandboxError("The demonstration needs git on the PATH.") from error
    if done.returncode:
        raise SandboxError(f"git {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout.strip()
