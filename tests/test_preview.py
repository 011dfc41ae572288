"""A preview shows what a load would begin with; that it writes nothing is in the tests that connectors inherit."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.gitlab_repository import make_repository
from wherescape.cli.main import commands
from wherescape.errors import DeclarationError
from wherescape.preview import find_loader
from wherescape.sandbox import RedServer
from wherescape.sandbox.gitlab_server import GitLabServer

CONNECTOR = """\
from wherescape import Column, Table
from wherescape.errors import DeclarationError

COLUMNS = (Column("id", "integer"), Column("opened", "date"), Column("owner", "text", mask="hash"))
TABLE = Table("shop", COLUMNS, ("id",), "shops")
TABLES = (TABLE,)


def shops_load_data(wherescape):
    mark = wherescape.high_water_mark(staged=True)
    wherescape.write_parameter("BEGUN", "yes")
    wherescape.push_to_target("CREATE TABLE load.no_preview (a integer)")
    records = ({"id": n, "opened": "2026-01-05" if n else "soon", "owner": "Ann"} for n in range(10**9))
    wherescape.load(TABLE, records, mark=mark)
    raise AssertionError("What is behind the load must not be reached.")
"""


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[GitLabServer]:
    with GitLabServer(make_repository(tmp_path / "lamp")) as gitlab:
        yield gitlab


@pytest.fixture
def shops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A connector in a package of a folder, which no test has imported yet."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "ours"]:
        del sys.modules[name]
    package = tmp_path / "ours" / "shops"
    package.mkdir(parents=True)
    for folder in (tmp_path / "ours", package):
        (folder / "__init__.py").write_text("", "utf-8")
    (package / "shops_load_data.py").write_text(CONNECTOR, "utf-8")
    (package / "shops_tables.py").write_text("from ours.shops.shops_load_data import TABLES as TABLES\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def show(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(commands, ["preview", *arguments], env=env)


def test_without_red_there_is_no_mark_and_types_are_the_declared_ones(gitlab: GitLabServer) -> None:
    done = show(
        "gitlab", "--url", gitlab.url, "--table", "load_gitlab_commit", env={"WSL_SRCCFG_APIKEY": gitlab.token}
    )
    assert done.exit_code == 0, done.output
    assert "3 rows" in done.output
    assert "The high-water mark HWM_load_gitlab_commit is empty: a load would be a full one." in done.output
    assert 'INSERT INTO load.load_gitlab_commit ("id", "short_id"' in done.output
    assert "load.load_gitlab_commit is not there yet" in done.output
    assert gitlab.token not in done.output


def test_with_red_mark_and_sql_are_those_of_the_next_load(clean_red: RedServer, gitlab: GitLabServer) -> None:
    table = "load_gitlab_commit"
    clean_red.register_load_table(table)
    clean_red.query_warehouse(f"CREATE TABLE load.{table} (id text, short_id varchar(8), title xml)")
    clean_red.write_parameter(f"HWM_{table}", "2026-01-05T10:05:00+00:00")
    env = clean_red.environment(table, source_config={"url": gitlab.url, "apikey": gitlab.token})
    done = show("gitlab", "--table", table, env=env)
    assert done.exit_code == 0, done.output
    assert f"HWM_{table} is 2026-01-05T10:05Z: a load would ask for what changed since " in done.output
    insert = (
        'INSERT INTO load.load_gitlab_commit ("id", "short_id", "title") SELECT unnest(?::text[]), unnest(?::text[])'
    )
    assert f"{insert}, unnest(?::xml[])" in done.output
    assert clean_red.query_warehouse(f"SELECT count(*) FROM load.{table}")[0][0] == 0


@pytest.mark.parametrize("name", ["ours.shops", "ours/shops"])
def test_a_connector_is_found_by_name_and_by_path(
    shops: Path, clean_red: RedServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(shops)
    done = show(name, "--rows", "2", env=clean_red.environment("load_shops_shop"))
    assert done.exit_code == 0, done.output
    assert "Row 1 would be rejected. Column opened: " in done.output
    assert "soon" not in done.output
    assert "2026-01-05" in done.output
    assert "Ann" not in done.output
    assert clean_red.read_parameter("BEGUN") is None
    assert clean_red.query_warehouse("SELECT 1 FROM pg_tables WHERE tablename = 'no_preview'") == []


def test_what_a_connector_writes_itself_is_rolled_back_and_no_error_of_its_own_is_caught(
    shops: Path, clean_red: RedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = shops / "ours" / "shops" / "shops_load_data.py"
    code = CONNECTOR.replace("wherescape.push_to_target(", "wherescape.target.execute(")
    code = code.replace(
        '    wherescape.write_parameter("BEGUN", "yes")\n',
        """    wherescape.query_meta("SELECT red.WsParameterWrite('BEGUN', 'yes', NULL)")\n""",
    )
    loading = "    wherescape.load(TABLE, records, mark=mark)\n"
    caught = f"    try:\n    {loading}    except Exception:\n        return\n"
    module.write_text(code.replace(loading, caught), "utf-8")
    monkeypatch.chdir(shops)
    done = show("ours.shops", env=clean_red.environment("load_shops_shop"))
    assert done.exit_code == 0, done.output
    assert clean_red.read_parameter("BEGUN") is None
    assert clean_red.query_warehouse("SELECT 1 FROM pg_tables WHERE tablename = 'no_preview'") == []


def test_what_hubspot_loads_is_found_and_not_what_it_sends() -> None:
    assert find_loader("hubspot", Path.cwd()).load.__name__ == "hubspot_collect_data"


@pytest.mark.parametrize("name", ["nobody", "./nobody", "../nobody", "no/body"])
def test_a_connector_that_is_not_there_is_told(name: str) -> None:
    done = show(name)
    assert done.exit_code == 1
    assert f"There is no connector {name!r}: no module " in done.output


def test_less_than_one_row_cannot_be_shown() -> None:
    assert show("gitlab", "--rows", "-1").exit_code == 2


def test_a_module_that_cannot_be_imported_is_no_missing_connector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "__init__.py").write_text("", "utf-8")
    (tmp_path / "broken" / "broken_load_data.py").write_text("import a_package_that_is_not_there\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DeclarationError, match=r"broken_load_data cannot be imported.* 'a_package_that_is_not_there'"):
        find_loader("broken", tmp_path)


def test_fewer_rows_than_one_are_refused() -> None:
    done = show("gitlab", "--rows", "-1")
    assert done.exit_code == 2
    assert "Invalid value for '--rows'" in done.output


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'. Correct it"),
        ("def (:", "SyntaxError: invalid syntax (shops_load_data.py, line 1)"),
    ],
)
def test_a_connector_that_cannot_be_imported_is_told(shops: Path, code: str, message: str) -> None:
    (shops / "ours" / "shops" / "shops_load_data.py").write_text(code, "utf-8")
    done = show(str(shops / "ours" / "shops"))
    assert done.exit_code == 1
    assert f"ours.shops.shops_load_data cannot be imported: {message}" in done.output
