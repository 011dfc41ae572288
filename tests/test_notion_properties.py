"""How each type of property is written into columns."""

import logging
from typing import Any

import pytest

from tests.servers.notion_server import run
from wherescape.connectors.notion.notion_properties import (
    END,
    RENDERINGS,
    Property,
    fields_of,
    properties_of,
    result_of_formula,
)

PERSON = {
    "object": "user",
    "id": "7a",
    "name": "Ann Lee",
    "avatar_url": "https://example.com/ann.png",
    "person": {"email": "ann@example.com"},
}
DAY = {"start": "2026-01-05", "end": None, "time_zone": None}
SPAN = {"start": "2026-01-05T10:05:00.000+01:00", "end": "2026-01-06", "time_zone": None}


def option(name: str) -> dict[str, str]:
    return {"id": "x", "name": name, "color": "red"}


def value(kind: str, content: object) -> dict[str, Any]:
    return {"id": "p", "type": kind, kind: content}


CASES: list[tuple[str, object, object]] = [
    ("title", [run("Paint "), run("the wall")], "Paint the wall"),
    ("title", [], None),
    ("rich_text", [run("Gr"), run("öße 😀\n")], "Größe 😀\n"),
    (
        "rich_text",
        [{"type": "equation", "plain_text": "e=mc^2"}, {"type": "mention", "plain_text": "@Ann"}],
        "e=mc^2@Ann",
    ),
    ("number", 0, 0),
    ("number", 0.1, 0.1),
    ("number", None, None),
    ("select", option("a, b"), "a, b"),
    ("select", None, None),
    ("status", option("Done"), "Done"),
    ("multi_select", [option("a, b"), option("c")], ["a, b", "c"]),
    ("multi_select", [], []),
    ("checkbox", False, False),
    ("url", "https://example.com/a b", "https://example.com/a b"),
    ("email", "ann@example.com", "ann@example.com"),
    ("phone_number", "+31 20 555", "+31 20 555"),
    (
        "people",
        [PERSON, {"object": "group", "id": "8b", "name": "Crew"}],
        [{"id": "7a", "name": "Ann Lee"}, {"id": "8b", "name": "Crew"}],
    ),
    ("people", [{"object": "user", "id": "7a"}], [{"id": "7a", "name": None}]),
    (
        "files",
        [
            {
                "name": "a.pdf",
                "type": "file",
                "file": {"url": "https://example.com/a?signature=x", "expiry_time": "…"},
            },
            {"name": "b", "type": "external", "external": {"url": "https://example.com/b"}},
        ],
        ["a.pdf", "b"],
    ),
    ("relation", [{"id": "1"}, {"id": "2"}], ["1", "2"]),
    ("unique_id", {"prefix": "TASK", "number": 12}, "TASK-12"),
    ("unique_id", {"prefix": None, "number": 0}, "0"),
    ("unique_id", {"prefix": "TASK", "number": None}, None),
    ("created_time", "2026-01-05T10:05:00.000Z", "2026-01-05T10:05:00.000Z"),
    ("last_edited_time", "2026-01-05T10:05:00.000Z", "2026-01-05T10:05:00.000Z"),
    ("created_by", PERSON, "7a"),
    ("last_edited_by", PERSON, "7a"),
    ("place", {"lat": 52.4, "lon": 4.9, "name": "Amsterdam"}, {"lat": 52.4, "lon": 4.9, "name": "Amsterdam"}),
    (
        "verification",
        {"state": "verified", "verified_by": PERSON, "date": DAY},
        {"state": "verified", "verified_by": "7a", "date": DAY},
    ),
    ("button", {}, None),
    ("formula", {"type": "string", "string": "a"}, "a"),
    ("formula", {"type": "number", "number": 2.5}, 2.5),
    ("formula", {"type": "boolean", "boolean": False}, False),
    ("formula", {"type": "date", "date": SPAN}, "2026-01-05T10:05:00.000+01:00/2026-01-06"),
    ("formula", {"type": "string", "string": None}, None),
    ("rollup", {"type": "number", "number": 3, "function": "sum"}, 3),
    ("rollup", {"type": "date", "date": DAY, "function": "earliest_date"}, "2026-01-05"),
    ("rollup", {"type": "unsupported", "unsupported": {}, "function": "sum"}, None),
    (
        "rollup",
        {
            "type": "array",
            "function": "show_original",
            "array": [
                value("number", 3),
                value("title", [run("Paint")]),
                value("title", run("Paint")),
                value("relation", {"id": "1"}),
                value("date", SPAN),
                value("people", [PERSON]),
                value("select", None),
                value("formula", {"type": "date", "date": DAY}),
                value("email", "ann@example.com"),
            ],
        },
        [
            3,
            "Paint",
            "Paint",
            ["1"],
            "2026-01-05T10:05:00.000+01:00/2026-01-06",
            [{"id": "7a", "name": "Ann Lee"}],
            None,
            "2026-01-05",
            "ann@example.com",
        ],
    ),
    ("hologram", {"depth": 3}, {"depth": 3}),
]


