"""Stop a sandbox that was started to outlive its process: `python -m wherescape.sandbox stop FOLDER`."""

import argparse
from pathlib import Path

from wherescape.errors import SandboxError
from wherescape.sandbox.postgresql import stop_kept_server


def main() -> None:
    """Read the command line and stop the sandbox that it names."""
    parser = argparse.ArgumentParser(prog="python -m wherescape.sandbox")
    stop = parser.add_subparsers(required=True).add_parser("stop", help="stop a kept sandbox and remove its folder")
    stop.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    try:
        stop_kept_server(folder)
    except SandboxError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
