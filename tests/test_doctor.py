"""`wherescape doctor`: a good environment, and broken ones, each with the line that says how to mend it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from click.testing import CliRunner, Result

from tests.servers.anythingllm_server import AnythingLlmServer
from tests.servers.friday_pulse_server import FridayPulseServer
from tests.servers.hubspot_server import HubspotServer
from tests.servers.jira_server import JiraServer
from tests.servers.notion_server import NotionServer
from tests.test_tsql import ENVIRONMENT, RecordingConnection
from wherescape import WhereScape, repository, tsql
from wherescape.catalogue import CONNECTOR_NAMES, connector_named
from wherescape.cli.main import commands
from wherescape.connectors.gitlab.gitlab_tables import COMMITS
from wherescape.connectors.hubspot.hubspot_wrapper import Hubspot
from wherescape.database import connection_parts
from wherescape.doctor.databases import check_repository, check_routines
from wherescape.doctor.machine import BITS
from wherescape.environment import Environment
from wherescape.errors import ApiRefused
from wherescape.repository import Repository
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.red_server import RedServer
from wherescape.testing.api_server import Answer, ApiServer, json_answer

ROOT = Path(__file__).parent.parent
TABLE = "load_gitlab_commit"
SECRET = "hunter22-is-wrong"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="module")
def gitlab() -> Iterator[GitLabServer]:
    with GitLabServer(ROOT) as server:
        yield server


@pytest.fixture(scope="module")
def variables(red: RedServer, gitlab: GitLabServer) -> dict[str, str]:
    """The variables of a load table that is as it should be; every test leaves it so."""
    red.reset()
    red.register_load_table(TABLE)
    made = red.environment(TABLE, source_config={"URL": gitlab.url, "APIKEY": gitlab.token})
    wherescape = WhereScape(made)
    wherescape.create_metadata(COMMITS)
    wherescape.close()
    red.create_table(TABLE)
    return made


@contextmanager
def around(variables: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in PROXIES:
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def examined(variables: Mapping[str, str], *arguments: str) -> Result:
    with around(variables):
        return CliRunner().invoke(commands, ["doctor", *arguments])


def lines_of(result: Result, topic: str) -> list[str]:
    """The findings about a topic, each with what is to be done behind it, without the width of columns."""
    lines: list[str] = []
    for line in result.output.splitlines():
        text = " ".join(line.split())
        if line.startswith(" "):
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return [line for line in lines if line.split(" ", 1)[-1].startswith(f"{topic} ")]


def faults_of(result: Result) -> list[str]:
    return [line.split()[0] for line in result.output.splitlines() if line.startswith(("error", "warning"))]


# ------------------------------------------------------------------------------------------------- a good environment


def test_a_good_environment_has_no_fault(variables: dict[str, str], gitlab: GitLabServer) -> None:
    done = examined(variables)
    assert done.exit_code == 0, done.output
    assert done.output.endswith("All is well.\n")
    assert {line.split()[0] for line in done.output.splitlines()[:-1]} == {"ok"}
    for topic, says in {
        "repository": "PostgreSQL",
        "target": "PostgreSQL",
        "routines": "WsParameterRead, WsParameterWrite, WsWrkTask, WsWrkAudit",
        "load table": "has 16 columns, and rows can be inserted",
        "columns": "declaration, RED and target agree",
        "API": "GitLab answers, and accepts the login",
        "clock": "the repository database has the time of this machine",
        "work folder": "can be written to",
        "code page": "UTF-8",
        "machine": f"Python {sys.version_info.major}.",
    }.items():
        assert any(says in line for line in lines_of(done, topic)), (topic, done.output)


def test_no_secret_is_shown(variables: dict[str, str], gitlab: GitLabServer) -> None:
    secrets = {name: f"{SECRET}-{name}" for name in ("WSL_META_PWD", "WSL_TGT_PWD", "WSL_SRCCFG_APIKEY")}
    whole = {"WSL_TGT_DSN": f"{variables['WSL_TGT_DSN']};PWD={{{SECRET}}}"}
    done = examined({**variables, **secrets, **whole, "WSL_SRCCFG_s3SecretKey": "abc"})
    assert done.exit_code == 2
    assert SECRET not in done.output and "abc" not in done.output
    assert "WSL_META_PWD = ***" in done.output and "WSL_SRCCFG_s3SecretKey = ***" in done.output


def test_nothing_is_changed_in_any_database(variables: dict[str, str], red: RedServer) -> None:
    """Both users are made unable to write for the time of an examination, which then still finds no fault."""
    with ExitStack() as stack:
        for run, user in ((red.query_repository, red.meta_user), (red.query_warehouse, red.target_user)):
            run(f"ALTER ROLE {user} SET default_transaction_read_only = on")
            undo = f"SET TRANSACTION READ WRITE; ALTER ROLE {user} RESET default_transaction_read_only"
            stack.callback(run, f"BEGIN; {undo}; COMMIT")
        done = examined(variables)
    assert done.exit_code == 0, done.output


def test_it_runs_as_a_command(variables: dict[str, str]) -> None:
    command = Path(sys.executable).with_name("wherescape")
    environment = {**os.environ, **variables, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    done = subprocess.run([command, "doctor"], env=environment, capture_output=True, text=True)
    # The code page of this process is what is wrong.
    assert done.returncode == 1, done.stdout + done.stderr
    assert "PYTHONUTF8 to 1" in done.stdout and "1 warning." in done.stdout
    assert done.stderr == ""


# ------------------------------------------------------------------------------------------------ broken environments

BROKEN_VARIABLES = {
    "no repository": (
        {"WSL_META_DSN": ""},
        "error WSL_META_DSN The variable WSL_META_DSN is missing or empty: the ODBC data source of RED's metadata"
        " repository. RED sets it for the script of a load table. Outside RED, fill in a copy of ws_env_template.py",
    ),
    "no data source": (
        {"WSL_META_DSN": "nowhere"},
        f"error WSL_META_DSN There is no {BITS}-bit ODBC data source 'nowhere'; there are: ",
    ),
    "no driver": (
        {"WSL_TGT_DSN": "Driver={Oracle};Server=db"},
        f"error WSL_TGT_DSN There is no {BITS}-bit ODBC driver 'Oracle'; there are: ",
    ),
    "wrong password": (
        {"WSL_META_PWD": SECRET},
        "error repository No connection to the repository database. Check WSL_META_USER and WSL_META_PWD.",
    ),
    "wrong schema": (
        {"WSL_META_SCHEMA": "dbo."},
        "error repository WSL_META_SCHEMA is dbo, as of a repository on SQL Server, and the database is PostgreSQL."
        " -> Set WSL_META_SCHEMA to 'red.' for PostgreSQL",
    ),
    "no number": (
        {"WSL_SEQUENCE": "abc"},
        "error variables WSL_SEQUENCE is 'abc', not a whole number. -> Set WSL_SEQUENCE to the number that RED gives",
    ),
    "no work folder": (
        {"WSL_WORKDIR": "/nowhere/at/all"},
        f"error work folder {Path('/nowhere/at/all')} does not exist. -> Make the folder, or correct WSL_WORKDIR.",
    ),
    "a file as work folder": (
        {"WSL_WORKDIR": __file__},
        f"error work folder {__file__} is no folder. -> Make the folder, or correct WSL_WORKDIR.",
    ),
    "unknown table": (
        {"WSL_LOAD_TABLE": "load_gitlab_tag"},
        "error load table RED's repository has no load or stage table 'load_gitlab_tag'. Create the object in RED",
    ),
    "wrong key": (
        {"WSL_SRCCFG_APIKEY": SECRET},
        "-> Make a new login there and enter it in the RED connection of the load table (WSL_SRCCFG_APIKEY)",
    ),
    "no key": (
        {"WSL_SRCCFG_APIKEY": ""},
        "error API There is no access token for GitLab: enter one as the API key of the RED connection",
    ),
    "no address": (
        {"WSL_SRCCFG_URL": ""},
        "error API WSL_SRCCFG_URL is missing or empty: enter the address, such as https://gitlab.example.com",
    ),
    "no http": (
        {"WSL_SRCCFG_URL": "gitlab.example.com"},
        "error API The base URL of GitLab, of 'gitlab.example.com', must be an address like",
    ),
    "nobody listens": (
        {"WSL_SRCCFG_URL": "http://127.0.0.1:1"},
        "-> Nothing listens there: correct host and port in WSL_SRCCFG_URL",
    ),
    "no such host": (
        {"WSL_SRCCFG_URL": "http://gitlab.invalid"},
        "-> The host's name is not known here: correct WSL_SRCCFG_URL",
    ),
    "proxy": (
        {"WSL_SRCCFG_URL": "http://gitlab.invalid", "HTTP_PROXY": "http://127.0.0.1:1"},
        "-> Correct HTTPS_PROXY and HTTP_PROXY, or add the host to NO_PROXY",
    ),
}


@pytest.mark.parametrize(("changed", "says"), BROKEN_VARIABLES.values(), ids=BROKEN_VARIABLES)
def test_a_broken_variable_says_how_to_mend_it(variables: dict[str, str], changed: dict[str, str], says: str) -> None:
    done = examined({**variables, **changed})
    assert done.exit_code == 2, done.output
    assert faults_of(done) == ["error"]
    shown = " ".join(done.output.split())
    assert says in shown, shown
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"WSL_SRCCFG_USER": "$WSL_SRCCFG_USER$"},
            "warning variables WSL_SRCCFG_USER is $WSL_SRCCFG_USER$, which RED left unreplaced, and counts as missing."
            " -> Enter the field in the RED connection",
        ),
        ({"WSL_LOAD_TABLE": ""}, "WSL_LOAD_TABLE is missing or empty, so no load table is examined. -> Name one with"),
    ],
)
def test_what_a_load_may_do_without_is_a_warning(
    variables: dict[str, str], changed: dict[str, str], says: str
) -> None:
    done = examined({**variables, **changed})
    assert done.exit_code == 1, done.output
    assert says in " ".join(done.output.split())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps data sources in its registry")
@pytest.mark.parametrize(
    ("changed", "status", "says"),
    [
        ({}, 0, "ok WSL_META_DSN Repo, driver "),
        (
            {"WSL_META_DSN": "Reop"},
            2,
            f"error WSL_META_DSN There is no {BITS}-bit ODBC data source 'Reop'; there are: Repo. -> Make it as a"
            f" System DSN in the {BITS}-bit ODBC administrator",
        ),
        (
            {"WSL_META_DSN_ARCH": str(96 - BITS)},
            1,
            f"warning WSL_META_DSN RED has Repo as a {96 - BITS}-bit data source (WSL_META_DSN_ARCH), and this"
            f" Python is a {BITS}-bit program. -> Make a {BITS}-bit data source of the same name",
        ),
    ],
)
def test_a_data_source_of_this_machine_is_looked_up(
    variables: dict[str, str], tmp_path: Path, changed: dict[str, str], status: int, says: str
) -> None:
    settings = connection_parts(variables["WSL_META_DSN"])
    sources = tmp_path / "odbc.ini"
    sources.write_text("[Repo]\n" + "".join(f"{name}={value}\n" for name, value in settings.items()))
    done = examined({**variables, "ODBCINI": str(sources), "WSL_META_DSN": "Repo", **changed})
    assert done.exit_code == status, done.output
    assert lines_of(done, "WSL_META_DSN")[0].startswith(says)


def test_a_copy_of_the_template_is_taken_from_the_folder(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = (ROOT / "wherescape" / "ws_env_template.py").read_text(encoding="utf-8")
    settings = {name.upper(): value for name, value in variables.items()}
    filled = f"{template}\nENVIRONMENTS = {{'dev1': {settings!r}, 'empty': {{}}}}\n"
    (tmp_path / "ws_env.py").write_text(filled, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(commands, ["doctor", "--table", TABLE])
    assert done.exit_code == 0, done.output
    broken = CliRunner().invoke(commands, ["doctor", "--table", TABLE, "--environment", "empty"])
    assert broken.exit_code == 2
    assert "error variables setup_env of ws_env.py fails for the environment 'empty': KeyError: 'WSL_WORKDIR'" in (
        " ".join(broken.output.split())
    )


BROKEN_REPOSITORIES = {
    "no routine": (
        "ALTER ROUTINE red.WsWrkTask RENAME TO was_WsWrkTask",
        "ALTER ROUTINE red.was_WsWrkTask RENAME TO WsWrkTask",
        "error routines This RED repository (red) has no routine WsWrkTask. -> Check that WSL_META_DSN and",
    ),
    "no right to execute": (
        "REVOKE EXECUTE ON FUNCTION red.WsParameterRead FROM PUBLIC, red",
        "GRANT EXECUTE ON FUNCTION red.WsParameterRead TO PUBLIC, red",
        "error routines The user may not execute red.WsParameterRead. -> Grant EXECUTE on red.WsParameterRead to the",
    ),
    "no repository": (
        "ALTER TABLE red.ws_load_col RENAME TO was_load_col",
        "ALTER TABLE red.was_load_col RENAME TO ws_load_col",
        "error repository There is no red.ws_load_col that the user may read. -> Check that WSL_META_DSN leads to",
    ),
    "no right to read": (
        "REVOKE SELECT ON red.dss_parameter FROM red",
        "GRANT SELECT ON red.dss_parameter TO red",
        "error repository There is no red.dss_parameter that the user may read. -> Check that WSL_META_DSN leads to",
    ),
    "no right to the schema": (
        "REVOKE USAGE ON SCHEMA red FROM red",
        "GRANT USAGE ON SCHEMA red TO red",
        "error repository There is no red.dss_parameter that the user may read.",
    ),
    "no right to change columns": (
        "REVOKE INSERT ON red.ws_load_col FROM red",
        "GRANT INSERT ON red.ws_load_col TO red",
        "warning repository The user may not change red.ws_load_col, as metadata scripts do. -> Grant the user INSERT",
    ),
    "another column in RED": (
        "UPDATE red.ws_load_col SET lc_col_name = 'titel' WHERE lc_col_name = 'title'",
        "UPDATE red.ws_load_col SET lc_col_name = 'title' WHERE lc_col_name = 'titel'",
        "warning columns 4 differences, the first: title missing in RED. -> Run the metadata script of the load table."
        " wherescape metadata diff load_gitlab_commit shows all of it.",
    ),
}
BROKEN_WAREHOUSES = {
    "no table": (
        "ALTER TABLE load.load_gitlab_commit RENAME TO was",
        "ALTER TABLE load.was RENAME TO load_gitlab_commit",
        "error load table The target has no table load.load_gitlab_commit that the user may see. -> Create it in RED",
    ),
    "no right to insert": (
        "REVOKE INSERT ON load.load_gitlab_commit FROM warehouse",
        "GRANT INSERT ON load.load_gitlab_commit TO warehouse",
        "error load table The user may not insert into load.load_gitlab_commit. -> Grant INSERT and SELECT on",
    ),
    "no key column": (
        "ALTER TABLE load.load_gitlab_commit RENAME COLUMN id TO was",
        "ALTER TABLE load.load_gitlab_commit RENAME COLUMN was TO id",
        "error columns load_gitlab_commit lacks columns: Table 'commit' cannot do without id. -> Run its metadata",
    ),
}


@pytest.mark.parametrize(("broken", "mended", "says"), BROKEN_REPOSITORIES.values(), ids=BROKEN_REPOSITORIES)
def test_a_broken_repository_says_how_to_mend_it(
    variables: dict[str, str], red: RedServer, broken: str, mended: str, says: str
) -> None:
    red.query_repository(broken)
    try:
        done = examined(variables)
    finally:
        red.query_repository(mended)
    assert done.exit_code == (2 if says.startswith("error") else 1), done.output
    assert says in " ".join(done.output.split()), done.output


@pytest.mark.parametrize(("broken", "mended", "says"), BROKEN_WAREHOUSES.values(), ids=BROKEN_WAREHOUSES)
def test_a_broken_warehouse_says_how_to_mend_it(
    variables: dict[str, str], red: RedServer, broken: str, mended: str, says: str
) -> None:
    red.query_warehouse(broken)
    try:
        done = examined(variables)
    finally:
        red.query_warehouse(mended)
    assert done.exit_code == 2, done.output
    assert says in " ".join(done.output.split()), done.output


HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            Answer(200, "<html>Log in</html>", HTML),
            "-> Open WSL_SRCCFG_URL in a browser on this machine: a login page",
        ),
        (Answer(301, "", {"Location": "https://new.example.com/"}), "-> Enter the address that it has moved to"),
        (Answer(404, "<html>Not found</html>", HTML), "-> There is no such API at this address: enter that of the"),
        (Answer(403, "{}"), "-> Give the login the right to read, or enter another one"),
        (Answer(503, "{}"), "-> The server has a fault of its own: look at its state"),
        (Answer(429, "{}", {"Retry-After": "900"}), "-> Wait, and do not let several loads use one login at once."),
    ],
)
def test_an_api_that_answers_otherwise_says_how_to_mend_it(
    variables: dict[str, str], gitlab: GitLabServer, answer: Answer, says: str
) -> None:
    gitlab.fail_next(answer)
    done = examined(variables)
    assert done.exit_code == 2, done.output
    assert says in " ".join(lines_of(done, "API")), done.output


def test_an_api_without_tls_behind_https_says_how_to_mend_it(variables: dict[str, str], gitlab: GitLabServer) -> None:
    done = examined({**variables, "WSL_SRCCFG_URL": gitlab.url.replace("http:", "https:")})
    assert "name it in REQUESTS_CA_BUNDLE" in " ".join(lines_of(done, "API")), done.output


def test_a_clock_that_is_wrong_is_a_warning(variables: dict[str, str], gitlab: GitLabServer) -> None:
    gitlab.now = datetime.now(UTC) - timedelta(hours=2)
    try:
        done = examined(variables)
    finally:
        gitlab.now = None
    assert done.exit_code == 1
    assert any(
        "behind this machine. -> Let both take their time from the network" in line for line in lines_of(done, "clock")
    ), done.output


def test_a_target_that_is_down_says_how_to_mend_it(variables: dict[str, str], red: RedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        changed = red.variables_through(target_port=closed.getsockname()[1])
    [line] = lines_of(examined({**variables, **changed}), "target")
    assert line.startswith("error target No connection to the target database. Check that the database is up, that")


@pytest.mark.parametrize("topic", ["API", "repository"])
def test_what_does_not_answer_is_given_up(variables: dict[str, str], red: RedServer, topic: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        api = {"WSL_SRCCFG_URL": f"http://127.0.0.1:{port}"}
        changed = api if topic == "API" else red.variables_through(repository_port=port)
        done = examined({**variables, **changed}, "--seconds", "0.4")
    assert done.exit_code == 2
    [line] = lines_of(done, topic)
    assert "No answer within 0.4 seconds. ->" in line and "--seconds" in line


def test_what_needs_something_broken_is_passed_over(variables: dict[str, str]) -> None:
    done = examined({**variables, "WSL_META_DSN": "nowhere"})
    passed_over = "skipped {} Not looked at, since {} has failed: mend that first."
    assert lines_of(done, "repository") == [passed_over.format("repository", "WSL_META_DSN")]
    assert lines_of(done, "routines") == [passed_over.format("routines", "repository")]
    assert lines_of(done, "load table") == [passed_over.format("load table", "repository")]
    # The login is in the connection, and not in a parameter of the repository.
    assert lines_of(done, "API")[0].startswith("ok API")


def test_a_login_in_a_parameter_cannot_be_had_without_the_repository(variables: dict[str, str]) -> None:
    done = examined({**variables, "WSL_META_DSN": "nowhere", "WSL_SRCCFG_APIKEY": ""})
    assert lines_of(done, "API") == ["skipped API Not looked at, since repository has failed: mend that first."]


def test_without_any_variable_it_says_where_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(commands, ["doctor"])
    assert done.exit_code == 2
    assert "Copy ws_env_template.py of the package to ws_env.py" in done.output
    assert lines_of(done, "API") == ["skipped API No connector is named: choose one with --connector."]


def test_a_log_file_that_cannot_be_written_says_so(variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "python_logging" / "wherescape.log").mkdir(parents=True)
    done = examined({**variables, "WSL_WORKDIR": str(tmp_path)})
    [line] = lines_of(done, "log file")
    assert line.startswith("error log file") and "-> Give the user that RED's scheduler runs as the right" in line


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that even root cannot write to")
def test_a_work_folder_that_cannot_be_written_to_says_so(variables: dict[str, str]) -> None:
    [line] = lines_of(examined({**variables, "WSL_WORKDIR": "/proc"}), "work folder")
    assert "cannot be written to" in line and "-> Give the user" in line


# -------------------------------------------------------------------------------------------------------- connectors

SERVERS: dict[str, type[ApiServer]] = {
    "anythingllm": AnythingLlmServer,
    "friday_pulse": FridayPulseServer,
    "hubspot": HubspotServer,
    "jira": JiraServer,
    "notion": NotionServer,
}


def login_of(server: ApiServer) -> dict[str, str]:
    """The fields of RED's connection to a fake API."""
    if isinstance(server, JiraServer):
        return {"USER": server.user_name, "APIKEY": server.apikey}
    if isinstance(server, HubspotServer):
        return {"APIKEY": server.portal.token}
    if isinstance(server, AnythingLlmServer):
        return {"APIKEY": server.apikey}
    assert isinstance(server, (FridayPulseServer, NotionServer))
    return {"APIKEY": server.token}


