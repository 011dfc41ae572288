"""Rows of a table that go to HubSpot: each once, whatever happens, and each with an outcome."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.loading import texts_of_red
from tests.servers.hubspot_portal import options
from tests.servers.hubspot_server import HubspotServer
from wherescape import WhereScape
from wherescape.connectors.hubspot.collect_data import hubspot_load_data
from wherescape.connectors.hubspot.process_data import SendResult
from wherescape.errors import ApiAnswerInvalid, ApiError, ApiRefused, DeclarationError, LoadError, UnknownTableKind
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import TaskResult
from wherescape.testing.api_server import Answer, Request, json_answer
from wherescape.testing.contract import kill

TABLE = "load_hubspot_company"
HOST_SCRIPT = Path(__file__).parents[1] / "host_scripts" / "hubspot_load_data.py"
LOST = Answer(0)


@pytest.fixture
def server(clean_red: RedServer) -> Iterator[HubspotServer]:
    with HubspotServer() as server:
        server.portal.define("companies", "number", hasUniqueValue=True)
        server.portal.define("companies", "size", "number")
        server.portal.define("companies", "color", "enumeration", options=options("red", "blue"))
        clean_red.write_parameter("hubspot_access_token", server.portal.token)
        clean_red.write_parameter("hubspot_environment", "production")
        yield server


def fill(red: RedServer, rows: Sequence[Mapping[str, Any]], table: str = TABLE, kinds: str = "") -> None:
    """Put rows into a table of texts, or of the given types."""
    columns = kinds or ", ".join(f'"{name}" text' for name in rows[0])
    red.register_load_table(table, truncate=False)
    red.query_warehouse(f"CREATE TABLE load.{table} ({columns})")
    for row in rows:
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" for _ in row)
        red.query_warehouse(f"INSERT INTO load.{table} ({names}) VALUES ({marks})", [*row.values()])


def send(red: RedServer, server: HubspotServer, table: str = TABLE, **arguments: Any) -> SendResult:
    wherescape = WhereScape(red.environment(table, source_config={"url": server.url}))
    try:
        return hubspot_load_data(wherescape, max_retries=0, **arguments)
    finally:
        wherescape.close()


def run(red: RedServer, server: HubspotServer, script: Path = HOST_SCRIPT, table: str = TABLE) -> TaskResult:
    return red.run_host_script(script, table, source_config={"url": server.url})


def counts(result: SendResult) -> tuple[int, int, int, int]:
    return result.created, result.updated, result.unchanged, result.refused


def outcomes(result: SendResult) -> list[dict[str, Any]]:
    assert result.file
    return [json.loads(line) for line in result.file.read_text(encoding="utf-8").splitlines()]


def names(server: HubspotServer) -> list[str | None]:
    return [each.properties.get("name") for each in server.portal.records["companies"].values()]


# --------------------------------------------------------------------------------------------------------- one by one


def test_contacts_are_found_by_their_address_in_any_case(clean_red: RedServer, server: HubspotServer) -> None:
    table = "load_hubspot_contact"
    server.portal.add("contacts", email="anna@example.com", firstname="Anna")
    fill(
        clean_red,
        [
            {"email": "Anna@Example.com", "firstname": "Anna"},
            {"email": "Bert@Example.com", "firstname": "Bert"},
            {"email": "bert@example.com", "firstname": "Berta"},
        ],
        table,
    )
    assert counts(send(clean_red, server, table, id_property="email")) == (1, 0, 1, 1)
    assert counts(send(clean_red, server, table, id_property="email")) == (0, 0, 2, 1)
    assert len(server.portal.writes) == 1


def test_an_object_that_was_made_meanwhile_counts_as_changed(clean_red: RedServer, server: HubspotServer) -> None:
    fill(clean_red, [{"number": "C1", "name": "Lamp"}])

    def make_it_first(request: Request, answer: Answer) -> Answer:
        if request.path.endswith("batch/read"):
            server.portal.add("companies", number="C1", name="Old")
        return answer

    server.rewrite = make_it_first
    assert counts(send(clean_red, server, id_property="number")) == (0, 1, 0, 0)


def test_what_cannot_be_read_is_no_object_that_is_gone(clean_red: RedServer, server: HubspotServer) -> None:
    companies = [server.portal.add("companies", name="Old") for _ in range(3)]
    fill(clean_red, [{"id": company, "name": "New"} for company in companies])

    def fail_for_two(request: Request, answer: Answer) -> Answer:
        if not request.path.endswith("batch/read"):
            return answer
        error = {"status": "error", "category": "INTERNAL_ERROR", "message": "New", "context": {"ids": companies[1:]}}
        return json_answer({**json.loads(answer.body), "results": [], "errors": [error]}, 207)

    server.rewrite = fail_for_two
    with pytest.raises(ApiAnswerInvalid, match="could not read some of 3 companies: INTERNAL_ERROR"):
        send(clean_red, server)
    assert server.portal.writes == []


def test_rows_with_an_id_change_what_differs_and_nothing_else(clean_red: RedServer, server: HubspotServer) -> None:
    same = server.portal.add("companies", name="Same", size="5")
    other = server.portal.add("companies", name="Old", size="5", domain="old.example.com")
    fill(
        clean_red,
        [
            {"id": same, "name": "Same", "size": "5.00", "domain": None, "dss_load_date": "x"},
            {"id": other, "name": "New", "size": "5", "domain": "", "dss_load_date": "x"},
            {"id": "12345", "name": "Gone", "size": None, "domain": None, "dss_load_date": "x"},
        ],
    )
    result = send(clean_red, server)
    assert counts(result) == (0, 1, 1, 1)
    assert server.portal.writes == [("update", "companies", other, {"name": "New", "domain": ""})]
    assert {each["row"]: (each["outcome"], each["properties"]) for each in outcomes(result)} == {
        1: ("unchanged", []),
        2: ("updated", ["domain", "name"]),
        3: ("refused", []),
    }
    assert counts(send(clean_red, server)) == (0, 0, 2, 1)
    assert len(server.portal.writes) == 1


def test_null_clears_a_value_only_when_asked(clean_red: RedServer, server: HubspotServer) -> None:
    company = server.portal.add("companies", name="Lamp", domain="lamp.example.com")
    fill(clean_red, [{"id": company, "name": "Lamp", "domain": None}])
    assert counts(send(clean_red, server)) == (0, 0, 1, 0)
    assert counts(send(clean_red, server, clear_nulls=True)) == (0, 1, 0, 0)
    assert server.portal.records["companies"][company].properties["domain"] == ""


def test_rows_with_a_unique_property_change_an_object_or_make_it(clean_red: RedServer, server: HubspotServer) -> None:
    known = server.portal.add("companies", number="C1", name="Old")
    fill(clean_red, [{"number": f"C{number}", "name": f"Company {number}"} for number in range(1, 4)])
    assert counts(send(clean_red, server, id_property="number")) == (2, 1, 0, 0)
    assert names(server) == ["Company 1", "Company 2", "Company 3"]
    assert counts(send(clean_red, server, id_property="NUMBER")) == (0, 0, 3, 0)
    assert len(server.portal.writes) == 3
    assert known in server.portal.records["companies"]


def test_rows_without_either_make_an_object_once(clean_red: RedServer, server: HubspotServer) -> None:
    fill(clean_red, [{"name": "Lamp"}, {"name": "Lamp"}, {"name": "Switch"}])
    assert counts(send(clean_red, server)) == (3, 0, 0, 0)
    assert counts(send(clean_red, server)) == (0, 0, 3, 0)
    assert sorted(map(str, names(server))) == ["Lamp", "Lamp", "Switch"]


def test_types_of_the_database_arrive_exactly(clean_red: RedServer, server: HubspotServer) -> None:
    server.portal.define("companies", "big", "number")
    server.portal.define("companies", "since", "date")
    server.portal.define("companies", "seen", "datetime")
    server.portal.define("companies", "ready", "bool")
    company = server.portal.add("companies")
    fill(
        clean_red,
        [
            {
                "id": int(company),
                "big": "12345678901234567890.123456789",
                "since": "2026-01-05",
                "seen": "2026-01-05 10:05:00.123",
                "ready": "true",
            }
        ],
        kinds="id bigint, big numeric(38, 9), since date, seen timestamp, ready boolean",
    )
    assert counts(send(clean_red, server)) == (0, 1, 0, 0)
    assert server.portal.records["companies"][company].properties == {
        "big": "12345678901234567890.123456789",
        "since": "2026-01-05",
        "seen": "2026-01-05T10:05:00.123Z",
        "ready": "true",
    }


# ------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("columns", "arguments", "said"),
    [
        ({"id": "1", "nane": "x"}, {}, r"nane is no property \(the nearest is name\)"),
        ({"id": "1", "hs_lastmodifieddate": "x"}, {}, "hs_lastmodifieddate can only be read"),
        ({"id": "1", "record_id": "1", "name": "x"}, {}, "id and record_id are both the object's id"),
        ({"id": "1", "name": "x", "NAME": "x"}, {}, "several columns are the property name"),
        ({"id": "1", "name": "x", "archived": "x"}, {}, "archived cannot be written"),
        ({"id": "1"}, {}, "no column to send"),
        ({"name": "x"}, {"id_property": "name"}, "no property of that name whose values are unique"),
        ({"name": "x"}, {"id_property": "number"}, "no column for id_property"),
    ],
)
def test_columns_that_cannot_be_sent_are_named_before_anything_is(
    clean_red: RedServer, server: HubspotServer, columns: dict[str, str], arguments: dict[str, str], said: str
) -> None:
    fill(clean_red, [columns])
    with pytest.raises(DeclarationError, match=said):
        send(clean_red, server, **arguments)
    assert server.portal.writes == []


def test_a_column_that_is_no_property_may_be_left_out(clean_red: RedServer, server: HubspotServer) -> None:
    fill(clean_red, [{"name": "Lamp", "customer_key": "1"}])
    assert counts(send(clean_red, server, exclude=["customer_key"])) == (1, 0, 0, 0)


def test_values_that_hubspot_would_refuse_are_not_sent(clean_red: RedServer, server: HubspotServer) -> None:
    fill(
        clean_red,
        [
            {"number": "C1", "size": "large", "color": "red"},
            {"number": "C2", "size": "5", "color": "green"},
            {"number": "C3", "size": "5", "color": "blue"},
            {"number": "C3", "size": "6", "color": "blue"},
            {"number": None, "size": "6", "color": "blue"},
        ],
    )
    result = send(clean_red, server, id_property="number")
    assert counts(result) == (1, 0, 0, 4)
    assert [each["key"] for each in outcomes(result) if each["row"] == 2] == ["C2"]
    assert {each["row"]: each.get("reason") for each in outcomes(result)} == {
        1: "size is no number",
        2: "color is none of the property's values",
        3: None,
        4: "another row is of the same object",
        5: "it has neither an id nor a value of number",
    }


@pytest.mark.parametrize("refuses_whole_batches", [True, False])
def test_the_rows_that_hubspot_refuses_are_found_and_the_others_sent(
    clean_red: RedServer, server: HubspotServer, refuses_whole_batches: bool
) -> None:
    server.portal.refuses_whole_batches = refuses_whole_batches
    taken = server.portal.add("companies", number="taken")
    added = [server.portal.add("companies", name="Old") for _ in range(130)]
    rows = [
        {"id": record_id, "name": f"Company {number}", "number": "taken" if number in (3, 77, 128) else f"C{number}"}
        for number, record_id in enumerate(added)
    ]
    fill(clean_red, rows)
    result = send(clean_red, server)
    assert counts(result) == (0, 127, 0, 3)
    refused = [each for each in outcomes(result) if each["outcome"] == "refused"]
    assert [(each["row"], each["reason"]) for each in refused] == [
        (row, "HubSpot says CONFLICT (number)") for row in (4, 78, 129)
    ]
    assert Counter(write[2] for write in server.portal.writes) == Counter(
        record_id for number, record_id in enumerate(added) if number not in (3, 77, 128)
    )
    assert server.portal.records["companies"][taken].properties["number"] == "taken"


def test_a_table_of_which_not_one_row_is_taken_is_an_error(clean_red: RedServer, server: HubspotServer) -> None:
    fill(clean_red, [{"number": "C1", "size": "large"}])
    with pytest.raises(LoadError, match="took not one of 1 rows, the first because size is no number"):
        send(clean_red, server, id_property="number")


def test_a_table_that_names_no_objects_is_refused(clean_red: RedServer, server: HubspotServer) -> None:
    fill(clean_red, [{"name": "x"}], "load_hubspot_owner")
    with pytest.raises(UnknownTableKind, match="which objects of HubSpot to write"):
        send(clean_red, server, "load_hubspot_owner")


def test_an_empty_table_sends_nothing(clean_red: RedServer, server: HubspotServer) -> None:
    clean_red.register_load_table(TABLE, truncate=False)
    clean_red.query_warehouse(f"CREATE TABLE load.{TABLE} (name text)")
    wherescape = WhereScape(clean_red.environment(TABLE, source_config={"url": server.url}))
    from wherescape import Column, Table

    wherescape.create_metadata(Table("company", (Column("name", "text"),), ("name",), "x"))
    wherescape.close()
    assert counts(send(clean_red, server)) == (0, 0, 0, 0)


# ------------------------------------------------------------------------------------------------------------- dry run


def test_a_dry_run_tells_what_it_would_do_and_does_nothing(
    clean_red: RedServer, server: HubspotServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "wherescape")
    known = server.portal.add("companies", number="C1", name="Old")
    fill(clean_red, [{"number": "C1", "name": "Secret name"}, {"number": "C2", "name": "Other name"}])
    clean_red.write_parameter("hubspot_environment", "")
    result = send(clean_red, server, id_property="number", dry_run=True)
    assert counts(result) == (1, 1, 0, 0) and result.file is None
    assert server.portal.writes == []
    assert f"Row 1 would change company {known}: name." in caplog.text
    assert "Row 2 would create one of companies: name, number." in caplog.text
    assert "Secret name" not in caplog.text


# ------------------------------------------------------------------------------------------------ what may go wrong


def test_objects_that_hubspot_wrote_otherwise_are_not_made_again(clean_red: RedServer, server: HubspotServer) -> None:
    fill(clean_red, [{"name": f"Company {n}", "domain": f"https://www.c{n}.example.com/"} for n in range(3)])

    def normalise_and_lose(request: Request, answer: Answer) -> Answer:
        if not request.path.endswith("batch/create"):
            return answer
        for each in server.portal.records["companies"].values():
            each.properties["domain"] = (each.properties["domain"] or "").removeprefix("https://www.").strip("/")
        return LOST

    server.rewrite = normalise_and_lose
    for _ in range(2):
        with pytest.raises(LoadError, match="not one of 3 rows.* it was sent, and may have made 5041.*: give the row"):
            send(clean_red, server)
    assert len(server.portal.records["companies"]) == 3
    server.rewrite = lambda request, answer: answer
    assert counts(send(clean_red, server, make_doubtful=True)) == (3, 0, 0, 0)
    assert counts(send(clean_red, server)) == (0, 0, 3, 0)


def test_an_answer_that_does_not_tell_the_rows_makes_none_twice(clean_red: RedServer, server: HubspotServer) -> None:
    fill(clean_red, [{"name": f"Company {number}"} for number in range(150)])

    def forget_the_rows(request: Request, answer: Answer) -> Answer:
        if not request.path.endswith("batch/create"):
            return answer
        body = json.loads(answer.body)
        for result in body["results"]:
            del result["objectWriteTraceId"]
        return json_answer(body, 201)

    server.rewrite = forget_the_rows
    assert counts(send(clean_red, server)) == (150, 0, 0, 0)
    assert sorted(map(str, names(server))) == sorted(f"Company {number}" for number in range(150))


def test_what_hubspot_says_of_values_is_not_told(clean_red: RedServer, server: HubspotServer) -> None:
    fill(clean_red, [{"email": "anna@example.com", "firstname": "Anna"}], "load_hubspot_contact")
    error = {"category": "CONFLICT", "message": "anna@example.com is no address", "errors": [], "context": {}}
    server.fail_next(json_answer(error, 400), path="batch/read")
    with pytest.raises(ApiRefused) as caught:
        send(clean_red, server, "load_hubspot_contact", id_property="email")
    assert "answered 400 CONFLICT" in str(caught.value) and "anna" not in str(caught.value)


@pytest.mark.parametrize("happened", [True, False], ids=["carried out", "not carried out"])
@pytest.mark.parametrize("way", ["id", "key", "create"])
def test_an_answer_that_is_lost_sends_no_row_twice(
    clean_red: RedServer, server: HubspotServer, way: str, happened: bool
) -> None:
    count = 250
    rows = [{"name": f"Company {number}"} for number in range(count)]
    arguments = {}
    if way == "id":
        rows = [row | {"id": server.portal.add("companies", name="Old")} for row in rows]
    elif way == "key":
        rows = [row | {"number": f"C{number}"} for number, row in enumerate(rows)]
        arguments = {"id_property": "number"}
    fill(clean_red, rows)
    lose_answers(server, {"id": "batch/update", "key": "batch/upsert", "create": "batch/create"}[way], happened)
    result = send(clean_red, server, **arguments)
    assert counts(result) == ((0, count, 0, 0) if way == "id" else (count, 0, 0, 0))
    assert Counter(write[2] for write in server.portal.writes).most_common(1)[0][1] == 1
    assert len(server.portal.writes) == count
    assert sorted(map(str, names(server))) == sorted(row["name"] for row in rows)


def lose_answers(server: HubspotServer, path: str, happened: bool) -> None:
    """Let the second answer for a path be lost, once what it tells has happened or before."""
    asked = Counter[str]()
    if not happened:
        server.fail_next(LOST, path=path, after=1)
        return

    def rewrite(request: Any, answer: Answer) -> Answer:
        asked[request.path] += path in request.path
        return LOST if path in request.path and asked[request.path] == 2 else answer

    server.rewrite = rewrite


@pytest.mark.parametrize("way", ["id", "key", "create"])
@pytest.mark.parametrize("seed", range(2))
def test_a_process_that_is_killed_at_any_moment_loses_no_row_and_sends_none_twice(
    clean_red: RedServer, server: HubspotServer, tmp_path: Path, way: str, seed: int
) -> None:
    choice = random.Random(seed)
    count = 1_000
    server.portal.definitions["companies"]["number"]["hasUniqueValue"] = way == "key"
    rows = [{"name": f"Company {number}", "number": f"C{number}"} for number in range(count)]
    if way == "id":
        rows = [row | {"id": server.portal.add("companies", name="Old")} for row in rows]
    fill_many(clean_red, rows)
    script = tmp_path / "send.py"
    pid = tmp_path / "pid"
    script.write_text(
        "import os, pathlib\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n"
        "from wherescape.connectors.hubspot.collect_data import hubspot_load_data\n"
        f"hubspot_load_data(max_retries=0{', id_property=' + repr('number') if way == 'key' else ''})\n",
        encoding="utf-8",
    )
    for _ in range(3):
        server.after_answer(lambda: kill(pid), path="batch/", after=choice.randrange(14))
        run(clean_red, server, script)
        server.mend()
    result = run(clean_red, server, script)
    assert result.status == 1, result
    sent = Counter(write[2] for write in server.portal.writes)
    assert len(sent) == count and set(sent.values()) == {1}
    assert sorted(map(str, names(server))) == sorted(row["name"] for row in rows)


def fill_many(red: RedServer, rows: Sequence[Mapping[str, str]]) -> None:
    fill(red, rows[:1])
    values = ", ".join("(" + ", ".join(f"'{value}'" for value in row.values()) + ")" for row in rows[1:])
    red.query_warehouse(f"INSERT INTO load.{TABLE} VALUES {values}")


def test_a_login_that_is_refused_half_way_is_an_error_and_the_rest_is_sent_later(
    clean_red: RedServer, server: HubspotServer
) -> None:
    rows = [{"id": server.portal.add("companies", name="Old"), "name": f"C{number}"} for number in range(250)]
    fill(clean_red, rows)
    server.fail_next(Answer(403, '{"category": "MISSING_SCOPES"}'), path="batch/update", after=1)
    with pytest.raises(ApiError, match="403"):
        send(clean_red, server)
    assert len(server.portal.writes) == 100
    assert counts(send(clean_red, server)) == (0, 150, 100, 0)
    assert len(server.portal.writes) == 250


# ------------------------------------------------------------------------------------------------------- under RED


def test_red_is_told_what_became_of_the_rows(clean_red: RedServer, server: HubspotServer) -> None:
    company = server.portal.add("companies", name="Old")
    fill(
        clean_red,
        [
            {"id": company, "name": "Ann Lee", "size": "5"},
            {"id": None, "name": "Mia Krystof", "size": "5"},
            {"id": None, "name": "Tom Poe", "size": "large"},
        ],
    )
    result = run(clean_red, server)
    assert (result.status, result.inserted, result.updated, result.rejected) == (-1, 1, 1, 1), result
    assert result.message.startswith("companies: 1 created, 1 updated, 0 unchanged, 1 refused")
    everything = "\n".join(texts_of_red(clean_red).values())
    for text in ("Ann Lee", "Mia Krystof", "Tom Poe", server.portal.token):
        assert text not in everything


@pytest.mark.parametrize("is_sandbox", [True, False])
def test_a_development_repository_writes_to_a_sandbox_or_not_at_all(
    clean_red: RedServer, server: HubspotServer, is_sandbox: bool
) -> None:
    sandbox = server.add_portal("sandbox", is_sandbox=is_sandbox)
    clean_red.write_parameter("hubspot_environment", "development")
    clean_red.write_parameter("hubspot_access_token_dev", sandbox.token)
    fill(clean_red, [{"name": "Lamp"}])
    if is_sandbox:
        assert counts(send(clean_red, server)) == (1, 0, 0, 0)
    else:
        with pytest.raises(DeclarationError, match="writes to sandboxes only"):
            send(clean_red, server)
    assert len(sandbox.writes) == is_sandbox
    assert server.portal.requests == []


def test_two_portals_get_their_own_rows(clean_red: RedServer, server: HubspotServer) -> None:
    other = server.add_portal("voys")
    clean_red.write_parameter("hubspot_access_token_voys", other.token)
    fill(clean_red, [{"name": "Of main"}])
    fill(clean_red, [{"name": "Of Voys"}], "load_hubspot_voys_company")
    send(clean_red, server)
    send(clean_red, server, "load_hubspot_voys_company")
    for portal, name in ((server.portal, "Of main"), (other, "Of Voys")):
        assert [write[3]["name"] for write in portal.writes] == [name]
