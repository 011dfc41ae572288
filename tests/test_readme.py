"""The README: its code runs, its output is what the demo prints, its table names every member.

    python -m tests.test_readme

writes the demo's output into it anew.
"""

import json
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from wherescape import WhereScape
from wherescape.repository import FACT_TABLES
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.red_server import RedServer

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DEMO = re.compile(r"(<!-- demo -->\n```\n)(.*?)(```\n<!-- end of demo -->)", re.DOTALL)


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def demo_output() -> str:
    command = Path(sys.executable).with_name("wherescape")
    done = subprocess.run([command, "demo"], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True)
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    # Paths of one machine say nothing to a reader.
    text = re.sub(r"(?<=Serving )\S+", "/home/you/wherescape", "\n".join(lines) + "\n")
    text = re.sub(r"(?<=with: )\S+psql '[^']*'", "psql 'host=/tmp/... dbname=warehouse user=warehouse ...'", text)
    return re.sub(r"/tmp/wherescape-sandbox-\w+", "/tmp/wherescape-sandbox-x1y2z3", text)


def shape(output: str) -> list[str]:
    """The output without what the repository's history and the clock change."""
    before, _, after = output.partition("Five rows of")
    sample, _, end = after.partition("Log file")
    lines = (re.sub(r"\d[\d,.:TZ-]*", "0", line).replace("rows", "row") for line in before.splitlines())
    columns = sample.splitlines()[2].split()
    return (
        [" ".join(re.sub("─+", "-", line).split()) for line in lines]
        + columns
        + [line.split()[0] for line in end.splitlines()]
    )


def test_the_output_of_the_demo_is_what_it_prints() -> None:
    shown = DEMO.search(README.read_text(encoding="utf-8"))
    assert shown
    assert shape(shown[2]) == shape(demo_output())


def test_the_first_host_script_loads_its_table(clean_red: RedServer, tmp_path: Path) -> None:
    load = python_blocks()[0]
    metadata = load.replace("load_data", "create_metadata")
    with GitLabServer(ROOT) as gitlab:
        source = {"url": gitlab.url, "apikey": gitlab.token}
        result = run_both(clean_red, tmp_path, "load_gitlab_commit", metadata, load, source)
    assert result == 1


def test_the_own_table_loads_as_it_says(clean_red: RedServer, tmp_path: Path) -> None:
    load = python_blocks()[1]
    assert run_both(clean_red, tmp_path, "load_country", as_metadata_script(load), load) == 1
    assert [tuple(row) for row in clean_red.query_warehouse("SELECT code, population FROM load.load_country")] == [
        ("NL", 17_900_000)
    ]


def test_the_stand_in_server_runs_it_as_it_says(tmp_path: Path) -> None:
    _, load, _, sandbox, _ = python_blocks()
    (tmp_path / "create_metadata.py").write_text(as_metadata_script(load))
    (tmp_path / "load_data.py").write_text(load)
    (tmp_path / "run.py").write_text(sandbox)
    done = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True)
    assert re.fullmatch(r"1 1 row, \d\.\d s\n\[\('NL', 17900000\)\]\n", done.stdout), done.stderr


