"""A load that is killed, at any moment, loses nothing and doubles nothing."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyodbc
import pytest

from tests.crash_site import LOAD_TABLE, CrashSite, crash_site
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.tcp_proxy import Moment

KILLS_A_SEED = 25
LONGEST_SERIES = 3


@dataclass(frozen=True)
class Phase:
    """A boundary between two phases of a load."""

    name: str
    arm: Callable[[CrashSite], object]

    def __str__(self) -> str:
        return self.name


def at_target(name: str, pattern: bytes, moment: Moment = Moment.BEFORE) -> Phase:
    return Phase(name, lambda site: site.target.when(pattern, site.kill, moment))


def at_repository(name: str, pattern: bytes, moment: Moment = Moment.BEFORE) -> Phase:
    return Phase(name, lambda site: site.repository.when(pattern, site.kill, moment))


def at_commit_of_mark(name: str, moment: Moment) -> Phase:
    return Phase(name, lambda site: site.after_mark(b"COMMIT", site.kill, moment))


BEFORE_THE_COMMIT = [
    at_repository("connect to the repository", b"database\0red_repository\0"),
    at_target("connect to the warehouse", b"database\0warehouse\0"),
    Phase("after the first page", lambda site: site.source.before_page.update({2: site.kill})),
    at_target("during the first batch", b"3001-2"),
    at_target("between two batches", b"RELEASE SAVEPOINT", Moment.AFTER),
    at_target("before the commit", b"COMMIT"),
]
BEFORE_THE_MARK = [
    at_target("between the commit and its answer", b"COMMIT", Moment.ANSWERED),
    at_target("after the commit", b"COMMIT", Moment.AFTER),
    at_repository("before the task log", b"wswrktask"),
    at_repository("before the mark", b'"wsparameterwrite"'),
    at_commit_of_mark("before the commit of the mark", Moment.BEFORE),
]
# Only a staged mark survives these: one that has moved would keep from the next load what RED did not take over.
FROM_THE_MARK_ON = [
    at_commit_of_mark("between the commit of the mark and its answer", Moment.ANSWERED),
    Phase("after the mark", lambda site: site.after_mark(b"DEALLOCATE", site.kill)),
]


@pytest.fixture
def site(clean_red: RedServer, tmp_path: Path) -> Iterator[CrashSite]:
    with crash_site(clean_red, tmp_path) as site:
        yield site


@pytest.fixture
def staged_site(clean_red: RedServer, tmp_path: Path) -> Iterator[CrashSite]:
    with crash_site(clean_red, tmp_path, staged=True) as site:
        yield site


@pytest.mark.parametrize("phase", BEFORE_THE_MARK, ids=str)
def test_killed_before_the_mark_has_moved(site: CrashSite, phase: Phase) -> None:
    phase.arm(site)
    run = site.run_job()
    assert (run.stdout, run.exit_status != 0) == ("", True)
    site.mend()
    site.assert_nothing_is_lost()


@pytest.mark.parametrize("phase", [*BEFORE_THE_COMMIT, *BEFORE_THE_MARK, *FROM_THE_MARK_ON], ids=str)
def test_killed_with_a_staged_mark(staged_site: CrashSite, phase: Phase) -> None:
    phase.arm(staged_site)
    run = staged_site.run_job()
    assert (run.stdout, run.exit_status != 0) == ("", True)
    staged_site.mend()
    staged_site.assert_nothing_is_lost()


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments(staged_site: CrashSite, seed: int) -> None:
    site, moments = staged_site, random.Random(seed)
    before = site.target.chunks, site.repository.chunks
    site.assert_nothing_is_lost()
    progress = [("target", n) for n in range(1, site.target.chunks - before[0] + 1)]
    progress += [("repository", n) for n in range(1, site.repository.chunks - before[1] + 1)]
    progress += [("page", n) for n in range(1, 12)]
    killed = 0
    for _ in range(KILLS_A_SEED):
        site.source.grow()
        for _ in range(moments.randint(1, LONGEST_SERIES)):
            place, n = moments.choice(progress)
            if place == "page":
                site.source.before_page[n] = site.kill
            else:
                proxy = site.target if place == "target" else site.repository
                proxy.when(b"", site.kill, moments.choice(list(Moment)), occurrence=n)
            run = site.run_job()
            if run.exit_status:
                killed += 1
                assert run.stdout == ""
            site.mend()
        site.assert_nothing_is_lost()
        if killed >= KILLS_A_SEED:
            break
    assert killed >= KILLS_A_SEED


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send a signal to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_a_load_that_waits_for_a_lock(site: CrashSite, number: signal.Signals) -> None:
    red = site.red
    site.prepare()
    login = f"{red.target_connection_string};UID={red.target_user};PWD={red.target_password}"
    with closing(pyodbc.connect(login)) as session:
        session.execute(f"LOCK TABLE load.{LOAD_TABLE} IN SHARE MODE")
        process = site.start()
        while not red.query_warehouse("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert process.poll() is None
        process.send_signal(number)
        run = site.finish()
    assert run.status == "-3", run
    assert site.loaded() == []
    site.assert_nothing_is_lost()
