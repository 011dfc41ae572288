"""Masked columns: what is stored in place of their values, and that the values themselves are nowhere."""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from tests.loading import (
    LOAD_TABLE,
    TYPES,
    alter,
    create_load_table,
    item_table,
    load_table,
    masked,
    rejects,
    run_report,
    stored,
    texts_of_red,
)
from wherescape import Column
from wherescape.column_types import DataType
from wherescape.errors import DeclarationError, TooManyRejects, WhereScapeError
from wherescape.sandbox.red_server import RedServer

KEY = "0123456789abcdef0123456789ABCDEF"
PERSON = "Zoë Person-4711"
TABLE = item_table(
    masked("name", "fixed"), masked("mail", "hash", source="contact.mail"), Column("a_integer", "integer")
)

SCRIPT = """\
from wherescape import Column, Table, WhereScape

wherescape = WhereScape()
columns = (
    Column("n", "bigint"),
    Column("name", "text", mask="fixed"),
    Column("mail", "text", mask="hash", source="contact.mail"),
    Column("a_integer", "integer"),
)
person = "".join(map(chr, {characters}))
table = Table("item", columns, ("n",), "items api")
wherescape.load(table, {records}, **{options})
"""


@pytest.fixture
def red_with_key(clean_red: RedServer) -> RedServer:
    clean_red.write_parameter("mask_key", KEY)
    return clean_red


def hashed(text: str, key: str = KEY) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_fixed_text_and_keyed_hash(red_with_key: RedServer) -> None:
    with load_table(red_with_key, TABLE) as wherescape:
        wherescape.load(
            TABLE,
            [
                {"n": 1, "name": PERSON, "contact.mail": PERSON},
                {"n": 2, "name": None, "contact.mail": None},
                {"n": 3},
                {"n": 4, "name": "", "contact.mail": ""},
                {"n": 5, "name": 7, "contact.mail": 7},
                {"n": 6, "name": "[MASKED]", "contact.mail": "7"},
            ],
        )
    assert stored(red_with_key, "n, name, mail") == [
        (1, "[MASKED]", hashed(PERSON)),
        (2, None, None),
        (3, None, None),
        (4, "[MASKED]", hashed("")),
        (5, "[MASKED]", hashed("7")),
        (6, "[MASKED]", hashed("7")),
    ]


def test_a_hash_joins_rows_of_two_loads_of_the_same_key_only(red_with_key: RedServer) -> None:
    found = []
    for key in (KEY, KEY, KEY[::-1]):
        red_with_key.write_parameter("mask_key", key)
        with load_table(red_with_key, TABLE) as wherescape:
            wherescape.load(TABLE, [{"n": 1, "contact.mail": PERSON}])
        found += stored(red_with_key, "mail")
    assert found == [(hashed(PERSON),), (hashed(PERSON),), (hashed(PERSON, KEY[::-1]),)]


@pytest.mark.parametrize("key", [None, "", "short", KEY[:-1], " " * 40], ids=repr)
def test_without_a_key_of_32_characters_nothing_is_read(clean_red: RedServer, key: str | None) -> None:
    if key is not None:
        clean_red.write_parameter("mask_key", key)

    def records() -> Iterator[dict[str, Any]]:
        raise AssertionError("the source was read")
        yield {}

    with load_table(clean_red, TABLE) as wherescape, pytest.raises(WhereScapeError, match="mask_key") as raised:
        wherescape.load(TABLE, records())
    assert not key or not key.strip() or key not in str(raised.value)


def test_a_fixed_mask_needs_no_key(clean_red: RedServer) -> None:
    table = item_table(masked("name", "fixed"))
    with load_table(clean_red, table) as wherescape:
        wherescape.load(table, [{"n": 1, "name": PERSON}])
    assert stored(clean_red, "name") == [("[MASKED]",)]


@pytest.mark.parametrize("data_type", [name for name in TYPES if name != "text"])
@pytest.mark.parametrize("mask", ["fixed", "hash"])
def test_only_texts_can_be_masked(data_type: DataType, mask: Any) -> None:
    with pytest.raises(DeclarationError, match="a_column"):
        Column("a_column", data_type, mask=mask)


def test_an_unknown_mask_is_refused() -> None:
    with pytest.raises(DeclarationError, match="'rot13'"):
        Column("a_column", "text", mask="rot13")  # type: ignore[arg-type]


def test_the_raw_record_of_a_reject_is_masked(red_with_key: RedServer) -> None:
    record = {"n": 1, "name": PERSON, "contact.mail": PERSON, "a_integer": "x", "friends": [{"name": PERSON}]}
    with load_table(red_with_key, TABLE) as wherescape:
        wherescape.load(TABLE, [record, {"n": 2, "name": None, "a_integer": "y"}])
        [first, second] = rejects(wherescape)
    assert first["raw"] == {"n": 1, "name": "[MASKED]", "contact.mail": "[MASKED]", "a_integer": "x"}
    assert (second["raw"]["n"], second["raw"]["a_integer"]) == (2, "y")


