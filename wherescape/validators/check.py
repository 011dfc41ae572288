"""What all checks share: tables of the repository, a query for each, a CSV file, a page, and warnings."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from wherescape.errors import DeclarationError, RepositoryError, ResultNotWritten, StatementFailed
from wherescape.pages.page import render, write_page
from wherescape.redaction import redact
from wherescape.repository import TableKind, WarehouseTable
from wherescape.validators.results import Before, EarlierResult, earlier_results, result_path, write_result
from wherescape.validators.warehouse import Warehouse
from wherescape.wherescape import WhereScape

logger = logging.getLogger(__name__)

LOCK_SECONDS = 60
MOST_SAID_OF_A_TABLE = 3
MOST_SHOWN_AT_ONCE = 40
SMALLEST_CHANGE = 0.0005


@dataclass(frozen=True)
class Check:
    """What a check is called and how its result looks.

    Arguments:
        name: in the names of its files.
        title: of its page.
        explanation: what its page shows, for a reader who has not seen it before.
        kinds: the kinds of tables in RED that it is about.
        about: what the tables have that it is about, to complete "a table that".
        header: of the CSV file; `date` and `table` come first.
        drawing: what the bars show.
        parts: what the two parts of a bar are, where it has two.
    """

    name: str
    title: str
    explanation: str
    kinds: tuple[TableKind, ...]
    about: str
    header: tuple[str, ...]
    drawing: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """What a check found of a table, or of one of its columns.

    Arguments:
        attribute: the column; empty for the table.
        values: the line in the CSV file, without date and table.
        figures: the same for a reader.
        bar: how much of the bar is filled, from 0 to 1, by one part after another.
        limit: where the bar has a mark, from 0 to 1.
        history: figures of earlier days and of this run, in order, to be shown in place of a bar.
        change: against the last run.
        is_worse: whether the change is for the worse.
        warnings: what is beyond a limit, with the limit.
        badness: the worst come first.
    """

    attribute: str
    values: tuple[object, ...]
    figures: str
    bar: tuple[float, ...] = ()
    limit: float | None = None
    history: tuple[float, ...] = ()
    change: str = ""
    is_worse: bool = False
    warnings: tuple[str, ...] = ()
    badness: float = 0


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Arguments:
        findings: by the table's name, the worst first.
        not_read: the tables that could not be read, with the reason.
        csv: the file with the result.
        page: the page with the same.
    """

    findings: list[tuple[str, Finding]]
    not_read: dict[str, str]
    csv: Path
    page: Path


Measure = Callable[[Warehouse, WarehouseTable, Before], Iterable[Finding]]


def run_check(
    check: Check,
    is_about: Callable[[WarehouseTable], object],
    measure: Measure,
    output_file_location: str | Path,
    wherescape: WhereScape | None,
    leave_out: Sequence[str],
    lock_seconds: float,
) -> CheckResult:
    """Run a check, write its files, and report to RED.

    Arguments:
        check: what it is called.
        is_about: tells whether a table has what is checked.
        measure: checks one table: the warehouse, the table, what earlier runs found of it.
        output_file_location: the folder for the files; the work folder when empty.
        wherescape: made from the environment when left out.
        leave_out: names of tables that are not checked, with or without schema; `*` stands for any text.
        lock_seconds: how long a query waits for the locks of others before its table counts as not read.

    Raises:
        EnvironmentVariableError: there is no target database, or no work folder.
        ResultNotWritten: the files cannot be written.
        ConnectionFailed: repository or warehouse cannot be reached; nothing was written.
    """
    if isinstance(leave_out, str):
        raise DeclarationError(f"leave_out is the text {leave_out!r}; it is a list of names.")
    wherescape = wherescape or WhereScape()
    folder = Path(output_file_location) if str(output_file_location).strip() else wherescape.workdir
    started = datetime.now().astimezone()
    path = result_path(folder, wherescape.job_key, check.name, started.date())
    with _writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        earlier = earlier_results(folder, check.name, started.date())
    tables = _tables(wherescape, check.kinds, leave_out)
    chosen = {name: table for name, table in tables.items() if is_about(table)}
    with closing(Warehouse(wherescape.target.login, lock_seconds)) as warehouse:
        findings, not_read = _measure(warehouse, chosen, measure, earlier)
    with _writing_to(folder):
        today = started.date().isoformat()
        write_result(path, check.header, [(today, name, *finding.values) for name, finding in findings])
        findings.sort(key=lambda found: (not found[1].warnings, -found[1].badness, found[0]))
        result = CheckResult(findings, not_read, path, path.with_suffix(".html"))
        shown = max(MOST_SHOWN_AT_ONCE, sum(bool(finding.warnings) for _, finding in findings))
        html = render(
            "check.html.j2",
            check=check,
            result=result,
            shown=findings[:shown],
            folded=findings[shown:],
            beyond=len(_beyond(findings)),
            read=len(chosen) - len(not_read),
            not_checked=sorted(tables.keys() - chosen.keys()),
            compared_with=earlier[0].day if earlier else None,
            started=started,
            job_name=wherescape.job_name,
        )
        write_page(result.page, html)
    _report(wherescape, check, result, len(chosen))
    return result


