"""Runs a host script in a process of its own, with the variables that RED sets, and reads what RED would read."""

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

SECRET = "correct-horse{battery}'staple"


@dataclass
class Run:
    """What RED sees of a host script."""

    exit_status: int
    stdout: str
    stderr: str
    log: str

    @property
    def status(self) -> str:
        return self.stdout.split("\n")[0]

    @property
    def message(self) -> str:
        return self.stdout.split("\n")[1]

    @property
    def audit(self) -> list[str]:
        return self.stdout.split("\n")[2:-1]


@dataclass
class HostScript:
    """A script in a folder of its own, with the variables that RED sets."""

    folder: Path
    environment: dict[str, str]

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(self.folder / "script.py")]

    def write(self, source: str) -> None:
        (self.folder / "script.py").write_text(textwrap.dedent(source), encoding="utf-8")

    def run(self, source: str, **environment: str) -> Run:
        self.write(source)
        process = subprocess.run(
            self.command, env=self.environment | environment, cwd=self.folder, capture_output=True, timeout=60
        )
        return self.result(process.returncode, process.stdout, process.stderr)

    def start(self, source: str) -> subprocess.Popen[bytes]:
        self.write(source)
        return subprocess.Popen(
            self.command, env=self.environment, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def result(self, exit_status: int, stdout: bytes, stderr: bytes) -> Run:
        log_file = self.folder / "python_logging" / "wherescape.log"
        log = log_file.read_text(encoding="utf-8") if log_file.exists() else ""
        return Run(exit_status, stdout.decode("ascii"), stderr.decode("utf-8", "replace"), log)


def host_script_in(folder: Path) -> HostScript:
    """Prepare a folder for a host script; its repository password is SECRET."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WSL_", "WHERESCAPE_")) and name not in ("PYTHONUNBUFFERED", "PYTHONIOENCODING")
    }
    red = {
        "WSL_META_DSN": "red_repository",
        "WSL_META_PWD": SECRET,
        "WSL_WORKDIR": f"{folder}{os.sep}",
        "WSL_SEQUENCE": "1234",
        "WSL_JOB_KEY": "56",
        "WSL_JOB_NAME": "DailyUpdate",
        "WSL_TASK_NAME": "load_customers",
    }
    return HostScript(folder, inherited | red)
