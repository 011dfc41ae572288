"""The `wherescape` command (extra `cli`)."""

import sys

EXTRAS = ("click", "rich")


def main() -> None:
    """Run the command, or say what to install for it."""
    try:
        from wherescape.cli.main import commands
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        sys.exit(f"The wherescape command needs {error.name}: pip install 'wherescape[cli]'.")
    except ImportError as error:
        if "odbc" not in str(error).lower():
            raise
        # pyodbc is there, but its shared library is not.
        sys.exit(f"The ODBC driver manager is missing ({error}). On Debian and Ubuntu: apt-get install unixodbc.")
    commands()
