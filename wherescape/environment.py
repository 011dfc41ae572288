"""The WSL_* variables that RED sets for a host script: read once, checked, explained when wrong.

Source of the names: RED 9, "Environment variables for script loads and exports"; RED 10.3, "Script Output Protocol".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wherescape.errors import EnvironmentVariableError

PREFIX = "WSL_"
SOURCE_PREFIX = "WSL_SRCCFG_"
"""What the variables of an API connection begin with; the name of the connection's field follows."""
_UNREPLACED_TOKEN = re.compile(r"\$WSL_SRCCFG_[^$]*\$", re.IGNORECASE)

_PURPOSE = {
    "WSL_META_DSN": "the ODBC data source of RED's metadata repository",
    "WSL_TGT_DSN": "the ODBC data source of the target database, the warehouse",
    "WSL_SRC_DSN": "the ODBC data source of the source database",
    "WSL_WORKDIR": "the folder for log files and output files",
    "WSL_LOAD_TABLE": "the load table that the host script works for",
    "WSL_LOAD_FULLNAME": "the schema and name of the load table",
    "WSL_SRCCFG_URL": "the base URL of the API",
    "WSL_SRCCFG_USER": "the user of the API",
    "WSL_SRCCFG_APIKEY": "the access token of the API",
}


@dataclass(frozen=True)
class Login:
    """How to reach one of the three databases.

    Arguments:
        role: `repository`, `target` or `source`, for messages.
        prefix: the first part of the variables it comes from, such as `WSL_META`.
        dsn: an ODBC data source name, or a whole connection string if it holds `=`.
        user: empty for a trusted login.
        password: empty for a trusted login.
    """

    role: str
    prefix: str
    dsn: str
    user: str
    password: str = field(repr=False)


class Environment:
    """The WSL_* variables of one run.

    Names are found in any case: RED exports the fields of a UI configuration with the letter case of the field, which
    Windows ignores and Linux does not. A `$WSL_SRCCFG_x$` that RED left unreplaced counts as missing.

    Arguments:
        variables: the environment; anything that does not start with WSL_ is ignored.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._values: dict[str, str] = {}
        # The upper-case spelling wins where several differ in case only.
        for name, value in sorted(variables.items(), reverse=True):
            if name.upper().startswith(PREFIX) and not is_unreplaced(value):
                self._values[name.upper()] = value

    def get(self, name: str) -> str:
        """Return a variable's value, or an empty text if it is missing."""
        return self._values.get(name.upper(), "")

    def require(self, name: str) -> str:
        """Return the value of a variable that the script cannot do without.

        Raises:
            EnvironmentVariableError: it is missing or empty; says what it is for and how to set it outside RED.
        """
        value = self.get(name)
        if not value:
            purpose = _PURPOSE.get(name.upper(), "needed by this host script")
            raise EnvironmentVariableError(
                f"The variable {name} is missing or empty: {purpose}. RED sets it for the script of a load table."
                " Outside RED, fill in a copy of ws_env_template.py as ws_env.py and call its setup_env() first."
            )
        return value

    def number(self, name: str) -> int:
        """Return a key or sequence number, 0 if the variable is missing.

        Raises:
            EnvironmentVariableError: the value is no whole number.
        """
        value = self.get(name).strip()
        if not value:
            return 0
        try:
            return int(value)
        except ValueError:
            raise EnvironmentVariableError(f"{name} is {value!r}, not a whole number.") from None

    def login(self, role: str, prefix: str) -> Login:
        """Return how to reach a database.

        Arguments:
            role: what the database is to the script, for messages.
            prefix: WSL_META, WSL_TGT or WSL_SRC.

        Raises:
            EnvironmentVariableError: the DSN is missing.
        """
        return Login(
            role, prefix, self.require(f"{prefix}_DSN"), self.get(f"{prefix}_USER"), self.get(f"{prefix}_PWD")
        )

    @property
    def metabase(self) -> str:
        """The schema of RED's repository, without the trailing dot that RED gives it; `dbo` when RED gives none."""
        return self.get("WSL_META_SCHEMA").strip().rstrip(".") or "dbo"

    @property
    def load_schema(self) -> str:
        """The load table's schema; RED puts a dot behind it for SQL Server and Oracle only."""
        return self.get("WSL_LOAD_SCHEMA").strip().rstrip(".")

    @property
    def workdir(self) -> Path:
        """The work folder; RED gives it with a trailing separator, a person may give it without.

        Raises:
            EnvironmentVariableError: WSL_WORKDIR is missing.
        """
        return directory(self.require("WSL_WORKDIR"))

    @property
    def common_inputs(self) -> list[int | str]:
        """What most routines of RED begin with: sequence, job name, task name, job key, task key."""
        return [
            self.number("WSL_SEQUENCE"),
            self.get("WSL_JOB_NAME"),
            self.get("WSL_TASK_NAME"),
            self.number("WSL_JOB_KEY"),
            self.number("WSL_TASK_KEY"),
        ]

    @property
    def is_interactive(self) -> bool:
        """Whether the script was started from the RED user interface (RED 10.3, "Script Output Protocol")."""
        return self.get("WSL_JOB_KEY") == "0" and self.get("WSL_JOB_NAME") == "Develop"

    @property
    def is_scheduled_task(self) -> bool:
        """Whether the script runs as a task of a job, so that RED keeps a task log for it."""
        return all(self.number(name) for name in ("WSL_SEQUENCE", "WSL_JOB_KEY", "WSL_TASK_KEY"))


def is_unreplaced(value: str) -> bool:
    """Tell whether a value is a token such as `$WSL_SRCCFG_APIKEY$`, in whose place RED had nothing to put."""
    return _UNREPLACED_TOKEN.fullmatch(value.strip()) is not None


def is_postgresql_metabase(metabase: str) -> bool:
    """Tell from the repository's schema whether it is on PostgreSQL (RED 10: `red`) or on SQL Server (`dbo`)."""
    return metabase.lower() == "red"


def directory(value: str) -> Path:
    """Turn a folder's name with or without a trailing separator, of either kind, into a path."""
    stripped = value.strip().rstrip("/\\")
    if not stripped or stripped.endswith(":"):
        stripped += value.strip()[len(stripped) :][:1]
    return Path(stripped)
