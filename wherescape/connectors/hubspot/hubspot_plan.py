"""What the rows of a table mean for HubSpot: which property each column is, and what each row would change.

Nothing here asks or sends anything.
"""

import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from wherescape.api_response import Record
from wherescape.connectors.hubspot.hubspot_objects import ObjectType
from wherescape.connectors.hubspot.hubspot_tables import PROPERTY
from wherescape.connectors.hubspot.hubspot_values import means_the_same, to_hubspot
from wherescape.errors import DeclarationError, ValueDoesNotFit

ID_COLUMNS = ("id", "record_id", "hs_object_id")
ALWAYS_UNIQUE = (("contacts", "email"),)
"""HubSpot, "Create or update a batch": what objects are found by although the definition may not call it unique."""
PERSONAL_WORDS = ("mail", "phone", "name")
OWN_COLUMNS = ("createdat", "updatedat", "archived", "created_at", "updated_at")
"""What `hubspot_collect_data` adds to the properties, and which cannot be written."""

Outcome = Literal["", "created", "updated", "unchanged", "refused"]


@dataclass
class Row:
    """A row of the table, and what became of it.

    Arguments:
        number: its place in the table, from 1.
        id: of the object; empty for one that is to be found by a unique property, or created.
        key: the value of the unique property; empty without one.
        properties: the values as HubSpot takes them, by the names of properties.
        outcome: empty as long as it is not settled.
        reason: why it was refused; no value of the row.
        changes: the properties that differ from what HubSpot has.
        fingerprint: the same for rows with the same content.
    """

    number: int
    id: str
    key: str
    properties: dict[str, str]
    outcome: Outcome = ""
    reason: str = ""
    changes: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""

    def refuse(self, reason: str) -> None:
        """Settle it: HubSpot does not take it."""
        self.outcome, self.reason = "refused", reason


@dataclass(frozen=True)
class Columns:
    """Which property each column of a table is.

    Arguments:
        id: the place of the column with the object's id; None without one.
        properties: the definitions of properties, by the places of their columns.
    """

    id: int | None
    properties: Mapping[int, Record]


def match_columns(
    names: Sequence[str],
    definitions: Sequence[Record],
    object_type: ObjectType,
    *,
    sources: Mapping[str, str],
    id_property: str = "",
    exclude: Sequence[str] = (),
) -> Columns:
    """Find the property of each column: the one that the column was made for, or the one of its name in any case.

    Columns that begin with `dss_` are the warehouse's own. `id`, `record_id` or `hs_object_id` is the object's id.

    Arguments:
        names: of the columns.
        definitions: of the type's properties.
        object_type: which.
        sources: what the columns were made for, by their names, as RED has it.
        id_property: the unique property that objects are found by.
        exclude: columns that are not sent.

    Raises:
        DeclarationError: a column is no property or one that cannot be written, two are the same one, there is nothing
            to send, or objects cannot be found by `id_property`.
    """
    by_name = {str(each["name"]).lower(): each for each in definitions}
    wanted = id_property.lower()
    is_unique = (by_name.get(wanted) or {}).get("hasUniqueValue") or (object_type.name, wanted) in ALWAYS_UNIQUE
    if id_property and not is_unique:
        raise DeclarationError(
            f"Objects cannot be found by id_property={id_property!r}: HubSpot's {object_type.name} have no property of"
            " that name whose values are unique."
        )
    id_place: int | None = None
    found: dict[int, Record] = {}
    problems: list[str] = []
    for place, name in enumerate(names):
        lower = name.lower()
        if lower.startswith("dss_") or name in exclude:
            continue
        source = sources.get(name, "")
        if lower in ID_COLUMNS and not source.startswith(PROPERTY):
            if id_place is not None:
                problems.append(f"{names[id_place]} and {name} are both the object's id")
            id_place = place
            continue
        if lower in OWN_COLUMNS and not source.startswith(PROPERTY):
            problems.append(f"{name} cannot be written")
            continue
        definition = by_name.get(source.removeprefix(PROPERTY).lower() if source.startswith(PROPERTY) else lower)
        if definition is None:
            problems.append(f"{name} is no property{_nearest(lower, by_name)}")
        elif is_read_only(definition):
            problems.append(f"{name} can only be read")
        else:
            found[place] = definition
    twice = [name for name, count in Counter(str(each["name"]) for each in found.values()).items() if count > 1]
    problems += [f"several columns are the property {name}" for name in twice]
    if problems:
        raise DeclarationError(
            f"The table cannot be sent to HubSpot's {object_type.name}: {'; '.join(problems)}. Nothing was sent."
            " Correct the columns, or leave them out by the argument exclude."
        )
    if not found:
        raise DeclarationError(f"The table has no column to send to HubSpot's {object_type.name}.")
    if id_property and wanted not in {str(each["name"]).lower() for each in found.values()}:
        raise DeclarationError(f"The table has no column for id_property={id_property!r}.")
    return Columns(id_place, found)