def test_every_connector_is_in_the_catalogue_and_has_a_fake_api_here() -> None:
    folders = {path.parent.name for path in (ROOT / "wherescape" / "connectors").glob("*/__init__.py")}
    assert folders == {*CONNECTOR_NAMES}
    assert {*SERVERS, "gitlab"} == {*CONNECTOR_NAMES}


@pytest.mark.parametrize("name", SERVERS)
def test_every_connector_finds_a_good_login_good_and_a_wrong_one_wrong(
    variables: dict[str, str], red: RedServer, name: str
) -> None:
    with SERVERS[name]() as server:
        login = login_of(server)
        for key, is_good in ((login["APIKEY"], True), (SECRET, False)):
            red.write_parameter("hubspot_access_token", key)
            config = {"URL": server.url, **login, "APIKEY": key}
            table = "load_hubspot_company" if name == "hubspot" else f"load_{name}_user"
            wherescape = WhereScape(red.environment(table, source_config=config))
            with connector_named(name).connect(wherescape, max_retries=0) as api:
                if is_good:
                    api.check_login()
                    assert api.extraction.started
                else:
                    with pytest.raises(ApiRefused):
                        api.check_login()
            wherescape.close()


@pytest.mark.parametrize(("category", "is_good"), [("MISSING_SCOPES", True), ("BLOCKED", False)])
def test_a_token_of_hubspot_without_the_scope_of_the_portal_is_good(category: str, is_good: bool) -> None:
    with HubspotServer() as server, Hubspot(server.portal.token, server.url, max_retries=0) as api:
        server.fail_next(json_answer({"category": category}, 403))
        with nullcontext() if is_good else pytest.raises(ApiRefused):
            api.check_login()


