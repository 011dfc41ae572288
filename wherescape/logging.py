"""What a host script tells RED: a status, a message and audit lines, made from the log records of the run.

`Report` collects them, `WhereScapeLogHandler` feeds it, and `open_log_file` keeps the same records for later reading.
Who writes the report, and when, is the business of `host_script_process`.
"""

import logging
import os
import re
import sysconfig
from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path
from typing import TextIO

from concurrent_log_handler import ConcurrentTimedRotatingFileHandler

from wherescape.redaction import redact

# RED 8.6 to 10.3, Script Output Protocol: width of a message and of an audit line.
LINE_WIDTH = 256
AUDIT_LINES = 200

SUCCESS, WARNING, ERROR, CRITICAL = 1, -1, -2, -3

_PACKAGE = os.path.normcase(Path(__file__).parent)
_LIBRARIES = tuple(os.path.normcase(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib"))
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


class Report:
    """The outcome of a run, as RED reads it.

    Attributes:
        main_message: what the script wants to be told in the job's result; the last INFO record by default.
        document: what the script was asked for, in one line of ASCII of any length: it then stands in place of message
            and audit lines, unless an error was reported (RED: Browse Scripts).
        is_terminated: whether the process was told to end, even if the script did not.
    """

    def __init__(self) -> None:
        self.main_message = ""
        self.document = ""
        self.is_terminated = False
        self._counts = {WARNING: 0, ERROR: 0, CRITICAL: 0}
        self._first = {WARNING: "", ERROR: "", CRITICAL: ""}
        self._last_info = ""
        self._audit: list[str] = []
        self._audit_lines_left_out = 0

    @property
    def status(self) -> int:
        """The worst that was reported: 1 success, -1 warnings, -2 errors, -3 fatal (RED: Script Output Protocol)."""
        if self.is_terminated:
            return CRITICAL
        return min((status for status, count in self._counts.items() if count), default=SUCCESS)

    @property
    def message(self) -> str:
        """One line of at most 256 ASCII characters."""
        first = self._first.get(self.status, "")
        if self.status == SUCCESS:
            text = self.main_message or self._last_info or "Completed without a message."
        elif self.status == WARNING and self.main_message:
            count = self._counts[WARNING]
            warnings = "1 warning" if count == 1 else f"{count} warnings, the first"
            text = f"{self.main_message} ({warnings}: {first})"
        else:
            text = first
        return to_line(text)

    def add(self, record: logging.LogRecord) -> None:
        """Count a log record, and keep it for the audit trail.

        A warning of a third-party library (a retry that then succeeded) does not change the status, and what such a
        library tells at INFO is left to the log file; its errors count.
        """
        text = text_of(record)
        foreign = is_of_library(record.pathname)
        if record.levelno >= logging.CRITICAL:
            self._count(CRITICAL, text)
        elif record.levelno >= logging.ERROR:
            self._count(ERROR, text)
        elif record.levelno >= logging.WARNING:
            if not foreign:
                self._count(WARNING, text)
        elif record.levelno < logging.INFO or foreign:
            return
        else:
            self._last_info = text
        if len(self._audit) < AUDIT_LINES:
            self._audit.append(to_line(text))
        else:
            self._audit_lines_left_out += 1

    def render(self, log_file: Path | None) -> str:
        """Write the report out as RED reads it: status, message, audit lines.

        Arguments:
            log_file: where to look for the audit lines that were left out.
        """
        return "".join(f"{redact(line)}\n" for line in self._lines(log_file))

    def _count(self, status: int, text: str) -> None:
        self._first[status] = self._first[status] or text
        self._counts[status] += 1

    def _lines(self, log_file: Path | None) -> Iterator[str]:
        yield str(self.status)
        if self.document and self.status in (SUCCESS, WARNING):
            yield self.document
            return
        yield self.message
        if self.main_message and self.status in (ERROR, CRITICAL):
            yield to_line(self.main_message)
        yield from self._audit
        if self._audit_lines_left_out:
            yield to_line(f"... {self._audit_lines_left_out} more lines in {log_file or 'no log file'}")


class WhereScapeLogHandler(logging.Handler):
    """Feeds log records to a report; neither flush nor close prints anything or ends the counting."""

    def __init__(self, report: Report) -> None:
        super().__init__(logging.INFO)
        self.report = report

    def emit(self, record: logging.LogRecord) -> None:
        """Add the record to the report."""
        try:
            self.report.add(record)
            # The handlers behind this one would fail on a format that its arguments do not fit.
            if record.args and _does_not_fit(record):
                record.msg, record.args = text_of(record), None
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Stay in use: `logging.shutdown` and `logging.config` close handlers while the script still runs."""


class LogFileHandler(ConcurrentTimedRotatingFileHandler):
    """One log file for all tasks, rotated Saturday 23:59 local time, ten kept; a full disk does not stop a script."""

    def __init__(self, path: Path, task: str) -> None:
        super().__init__(
            path, when="W5", atTime=time(23, 59), backupCount=10, encoding="utf-8", unicode_error_policy="replace"
        )
        self.path = path
        self.setFormatter(_LogFileFormatter(task))
        self._failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Warn once."""
        if not self._failed:
            self._failed = True
            logging.getLogger(__name__).warning("Cannot write the log file %s", self.path, exc_info=True)


class RedactingFormatter(logging.Formatter):
    """Masks the secrets in a record and its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record as text that any encoding of Unicode can take."""
        return redact(super().format(record)).encode("utf-8", "backslashreplace").decode()


class _LogFileFormatter(RedactingFormatter):
    def __init__(self, task: str) -> None:
        task = task.replace("%", "%%")
        super().__init__(f"%(asctime)s %(levelname)-8s {task} [%(process)d] %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join(super().format(record).splitlines())

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")


class DetailHandler(logging.StreamHandler[TextIO]):
    """Writes to RED's detail log what has no room in an audit line: warnings and worse, and texts that were cut."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.setFormatter(RedactingFormatter("%(levelname)s %(message)s"))
        self.addFilter(lambda record: record.levelno >= logging.WARNING or _is_cut(text_of(record)))
        self.setLevel(logging.INFO)


report = Report()


def open_log_file(workdir: Path, task: str) -> LogFileHandler:
    """Open `python_logging/wherescape.log` in RED's work folder.

    Arguments:
        workdir: an existing folder, WSL_WORKDIR.
        task: name of the task, to tell the lines of tasks apart that run at the same time.

    Raises:
        OSError: the folder is missing or not writable.
    """
    path = log_file_of(workdir)
    path.parent.mkdir(exist_ok=True)
    return LogFileHandler(path, task)


def log_file_of(workdir: Path) -> Path:
    """Return where the log file is in a work folder, whether it exists or not."""
    return workdir / "python_logging" / "wherescape.log"


def _does_not_fit(record: logging.LogRecord) -> bool:
    try:
        record.getMessage()
    except Exception:
        return True
    return False


def text_of(record: logging.LogRecord) -> str:
    """Return a record's message; where format and arguments do not go together, both as they are."""
    try:
        return record.getMessage()
    except Exception:
        return f"{record.msg} {record.args}"


def to_line(text: str) -> str:
    """Fold a text to one line of ASCII that fits RED's columns, without its secrets."""
    line = _fold(text)
    return line if len(line) <= LINE_WIDTH else line[: LINE_WIDTH - 3] + "..."


def is_of_library(pathname: str) -> bool:
    """Tell whether a source file belongs to Python or an installed package, other than this one."""
    path = os.path.normcase(os.path.abspath(pathname))
    if path.startswith(_PACKAGE + os.sep):
        return False
    return path.startswith(_LIBRARIES) or not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)


def _fold(text: str) -> str:
    parts = (part.strip() for part in redact(text).splitlines())
    line = " | ".join(part for part in parts if part).replace("\t", " ")
    line = _CONTROL_CHARACTER.sub(lambda match: f"\\x{ord(match[0]):02x}", line)
    return line.encode("ascii", "backslashreplace").decode("ascii")


def _is_cut(text: str) -> bool:
    return len(_fold(text)) > LINE_WIDTH
