"""Scripts that do what nobody should: the status still agrees with what happened."""

from pathlib import Path

import pytest

from tests.host_script import SECRET, host_script_in

START = "import atexit, _thread, logging, logging.config, os, signal, sys, time\n"
CASES = {
    "a format that its arguments do not fit": ("logging.error('failed %d rows', 'x')", "-2", "failed %d rows ('x',)"),
    "dictConfig disables the script's logger": (
        "log = logging.getLogger('mine'); logging.config.dictConfig({'version': 1}); log.error('failed')",
        "-2",
        "failed",
    ),
    "an atexit callback raises": (
        "def flush():\n    raise OSError('disk full')\natexit.register(flush)",
        "-3",
        "disk full",
    ),
    "a thread of the lowest kind raises": (
        "done = _thread.allocate_lock(); done.acquire()\n"
        "def work():\n"
        "    try:\n        raise OSError('lost')\n    finally:\n        atexit.register(done.release)\n"
        "_thread.start_new_thread(work, ())\n"
        "deadline = time.monotonic() + 10\n"
        "from wherescape.logging import report\n"
        "while report.status == 1 and time.monotonic() < deadline: time.sleep(0.01)",
        "-3",
        "lost",
    ),
    "a finaliser raises": (
        "class Leak:\n    def __del__(self): raise OSError('not closed')\nLeak()",
        "-1",
        "not closed",
    ),
    "a finaliser of a library raises": (
        "from email.message import Message\n"
        "Message.__del__ = lambda self: self.get_payload('no number')\n"
        "library = Message(); library.set_payload(['x']); library.attach = None; del library",
        "1",
        "Completed",
    ),
    "a module imported before has its own exit": ("import leaver; leaver.leave()", "-2", "exit status 3"),
    "a subclass of SystemExit made before": ("import leaver; raise leaver.Leave(3)", "-2", "exit status 3"),
    "an empty message": ("sys.exit('')", "-2", "empty message"),
    "a main message that is no text": ("from wherescape import WhereScape; WhereScape().main_message = 5", "1", "5"),
    "a signal while the report is made": (
        "class Killer(logging.Handler):\n"
        "    def emit(self, record): os.kill(os.getpid(), signal.SIGTERM)\n"
        "logging.getLogger().addHandler(Killer())\n"
        "sys.exit(3)",
        "-2",
        "exit status 3",
    ),
}


@pytest.mark.parametrize(("body", "status", "message"), CASES.values(), ids=CASES)
def test_the_status_agrees_with_what_happened(tmp_path: Path, body: str, status: str, message: str) -> None:
    (tmp_path / "leaver.py").write_text(
        "from sys import exit\ndef leave(): exit(3)\nclass Leave(SystemExit): pass\n", encoding="utf-8"
    )
    run = host_script_in(tmp_path).run(f"{START}import leaver\nimport wherescape\n{body}\n")
    assert (run.status, run.exit_status) == (status, 0), run.stdout + run.stderr
    assert message in run.message


def test_a_file_that_took_the_place_of_stdout_is_not_written_to(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    body = (
        f"import os, wherescape\nos.closerange(3, 256)\nkept = [open({str(victim)!r} + str(n), 'w') for n in range(9)]"
    )
    host_script_in(tmp_path).run(body)
    assert [path.read_text() for path in tmp_path.glob("victim*")] == [""] * 9


LEAKS = {
    "a connection string": ({"WSL_TGT_DSN": "Driver=x;UID=u;PWD=hunter two three;Server=y"}, "hunter two three"),
    "a quoted one": ({"WSL_TGT_DSN": "Driver=x;Pwd={semi;colon}};x}"}, "semi;colon};x"),
    "a URL's password": ({"WSL_SRCCFG_URL": "https://user:pa/ss-word@host/x"}, "pa/ss-word"),
    "a URL's token": ({"WSL_SRCCFG_url": "https://ghp_token1234@host/x"}, "ghp_token1234"),
    "a field with another name": ({"WSL_SRCCFG_CLIENT_SECRET_ID": "s3cret-value"}, "s3cret-value"),
    "a key of several lines": ({"WSL_SRCCFG_PRIVATE_KEY": "-----BEGIN\nAAAABBBBCCCC\n-----END"}, "AAAABBBBCCCC"),
    "a password in SQL": ({}, "in-the-statement"),
    "a query": ({}, "in-the-query"),
    "the repository's password": ({}, SECRET),
}


@pytest.mark.parametrize(("variables", "secret"), LEAKS.values(), ids=LEAKS)
def test_a_secret_is_masked_wherever_it_comes_from(tmp_path: Path, variables: dict[str, str], secret: str) -> None:
    script = host_script_in(tmp_path)
    (tmp_path / "secret.txt").write_text(secret, encoding="utf-8")
    body = f"""
import wherescape
from pathlib import Path
secret = Path({str(tmp_path / "secret.txt")!r}).read_text()
sentences = {{"in-the-statement": "ALTER ROLE u PASSWORD '%s'", "in-the-query": "GET /x?access_key=%s&y=1"}}
shown = sentences.get(secret, "%s")
print(shown % secret)
raise ValueError(shown % secret)
"""
    run = script.run(body, **variables)
    assert run.status == "-3"
    assert secret not in run.stdout + run.stderr + run.log
    assert "***" in run.message
