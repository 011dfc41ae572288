"""Tickets that are made one, and tickets that get the right company: none is lost, and what is interrupted goes on."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.servers.hubspot_server import HubspotServer
from wherescape import WhereScape
from wherescape.connectors.hubspot import ticket_updates
from wherescape.connectors.hubspot.ticket_updates import hubspot_update_company_association, merge_double_tickets
from wherescape.errors import ApiError, DeclarationError, EnvironmentVariableError
from wherescape.sandbox.red_server import RedServer
from wherescape.testing.api_server import Answer
from wherescape.testing.contract import kill

TOKEN = "hubspot_access_token"
HOUR = timedelta(hours=1)


@pytest.fixture
def server(clean_red: RedServer) -> Iterator[HubspotServer]:
    with HubspotServer() as server:
        server.portal.define("tickets", "nerd_id")
        server.portal.define("tickets", "customer")
        server.portal.define("companies", "customer")
        clean_red.write_parameter(TOKEN, server.portal.token)
        clean_red.write_parameter("hubspot_environment", "production")
        yield server


@pytest.fixture
def wherescape(clean_red: RedServer, server: HubspotServer) -> Iterator[WhereScape]:
    clean_red.register_load_table("load_hubspot_ticket")
    wherescape = WhereScape(clean_red.environment("load_hubspot_ticket", source_config={"url": server.url}))
    yield wherescape
    wherescape.close()


def add_tickets(server: HubspotServer, **values: str) -> list[str]:
    """Add a ticket for each letter of the values, an hour apart; return their ids."""
    added = []
    (name, letters), *more = values.items()
    for letter in letters:
        added.append(server.portal.add("tickets", **{name: letter.strip() or None}, **dict(more)))
        server.clock.now = server.clock.moment() + HOUR
    return added


def tickets(server: HubspotServer) -> set[str]:
    return {each.id for each in server.portal.records["tickets"].values() if not each.archived}


def merge(wherescape: WhereScape, **arguments: Any) -> int:
    return merge_double_tickets(TOKEN, wherescape, max_retries=0, **arguments)


@pytest.mark.parametrize("makes_a_new_id", [True, False])
@pytest.mark.parametrize("keep", ["oldest", "newest"])
def test_120_pairs_become_120_tickets(
    server: HubspotServer, wherescape: WhereScape, makes_a_new_id: bool, keep: str
) -> None:
    server.portal.merge_makes_a_new_id = makes_a_new_id
    pairs = []
    for number in range(120):
        first = server.portal.add("tickets", nerd_id=f"N{number}", subject="first")
        server.clock.now = server.clock.moment() + HOUR
        second = server.portal.add("tickets", nerd_id=f"N{number}", subject="second")
        pairs.append((first, second))
    alone = [server.portal.add("tickets", nerd_id="alone"), server.portal.add("tickets"), server.portal.add("tickets")]
    assert merge(wherescape, keep=keep) == 120
    assert len(tickets(server)) == 123 and {*alone} <= tickets(server)
    assert [write[0] for write in server.portal.writes] == ["merge"] * 120
    for first, second in pairs:
        one, other = server.portal.find("tickets", first), server.portal.find("tickets", second)
        assert one is not None and one is other
        assert one.properties["subject"] == ("first" if keep == "oldest" else "second")
        if not makes_a_new_id:
            assert one.id == (first if keep == "oldest" else second)
    assert merge(wherescape, keep=keep) == 0


def test_associations_and_contents_of_all_are_kept(server: HubspotServer, wherescape: WhereScape) -> None:
    first, second, third = add_tickets(server, nerd_id="AAA")
    for ticket, content in ((first, "It is broken."), (second, "Still broken."), (third, "It is broken.")):
        server.portal.change("tickets", ticket, content=content)
    companies = [server.portal.add("companies") for _ in range(2)]
    server.portal.associate("tickets", second, "companies", companies[0])
    server.portal.associate("tickets", third, "companies", companies[1])
    assert merge(wherescape) == 2
    kept = server.portal.find("tickets", third)
    assert kept is not None and kept.id == first
    assert kept.properties["content"] == "It is broken.\n\nStill broken."
    tied = {key[3] for key in server.portal.associations if key[:3] == ("tickets", first, "companies")}
    assert tied == {*companies}


def test_a_plan_can_be_looked_at_first(server: HubspotServer, wherescape: WhereScape) -> None:
    first, second, _, third = add_tickets(server, nerd_id="AABA")
    assert merge(wherescape, dry_run=True) == 2
    (file,) = (wherescape.workdir / "hubspot").glob("merge_*.jsonl")
    assert [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] == [
        {"keep": first, "merge": [second, third]}
    ]
    assert server.portal.writes == []


def test_a_value_of_too_many_tickets_is_taken_for_a_wrong_one(
    server: HubspotServer, wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    add_tickets(server, nerd_id="A" * 11)
    assert merge(wherescape) == 0
    assert "are those of more than 10 tickets each" in caplog.text
    assert merge(wherescape, most_of_one=11) == 10


def test_a_ticket_that_changes_meanwhile_is_left_alone(
    server: HubspotServer, wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    _, second, *_ = add_tickets(server, nerd_id="AABB")
    server.after_answer(lambda: server.portal.change("tickets", second, nerd_id="C"), path="objects/tickets")
    assert merge(wherescape) == 1
    assert "have changed meanwhile" in caplog.text
    assert second in tickets(server)


@pytest.mark.parametrize("happened", [True, False])
def test_a_merge_whose_answer_is_lost_is_known(server: HubspotServer, wherescape: WhereScape, happened: bool) -> None:
    add_tickets(server, nerd_id="AABB")
    if happened:
        server.rewrite = lambda request, answer: Answer(0) if request.path.endswith("merge") else answer
        assert merge(wherescape) == 2
    else:
        server.fail_next(Answer(0), path="merge")
        with pytest.raises(ApiError):
            merge(wherescape)
        assert merge(wherescape) == 2
    assert len(tickets(server)) == 2
    assert len([write for write in server.portal.writes if write[0] == "merge"]) == 2


def test_a_list_that_cannot_be_read_to_its_end_merges_nothing(server: HubspotServer, wherescape: WhereScape) -> None:
    server.most_listed = 2
    add_tickets(server, nerd_id="AABB")
    server.fail_next(Answer(500), path="objects/tickets", after=1, times=10)
    with pytest.raises(ApiError):
        merge(wherescape)
    assert server.portal.writes == []


def test_a_run_that_is_killed_goes_on(clean_red: RedServer, server: HubspotServer, tmp_path: Path) -> None:
    for number in range(40):
        for content in ("One.", "Two."):
            server.portal.add("tickets", nerd_id=f"N{number}", content=content)
    clean_red.register_load_table("load_hubspot_ticket")
    pid, script = tmp_path / "pid", tmp_path / "merge.py"
    script.write_text(
        "import os, pathlib\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n"
        "from wherescape.connectors.hubspot.ticket_updates import merge_double_tickets\n"
        f"merge_double_tickets({TOKEN!r})\n",
        encoding="utf-8",
    )
    for path, after in (("merge", 3), ("batch/update", 7), ("merge", 12)):
        server.after_answer(lambda: kill(pid), path=path, after=after)
        clean_red.run_host_script(script, "load_hubspot_ticket", source_config={"url": server.url})
        server.mend()
    result = clean_red.run_host_script(script, "load_hubspot_ticket", source_config={"url": server.url})
    assert result.status == 1, result
    assert len(tickets(server)) == 40
    contents = {each.properties["content"] for each in server.portal.records["tickets"].values()}
    assert contents == {"One.\n\nTwo."}


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"property_name": "nerdid"}, DeclarationError, "no property 'nerdid'"),
        ({"keep": "largest"}, DeclarationError, "'oldest' or 'newest'"),
    ],
)
def test_arguments_that_cannot_be_are_refused(
    server: HubspotServer, wherescape: WhereScape, arguments: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        merge(wherescape, **arguments)


def test_a_token_that_is_missing_is_named(wherescape: WhereScape) -> None:
    with pytest.raises(EnvironmentVariableError, match="RED parameter hubspot_access_token_voys"):
        merge_double_tickets("hubspot_access_token_voys", wherescape)


# ------------------------------------------------------------------------------------------------------ companies


def associate(wherescape: WhereScape, **arguments: Any) -> int:
    return hubspot_update_company_association(
        TOKEN, wherescape, ticket_property="customer", company_property="customer", max_retries=0, **arguments
    )


def companies_of(server: HubspotServer, ticket: str) -> dict[str, set[int]]:
    return {
        key[3]: {type_id for _, type_id in types}
        for key, types in server.portal.associations.items()
        if key[:3] == ("tickets", ticket, "companies") and types
    }


def test_a_ticket_gets_the_company_that_it_names(server: HubspotServer, wherescape: WhereScape) -> None:
    right, wrong = server.portal.add("companies", customer="A"), server.portal.add("companies", customer="B")
    none, moved, fine, labelled, empty = add_tickets(server, customer="AAAA ")
    server.portal.associate("tickets", moved, "companies", wrong, type_id=26)
    server.portal.associate("tickets", fine, "companies", right, type_id=26)
    server.portal.associate("tickets", labelled, "companies", wrong, "USER_DEFINED", 77)
    server.portal.associate("tickets", empty, "companies", wrong, type_id=26)
    assert associate(wherescape, dry_run=True) == 3
    assert server.portal.writes == []
    assert associate(wherescape) == 3
    assert companies_of(server, none) == companies_of(server, moved) == {right: {339, 26}}
    assert companies_of(server, labelled) == {right: {339, 26}, wrong: {77, 339}}
    assert companies_of(server, empty) == {wrong: {339, 26}}
    verbs = [write[0] for write in server.portal.writes if write[2] == moved]
    assert verbs == ["associate", "dissociate"]
    assert associate(wherescape) == 0


def test_a_tie_is_not_taken_away_before_the_new_one_is_made(server: HubspotServer, wherescape: WhereScape) -> None:
    server.portal.add("companies", customer="A")
    wrong = server.portal.add("companies", customer="B")
    (ticket,) = add_tickets(server, customer="A")
    server.portal.associate("tickets", ticket, "companies", wrong, type_id=26)
    server.fail_next(Answer(400, "{}"), path="/associations/companies/")
    with pytest.raises(ApiError):
        associate(wherescape)
    assert companies_of(server, ticket) == {wrong: {339, 26}}


def test_a_company_that_is_unknown_or_not_the_only_one_changes_nothing(
    server: HubspotServer, wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        server.portal.add("companies", customer="A")
    add_tickets(server, customer="AX")
    assert associate(wherescape) == 0
    assert "more than one company" in caplog.text
    assert "1 tickets name a company that HubSpot does not have" in caplog.text


def test_the_name_that_was_misspelt_still_works(wherescape: WhereScape) -> None:
    with pytest.raises(DeclarationError, match="ticket_property and company_property"):
        ticket_updates.hubspot_update_company_associaton(TOKEN, wherescape)
