"""What a HubSpot portal holds, and what happens in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

Json = dict[str, Any]

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
OBJECT_TYPES = ("companies", "contacts", "deals", "tickets", "calls", "emails", "meetings", "notes", "tasks")
SINGULAR = {"companies": "company"} | {name: name[:-1] for name in OBJECT_TYPES if name != "companies"}
DEFAULT_PROPERTIES = {
    "companies": ("name", "domain"),
    "contacts": ("firstname", "lastname", "email"),
    "deals": ("dealname", "amount", "closedate", "pipeline", "dealstage"),
    "tickets": ("content", "hs_pipeline", "hs_pipeline_stage", "subject"),
}
# Associations that HubSpot defines: from, to -> the plain one, and the primary one.
ASSOCIATION_TYPES = {
    ("tickets", "companies"): (339, 26),
    ("companies", "tickets"): (340, 25),
    ("tickets", "contacts"): (16, 0),
    ("contacts", "tickets"): (15, 0),
    ("contacts", "companies"): (279, 1),
    ("companies", "contacts"): (280, 2),
    ("deals", "companies"): (341, 5),
    ("companies", "deals"): (342, 6),
    ("deals", "contacts"): (3, 0),
    ("contacts", "deals"): (4, 0),
    ("notes", "tickets"): (228, 0),
    ("tickets", "notes"): (227, 0),
}


@dataclass
class Record:
    """An object of the CRM.

    Arguments:
        id: of digits.
        properties: every value is a text, or None.
        created: when it was made.
        updated: when it last changed.
        archived: whether it is in the recycle bin.
    """

    id: str
    properties: dict[str, str | None]
    created: datetime
    updated: datetime
    archived: bool = False
    merged_into: str = ""


@dataclass(frozen=True)
class Indexed:
    """What the search knew of an object from a moment on; None once it is gone."""

    at: datetime
    properties: Mapping[str, str | None] | None


def definition(name: str, kind: str = "string", **more: Any) -> Json:
    """Return the definition of a property, as the API has it."""
    return {
        "name": name,
        "label": name.replace("_", " ").capitalize(),
        "type": kind,
        "fieldType": {"enumeration": "select", "bool": "booleancheckbox", "number": "number"}.get(kind, "text"),
        "description": "",
        "groupName": "information",
        "options": [],
        "hidden": False,
        "hubspotDefined": False,
        "calculated": False,
        "externalOptions": False,
        "hasUniqueValue": False,
        "formField": True,
        "displayOrder": -1,
        "modificationMetadata": {"archivable": True, "readOnlyDefinition": False, "readOnlyValue": False},
        "archived": False,
        "dataSensitivity": "non_sensitive",
        **more,
    }


def read_only(name: str, kind: str) -> Json:
    metadata = {"archivable": False, "readOnlyDefinition": True, "readOnlyValue": True}
    return definition(name, kind, hubspotDefined=True, modificationMetadata=metadata)


def options(*values: str) -> list[Json]:
    """Return the options of an enumeration; a value's label is the value in capitals."""
    return [
        {"label": value.upper(), "value": value, "description": "", "displayOrder": number, "hidden": False}
        for number, value in enumerate(values)
    ]


def modified_property(object_type: str) -> str:
    return "lastmodifieddate" if object_type == "contacts" else "hs_lastmodifieddate"


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


