"""The HubSpot host scripts as RED runs them: against real databases and a HubSpot on loopback."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.loading import texts_of_red, warnings_of
from tests.servers.hubspot_portal import OBJECT_TYPES, SINGULAR, options
from tests.servers.hubspot_server import HubspotServer
from wherescape import WhereScape
from wherescape.connectors.hubspot.collect_data import hubspot_collect_data
from wherescape.connectors.hubspot.hubspot_create_metadata import hubspot_create_metadata
from wherescape.errors import DeclarationError, EnvironmentVariableError, UnknownTableKind
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import TaskResult
from wherescape.testing.api_server import Answer

HOST_SCRIPTS = Path(__file__).parents[1] / "host_scripts"
DAY = timedelta(days=1)
OTHERS = {
    "load_hubspot_owner": 2,
    "load_hubspot_pipeline": 2,
    "load_hubspot_ticket_company_association": 3,
}


@pytest.fixture
def server(clean_red: RedServer) -> Iterator[HubspotServer]:
    with HubspotServer() as server:
        portal = server.portal
        clean_red.write_parameter("hubspot_access_token", portal.token)
        for object_type in OBJECT_TYPES:
            for _ in range(2):
                portal.add(object_type)
        portal.owners += [owner(1, archived=False), owner(2, archived=True)]
        portal.pipelines["tickets"].append(pipeline("support", "new", "closed"))
        first, second = portal.records["tickets"]
        company = next(iter(portal.records["companies"]))
        portal.associate("tickets", first, "companies", company, type_id=26)
        portal.associate("tickets", second, "companies", company)
        pass_time(server)
        yield server


def owner(number: int, *, archived: bool) -> dict[str, Any]:
    return {
        "id": str(number),
        "userId": number,
        "email": f"owner{number}@example.com",
        "firstName": "Ann",
        "lastName": f"Lee {number}",
        "archived": archived,
        "createdAt": "2026-01-05T10:05:00.000Z",
        "updatedAt": "2026-01-05T10:05:00.000Z",
    }


def pipeline(name: str, *stages: str) -> dict[str, Any]:
    return {
        "id": name,
        "label": name.capitalize(),
        "displayOrder": 0,
        "archived": False,
        "stages": [
            {"id": stage, "label": stage, "displayOrder": number, "archived": False, "metadata": {"isClosed": "false"}}
            for number, stage in enumerate(stages)
        ],
    }


def pass_time(server: HubspotServer) -> None:
    server.now = server.clock.now = server.clock.moment() + DAY


def run(red: RedServer, server: HubspotServer, script: str, table: str) -> TaskResult:
    return red.run_host_script(HOST_SCRIPTS / f"{script}.py", table, source_config={"url": server.url})


def attached(red: RedServer, server: HubspotServer, table: str) -> WhereScape:
    return WhereScape(red.environment(table, source_config={"url": server.url}))


def create(red: RedServer, server: HubspotServer, table: str, **arguments: Any) -> None:
    red.register_load_table(table)
    wherescape = attached(red, server, table)
    hubspot_create_metadata(wherescape, **arguments)
    wherescape.close()
    red.create_table(table)


def load(red: RedServer, server: HubspotServer, table: str, **arguments: Any) -> int:
    red.query_warehouse(f"TRUNCATE load.{table}")
    wherescape = attached(red, server, table)
    try:
        return hubspot_collect_data(wherescape, max_retries=0, **arguments).inserted
    finally:
        wherescape.close()


def rows(red: RedServer, table: str, expressions: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in red.query_warehouse(f"SELECT {expressions} FROM load.{table} ORDER BY 1")]


@pytest.mark.parametrize("object_type", OBJECT_TYPES)
def test_objects_are_registered_created_loaded_loaded_again_and_left_alone_by_a_failure(
    clean_red: RedServer, server: HubspotServer, object_type: str
) -> None:
    table = f"load_hubspot_{SINGULAR[object_type]}"
    clean_red.register_load_table(table)
    assert run(clean_red, server, "hubspot_create_metadata", table).status == 1
    clean_red.create_table(table)
    first = run(clean_red, server, "hubspot_collect_data", table)
    assert (first.status, first.inserted) == (1, 2), first
    mark = clean_red.read_parameter(f"HWM_{table}")
    added = server.portal.add(object_type)
    pass_time(server)
    second = run(clean_red, server, "hubspot_collect_data", table)
    assert (second.status, second.inserted) == (1, 1), second
    assert rows(clean_red, table, "id") == [(int(added),)]
    moved = clean_red.read_parameter(f"HWM_{table}")
    assert mark and moved and mark < moved
    server.fail_next(Answer(400, "{}"), path="search")
    failed = run(clean_red, server, "hubspot_collect_data", table)
    assert (failed.status, rows(clean_red, table, "id")) == (-2, []), failed
    assert clean_red.read_parameter(f"HWM_{table}") == moved


@pytest.mark.parametrize(("table", "count"), OTHERS.items())
def test_all_else_is_registered_created_and_loaded_in_full(
    clean_red: RedServer, server: HubspotServer, table: str, count: int
) -> None:
    clean_red.register_load_table(table)
    assert run(clean_red, server, "hubspot_create_metadata", table).status == 1
    clean_red.create_table(table)
    for _ in range(2):
        result = run(clean_red, server, "hubspot_collect_data", table)
        assert (result.status, result.inserted) == (1, count), result
    server.fail_next(Answer(400, "{}"), path="/crm/")
    failed = run(clean_red, server, "hubspot_collect_data", table)
    assert (failed.status, failed.inserted) == (-2, 0), failed


def test_definitions_of_properties_are_loaded(clean_red: RedServer, server: HubspotServer) -> None:
    server.portal.define("companies", "color", "enumeration", options=options("red", "blue"))
    create(clean_red, server, "load_hubspot_property")
    load(clean_red, server, "load_hubspot_property")
    found = rows(clean_red, "load_hubspot_property", "object_type, name, type, options, read_only")
    (color,) = [row for row in found if row[1] == "color"]
    assert color[:3] == ("companies", "color", "enumeration") and '"value": "red"' in color[3]
    assert {row[0] for row in found} == {*OBJECT_TYPES}


def test_values_have_the_types_of_their_properties(clean_red: RedServer, server: HubspotServer) -> None:
    for name, kind in (
        ("big", "number"),
        ("since", "date"),
        ("seen", "datetime"),
        ("ready", "bool"),
        ("nothing", "number"),
    ):
        server.portal.define("deals", name, kind)
    server.portal.add(
        "deals",
        big="12345678901.0123456789",
        since="2026-01-05",
        seen="2026-01-05T10:05:00Z",
        ready="true",
        nothing="",
    )
    create(clean_red, server, "load_hubspot_deal", properties=["big", "since", "seen", "ready", "nothing"])
    load(clean_red, server, "load_hubspot_deal")
    (row,) = rows(
        clean_red,
        "load_hubspot_deal WHERE big IS NOT NULL",
        "big, since, seen, ready, nothing",
    )
    assert (str(row[0]).rstrip("0"), str(row[1])[:10], row[2]) == (
        "12345678901.0123456789",
        "2026-01-05",
        datetime(2026, 1, 5, 10, 5),
    )
    assert row[3] in (True, "1") and row[4] is None


def test_a_property_that_is_renamed_or_gone_or_new_fails_no_load(
    clean_red: RedServer, server: HubspotServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.portal.define("companies", "color")
    server.portal.add("companies", color="red")
    create(clean_red, server, "load_hubspot_company")
    clean_red.query_repository("UPDATE red.ws_load_col SET lc_col_name = 'hue' WHERE lc_col_name = 'color'")
    clean_red.query_warehouse("ALTER TABLE load.load_hubspot_company RENAME color TO hue")
    server.portal.define("companies", "size")
    load(clean_red, server, "load_hubspot_company", full=True)
    assert ("red",) in rows(clean_red, "load_hubspot_company", "hue")
    assert warnings_of(caplog) == []
    del server.portal.definitions["companies"]["color"]
    load(clean_red, server, "load_hubspot_company", full=True)
    assert "The columns hue are NULL" in caplog.text
    assert {row[0] for row in rows(clean_red, "load_hubspot_company", "hue")} == {None}


def test_sensitive_properties_are_masked_unless_they_are_named(clean_red: RedServer, server: HubspotServer) -> None:
    server.portal.define("contacts", "diagnosis", "number", dataSensitivity="highly_sensitive")
    server.portal.add("contacts", diagnosis="4711")
    create(clean_red, server, "load_hubspot_contact")
    load(clean_red, server, "load_hubspot_contact")
    assert {row[0] for row in rows(clean_red, "load_hubspot_contact", "diagnosis")} == {None, "[MASKED]"}
    assert "4711" not in "\n".join(texts_of_red(clean_red).values())
    load(clean_red, server, "load_hubspot_contact", full=True, unmasked=["diagnosis"])
    assert {row[0] for row in rows(clean_red, "load_hubspot_contact", "diagnosis")} == {None, "4711"}


def test_what_is_archived_comes_on_request_and_is_not_among_the_keys(
    clean_red: RedServer, server: HubspotServer
) -> None:
    kept, gone = server.portal.records["deals"]
    server.portal.archive("deals", gone)
    create(clean_red, server, "load_hubspot_deal")
    assert load(clean_red, server, "load_hubspot_deal") == 1
    assert load(clean_red, server, "load_hubspot_deal", archived=True) == 1
    assert rows(clean_red, "load_hubspot_deal", "id") == [(int(gone),)]
    create(clean_red, server, "load_hubspot_deal_keys", keys_only=True)
    load(clean_red, server, "load_hubspot_deal_keys", keys_only=True)
    assert rows(clean_red, "load_hubspot_deal_keys", "id") == [(int(kept),)]


def test_a_change_that_the_search_knows_late_is_loaded_later(clean_red: RedServer, server: HubspotServer) -> None:
    create(clean_red, server, "load_hubspot_deal")
    load(clean_red, server, "load_hubspot_deal")
    server.portal.index_delay = timedelta(minutes=10)
    late = server.portal.add("deals")
    assert load(clean_red, server, "load_hubspot_deal") == 0
    pass_time(server)
    assert load(clean_red, server, "load_hubspot_deal") == 1
    assert rows(clean_red, "load_hubspot_deal", "id") == [(int(late),)]


def fails(red: RedServer, server: HubspotServer, table: str, **arguments: Any) -> Callable[[], int]:
    return lambda: load(red, server, table, **arguments)


@pytest.mark.parametrize(
    ("table", "arguments", "error", "said"),
    [
        ("load_hubspot", {}, UnknownTableKind, "must contain one of"),
        ("load_hubspot_ticket_association", {}, UnknownTableKind, "must contain two of"),
        ("load_hubspot_owner", {"archived": True}, DeclarationError, "go with objects"),
        ("load_hubspot_deal", {}, DeclarationError, "Run the metadata script"),
    ],
)
def test_what_cannot_be_is_refused(
    clean_red: RedServer,
    server: HubspotServer,
    table: str,
    arguments: dict[str, Any],
    error: type[Exception],
    said: str,
) -> None:
    clean_red.register_load_table(table)
    clean_red.query_warehouse(f"CREATE TABLE load.{table} (id bigint)")
    with pytest.raises(error, match=said):
        load(clean_red, server, table, **arguments)


def test_a_property_that_does_not_exist_is_named(clean_red: RedServer, server: HubspotServer) -> None:
    with pytest.raises(DeclarationError, match="no property 'colour'"):
        create(clean_red, server, "load_hubspot_deal", properties=["colour"])


def test_a_token_that_is_missing_is_named(clean_red: RedServer, server: HubspotServer) -> None:
    with pytest.raises(EnvironmentVariableError, match="hubspot_access_token_acme"):
        create(clean_red, server, "load_hubspot_acme_deal")
