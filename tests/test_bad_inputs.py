"""What a host script answers to what goes wrong around it: -2 or -3, with a message that a person can act on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wherescape.sandbox.red_server import RedServer

LOAD = """\
from wherescape import Column, Table, WhereScape

wherescape = WhereScape()
wherescape.load(Table("item", (Column("id", "bigint"),), ("id",), "items"), [{"id": 1}])
"""
GITLAB = """\
from wherescape.connectors.gitlab.gitlab_load_data import gitlab_load_data

gitlab_load_data(max_retries=1)
"""
UNKNOWN_PARAMETER = """\
from wherescape import WhereScape
from wherescape.errors import WhereScapeError

wherescape = WhereScape()
if not wherescape.read_parameter("needed_parameter"):
    raise WhereScapeError("The RED parameter needed_parameter is empty: set it under Tools > Parameters.")
"""
REPOSITORY_DOWN = """\
from wherescape import WhereScape

wherescape = WhereScape()
wherescape.read_parameter("x")
WhereScape().query_meta(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = current_user"
)
wherescape.read_parameter("x")
"""
BUG = """\
from wherescape import WhereScape

WhereScape().no_such_member
"""

Environment = dict[str, str]


def without(name: str) -> Callable[[Environment], Environment]:
    return lambda environment: {**environment, name: ""}


def changed(name: str, value: str) -> Callable[[Environment], Environment]:
    return lambda environment: {**environment, name: value}


def unchanged(environment: Environment) -> Environment:
    return environment


CASES = {
    "missing variable": (LOAD, without("WSL_TGT_DSN"), -2, "WSL_TGT_DSN is missing or empty (the ODBC data source"),
    "unknown DSN": (LOAD, changed("WSL_TGT_DSN", "nowhere"), -2, "Check WSL_TGT_DSN"),
    "wrong password": (LOAD, changed("WSL_TGT_PWD", "wrong-password"), -2, "Check WSL_TGT_USER and WSL_TGT_PWD"),
    "missing table": (LOAD, changed("WSL_LOAD_FULLNAME", "load.load_gone"), -2, "create it in RED"),
    "no such parameter": (UNKNOWN_PARAMETER, unchanged, -2, "needed_parameter is empty"),
    "repository down half way": (REPOSITORY_DOWN, unchanged, -2, "The connection to the repository database"),
    "API down": (GITLAB, changed("WSL_SRCCFG_URL", "http://127.0.0.1:9"), -2, "127.0.0.1"),
    "no address": (GITLAB, without("WSL_SRCCFG_URL"), -2, "WSL_SRCCFG_URL is missing or empty"),
    "a bug": (BUG, unchanged, -3, "AttributeError"),
}


@pytest.mark.parametrize(("script", "change", "status", "message"), CASES.values(), ids=CASES)
def test_bad_input(
    clean_red: RedServer,
    tmp_path: Path,
    script: str,
    change: Callable[[Environment], Environment],
    status: int,
    message: str,
) -> None:
    path = tmp_path / "script.py"
    path.write_text(script)
    source = {"url": "http://127.0.0.1:9", "apikey": "glpat-secret-token"}
    environment = change(clean_red.environment("load_gitlab_tag", source_config=source))
    result = clean_red.run_host_script(path, environment=environment)
    assert (result.status, result.exit_status) == (status, 0)
    assert message in result.message
    secrets = (environment["WSL_TGT_PWD"], environment["WSL_META_PWD"], "glpat-secret-token")
    output = "\n".join((result.message, *result.audit, *result.detail))
    assert not [secret for secret in secrets if secret in output]
