"""The HubSpot portal as the wrapper reads it: whole, whatever the search forgets, hides or gives in pieces."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.servers.hubspot_portal import START, options
from tests.servers.hubspot_server import HubspotServer
from wherescape.connectors.hubspot.hubspot_objects import COMPANY, CONTACT, DEAL, TICKET
from wherescape.connectors.hubspot.hubspot_wrapper import Hubspot
from wherescape.errors import ApiAnswerInvalid, ApiRateLimited, ApiRefused, DeclarationError

MINUTE = timedelta(minutes=1)


@pytest.fixture
def server() -> Iterator[HubspotServer]:
    with HubspotServer() as server:
        yield server


@pytest.fixture
def hubspot(server: HubspotServer) -> Iterator[Hubspot]:
    with Hubspot(server.portal.token, server.url, max_retries=0, workers=1, searches_a_second=1_000) as hubspot:
        yield hubspot


def pass_time(server: HubspotServer, time: timedelta = MINUTE) -> None:
    server.clock.now = server.clock.moment() + time


def ids(records: Iterator[dict[str, object]]) -> list[str]:
    return [str(each["id"]) for each in records]


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_a_list_is_read_to_its_end(server: HubspotServer, hubspot: Hubspot, count: int) -> None:
    added = [server.portal.add("companies", name=f"Company {number}") for number in range(count)]
    found = list(hubspot.objects(COMPANY, ["name"]))
    assert [each["id"] for each in found] == added
    assert [each["properties"]["name"] for each in found] == [f"Company {number}" for number in range(count)]


def test_many_properties_are_read_in_batches(server: HubspotServer, hubspot: Hubspot) -> None:
    names = [f"a_rather_long_name_of_a_property_{number:03}" for number in range(200)]
    for name in names:
        server.portal.define("deals", name)
    added = [server.portal.add("deals", **{names[-1]: str(number)}) for number in range(150)]
    found = list(hubspot.objects(DEAL, names))
    assert [(each["id"], each["properties"][names[-1]]) for each in found] == [
        (record_id, str(number)) for number, record_id in enumerate(added)
    ]


def test_many_properties_of_archived_objects_are_read_in_batches(server: HubspotServer, hubspot: Hubspot) -> None:
    names = [f"a_rather_long_name_of_a_property_{number:03}" for number in range(200)]
    for name in names:
        server.portal.define("deals", name)
    kept, gone = server.portal.add("deals"), server.portal.add("deals")
    server.portal.archive("deals", gone)
    assert ids(hubspot.objects(DEAL, names)) == [kept]
    assert ids(hubspot.objects(DEAL, names, archived=True)) == [gone]


def test_searches_keep_to_their_own_limit(server: HubspotServer) -> None:
    server.most_searched, server.searches, server.interval_milliseconds = 1, 4, 900
    added = [server.portal.add("deals") for _ in range(12)]
    with Hubspot(server.portal.token, server.url, max_retries=0) as hubspot:
        assert ids(hubspot.search(DEAL, [], [])) == added


def test_archived_objects_are_read_on_request(server: HubspotServer, hubspot: Hubspot) -> None:
    kept, gone = server.portal.add("deals"), server.portal.add("deals")
    server.portal.archive("deals", gone)
    assert ids(hubspot.objects(DEAL)) == [kept]
    assert ids(hubspot.objects(DEAL, archived=True)) == [gone]


@pytest.mark.parametrize("object_type", [COMPANY, CONTACT], ids=lambda each: each.kind)
@pytest.mark.parametrize("has_empty_pages", [True, False])
def test_what_has_changed_is_read_beyond_the_limit_of_a_search(
    server: HubspotServer, hubspot: Hubspot, object_type: object, has_empty_pages: bool
) -> None:
    assert object_type in (COMPANY, CONTACT)
    kind = COMPANY if object_type is COMPANY else CONTACT
    server.most_searched, server.most_results = 3, 1_000
    server.has_empty_pages = has_empty_pages
    old = server.portal.add(kind.name)
    pass_time(server)
    since = server.clock.moment()
    added = []
    # Many of one moment, and some of others.
    for moment in range(6):
        added += [server.portal.add(kind.name) for _ in range(10 if moment == 2 else 2)]
        pass_time(server)
    found = ids(hubspot.changed_objects(kind, [], since))
    assert sorted(found) == sorted(added) and old not in found
    assert len(found) == len(set(found))


def test_an_object_that_changes_while_the_search_is_read_hides_no_other(
    server: HubspotServer, hubspot: Hubspot
) -> None:
    server.most_searched = 3
    added = []
    for _ in range(12):
        added.append(server.portal.add("deals"))
        pass_time(server)
    for after, changed in ((0, added[0]), (1, added[4]), (2, added[11])):
        server.after_answer(
            lambda changed=changed: server.portal.change("deals", changed, dealname="x"),  # type: ignore[misc]
            path="search",
            after=after,
        )
    assert {*ids(hubspot.changed_objects(DEAL, [], START))} == {*added}


def test_what_changes_after_a_moment_is_left_to_the_next_reading(server: HubspotServer, hubspot: Hubspot) -> None:
    first = server.portal.add("deals")
    pass_time(server)
    until = server.clock.moment()
    pass_time(server)
    server.portal.add("deals")
    assert ids(hubspot.changed_objects(DEAL, [], START, until)) == [first]


def test_the_search_knows_a_change_some_time_after_it_was_made(server: HubspotServer, hubspot: Hubspot) -> None:
    server.portal.index_delay = 5 * MINUTE
    added = server.portal.add("deals")
    assert ids(hubspot.changed_objects(DEAL, [], START)) == []
    pass_time(server, 5 * MINUTE)
    assert ids(hubspot.changed_objects(DEAL, [], START)) == [added]


def test_ids_that_are_ordered_as_texts_are_found_out(server: HubspotServer, hubspot: Hubspot) -> None:
    server.sorts_ids_as_texts, server.most_searched = True, 3
    server.portal.records["deals"].clear()
    server.portal.index["deals"].clear()
    for number in (9, 10, 11, 100):
        record = server.portal.create("deals", {})
        server.portal.records["deals"][str(number)] = server.portal.records["deals"].pop(record.id)
        server.portal.index["deals"][str(number)] = server.portal.index["deals"].pop(record.id)
        record.id = str(number)
        versions = server.portal.index["deals"][str(number)]
        versions[:] = [
            type(each)(each.at, {**(each.properties or {}), "hs_object_id": str(number)}) for each in versions
        ]
    with pytest.raises(ApiAnswerInvalid, match="another order than that of their ids"):
        list(hubspot.search(DEAL, [], []))


def test_objects_are_found_by_the_ids_that_they_were_merged_from(server: HubspotServer, hubspot: Hubspot) -> None:
    for makes_a_new_id in (False, True):
        server.portal.merge_makes_a_new_id = makes_a_new_id
        kept, other = server.portal.add("tickets", subject="Kept"), server.portal.add("tickets", subject="Other")
        merged = server.portal.merge("tickets", kept, other).id
        found = hubspot.read_batch(TICKET, [kept, other, "12345"], ["subject"])
        assert {asked: each["id"] for asked, each in found.items()} == {kept: merged, other: merged}
        assert found[other]["properties"]["subject"] == "Kept"


def test_objects_are_found_by_a_unique_property(server: HubspotServer, hubspot: Hubspot) -> None:
    server.portal.define("companies", "number", hasUniqueValue=True)
    added = {f"C{number}": server.portal.add("companies", number=f"C{number}") for number in range(150)}
    found = hubspot.read_batch(COMPANY, [*added, "C999"], ["name"], id_property="number")
    assert {asked: each["id"] for asked, each in found.items()} == added


@pytest.mark.parametrize("a_page", [1, 2, 500])
def test_associations_are_read_to_their_end_with_all_their_types(
    server: HubspotServer, hubspot: Hubspot, a_page: int
) -> None:
    server.associations_a_page = a_page
    tickets = [server.portal.add("tickets") for _ in range(3)]
    companies = [server.portal.add("companies") for _ in range(5)]
    for company in companies:
        server.portal.associate("tickets", tickets[0], "companies", company)
    server.portal.associate("tickets", tickets[2], "companies", companies[0], type_id=26)
    found = [
        (each["from_id"], each["to_id"], each["type_id"], each["label"])
        for each in hubspot.associations(TICKET, COMPANY, tickets)
    ]
    assert sorted(found, key=str) == sorted(
        [
            *((tickets[0], company, 339, None) for company in companies),
            (tickets[2], companies[0], 26, "Primary"),
            (tickets[2], companies[0], 339, None),
        ],
        key=str,
    )


def test_definitions_of_sensitive_properties_come_along_where_they_may_be_seen(
    server: HubspotServer, hubspot: Hubspot
) -> None:
    server.portal.define("contacts", "diagnosis", dataSensitivity="highly_sensitive")
    server.portal.define("contacts", "color", "enumeration", options=options("red", "blue"))
    found = {each["name"]: each for each in hubspot.property_definitions(CONTACT)}
    assert found["diagnosis"]["dataSensitivity"] == "highly_sensitive"
    assert [each["value"] for each in found["color"]["options"]] == ["red", "blue"]


@pytest.mark.parametrize("max_retries", [0, 2])
def test_the_limit_of_a_day_says_when_it_ends(server: HubspotServer, max_retries: int) -> None:
    server.limit = {"status": "error", "errorType": "RATE_LIMIT", "policyName": "DAILY", "message": "limit"}
    with Hubspot(server.portal.token, server.url, max_retries=max_retries) as hubspot:
        hubspot.account()
        with pytest.raises(
            ApiRateLimited, match=r"limit of requests for today is reached. Run again at \S+T23:00:00\+00:00"
        ):
            list(hubspot.objects(DEAL))
    assert len(server.requests) == 2


def test_the_limit_of_some_seconds_is_waited_for(server: HubspotServer) -> None:
    added = server.portal.add("deals")
    body = {"status": "error", "errorType": "RATE_LIMIT", "policyName": "SECONDLY", "message": "limit"}
    server.limit = body
    server.after_answer(server.limit.clear, path="objects")
    with Hubspot(server.portal.token, server.url, max_retries=2) as hubspot:
        assert ids(hubspot.objects(DEAL)) == [added]


def test_a_scope_that_is_missing_is_an_error(server: HubspotServer, hubspot: Hubspot) -> None:
    server.portal.missing_scopes = {"deals"}
    with pytest.raises(ApiRefused, match="403 MISSING_SCOPES, needed: crm.objects.deals.read"):
        list(hubspot.objects(DEAL))


def test_a_wrong_token_is_an_error_that_does_not_show_it(server: HubspotServer) -> None:
    with (
        Hubspot("pat-eu1-wrong-token", server.url, credential="the token of the test") as hubspot,
        pytest.raises(ApiRefused, match="Check the token of the test") as raised,
    ):
        list(hubspot.objects(DEAL))
    assert "pat-eu1-wrong" not in str(raised.value)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(DeclarationError, match="base URL of HubSpot"):
        Hubspot("pat", "hubspot")


def test_midnight_is_that_of_the_portal(server: HubspotServer, hubspot: Hubspot) -> None:
    server.portal.account["utcOffsetMilliseconds"] = -5 * 3_600_000
    hubspot.account()
    server.limit = {"policyName": "DAILY"}
    with pytest.raises(ApiRateLimited, match=r"T05:00:00\+00:00") as raised:
        list(hubspot.objects(DEAL))
    told = datetime.fromisoformat(str(raised.value).rpartition(" ")[2].rstrip("."))
    assert timedelta() < told - datetime.now(UTC) <= timedelta(days=1)
