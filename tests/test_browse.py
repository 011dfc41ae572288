"""RED's browser shows what the connectors load: the browse script of an API connection, as RED runs it."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from tests.host_script import host_script_in
from wherescape.browse import browse_tree
from wherescape.catalogue import CONNECTOR_NAMES
from wherescape.connectors.gitlab.gitlab_tables import TABLES
from wherescape.errors import DeclarationError
from wherescape.tables import Table, find_table

SCRIPT = Path(__file__).parents[1] / "host_scripts" / "browse_api_connection.py"
# What RED sets for a browse script; neither repository nor target are among it. 3D: Browse Scripts.
KNOWN = ("WSL_WORKDIR", "WSL_SEQUENCE", "WSL_TASK_NAME")


def test_the_answer_is_two_lines_of_status_and_tree(tmp_path: Path) -> None:
    script = host_script_in(tmp_path)
    script.environment = {
        name: value for name, value in script.environment.items() if not name.startswith("WSL_") or name in KNOWN
    } | {"WSL_SRCCFG_URL": "https://gitlab.example.com", "WSL_SRCCFG_APIKEY": "glpat-of-a-developer"}
    run = script.run(SCRIPT.read_text(encoding="utf-8"))
    status, tree = run.stdout.splitlines()
    assert (status, run.stderr) == ("1", "")
    assert json.loads(tree) == browse_tree()
    assert {*json.loads(tree)} == {"treeViewLayout", "treeViewIcons", *CONNECTOR_NAMES}


def test_a_connector_that_is_none_is_told_in_place_of_a_tree(tmp_path: Path) -> None:
    run = host_script_in(tmp_path).run(SCRIPT.read_text(encoding="utf-8").replace("()", "('gitlap')"))
    assert run.status == "-2"
    assert run.message.startswith("There is no connector 'gitlap'. Choose one of anythingllm, friday_pulse, gitlab")


def test_a_folder_has_the_declared_tables_with_their_columns() -> None:
    tree = browse_tree("gitlab")
    assert [*tree] == ["treeViewLayout", "treeViewIcons", "gitlab"]
    folder = tree["gitlab"]
    assert isinstance(folder, dict)
    assert [*folder] == [f"gitlab_{table.kind}" for table in TABLES]
    commits = folder["gitlab_commit"]
    assert (commits["name"], commits["description"]) == ("gitlab_commit", "gitlab api - commit")
    assert commits["columns"][4] == {"name": "committed_date", "dataType": "timestamp", "dataTypeLength": ""}


def test_the_types_are_those_of_the_target() -> None:
    folder = browse_tree("gitlab", target="SQL Server")["gitlab"]
    assert isinstance(folder, dict)
    by_name = {column["name"]: column for column in folder["gitlab_issue"]["columns"]}
    assert by_name["id"] == {"name": "id", "dataType": "numeric", "dataTypeLength": "38,10"}
    assert by_name["title"] == {"name": "title", "dataType": "nvarchar", "dataTypeLength": "max"}


@pytest.mark.parametrize("name", CONNECTOR_NAMES)
def test_a_load_table_named_after_the_tree_says_what_to_load(name: str) -> None:
    folder = browse_tree(name)[name]
    assert isinstance(folder, dict) and folder
    for table in folder:
        kind = table.removeprefix(f"{name}_")
        assert find_table(f"load_{table}", kinds(name), name).kind == kind


def kinds(name: str) -> tuple[Table, ...]:
    tables: tuple[Table, ...] = import_module(f"wherescape.connectors.{name}.{name}_tables").TABLES
    return tables


def test_a_connector_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DeclarationError, match="no connector 'sap'"):
        browse_tree("sap")
