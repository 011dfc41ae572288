"""The stand-in RED server starts empty, is reachable from this machine only, and leaves nothing behind."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyodbc
import pytest

from wherescape.errors import SandboxError
from wherescape.sandbox import RedServer

PRINT_FOLDER = "print(red.workdir.parent, flush=True)"


def run_python(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", f"from wherescape.sandbox import RedServer\n{program}"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )


def paste(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is printed for a person to paste."""
    return subprocess.run([*shlex.split(command), *arguments], capture_output=True, text=True, check=True)


def postgresql_of(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except OSError:
        return False
    # A process that has ended stays in the table until its parent has asked for its status.
    state = Path(f"/proc/{process_id}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_repository_and_warehouse_are_empty_after_the_start(clean_red: RedServer) -> None:
    assert clean_red.query_repository("SELECT count(*) FROM red.ws_load_tab")[0][0] == 0
    schemas = clean_red.query_warehouse("SELECT nspname FROM pg_namespace WHERE nspowner = to_regrole('warehouse')")
    assert sorted(row[0] for row in schemas) == ["load", "stage", "star"]


def test_a_reset_removes_what_was_written(clean_red: RedServer) -> None:
    clean_red.register_load_table("load_rest")
    clean_red.write_parameter("rest", "1")
    clean_red.query_warehouse("CREATE TABLE load.load_rest (a integer)")
    (clean_red.workdir / "rest").mkdir()
    (clean_red.workdir / "rest" / "file").touch()
    clean_red.reset()
    assert clean_red.query_repository("SELECT * FROM red.ws_load_tab") == []
    assert clean_red.read_parameter("rest") is None
    assert clean_red.query_warehouse("SELECT 1 FROM pg_tables WHERE tablename = 'load_rest'") == []
    assert list(clean_red.workdir.iterdir()) == []


def test_it_never_listens_beyond_loopback(red: RedServer) -> None:
    addresses = red.query_warehouse("SHOW listen_addresses")[0][0]
    assert addresses in ("", "127.0.0.1")


@pytest.mark.parametrize(
    ("user", "password"),
    [("red", "wrong"), ("red", ""), ("warehouse", "wrong"), ("postgres", ""), ("postgres", "postgres")],
)
def test_a_wrong_password_is_refused(red: RedServer, user: str, password: str) -> None:
    with pytest.raises(pyodbc.Error, match="password"):
        pyodbc.connect(red.meta_connection_string, UID=user, PWD=password)


def test_each_server_has_its_own_passwords_and_they_are_not_shown() -> None:
    first, second = RedServer(), RedServer()
    assert len({first.meta_password, first.target_password, second.meta_password, second.target_password}) == 4
    assert first.meta_password not in repr(first._postgresql.logins)


def test_a_refused_statement_is_named_with_its_reason(red: RedServer) -> None:
    with pytest.raises(SandboxError, match=r"SELECT \* FROM load.nothing.*does not exist"):
        red.query_warehouse("SELECT * FROM load.nothing")


def test_a_refusal_of_a_later_statement_is_not_overlooked(red: RedServer) -> None:
    with pytest.raises(SandboxError, match="does not exist"):
        red.query_warehouse("SELECT 1; SELECT * FROM load.nothing")


def test_two_servers_run_side_by_side(red: RedServer) -> None:
    with RedServer() as other:
        other.write_parameter("which", "other")
        red.write_parameter("which", "first")
        assert (red.read_parameter("which"), other.read_parameter("which")) == ("first", "other")
    assert red.read_parameter("which") == "first"


@pytest.mark.parametrize("ending", [None, ValueError, KeyboardInterrupt])
def test_server_and_folder_are_gone_after_the_block(ending: type[BaseException] | None) -> None:
    try:
        with RedServer() as red:
            folder = red.workdir.parent
            postgresql = postgresql_of(folder)
            assert is_running(postgresql)
            if ending:
                raise ending
    except (ValueError, KeyboardInterrupt):
        pass
    assert not folder.exists()
    assert not is_running(postgresql)


def test_a_server_that_is_not_stopped_ends_with_its_process() -> None:
    child = run_python(f"red = RedServer(); red.start(); {PRINT_FOLDER}")
    assert child.stderr == ""
    assert not Path(child.stdout.strip()).exists()


def test_what_a_killed_process_left_behind_is_removed_by_the_next_start() -> None:
    child = run_python(f"import os; red = RedServer(); red.start(); {PRINT_FOLDER}; os._exit(1)")
    folder = Path(child.stdout.strip())
    postgresql = postgresql_of(folder)
    assert is_running(postgresql)
    with RedServer():
        assert not folder.exists()
        assert not is_running(postgresql)


def test_a_kept_server_outlives_its_process_and_its_stop_command_removes_it() -> None:
    program = (
        "with RedServer(keep=True) as red:\n"
        "    print(red.workdir.parent, red.stop_command(), red.psql_command(), sep='\\n')"
    )
    folder_line, stop_command, psql_command = run_python(program).stdout.splitlines()
    folder = Path(folder_line)
    postgresql = postgresql_of(folder)
    with RedServer():  # removes what is left behind, which this is not
        pass
    assert paste(psql_command, "-Atc", "SELECT current_database()").stdout == "warehouse\n"
    paste(stop_command)
    assert not folder.exists()
    assert not is_running(postgresql)


def test_stopping_twice_says_that_there_is_nothing_to_stop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wherescape.sandbox", "stop", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "is not the folder of a running sandbox" in done.stderr
    assert tmp_path.exists()


@pytest.mark.parametrize("database", ["warehouse", "red_repository"])
def test_the_psql_command_opens_the_database_and_shows_no_password(red: RedServer, database: str) -> None:
    command = red.psql_command(database)
    assert red.target_password not in command and red.meta_password not in command
    assert paste(command, "-Atc", "SELECT current_database()").stdout == f"{database}\n"


def test_a_folder_of_ones_own_stays(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with spaces" / ("long" * 40)
    with RedServer(folder) as red:
        (red.workdir / "kept.txt").write_text("kept")
        assert red.query_warehouse("SELECT 1")[0][0] == 1
    assert (folder / "workdir" / "kept.txt").read_text() == "kept"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sockets with a path")
@pytest.mark.parametrize("name", ["long" * 40, "with a blank"])
def test_any_temporary_folder_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    child = run_python("with RedServer() as red: print(red.query_warehouse('SELECT 1'))", TMPDIR=str(folder))
    assert (child.stdout, child.stderr) == ("[(1,)]\n", "")
    assert [entry for entry in folder.iterdir() if entry.is_dir()] == []


@pytest.mark.parametrize("variables", [{"LC_ALL": "xx_YY.UTF-8"}, {"LC_ALL": "", "LANG": "xx_YY.UTF-8"}])
def test_a_locale_that_is_not_installed_is_no_problem(variables: dict[str, str]) -> None:
    child = run_python("with RedServer() as red: print(red.query_warehouse('SELECT upper(chr(233))'))", **variables)
    assert ascii("É")[1:-1] in ascii(child.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows registers its drivers elsewhere")
def test_a_missing_odbc_driver_is_explained(tmp_path: Path) -> None:
    program = "with RedServer() as red: pass"
    child = run_python(program, ODBCSYSINI=str(tmp_path), ODBCINSTINI="odbcinst.ini")
    assert "apt-get install unixodbc odbc-postgresql" in child.stderr


def test_the_environment_of_a_load_table_is_red_s(red: RedServer) -> None:
    environment = red.environment("load_x", source_config={"url": "https://x", "apikey": "k"})
    assert environment["WSL_META_SCHEMA"] == "red."
    assert environment["WSL_LOAD_SCHEMA"] == "load"
    assert environment["WSL_LOAD_FULLNAME"] == "load.load_x"
    assert (environment["WSL_JOB_KEY"], environment["WSL_JOB_NAME"]) == ("0", "Develop")
    assert environment["WSL_WORKDIR"] == f"{red.workdir}{os.sep}"
    assert (environment["WSL_SRCCFG_url"], environment["WSL_SRCCFG_apikey"]) == ("https://x", "k")
    for side in ("META", "TGT"):
        connection = pyodbc.connect(
            environment[f"WSL_{side}_DSN"], UID=environment[f"WSL_{side}_USER"], PWD=environment[f"WSL_{side}_PWD"]
        )
        connection.close()


def test_without_a_table_its_variables_are_there_but_empty(red: RedServer) -> None:
    environment = red.environment()
    assert environment.keys() == red.environment("load_x").keys()
    filled = {name for name, value in environment.items() if value and not name.startswith("WSL_META_")}
    assert filled == {
        *("WSL_WORKDIR", "WSL_SEQUENCE", "WSL_JOB_KEY", "WSL_JOB_NAME", "WSL_TASK_KEY"),
        *("WSL_TGT_DSN_ARCH", "WSL_SRC_DSN_ARCH"),
    }


def test_a_variable_of_the_environment_can_be_replaced(red: RedServer) -> None:
    assert red.environment("load_x", WSL_META_PWD="wrong")["WSL_META_PWD"] == "wrong"


CHANGES = {
    "rows": "INSERT INTO red.dss_parameter VALUES ('A', 'b'); DELETE FROM red.ws_script_language",
    "a column": "ALTER TABLE red.ws_meta ADD added integer",
    "a column's default": "ALTER TABLE red.ws_meta ALTER meta_flags SET DEFAULT 'x'",
    "a table": "DROP TABLE red.ws_meta",
    "another table": "CREATE TABLE red.added (a integer)",
    "a constraint": "ALTER TABLE red.ws_meta ADD CHECK (meta_flags <> 'x')",
    "a routine": "DROP FUNCTION red.WsParameterReadF(varchar)",
    "a right": "REVOKE ALL ON red.dss_parameter FROM red",
    "a right on a routine": "REVOKE ALL ON FUNCTION red.WsParameterReadF(varchar) FROM red, PUBLIC",
    "a right on the schema": "REVOKE ALL ON SCHEMA red FROM red",
    "a trigger": """
        CREATE FUNCTION red.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
        CREATE TRIGGER refusing BEFORE INSERT ON red.ws_meta FOR EACH ROW EXECUTE FUNCTION red.refuse()""",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_reset_undoes_whatever_was_changed(clean_red: RedServer, change: str) -> None:
    before = _dump(clean_red)
    clean_red.query_repository(CHANGES[change])
    clean_red.reset()
    assert _dump(clean_red) == before
    # Keys begin where they began.
    assert clean_red.register_load_table("load_one") == _next_key(before)


def _dump(red: RedServer) -> dict[str, list[str]]:
    """The repository: its rows, columns, constraints, routines, triggers and rights, without its times."""
    names = [row[0] for row in red.query_repository("SELECT tablename::text FROM pg_tables WHERE schemaname = 'red'")]
    found = {
        name: [
            re.sub(r"datetime\(.*?\)", "now", str(tuple(row)))
            for row in red.query_repository(f'SELECT * FROM red."{name}" ORDER BY 1')
        ]
        for name in names
    }
    for name, sql in {
        "columns": "SELECT attrelid::regclass::text, attname::text, atttypid, attnotnull, pg_get_expr(adbin, adrelid)"
        " FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'red'::regnamespace) AND attnum > 0",
        "constraints": "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'red'::regnamespace",
        "routines": "SELECT oid::regprocedure::text, proacl::text FROM pg_proc"
        " WHERE pronamespace = 'red'::regnamespace",
        "triggers": "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal",
        "rights": "SELECT relname::text, relacl::text FROM pg_class WHERE relnamespace = 'red'::regnamespace"
        " UNION ALL SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname = 'red'",
    }.items():
        found[name] = sorted(str(tuple(row)) for row in red.query_repository(sql))
    return found


def _next_key(dump: dict[str, list[str]]) -> int:
    return max(int(re.findall(r"\d+", row)[0]) for row in dump["ws_obj_object"]) + 1
