"""Install what the project needs and this machine lacks: uv, ODBC with a PostgreSQL driver, the Python environment.

Says what it does in one line per step, and nothing when all is there. Needs no more than Python's standard library.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
OWN_UV = PROJECT / ".tools" / "uv"
OLDEST_UV = (0, 5, 19)


def main() -> None:
    uv = find_uv() or install_uv()
    if not has_odbc():
        install_odbc()
    sync_environment(uv)


def find_uv() -> str:
    for uv in (str(OWN_UV / "bin" / "uv"), shutil.which("uv")):
        if uv and uv_version(uv) >= OLDEST_UV:
            return uv
    return ""


def uv_version(uv: str) -> "tuple[int, ...]":
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ()
    return tuple(int(number) for number in re.findall(r"\d+", answer)[:3])


def install_uv() -> str:
    # A folder of the project's own: Debian's Python refuses other installs, and may lack venv.
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode:
        say("Installing pip with apt-get, to get uv with.")
        apt_get_install("python3-pip")
    say(f"Installing uv into {OWN_UV.relative_to(PROJECT)}.")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(OWN_UV), "uv")
    return str(OWN_UV / "bin" / "uv")


def has_odbc() -> bool:
    try:
        ctypes.CDLL("libodbc.so.2")
        drivers = subprocess.run(["odbcinst", "-q", "-d"], capture_output=True, text=True).stdout
    except OSError:
        return False
    return "postgresql" in drivers.lower()


def install_odbc() -> None:
    say("Installing unixODBC and its PostgreSQL driver with apt-get.")
    apt_get_install("unixodbc", "odbc-postgresql")


def sync_environment(uv: str) -> None:
    if not (PROJECT / ".venv").exists():
        say("Installing the Python environment into .venv.")
    run(uv, "sync", "--quiet", "--frozen", "--project", str(PROJECT))


def apt_get_install(*packages: str) -> None:
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        sys.exit(f"There is no apt-get here: install what Debian calls {names}, then run make again.")
    sudo = []
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            sys.exit(f"There is no sudo here: run 'apt-get install {names}' as root, then make again.")
        sudo = ["sudo"]
    apt_get = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    install = [*apt_get, "install", "-y", "--no-install-recommends", *packages]
    if subprocess.run(install, capture_output=True).returncode:
        # Most often the package lists are missing or out of date.
        run(*apt_get, "update")
        run(*install)


def run(*command: str) -> None:
    """Run a command whose output matters only when it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment())
    if result.returncode:
        sys.stdout.flush()
        sys.stdout.buffer.write(result.stdout)
        sys.exit(f"'{' '.join(command)}' failed, see above; put it right, then run make again.")


def environment() -> "dict[str, str]":
    """The environment without what would send uv to another folder than .venv."""
    return {name: value for name, value in os.environ.items() if name not in ("UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV")}


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
