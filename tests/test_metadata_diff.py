"""`wherescape metadata diff`: what a declaration, RED's columns and the table in the target disagree on."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlglot
from click.testing import CliRunner, Result

from tests.servers.hubspot_server import HubspotServer
from wherescape import WhereScape, dialects
from wherescape.catalogue import CONNECTOR_NAMES, connector_named, connector_of
from wherescape.cli.main import commands
from wherescape.column_types import TableColumn
from wherescape.connectors.gitlab.gitlab_tables import COMMITS
from wherescape.connectors.hubspot.hubspot_create_metadata import hubspot_create_metadata
from wherescape.errors import DeclarationError
from wherescape.metadata_diff import declared_columns, differences
from wherescape.sandbox.red_server import RedServer
from wherescape.sql_types import is_same_type, type_text

TABLE = "load_gitlab_commit"
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def server(red: RedServer) -> RedServer:
    red.reset()
    red.register_load_table(TABLE)
    return red


@pytest.fixture
def run(server: RedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run the command beside a load table of commits that is as it is declared."""
    variables = server.environment(TABLE)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    server.query_repository("DELETE FROM red.ws_load_col")
    wherescape = WhereScape(variables)
    wherescape.create_metadata(COMMITS)
    wherescape.close()
    server.create_table(TABLE)
    yield lambda *arguments: CliRunner().invoke(commands, ["metadata", "diff", *arguments])


def differences_of(result: Result) -> list[str]:
    """The lines of the table, without what it is drawn with."""
    assert result.exit_code == 1, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines() if line.strip()]
    return [line for line in lines[1:-1] if not line.startswith("─")]


def test_a_table_that_is_as_declared_has_no_differences(run: Run) -> None:
    done = run(TABLE)
    assert done.exit_code == 0, done.output
    assert done.output == f"{TABLE}: declaration, RED and target agree on {len(COMMITS.all_columns)} columns.\n"


@pytest.mark.parametrize(
    ("in_red", "in_target", "says"),
    [
        (
            "DELETE FROM red.ws_load_col WHERE lc_col_name = 'title'",
            "ALTER TABLE load.load_gitlab_commit DROP COLUMN title",
            "title missing in RED run the metadata script of the load table",
        ),
        (
            "UPDATE red.ws_load_col SET lc_data_type = 'varchar(20)' WHERE lc_col_name = 'title'",
            "ALTER TABLE load.load_gitlab_commit ALTER COLUMN title TYPE varchar(20)",
            "title another type: text in the declaration, varchar(20) in RED run the metadata script, or change the"
            " declaration",
        ),
        (
            "INSERT INTO red.ws_load_col (lc_obj_key, lc_col_name, lc_data_type, lc_order)"
            " SELECT lc_obj_key, 'mood', 'text', 9999 FROM red.ws_load_col WHERE lc_col_name = 'title'",
            "ALTER TABLE load.load_gitlab_commit ADD COLUMN mood text",
            "mood additional in RED: the declaration does not have it declare it, or delete the column in RED",
        ),
        (
            "UPDATE red.ws_load_col SET lc_nulls_flag = 'N' WHERE lc_col_name = 'title'",
            "ALTER TABLE load.load_gitlab_commit ALTER COLUMN title SET NOT NULL",
            "title another null flag: may be null in the declaration, not null in RED let it be null in RED: the API"
            " may leave it out",
        ),
        (
            "",
            "ALTER TABLE load.load_gitlab_commit DROP COLUMN title",
            "title missing in the target alter or recreate the table in RED",
        ),
        (
            "",
            "ALTER TABLE load.load_gitlab_commit ALTER COLUMN title TYPE varchar(20)",
            "title another type: text in RED, character varying(20) in the target alter or recreate the table in RED",
        ),
        (
            "",
            "ALTER TABLE load.load_gitlab_commit ADD COLUMN mood text",
            "mood additional in the target: RED does not have it drop it in the target, or add it in RED",
        ),
        (
            "",
            "ALTER TABLE load.load_gitlab_commit ALTER COLUMN title SET NOT NULL",
            "title another null flag: may be null in RED, not null in the target alter or recreate the table in RED",
        ),
        (
            "",
            "DROP TABLE load.load_gitlab_commit",
            "(table) there is no table in the target create it in RED (Create)",
        ),
    ],
)
def test_each_difference_says_what_to_do(run: Run, server: RedServer, in_red: str, in_target: str, says: str) -> None:
    if in_red:
        server.query_repository(in_red)
    server.query_warehouse(in_target)
    assert differences_of(run(TABLE))[0] == says


