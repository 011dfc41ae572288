"""What load tables and HubSpot lack of each other: found, told, and closed once it is put right."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.loading import warnings_of
from tests.servers.hubspot_server import HubspotServer
from wherescape import WhereScape
from wherescape.connectors.hubspot.check_missing_columns import (
    hubspot_check_missing_columns,
    hubspot_create_metadata_missing_columns,
)
from wherescape.connectors.hubspot.hubspot_create_metadata import hubspot_create_metadata
from wherescape.errors import DeclarationError
from wherescape.sandbox.red_server import RedServer

TABLE, COMPANY = "load_hubspot_missing_column", "load_hubspot_company"


@pytest.fixture
def server(clean_red: RedServer) -> Iterator[HubspotServer]:
    with HubspotServer() as server:
        server.portal.define("companies", "color")
        clean_red.write_parameter("hubspot_access_token", server.portal.token)
        clean_red.register_load_table(COMPANY)
        wherescape = attached(clean_red, server, COMPANY)
        hubspot_create_metadata(wherescape)
        wherescape.close()
        clean_red.register_load_table(TABLE)
        wherescape = attached(clean_red, server)
        hubspot_create_metadata_missing_columns(wherescape)
        wherescape.close()
        clean_red.create_table(TABLE)
        yield server


def attached(red: RedServer, server: HubspotServer, table: str = TABLE) -> WhereScape:
    return WhereScape(red.environment(table, source_config={"url": server.url}))


def check(red: RedServer, server: HubspotServer, *tables: str) -> list[tuple[Any, ...]]:
    red.query_warehouse(f"TRUNCATE load.{TABLE}")
    wherescape = attached(red, server)
    try:
        hubspot_check_missing_columns(tables or [COMPANY], wherescape, max_retries=0)
    finally:
        wherescape.close()
    rows = red.query_warehouse(
        f"SELECT column_name, missing_where, resolved_at IS NOT NULL FROM load.{TABLE} ORDER BY column_name"
    )
    return [(row[0], row[1], row[2] in (True, "1")) for row in rows]


def test_what_is_missing_comes_as_rows_and_a_warning_and_is_closed_once_it_is_there(
    clean_red: RedServer, server: HubspotServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert check(clean_red, server) == []
    assert warnings_of(caplog) == []
    server.portal.define("companies", "size")
    del server.portal.definitions["companies"]["color"]
    expected = [("color", "hubspot", False), ("size", "warehouse", False)]
    assert check(clean_red, server) == expected
    assert "2 columns are missing" in caplog.text and "size (warehouse)" in caplog.text
    first = clean_red.query_warehouse(f"SELECT min(first_seen_at) FROM load.{TABLE}")[0][0]
    assert check(clean_red, server) == expected
    assert clean_red.query_warehouse(f"SELECT min(first_seen_at) FROM load.{TABLE}")[0][0] == first
    server.portal.define("companies", "color")
    assert check(clean_red, server) == [("color", "hubspot", True), ("size", "warehouse", False)]
    del server.portal.definitions["companies"]["color"]
    assert ("color", "hubspot", False) in check(clean_red, server)


def test_the_internal_properties_of_hubspot_are_not_missed(clean_red: RedServer, server: HubspotServer) -> None:
    server.portal.define("companies", "hs_analytics_source", hubspotDefined=True)
    assert check(clean_red, server) == []


@pytest.mark.parametrize(
    ("tables", "said"),
    [(["load_hubspot_owner"], "holds no objects"), (["load_hubspot_deal"], "tied to a property|knows no")],
)
def test_a_table_that_cannot_be_compared_is_named(
    clean_red: RedServer, server: HubspotServer, tables: list[str], said: str
) -> None:
    clean_red.register_load_table("load_hubspot_deal")
    with pytest.raises(DeclarationError, match=said):
        check(clean_red, server, *tables)


def test_tables_must_be_said(clean_red: RedServer, server: HubspotServer) -> None:
    wherescape = attached(clean_red, server)
    with pytest.raises(DeclarationError, match="Say which load tables"):
        hubspot_check_missing_columns(wherescape=wherescape)
    wherescape.close()
