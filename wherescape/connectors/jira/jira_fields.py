"""Fields of issues that a user chooses: found by their name or id, typed by their schema.

Source: Jira Cloud platform REST API v3, "Get fields".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from wherescape.api_response import Record
from wherescape.column_types import DataType
from wherescape.connectors.jira.jira_adf import rich_text
from wherescape.errors import DeclarationError

MOST_CANDIDATES = 8
_TYPES: dict[str, DataType] = {
    "number": "numeric",
    "date": "date",
    "datetime": "timestamp",
    "string": "text",
    "any": "text",
    "option": "text",
    "option-with-child": "text",
    "priority": "text",
    "resolution": "text",
    "status": "text",
    "project": "text",
    "version": "text",
    "component": "text",
    "group": "text",
}
_RICH_TEXT = ":textarea"
_SYSTEM_RICH_TEXTS = ("description", "environment")


@dataclass(frozen=True)
class Part:
    """One column's worth of a field.

    Arguments:
        name: what to call it.
        source: its key in a record.
        data_type: that of its values.
        comment: what it holds.
    """

    name: str
    source: str
    data_type: DataType
    comment: str


@dataclass(frozen=True)
class Field:
    """A field of issues.

    Arguments:
        id: such as `customfield_10016`.
        name: in the API user's language.
        type: of its schema.
        items: the type of its items, if it is a list.
        is_rich_text: whether its values are documents.
    """

    id: str
    name: str
    type: str = ""
    items: str = ""
    is_rich_text: bool = False

    def parts(self, *, with_adf: bool = False) -> list[Part]:
        """Return what columns the field needs.

        Arguments:
            with_adf: one for the document of a rich text as well.
        """
        comment = f"Field {self.name} ({self.id})"
        if self.type == "user":
            return [
                Part(f"{self.name} accountid", f"{self.id}_accountid", "text", f"{comment}: account id."),
                Part(f"{self.name} displayname", f"{self.id}_displayname", "text", f"{comment}: name."),
            ]
        parts = [Part(self.name, self.id, _TYPES.get(self.type, "json"), f"{comment}.")]
        if self.is_rich_text and with_adf:
            parts.append(Part(f"{self.name} adf", f"{self.id}_adf", "json", f"{comment}: the document."))
        return parts

    def record(self, value: Any, *, with_adf: bool = False) -> Record:
        """Return a value by the sources of the field's parts."""
        if self.type == "user":
            user = value if isinstance(value, dict) else {}
            names = {"accountid": "accountId", "displayname": "displayName"}
            return {f"{self.id}_{part}": user.get(key) for part, key in names.items()}
        if self.is_rich_text:
            return rich_text(self.id, value, with_adf=with_adf)
        if self.type == "array":
            is_list = isinstance(value, list)
            return {self.id: [_item(item, self.items) for item in value] if is_list else _without_names(value)}
        return {self.id: _text(value) if self.type in _TYPES else _without_names(value)}


def choose_fields(chosen: Sequence[str], known: Iterable[Record]) -> list[Field]:
    """Find fields by their name or id.

    Arguments:
        chosen: such as `Story Points` and `customfield_10020`; case counts only where two names differ by it.
        known: the answer of `GET /field`.

    Raises:
        DeclarationError: a field that Jira does not have, or a name that several have; the error lists candidates.
    """
    fields = [_field(record) for record in known]
    found = [_find(text, fields) for text in ([chosen] if isinstance(chosen, str) else chosen)]
    if twice := sorted({field.id for field in found if found.count(field) > 1}):
        raise DeclarationError(f"The custom fields name {', '.join(twice)} more than once. Name it once.")
    return found


def _find(text: str, fields: Sequence[Field]) -> Field:
    wanted = text.strip()
    ways = (
        [field for field in fields if field.id == wanted],
        [field for field in fields if field.name == wanted],
        [field for field in fields if field.name.casefold() == wanted.casefold()],
    )
    matching = next((found for found in ways if found), [])
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise DeclarationError(
            f"Jira has {len(matching)} fields of the name {text!r}: {_listed(matching)}. Choose one by its id."
        )
    by_name = {field.name.casefold(): field for field in fields}
    close = get_close_matches(wanted.casefold(), by_name, n=MOST_CANDIDATES, cutoff=0.5)
    candidates = [by_name[name] for name in close] or [field for field in fields if field.id.startswith("custom")]
    raise DeclarationError(
        f"Jira shows this user no field {text!r}. It has {_listed(candidates[:MOST_CANDIDATES]) or 'no custom field'}."
    )


def _listed(fields: Iterable[Field]) -> str:
    return ", ".join(f"{field.id} ({field.name})" for field in fields)


def _field(record: Record) -> Field:
    schema = record.get("schema") or {}
    custom = str(schema.get("custom") or "")
    field_id = str(record.get("id"))
    return Field(
        id=field_id,
        name=str(record.get("name") or field_id),
        type=str(schema.get("type") or ""),
        items=str(schema.get("items") or ""),
        is_rich_text=custom.endswith(_RICH_TEXT) or field_id in _SYSTEM_RICH_TEXTS,
    )


def _text(value: Any) -> Any:
    """Return the name of an option, a version and the like; of a cascading one with that of its child."""
    if not isinstance(value, dict):
        return value
    name = next((value[key] for key in ("value", "name", "title") if value.get(key) is not None), None)
    if name is None:
        return _without_names(value)
    child = value.get("child")
    return f"{name} / {_text(child)}" if isinstance(child, dict) else name


def _item(item: Any, kind: str) -> Any:
    """Return an item of a list: of a person the account id only, of an option its text."""
    if kind == "user" and isinstance(item, dict):
        return item.get("accountId")
    return _text(item) if kind in _TYPES else _without_names(item)


def _without_names(value: Any) -> Any:
    """Leave of persons, however deep they are in JSON, the account id only: names and addresses are personal data."""
    if isinstance(value, list):
        return [_without_names(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "accountId" in value:
        return {"accountId": value["accountId"]}
    return {name: _without_names(item) for name, item in value.items()}
