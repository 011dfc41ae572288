"""Which portal a table belongs to: the token of another one is never used."""

from collections.abc import Iterator

import pytest

from tests.servers.hubspot_server import HubspotServer
from wherescape import WhereScape
from wherescape.connectors.hubspot.collect_data import hubspot_collect_data
from wherescape.connectors.hubspot.hubspot_create_metadata import hubspot_create_metadata
from wherescape.connectors.hubspot.utils import connect, hubspot_get_token
from wherescape.errors import DeclarationError, EnvironmentVariableError
from wherescape.sandbox.red_server import RedServer

BASE, VOYS, VOYS_DEV = "hubspot_access_token", "hubspot_access_token_voys", "hubspot_access_token_voys_dev"


@pytest.fixture
def wherescape(clean_red: RedServer) -> Iterator[WhereScape]:
    clean_red.register_load_table("load_hubspot_company")
    wherescape = WhereScape(clean_red.environment("load_hubspot_company"))
    yield wherescape
    wherescape.close()


def tokens(red: RedServer, *parameters: str) -> None:
    for parameter in parameters:
        red.write_parameter(parameter, f"token of {parameter}")


@pytest.mark.parametrize(
    ("table", "develop", "expected"),
    [
        ("load_hubspot_company", False, BASE),
        ("load_company", False, BASE),
        ("stage.load_hubspot_ticket_company_association", False, BASE),
        ("load_hubspot_voys_company", False, VOYS),
        ("stage.voys_companies", False, VOYS),
        ("stage.VOYS_Companies", False, VOYS),
        ("load_hubspot_company_voys", False, VOYS),
        ("load_hubspot_voys_company", True, VOYS_DEV),
        ("load_hubspot_company", True, f"{BASE}_dev"),
    ],
)
def test_the_token_is_that_of_the_portal_that_the_table_names(
    clean_red: RedServer, wherescape: WhereScape, table: str, develop: bool, expected: str
) -> None:
    tokens(clean_red, BASE, f"{BASE}_dev", VOYS, VOYS_DEV)
    assert hubspot_get_token(wherescape, table, develop) == (f"token of {expected}", expected)


@pytest.mark.parametrize(
    ("table", "develop", "missing"),
    [
        ("load_hubspot_voys_company", False, VOYS),
        ("load_hubspot_voysen_company", False, f"{BASE}_voysen"),
        ("load_hubspot_voys_company", True, VOYS_DEV),
        ("load_hubspot_company", True, f"{BASE}_dev"),
    ],
)
def test_a_token_that_is_missing_is_an_error_and_no_other_is_taken(
    clean_red: RedServer, wherescape: WhereScape, table: str, develop: bool, missing: str
) -> None:
    tokens(clean_red, BASE, f"{BASE}_other", f"{BASE}_other_dev", f"{BASE}_voy", VOYS_DEV if not develop else VOYS)
    with pytest.raises(EnvironmentVariableError, match=f"RED parameter {missing}\\."):
        hubspot_get_token(wherescape, table, develop)


def test_a_portal_that_is_said_goes_before_the_name(clean_red: RedServer, wherescape: WhereScape) -> None:
    tokens(clean_red, BASE, VOYS)
    assert hubspot_get_token(wherescape, "load_hubspot_company_daily", portal="")[1] == BASE
    assert hubspot_get_token(wherescape, "load_hubspot_company_daily", portal="voys")[1] == VOYS


def test_a_name_with_two_words_that_may_be_a_portal_is_refused(clean_red: RedServer, wherescape: WhereScape) -> None:
    tokens(clean_red, BASE, VOYS)
    with pytest.raises(DeclarationError, match="voys or daily"):
        hubspot_get_token(wherescape, "load_hubspot_voys_company_daily")


@pytest.mark.parametrize("environment", ["", "prod", "test"])
def test_nothing_is_written_as_long_as_it_is_not_known_what_the_repository_is_for(
    clean_red: RedServer, wherescape: WhereScape, environment: str
) -> None:
    tokens(clean_red, BASE)
    clean_red.write_parameter("hubspot_environment", environment)
    with pytest.raises(EnvironmentVariableError, match="Enter production, or development"):
        connect(wherescape, writes=True)


def test_each_table_is_loaded_from_its_own_portal(clean_red: RedServer) -> None:
    with HubspotServer() as server:
        other = server.add_portal("voys")
        clean_red.write_parameter(BASE, server.portal.token)
        clean_red.write_parameter(VOYS, other.token)
        server.portal.add("companies", name="Of main")
        other.add("companies", name="Of Voys")
        for table, name in (("load_hubspot_company", "Of main"), ("load_hubspot_voys_company", "Of Voys")):
            clean_red.register_load_table(table)
            wherescape = WhereScape(clean_red.environment(table, source_config={"url": server.url}))
            hubspot_create_metadata(wherescape)
            clean_red.create_table(table)
            hubspot_collect_data(wherescape)
            wherescape.close()
            assert [row[0] for row in clean_red.query_warehouse(f"SELECT name FROM load.{table}")] == [name]
            for portal in (server.portal, other):
                assert bool(portal.requests) == (
                    portal.records["companies"]
                    and name in [each.properties["name"] for each in portal.records["companies"].values()]
                )
                portal.requests.clear()
