"""The pytest plugin: fixtures of the stand-in RED server. pytest finds it by itself once the package is installed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from wherescape.sandbox import RedServer

pytest.register_assert_rewrite("wherescape.testing.contract")


@pytest.fixture(scope="session")
def red() -> "Iterator[RedServer]":
    """The stand-in RED server; rows that other tests left may be in it."""
    from wherescape.sandbox import RedServer

    with RedServer() as server:
        yield server


@pytest.fixture
def clean_red(red: "RedServer") -> "RedServer":
    """The stand-in RED server, as empty as after its start."""
    red.reset()
    return red
