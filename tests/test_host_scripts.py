"""Every file of host_scripts/ runs as a task of RED, against its API on loopback, and does what it is for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from tests.gitlab_repository import make_repository
from tests.servers.anythingllm_server import AnythingLlmServer
from tests.servers.friday_pulse_server import FridayPulseServer
from tests.servers.hubspot_server import HubspotServer
from tests.servers.jira_server import JiraServer
from tests.servers.notion_server import NotionServer
from wherescape import WhereScape
from wherescape.errors import RoutineFailed
from wherescape.job_logs import job_clear_logs_by_date
from wherescape.repository import DATA_STORES, FACT_TABLES
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.red_server import RedServer

HOST_SCRIPTS = Path(__file__).parents[1] / "host_scripts"
CHATS, RESULTS, ISSUES, TASKS_OF_NOTION = (
    "load_anythingllm_chat",
    "load_friday_pulse_general_results",
    "load_jira_issue",
    "load_notion_task",
)
COMPANIES, MISSING = "load_hubspot_company", "load_hubspot_missing_column"


@dataclass(frozen=True)
class Task:
    """A host script as a task of a job.

    Arguments:
        script: the file's name without its ending.
        table: the load table that it is attached to.
        rows: how many it loads; None for a script that loads none. A table gets its columns by the first of its tasks.
        says: what the task's message begins with.
    """

    script: str
    table: str = ""
    rows: int | None = None
    says: str = ""


JOBS: Mapping[str, Sequence[Task]] = {
    "anythingllm": [
        Task("anythingllm_create_metadata", CHATS),
        Task("anythingllm_load_data", CHATS, 2),
        Task("anythingllm_load_data_chats", CHATS, 2),
    ],
    "friday_pulse": [
        Task("friday_pulse_create_metadata", RESULTS),
        Task("friday_pulse_load_data", RESULTS, 3),
    ],
    "gitlab": [
        Task("gitlab_create_metadata", "load_gitlab_commit"),
        Task("gitlab_next_high_water_mark", says="the job's loads of GitLab stage their marks from 2026-01-05T12:00Z"),
        Task("gitlab_load_data", "load_gitlab_commit", 3),
        Task("confirm_high_water_marks", says="2 high-water marks confirmed"),
        Task("gitlab_update_high_water_mark", says="0 high-water marks confirmed"),
    ],
    "hubspot": [
        Task("hubspot_create_metadata", COMPANIES),
        Task("hubspot_collect_data", COMPANIES, 2),
        Task("hubspot_create_metadata", "load_hubspot_contact"),
        Task("hubspot_create_metadata_missing_columns", MISSING),
        # What is missing would be a warning.
        Task("hubspot_check_missing_columns", MISSING, 0, "0 rows"),
        Task("hubspot_update_company_association", says="1 of 1 tickets changed"),
        Task("hubspot_merge_double_tickets", says="1 of 1 tickets merged into 1"),
        Task("hubspot_load_data", "load_company", says="companies: 0 created, 1 updated, 0 unchanged, 0 refused"),
    ],
    "jira": [
        Task("jira_create_metadata", ISSUES),
        Task("jira_load_data", ISSUES, 2),
        Task("jira_create_metadata_issue", "load_tickets"),
        Task("jira_load_data_issue", "load_tickets", 2),
        # From the mark of the first load, less an overlap of ten minutes.
        Task("jira_load_data_issue_incremental", "load_tickets", 1),
        Task("jira_create_metadata_project", "load_plans"),
        Task("jira_load_data_project", "load_plans", 1),
    ],
    "notion": [
        Task("notion_create_metadata", TASKS_OF_NOTION),
        Task("notion_load_data", TASKS_OF_NOTION, 1),
        Task("notion_create_metadata_user", "load_people"),
        Task("notion_load_data_user", "load_people", 1),
    ],
    "checks": [
        Task("check_fact_dimension_join", "load_any", says="Facts without a dimension: 1 table to check"),
        Task("check_fact_dimension_size", "load_any", says="Sizes of facts and dimensions: 1 table to check"),
        Task("check_current_flag", "load_any", says="Business keys without exactly one current row: 1 table to check"),
        Task("check_freshness", "load_any", says="Age of the newest row: 2 tables to check"),
    ],
    "red": [
        Task("browse_api_connection", says='{"treeViewLayout": "Tabular"'),
        Task("job_clear_logs_by_date", says="0 job run(s) archived."),
        Task("job_clear_archive_by_date", says="0 job run(s)"),
    ],
}


@contextmanager
def anythingllm(red: RedServer, folder: Path) -> Iterator[dict[str, str]]:
    with AnythingLlmServer() as server:
        workspace = server.add_workspace()
        server.add_chat(workspace)
        embed = server.add_embed(workspace)
        server.add_embed_chat(embed)
        server.add_embed_chat(embed)
        yield {"url": server.url, "apikey": server.apikey}


@contextmanager
def friday_pulse(red: RedServer, folder: Path) -> Iterator[dict[str, str]]:
    with FridayPulseServer() as server:
        server.add_group("Sales", ["mia"])
        server.respond_to(server.add_survey("2026-01-09"), "mia", happiness=80, growth=75)
        yield {"url": server.url, "apikey": server.token}


@contextmanager
def gitlab(red: RedServer, folder: Path) -> Iterator[dict[str, str]]:
    with GitLabServer(make_repository(folder)) as server:
        server.now = datetime(2026, 1, 5, 12, 0, 1, tzinfo=UTC)
        yield {"url": server.url, "apikey": server.token}


@contextmanager
def hubspot(red: RedServer, folder: Path) -> Iterator[dict[str, str]]:
    with HubspotServer() as server:
        portal = server.portal
        for kind, name in (("tickets", "nerd_id"), ("tickets", "customer_number"), ("companies", "customer_number")):
            portal.define(kind, name)
        red.write_parameter("hubspot_access_token", portal.token)
        red.write_parameter("hubspot_environment", "production")
        company = portal.add("companies", customer_number="C1")
        portal.add("companies", customer_number="C2")
        portal.add("tickets", nerd_id="N1", customer_number="C1")
        portal.add("tickets", nerd_id="N1")
        server.now = server.clock.now = server.clock.moment() + timedelta(days=1)
        red.register_load_table("load_company", truncate=False)
        red.query_warehouse(f"CREATE TABLE load.load_company AS SELECT {company} AS id, 'New name' AS name")
        yield {"url": server.url}


@contextmanager
def jira(red: RedServer, folder: Path) -> Iterator[dict[str, str]]:
    with JiraServer() as server:
        server.now = datetime(2026, 1, 5, 12, tzinfo=UTC)
        server.add_issue("Lamp")
        server.pass_time(timedelta(hours=1))
        server.add_issue("Switch")
        yield {"url": server.url, "user": server.user_name, "apikey": server.apikey}


@contextmanager
def notion(red: RedServer, folder: Path) -> Iterator[dict[str, str]]:
    with NotionServer() as server:
        source = server.add_data_source({"Name": "title"})
        server.add_page(source, {"Name": "Paint"})
        server.add_user("Ann Lee", "ann@example.com")
        red.register_load_table(TASKS_OF_NOTION, file_name=source.id)
        yield {"url": server.url, "apikey": server.token}


@contextmanager
def checks(red: RedServer, folder: Path) -> Iterator[dict[str, str]]:
    columns = {
        "item_key": "1",
        "code": "'a'::text",
        "dss_current_flag": "'Y'::char",
        "dss_update_time": "localtimestamp",
    }
    key_types = {"item_key": "2", "code": "A"}
    for kind, name in ((FACT_TABLES, "fact_sale"), (DATA_STORES, "ds_item")):
        red.register_warehouse_table(kind, name, [(each, "text", key_types.get(each, "")) for each in columns])
        values = ", ".join(f"{value} AS {each}" for each, value in columns.items())
        red.query_warehouse(f"CREATE TABLE star.{name} AS SELECT {values}")
    yield {}
    assert len([*red.workdir.glob("*_result_*.csv")]) == len([*red.workdir.glob("*_result_*.html")]) == 4


@contextmanager
def red_9(red: RedServer, folder: Path) -> Iterator[dict[str, str]]:
    """What RED 8 and 9 have and RED 10 has not."""
    red.query_repository(files("wherescape.sandbox").joinpath("repository_red9.sql").read_text(encoding="utf-8"))
    yield {}


SITES = {
    "anythingllm": anythingllm,
    "friday_pulse": friday_pulse,
    "gitlab": gitlab,
    "hubspot": hubspot,
    "jira": jira,
    "notion": notion,
    "checks": checks,
    "red": red_9,
}


def test_every_host_script_is_a_task_of_a_job_below() -> None:
    tested = {task.script for tasks in JOBS.values() for task in tasks}
    assert tested == {path.stem for path in HOST_SCRIPTS.glob("*.py")}


@pytest.mark.parametrize("job", JOBS)
def test_the_host_scripts_of_a_job_succeed(clean_red: RedServer, tmp_path: Path, job: str) -> None:
    with SITES[job](clean_red, tmp_path / job) as source:
        # All tasks are of one run of the job, as the marks that one task stages and another confirms have to be.
        this_run = clean_red.start_task(job, "Nightly")
        for task in JOBS[job]:
            if "create_metadata" in task.script and not registered(clean_red, task.table):
                clean_red.register_load_table(task.table)
            result = clean_red.run_host_script(
                HOST_SCRIPTS / f"{task.script}.py", task.table, source_config=source, environment=this_run
            )
            assert (task, result.status) == (task, 1), result
            assert result.message.startswith(task.says), (task, result)
            if "create_metadata" in task.script:
                clean_red.create_table(task.table)
            if task.rows is not None:
                loaded = clean_red.query_warehouse(f"SELECT count(*) FROM load.{task.table}")[0][0]
                assert (task, loaded) == (task, task.rows), result


def test_logs_that_red_does_not_clear_are_an_error(clean_red: RedServer, tmp_path: Path) -> None:
    with red_9(clean_red, tmp_path):
        wherescape = WhereScape(clean_red.environment())
        with pytest.raises(RoutineFailed, match=r"did not clear its logs \(code E\): Day count -1 is negative"):
            job_clear_logs_by_date(-1, wherescape=wherescape)
        wherescape.close()


def registered(red: RedServer, table: str) -> bool:
    return bool(red.query_repository("SELECT 1 FROM red.ws_load_tab WHERE lt_table_name = ?", [table]))


def test_the_readme_lists_them_all() -> None:
    readme = (HOST_SCRIPTS / "README.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"\|---\|---\|---\|\n((?:\|.*\n)+)", readme)
    listed = [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(listed) == sorted(path.stem for path in HOST_SCRIPTS.glob("*.py"))


def test_the_check_of_the_language_says_what_the_readme_says(clean_red: RedServer, tmp_path: Path) -> None:
    readme = (HOST_SCRIPTS / "README.md").read_text(encoding="utf-8")
    check = re.search(r"one line `(.*)` must end with status (\d+) and the message\n`(.*)`", readme)
    assert check
    (tmp_path / "check.py").write_text(check[1], encoding="utf-8")
    result = clean_red.run_host_script(tmp_path / "check.py")
    assert (str(result.status), result.message) == (check[2], check[3])