def test_a_field_that_one_column_masks_is_masked_where_another_reads_it_too(red_with_key: RedServer) -> None:
    table = item_table(masked("name", "fixed"), Column("open_name", "text", source="name"), Column("i", "integer"))
    with load_table(red_with_key, table) as wherescape:
        wherescape.load(table, [{"n": 1, "name": PERSON, "i": "x"}])
        [reject] = rejects(wherescape)
    assert reject["raw"] == {"n": 1, "name": "[MASKED]", "i": "x"}


BAD_RECORDS = {
    "another column": "{'n': 1, 'name': person, 'contact.mail': person, 'a_integer': 'x', 'also': [person]}",
    "a NUL in the masked value": "{'n': 1, 'name': person + chr(0), 'contact.mail': person + chr(0)}",
    "a surrogate in the masked value": "{'n': 1, 'name': person + chr(0xd800), 'contact.mail': person + chr(0xd800)}",
    "a masked value of another type": "{'n': 1, 'name': [person], 'contact.mail': {'a': person}}",
    "a masked value that no text stands for": "{'n': 1, 'name': {person}, 'contact.mail': {person}}",
    "no record": "person",
    "a list in place of a record": "[person]",
    "an unknown field that is named like a person": "{'n': 'x', 'name': person, person: 1}",
}


def run(red: RedServer, records: str, options: str = "{}", change: str = "") -> list[str]:
    """Load as a task does; return the names of the files and logs that the person's name is in."""
    create_load_table(red, TABLE)
    if change:
        alter(red, change)
    script = red.workdir / "load.py"
    script.write_text(
        SCRIPT.format(characters=[ord(character) for character in PERSON], records=records, options=options),
        encoding="utf-8",
    )
    result = red.run_host_script(script, LOAD_TABLE, timeout=60)
    told = {"RED": "\n".join([result.message, *result.audit, *result.detail])}
    table = {"the load table": "\n".join(map(str, stored(red, "*", "1")))}
    return [name for name, text in (texts_of_red(red) | told | table).items() if "Person-4711" in text or KEY in text]


@pytest.mark.parametrize("case", [case for case in BAD_RECORDS if "unknown field" not in case])
def test_the_masked_value_of_a_reject_is_nowhere(red_with_key: RedServer, case: str) -> None:
    good = "{'n': 2, 'name': person, 'contact.mail': person, 'a_integer': 2}"
    assert run(red_with_key, f"[{good}, {BAD_RECORDS[case]}]") == []
    assert len(stored(red_with_key)) >= 1


@pytest.mark.parametrize(
    "change",
    ["ALTER mail TYPE varchar(9)", "ADD UNIQUE (mail)", "ADD CHECK (n <> 2)", "ALTER a_integer SET NOT NULL"],
)
def test_the_masked_value_of_a_row_that_the_database_refuses_is_nowhere(red_with_key: RedServer, change: str) -> None:
    good = "{'n': 1, 'name': person, 'contact.mail': person, 'a_integer': 1}"
    assert run(red_with_key, f"[{good}, {{**{good}, 'n': 2, 'a_integer': None}}]", change=change) == []
    assert (red_with_key.workdir / "rejects").exists()


@pytest.mark.parametrize(
    "records",
    [
        "({'n': n, 'name': person, 'contact.mail': person, 'a_integer': 'x'} for n in range(300))",
        "[{'n': 1, 'name': person, 'contact.mail': person, 'a_integer': 10 ** 5000}]",
    ],
)
def test_the_masked_value_of_a_load_that_fails_is_nowhere(red_with_key: RedServer, records: str) -> None:
    assert run(red_with_key, records, "{'max_rejected': 0, 'max_rejected_share': 0.0}") == []
    assert stored(red_with_key) == []


def test_the_run_report_names_no_value(red_with_key: RedServer) -> None:
    records = ({"n": n, "name": PERSON, "contact.mail": PERSON, "a_integer": PERSON} for n in range(300))
    with load_table(red_with_key, TABLE) as wherescape:
        with pytest.raises(TooManyRejects) as raised:
            wherescape.load(TABLE, records)
        report = run_report(wherescape)
    assert set(report["columns"]) >= {"name", "mail", "a_integer"}
    assert PERSON not in str(report) and PERSON not in str(raised.value)


def test_masks_are_those_that_the_documentation_names() -> None:
    from wherescape.tables import Mask

    assert set(get_args(Mask)) == {"", "fixed", "hash"}
