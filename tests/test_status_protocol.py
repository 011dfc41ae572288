"""Whatever way a host script ends, RED reads the right status from the first line of its stdout."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host_script import HostScript, host_script_in


@pytest.fixture
def host_script(tmp_path: Path) -> HostScript:
    return host_script_in(tmp_path)


LOGGER = "import logging, wherescape; logger = logging.getLogger('customers')\n"

ENDS = {
    "nothing logged": ("import wherescape", "1", "Completed without a message."),
    "info": (LOGGER + "logger.info('%d rows', 3)", "1", "3 rows"),
    "last info": (LOGGER + "logger.info('first'); logger.info('last')", "1", "last"),
    "debug": (LOGGER + "logger.debug('detail')", "1", "Completed without a message."),
    "warning": (LOGGER + "logger.warning('careful'); logger.info('done')", "-1", "careful"),
    "error": (LOGGER + "logger.error('wrong'); logger.info('done')", "-2", "wrong"),
    "critical": (LOGGER + "logger.error('wrong'); logger.critical('lost')", "-3", "lost"),
    "first of the worst": (LOGGER + "logger.error('one'); logger.error('two'); logger.warning('three')", "-2", "one"),
    "unhandled exception": (LOGGER + "raise ValueError('no such table')", "-3", "ValueError: no such table"),
    "exception without a text": (LOGGER + "raise ValueError", "-3", "ValueError"),
    "own exception": (
        "from wherescape.errors import LoadError\nraise LoadError('Rows were refused')",
        "-2",
        "Rows were refused",
    ),
    "exception after WhereScape()": (
        "from wherescape import WhereScape\nWhereScape()\n1 / 0",
        "-3",
        "ZeroDivisionError: division by zero",
    ),
    "failed import": ("import wherescape\nimport no_such_module", "-3", "ModuleNotFoundError: No module named"),
    "exception after an error": (LOGGER + "logger.error('wrong'); 1 / 0", "-3", "ZeroDivisionError: division by zero"),
    "keyboard interrupt": (LOGGER + "raise KeyboardInterrupt", "-3", "KeyboardInterrupt"),
    "sys.exit()": (LOGGER + "import sys; logger.info('done'); sys.exit()", "1", "done"),
    "sys.exit(0)": (LOGGER + "import sys; logger.info('done'); sys.exit(0)", "1", "done"),
    "sys.exit(3)": (
        LOGGER + "import sys; logger.info('done'); sys.exit(3)",
        "-2",
        "The script left with exit status 3",
    ),
    "sys.exit(text)": (LOGGER + "import sys; sys.exit('no key')", "-2", "no key"),
    "exit(3)": ("import wherescape; exit(3)", "-2", "The script left with exit status 3"),
    "quit()": ("import wherescape; quit()", "1", "Completed without a message."),
    "SystemExit of main": ("import wherescape; raise SystemExit(4)", "-2", "The script left with exit status 4"),
    "SystemExit(0)": ("import wherescape; raise SystemExit(0)", "1", "Completed without a message."),
    "exit imported before": (
        "from sys import exit\nimport wherescape\nexit(5)",
        "-2",
        "The script left with exit status 5",
    ),
    "wrong arguments": (
        "import wherescape, argparse; argparse.ArgumentParser().parse_args(['--no'])",
        "-2",
        "The script left with exit status 2",
    ),
    "caught SystemExit": (
        """
        import wherescape, sys
        try:
            sys.exit(3)
        except SystemExit as leaving:
            assert leaving.code == 3 and leaving.args == (3,)
        """,
        "1",
        "Completed without a message.",
    ),
    "exception in a thread": (
        "import wherescape, threading; threading.Thread(target=lambda: 1 / 0, name='pages').start()",
        "-3",
        "ZeroDivisionError: division by zero (in thread pages)",
    ),
    "exit of a thread": (
        "import wherescape, sys, threading; threading.Thread(target=sys.exit, args=(3,)).start()",
        "1",
        "Completed without a message.",
    ),
    "record of a thread that outlives the script": (
        """
        import logging, threading, wherescape
        def log_when_main_has_ended():
            threading.main_thread().join()
            logging.error('late')
        threading.Thread(target=log_when_main_has_ended).start()
        """,
        "-2",
        "late",
    ),
    "WhereScape() twice": (
        LOGGER + "from wherescape import WhereScape; WhereScape(); WhereScape(); logger.info('done')",
        "1",
        "done",
    ),
    "logging disabled": (LOGGER + "logging.disable(logging.CRITICAL); 1 / 0", "-3", "ZeroDivisionError: division"),
    "logging.shutdown early": (
        LOGGER + "logger.info('one'); logging.shutdown(); logger.error('wrong')",
        "-2",
        "wrong",
    ),
    "basicConfig(force=True)": (LOGGER + "logging.basicConfig(force=True); logger.error('wrong')", "-2", "wrong"),
    "dictConfig": (
        LOGGER
        + "import logging.config; logging.config.dictConfig({'version': 1, 'root': {'handlers': []}})\n"
        + "logging.getLogger('new').error('wrong')",
        "-2",
        "wrong",
    ),
    "handlers thrown away": (
        LOGGER + "logging.getLogger().handlers = []; logger.error('wrong')",
        "-1",
        "Log records were lost",
    ),
    "excepthook replaced": (
        "import wherescape, sys\nsys.excepthook = lambda *args: print('mine')\n1 / 0",
        "-3",
        "ZeroDivisionError: division by zero",
    ),
    "excepthook chained": (
        """
        import wherescape, sys
        earlier = sys.excepthook
        sys.excepthook = lambda *args: earlier(*args)
        1 / 0
        """,
        "-3",
        "ZeroDivisionError: division by zero",
    ),
    "excepthook called by the script": (
        """
        import logging, sys, wherescape
        try:
            1 / 0
        except ZeroDivisionError:
            sys.excepthook(*sys.exc_info())
        logging.critical("went on")
        """,
        "-3",
        "ZeroDivisionError: division by zero",
    ),
    "text of the exception fails": (
        """
        import wherescape
        class Broken(Exception):
            def __str__(self):
                raise RuntimeError
        raise Broken
        """,
        "-3",
        "Broken: (its text cannot be read)",
    ),
}


@pytest.mark.parametrize(("source", "status", "message"), ENDS.values(), ids=ENDS.keys())
def test_status_of_every_way_to_end(host_script: HostScript, source: str, status: str, message: str) -> None:
    run = host_script.run(source)
    assert (run.status, run.exit_status) == (status, 0), run
    assert run.message.startswith(message)


STRAY_OUTPUT = {
    "print": "print('stray')",
    "print without a newline": "print('stray', end='')",
    "print before the import": "print('stray')\nimport wherescape",
    "write to the descriptor": "import os; os.write(1, b'stray')",
    "child process": "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(\"stray\")'], check=True)",
    "shell": "import os; os.system('echo stray')",
    "C library": "import ctypes, os\nif os.name == 'posix': ctypes.CDLL(None).puts(b'stray')\nelse: print('stray')",
    "progress bar": "import sys\nfor i in range(3): sys.stdout.write(f'\\rstray {i}'); sys.stdout.flush()",
    "rich progress bar": "from rich.progress import track\nfor _ in track(range(3), description='stray'): pass",
    "print at exit": "import atexit; atexit.register(print, 'stray')",
    "original stream": "import sys; print('stray', file=sys.__stdout__)",
    "characters that the console cannot take": "print('stray \\u20ac \\ud800')",
    "raw bytes": "import sys; sys.stdout.buffer.write(b'stray')",
    "multiprocessing": """
