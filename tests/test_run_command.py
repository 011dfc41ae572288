"""The command run: a host script as RED runs it, on a stand-in server that stays up, or in a true environment."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from wherescape.cli.main import commands
from wherescape.sandbox import RedServer

SCRIPT = """\
import sys
from wherescape import Column, Table, WhereScape

TABLE = Table("country", (Column("code", "text"), Column("population", "bigint")), ("code",), "countries, by hand")
wherescape = WhereScape()
"""
METADATA = f"{SCRIPT}wherescape.create_metadata(TABLE)\n"
LOAD = f'{SCRIPT}wherescape.load(TABLE, [{{"code": "NL", "population": 17_900_000}}])\n'
TABLE = "load_country"
WS_ENV = """\
import os

ENVIRONMENTS = {{"dev1": {settings!r}}}


def setup_env(table_name, schema="load", environment="dev1"):
    os.environ.update(ENVIRONMENTS[environment])
    os.environ.update(WSL_LOAD_TABLE=table_name, WSL_LOAD_SCHEMA=schema)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    write_scripts(tmp_path)
    yield tmp_path
    wherescape(tmp_path, "stop-server")


def write_scripts(folder: Path) -> None:
    for name, text in {"create_metadata": METADATA, "load_data": LOAD}.items():
        (folder / f"{name}.py").write_text(text, "utf-8")


def wherescape(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("wherescape")), *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, encoding="utf-8"
    )


def run(folder: Path, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return wherescape(folder, "run", script, "--table", TABLE, *arguments, **variables)


def test_the_stand_in_server_has_load_tables_in_one_schema_alone(tmp_path: Path) -> None:
    script = tmp_path / "load_data.py"
    script.write_text(LOAD, encoding="utf-8")
    done = CliRunner().invoke(commands, ["run", str(script), "--table", TABLE, "--schema", "stage"])
    assert done.exit_code == 2 and "--schema is for --ws-env" in done.output


def test_the_stand_in_server_stays_up_from_one_run_to_the_next(folder: Path) -> None:
    early = run(folder, "load_data.py")
    assert early.returncode == 1
    assert "Starting a stand-in RED server" in early.stdout
    assert "status   -2  error: RED holds the tasks that depend on it." in early.stdout

    metadata = run(folder, "create_metadata.py")
    assert metadata.returncode == 0, metadata.stdout
    assert "Starting" not in metadata.stdout
    assert "load.load_country is created with 4 columns." in metadata.stdout

    load = run(folder, "load_data.py")
    assert "status   1  success: RED goes on with the tasks behind it.\nmessage  1 row, " in load.stdout
    assert "load.load_country holds 1 row. Some of them:" in load.stdout
    assert "17900000" in load.stdout
    assert "1 load table: 1 loaded." in wherescape(folder, "status").stdout
    assert "HWM_load_country: none, so that" in wherescape(folder, "mark", TABLE).stdout

    more = METADATA.replace('Column("population", "bigint")', 'Column("capital", "text")')
    (folder / "create_metadata.py").write_text(more, "utf-8")
    assert "is created with" in run(folder, "create_metadata.py").stdout

    assert "is stopped" in wherescape(folder, "stop-server").stdout
    again = wherescape(folder, "stop-server")
    assert (again.returncode, again.stderr) == (1, f"Error: No stand-in server was started from {folder}.\n")
    assert not (folder / ".wherescape" / "server.json").exists()


def test_two_runs_at_once_share_one_server(folder: Path) -> None:
    command = [str(Path(sys.executable).with_name("wherescape")), "run", "create_metadata.py", "--table", TABLE]
    both = [subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [one.communicate()[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], outputs
    assert sum("Starting a stand-in RED server" in output for output in outputs) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", ""], "--table is empty"),
        (["--table", TABLE, "--schema", "other"], "The stand-in server has its load tables in load"),
    ],
)
def test_what_the_stand_in_server_does_not_have_is_told(folder: Path, arguments: list[str], message: str) -> None:
    done = wherescape(folder, "run", "load_data.py", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (folder / ".wherescape").exists()


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    (folder / ".wherescape").write_text("in the way", "utf-8")
    done = run(folder, "load_data.py")
    assert done.returncode == 1
    assert "for the stand-in server, cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_was_stopped_comes_back_with_what_it_held_and_one_that_is_gone_is_replaced(folder: Path) -> None:
    run(folder, "create_metadata.py")
    red = RedServer(folder / ".wherescape", keep=True)
    assert red.attach()
    red.write_parameter("KEPT", "yes")
    red.stop_database()

    found = RedServer(folder / ".wherescape", keep=True)
    assert found.attach()
    assert found.read_parameter("KEPT") == "yes"
    assert "holds 1 row" in run(folder, "load_data.py").stdout

    subprocess.run(found.stop_command(), shell=sys.platform != "win32", check=True)
    assert "Starting a stand-in RED server" in run(folder, "create_metadata.py").stdout


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        (
            'print("Hello")\n',
            'status   -3  fatal error: RED holds the tasks that depend on it.\nmessage  Invalid return code "Hello".',
        ),
        (f'{SCRIPT}print("lost")\nsys.exit(3)\n', "status   -2  error: RED holds the tasks that depend on it.\n"),
        (
            f'{SCRIPT}import logging\nlogging.getLogger("mine").warning("look here")\n',
            "status   -1  success with warnings: RED goes on with the tasks behind it; read what it warns of.\n",
        ),
    ],
    ids=["no status", "exit", "warning"],
)
def test_the_status_line_is_explained(red_folder: Path, script: str, lines: str) -> None:
    (red_folder / "script.py").write_text(script, "utf-8")
    done = run(red_folder, "script.py")
    assert lines in done.stdout, done.stdout


