"""The Python code of the connectors' READMEs runs as a host script, against the connector's API on loopback."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.test_host_scripts import HOST_SCRIPTS, SITES, registered
from tests.test_host_scripts import TASKS_OF_NOTION as PAGES
from wherescape.sandbox.red_server import RedServer

CONNECTORS = Path(__file__).parents[1] / "wherescape" / "connectors"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
MASK_KEY = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Run:
    """What comes of a block.

    Arguments:
        table: the load table that it is attached to.
        says: a part of the task's message.
        status: what RED reads; an example names projects or properties of its own, which the fake does not have.
    """

    table: str
    says: str = ""
    status: int = 1


CHATS, COMPANIES, ISSUES = "load_anythingllm_chat", "load_hubspot_company", "load_jira_issue"
COMMITS, SURVEYS, OF_GROUPS, NOTES = (
    "load_gitlab_commit",
    "load_friday_pulse_general_results",
    "load_friday_pulse_group_results",
    "load_friday_pulse_general_notes",
)
RUNS = {
    "anythingllm": [
        Run(CHATS, "columns registered"),
        Run(CHATS, "2 rows"),
        Run(CHATS, "2 rows"),
        Run(CHATS, "2 rows"),
        Run("load_anythingllm_workspace_chat", "1 row"),
    ],
    "friday_pulse": [
        Run(SURVEYS, "columns registered"),
        Run(SURVEYS, "3 rows"),
        Run(SURVEYS, "3 rows"),
        Run(OF_GROUPS, "rows"),
        Run(NOTES, "0 rows"),
    ],
    "gitlab": [
        Run(COMMITS, "columns registered"),
        Run(COMMITS, "3 rows"),
        Run(COMMITS, "groups/sales/projects answered 404", -2),
        Run(COMMITS, "The project 'sales/website' answered 404", -1),
        Run("load_gitlab_commit_keys", "4 columns registered"),
        Run("load_gitlab_commit_keys", "3 rows"),
    ],
    "hubspot": [
        Run(COMPANIES, "2 rows"),
        Run(COMPANIES, "HubSpot's companies have no property 'hs_lead_status'", -2),
        Run("load_hubspot_contact", "0 rows"),
        Run("load_company", "HubSpot's companies have no property of that name whose values", -2),
    ],
    "jira": [
        Run(ISSUES, "columns registered"),
        Run(ISSUES, "2 rows"),
        Run(ISSUES, "staged"),
        Run(ISSUES, "1 high-water mark confirmed"),
        Run(ISSUES, "Story Points", -2),
        Run(ISSUES, "Story Points", -2),
        Run(ISSUES, "SALES", -2),
        Run("load_jira_issue_keys", "columns registered"),
        Run("load_jira_issue_keys", "2 rows"),
    ],
    "notion": [
        Run(PAGES, "columns registered"),
        Run(PAGES, "1 row"),
        Run(PAGES, "staged"),
        Run(PAGES, "1 high-water mark confirmed"),
        Run(PAGES, "columns registered"),
        Run(PAGES, "1 row"),
        Run(PAGES, "columns registered"),
    ],
}


@pytest.mark.parametrize("connector", RUNS)
def test_the_code_of_a_readme_runs(clean_red: RedServer, tmp_path: Path, connector: str) -> None:
    readme = (CONNECTORS / connector / "README.md").read_text(encoding="utf-8")
    clean_red.write_parameter("mask_key", MASK_KEY)
    script = tmp_path / "script.py"
    with SITES[connector](clean_red, tmp_path / "site") as source:
        this_run = clean_red.start_task(connector, "Nightly")
        for block, expected in zip(BLOCK.findall(readme), RUNS[connector], strict=True):
            code = with_import(textwrap.dedent(block))
            if not registered(clean_red, expected.table):
                clean_red.register_load_table(expected.table)
            if "create_metadata" not in code and not clean_red.registered_columns(expected.table):
                metadata = HOST_SCRIPTS / f"{connector}_create_metadata.py"
                clean_red.run_host_script(metadata, expected.table, source_config=source)
            if not clean_red.table_columns(expected.table) and clean_red.registered_columns(expected.table):
                clean_red.create_table(expected.table)
            script.write_text(code, encoding="utf-8")
            result = clean_red.run_host_script(script, expected.table, source_config=source, environment=this_run)
            assert (block, result.status) == (block, expected.status), result
            assert expected.says in result.message, (block, result)


def test_every_readme_with_code_is_run() -> None:
    found = {path.parent.name for path in CONNECTORS.glob("*/README.md") if BLOCK.search(path.read_text("utf-8"))}
    assert found == {*RUNS}


def with_import(code: str) -> str:
    """Return a block with the import that its host script begins with, where it is the call alone."""
    call = re.match(r"(\w+)\(", code)
    return code if call is None else (HOST_SCRIPTS / f"{call[1]}.py").read_text("utf-8").splitlines()[0] + "\n" + code