def test_another_order_is_a_difference(run: Run, server: RedServer) -> None:
    server.query_repository("UPDATE red.ws_load_col SET lc_order = 1 WHERE lc_col_name = 'title'")
    found = differences_of(run(TABLE))
    assert found[0].startswith("(table) another order: ") and "in the declaration, not in RED" in found[0]
    assert "in RED, not in the target" in found[1]


def test_a_declaration_of_ones_own_is_taken_from_its_file(run: Run, server: RedServer, tmp_path: Path) -> None:
    (tmp_path / "kinds.py").write_text("KIND = 'country'\n")
    (tmp_path / "tables.py").write_text(
        "from kinds import KIND\nfrom wherescape import Column, Table\n"
        "COUNTRIES = Table(kind=KIND, columns=(Column('code', 'text'),), key=('code',), record_source='by hand')\n"
    )
    server.register_load_table("load_country")
    done = run("load_country", "--declaration", f"{tmp_path / 'tables.py'}:COUNTRIES")
    assert differences_of(done)[0] == "code missing in RED run the metadata script of the load table"
    assert "4 differences" in done.output


def test_a_host_script_is_not_run_for_its_declaration(run: Run, server: RedServer, tmp_path: Path) -> None:
    """It would load its table, and take over the exit status."""
    script = tmp_path / "load_data.py"
    script.write_text(
        "from wherescape import Column, Table, WhereScape\n"
        "COUNTRIES = Table('country', (Column('code', 'text'),), ('code',), 'by hand')\n"
        "WhereScape().write_parameter('IT_HAS_RUN', 'yes')\n"
    )
    done = run(TABLE, "--declaration", f"{script}:COUNTRIES")
    assert done.exit_code == 2
    assert "Put its tables in a file of their own." in done.output
    assert server.query_repository("SELECT 1 FROM red.dss_parameter WHERE dss_parameter_name = 'IT_HAS_RUN'") == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("load_country",), "says no connector"),
        (("load_gitlab_unknown",), "must contain one of"),
        (("load_gitlab_issue",), "no load or stage table 'load_gitlab_issue'"),
        ((TABLE, "--declaration", "nowhere.py:COUNTRIES"), "Write it like tables.py:COUNTRIES"),
        ((TABLE, "--declaration", f"{__file__}:TABLE"), "has no Table of the name TABLE"),
        ((TABLE, "--ws-env", __file__), "no ENVIRONMENTS and setup_env"),
    ],
)
def test_what_cannot_be_compared_has_a_status_of_its_own(run: Run, arguments: tuple[str, ...], says: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert says in " ".join(done.output.split())


def test_hubspot_is_asked_for_its_properties(run: Run, server: RedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    table = "load_hubspot_company"
    with HubspotServer() as hubspot:
        monkeypatch.setenv("WSL_SRCCFG_URL", hubspot.url)
        server.write_parameter("hubspot_access_token", hubspot.portal.token)
        server.register_load_table(table)
        wherescape = WhereScape(server.environment(table, source_config={"url": hubspot.url}))
        hubspot_create_metadata(wherescape)
        wherescape.close()
        server.create_table(table)
        done = run(table)
    assert done.exit_code == 0, done.output


def test_types_of_one_meaning_are_one_type() -> None:
    pairs = {
        "PostgreSQL": [
            ("int8", "bigint"),
            ("VARCHAR(256)", "character varying(256)"),
            ("timestamp", "timestamp(6) without time zone"),
            ("numeric(10)", "decimal(10, 0)"),
            ("float8", "double  precision"),
        ],
        "SQL Server": [
            ("numeric(38,10)", "decimal(38,10)"),
            ("datetime2", "datetime2(7)"),
            ("float", "float(53)"),
            ("real", "float(24)"),
            ("nvarchar(max)", "NVARCHAR(MAX)"),
            ("decimal", "numeric(18,0)"),
        ],
        "other": [("varchar(10)", "VARCHAR(10)"), ("anything", "")],
    }
    for database, same in pairs.items():
        for one, other in same:
            assert is_same_type(one, other, database) and is_same_type(other, one, database), (one, other)


@pytest.mark.parametrize(
    ("one", "other", "database"),
    [
        ("varchar(10)", "varchar(20)", "PostgreSQL"),
        ("text", "character varying", "PostgreSQL"),
        ("numeric", "numeric(10,2)", "PostgreSQL"),
        ("timestamp", "timestamp with time zone", "PostgreSQL"),
        ("timestamp(3)", "timestamp", "PostgreSQL"),
        ("varchar(256)", "nvarchar(256)", "SQL Server"),
        ("datetime2", "datetime", "SQL Server"),
    ],
)
def test_types_of_different_meaning_are_two(one: str, other: str, database: str) -> None:
    assert not is_same_type(one, other, database)


def test_a_type_is_written_as_sql_server_has_it() -> None:
    assert type_text("nvarchar", -1, None, None, None) == "nvarchar(max)"
    assert type_text("decimal", None, 38, 10, None) == "decimal(38,10)"
    assert type_text("int", None, 10, 0, None) == "int"
    assert type_text("datetime2", None, None, None, 7) == "datetime2(7)"
    assert type_text("datetime", None, None, None, 3) == "datetime"


def test_the_query_of_the_catalog_is_understood_by_both_databases() -> None:
    for dialect in ("tsql", "postgres"):
        [statement] = sqlglot.parse(dialects.COLUMNS_OF_TABLE, dialect=dialect)
        assert statement and len(list(statement.find_all(sqlglot.exp.Placeholder))) == 3


def test_a_table_of_sql_server_is_compared_by_its_types() -> None:
    declared = declared_columns(COMMITS, dialects.SQL_SERVER.types)
    existing = [TableColumn(column.name.upper(), column.data_type, True) for column in declared]
    found = differences(declared, existing, existing, lambda one, other: is_same_type(one, other, "SQL Server"))
    assert found == []


@pytest.mark.parametrize("name", CONNECTOR_NAMES)
def test_every_connector_is_found_by_the_name_of_its_load_tables(name: str) -> None:
    found = connector_of(f"load_{name}_user".upper())
    assert found and found.name == name


def test_of_two_connectors_the_first_in_the_name_counts() -> None:
    found = connector_of("load_jira_gitlab_user")
    assert found and found.name == "jira"
    assert connector_of("load_country") is None


def test_a_connector_that_there_is_not_is_an_error() -> None:
    with pytest.raises(DeclarationError, match="Choose one of anythingllm, friday_pulse"):
        connector_named("salesforce")


def test_a_stand_in_server_that_is_not_found_again_is_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".wherescape").mkdir()
    (tmp_path / ".wherescape" / "server.json").write_text("{", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WSL_META_DSN", raising=False)
    compared = CliRunner().invoke(commands, ["metadata", "diff", TABLE])
    examined = CliRunner().invoke(commands, ["doctor", "--table", TABLE])
    assert (compared.exit_code, examined.exit_code) == (2, 2)
    says = "does not say where the stand-in server is (JSONDecodeError). Remove this file"
    assert says in compared.output and says in examined.output and "All is well" not in examined.output


def test_columns_of_tables_of_one_name_are_not_mixed(server: RedServer) -> None:
    server.query_warehouse("CREATE TABLE load.twice (a integer, b text); CREATE TABLE stage.twice (c date)")
    with closing(WhereScape(server.environment(TABLE))) as wherescape:
        columns = [wherescape.target.table_columns(schema, "TWICE") for schema in ("", "stage")]
    assert [[column.name for column in found] for found in columns] == [["a", "b"], ["c"]]