@dataclass
class Portal:
    """One account: its records, the definitions of their properties, who may do what, and what was written to it."""

    token: str
    name: str
    clock: "Clock"
    is_sandbox: bool = False
    missing_scopes: set[str] = field(default_factory=set)
    """Object types that the token may not see."""
    index_delay: timedelta = timedelta()
    """How long after a change the search knows it."""
    refuses_whole_batches: bool = False
    """Whether one value that is no good makes a batch 400, rather than 207."""
    merge_makes_a_new_id: bool = False
    first_id: int = 50_417_211_290

    def __post_init__(self) -> None:
        self.records: dict[str, dict[str, Record]] = {name: {} for name in OBJECT_TYPES}
        self.definitions: dict[str, dict[str, Json]] = {}
        self.index: dict[str, dict[str, list[Indexed]]] = {name: {} for name in OBJECT_TYPES}
        self.owners: list[Json] = []
        self.pipelines: dict[str, list[Json]] = {name: [] for name in OBJECT_TYPES}
        self.associations: dict[tuple[str, str, str, str], dict[tuple[str, int], str | None]] = {}
        """Types with their labels by from-type, from-id, to-type, to-id; both directions are kept."""
        self.writes: list[tuple[str, str, str, dict[str, Any]]] = []
        """What was done: verb, object type, id and properties."""
        self.requests: list[str] = []
        self.account: Json = {
            "portalId": self.first_id % 10_000_000,
            "accountType": "SANDBOX" if self.is_sandbox else "STANDARD",
            "timeZone": "Europe/Amsterdam",
            "utcOffset": "+01:00",
            "utcOffsetMilliseconds": 3_600_000,
        }
        self.aliases: dict[tuple[str, str], str] = {}
        """Where the ids of objects that were merged lead to."""
        self._ids = count(self.first_id)
        for object_type in OBJECT_TYPES:
            modified = modified_property(object_type)
            names = (*DEFAULT_PROPERTIES.get(object_type, ("hs_timestamp",)), "hubspot_owner_id")
            own = [definition(name, hubspotDefined=True) for name in dict.fromkeys(names)]
            fixed = [
                read_only("hs_object_id", "number"),
                read_only("createdate" if object_type != "notes" else "hs_createdate", "datetime"),
                read_only(modified, "datetime"),
                read_only("hs_merged_object_ids", "string"),
            ]
            self.definitions[object_type] = {each["name"]: each for each in [*own, *fixed]}
        self.definitions["contacts"]["hs_lastmodifieddate"] = read_only("hs_lastmodifieddate", "datetime")

    # ------------------------------------------------------------------------------------------------ what happens

    def define(self, object_type: str, name: str, kind: str = "string", **more: Any) -> None:
        """Add a property."""
        self.definitions[object_type][name] = definition(name, kind, **more)

    def add(self, object_type: str, **properties: str | None) -> str:
        """Let a person make an object; return its id."""
        return self.create(object_type, properties).id

    def create(self, object_type: str, properties: Mapping[str, str | None]) -> Record:
        """Make an object."""
        now = self.clock.moment()
        values = {name: self.kept(name, value) for name, value in properties.items()}
        record = Record(str(next(self._ids)), values, now, now)
        self.records[object_type][record.id] = record
        self._reindex(object_type, record)
        return record

    def change(self, object_type: str, record_id: str, **properties: str | None) -> None:
        """Change an object."""
        record = self.records[object_type][record_id]
        record.properties.update({name: self.kept(name, value) for name, value in properties.items()})
        record.updated = self.clock.moment()
        self._reindex(object_type, record)

    def archive(self, object_type: str, record_id: str) -> None:
        """Put an object into the recycle bin."""
        record = self.records[object_type][record_id]
        record.archived, record.updated = True, self.clock.moment()
        self._reindex(object_type, record)

    def merge(self, object_type: str, kept_id: str, other_id: str) -> Record:
        """Make one of two objects: the first one's values count, associations of both stay."""
        kept, other = self.records[object_type][kept_id], self.records[object_type].pop(other_id)
        self._reindex(object_type, other, is_gone=True)
        if self.merge_makes_a_new_id:
            del self.records[object_type][kept_id]
            self._reindex(object_type, kept, is_gone=True)
            merged = Record(str(next(self._ids)), kept.properties, kept.created, kept.updated)
            self.records[object_type][merged.id] = merged
        else:
            merged = kept
        for old in {other.id, kept.id} - {merged.id}:
            self.aliases[object_type, old] = merged.id
            for key in [key for key in self.associations if old in (key[1], key[3])]:
                from_type, from_id, to_type, to_id = key
                moved = (
                    from_type,
                    merged.id if from_id == old else from_id,
                    to_type,
                    merged.id if to_id == old else to_id,
                )
                self.associations.setdefault(moved, {}).update(self.associations.pop(key))
        gone = [each for each in (kept.id, other.id) if each != merged.id]
        before = merged.properties.get("hs_merged_object_ids")
        merged.properties = {
            **other.properties,
            **{name: value for name, value in merged.properties.items() if value not in (None, "")},
            "hs_merged_object_ids": ";".join([*(before.split(";") if before else []), *gone]),
        }
        merged.updated = self.clock.moment()
        self._reindex(object_type, merged)
        return merged

    def is_unique(self, object_type: str, name: str) -> bool:
        """Tell whether no two objects have the same value of a property; its definition does not say so of e-mail."""
        if (object_type, name) == ("contacts", "email"):
            return True
        return bool(self.definitions[object_type].get(name, {}).get("hasUniqueValue"))

    def kept(self, name: str, value: str | None) -> str | None:
        """Return a value as it is stored: an address of e-mail is in lower case."""
        return value.lower() if name == "email" and value else value

    def find(self, object_type: str, record_id: str) -> Record | None:
        """Return an object by its id, or by one that it was merged from."""
        while (object_type, record_id) in self.aliases:
            record_id = self.aliases[object_type, record_id]
        return self.records[object_type].get(record_id)

    def associate(
        self, from_type: str, from_id: str, to_type: str, to_id: str, category: str = "", type_id: int = 0
    ) -> None:
        """Tie two objects together, in both directions; the plain type when left out. One company is primary."""
        plain, primary = ASSOCIATION_TYPES[from_type, to_type]
        type_id = type_id or plain
        if type_id == primary:
            for key, types in self.associations.items():
                if key[:3] == (from_type, from_id, to_type):
                    types.pop(("HUBSPOT_DEFINED", primary), None)
        back = ASSOCIATION_TYPES[to_type, from_type][1 if type_id == primary else 0]
        for key, number in (
            ((from_type, from_id, to_type, to_id), type_id),
            ((to_type, to_id, from_type, from_id), back),
        ):
            types = self.associations.setdefault(key, {})
            types[category or "HUBSPOT_DEFINED", number] = "Primary" if type_id == primary else None
            types.setdefault(("HUBSPOT_DEFINED", ASSOCIATION_TYPES[key[0], key[2]][0]), None)

    def dissociate(self, from_type: str, from_id: str, to_type: str, to_id: str) -> None:
        """Take all ties between two objects away."""
        self.associations.pop((from_type, from_id, to_type, to_id), None)
        self.associations.pop((to_type, to_id, from_type, from_id), None)

    # ------------------------------------------------------------------------------------------------------ answers

    def entity(self, object_type: str, record: Record, names: list[str]) -> Json:
        """Return an object as the API shows it."""
        known = self.definitions[object_type]
        shown = {name: self.value(object_type, record, name) for name in names if name in known}
        created = "createdate" if "createdate" in known else "hs_createdate"
        fixed = ("hs_object_id", created, modified_property(object_type))
        return {
            "id": record.id,
            "properties": shown | {name: self.value(object_type, record, name) for name in fixed},
            "createdAt": timestamp(record.created),
            "updatedAt": timestamp(record.updated),
            "archived": record.archived,
            **({"archivedAt": timestamp(record.updated)} if record.archived else {}),
        }

    def value(self, object_type: str, record: Record, name: str) -> str | None:
        """Return the value of a property."""
        if name == "hs_object_id":
            return record.id
        if name in ("createdate", "hs_createdate"):
            return timestamp(record.created)
        if name == modified_property(object_type):
            return timestamp(record.updated)
        return record.properties.get(name) or None

    def indexed(self, object_type: str) -> Iterator[tuple[Record, Mapping[str, str | None]]]:
        """Return what the search finds: objects as they were some time ago."""
        known_until = self.clock.moment() - self.index_delay
        for record_id, versions in self.index[object_type].items():
            seen = [version for version in versions if version.at <= known_until]
            record = self.records[object_type].get(record_id)
            if seen and seen[-1].properties is not None and record is not None:
                yield record, seen[-1].properties

    def _reindex(self, object_type: str, record: Record, *, is_gone: bool = False) -> None:
        names = self.definitions[object_type]
        now = None
        if not (is_gone or record.archived):
            now = {name: self.value(object_type, record, name) for name in names}
        self.index[object_type].setdefault(record.id, []).append(Indexed(self.clock.moment(), now))


class Clock:
    """The time of all portals; it stands still unless it is told to pass."""

    def __init__(self) -> None:
        self.now: datetime | None = START

    def moment(self) -> datetime:
        """Return what time it is, in whole milliseconds."""
        moment = self.now or datetime.now(UTC)
        return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
