"""The pages of docs/: their code runs, and the messages that they quote are those that appear.

Blocks of PowerShell cannot run here; they are compared with the Linux commands that do.
"""

import configparser
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.gitlab_repository import make_repository
from tests.test_readme import ItemsApi
from wherescape import Column, Table, WhereScape
from wherescape.connectors.gitlab.gitlab_create_metadata import gitlab_create_metadata
from wherescape.connectors.gitlab.gitlab_load_data import gitlab_load_data
from wherescape.errors import WhereScapeError
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.red_server import RedServer
from wherescape.testing.api_server import Answer

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [body for found, body in BLOCK.findall(text) if found == language]


def fits(quoted: str, actual: str) -> bool:
    """Tell whether a message is the quoted one, in which `…` stands for anything."""
    pattern = ".+?".join(map(re.escape, quoted.strip().split("…")))
    return bool(re.fullmatch(pattern, actual.strip(), re.DOTALL))


# ---------------------------------------------------------------------------------------------------------------- jobs


@pytest.fixture
def items() -> Iterator[dict[str, str]]:
    """The connection to an API of items."""
    with ThreadingHTTPServer(("127.0.0.1", 0), ItemsApi) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield {"url": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()


def test_the_job_loses_nothing_and_loads_in_full_on_demand(
    clean_red: RedServer, tmp_path: Path, items: dict[str, str]
) -> None:
    table, mark = "load_item", "HWM_load_item"
    metadata, load, confirm, reload = blocks("jobs.md", "python")
    ended, confirmed = blocks("jobs.md", "text")
    (merge,) = blocks("jobs.md", "sql")

    def run(script: str, this_run: dict[str, str]) -> str:
        path = tmp_path / "script.py"
        path.write_text(script, encoding="utf-8")
        result = clean_red.run_host_script(path, table, source_config=items, environment=this_run)
        assert result.status == 1, result
        return result.message

    def loaded() -> int:
        return int(clean_red.query_warehouse(f"SELECT count(*) FROM load.{table}")[0][0])

    def merged() -> list[tuple[Any, ...]]:
        clean_red.query_warehouse(merge)
        return [tuple(row) for row in clean_red.query_warehouse("SELECT * FROM stage.item ORDER BY id")]

    first, second, third = (clean_red.start_task(table, "Nightly") for _ in range(3))
    clean_red.register_load_table(table)
    run(metadata, first)
    clean_red.create_table(table)
    clean_red.query_warehouse("CREATE TABLE stage.item (id bigint PRIMARY KEY, title text, updated_at timestamp)")

    # The first run ends with a failure of a procedure, so that nothing confirms its mark.
    assert fits(ended, run(load, first))
    assert (clean_red.read_parameter(mark), loaded()) == (None, 3)
    assert fits(ended, run(load, second))
    assert loaded() == 3
    rows = merged()
    assert (len(rows), merged()) == (3, rows)
    assert fits(confirmed, run(confirm, second))
    assert clean_red.read_parameter(mark) == "2026-01-05T12:00:00+00:00"

    run(reload, third)
    run(load, third)
    assert (loaded(), merged()) == (3, rows)


# -------------------------------------------------------------------------------------------------------- installation


def test_the_first_check_reaches_both_databases(clean_red: RedServer, tmp_path: Path) -> None:
    (script,) = blocks("installation.md", "python")
    (message,) = blocks("installation.md", "text")
    path = tmp_path / "check.py"
    path.write_text(script, encoding="utf-8")
    result = clean_red.run_host_script(path, "load_item")
    assert result.status == 1 and fits(message, result.message), result


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps data sources in its registry")
def test_the_data_source_is_one(red: RedServer, tmp_path: Path) -> None:
    """The page's, with the address of the stand-in's warehouse."""
    sources = configparser.ConfigParser()
    sources.optionxform = str  # type: ignore[assignment, method-assign]
    sources.read_string(blocks("installation.md", "ini")[0])
    address = dict(part.split("=", 1) for part in red.target_connection_string.rstrip(";").split(";"))
    assert {*sources["warehouse"]} >= {"Driver", "Servername", "Port", "Database"}
    sources["warehouse"].update({name: address[name] for name in ("Servername", "Port")})
    with (tmp_path / "odbc.ini").open("w", encoding="utf-8") as file:
        sources.write(file)
    path = tmp_path / "check.py"
    path.write_text(blocks("installation.md", "python")[0], encoding="utf-8")
    variables = {"ODBCINI": str(tmp_path / "odbc.ini"), "WSL_TGT_DSN": "warehouse"}
    result = red.run_host_script(path, "load_item", environment=variables)
    assert result.status == 1, result


def test_the_commands_for_windows_are_those_that_run_on_linux() -> None:
    """Each line, so far as the two systems do not call programs by other names; it is not run."""
    (windows,) = blocks("installation.md", "powershell")
    in_linux = (
        windows.replace("py -3.12", "python3")
        .replace(r"C:\wherescape\venv\Scripts\python.exe", "venv/bin/python")
        .replace(r"C:\wherescape\venv", "venv")
    )
    assert in_linux in blocks("installation.md", "sh")


# ---------------------------------------------------------------------------------------------------- trouble-shooting

ITEMS = Table(
    "item",
    (Column("id", "bigint"), Column("changed_at", "timestamp")),
    ("id",),
    "items",
    mark_column="changed_at",
)
COMMITS = "load_gitlab_commit"


class Trouble:
    """A server, a table and an API on which each of the page's messages is brought about."""

    def __init__(self, red: RedServer, gitlab: GitLabServer) -> None:
        self.red = red
        self.gitlab = gitlab

    def attached(self, table: str = "load_item", **variables: str) -> WhereScape:
        source = {"url": variables.pop("url", self.gitlab.url), "apikey": variables.pop("apikey", self.gitlab.token)}
        return WhereScape(self.red.environment(table, source_config=source) | variables)

    def load(self, *ids: object, staged: bool = False, **variables: str) -> None:
        wherescape = self.attached(**variables)
        try:
            mark = wherescape.high_water_mark() if staged else None
            wherescape.load(ITEMS, [{"id": each} for each in ids], mark=mark)
        finally:
            wherescape.close()

    def load_from(self, mark: str) -> None:
        self.red.write_parameter("HWM_load_item", mark)
        self.load(1, staged=True)

    def load_commits(
        self, table: str = COMMITS, fault: Answer | None = None, retries: int = 0, **variables: str
    ) -> None:
        if fault:
            self.gitlab.fail_next(fault, path="projects")
        wherescape = self.attached(table, **variables)
        try:
            gitlab_load_data(wherescape=wherescape, max_retries=retries)
        finally:
            wherescape.close()

    def run(self, script: str, **variables: str) -> str:
        path = self.red.workdir / "script.py"
        path.write_text(script, encoding="utf-8")
        result = self.red.run_host_script(path, environment=variables)
        return f"{result.status} {result.message}"

    def without_library(self) -> str:
        done = subprocess.run(
            [sys.executable, "-S", "-c", "import wherescape"],
            cwd=self.red.workdir,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
        )
        return done.stderr.splitlines()[-1]

    def without_click(self) -> str:
        script = "import sys; sys.modules['click'] = None; from wherescape.cli import main; main()"
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr


HTML = Answer(200, "<html>Sign in</html>", {"Content-Type": "text/html"})
LATER = Answer(429, "Retry later", {"Retry-After": "86400"})
TERMINATED = "import os, signal, wherescape; os.kill(os.getpid(), signal.SIGTERM)"

# By the first words of each message; what brings it about returns it, raises it or logs it as a warning.
TROUBLES: dict[str, Callable[[Trouble], object]] = {
    "-3 Invalid return code": lambda on: on.run("print('hello')"),
    "ModuleNotFoundError": lambda on: on.without_library(),
    "-3 Terminated": lambda on: on.run(TERMINATED),
    "-2 The variable WSL_TGT_DSN": lambda on: on.load(1, WSL_TGT_DSN=""),
    "-2 No connection to the target database. Check WSL_TGT_DSN": lambda on: on.load(1, WSL_TGT_DSN="warehouse"),
    "-2 No connection to the target database. Check WSL_TGT_USER": lambda on: on.load(1, WSL_TGT_PWD="x1y2z3"),
    "-2 No connection to the repository": lambda on: on.load(1, staged=True, WSL_META_PWD="x1y2z3"),
    "-2 The target database refused": lambda on: on.load(1, WSL_LOAD_FULLNAME="load.load_gone"),
    "-2 RED's repository has no": lambda on: on.attached("load_gone").create_metadata(ITEMS),
    "-2 WSL_SRCCFG_URL": lambda on: on.load_commits(url=""),
    "-2 There is no access token": lambda on: on.load_commits(apikey=""),
    "-2 … answered 401": lambda on: on.load_commits(apikey="glpat-revoked"),
    "-2 … could not be reached": lambda on: on.load_commits(url="http://127.0.0.1:9"),
    "-2 … answered 200": lambda on: on.load_commits(fault=HTML),
    "-2 The API answered 429": lambda on: on.load_commits(fault=LATER, retries=1),
    "-2 The name of load table": lambda on: on.load_commits("load_gitlab_wiki"),
    "-1 … of … rows do not fit": lambda on: on.load(1, "x"),
    "-2 More than 100": lambda on: on.load(*["x"] * 200),
    "-1 No record has": lambda on: on.load(1),
    "-1 The high-water mark HWM_… stays": lambda on: on.load(1, staged=True),
    "-1 The high-water mark HWM_… is 2999": lambda on: on.load_from("2999-01-01T00:00:00+00:00"),
    "-2 This RED repository": lambda on: on.attached().job_clear_logs_by_date(),
    "-1 No log file": lambda on: on.run("import wherescape", WSL_WORKDIR=str(on.red.workdir / "gone")),
    "The wherescape command": lambda on: on.without_click(),
}
QUOTED = blocks("trouble_shooting.md", "text")


@pytest.fixture(scope="module")
def trouble(red: RedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trouble]:
    red.reset()
    with GitLabServer(make_repository(tmp_path_factory.mktemp("git") / "lamp")) as gitlab:
        trouble = Trouble(red, gitlab)
        for table in ("load_item", COMMITS):
            red.register_load_table(table)
            wherescape = trouble.attached(table)
            wherescape.create_metadata(ITEMS) if table == "load_item" else gitlab_create_metadata(wherescape)
            wherescape.close()
            red.create_table(table)
        yield trouble


@pytest.mark.parametrize("quoted", QUOTED, ids=lambda quoted: quoted[:40].strip())
def test_a_message_appears_as_it_is_quoted(trouble: Trouble, quoted: str, caplog: pytest.LogCaptureFixture) -> None:
    (cause,) = [cause for start, cause in TROUBLES.items() if quoted.startswith(start)]
    try:
        told = [str(cause(trouble))]
    except WhereScapeError as error:
        told = [f"-2 {error}"]
    told += [f"-1 {record.getMessage()}" for record in caplog.records if record.levelno == logging.WARNING]
    assert any(fits(quoted, each) for each in told), told


def test_each_trouble_is_quoted_once() -> None:
    starts = [[start for start in TROUBLES if quoted.startswith(start)] for quoted in QUOTED]
    assert sorted(start for found in starts for start in found) == sorted(TROUBLES)


# ----------------------------------------------------------------------------------------------------------- all pages


def test_no_block_is_left_out() -> None:
    """What the tests here, and of the wheel, do not run or compare."""
    languages = {
        page.name: {language for language, _ in BLOCK.findall(page.read_text(encoding="utf-8"))}
        for page in DOCS.glob("*.md")
    }
    assert languages == {
        "installation.md": {"ini", "sh", "powershell", "python", "text"},
        "jobs.md": {"python", "sql", "text"},
        "trouble_shooting.md": {"text"},
    }


def test_links_lead_somewhere() -> None:
    for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md", DOCS.parent / "host_scripts" / "README.md"):
        for target in re.findall(r"\]\(([^)#:]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert target in ("http", "https") or (page.parent / target).exists(), f"{page.name}: {target}"
