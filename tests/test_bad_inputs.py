"""What a host script answers to what goes wrong around it: -2 or -3, with a message that a person can act on."""

from pathlib import Path

import pytest

from wherescape.sandbox.gitlab_server import GitLabServer
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
[[backend]] = wherescape.query_meta("SELECT pg_backend_pid()")
WhereScape().query_meta("SELECT pg_terminate_backend(?)", (backend,))
wherescape.read_parameter("x")
"""
BUG = """\
from wherescape import WhereScape

WhereScape().no_such_member
"""

EMPTY_TABLE = """
CREATE TABLE load.load_gitlab_tag (
    id bigint, name text, message text, target text, project_id numeric, commit_id text, commit_short_id text,
    dss_record_source text, dss_load_date timestamp)
"""

CASES = {
    "missing variable": (LOAD, {"WSL_TGT_DSN": ""}, -2, "WSL_TGT_DSN is missing or empty: the ODBC data source"),
    "unknown DSN": (LOAD, {"WSL_TGT_DSN": "nowhere"}, -2, "Check WSL_TGT_DSN"),
    "wrong password": (LOAD, {"WSL_TGT_PWD": "wrong-password"}, -2, "Check WSL_TGT_USER and WSL_TGT_PWD"),
    "missing table": (LOAD, {"WSL_LOAD_FULLNAME": "load.load_gone"}, -2, "create it in RED"),
    "no such parameter": (UNKNOWN_PARAMETER, {}, -2, "needed_parameter is empty"),
    "repository down half way": (REPOSITORY_DOWN, {}, -2, "The connection to the repository database"),
    "no login to the repository": (
        UNKNOWN_PARAMETER,
        {"WSL_META_PWD": "wrong-password"},
        -2,
        "WSL_META_USER and WSL_META_PWD",
    ),
    "API down": (GITLAB, {}, -2, "127.0.0.1:9"),
    "no address": (GITLAB, {"WSL_SRCCFG_URL": ""}, -2, "WSL_SRCCFG_URL is missing or empty"),
    "unknown kind of table": (GITLAB, {"WSL_LOAD_TABLE": "load_gitlab_runner"}, -2, "load_gitlab_runner"),
    "a bug": (BUG, {}, -3, "AttributeError"),
}


@pytest.mark.parametrize(("script", "variables", "status", "message"), CASES.values(), ids=CASES)
def test_bad_input(
    clean_red: RedServer, tmp_path: Path, script: str, variables: dict[str, str], status: int, message: str
) -> None:
    path = tmp_path / "script.py"
    path.write_text(script)
    clean_red.register_load_table("load_gitlab_tag")
    clean_red.query_warehouse(EMPTY_TABLE)
    token = "glpat-secret-token"
    result = clean_red.run_host_script(
        path,
        "load_gitlab_tag",
        source_config={"url": "http://127.0.0.1:9", "apikey": token},
        environment=variables,
    )
    assert (result.status, result.exit_status) == (status, 0)
    assert message in result.message
    output = "\n".join((result.message, *result.audit, *result.detail))
    log = (clean_red.workdir / "python_logging" / "wherescape.log").read_text()
    for secret in (clean_red.target_password, clean_red.meta_password, "wrong-password", token):
        assert secret not in output + log


def test_an_api_that_refuses_the_token_says_which_to_check(clean_red: RedServer, tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(GITLAB)
    clean_red.register_load_table("load_gitlab_tag")
    clean_red.query_warehouse(EMPTY_TABLE)
    repository = Path(__file__).parent.parent
    with GitLabServer(repository) as gitlab:
        result = clean_red.run_host_script(
            path, "load_gitlab_tag", source_config={"url": gitlab.url, "apikey": "glpat-revoked"}
        )
    assert result.status == -2
    assert "401" in result.message and "WSL_SRCCFG_APIKEY" in result.message
    assert "glpat-revoked" not in "\n".join((result.message, *result.audit, *result.detail))