import multiprocessing
def tell(): print('stray', flush=True)
if __name__ == '__main__':
    for method in multiprocessing.get_all_start_methods():
        child = multiprocessing.get_context(method).Process(target=tell); child.start(); child.join()
        assert child.exitcode == 0, (method, child.exitcode)
""",
}


@pytest.mark.parametrize("source", STRAY_OUTPUT.values(), ids=STRAY_OUTPUT.keys())
def test_nothing_but_the_report_reaches_stdout(host_script: HostScript, source: str) -> None:
    prefix = "" if "import wherescape" in source else "import wherescape\n"
    run = host_script.run(prefix + source)
    assert run.stdout == "1\nCompleted without a message.\n", run
    assert "stray" in run.stderr
    assert run.exit_status == 0


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("caf\\u00e9 \\u20ac \\u4e2d", r"caf\xe9 \u20ac \u4e2d"),
        ("half \\ud83d pair", r"half \ud83d pair"),
        ("nul \\0 escape \\x1b[0m", r"nul \x00 escape \x1b[0m"),
        ("one\\r\\ntwo\\n\\n  three\\u2028four", "one | two | three | four"),
        ("C:\\\\Work\\tDev", "C:\\Work Dev"),
    ],
)
def test_message_is_one_line_of_ascii(host_script: HostScript, text: str, line: str, encoding: str) -> None:
    run = host_script.run(LOGGER + f'logger.info("{text}"); print("{text}")', PYTHONIOENCODING=encoding)
    assert run.stdout == f"1\n{line}\n{line}\n", run
    assert run.exit_status == 0


def test_long_message_is_cut_and_kept_whole_in_the_detail_log(host_script: HostScript) -> None:
    run = host_script.run(LOGGER + "logger.info('long ' * 2000 + 'end')")
    assert len(run.message) == 256
    assert run.message.endswith("...")
    assert run.audit == [run.message]
    assert "long end" in run.stderr
    assert "long end" in run.log


def test_short_info_is_not_in_the_detail_log(host_script: HostScript) -> None:
    assert host_script.run(LOGGER + "logger.info('short')").stderr == ""


def test_audit_trail_is_kept_short(host_script: HostScript) -> None:
    run = host_script.run(LOGGER + "for i in range(250): logger.info('line %d', i)")
    assert run.message == "line 249"
    assert len(run.audit) == 201
    assert run.audit[199] == "line 199"
    assert run.audit[200].startswith("... 50 more lines in ")
    assert "line 249" in run.log


@pytest.mark.parametrize(
    ("logged", "status", "message", "first_audit_line"),
    [
        ("logger.info('other')", "1", "3 rows", "other"),
        ("logger.warning('odd')", "-1", "3 rows (1 warning: odd)", "odd"),
        ("logger.warning('odd'); logger.warning('b')", "-1", "3 rows (2 warnings, the first: odd)", "odd"),
        ("logger.error('wrong')", "-2", "wrong", "3 rows"),
    ],
)
def test_main_message(host_script: HostScript, logged: str, status: str, message: str, first_audit_line: str) -> None:
    run = host_script.run(
        LOGGER + f"from wherescape import WhereScape; WhereScape().main_message = '3 rows'; {logged}"
    )
    assert (run.status, run.message, run.audit[0]) == (status, message, first_audit_line)


def test_traceback_with_its_causes_goes_to_the_detail_log_once(host_script: HostScript) -> None:
    run = host_script.run(
        """
        import wherescape
        try:
            {}["key"]
        except KeyError as error:
            raise RuntimeError("no key") from error
        """
    )
    for text in (run.stderr, run.log):
        assert text.count("KeyError: 'key'") == 1
        assert text.count("Traceback (most recent call last)") == 2
    assert "Traceback" not in run.stdout


def test_an_excepthook_that_was_there_first_is_called(host_script: HostScript) -> None:
    run = host_script.run(
        """
        import pathlib, sys
        def hook(kind, error, traceback):
            pathlib.Path("seen").write_text(str(error))
            sys.__excepthook__(kind, error, traceback)
        sys.excepthook = hook
        import wherescape
        raise ValueError("told to both")
        """
    )
    assert (run.status, run.exit_status) == ("-3", 0)
    assert (host_script.folder / "seen").read_text() == "told to both"
    assert run.stderr.count("Traceback") == 1


def test_exit_handlers_of_the_script_run_and_count(host_script: HostScript) -> None:
    run = host_script.run(LOGGER + "import atexit; atexit.register(logger.warning, 'at exit'); 1 / 0")
    assert run.status == "-3"
    assert run.audit == ["ZeroDivisionError: division by zero", "at exit"]


@pytest.mark.parametrize(("level", "status"), [("info", "1"), ("warning", "1"), ("error", "-2"), ("critical", "-3")])
def test_only_errors_of_a_library_change_the_status(host_script: HostScript, level: str, status: str) -> None:
    library = host_script.folder / "site-packages"
    library.mkdir()
    (library / "some_library.py").write_text(
        "import logging\ndef log(level): getattr(logging.getLogger('some'), level)('from a library')\n"
    )
    run = host_script.run(
        f"import wherescape, sys; sys.path.append('site-packages'); import some_library; some_library.log('{level}')"
    )
    assert run.status == status
    assert "from a library" in run.log
    assert ("from a library" in run.stderr) == (level != "info")


def test_retry_that_succeeded_does_not_change_the_status(host_script: HostScript) -> None:
    run = host_script.run(
        """
        import logging, socket, threading
        import wherescape
        import urllib3

        listener = socket.create_server(("127.0.0.1", 0))

        def answer():
            listener.accept()[0].close()
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
            connection.close()

        threading.Thread(target=answer).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert urllib3.PoolManager().request("GET", url, retries=urllib3.Retry(3)).data == b"ok"
        """
    )
    assert run.status == "1"
    assert "Retrying" in run.stderr


def test_warning_of_the_warnings_module_does_not_change_the_status(host_script: HostScript) -> None:
    run = host_script.run(LOGGER + "import warnings; logging.captureWarnings(True); warnings.warn('old')")
    assert run.status == "1"
    assert "old" in run.stderr


def test_handlers_of_the_script_survive(host_script: HostScript) -> None:
    run = host_script.run(
        """
        import logging
        mine = logging.FileHandler("mine.log")
        logging.getLogger().addHandler(mine)
        import wherescape
        logging.error("for both")
        assert mine in logging.getLogger().handlers
        logging.getLogger().removeHandler(mine)
        assert mine not in logging.getLogger().handlers
        """
    )
    assert run.status == "-2"
    assert (host_script.folder / "mine.log").read_text() == "for both\n"


def wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    assert process.stderr.readline().strip() == b"ready"


def end_with(process: subprocess.Popen[bytes], number: signal.Signals) -> tuple[int, bytes, bytes]:
    for _ in range(6):
        process.send_signal(number)
        try:
            stdout, stderr = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            continue  # Python does not notice a signal that comes just before it starts to wait; send another.
        return process.returncode, stdout, stderr
    process.kill()
    process.communicate()
    raise AssertionError(f"{number.name} does not end the script")


WAITS = {
    "sleep": "time.sleep(600)",
    "socket": "ends = socket.socketpair(); ends[0].recv(1)",
    "thread": "threading.Thread(target=threading.Event().wait, daemon=True).start(); threading.Event().wait()",
}


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signal_ends_the_script_in_order(host_script: HostScript, name: str, wait: str) -> None:
    process = host_script.start(
        f"""
        import wherescape, socket, sys, threading, time
        try:
            print("ready", flush=True)
            {wait}
        finally:
            print("cleaned up")
        """
    )
    wait_until_ready(process)
    run = host_script.result(*end_with(process, getattr(signal, name)))
    assert (run.status, run.message, run.exit_status) == ("-3", f"Terminated by {name}", 0)
    assert "cleaned up" in run.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
def test_signal_counts_even_if_the_script_swallows_it(host_script: HostScript) -> None:
    process = host_script.start(
        """
        import wherescape, time
        try:
            print("ready", flush=True)
            time.sleep(600)
        except BaseException:
            pass
        """
    )
    wait_until_ready(process)
    run = host_script.result(*end_with(process, signal.SIGTERM))
    assert (run.status, run.message) == ("-3", "Terminated by SIGTERM")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a single process")
def test_interrupt_from_the_keyboard(host_script: HostScript) -> None:
    process = host_script.start("import wherescape, time; print('ready', flush=True); time.sleep(600)")
    wait_until_ready(process)
    run = host_script.result(*end_with(process, signal.SIGINT))
    assert (run.status, run.message, run.exit_status) == ("-3", "KeyboardInterrupt", 0)


@pytest.mark.parametrize("source", [LOGGER + "logger.info('done')", LOGGER + "print('x' * 100000); 1 / 0"])
def test_broken_pipe_leaves_exit_status_0(host_script: HostScript, source: str) -> None:
    host_script.write(source)
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        host_script.command, env=host_script.environment, stdout=writer, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writer)
    run = host_script.result(process.returncode, b"", process.stderr)
    assert run.exit_status == 0
    assert "RED did not get the report" in run.stderr
    assert "Ended with status" in run.log


def test_broken_stderr_leaves_the_status_right(host_script: HostScript) -> None:
    host_script.write(LOGGER + "print('x' * 100000); logger.warning('careful')")
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        host_script.command, env=host_script.environment, stdout=subprocess.PIPE, stderr=writer, timeout=60
    )
    os.close(writer)
    run = host_script.result(process.returncode, process.stdout, b"")
    assert (run.status, run.message, run.exit_status) == ("-1", "careful", 0)


@pytest.mark.skipif(os.name == "nt", reason="the shell of Windows cannot close a stream")
@pytest.mark.parametrize(("closed", "status"), [(">&-", ""), ("2>&-", "-2"), (">&- 2>&-", ""), ("<&-", "-2")])
def test_closed_streams(host_script: HostScript, closed: str, status: str) -> None:
    host_script.write(
        LOGGER
        + "print('stray'); other = open('other', 'w'); other.write('kept'); other.close(); logger.error('wrong')"
    )
    process = subprocess.run(
        ["sh", "-c", f'exec "$0" "$1" {closed}', *host_script.command],
        env=host_script.environment,
        cwd=host_script.folder,
        capture_output=True,
        timeout=60,
    )
    run = host_script.result(process.returncode, process.stdout, process.stderr)
    assert (run.status, run.exit_status) == (status, 0)
    assert "Ended with status -2: wrong" in run.log
    assert (host_script.folder / "other").read_text() == "kept"


@pytest.mark.parametrize(
    ("source", "exit_status"),
    [
        (LOGGER + "logger.info('done')", 0),
        (LOGGER + "logger.warning('careful')", 0),
        (LOGGER + "logger.error('wrong')", 2),
        (LOGGER + "import sys; sys.exit(9)", 2),
        (LOGGER + "1 / 0", 3),
    ],
)
def test_exit_status_follows_the_status_on_request(host_script: HostScript, source: str, exit_status: int) -> None:
    assert host_script.run(source, WHERESCAPE_EXIT_STATUS="follow").exit_status == exit_status
    interactive = host_script.run(source, WHERESCAPE_EXIT_STATUS="follow", WSL_JOB_KEY="0", WSL_JOB_NAME="Develop")
    assert interactive.exit_status == 0


def test_unknown_exit_status_setting_is_a_warning(host_script: HostScript) -> None:
    run = host_script.run("import wherescape", WHERESCAPE_EXIT_STATUS="always")
    assert (run.status, run.exit_status) == ("-1", 0)
    assert run.message.startswith("WHERESCAPE_EXIT_STATUS is 'always'")


def test_forked_child_does_not_report(host_script: HostScript) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork")
    run = host_script.run(
        """
        import os, sys, warnings
        import wherescape
        child = os.fork()
        if child == 0:
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        """
    )
    assert run.stdout == "1\nCompleted without a message.\n", run


def test_a_process_that_red_did_not_start_is_left_alone(host_script: HostScript) -> None:
    names = [name for name in host_script.environment if name.startswith("WSL_")]
    for name in names:
        del host_script.environment[name]
    run = host_script.run("import wherescape; print('mine')")
    assert run.stdout.splitlines() == ["mine"]


@pytest.mark.parametrize("command", [["-m", "module"], ["-c", "import wherescape; print('mine')"], ["tool"]])
def test_a_tool_that_runs_with_the_variables_of_red_is_left_alone(host_script: HostScript, command: list[str]) -> None:
    (host_script.folder / "module").mkdir()
    for path in ("module/__main__.py", "tool"):
        (host_script.folder / path).write_text("import wherescape; print('mine')")
    process = subprocess.run(
        [sys.executable, *command],
        env=host_script.environment,
        cwd=host_script.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.stdout == "mine\n", process


def test_output_may_go_to_a_file_and_errors_to_a_pipe(host_script: HostScript) -> None:
    """As from a scheduler that keeps the one and passes the other on."""
    host_script.write(LOGGER + "print('stray'); logger.info('done')")
    output = host_script.folder / "output"
    with output.open("wb") as file:
        done = subprocess.run(host_script.command, env=host_script.environment, stdout=file, stderr=subprocess.PIPE)
    result = host_script.result(done.returncode, output.read_bytes(), done.stderr)
    assert (result.exit_status, result.status, result.message) == (0, "1", "done"), result
    assert "stray" in result.stderr


@pytest.mark.parametrize(
    ("then", "output"),
    [
        ("", ["1", "x" * 1000]),
        ("logger.warning('careful')", ["-1", "x" * 1000]),
        ("logger.error('wrong')", ["-2", "wrong", "wrong"]),
    ],
    ids=["success", "warning", "error"],
)
def test_a_document_stands_alone_and_whole_unless_there_was_an_error(
    host_script: HostScript, then: str, output: list[str]
) -> None:
    asked_for = "logger.info('done'); from wherescape.logging import report; report.document = 'x' * 1000\n"
    run = host_script.run(LOGGER + asked_for + then)
    assert [line for line in run.stdout.splitlines() if line != "done"] == output
    assert "careful" in run.stderr or "warning" not in then
