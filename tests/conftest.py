"""How the tests run; their stand-in RED server comes from the plugin in `wherescape.testing`."""

import logging
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings


def pytest_configure() -> None:
    """Keep the WSL_* variables of the machine out of the tests, and let no property test fail for being slow."""
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")
    for name in [name for name in os.environ if name.upper().startswith("WSL_")]:
        del os.environ[name]


@pytest.fixture(autouse=True)
def _levels_of_logs() -> Iterator[None]:
    """Put back what a test changes, so that the next one sees the same log whatever ran before."""
    loggers = [logging.getLogger(), logging.getLogger("wherescape")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep halves of characters out of what a worker process reports: it could not send them."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
