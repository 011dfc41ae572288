"""Examines the WSL_* variables as such; what they lead to is examined elsewhere."""

from collections.abc import Iterator, Mapping

from wherescape.doctor.findings import Finding
from wherescape.environment import PREFIX, SOURCE_PREFIX, Environment, is_unreplaced
from wherescape.errors import EnvironmentVariableError
from wherescape.redaction import MASK, is_secret_name, redact

TOPIC = "variables"
NUMBERS = ("WSL_SEQUENCE", "WSL_JOB_KEY", "WSL_TASK_KEY")
SCHEMAS = ("red", "dbo")
READ = {
    *(f"WSL_{which}_{field}" for which in ("META", "TGT") for field in ("DSN", "USER", "PWD")),
    *("WSL_META_SCHEMA", "WSL_WORKDIR", "WSL_LOAD_FULLNAME"),
}


def check_variables(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the names and forms of the variables.

    Arguments:
        variables: the environment.
    """
    environment = Environment(variables)
    for name, value in sorted(variables.items()):
        if value and (name.upper() in READ or name.upper().startswith(SOURCE_PREFIX)) and not is_unreplaced(value):
            yield Finding(TOPIC, "ok", f"{name} = {_shown(name.upper(), value)}")
    for name, value in variables.items():
        if _is_ours(name) and is_unreplaced(value):
            yield Finding(
                TOPIC,
                "warning",
                f"{name} is {value.strip()}, which RED left unreplaced, and counts as missing.",
                "Enter the field in the RED connection of the load table, or take it out of the script.",
            )
    for name in NUMBERS:
        try:
            environment.number(name)
        except EnvironmentVariableError as error:
            yield Finding(TOPIC, "error", str(error), f"Set {name} to the number that RED gives, or to 0.")
    if environment.metabase.lower() not in SCHEMAS:
        yield Finding(
            TOPIC,
            "warning",
            f"WSL_META_SCHEMA is {environment.get('WSL_META_SCHEMA')!r}.",
            "RED's own are 'red.' for a repository on PostgreSQL and 'dbo.' for one on SQL Server.",
        )
    if not environment.get("WSL_LOAD_TABLE"):
        yield Finding(
            TOPIC,
            "warning",
            "WSL_LOAD_TABLE is missing or empty, so no load table is examined.",
            "Name one with --table, such as load_gitlab_commit.",
        )


def _is_ours(name: str) -> bool:
    return name.upper().startswith(PREFIX)


def _shown(name: str, value: str) -> str:
    return MASK if is_secret_name(name.removeprefix(SOURCE_PREFIX)) else redact(value)
