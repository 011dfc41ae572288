"""The order of an examination: what fails is told, and what depends on it is passed over."""

import atexit
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial

from wherescape import redaction
from wherescape.catalogue import Connector
from wherescape.doctor import api, databases, machine
from wherescape.doctor.findings import Finding
from wherescape.doctor.variables import TOPIC as VARIABLES
from wherescape.doctor.variables import check_variables
from wherescape.environment import Environment
from wherescape.errors import EnvironmentVariableError, WhereScapeError
from wherescape.repository import Repository
from wherescape.wherescape import WhereScape

Check = Callable[[], Iterable[Finding]]

REPOSITORY, TARGET, LOAD_TABLE = "repository", "target", "load table"
_NO_ANSWER = {
    api.TOPIC: api.NO_ANSWER,
    REPOSITORY: "Check that the database is up and that no firewall is between; --seconds gives it more time.",
    TARGET: "Check that the database is up and that no firewall is between; --seconds gives it more time.",
}


def examine(variables: Mapping[str, str], connector: Connector | None, seconds: float) -> Iterator[Finding]:
    """Examine what a load needs, and tell each finding as soon as it is there.

    Arguments:
        variables: the WSL_* variables.
        connector: whose API is asked; None for none.
        seconds: how long a single check may take.
    """
    environment = Environment(variables)
    wherescape = WhereScape(variables)
    # What hangs would hang again at the end of the process.
    atexit.unregister(wherescape.close)
    checks = _Checks(seconds)

    def red() -> Repository:
        return Repository(wherescape.meta, environment)

    yield from checks.run(VARIABLES, lambda: check_variables(variables))
    yield from checks.run("machine", machine.check_versions)
    yield from checks.run("code page", machine.check_code_page)
    yield from checks.run("work folder", lambda: machine.check_work_folder(environment))
    yield from checks.run("log file", lambda: machine.check_log_file(environment), "work folder")
    yield from checks.run("ODBC", machine.check_odbc)
    for prefix in ("WSL_META", "WSL_TGT"):
        yield from checks.run(f"{prefix}_DSN", partial(machine.check_data_source, environment, prefix))
    yield from checks.run(REPOSITORY, lambda: databases.check_repository(red()), "WSL_META_DSN")
    yield from checks.run("routines", lambda: databases.check_routines(red()), REPOSITORY)
    yield from checks.run(TARGET, lambda: databases.check_database(wherescape.target), "WSL_TGT_DSN")
    yield from _of_api(checks, wherescape, variables, connector)
    if environment.get("WSL_LOAD_TABLE"):
        yield from _of_load_table(checks, wherescape, red, connector)
    if not checks.is_hanging:
        with suppress(Exception):
            wherescape.close()


def _of_api(
    checks: "_Checks", wherescape: WhereScape, variables: Mapping[str, str], connector: Connector | None
) -> Iterator[Finding]:
    if connector is None:
        yield Finding(api.TOPIC, "skipped", "No connector is named: choose one with --connector.")
        return
    if REPOSITORY in checks.failed or "WSL_META_DSN" in checks.failed:
        # A login that is kept in a RED parameter cannot be had; with one of the connection the API can be asked.
        wherescape = WhereScape({**variables, "WSL_META_DSN": ""})

    def check() -> Iterator[Finding]:
        try:
            yield from api.check_api(wherescape, connector)
        except EnvironmentVariableError as error:
            if "WSL_META_DSN" not in str(error):
                raise
            checks.failed.add(api.TOPIC)
            yield skipped(api.TOPIC, REPOSITORY)

    yield from checks.run(api.TOPIC, check)


def _of_load_table(
    checks: "_Checks", wherescape: WhereScape, red: Callable[[], Repository], connector: Connector | None
) -> Iterator[Finding]:
    schema, table, full_name = wherescape.schema, wherescape.table, wherescape.load_full_name

    def check_declaration() -> Iterator[Finding]:
        declaration = connector.declaration(wherescape) if connector else None
        yield from databases.check_declaration(declaration, red(), wherescape.target, schema, table)

    yield from checks.run(
        LOAD_TABLE,
        lambda: databases.check_load_table(red(), wherescape.target, schema, table, full_name),
        REPOSITORY,
        TARGET,
    )
    asked = (api.TOPIC,) if connector and connector.asks_for_declaration else ()
    yield from checks.run("columns", check_declaration, LOAD_TABLE, *asked)


class _Checks:
    """Runs checks that are bounded in time, and remembers which have failed.

    Arguments:
        seconds: how long a check may take.
    """

    def __init__(self, seconds: float) -> None:
        self.failed: set[str] = set()
        self.is_hanging = False
        self._seconds = seconds

    def run(self, topic: str, check: Check, *needs: str) -> list[Finding]:
        """Run a check, unless one that it needs has failed.

        Arguments:
            topic: names it.
            check: gives findings; an error that it raises is one, too.
            needs: the topics of other checks.
        """
        if lacking := [need for need in needs if need in self.failed]:
            self.failed.add(topic)
            return [skipped(topic, lacking[0])]
        findings = self._bounded(topic, check)
        if any(finding.state == "error" for finding in findings):
            self.failed.add(topic)
        return findings

    def _bounded(self, topic: str, check: Check) -> list[Finding]:
        found: list[Finding] = []
        # A driver that hangs cannot be interrupted, so it is left behind.
        thread = threading.Thread(target=lambda: _collect(topic, check, found), daemon=True)
        thread.start()
        thread.join(self._seconds)
        if not thread.is_alive():
            return found
        self.is_hanging = True
        message = f"No answer within {self._seconds:g} seconds."
        return [*found, Finding(topic, "error", message, _NO_ANSWER.get(topic, "Try it with a larger --seconds."))]


def skipped(topic: str, need: str) -> Finding:
    """Return the finding of what cannot be looked at."""
    return Finding(topic, "skipped", f"Not looked at, since {need} has failed: mend that first.")


def _collect(topic: str, check: Check, found: list[Finding]) -> None:
    try:
        found.extend(check())
    except WhereScapeError as error:
        # Its message says what to do.
        found.append(Finding(topic, "error", redaction.redact(str(error))))
    except Exception as error:
        text = redaction.redact(f"{type(error).__name__}: {error}")
        found.append(Finding(topic, "error", text, "This is a fault of the examination: report it, with this line."))