@pytest.fixture(scope="module")
def red_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("statuses")
    yield folder
    wherescape(folder, "stop-server")


def test_what_the_connection_tells_and_the_own_folder_reach_the_script(red_folder: Path) -> None:
    (red_folder / "ours.py").write_text("NAME = 'ours'\n", "utf-8")
    told = "f'{ours.NAME} {wherescape.source_base_url} $WSL_SRCCFG_REGION$'"
    (red_folder / "script.py").write_text(f"{SCRIPT}import ours\nwherescape.main_message = {told}\n", "utf-8")
    done = run(red_folder, "script.py", "--url", "https://a.example", WSL_SRCCFG_REGION="north", WSL_SRCCFG_URL="x")
    assert "message  ours https://a.example north\n" in done.stdout, done.stdout


def test_a_true_environment_is_taken_from_ws_env(clean_red: RedServer, folder: Path) -> None:
    clean_red.register_load_table(TABLE)
    settings = clean_red.environment()
    settings |= {name: value for name, value in clean_red.environment(TABLE).items() if name.startswith("WSL_TGT")}
    (folder / "ws_env.py").write_text(WS_ENV.format(settings=settings), "utf-8")

    assert "columns registered" in run(folder, "create_metadata.py", "--ws-env", "ws_env.py").stdout
    clean_red.create_table(TABLE)
    for _ in range(2):
        done = run(folder, "load_data.py", "--ws-env", "ws_env.py")
        assert done.returncode == 0, done.stdout + done.stderr
    assert clean_red.query_warehouse(f"SELECT count(*) FROM load.{TABLE}")[0][0] == 2
    run(folder, "load_data.py", "--ws-env", "ws_env.py", "--truncate")
    assert clean_red.query_warehouse(f"SELECT count(*) FROM load.{TABLE}")[0][0] == 1
    assert not (folder / ".wherescape").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="There is no signal of a keyboard to send.")
def test_a_run_that_is_interrupted_has_failed(folder: Path) -> None:
    import signal

    begun = folder / "begun"
    os.mkfifo(begun)
    (folder / "waits.py").write_text(f"import time\nopen({str(begun)!r}, 'w').close()\ntime.sleep(600)\n", "utf-8")
    # Who runs the tests in the background may have it ignored.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heeding}; from wherescape.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "run", "waits.py", "--table", TABLE],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    begun.read_text()
    process.send_signal(signal.SIGINT)
    output = process.communicate()[0]
    assert process.returncode == 1
    assert "Aborted!" in output
    assert "1 load table: 1 failed." in wherescape(folder, "status").stdout


@pytest.mark.skipif(sys.platform == "win32", reason="There is no pseudo-terminal.")
def test_a_person_who_watches_sees_the_bar(red_folder: Path) -> None:
    import pty

    write_scripts(red_folder)
    run(red_folder, "create_metadata.py")
    terminal, theirs = pty.openpty()
    command = [str(Path(sys.executable).with_name("wherescape")), "run", "load_data.py", "--table", TABLE]
    done = subprocess.run(command, cwd=red_folder, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    seen = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert "status   1" in done.stdout, seen
    assert TABLE in seen


def test_a_ws_env_that_leaves_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ws_env.py").write_text("import sys\nsys.exit(0)\n", "utf-8")
    done = wherescape(tmp_path, "status", "--ws-env", "ws_env.py")
    assert done.returncode == 1
    assert "ws_env.py cannot be run: SystemExit" in done.stderr