class ItemsApi(BaseHTTPRequestHandler):
    """An API of three items, two a page, that takes `updated_after`."""

    items: ClassVar = [
        {"id": str(number), "title": f"Item {number}", "updated_at": f"2026-01-05T1{number}:00:00Z"}
        for number in range(3)
    ]

    def do_GET(self) -> None:  # noqa: N802
        query = dict(parse_qsl(urlsplit(self.path).query))
        since, page = query.get("updated_after", ""), int(query.get("page", 0))
        found = [item for item in self.items if item["updated_at"] >= since.replace("+00:00", "Z")]
        body = json.dumps(found[2 * page : 2 * page + 2]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if len(found) > 2 * page + 2:
            more = urlencode({**query, "page": page + 1})
            self.send_header("Link", f'</items?{more}>; rel="next"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


def test_the_incremental_load_loads_what_is_new(clean_red: RedServer, tmp_path: Path) -> None:
    load = python_blocks()[2]
    declaration = load.partition("wherescape = WhereScape()")[0]
    metadata = f"{declaration}WhereScape().create_metadata(ITEMS)\n"
    with ThreadingHTTPServer(("127.0.0.1", 0), ItemsApi) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        source = {"url": f"http://127.0.0.1:{server.server_port}"}
        assert run_both(clean_red, tmp_path, "load_item", metadata, load, source) == 1
        assert clean_red.query_warehouse("SELECT count(*) FROM load.load_item")[0][0] == 3
        assert clean_red.read_parameter("HWM_load_item") == "2026-01-05T12:00:00+00:00"
        again = clean_red.run_host_script(tmp_path / "load_script.py", "load_item", source_config=source)
        server.shutdown()
    # An hour of lookback.
    assert (again.status, again.inserted) == (1, 2), again
    assert again.message.endswith("mark 2026-01-05T12:00Z -> 2026-01-05T12:00Z")


def test_the_check_of_the_warehouse_writes_its_files(clean_red: RedServer, tmp_path: Path) -> None:
    clean_red.register_warehouse_table(FACT_TABLES, "fact_sale", [("dim_item_key", "integer", "2")])
    clean_red.query_warehouse("CREATE TABLE star.fact_sale AS SELECT 0 AS dim_item_key")
    (tmp_path / "check.py").write_text(python_blocks()[4], encoding="utf-8")
    result = clean_red.run_host_script(tmp_path / "check.py", "load_any")
    assert result.status == -1, result
    assert len([*clean_red.workdir.glob("*_fact_dimension_check_result_??????.*")]) == 2


def test_the_example_of_an_own_table_loads(clean_red: RedServer, tmp_path: Path) -> None:
    load = (ROOT / "examples" / "load_own_table.py").read_text(encoding="utf-8")
    metadata = load.replace("wherescape.load(COUNTRIES, RECORDS)", "wherescape.create_metadata(COUNTRIES)")
    assert run_both(clean_red, tmp_path, "load_country", metadata, load) == 1
    assert clean_red.query_warehouse("SELECT count(*) FROM load.load_country")[0][0] == 3


def test_the_example_of_a_local_run_loads(clean_red: RedServer, tmp_path: Path) -> None:
    """The template filled in, as a user does: the script then reports as it does under RED."""
    with GitLabServer(ROOT) as gitlab:
        source = {"url": gitlab.url, "apikey": gitlab.token}
        metadata = "from wherescape.connectors.gitlab.gitlab_create_metadata import *\ngitlab_create_metadata()\n"
        run_both(clean_red, tmp_path, "load_gitlab_commit", metadata, "", source)
        template = (ROOT / "wherescape" / "ws_env_template.py").read_text(encoding="utf-8")
        filled = {
            **clean_red.environment("load_gitlab_commit", source_config=source),
            "WSL_WORKDIR": str(tmp_path / "work"),
        }
        for name in re.findall(r'"(WSL_\w+)":', template):
            value = filled.get(name) or next((v for k, v in filled.items() if k.upper() == name), "")
            line = f'"{name}": {value!r},'
            template = re.sub(rf'"{name}": .*', line.replace("\\", r"\\"), template)
        (tmp_path / "ws_env.py").write_text(template, encoding="utf-8")
        script = (ROOT / "examples" / "run_locally.py").read_text(encoding="utf-8")
        (tmp_path / "run_locally.py").write_text(script, encoding="utf-8")
        done = subprocess.run([sys.executable, "run_locally.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == "1", done.stdout + done.stderr
    assert re.match(r"\d+ rows, .* mark none -> ", done.stdout.splitlines()[1])


def test_the_example_of_a_connector_script_prints_commits() -> None:
    with GitLabServer(ROOT) as gitlab:
        done = subprocess.run(
            [sys.executable, ROOT / "examples" / "try_connector.py"],
            env={"GITLAB_URL": gitlab.url, "GITLAB_TOKEN": gitlab.token, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2


def test_every_public_member_is_named() -> None:
    table = README.read_text(encoding="utf-8").partition("`WhereScape()` gives you:")[2].partition("## ")[0]
    named = set(re.findall(r"`(\w+)", table))
    members = {name for name in dir(WhereScape) if not name.startswith("_")}
    assert members - named == {"close", "meta", "target", "source", "common_input_parameter_list"}


def as_metadata_script(load: str) -> str:
    *most, last = load.strip().splitlines()
    assert last.startswith("wherescape.load(COUNTRIES")
    return "\n".join([*most, "wherescape.create_metadata(COUNTRIES)"])


def run_both(
    red: RedServer, folder: Path, table: str, metadata: str, load: str, source: dict[str, str] | None = None
) -> int:
    """Register, create and load a table as a user does; returns the load's status."""
    red.register_load_table(table)
    (folder / "metadata_script.py").write_text(metadata, encoding="utf-8")
    (folder / "load_script.py").write_text(load, encoding="utf-8")
    result = red.run_host_script(folder / "metadata_script.py", table, source_config=source)
    assert result.status == 1, result
    red.create_table(table)
    result = red.run_host_script(folder / "load_script.py", table, source_config=source)
    return result.status


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(DEMO.sub(lambda match: match[1] + demo_output() + match[3], text), encoding="utf-8")
