"""What the tests share: one stand-in RED server for the whole session."""

import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from wherescape.sandbox import RedServer


def pytest_configure() -> None:
    """Keep the WSL_* variables of the machine out of the tests, and let no property test fail for being slow."""
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")
    for name in [name for name in os.environ if name.upper().startswith("WSL_")]:
        del os.environ[name]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep halves of characters out of what a worker process reports: it could not send them."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def red() -> Iterator[RedServer]:
    """The stand-in RED server; rows that other tests left may be in it."""
    with RedServer() as server:
        yield server


@pytest.fixture
def clean_red(red: RedServer) -> RedServer:
    """The stand-in RED server, as empty as after its start."""
    red.reset()
    return red
