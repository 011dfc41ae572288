"""A load that loses a database or its source fails, says so, and loses nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash_site import MARK, SCRIPT, CrashSite, crash_site
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.tcp_proxy import Moment

RAISING_SCRIPT = SCRIPT.replace("(record for page", "(checked(record) for page").replace(
    "wherescape = WhereScape()",
    """
def checked(record):
    if record["id"] == 7001:
        raise ArithmeticError("no such item")
    return record

wherescape = WhereScape()
""",
)


@pytest.fixture
def site(clean_red: RedServer, tmp_path: Path) -> Iterator[CrashSite]:
    with crash_site(clean_red, tmp_path) as site:
        yield site


@dataclass(frozen=True)
class Break:
    """A moment at which a database goes away, and what the load says to it.

    Arguments:
        database: which database's conversation it is.
        pattern: what is on its way there.
        message: what the status message holds.
        moment: before it arrives, before its answer does, or after that.
        loaded: whether the rows are in the load table.
    """

    database: str
    pattern: bytes
    message: str
    moment: Moment = Moment.BEFORE
    loaded: bool = False


BROKE = "The connection to the target database broke; "
NOT_MOVED = f"The rows are loaded, but the high-water mark {MARK} could not be moved"
BREAKS = {
    "at connect": Break("target", b"database\0warehouse\0", "No connection to the target database."),
    "at connect to the repository": Break(
        "repository", b"database\0red_repository\0", "No connection to the repository database."
    ),
    "during a batch": Break("target", b"3001-2", BROKE + "nothing was committed."),
    "between batches": Break("target", b"RELEASE SAVEPOINT", BROKE + "nothing was committed.", Moment.AFTER),
    "before the commit": Break("target", b"COMMIT", BROKE + "a commit may have gone through."),
    "between commit and its answer": Break(
        "target", b"COMMIT", BROKE + "a commit may have gone through.", Moment.ANSWERED, loaded=True
    ),
    "between commit and task log": Break("repository", b"wswrktask", NOT_MOVED, loaded=True),
    "between commit and mark": Break("repository", b'"wsparameterwrite"', NOT_MOVED, loaded=True),
}


def cut(site: CrashSite) -> None:
    site.target.cut()
    site.repository.cut()


def stop(site: CrashSite) -> None:
    site.red.stop_database()
    # An answer that is here already would else arrive.
    cut(site)


@pytest.mark.parametrize("place", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("go_away", [cut, stop])
def test_a_database_that_goes_away_fails_the_load(
    site: CrashSite, place: Break, go_away: Callable[[CrashSite], None]
) -> None:
    mark = site.mark()
    proxy = site.target if place.database == "target" else site.repository
    proxy.when(place.pattern, lambda: go_away(site), place.moment)
    try:
        run = site.run_job()
    finally:
        site.mend()
        if go_away is stop:
            site.red.start_database()
    assert run.status == "-2", run
    assert place.message in run.message
    assert bool(site.loaded()) == place.loaded
    assert site.mark() == mark
    site.assert_nothing_is_lost()


def test_a_mark_that_was_written_but_not_confirmed_loses_nothing(site: CrashSite) -> None:
    site.after_mark(b"COMMIT", site.repository.drop, Moment.ANSWERED)
    site.run_job()
    site.source.grow()
    site.assert_nothing_is_lost()


def test_a_source_that_is_cut_fails_the_load(site: CrashSite) -> None:
    mark = site.mark()
    site.source.cut_pages.add(7)
    run = site.run_over_an_old_row()
    assert (run.status, "items" in run.message) == ("-2", True), run
    assert (site.loaded(), site.mark()) == (["old"], mark)
    site.source.cut_pages.clear()
    site.assert_nothing_is_lost()


def test_an_error_while_records_are_made_fails_the_load(site: CrashSite) -> None:
    mark = site.mark()
    run = site.run_over_an_old_row(RAISING_SCRIPT)
    assert run.status == "-3", run
    assert run.message.startswith("ArithmeticError: no such item")
    assert (site.loaded(), site.mark()) == (["old"], mark)
    site.assert_nothing_is_lost()
