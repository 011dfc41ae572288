"""Fields of issues by name or id, as columns of the right type."""

from typing import Any

import pytest

from wherescape.connectors.jira.jira_fields import Field, choose_fields
from wherescape.connectors.jira.jira_tables import ISSUES, PROJECTS, WORKLOGS, extended
from wherescape.errors import DeclarationError
from wherescape.tables import Table

PREFIX = "com.atlassian.jira.plugin.system.customfieldtypes:"


def known(field_id: str, name: str, kind: str, items: str = "", custom: str = "") -> dict[str, Any]:
    return {"id": field_id, "name": name, "schema": {"type": kind, "items": items, "custom": f"{PREFIX}{custom}"}}


KNOWN = [
    known("summary", "Summary", "string"),
    known("customfield_1", "Story Points", "number"),
    known("customfield_2", "Sprint", "array", "json"),
    known("customfield_3", "Team", "option"),
    known("customfield_4", "Team", "string"),
    known("customfield_5", "team", "user"),
    known("customfield_6", "Größe (cm)", "number"),
    {"id": "thumbnail", "name": "Images"},
]


@pytest.mark.parametrize(
    ("text", "field_id"),
    [
        ("Story Points", "customfield_1"),
        ("story points", "customfield_1"),
        (" Story Points ", "customfield_1"),
        ("customfield_3", "customfield_3"),
        ("team", "customfield_5"),
        ("Summary", "summary"),
        ("Images", "thumbnail"),
    ],
)
def test_a_field_is_found_by_name_or_id(text: str, field_id: str) -> None:
    assert [field.id for field in choose_fields([text], KNOWN)] == [field_id]
    assert choose_fields(text, KNOWN) == choose_fields([text], KNOWN)


def test_a_name_of_several_fields_lists_them() -> None:
    with pytest.raises(DeclarationError, match="2 fields") as raised:
        choose_fields(["Team"], KNOWN)
    assert "customfield_3 (Team), customfield_4 (Team)" in str(raised.value)


def test_an_unknown_name_lists_similar_ones() -> None:
    with pytest.raises(DeclarationError, match=r"no field 'Storypoints'. It has customfield_1 \(Story Points\)"):
        choose_fields(["Storypoints"], KNOWN)


def test_an_unknown_name_like_none_lists_custom_fields() -> None:
    with pytest.raises(DeclarationError, match=r"It has customfield_1 \(Story Points\), customfield_2 \(Sprint\)"):
        choose_fields(["xyzzy"], KNOWN)


def test_a_field_that_is_chosen_twice_is_an_error() -> None:
    with pytest.raises(DeclarationError, match="customfield_1 more than once"):
        choose_fields(["Story Points", "customfield_1"], KNOWN)


def columns(table: Table) -> list[tuple[str, str, str]]:
    """Return what the table has more than it usually has: name, type and source."""
    return [(column.name, column.data_type, column.source) for column in table.columns[len(ISSUES.columns) :]]


def custom(kind: str, items: str = "", custom_type: str = "", name: str = "Some Field") -> Field:
    (field,) = choose_fields(["customfield_9"], [known("customfield_9", name, kind, items, custom_type)])
    return field