def is_read_only(definition: Record) -> bool:
    """Tell whether a property cannot be written."""
    metadata = definition.get("modificationMetadata") or {}
    return bool(metadata.get("readOnlyValue") or definition.get("calculated"))


def is_personal(name: str, definitions: Mapping[str, Record]) -> bool:
    """Tell whether the values of a property are about persons, so that they are not to be seen in a file."""
    definition = next((each for known, each in definitions.items() if known.lower() == name.lower()), None)
    is_sensitive = definition is not None and definition.get("dataSensitivity", "non_sensitive") != "non_sensitive"
    return is_sensitive or any(word in name.lower() for word in PERSONAL_WORDS)


def make_rows(
    values: Iterable[Sequence[object]], columns: Columns, *, id_property: str = "", clear_nulls: bool = False
) -> Iterator[Row]:
    """Make rows of what the database gave; one that HubSpot would refuse is refused here.

    Arguments:
        values: of the table, by the places of columns.
        columns: from `match_columns`.
        id_property: the unique property that objects are found by.
        clear_nulls: NULL clears the value in HubSpot; else it is left alone. An empty text clears it in any case.
    """
    seen: Counter[str] = Counter()
    for number, row in enumerate(values, 1):
        made = Row(number, "", "", {})
        if columns.id is not None and row[columns.id] not in (None, ""):
            made.id = str(row[columns.id]).strip().removesuffix(".0")
            if not (made.id.isascii() and made.id.isdecimal()):
                made.refuse("its id is no number")
        for place, definition in columns.properties.items():
            name = str(definition["name"])
            if row[place] is None and not clear_nulls:
                continue
            try:
                made.properties[name] = to_hubspot(row[place], definition)
            except ValueDoesNotFit as error:
                made.refuse(f"{name} {error}")
        if id_property and not made.id:
            made.key = next(
                (text for name, text in made.properties.items() if name.lower() == id_property.lower()), ""
            )
            if not made.key and not made.outcome:
                made.refuse(f"it has neither an id nor a value of {id_property}")
        if not made.properties and not made.outcome:
            made.refuse("it has no value to send")
        who = f"id {made.id}" if made.id else f"key {made.key}" if made.key else ""
        if who and not made.outcome:
            seen[who] += 1
            if seen[who] > 1:
                made.refuse("another row is of the same object")
        text = json.dumps([made.id, made.key, made.properties], sort_keys=True)
        seen[text] += 1
        # Two rows with the same content are two objects, if they are to be created.
        made.fingerprint = hashlib.sha256(f"{seen[text]} {text}".encode()).hexdigest()
        yield made


def compare(row: Row, existing: Record | None, definitions: Mapping[str, Record]) -> None:
    """Find out what a row changes in an object.

    Arguments:
        row: gets its `changes`, or is settled as unchanged.
        existing: the object as HubSpot has it; None if there is none.
        definitions: of properties, by their names.
    """
    row.changes = {
        name: value for name, value in row.properties.items() if not _agrees(existing or {}, name, value, definitions)
    }
    if existing is not None:
        row.id = str(existing["id"])
        if not row.changes:
            row.outcome = "unchanged"


def may_be_made_by(existing: Record, row: Row, definitions: Mapping[str, Record]) -> bool:
    """Tell whether an object may be what a row made: about half of its values are those of the row, or more.

    HubSpot and its workflows rewrite values, such as those of domains and phone numbers.
    """
    agreeing = sum(_agrees(existing, name, value, definitions) for name, value in row.properties.items())
    return 2 * agreeing >= len(row.properties) - 1


def is_made_by(existing: Record, row: Row, definitions: Mapping[str, Record]) -> bool:
    """Tell whether an object has all values of a row."""
    return all(_agrees(existing, name, value, definitions) for name, value in row.properties.items())


def _agrees(existing: Record, name: str, value: str, definitions: Mapping[str, Record]) -> bool:
    present: Mapping[str, str | None] = existing.get("properties") or {}
    return means_the_same(value, present.get(name), definitions[name])


def _nearest(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, known, 1)
    return f" (the nearest is {nearest[0]})" if nearest else ""