# -------------------------------------------------------------------------------------------------------- SQL Server


def test_the_questions_to_sql_server_are_understood_by_a_parser() -> None:
    for text, parameters in ((tsql.FACTS, 0), (tsql.HAS_RIGHT, 2)):
        [statement] = sqlglot.parse(text, dialect="tsql")
        assert statement and len(list(statement.find_all(sqlglot.exp.Placeholder))) == parameters


def test_a_repository_on_sql_server_is_asked_for_facts_and_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = [("16.0.1000.6", "Latin1_General_CI_AS", datetime.now(UTC).replace(tzinfo=None))]
    connection = RecordingConnection([facts, *[[(1,)]] * 5, [(1,)], [(None,)]])
    monkeypatch.setattr("pyodbc.connect", lambda *arguments, **options: connection)
    red = Repository(WhereScape(ENVIRONMENT).meta, Environment(ENVIRONMENT))
    first, clock, last = check_repository(red)
    assert (first.message, clock.state) == ("SQL Server 16.0.1000.6, Latin1_General_CI_AS", "ok")
    assert last.mend == "Grant the user INSERT and UPDATE on dbo.ws_load_col."
    assert connection.used.executed[0] == (tsql.FACTS, [])
    assert connection.used.executed[1] == (tsql.HAS_RIGHT, ["dbo.dss_parameter", "SELECT"])


