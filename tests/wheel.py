"""The package as its users get it: a wheel, installed in an environment of its own."""

import subprocess
import sys
from pathlib import Path

from tools.set_up import environment, find_uv

ROOT = Path(__file__).parent.parent


def uv(*arguments: str, **variables: str) -> str:
    """Run uv with more environment variables, and return its output."""
    done = subprocess.run(
        [find_uv(), *arguments], env=environment() | variables, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def install_wheel(folder: Path, extras: str = "") -> Path:
    """Build the wheel, install it in a new environment, and return the environment's interpreter.

    Arguments:
        folder: where wheel and environment go.
        extras: such as `[cli,testing]`.
    """
    uv("build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT))
    uv("venv", "--quiet", "--python", sys.executable, str(folder / "environment"))
    python = folder / "environment" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    versions = folder / "versions.txt"
    locked = uv(
        "export", "--frozen", "--no-hashes", "--no-emit-project", "--no-dev", "--all-extras", "--project", str(ROOT)
    )
    versions.write_text(locked, encoding="utf-8")
    [wheel] = folder.glob("*.whl")
    # As a user asks for it, but this wheel rather than the one of the index.
    place = {"UV_FIND_LINKS": str(wheel.parent), "UV_CONSTRAINT": str(versions)}
    uv("pip", "install", "--quiet", "--python", str(python), f"wherescape{extras} @ {wheel.as_uri()}", **place)
    return python
