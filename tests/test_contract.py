"""The tests that connectors inherit: a good connector passes, a fault of a bad one fails the test that names it."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import wherescape.connectors
from tests import acme_connector
from tests.acme_connector import AcmeContract, AcmeServer
from wherescape.sandbox import RedServer
from wherescape.testing.contract import ConnectorContract

TESTS = Path(__file__).parent


class TestAcmeItems(AcmeContract):
    """A connector as it should be passes all of them."""

    create_metadata = staticmethod(acme_connector.create_metadata)
    load_data = staticmethod(acme_connector.load_data)


@pytest.fixture
def server() -> Iterator[AcmeServer]:
    with AcmeServer() as server:
        yield server


@pytest.mark.parametrize(
    ("load", "test"),
    [
        (
            acme_connector.load_data_swallowing_errors,
            lambda contract, red, server: contract.test_a_fault_that_lasts_fails_the_load(red, server, "error"),
        ),
        (
            acme_connector.load_data_to_a_short_page,
            lambda contract, red, server: contract.test_short_pages_are_no_end(red, server),
        ),
        (
            acme_connector.load_data_remembering_ids,
            lambda contract, red, server: contract.test_two_loads_in_one_process_are_alike(red, server),
        ),
        (
            acme_connector.load_data_moving_the_mark_first,
            lambda contract, red, server: contract.test_a_fault_that_lasts_fails_the_load(red, server, "bad request"),
        ),
    ],
    ids=["swallows a 500", "stops at a short page", "shares a mutable default", "moves the mark first"],
)
def test_a_fault_of_a_connector_fails_the_test_that_names_it(
    clean_red: RedServer,
    server: AcmeServer,
    load: Callable[..., Any],
    test: Callable[[ConnectorContract[AcmeServer], RedServer, AcmeServer], None],
) -> None:
    class Good(TestAcmeItems):
        __test__ = False

    class Bad(Good):
        load_data = staticmethod(load)

    good = Good()
    good._add_records(server)
    good._create(clean_red, server)
    test(good, clean_red, server)
    server.mend()
    server.page = acme_connector.PAGE
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(Bad(), clean_red, server)


def _contracts() -> dict[str, list[type[ConnectorContract[Any]]]]:
    """Return the classes of tests of each connector of this package."""
    found: dict[str, list[type[ConnectorContract[Any]]]] = {}
    for connector in pkgutil.iter_modules(wherescape.connectors.__path__):
        module = importlib.import_module(f"tests.test_{connector.name}_contract")
        classes = [each for name, each in vars(module).items() if name.startswith("Test")]
        found[connector.name] = [each for each in classes if issubclass(each, ConnectorContract)]
    return found


def test_every_connector_inherits_the_tests() -> None:
    contracts = _contracts()
    assert sorted(contracts) == ["anythingllm", "friday_pulse", "gitlab", "hubspot", "jira", "notion"]
    assert [name for name, classes in contracts.items() if not classes] == []


def test_no_connector_leaves_a_test_out_without_a_reason() -> None:
    inherited = {name for name in vars(ConnectorContract) if name.startswith("test_")}
    for classes in _contracts().values():
        for each in classes:
            assert each.not_tested.keys() <= inherited
            assert all(len(reason.split()) >= 5 for reason in each.not_tested.values()), each
            own = {name for base in each.__mro__ if base is not ConnectorContract for name in vars(base)}
            assert own & inherited == set(), f"{each.__name__} replaces inherited tests"


def test_a_script_finds_a_connector_in_a_package_without_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spaces" / "lamps").mkdir(parents=True)
    (tmp_path / "spaces" / "lamps" / "lamps_load_data.py").write_text("def load(): pass\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("spaces.lamps.lamps_load_data")

    class Lamps(AcmeContract):
        load_data = staticmethod(module.load)

    script = Lamps()._script(tmp_path).read_text("utf-8")
    assert f"sys.path.insert(0, {str(tmp_path.resolve())!r})" in script
