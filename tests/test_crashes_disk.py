"""A full disk loses no rejected row, and no loaded one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash_site import LOAD_TABLE, CrashSite, crash_site
from wherescape.sandbox.red_server import RedServer

FULL_DISK = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL_DISK.exists(), reason=f"{sys.platform} has no {FULL_DISK}")


@pytest.fixture
def site(clean_red: RedServer, tmp_path: Path) -> Iterator[CrashSite]:
    with crash_site(clean_red, tmp_path) as site:
        yield site


def put_on_a_full_disk(file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    file.symlink_to(FULL_DISK)


def test_a_reject_that_cannot_be_kept_fails_the_load(site: CrashSite) -> None:
    mark = site.mark()
    site.source.spoilt.add(7_001)
    site.prepare()
    reject_file = site.red.workdir / "rejects" / f"{LOAD_TABLE}_{site.variables['WSL_SEQUENCE']}.jsonl"
    put_on_a_full_disk(reject_file)
    site.start()
    run = site.finish()
    assert run.status == "-2", run
    assert f"{reject_file} cannot be written (No space left on device)" in run.message
    assert (site.loaded(), site.mark()) == ([], mark)
    site.source.spoilt.clear()
    site.assert_nothing_is_lost()


def test_a_run_report_that_cannot_be_kept_is_a_warning(site: CrashSite) -> None:
    site.prepare()
    report = site.red.workdir / "runs" / f"{LOAD_TABLE}_{site.variables['WSL_SEQUENCE']}.json"
    # While the script runs, since its process is a part of the name.
    site.source.before_page[2] = lambda: put_on_a_full_disk(report.with_suffix(f".{site.process_id}.tmp"))
    site.start()
    run = site.finish()
    assert run.status == "-1", run
    assert f"{report} cannot be written: No space left on device" in "\n".join(run.audit)
    assert not report.exists()
    assert "7001-2" in site.loaded()
    assert site.mark() == site.source.largest_moment
