"""The process of a host script, as RED wants it: a status on stdout, whatever else the script does.

RED reads the first line of stdout as the status, and takes an exit status other than 0 for a failure of its own
(RED 8.6 to 10.3, Script Output Protocol). So from `take_over` on, stdout is kept for the report, written once, at the
end of the process. Everything else that is printed, by a library or a child process too, goes to stderr, RED's detail
log.

What nothing inside the process can report: a syntax error in the script itself, an error before `import wherescape`,
`os._exit`, a crash of the interpreter, and SIGKILL. RED then finds no status and counts the task as failed. Nor can
a text be called back that was written to stdout, unbuffered, before `import wherescape`: let that be the first import.
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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from traceback import walk_tb
from types import FrameType, ModuleType, TracebackType
from typing import Any, NoReturn, TextIO, cast
from weakref import WeakKeyDictionary

from wherescape.environment import Environment
from wherescape.errors import DeclarationError, WhereScapeError
from wherescape.logging import DetailHandler, LogFileHandler, Report, WhereScapeLogHandler, open_log_file, report
from wherescape.redaction import add_secrets_of, redact

_STARTED_BY_RED = ("WSL_META_DSN", "WSL_SEQUENCE", "WSL_JOB_KEY", "WSL_LOAD_TABLE")
_EXIT_STATUS_VARIABLE = "WHERESCAPE_EXIT_STATUS"
_EXIT_STATUS_OF = {1: 0, -1: 0, -2: 2, -3: 3}

_PlainSystemExit = SystemExit

_logger = logging.getLogger(__name__)
_process: "_HostScriptProcess | None" = None
_is_refused = False


def take_over_if_started_by_red() -> None:
    """Take over when RED has started this process to run a script, so that any error from here on is reported.

    Not in a tool such as pytest that happens to run with WSL_* variables, nor in an interactive session.
    """
    script = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    if script.suffix and script.stem != "__main__" and any(name in os.environ for name in _STARTED_BY_RED):
        environment = Environment(os.environ)
        take_over(environment.workdir if environment.get("WSL_WORKDIR") else None)


def take_over(workdir: Path | None) -> None:
    """Keep stdout for the report, and see to it that the report is right however the script ends.

    A second call does nothing, except that it opens the log file if the first had no folder for it. Child processes
    of `multiprocessing` report to their parent only.

    Arguments:
        workdir: RED's work folder, in which the log file is kept; None for no log file.

    Raises:
        DeclarationError: within `refused`.
    """
    global _process
    if _is_refused:
        raise DeclarationError(
            "It makes a WhereScape, as a host script does, and nothing is loaded or registered here. Put its tables"
            " in a file of their own."
        )
    if _is_multiprocessing_child():
        return
    if _process is None:
        add_secrets_of(os.environ)
        _process = _HostScriptProcess(report)
    if workdir is not None:
        _process.log_to(workdir)


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Let no code become a host script meanwhile: for a file that is run for its declarations alone."""
    global _is_refused
    _is_refused = True
    try:
        yield
    finally:
        _is_refused = False


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
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(redact(text))
            self._stream.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush; a broken pipe at the very end would otherwise change the exit status to 120."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _HostScriptProcess:
    def __init__(self, report: Report) -> None:
        self._report = report
        self._process_id = os.getpid()
        self._log_file: LogFileHandler | None = None
        self._log_file_refused = False
        self._terminated_by = ""
        self._handled_signals: list[int] = []
        self._unhandled: BaseException | None = None
        self._exit_codes: list[object] = []
        self._earlier_excepthook = sys.excepthook

        self._report_fd = _detach_stdout()
        self._report_file = None if self._report_fd is None else _identity(self._report_fd)
        _replace_streams()
        self._handlers: list[logging.Handler] = [WhereScapeLogHandler(report), DetailHandler(sys.stderr)]
        self._keep_handlers()
        sys.excepthook = self._excepthook
        threading.excepthook = self._threading_excepthook
        sys.unraisablehook = self._unraisablehook
        _keep_loggers_enabled()
        _observe_system_exit(self._exit_codes.append)
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
            self._record(
                logging.WARNING,
                f"No log file in WSL_WORKDIR {workdir}: {error}. Check that RED's user may write there.",
            )
        else:
            self._handlers.append(self._log_file)
            self._attach_handlers()

    # ---------------------------------------------------------------------------------------------------- logging

    def _keep_handlers(self) -> None:
        root = logging.getLogger()

        def remove_handler(handler: logging.Handler) -> None:
            if handler not in self._handlers:
                logging.Logger.removeHandler(root, handler)

        # `basicConfig(force=True)` and `dictConfig` remove every handler of the root logger; the report needs its own.
        root.removeHandler = remove_handler  # type: ignore[method-assign, assignment]
        if root.level > logging.INFO:
            root.setLevel(logging.INFO)
        self._attach_handlers()

    def _attach_handlers(self) -> bool:
        root = logging.getLogger()
        missing = [handler for handler in self._handlers if handler not in root.handlers]
        for handler in missing:
            root.addHandler(handler)
        return bool(missing)

    def _record(self, level: int, text: str, error: BaseException | None = None, pathname: str = __file__) -> None:
        """Log what must be counted, whatever `logging.disable` or a configuration says."""
        self._attach_handlers()
        exc_info = (type(error), error, error.__traceback__) if error else None
        logging.getLogger().handle(logging.LogRecord("wherescape", level, pathname, 0, text, None, exc_info))

    # ------------------------------------------------------------------------------------------- ways to end early

    def _handle_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, self._on_signal)
                self._handled_signals.append(number)

    def _ignore_signals(self) -> None:
        """From here on nothing may come between the report and RED."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in self._handled_signals:
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, signal.SIG_IGN)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process_id:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not self._terminated_by:
            # Not logged here: the signal may have interrupted a handler in the middle of a write.
            self._terminated_by = signal.Signals(number).name
            report.is_terminated = True
            raise ProcessTerminated(f"Terminated by {self._terminated_by}")

    def _excepthook(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        self._record_exception(error)
        if self._earlier_excepthook is not sys.__excepthook__:
            # For what it does with the error; the traceback that it may print is in the detail log already.
            with contextlib.redirect_stderr(io.StringIO()):
                self._earlier_excepthook(kind, error, traceback)
        if sys._getframe().f_back is None:
            # Called by the interpreter, which takes the exit status from a SystemExit that its hook raises.
            raise _PlainSystemExit(0)

    def _threading_excepthook(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, _PlainSystemExit):
            name = args.thread.name if args.thread else "unknown"
            self._record_exception(args.exc_value, f" (in thread {name})")

    def _unraisablehook(self, args: "sys.UnraisableHookArgs") -> None:
        what = args.err_msg or "Exception ignored"
        # A finaliser that fails has lost nothing that the script counts on, and in a library it is not the script's.
        level = logging.CRITICAL if "atexit" in what or "thread" in what else logging.WARNING
        frames = list(walk_tb(args.exc_traceback))
        pathname = frames[-1][0].f_code.co_filename if frames else __file__
        self._record(level, f"{what}: {args.exc_type.__name__}: {args.exc_value}", args.exc_value, pathname)

    def _record_exception(self, error: BaseException, where: str = "") -> None:
        self._unhandled = error
        if isinstance(error, WhereScapeError):
            self._record(logging.ERROR, f"{_text_of(error) or type(error).__name__}{where}", error)
        elif isinstance(error, ProcessTerminated):
            self._record(logging.CRITICAL, str(error), error)
        else:
            self._record(logging.CRITICAL, f"{type(error).__name__}: {_text_of(error)}{where}".rstrip(": "), error)

    # ------------------------------------------------------------------------------------------------------ the end

    def _finish(self) -> None:
        if os.getpid() != self._process_id:
            return
        self._ignore_signals()
        bypassed = self._hook_was_bypassed()
        self._record_exit_code()
        if self._terminated_by and not isinstance(self._unhandled, ProcessTerminated):
            self._record(logging.CRITICAL, f"Terminated by {self._terminated_by}")
        if self._attach_handlers():
            self._record(logging.WARNING, "Log records were lost: the script replaced the root logger's handlers.")
        if self._log_file is None and not self._log_file_refused:
            self._record(logging.WARNING, "No log file: WSL_WORKDIR is not set. Set it to an existing folder.")
        exit_status = self._choose_exit_status()
        self._write_report()
        if exit_status != 0 or bypassed:
            # The interpreter has chosen its exit status by now, and there is no other way to change it.
            logging.shutdown()
            sys.stderr.flush()
            os._exit(exit_status)

    def _hook_was_bypassed(self) -> bool:
        """Record the exception that ended the script although another excepthook was installed over ours."""
        error = getattr(sys, "last_value", None)
        if error is None or sys.excepthook == self._excepthook:
            return False
        if error is not self._unhandled:
            self._record_exception(error)
        return True

    def _record_exit_code(self) -> None:
        for code in self._exit_codes:
            if isinstance(code, int):
                if code != 0:
                    self._record(logging.ERROR, f"The script left with exit status {int(code)}")
            elif code is not None:
                self._record(logging.ERROR, str(code) or "The script left with an empty message.")

    def _choose_exit_status(self) -> int:
        setting = os.environ.get(_EXIT_STATUS_VARIABLE, "")
        if setting.lower() not in ("", "follow"):
            self._record(
                logging.WARNING,
                f"{_EXIT_STATUS_VARIABLE} is {setting!r}: set it to 'follow' for RED 10's scheduler, or leave it out.",
            )
        interactive = Environment(os.environ).is_interactive
        return _EXIT_STATUS_OF[self._report.status] if setting.lower() == "follow" and not interactive else 0

    def _write_report(self) -> None:
        log_path = self._log_file.path if self._log_file else None
        try:
            text = self._report.render(log_path)
        except Exception as error:
            text = f"-3\nThe report could not be made: {type(error).__name__}\n"
        outcome = f"Ended with status {self._report.status}: {self._report.message}"
        if self._log_file:
            self._log_file.handle(logging.LogRecord("wherescape", logging.INFO, __file__, 0, outcome, None, None))
        try:
            # A script that closes all files may have opened another under the number.
            if self._report_fd is None or _identity(self._report_fd) != self._report_file:
                raise OSError("stdout is closed")
            with open(self._report_fd, "wb") as stdout:
                stdout.write(text.encode("ascii"))
        except OSError as error:
            self._record(logging.WARNING, f"RED did not get the report, {error}. {outcome}")


def _is_multiprocessing_child() -> bool:
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text cannot be read)"


def _detach_stdout() -> int | None:
    """Let file descriptor 1 lead to stderr.

    Returns:
        A file descriptor for what was stdout, which child processes do not inherit; None if it was closed.
    """
    # A standard stream that was closed when Python started is None, and its number may be another file's by now.
    kept = os.dup(1) if sys.__stdout__ is not None and _is_open(1) else None
    stderr = 2 if sys.__stderr__ is not None and _is_open(2) else os.open(os.devnull, os.O_WRONLY)
    if not _is_open(2):
        os.dup2(stderr, 2)
    if kept is not None or not _is_open(1):
        os.dup2(stderr, 1)
    if sys.stdout is not None:
        # What was printed so far, and still waits in the buffer, goes to stderr too.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
    return kept


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _replace_streams() -> None:
    stdout, stderr = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _redacting(stdout), _redacting(stderr)
    # A handler that the script made before holds the stream that does not redact.
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream in (stdout, stderr):
            handler.setStream(sys.stderr)


def _redacting(stream: TextIO | None) -> TextIO:
    if stream is None:
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if isinstance(stream, io.TextIOWrapper):
        try:
            stream.reconfigure(errors="backslashreplace")
        except OSError:
            # Its descriptor was a file's and now is that of a pipe or terminal, which has no position to keep.
            descriptor, encoding = stream.fileno(), stream.encoding
            stream = open(descriptor, "w", 1, encoding, "backslashreplace", closefd=False)  # noqa: SIM115
    return cast(TextIO, RedactingStream(stream))


def _observe_system_exit(tell_final_code: Callable[[object], None]) -> None:
    """Learn with which code the script leaves, and let the process end with 0.

    Python has a hook for every end of a script but SystemExit. One that nobody catches is known by this: the
    interpreter itself reads its `code`, with no Python code left on the stack. So `SystemExit` becomes a class that
    notices; whoever catches one and reads its code finds what was raised. Its limit: `except SystemExit` no
    longer catches a subclass that was made before the take-over.
    """
    process_id = os.getpid()
    plain_code: Any = vars(_PlainSystemExit)["code"]
    plain_exit = sys.exit

    class ObservedSystemExit(SystemExit):
        @property
        def code(self) -> Any:
            code = plain_code.__get__(self)
            if sys._getframe().f_back is not None or os.getpid() != process_id:
                return code
            tell_final_code(code)
            return 0

        @code.setter
        def code(self, value: Any) -> None:
            plain_code.__set__(self, value)

    def exit_script(status: Any = None, /) -> NoReturn:
        """Exit the interpreter by raising SystemExit(status)."""
        raise ObservedSystemExit() if status is None else ObservedSystemExit(status)

    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(ObservedSystemExit, attribute, getattr(_PlainSystemExit, attribute))
    exit_script.__name__ = exit_script.__qualname__ = "exit"
    # Modules that were imported before may have a name of their own for either.
    for module in [builtins, sys, *sys.modules.values()]:
        namespace = vars(module) if isinstance(module, ModuleType) else {}
        for name, value in list(namespace.items()):
            if value is plain_exit:
                namespace[name] = exit_script
            elif value is _PlainSystemExit and module is not sys.modules[__name__]:
                namespace[name] = ObservedSystemExit
    for subclass in _PlainSystemExit.__subclasses__():
        if subclass is not ObservedSystemExit:
            subclass.code = ObservedSystemExit.code  # type: ignore[assignment]


def _keep_loggers_enabled() -> None:
    """Let `logging.config` not disable the loggers that exist, as it does by default: their errors must count."""
    disabled: WeakKeyDictionary[logging.Logger, bool] = WeakKeyDictionary()

    def set_disabled(logger: logging.Logger, value: bool) -> None:
        if sys._getframe(1).f_globals.get("__name__") != "logging.config":
            disabled[logger] = bool(value)

    logging.Logger.disabled = property(  # type: ignore[assignment]
        lambda logger: disabled.get(logger, vars(logger).get("disabled", False)), set_disabled
    )
