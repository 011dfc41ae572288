"""A step behind the load that fails loses nothing, if the load stages its mark."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash_site import MARK, TAKE_OVER, CrashSite, crash_site
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.tcp_proxy import Moment


@pytest.fixture
def site(clean_red: RedServer, tmp_path: Path) -> Iterator[CrashSite]:
    with crash_site(clean_red, tmp_path, staged=True) as site:
        yield site


def test_the_next_load_starts_from_the_confirmed_mark(site: CrashSite) -> None:
    mark = site.mark()
    run = site.load()
    assert (run.status, site.mark()) == ("1", mark), run
    site.source.grow()
    site.assert_nothing_is_lost()


def test_a_load_that_fails_leaves_nothing_to_confirm_from_the_one_before(site: CrashSite) -> None:
    mark = site.mark()
    assert site.load().status == "1"
    site.target.when(b"COMMIT", site.target.cut)
    assert site.load().status == "-2"
    site.mend()
    assert (site.confirm(), site.mark()) == ([], mark)
    site.assert_nothing_is_lost()


def test_a_mark_that_was_staged_without_an_answer_loses_nothing(site: CrashSite) -> None:
    site.after_mark(b"COMMIT", site.repository.cut, Moment.ANSWERED)
    run = site.run_job()
    assert run.status == "-2", run
    site.mend()
    site.assert_nothing_is_lost()


def test_only_what_the_own_job_staged_is_confirmed(site: CrashSite) -> None:
    mark = site.mark()
    site.load()
    site.red.query_warehouse(TAKE_OVER)
    another = site.variables | site.red.start_task("confirm", "Another")
    assert (site.confirm(another), site.mark()) == ([], mark)
    assert (site.confirm(), site.mark()) == ([MARK], site.source.largest_moment)


def test_a_confirmation_that_is_killed_is_made_up_for(site: CrashSite) -> None:
    site.load()
    site.red.query_warehouse(TAKE_OVER)
    site.after_mark(b"COMMIT", site.kill, Moment.ANSWERED)
    site.start("from wherescape.high_water_mark import confirm_high_water_marks\nconfirm_high_water_marks()")
    run = site.finish()
    assert run.stdout == ""
    site.mend()
    assert site.confirm() == [MARK]
    site.source.grow()
    site.assert_nothing_is_lost()
