"""Makes flat records, with typed values, of what HubSpot nests and writes as texts."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from wherescape.api_response import Record
from wherescape.connectors.hubspot.hubspot_tables import PROPERTY


def object_record(each: Record, kinds: Mapping[str, str]) -> Record:
    """Make a record of an object.

    Arguments:
        each: HubSpot's own.
        kinds: the types of the properties that are loaded, by their names.
    """
    properties: Mapping[str, str | None] = each.get("properties") or {}
    fixed = {name: each.get(name) for name in ("id", "createdAt", "updatedAt", "archived")}
    return fixed | {PROPERTY + name: typed(properties.get(name), kind) for name, kind in kinds.items()}


def typed(value: str | None, kind: str) -> Any:
    """Return the value of a property as what its type says, as far as it can be read; an empty one is None.

    Source: HubSpot, "Properties": dates are `2026-01-05` or midnight in UTC, in milliseconds.
    """
    if value is None or value == "":
        return None
    if kind == "bool" and value in ("true", "false"):
        return value == "true"
    if kind in ("date", "datetime") and value.removeprefix("-").isdecimal():
        moment = datetime.fromtimestamp(int(value) / 1000, UTC)
        return moment.date() if kind == "date" else moment
    if kind == "date" and "T" in value:
        return value.partition("T")[0]
    return value


def owner_record(owner: Record) -> Record:
    """Make a record of an owner."""
    return {"userId": None, "firstName": None, "lastName": None, "email": None, "teams": None, **owner}


def stage_records(pipeline: Record, object_type: str) -> Iterator[Record]:
    """Make a record of each stage of a pipeline."""
    for stage in pipeline.get("stages") or ():
        yield {
            "object_type": object_type,
            "pipeline_id": pipeline["id"],
            "pipeline_label": pipeline.get("label"),
            "pipeline_display_order": pipeline.get("displayOrder"),
            "pipeline_archived": pipeline.get("archived", False),
            "stage_id": stage["id"],
            "stage_label": stage.get("label"),
            "stage_display_order": stage.get("displayOrder"),
            "stage_archived": stage.get("archived", False),
            "stage_metadata": stage.get("metadata"),
        }


def property_record(definition: Record, object_type: str) -> Record:
    """Make a record of the definition of a property."""
    optional = ("description", "fieldType", "groupName", "options", "hubspotDefined", "calculated", "hidden")
    metadata = definition.get("modificationMetadata") or {}
    return {
        **dict.fromkeys((*optional, "hasUniqueValue")),
        **definition,
        "object_type": object_type,
        "read_only": bool(metadata.get("readOnlyValue") or definition.get("calculated")),
    }