@pytest.mark.parametrize(("kind", "content", "expected"), CASES)
def test_a_value_is_rendered(kind: str, content: object, expected: object) -> None:
    assert fields_of(Property("p", "P", kind), value(kind, content)) == {"property:p": expected}


def test_every_type_is_among_the_cases() -> None:
    assert set(RENDERINGS) - {"date"} <= {kind for kind, _, _ in CASES}


@pytest.mark.parametrize(
    ("content", "start", "end"),
    [
        (DAY, "2026-01-05", None),
        (SPAN, "2026-01-05T10:05:00.000+01:00", "2026-01-06"),
        (
            {"start": "2026-07-05T10:05:00.000", "end": "2026-12-05T10:05:00", "time_zone": "Europe/Amsterdam"},
            "2026-07-05T10:05:00+02:00",
            "2026-12-05T10:05:00+01:00",
        ),
        ({"start": "2026-01-05", "end": None, "time_zone": "Europe/Amsterdam"}, "2026-01-05", None),
        (
            {"start": "2026-01-05T10:05:00.000+03:00", "end": None, "time_zone": "Europe/Amsterdam"},
            "2026-01-05T10:05:00.000+03:00",
            None,
        ),
        ({"start": "2026-01-05T10:05", "end": None, "time_zone": "Mars/Base"}, "2026-01-05T10:05 Mars/Base", None),
        (None, None, None),
    ],
)
def test_a_date_has_a_start_and_an_end(content: object, start: str | None, end: str | None) -> None:
    dates = {"property:p": start, f"{END}property:p": end}
    assert fields_of(Property("p", "P", "date"), value("date", content)) == dates
    formula = value("formula", {"type": "date", "date": content})
    assert fields_of(Property("p", "P", "formula", result="date"), formula) == dates


@pytest.mark.parametrize("kind", [*RENDERINGS, "hologram"])
def test_a_page_without_the_value_has_null(kind: str) -> None:
    prop = Property("p", "P", kind)
    assert set(fields_of(prop, None).values()) == {None}
    assert fields_of(prop, None).keys() == fields_of(prop, value(kind, None)).keys()


def test_without_names_nothing_in_a_list_tells_who_it_is() -> None:
    array = [value("people", [PERSON]), value("email", "ann@example.com"), value("phone_number", "+31 20 555")]
    for kind, content in [
        ("people", [PERSON]),
        ("rollup", {"type": "array", "array": array}),
        ("verification", {"state": "verified", "verified_by": PERSON, "date": None}),
        ("created_by", PERSON),
        ("hologram", {"seen by": PERSON}),
    ]:
        shown = str(fields_of(Property("p", "P", kind), value(kind, content), with_names=False))
        assert not [text for text in ("Ann", "ann@", "ann.png", "555") if text in shown], kind


@pytest.mark.parametrize(
    ("values", "result"),
    [
        ([{"type": "number", "number": 3}, {"type": "number", "number": None}], "number"),
        ([{"type": "number", "number": 3}, {"type": "string", "string": None}], "number"),
        ([{"type": "number", "number": 3}, {"type": "string", "string": "a"}], "string"),
        ([{"type": "boolean", "boolean": False}], "boolean"),
        ([], "string"),
    ],
)
def test_a_formula_results_in_what_its_values_are(values: list[dict[str, Any]], result: str) -> None:
    assert result_of_formula(values) == result


@pytest.mark.parametrize(
    ("function", "data_type"),
    [
        ("sum", "numeric"),
        ("percent_checked", "numeric"),
        ("latest_date", "timestamp"),
        ("show_unique", "json"),
        ("date_range", "json"),
        ("sparkle", "json"),
    ],
)
def test_a_rollup_has_the_type_of_its_function(function: str, data_type: str) -> None:
    (prop,) = properties_of({"Total": {"id": "a", "type": "rollup", "rollup": {"function": function}}})
    assert prop.rendering.data_type == data_type


def test_the_title_comes_first_and_a_new_type_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found = properties_of(
        {
            "Depth": {"id": "%3Aa", "type": "hologram", "hologram": {}, "description": "In light years"},
            "Name": {"id": "title", "type": "title", "title": {}, "description": None},
        }
    )
    assert [(prop.id, prop.name, prop.description) for prop in found] == [
        ("title", "Name", ""),
        ("%3Aa", "Depth", "In light years"),
    ]
    assert "'hologram'" in caplog.text