@pytest.mark.parametrize(
    ("field", "value", "data_type", "stored"),
    [
        (custom("number"), 3.5, "numeric", 3.5),
        (custom("date"), "2026-01-05", "date", "2026-01-05"),
        (custom("datetime"), "2026-01-05T10:05:00.000+0100", "timestamp", "2026-01-05T10:05:00.000+0100"),
        (custom("string"), "text", "text", "text"),
        (custom("any"), "EX-1", "text", "EX-1"),
        (custom("option"), {"id": "1", "value": "Red"}, "text", "Red"),
        (custom("version"), {"id": "1", "name": "1.0"}, "text", "1.0"),
        (custom("option-with-child"), {"value": "Red", "child": {"value": "Dark"}}, "text", "Red / Dark"),
        (custom("option-with-child"), {"value": "Red"}, "text", "Red"),
        (custom("array", "option"), [{"value": "Red"}, {"value": "Blue, dark"}], "json", ["Red", "Blue, dark"]),
        (custom("array", "string"), ["a", "b"], "json", ["a", "b"]),
        (custom("array", "user"), [{"accountId": "5b1", "displayName": "Mia", "emailAddress": "m"}], "json", ["5b1"]),
        (custom("array", "json"), [{"id": 1, "state": "active"}], "json", [{"id": 1, "state": "active"}]),
        (custom("sd-feedback"), {"rating": 4}, "json", {"rating": 4}),
        (custom(""), {"rating": 4}, "json", {"rating": 4}),
        (
            custom("array", "attachment"),
            [{"id": "1", "author": {"accountId": "5b1", "displayName": "Mia", "emailAddress": "m"}}],
            "json",
            [{"id": "1", "author": {"accountId": "5b1"}}],
        ),
        (
            custom("votes"),
            {"votes": 1, "voters": [{"accountId": "5b1", "displayName": "Mia"}]},
            "json",
            {"votes": 1, "voters": [{"accountId": "5b1"}]},
        ),
    ],
    ids=lambda value: f"{value.type} {value.items}" if isinstance(value, Field) else None,
)
def test_a_field_is_typed_from_its_schema(field: Field, value: Any, data_type: str, stored: Any) -> None:
    assert columns(extended(ISSUES, [field])) == [("some_field", data_type, "customfield_9")]
    assert field.record(value) == {"customfield_9": stored}
    assert field.record(None) == {"customfield_9": None}


def test_a_person_is_an_account_id_and_a_name() -> None:
    field = custom("user")
    assert columns(extended(ISSUES, [field])) == [
        ("some_field_accountid", "text", "customfield_9_accountid"),
        ("some_field_displayname", "text", "customfield_9_displayname"),
    ]
    person = {"accountId": "5b1", "displayName": "Mia Krystof", "emailAddress": "mia@example.com"}
    assert field.record(person) == {"customfield_9_accountid": "5b1", "customfield_9_displayname": "Mia Krystof"}
    assert set(field.record(None).values()) == {None}


def test_a_rich_text_is_text_and_on_request_its_document() -> None:
    field = custom("string", custom_type="textarea")
    document = {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}]}
    assert columns(extended(ISSUES, [field])) == [("some_field", "text", "customfield_9")]
    assert field.record(document) == {"customfield_9": "Hello"}
    assert columns(extended(ISSUES, [field], with_adf=True)) == [
        ("description_adf", "json", "description_adf"),
        ("environment_adf", "json", "environment_adf"),
        ("some_field", "text", "customfield_9"),
        ("some_field_adf", "json", "customfield_9_adf"),
    ]
    assert field.record(document, with_adf=True) == {"customfield_9": "Hello", "customfield_9_adf": document}


@pytest.mark.parametrize(
    ("name", "column"),
    [("Größe (cm)", "grosse_cm"), ("Summary", "summary_047"), ("2024", "column_2024"), ("☃", "column_047")],
)
def test_a_column_is_named_after_its_field(name: str, column: str) -> None:
    ((found, _, _),) = columns(extended(ISSUES, [custom("number", name=name)]))
    assert found == column.replace("047", f"{len(ISSUES.columns) + 1:03}")


def test_fields_of_the_same_name_get_columns_of_their_own() -> None:
    fields = choose_fields(["customfield_3", "customfield_4"], KNOWN)
    names = [name for name, _, _ in columns(extended(ISSUES, fields))]
    assert (names[0], len(set(names))) == ("team", 2)


def test_fields_go_with_issues_and_documents_with_rich_texts() -> None:
    with pytest.raises(DeclarationError, match="Custom fields go with issue only, not with worklog"):
        extended(WORKLOGS, [custom("number")])
    with pytest.raises(DeclarationError, match="with_adf goes with issue, worklog only, not with project"):
        extended(PROJECTS, with_adf=True)
