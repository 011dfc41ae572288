"""The process of a host script, as RED wants it: a status on stdout, whatever else the script does.

RED reads the first line of stdout as the status, and takes an exit status other than 0 for a failure of its own (RED
8.6 to 10.3, Script Output Protocol). So from `take_over` on, stdout is kept for the report, which is written once, when
the process ends; everything else that is printed, by a library or a child process too, goes to stderr, RED's detail
log.

What nothing inside the process can report: a syntax error in the script itself, an error before `import wherescape`,
`os._exit`, a crash of the interpreter, and SIGKILL. RED then finds no status and counts the task as failed.
"""

import atexit
import builtins
import contextlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn, TextIO, cast

from wherescape.errors import WhereScapeError
from wherescape.logging import DetailHandler, LogFileHandler, Report, WhereScapeLogHandler, open_log_file, report
from wherescape.redaction import add_secrets_of, redact

_STARTED_BY_RED = ("WSL_META_DSN", "WSL_SEQUENCE", "WSL_JOB_KEY", "WSL_LOAD_TABLE")
_EXIT_STATUS_VARIABLE = "WHERESCAPE_EXIT_STATUS"
_EXIT_STATUS_OF = {1: 0, -1: 0, -2: 2, -3: 3}

_logger = logging.getLogger(__name__)
_process: "_HostScriptProcess | None" = None


def take_over_if_started_by_red() -> None:
    """Take over when RED has started this process to run a script, so that any error from here on is reported.

    Not in a tool such as pytest that happens to run with WSL_* variables, nor in an interactive session.
    """
    script = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    if script.suffix and script.stem != "__main__" and any(name in os.environ for name in _STARTED_BY_RED):
        workdir = os.environ.get("WSL_WORKDIR")
        take_over(Path(workdir) if workdir else None)


def take_over(workdir: Path | None) -> None:
    """Keep stdout for the report, and see to it that the report is right however the script ends.

    A second call does nothing, except that it opens the log file if the first had no folder for it. Child processes
    of `multiprocessing` report to their parent only.

    Arguments:
        workdir: RED's work folder, in which the log file is kept; None for no log file.
    """
    global _process
    if _is_multiprocessing_child():
        return
    if _process is None:
        add_secrets_of(os.environ)
        _process = _HostScriptProcess(report)
    if workdir is not None:
        _process.log_to(workdir)


class ProcessTerminated(BaseException):
    """The process was asked to end; raised in the main thread, so that `finally` blocks run."""


class RedactingStream:
    """A text stream that masks secrets and never raises for what cannot be written.

    Bytes that go around it, to `buffer` or from a child process, are written as they are.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write at once, so that stdout and stderr stay in order."""
        with contextlib.suppress(OSError):
            self._stream.write(redact(text))
            self._stream.flush()
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush; a broken pipe at the very end would otherwise change the exit status to 120."""
        with contextlib.suppress(OSError):
            self._stream.flush()


class _HostScriptProcess:
    def __init__(self, report: Report) -> None:
        self._report = report
        self._process_id = os.getpid()
        self._log_file: LogFileHandler | None = None
        self._log_file_refused = False
        self._terminated_by = ""
        self._excepthook_before = sys.excepthook
        self._unhandled: BaseException | None = None
        self._exit_is_settled = False
        self._left_with: list[object] = []

        self._report_fd = _detach_stdout()
        self._replace_streams()
        self._handlers: list[logging.Handler] = [WhereScapeLogHandler(report), DetailHandler(sys.stderr)]
        self._attach_handlers()
        sys.excepthook = self._excepthook
        threading.excepthook = self._threading_excepthook
        _observe_system_exit(self._left_with.append)
        self._handle_signals()
        atexit.register(self._finish)

    def log_to(self, workdir: Path) -> None:
        if self._log_file is not None or self._log_file_refused:
            return
        task = os.environ.get("WSL_TASK_NAME") or os.environ.get("WSL_LOAD_TABLE") or Path(sys.argv[0]).name
        try:
            self._log_file = open_log_file(workdir, task)
        except (OSError, RuntimeError) as error:
            self._log_file_refused = True
            _logger.warning("No log file in WSL_WORKDIR %s: %s. Check that RED's user may write there.", workdir, error)
        else:
            self._handlers.append(self._log_file)
            logging.getLogger().addHandler(self._log_file)

    # ---------------------------------------------------------------------------------------------------- set-up

    def _replace_streams(self) -> None:
        stdout, stderr = sys.stdout, sys.stderr
        sys.stdout = _redacting(stdout)
        sys.stderr = _redacting(stderr)
        # A handler that the script made before still holds the stream that does not redact.
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream in (stdout, stderr):
                handler.setStream(sys.stderr)

    def _attach_handlers(self) -> None:
        root = logging.getLogger()
        for handler in self._handlers:
            root.addHandler(handler)
        if root.level > logging.INFO:
            root.setLevel(logging.INFO)

        # `basicConfig(force=True)` and `dictConfig` remove every handler of the root logger; ours stay.
        def remove_handler(handler: logging.Handler) -> None:
            if handler not in self._handlers:
                logging.Logger.removeHandler(root, handler)

        root.removeHandler = remove_handler  # type: ignore[method-assign]

    def _handle_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, self._on_signal)

    # ------------------------------------------------------------------------------------------- ways to end early

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process_id:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not self._terminated_by:
            # No logging in here: the signal may have interrupted a handler in the middle of a write.
            self._terminated_by = signal.Signals(number).name
            raise ProcessTerminated(f"Terminated by {self._terminated_by}")

    def _excepthook(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        self._record_exception(error, traceback)
        if self._excepthook_before is not sys.__excepthook__:
            # It is for what it does with the error; the traceback is in the detail log already.
            with contextlib.redirect_stderr(io.StringIO()):
                self._excepthook_before(kind, error, traceback)
        if sys._getframe().f_back is None:
            # Called by the interpreter itself, which takes its exit status from a SystemExit of the hook.
            self._exit_is_settled = True
            raise _PlainSystemExit(0)

    def _threading_excepthook(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, _PlainSystemExit):
            name = args.thread.name if args.thread else "unknown"
            self._record_exception(args.exc_value, args.exc_traceback, f" (in thread {name})")

    def _record_exception(self, error: BaseException, traceback: TracebackType | None, where: str = "") -> None:
        self._unhandled = error
        own = isinstance(error, WhereScapeError)
        text = str(error) if own or isinstance(error, ProcessTerminated) else _describe(error)
        _record(logging.ERROR if own else logging.CRITICAL, f"{text}{where}", (type(error), error, traceback))

    # ------------------------------------------------------------------------------------------------------ the end

    def _finish(self) -> None:
        if os.getpid() != self._process_id:
            return
        unnoticed = self._exception_that_went_unnoticed()
        if unnoticed is not None:
            self._record_exception(unnoticed, unnoticed.__traceback__)
        self._record_exit_code()
        if self._terminated_by and not isinstance(self._unhandled, ProcessTerminated):
            _record(logging.CRITICAL, f"Terminated by {self._terminated_by}")
        self._check_set_up()
        exit_status = self._choose_exit_status()
        self._write_report()
        if exit_status != 0 or (self._unhandled_at_top_level() and not self._exit_is_settled):
            # The interpreter offers no other way to choose the exit status this late.
            logging.shutdown()
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(exit_status)
