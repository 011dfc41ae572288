"""The tutorial of the README, executed word for word from the built wheel, in a folder outside the package."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.wheel import ROOT, install_wheel

README = ROOT / "README.md"
TUTORIAL = re.compile(r"(?<=<!-- tutorial -->\n).*?(?=<!-- end of tutorial -->)", re.DOTALL)
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
INSTALLATION = "pip install "
SERVING = "wherescape example-api"
ENTER = "(Enter)"


class Terminals:
    """The two terminals of a person who follows the tutorial."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python = python
        self.folder = folder
        own = {name: value for name, value in os.environ.items() if not name.startswith(("WSL_", "PYTEST", "COV"))}
        path = os.pathsep.join([str(python.parent), own["PATH"]])
        self.variables = own | {"PATH": path, "PYTHONPATH": "", "COLUMNS": "120", "PYTHONUTF8": "1"}
        self.serving: subprocess.Popen[str] | None = None

    def answer(self, block: str) -> str:
        """Type the commands of a block, and return it with what they print."""
        lines = []
        for line in block.splitlines():
            if line.startswith("$ "):
                lines += [line, *self.run(line.removeprefix("$ "))]
            elif line == ENTER:
                lines += [line, *self.press_enter()]
        return "\n".join(lines) + "\n"

    def run(self, command: str) -> list[str]:
        if command.startswith(INSTALLATION):
            return []
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.variables[name] = value
            return []
        arguments = shlex.split(command)
        arguments[0] = str(self.python if arguments[0] == "python" else self.python.with_name(arguments[0]))
        if command == SERVING:
            return self.serve(arguments)
        done = subprocess.run(
            arguments, cwd=self.folder, env=self.variables, capture_output=True, text=True, encoding="utf-8"
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return [line.rstrip() for line in done.stdout.splitlines()]

    def serve(self, arguments: list[str]) -> list[str]:
        self.serving = subprocess.Popen(
            arguments,
            cwd=self.folder,
            env=self.variables | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        return [self.read_line(), self.read_line()]

    def press_enter(self) -> list[str]:
        assert self.serving
        assert self.serving.stdin
        self.serving.stdin.write("\n")
        self.serving.stdin.flush()
        return [self.read_line()]

    def read_line(self) -> str:
        assert self.serving
        assert self.serving.stdout
        return self.serving.stdout.readline().rstrip()

    def close(self) -> None:
        if self.serving:
            self.serving.communicate()
            self.serving = None
        subprocess.run([self.python.with_name("wherescape"), "stop-server"], cwd=self.folder, capture_output=True)


def executed(tutorial: str, terminals: Terminals) -> str:
    """Return the tutorial with what its commands print now."""
    return BLOCK.sub(lambda block: f"```console\n{terminals.answer(block[1])}```", tutorial)


def shape(text: str) -> list[str]:
    """The text without what differs from one run to the next: seconds, moments, and paths of this machine."""
    text = re.sub(r"\d+\.\d+ ?s\b", "0.1 s", text)
    text = re.sub(r"\d+ (s|min) ago", "1 s ago", text)
    text = re.sub(r"\S*psql '[^']*'", "psql '...'", text)
    # The example's own moments are those of two days.
    text = re.sub(r"20(?!26-01-0[56])\d\d-\d\d-\d\d[T ][\d:.]+[Z…]?", "NOW", text)
    return [" ".join(re.sub("─+", "-", line).split()) for line in text.splitlines()]


@contextmanager
def begun() -> Iterator[Terminals]:
    """Install what the tutorial installs; not in pytest's folder, which its own pytest closes to PostgreSQL's user."""
    [extras] = re.findall(rf'\$ {INSTALLATION}"wherescape(\[.*\])"', README.read_text(encoding="utf-8"))
    with TemporaryDirectory(prefix="wherescape-tutorial-") as name:
        folder = Path(name) / "own"
        folder.mkdir()
        terminals = Terminals(install_wheel(Path(name), extras), folder)
        try:
            yield terminals
        finally:
            terminals.close()


@pytest.fixture(scope="module")
def terminals() -> Iterator[Terminals]:
    with begun() as terminals:
        yield terminals


def test_the_tutorial_does_what_it_says(terminals: Terminals) -> None:
    found = TUTORIAL.search(README.read_text(encoding="utf-8"))
    assert found
    assert shape(executed(found[0], terminals)) == shape(found[0])


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    with begun() as own:
        text = TUTORIAL.sub(lambda match: executed(match[0], own), text)
    README.write_text(
        re.sub(r"(?<=with: )\S+psql '[^']*'", "psql 'host=/tmp/... dbname=warehouse ...'", text), "utf-8"
    )