def test_routines_on_sql_server_are_asked_for_their_right(monkeypatch: pytest.MonkeyPatch) -> None:
    known, may, may_not, unknown = ([(answer,)] for answer in (4711, 1, 0, None))
    answers: list[list[tuple[Any, ...]]] = [
        known,
        may,
        known,
        may_not,
        known,
        may,
        known,
        may,
        unknown,
        known,
        may,
        unknown,
    ]
    connection = RecordingConnection(answers)
    monkeypatch.setattr("pyodbc.connect", lambda *arguments, **options: connection)
    findings = list(check_routines(Repository(WhereScape(ENVIRONMENT).meta, Environment(ENVIRONMENT))))
    assert [finding.state for finding in findings] == ["error", "ok", "ok", "ok"]
    assert findings[0].mend == "Grant EXECUTE on dbo.WsParameterWrite to the user in WSL_META_USER."
    assert (tsql.HAS_RIGHT, ["dbo.WsParameterRead", "EXECUTE"]) in connection.used.executed
    assert repository.WORK_AUDIT_BULK.name in findings[1].message


@pytest.mark.parametrize(
    ("dsn", "parts"),
    [
        ("wsDev1Repo", {"dsn": "wsDev1Repo"}),
        ("Driver={PostgreSQL Unicode};Server=db", {"driver": "PostgreSQL Unicode", "server": "db"}),
        ("DSN=repo; PWD={a;b}}c}", {"dsn": "repo", "pwd": "a;b}c"}),
    ],
)
def test_a_connection_string_is_taken_apart(dsn: str, parts: dict[str, str]) -> None:
    assert json.dumps(connection_parts(dsn)) == json.dumps(parts)