def share_of(part: float, whole: float) -> float:
    """Return a share from 0 to 1; of nothing it is 0."""
    return part / whole if whole else 0.0


def percent(share: float) -> str:
    """Return a share as a percentage that is 0 or 100 only if it is so."""
    if 0 < share < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < share < 1 else f"{share:.1%}"


def points(change: float) -> str:
    """Return the change of a share, in percentage points."""
    return f"{100 * change:+.1f} points" if abs(change) >= SMALLEST_CHANGE else "no change"


def require_share(name: str, share: float) -> None:
    """Refuse a limit that is no share.

    Raises:
        DeclarationError: it is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise DeclarationError(f"{name} is {share}; it is a share from 0 to 1, such as 0.05 for 5%.")


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultNotWritten(
            f"The result cannot be written to the folder {folder}: {error.strerror or error}. Check that RED's user"
            " may write there."
        ) from error


def _tables(wherescape: WhereScape, kinds: Iterable[TableKind], leave_out: Sequence[str]) -> dict[str, WarehouseTable]:
    """Return the tables of some kinds by name; by schema and name, or database, too, where several have the same."""
    found = [table for kind in kinds for table in wherescape._repository.warehouse_tables(kind)]
    names = {table: _names(table) for table in found if not _is_in(leave_out, table)}
    count = Counter(name for candidates in names.values() for name in candidates)
    return {next((name for name in own if count[name] == 1), own[-1]): table for table, own in names.items()}


def _names(table: WarehouseTable) -> list[str]:
    """Return a table's name alone, with its schema, and with its database as well."""
    parts = [part for part in (table.database, table.schema, table.name) if part]
    return [".".join(parts[start:]) for start in reversed(range(len(parts)))]


def _is_in(patterns: Iterable[str], table: WarehouseTable) -> bool:
    names = (table.name.lower(), f"{table.schema}.{table.name}".lower())
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns for name in names)


def _measure(
    warehouse: Warehouse, tables: dict[str, WarehouseTable], measure: Measure, earlier: Sequence[EarlierResult]
) -> tuple[list[tuple[str, Finding]], dict[str, str]]:
    findings: list[tuple[str, Finding]] = []
    not_read: dict[str, str] = {}
    warehouse.learn_names(tables.values())
    for name, table in tables.items():
        try:
            findings += [(name, finding) for finding in measure(warehouse, table, Before(name, earlier))]
        except (StatementFailed, RepositoryError) as error:
            not_read[name] = redact(str(error))
    return findings, not_read


def _beyond(findings: Iterable[tuple[str, Finding]]) -> dict[str, list[str]]:
    """Return by table what is beyond a limit."""
    beyond: dict[str, list[str]] = {}
    for name, finding in findings:
        if finding.warnings:
            beyond.setdefault(name, []).extend(finding.warnings)
    return beyond


def _report(wherescape: WhereScape, check: Check, result: CheckResult, count: int) -> None:
    logger.info("Result: %s", result.csv)
    logger.info("Page: %s", result.page)
    beyond = _beyond(result.findings)
    parts = [f"{count:,} {'table' if count == 1 else 'tables'} to check"]
    parts += [f"{len(beyond):,} beyond a limit"] * bool(beyond)
    parts += [f"{len(result.not_read):,} not read"] * bool(result.not_read)
    wherescape.main_message = f"{check.title}: {', '.join(parts)}"
    for name, said in beyond.items():
        more = len(said) - MOST_SAID_OF_A_TABLE
        logger.warning(
            "%s: %s%s", name, "; ".join(said[:MOST_SAID_OF_A_TABLE]), f"; and {more} more" if more > 0 else ""
        )
    for name, reason in result.not_read.items():
        logger.warning("%s was not read. %s", name, reason)
    if not count:
        logger.warning("Nothing was checked: RED knows no table that %s.", check.about)
