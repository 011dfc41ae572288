"""Examines this machine: its code page, its ODBC drivers and data sources, the work folder and the log file."""

import locale
import platform
import re
import shutil
import struct
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from wherescape.database import connection_parts
from wherescape.doctor.findings import Finding
from wherescape.environment import Environment
from wherescape.logging import log_file_of

LITTLE_SPACE = 500_000_000
BITS = struct.calcsize("P") * 8


def check_versions() -> Iterator[Finding]:
    """Tell what is installed, for a report of a fault."""
    import pyodbc

    yield Finding(
        "machine",
        "ok",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()} ({BITS} bits), wherescape"
        f" {version('wherescape')}, pyodbc {pyodbc.version}",
    )


def check_code_page() -> Iterator[Finding]:
    """Look at the encodings that Python takes for texts when nobody says which."""
    encoding = locale.getencoding()
    of_stdout = getattr(sys.stdout, "encoding", None) or "none"
    found = f"files {encoding}, output {of_stdout}, UTF-8 mode {'on' if sys.flags.utf8_mode else 'off'}"
    if sys.flags.utf8_mode or re.sub(r"\W|_", "", encoding.lower()) in ("utf8", "cp65001"):
        yield Finding("code page", "ok", found)
        return
    yield Finding(
        "code page",
        "warning",
        f"{found}: a host script that opens a file without an encoding gets wrong letters, or an error.",
        "Set the environment variable PYTHONUTF8 to 1 for the user that RED's scheduler runs as.",
    )


def check_odbc() -> Iterator[Finding]:
    """Look at the ODBC drivers and data sources of this machine."""
    import pyodbc

    drivers = pyodbc.drivers()
    found = f"{BITS}-bit drivers: {_listed(drivers)}; data sources: {_listed(pyodbc.dataSources())}"
    if drivers:
        yield Finding("ODBC", "ok", found)
        return
    yield Finding(
        "ODBC",
        "error",
        found,
        f"Install the {BITS}-bit driver of each database: psqlODBC for PostgreSQL (Debian and Ubuntu: apt-get install"
        " odbc-postgresql), Microsoft's ODBC Driver for SQL Server.",
    )


def check_data_source(environment: Environment, prefix: str) -> Iterator[Finding]:
    """Look at whether a data source, or the driver of a connection string, is known on this machine.

    Arguments:
        environment: has the variables.
        prefix: WSL_META or WSL_TGT.

    Raises:
        EnvironmentVariableError: the variable is missing.
    """
    import pyodbc

    topic = f"{prefix}_DSN"
    parts = connection_parts(environment.login("", prefix).dsn)
    drivers = {name.lower(): name for name in pyodbc.drivers()}
    sources = {name.lower(): driver for name, driver in pyodbc.dataSources().items()}
    driver, source = parts.get("driver", ""), parts.get("dsn", "")
    if source and source.lower() not in sources:
        yield Finding(
            topic,
            "error",
            f"There is no {BITS}-bit ODBC data source {source!r}; there are: {_listed(pyodbc.dataSources())}.",
            f"Make it as a System DSN in the {BITS}-bit ODBC administrator (a User DSN is another user's; on Linux it"
            f" stands in odbc.ini), or correct {topic}.",
        )
        return
    # On Linux a driver may also be the path of its library.
    if driver and driver.lower() not in drivers and not Path(driver).is_file():
        yield Finding(
            topic,
            "error",
            f"There is no {BITS}-bit ODBC driver {driver!r}; there are: {_listed(drivers.values())}.",
            f"Install the driver for {BITS}-bit programs, or correct the name behind Driver= in {topic}.",
        )
        return
    bits = environment.get(f"{topic}_ARCH").strip()
    if source and bits in ("32", "64") and int(bits) != BITS:
        yield Finding(
            topic,
            "warning",
            f"RED has {source} as a {bits}-bit data source ({topic}_ARCH), and this Python is a {BITS}-bit program.",
            f"Make a {BITS}-bit data source of the same name for the same database.",
        )
        return
    name = source or "a connection string"
    yield Finding(topic, "ok", f"{name}, driver {driver or sources.get(source.lower(), 'unknown')}")


def check_work_folder(environment: Environment) -> Iterator[Finding]:
    """Look at whether the work folder is there and can be written to; a file comes and goes there.

    Raises:
        EnvironmentVariableError: WSL_WORKDIR is missing.
    """
    topic, folder = "work folder", environment.workdir
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        yield Finding(topic, "error", f"{folder} {what}.", "Make the folder, or correct WSL_WORKDIR.")
        return
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Finding(
            topic,
            "error",
            f"{folder} cannot be written to ({error.strerror}).",
            "Give the user that RED's scheduler runs as the right to write there.",
        )
        return
    free = shutil.disk_usage(folder).free
    if free < LITTLE_SPACE:
        yield Finding(topic, "warning", f"{folder} has {free // 1_000_000} MB left.", "Make room on its disk.")
        return
    yield Finding(topic, "ok", f"{folder} can be written to, {free // 1_000_000_000:,} GB free")


def check_log_file(environment: Environment) -> Iterator[Finding]:
    """Look at whether the log file can be written, without writing to it."""
    topic, path = "log file", log_file_of(environment.workdir)
    try:
        if path.exists():
            with path.open("a", encoding="utf-8"):
                pass
        elif path.parent.exists():
            with tempfile.TemporaryFile(dir=path.parent):
                pass
    except OSError as error:
        yield Finding(
            topic,
            "error",
            f"{path} cannot be written ({error.strerror}).",
            "Give the user that RED's scheduler runs as the right to write there, or close what holds it open.",
        )
        return
    yield Finding(topic, "ok", str(path) if path.exists() else f"{path} is made by the first load")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
