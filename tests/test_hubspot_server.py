"""The stand-in for HubSpot speaks hubspot-api-client's language, keeps to HubSpot's contract, and refuses the rest."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import requests
from hubspot import HubSpot

from tests.servers.hubspot_portal import Portal, options
from tests.servers.hubspot_server import HubspotServer

MINUTE = timedelta(minutes=1)
COMPANIES = "crm/v3/objects/companies"
BY_ID = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]


@pytest.fixture
def server() -> Iterator[HubspotServer]:
    with HubspotServer() as server:
        server.portal.define("companies", "number", hasUniqueValue=True)
        server.portal.define("companies", "size", "number")
        server.portal.define("companies", "color", "enumeration", options=options("red", "blue"))
        yield server


@pytest.fixture
def client(server: HubspotServer) -> Any:
    """The real client, with its own HTTP and its own models."""
    return HubSpot(access_token=server.portal.token, host=server.url)


def ask(server: HubspotServer, method: str, path: str, body: object = None, **query: str | int) -> requests.Response:
    headers = {"Authorization": f"Bearer {server.portal.token}"}
    return requests.request(
        method, f"{server.url}/{path}", params=query, json=body, headers=headers, timeout=10, allow_redirects=False
    )


def search(server: HubspotServer, object_type: str = "companies", *filters: Any, **more: Any) -> requests.Response:
    groups = [{"filters": list(filters)}] if filters else []
    return ask(server, "POST", f"crm/v3/objects/{object_type}/search", {"filterGroups": groups, **more})


def condition(name: str, operator: str, value: object = None) -> dict[str, object]:
    key = "values" if isinstance(value, list) else "value"
    return {"propertyName": name, "operator": operator, **({} if value is None else {key: value})}


def found(response: requests.Response) -> list[str]:
    assert response.ok, response.text
    return [str(each["id"]) for each in response.json()["results"]]


def write(server: HubspotServer, verb: str, *inputs: dict[str, Any]) -> requests.Response:
    return ask(server, "POST", f"{COMPANIES}/batch/{verb}", {"inputs": inputs})


def add(server: HubspotServer, count: int, object_type: str = "companies") -> list[str]:
    return [server.portal.add(object_type, name=f"Name {number}") for number in range(count)]


def only_mistake(server: HubspotServer) -> str:
    """Return what the client did wrong, and forget it."""
    (mistake,) = server.mistakes
    server.mistakes.clear()
    return mistake


# ---------------------------------------------------------------------------------------------------------- portals


def test_each_token_opens_its_own_portal(server: HubspotServer) -> None:
    other = server.add_portal("other")
    mine, theirs = server.portal.add("companies", name="Mine"), other.add("companies", name="Theirs")
    for portal, company in ((server.portal, mine), (other, theirs)):
        client = HubSpot(access_token=portal.token, host=server.url)
        assert [each.id for each in client.crm.companies.get_all()] == [company]
        assert portal.requests == [f"GET /{COMPANIES}"]


@pytest.mark.parametrize("login", ["", "Bearer pat-eu1-wrong", "Basic pat-eu1-main-0123456789ab"])
def test_an_unknown_token_opens_none(server: HubspotServer, login: str) -> None:
    response = requests.get(f"{server.url}/{COMPANIES}", headers={"Authorization": login}, timeout=10)
    assert (response.status_code, response.json()["category"]) == (401, "INVALID_AUTHENTICATION")
    assert server.portal.requests == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "crm/v3/objects/deals"),
        ("POST", "crm/v3/objects/deals/search"),
        ("POST", "crm/v3/objects/deals/batch/update"),
        ("GET", "crm/v3/properties/deals"),
        ("POST", "crm/v4/associations/companies/deals/batch/read"),
    ],
)
def test_a_scope_that_is_missing_is_refused(server: HubspotServer, method: str, path: str) -> None:
    server.portal.missing_scopes.add("deals")
    response = ask(server, method, path)
    assert (response.status_code, response.json()["category"]) == (403, "MISSING_SCOPES")
    assert found(ask(server, "GET", COMPANIES)) == []


# ------------------------------------------------------------------------------------------------------------ lists


def test_a_list_ends_where_no_next_page_is_named(server: HubspotServer, client: Any) -> None:
    added = add(server, 250)
    assert [each.id for each in client.crm.companies.get_all()] == added
    last = ask(server, "GET", COMPANIES, limit=100, after=str(int(added[-1])))
    assert found(last) == added[-1:] and "paging" not in last.json()


def test_a_page_holds_10_unless_more_are_asked_for(server: HubspotServer) -> None:
    added = add(server, 12)
    first = ask(server, "GET", COMPANIES)
    assert found(first) == added[:10]
    assert found(ask(server, "GET", COMPANIES, after=first.json()["paging"]["next"]["after"])) == added[10:]


def test_only_some_properties_come_unasked_and_unknown_ones_never(server: HubspotServer, client: Any) -> None:
    company = server.portal.add("companies", name="Lamp", size="5")
    unasked = client.crm.companies.basic_api.get_by_id(company)
    assert {"name", "domain"} <= unasked.properties.keys() and "size" not in unasked.properties
    (asked,) = ask(server, "GET", COMPANIES, properties="size,unheard_of").json()["results"]
    assert asked["properties"]["size"] == "5"
    assert not {"unheard_of", "name"} & asked["properties"].keys()


def test_a_list_is_of_what_is_archived_or_of_what_is_not(server: HubspotServer, client: Any) -> None:
    kept, gone = add(server, 2)
    server.portal.archive("companies", gone)
    assert [each.id for each in client.crm.companies.get_all()] == [kept]
    (archived,) = client.crm.companies.get_all(archived=True)
    assert (archived.id, archived.archived) == (gone, True)
    for archived, expected in (("false", [kept]), ("true", [gone])):
        body = {"inputs": [{"id": kept}, {"id": gone}], "properties": []}
        assert found(ask(server, "POST", f"{COMPANIES}/batch/read", body, archived=archived)) == expected


# --------------------------------------------------------------------------------------------------------- searches


def test_a_search_of_the_real_client_finds_what_passes_all_filters(server: HubspotServer, client: Any) -> None:
    server.portal.add("companies", size="4")
    large = server.portal.add("companies", size="10")
    answer = client.crm.companies.search_api.do_search(
        {"filterGroups": [{"filters": [condition("size", "GT", "4"), condition("size", "LTE", "10")]}], "sorts": []}
    )
    assert ([each.id for each in answer.results], answer.total) == ([large], 1)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (condition("size", "EQ", "5"), ["b"]),
        (condition("size", "LT", "10"), ["b"]),
        (condition("size", "HAS_PROPERTY"), ["b", "c"]),
        (condition("size", "NOT_HAS_PROPERTY"), ["a"]),
        (condition("name", "IN", ["b", "c"]), ["b", "c"]),
        (condition("name", "IN", ["B"]), []),
        (condition("name", "NOT_IN", ["b"]), ["a", "c"]),
        (condition("size", "BETWEEN", "5") | {"highValue": "9"}, ["b"]),
    ],
)
def test_filters_compare_by_type(server: HubspotServer, wanted: dict[str, object], expected: list[str]) -> None:
    for name, size in (("A", None), ("B", "5"), ("C", "10")):
        server.portal.add("companies", name=name, size=size)
    answer = search(server, "companies", wanted, properties=["name"])
    assert [each["properties"]["name"].lower() for each in answer.json()["results"]] == expected


def test_a_search_gives_10_000_results_and_refuses_the_next(server: HubspotServer) -> None:
    server.most_results = 6
    added = add(server, 9)
    first = search(server, sorts=BY_ID, limit=3)
    assert (found(first), first.json()["total"]) == (added[:3], 9)
    second = search(server, sorts=BY_ID, limit=3, after=first.json()["paging"]["next"]["after"])
    assert found(second) == added[3:6]
    beyond = search(server, sorts=BY_ID, limit=3, after=second.json()["paging"]["next"]["after"])
    assert beyond.status_code == 400
    assert "6 results at most" in only_mistake(server)


def test_an_empty_page_may_name_a_next_one(server: HubspotServer) -> None:
    server.has_empty_pages = True
    added = add(server, 3)
    pages, after = [], "0"
    while after:
        answer = search(server, sorts=BY_ID, limit=2, after=after)
        pages.append(found(answer))
        after = answer.json().get("paging", {}).get("next", {}).get("after")
    assert pages == [[], added[:2], [], added[2:]]


def test_the_search_knows_a_change_late_and_the_list_at_once(server: HubspotServer) -> None:
    server.portal.index_delay = 2 * MINUTE
    (company,) = add(server, 1)
    assert (found(search(server)), found(ask(server, "GET", COMPANIES))) == ([], [company])
    server.clock.now = server.clock.moment() + 2 * MINUTE
    assert found(search(server)) == [company]
    server.portal.change("companies", company, name="New")
    assert found(search(server, "companies", condition("name", "EQ", "New"))) == []
    server.clock.now = server.clock.moment() + 2 * MINUTE
    assert found(search(server, "companies", condition("name", "EQ", "New"))) == [company]


def test_the_search_shows_an_object_as_it_knows_it(server: HubspotServer) -> None:
    server.portal.index_delay = MINUTE
    (company,) = add(server, 1)
    server.clock.now = server.clock.moment() + MINUTE
    before = search(server).json()["results"]
    server.portal.change("companies", company, name="New")
    assert search(server).json()["results"] == before


def test_the_search_never_finds_what_is_archived_or_merged(server: HubspotServer) -> None:
    kept, archived, merged = add(server, 3)
    server.portal.archive("companies", archived)
    server.portal.merge("companies", kept, merged)
    assert found(search(server)) == [kept]


def test_ids_may_be_ordered_as_texts(server: HubspotServer) -> None:
    server.portal = server.portals[server.portal.token] = Portal(
        server.portal.token, "small", server.clock, first_id=8
    )
    assert add(server, 3) == ["8", "9", "10"]
    assert found(search(server, sorts=BY_ID)) == ["8", "9", "10"]
    server.sorts_ids_as_texts = True
    assert found(search(server, sorts=BY_ID)) == ["10", "8", "9"]


def test_contacts_are_found_by_their_own_property_of_the_last_change_alone(server: HubspotServer) -> None:
    contact = server.portal.add("contacts", firstname="Ann")
    assert found(search(server, "contacts", condition("lastmodifieddate", "GTE", "0"))) == [contact]
    assert found(search(server, "contacts", condition("hs_lastmodifieddate", "GTE", "0"))) == []


@pytest.mark.parametrize("form", ["iso", "milliseconds"])
def test_moments_are_compared_in_both_forms(server: HubspotServer, form: str) -> None:
    add(server, 1)
    server.clock.now = moment = server.clock.moment() + MINUTE
    (later,) = add(server, 1)
    text = moment.isoformat() if form == "iso" else str(int(moment.timestamp() * 1000))
    assert found(search(server, "companies", condition("hs_lastmodifieddate", "GTE", text))) == [later]


# ---------------------------------------------------------------------------------------------------------- batches


def test_a_batch_is_read_and_what_is_missing_is_named(server: HubspotServer, client: Any) -> None:
    company = server.portal.add("companies", number="C1")
    answer = client.crm.companies.batch_api.read(
        {"inputs": [{"id": company}, {"id": "99"}], "properties": ["number"], "propertiesWithHistory": []}
    )
    assert [each.id for each in answer.results] == [company]
    assert [error.context["ids"] for error in answer.errors] == [["99"]]
    by_number = client.crm.companies.batch_api.read(
        {"inputs": [{"id": "C1"}], "properties": ["number"], "propertiesWithHistory": [], "idProperty": "number"}
    )
    assert [each.id for each in by_number.results] == [company]


def test_what_the_real_client_writes_is_there_and_noted_once(server: HubspotServer, client: Any) -> None:
    batches = client.crm.companies.batch_api
    created = batches.create({"inputs": [{"properties": {"name": "Lamp", "number": "C1"}, "associations": []}]})
    (company,) = [each.id for each in created.results]
    server.clock.now = changed_at = server.clock.moment() + MINUTE
    batches.update({"inputs": [{"id": company, "properties": {"size": "5", "name": ""}}]})
    upsert = {"inputs": [{"id": key, "idProperty": "number", "properties": {"size": "6"}} for key in ("C1", "C2")]}
    upserted = batches.upsert(upsert)
    assert [each.new for each in upserted.results] == [False, True]
    other = upserted.results[1].id
    batches.archive({"inputs": [{"id": other}]})
    record = server.portal.records["companies"][company]
    assert (record.properties, record.updated) == ({"name": "", "number": "C1", "size": "6"}, changed_at)
    assert client.crm.companies.basic_api.get_by_id(company, properties=["name"]).properties["name"] is None
    assert server.portal.writes == [
        ("create", "companies", company, {"name": "Lamp", "number": "C1"}),
        ("update", "companies", company, {"size": "5", "name": ""}),
        ("update", "companies", company, {"size": "6"}),
        ("create", "companies", other, {"size": "6", "number": "C2"}),
        ("archive", "companies", other, {}),
    ]


BAD_VALUES = [
    ({"size": "large"}, 400, "VALIDATION_ERROR"),
    ({"color": "green"}, 400, "VALIDATION_ERROR"),
    ({"hs_lastmodifieddate": "2026-01-05T00:00:00Z"}, 400, "VALIDATION_ERROR"),
    ({"number": "taken"}, 409, "CONFLICT"),
]


@pytest.mark.parametrize(("properties", "status", "category"), BAD_VALUES)
@pytest.mark.parametrize("refuses_whole_batches", [True, False])
def test_one_bad_value_fails_its_batch_or_itself_alone(
    server: HubspotServer, properties: dict[str, str], status: int, category: str, refuses_whole_batches: bool
) -> None:
    server.portal.refuses_whole_batches = refuses_whole_batches
    server.portal.add("companies", number="taken")
    good, bad = add(server, 2)
    answer = write(
        server, "update", {"id": good, "properties": {"name": "New"}}, {"id": bad, "properties": properties}
    )
    if refuses_whole_batches:
        assert (answer.status_code, answer.json()["category"]) == (status, category)
        assert server.portal.writes == []
        return
    assert (answer.status_code, found(answer), answer.json()["numErrors"]) == (207, [good], 1)
    (error,) = answer.json()["errors"]
    assert (error["category"], error["context"]) == (category, {"ids": [bad]})
    assert server.portal.writes == [("update", "companies", good, {"name": "New"})]


def test_one_unknown_property_fails_the_whole_batch_in_any_case(server: HubspotServer) -> None:
    good, bad = add(server, 2)
    answer = write(
        server, "update", {"id": good, "properties": {"name": "New"}}, {"id": bad, "properties": {"colour": "red"}}
    )
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")
    assert "PROPERTY_DOESNT_EXIST" in answer.json()["message"]
    assert server.portal.writes == []


def test_an_object_that_does_not_exist_is_not_changed(server: HubspotServer) -> None:
    (archived,) = add(server, 1)
    server.portal.archive("companies", archived)
    answer = write(server, "update", *({"id": each, "properties": {"name": "New"}} for each in ("99", archived)))
    assert [error["category"] for error in answer.json()["errors"]] == ["OBJECT_NOT_FOUND"] * 2
    assert server.portal.writes == []


def test_an_upsert_is_by_a_unique_property(server: HubspotServer) -> None:
    answer = write(server, "upsert", {"id": "x", "idProperty": "name", "properties": {"size": "5"}})
    assert [error["category"] for error in answer.json()["errors"]] == ["VALIDATION_ERROR"]
    assert server.portal.writes == []


def test_addresses_of_e_mail_are_kept_in_lower_case_and_found_in_any(server: HubspotServer) -> None:
    contact = server.portal.add("contacts", email="Anna@Example.com")
    body = {"inputs": [{"id": "ANNA@example.com"}], "properties": ["email"], "idProperty": "email"}
    (answer,) = ask(server, "POST", "crm/v3/objects/contacts/batch/read", body).json()["results"]
    assert (answer["id"], answer["properties"]["email"]) == (contact, "anna@example.com")


def test_values_that_are_to_be_unique_are_so_within_a_batch(server: HubspotServer) -> None:
    answer = write(server, "create", *({"properties": {"number": "C1"}} for _ in range(2)))
    assert (len(answer.json()["results"]), answer.json()["errors"][0]["category"]) == (1, "CONFLICT")


# ----------------------------------------------------------------------------------------------------------- merges


@pytest.mark.parametrize("makes_a_new_id", [False, True])
def test_a_merged_object_answers_under_all_its_ids_and_keeps_all_ties(
    server: HubspotServer, client: Any, makes_a_new_id: bool
) -> None:
    server.portal.merge_makes_a_new_id = makes_a_new_id
    kept, other = server.portal.add("tickets", subject="Kept"), server.portal.add("tickets", subject="Other")
    company, contact = server.portal.add("companies"), server.portal.add("contacts")
    server.portal.associate("tickets", kept, "companies", company)
    server.portal.associate("tickets", other, "contacts", contact)
    merged = client.crm.tickets.basic_api.merge({"primaryObjectId": kept, "objectIdToMerge": other}).id
    assert (merged not in (kept, other)) == makes_a_new_id
    for record_id in (kept, other, merged):
        answer = client.crm.tickets.basic_api.get_by_id(record_id, properties=["subject"])
        assert (answer.id, answer.properties["subject"]) == (merged, "Kept")
    assert [each.id for each in client.crm.tickets.get_all()] == [merged]
    for to_type, to_id in (("companies", company), ("contacts", contact)):
        (tie,) = client.crm.associations.v4.basic_api.get_page("tickets", merged, to_type).results
        assert str(tie.to_object_id) == to_id


def test_an_object_is_not_merged_with_itself_or_with_none(server: HubspotServer) -> None:
    ticket = server.portal.add("tickets")
    for other, status in ((ticket, 400), ("99", 404)):
        body = {"primaryObjectId": ticket, "objectIdToMerge": other}
        assert ask(server, "POST", "crm/v3/objects/tickets/merge", body).status_code == status
    assert server.portal.writes == []


# ----------------------------------------------------------------------------------------------------- associations


def types_of(client: Any, from_type: str, from_id: str, to_type: str) -> dict[str, set[int]]:
    page = client.crm.associations.v4.basic_api.get_page(from_type, from_id, to_type)
    return {str(each.to_object_id): {kind.type_id for kind in each.association_types} for each in page.results}


def test_a_tie_has_its_types_in_each_direction_and_one_company_is_primary(server: HubspotServer, client: Any) -> None:
    ticket, first, second = server.portal.add("tickets"), *add(server, 2)
    ties = client.crm.associations.v4.basic_api
    primary = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 26}]
    ties.create("tickets", ticket, "companies", first, primary)
    assert types_of(client, "tickets", ticket, "companies") == {first: {339, 26}}
    assert types_of(client, "companies", first, "tickets") == {ticket: {340, 25}}
    ties.create("tickets", ticket, "companies", second, primary)
    assert types_of(client, "tickets", ticket, "companies") == {first: {339}, second: {339, 26}}
    ties.archive("tickets", ticket, "companies", second)
    assert types_of(client, "tickets", ticket, "companies") == {first: {339}}
    assert types_of(client, "companies", second, "tickets") == {}


def test_ties_come_in_pages_of_their_own_and_objects_without_any_are_named(server: HubspotServer) -> None:
    server.associations_a_page = 2
    ticket, lonely, companies = server.portal.add("tickets"), server.portal.add("tickets"), add(server, 5)
    for company in companies:
        server.portal.associate("tickets", ticket, "companies", company)
    pages, inputs = [], [{"id": ticket}, {"id": lonely}]
    while inputs:
        answer = ask(server, "POST", "crm/v4/associations/tickets/companies/batch/read", {"inputs": inputs}).json()
        pages.append([str(to["toObjectId"]) for each in answer["results"] for to in each["to"]])
        unnamed = [error["context"]["fromObjectId"] for error in answer.get("errors", [])]
        assert unnamed == ([[lonely]] if len(pages) == 1 else [])
        paged = [each for each in answer["results"] if "paging" in each]
        inputs = [{"id": each["from"]["id"], "after": each["paging"]["next"]["after"]} for each in paged]
    assert pages == [companies[:2], companies[2:4], companies[4:]]


def test_a_tie_to_nothing_is_refused(server: HubspotServer) -> None:
    ticket = server.portal.add("tickets")
    body = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 339}]
    path = f"crm/v4/objects/tickets/{ticket}/associations/companies/99"
    assert ask(server, "PUT", path, body).status_code == 404
    assert server.portal.writes == []


# ---------------------------------------------------------------------------------------------------------- the rest


def test_definitions_are_those_of_one_sensitivity(server: HubspotServer, client: Any) -> None:
    server.portal.define("companies", "health", dataSensitivity="sensitive")
    definitions = {each.name: each for each in client.crm.properties.core_api.get_all("companies").results}
    assert "health" not in definitions
    assert [option.value for option in definitions["color"].options] == ["red", "blue"]
    assert definitions["number"].has_unique_value
    assert definitions["hs_object_id"].modification_metadata.read_only_value
    sensitive = ask(server, "GET", "crm/v3/properties/companies", dataSensitivity="sensitive").json()["results"]
    assert [each["name"] for each in sensitive] == ["health"]


def test_owners_come_in_pages_and_archived_ones_apart(server: HubspotServer, client: Any) -> None:
    moment = "2026-01-05T12:00:00.000Z"
    server.portal.owners = [
        {"id": str(number), "type": "PERSON", "createdAt": moment, "updatedAt": moment, "archived": number == 3}
        for number in range(5)
    ]
    server.most_listed = 2
    pages = [client.crm.owners.owners_api.get_page()]
    while pages[-1].paging:
        pages.append(client.crm.owners.owners_api.get_page(after=pages[-1].paging.next.after))
    assert [[each.id for each in page.results] for page in pages] == [["0", "1"], ["2", "4"]]
    assert [each.id for each in client.crm.owners.owners_api.get_page(archived=True).results] == ["3"]


def test_a_limit_is_told_by_its_policy(server: HubspotServer) -> None:
    server.limit = {"status": "error", "errorType": "RATE_LIMIT", "policyName": "DAILY", "message": "daily limit"}
    response = ask(server, "GET", COMPANIES)
    assert (response.status_code, response.json()["policyName"]) == (429, "DAILY")


def test_a_burst_ends_with_a_refusal_and_searches_have_a_limit_of_their_own(server: HubspotServer) -> None:
    server.burst, server.searches, server.interval_milliseconds = 2, 1, 3_600_000
    answers = [ask(server, "GET", COMPANIES) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert [each.headers["X-HubSpot-RateLimit-Remaining"] for each in answers] == ["1", "0", "0"]
    assert answers[2].json()["policyName"] == "TEN_SECONDLY_ROLLING"
    found_one, refused = search(server), search(server)
    assert (found_one.status_code, refused.status_code) == (200, 429)
    assert refused.json()["policyName"] == "SECONDLY"
    assert not [name for name in refused.headers if name.startswith("X-HubSpot")]


def test_time_stands_still_unless_it_is_told_to_pass(server: HubspotServer) -> None:
    records = [server.portal.records["companies"][each] for each in add(server, 3)]
    assert all(one.updated == other.updated for one, other in pairwise(records))


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "mistake"),
    [
        ("GET", COMPANIES, None, {"limit": 101}, "limit is 101"),
        ("GET", COMPANIES, None, {"sort": "id"}, "there is no sort"),
        ("GET", "crm/v3/objects/lamps", None, {}, "no object type lamps"),
        ("GET", "crm/v3/objects", None, {}, "there is no GET /crm/v3/objects"),
        ("POST", f"{COMPANIES}/search", {"limit": 201}, {}, "limit is 201"),
        ("POST", f"{COMPANIES}/search", {"associations": ["tickets"]}, {}, "there is no associations"),
        ("POST", f"{COMPANIES}/search", {"sorts": [*BY_ID, *BY_ID]}, {}, "one sort at most"),
        ("POST", f"{COMPANIES}/search", {"after": "opaque"}, {}, "after is opaque"),
        ("POST", f"{COMPANIES}/search", {"filterGroups": [{"filters": []}] * 6}, {}, "too many filters"),
        ("POST", f"{COMPANIES}/batch/read", {"inputs": []}, {}, "inputs must be 1 to 100"),
        ("POST", f"{COMPANIES}/batch/read", {"inputs": [{"id": "1"}] * 101}, {}, "inputs must be 1 to 100"),
        ("POST", f"{COMPANIES}/batch/update", {"inputs": [{"id": "1", "properties": {}}] * 2}, {}, "same id twice"),
        ("POST", f"{COMPANIES}/batch/create", {"inputs": [{"properties": {"name": None}}]}, {}, "must be a text"),
        ("POST", f"{COMPANIES}/batch/create", {"inputs": [{"properties": {"size": 5}}]}, {}, "must be a text"),
        ("POST", f"{COMPANIES}/batch/create", {"inputs": [{"name": "x"}]}, {}, "there is no name"),
        ("POST", "crm/v4/associations/tickets/companies/batch/read", {"inputs": []}, {}, "inputs must be 1 to 1000"),
        ("PUT", "crm/v4/objects/tickets/1/associations/companies/2", [], {}, "a list of types is wanted"),
    ],
)
def test_what_the_contract_forbids_is_refused_and_noted(
    server: HubspotServer, method: str, path: str, body: object, query: dict[str, str | int], mistake: str
) -> None:
    assert ask(server, method, path, body, **query).status_code in (400, 404)
    assert mistake in only_mistake(server)


@pytest.mark.parametrize(
    ("wanted", "mistake"),
    [
        (condition("colour", "EQ", "red"), "no property colour"),
        (condition("name", "LIKE", "x"), "no operator LIKE"),
        (condition("name", "IN", "x"), "IN wants `values`"),
        (condition("size", "GT", "large"), "large is no number"),
        (condition("hs_lastmodifieddate", "GT", "yesterday"), "yesterday is no datetime"),
    ],
)
def test_filters_that_cannot_be_are_refused(server: HubspotServer, wanted: dict[str, object], mistake: str) -> None:
    server.portal.add("companies", name="Lamp", size="5")
    assert search(server, "companies", wanted).status_code == 400
    assert mistake in only_mistake(server)


def test_an_address_may_be_too_long(server: HubspotServer) -> None:
    response = ask(server, "GET", COMPANIES, properties=",".join(f"property_{number}" for number in range(800)))
    assert (response.status_code, response.headers["Content-Type"]) == (414, "text/html")
