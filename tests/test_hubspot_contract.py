"""HubSpot's load tables under the tests that every connector inherits."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from tests.servers.hubspot_portal import START
from tests.servers.hubspot_server import HubspotServer
from wherescape.connectors.hubspot.collect_data import hubspot_collect_data
from wherescape.connectors.hubspot.hubspot_create_metadata import hubspot_create_metadata
from wherescape.sandbox import RedServer
from wherescape.testing.contract import ConnectorContract, Key

NOT_PERSONAL = {"test_nothing_personal_is_left_anywhere": "It tells nothing about persons."}


class HubspotContract(ConnectorContract[HubspotServer]):
    """What all of them share."""

    create_metadata = staticmethod(hubspot_create_metadata)
    load_data = staticmethod(hubspot_collect_data)
    options: ClassVar[Mapping[str, Any]] = {"workers": 1}
    key: ClassVar[tuple[str, ...]] = ("id",)

    @pytest.fixture(autouse=True)
    def _token(self, clean_red: RedServer) -> None:
        self.red = clean_red

    def start(self) -> HubspotServer:
        server = HubspotServer()
        server.now = server.clock.now = START
        self.red.write_parameter("hubspot_access_token", server.portal.token)
        return server

    def connection(self, server: HubspotServer) -> dict[str, str]:
        return {"url": server.url}

    def secrets(self, server: HubspotServer) -> tuple[str, ...]:
        return (server.portal.token,)

    def pass_time(self, server: HubspotServer, time: timedelta) -> None:
        with server.lock:
            server.now = server.clock.now = server.clock.moment() + time

    def shorten_pages(self, server: HubspotServer) -> None:
        server.most_listed = server.most_searched = 2
        server.has_empty_pages = True


class OfObjects(HubspotContract):
    """Objects of one type."""

    name: ClassVar[str]
    properties: ClassVar[Mapping[str, str]] = {}

    def add(self, server: HubspotServer) -> Key:
        return (int(server.portal.add(self.name, **self.properties)),)

    def change(self, server: HubspotServer, key: Key) -> None:
        name = next(iter(self.properties))
        server.portal.change(self.name, str(key[0]), **{name: self.properties[name]})

    def remove(self, server: HubspotServer, key: Key) -> None:
        server.portal.archive(self.name, str(key[0]))


class TestContacts(OfObjects):
    load_table, name = "load_hubspot_contact", "contacts"
    properties = {"email": "ann@example.com", "firstname": "Ann", "lastname": "von Lee"}
    personal = ("ann@example.com", "von Lee")
    mask_options = {"masked": ["firstname", "lastname"], "hashed": ["email"]}


class TestNotes(OfObjects):
    load_table, name = "load_hubspot_note", "notes"
    properties = {"hs_timestamp": "2026-01-05T10:05:00.000Z"}
    not_tested = NOT_PERSONAL


class TestAssociations(HubspotContract):
    load_table = "load_hubspot_ticket_company_association"
    key = ("from_id", "to_id", "type_id")
    is_incremental = has_changes = False
    not_tested = NOT_PERSONAL

    def add(self, server: HubspotServer) -> Key:
        ticket, company = server.portal.add("tickets"), server.portal.add("companies")
        server.portal.associate("tickets", ticket, "companies", company)
        return (int(ticket), int(company), 339)

    def remove(self, server: HubspotServer, key: Key) -> None:
        server.portal.dissociate("tickets", str(key[0]), "companies", str(key[1]))

    def shorten_pages(self, server: HubspotServer) -> None:
        server.most_listed = 2
        server.associations_a_page = 1
