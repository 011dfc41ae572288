"""The log file in RED's work folder: complete when many tasks write it, rotated, and never a reason to fail."""

import logging
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.host_script import HostScript, host_script_in
from wherescape.logging import LogFileHandler, open_log_file


@pytest.fixture
def host_script(tmp_path: Path) -> HostScript:
    return host_script_in(tmp_path)


def log(handler: LogFileHandler, text: str) -> None:
    handler.handle(logging.LogRecord("test", logging.INFO, __file__, 1, text, None, None))


def test_a_line_tells_time_with_zone_level_task_and_process(host_script: HostScript) -> None:
    run = host_script.run("import logging, wherescape; logging.getLogger('customers').warning('one\\ntwo')")
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
    assert re.match(time + r" WARNING  load_customers \[\d+\] customers: one\n    two\n", run.log), run.log


def test_every_character_is_written(host_script: HostScript) -> None:
    run = host_script.run("import logging, wherescape; logging.info('caf\\u00e9 \\u4e2d \\ud83d')", PYTHONUTF8="0")
    assert r"café 中 \ud83d" in run.log


def test_lines_of_tasks_that_run_at_once_are_all_there(host_script: HostScript) -> None:
    host_script.write(
        """
        import logging, os, threading, wherescape
        def write():
            for i in range(50):
                logging.info("from %s %s", threading.current_thread().name, "x" * 500)
        threads = [threading.Thread(target=write, name=name) for name in "ab"]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
    )
    processes = [
        subprocess.Popen(
            host_script.command,
            env=host_script.environment | {"WSL_TASK_NAME": f"task_{number}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(6)
    ]
    for process in processes:
        stdout, stderr = process.communicate(timeout=120)
        assert (stdout.split(b"\n")[0], process.returncode) == (b"1", 0), stderr
    lines = (host_script.folder / "python_logging" / "wherescape.log").read_text().splitlines()
    for number in range(6):
        for name in "ab":
            ending = f"root: from {name} {'x' * 500}"
            assert sum(f" task_{number} [" in line and line.endswith(ending) for line in lines) == 50
    assert len(lines) == 6 * (100 + 1)


def test_next_rotation_is_saturday_one_minute_to_midnight(tmp_path: Path) -> None:
    handler = open_log_file(tmp_path, "task")
    handler.close()
    rotation = datetime.fromtimestamp(handler.rolloverAt)
    assert (rotation.isoweekday(), rotation.hour, rotation.minute) == (6, 23, 59)
    assert timedelta(0) < rotation.astimezone() - datetime.now(UTC) <= timedelta(days=7, hours=1)


def make_due(folder: Path, ago: timedelta) -> None:
    """Note in the lock file, where all processes read it, that the rotation should have been some time ago."""
    (lock_file,) = folder.glob("python_logging/.__*.lock")
    lock_file.write_text(str(int((datetime.now(UTC) - ago).timestamp())))


def test_rotation_keeps_ten_files(tmp_path: Path) -> None:
    handler = open_log_file(tmp_path, "task")
    for number in range(13):
        log(handler, f"week {number}")
        make_due(tmp_path, ago=timedelta(weeks=13 - number))
    log(handler, "last week")
    handler.close()
    folder = tmp_path / "python_logging"
    assert "last week" in (folder / "wherescape.log").read_text()
    old = [path.read_text() for path in folder.glob("wherescape.log.*")]
    assert len(old) == 10
    kept = {int(number) for text in old for number in re.findall(r"week (\d+)", text)}
    assert kept == set(range(3, 13))


def test_a_rotation_that_is_due_at_the_start_is_done_once_by_tasks_at_once(host_script: HostScript) -> None:
    open_log_file(host_script.folder, "task").close()
    (host_script.folder / "python_logging" / "wherescape.log").write_text("last week\n")
    make_due(host_script.folder, ago=timedelta(minutes=1))
    host_script.write("import logging, wherescape; logging.info('this week')")
    processes = [
        subprocess.Popen(host_script.command, env=host_script.environment, stdout=subprocess.PIPE) for _ in range(4)
    ]
    for process in processes:
        assert process.communicate(timeout=60)[0].startswith(b"1\n")
    folder = host_script.folder / "python_logging"
    assert [path.read_text() for path in folder.glob("wherescape.log.*")] == ["last week\n"]
    assert (folder / "wherescape.log").read_text().count("this week\n") == 8


@pytest.mark.parametrize("obstacle", ["file in place of the folder", "no work folder", "folder in place of the file"])
def test_a_log_file_that_cannot_be_opened_is_a_warning(host_script: HostScript, obstacle: str) -> None:
    folder = host_script.folder / "work"
    if obstacle != "no work folder":
        folder.mkdir()
    if obstacle == "file in place of the folder":
        (folder / "python_logging").write_text("")
    elif obstacle == "folder in place of the file":
        (folder / "python_logging" / "wherescape.log").mkdir(parents=True)
    run = host_script.run("import logging, wherescape; logging.info('done')", WSL_WORKDIR=str(folder))
    assert (run.status, run.exit_status) == ("-1", 0), run
    assert str(folder) in run.message
    assert "done" in run.audit


def test_a_full_disk_is_a_warning(host_script: HostScript) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is always full")
    (host_script.folder / "python_logging").mkdir()
    (host_script.folder / "python_logging" / "wherescape.log").symlink_to("/dev/full")
    host_script.write("import logging, wherescape; logging.info('one'); logging.info('two')")
    process = subprocess.run(
        host_script.command, env=host_script.environment, capture_output=True, text=True, timeout=60
    )
    assert process.stdout.splitlines()[0] == "-1"
    assert process.stdout.count("Cannot write the log file") == 2
    assert process.returncode == 0


def test_without_a_work_folder_the_report_warns(host_script: HostScript) -> None:
    run = host_script.run("import logging, wherescape; logging.info('done')", WSL_WORKDIR="")
    assert (run.status, run.exit_status) == ("-1", 0)
    assert "WSL_WORKDIR is not set" in run.message


def test_logging_goes_on_in_the_file_after_an_early_shutdown(host_script: HostScript) -> None:
    run = host_script.run("import logging, wherescape; logging.info('one'); logging.shutdown(); logging.info('two')")
    assert "root: one\n" in run.log
    assert "root: two\n" in run.log
