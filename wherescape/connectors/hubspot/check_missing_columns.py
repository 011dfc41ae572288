"""Compares load tables with the properties of HubSpot: which of the two lacks what the other has."""

import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from wherescape import WhereScape
from wherescape.api_response import Record
from wherescape.connectors.hubspot.hubspot_objects import OBJECT_TYPES, ObjectType
from wherescape.connectors.hubspot.hubspot_tables import PROPERTY, find_kind, is_internal
from wherescape.connectors.hubspot.hubspot_wrapper import Hubspot
from wherescape.connectors.hubspot.utils import connect
from wherescape.errors import DeclarationError
from wherescape.load_task import LoadResult
from wherescape.tables import Column, Table

logger = logging.getLogger(__name__)

WAREHOUSE, HUBSPOT = "warehouse", "hubspot"
MOST_NAMED = 20

MISSING_COLUMNS = Table(
    kind="missing_column",
    record_source="hubspot api - missing column",
    key=("hubspot_environment", "hubspot_load_table_name", "column_name", "missing_where"),
    columns=(
        Column("hubspot_environment", "text", comment="RED parameter of the portal's access token."),
        Column("column_name", "text", comment="Column or property."),
        Column("hubspot_load_table_name", "text", comment="Load table."),
        Column("missing_where", "text", comment="What lacks it: warehouse or hubspot."),
        Column("first_seen_at", "timestamp", comment="When it was first found to be missing, UTC."),
        Column("resolved_at", "timestamp", comment="When it was first found not to be missing any more, UTC."),
    ),
)


def hubspot_create_metadata_missing_columns(wherescape: WhereScape | None = None) -> None:
    """Register the columns of the load table of missing columns in RED.

    Arguments:
        wherescape: made from the environment when left out.
    """
    (wherescape or WhereScape()).create_metadata(MISSING_COLUMNS)


def hubspot_check_missing_columns(
    tables: Sequence[str] = (),
    wherescape: WhereScape | None = None,
    *,
    portal: str | None = "",
    internal: bool = False,
    max_retries: int = 6,
    max_wait_seconds: float = 600,
) -> LoadResult:
    """Load what load tables of HubSpot's objects lack, and what HubSpot lacks of them; a warning says how much it is.

    What was missing and is not any more comes with the time at which that was found, so that the warehouse can close
    it. That is kept in `{WSL_WORKDIR}/hubspot/missing_columns_{load table}.json`.

    Arguments:
        tables: names of load tables, such as `load_hubspot_company`.
        wherescape: made from the environment when left out.
        portal: whose properties they are; left out, those of the portal without a name.
        internal: HubSpot's internal properties are missed, too.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that HubSpot's rate limit may ask for.

    Raises:
        DeclarationError: no tables are given, or one holds no objects or is not known to RED.
        EnvironmentVariableError: there is no access token.
        ApiError: HubSpot could not be asked.
        LoadError, DatabaseError: as from `WhereScape.load`.
    """
    if not tables:
        raise DeclarationError("Say which load tables to compare with HubSpot: tables=['load_hubspot_company'].")
    wherescape = wherescape or WhereScape()
    file = wherescape.workdir / "hubspot" / f"missing_columns_{wherescape.table}.json"
    with connect(wherescape, portal=portal, max_retries=max_retries, max_wait_seconds=max_wait_seconds) as hubspot:
        environment = f"hubspot_access_token_{portal}" if portal else "hubspot_access_token"
        now = datetime.now(UTC).replace(microsecond=0).isoformat()
        missing = [
            {"hubspot_environment": environment, "hubspot_load_table_name": table, **each}
            for table in tables
            for each in compare_columns(wherescape, hubspot, table, internal=internal)
        ]
        records = _with_times(_read(file), missing, now)
        result = wherescape.load(MISSING_COLUMNS, records, extraction=hubspot.extraction)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(records), encoding="utf-8")
    if missing:
        named = ", ".join(f"{each['column_name']} ({each['missing_where']})" for each in missing[:MOST_NAMED])
        logger.warning("%s columns are missing in the warehouse or in HubSpot: %s.", f"{len(missing):,}", named)
    return result


def compare_columns(
    wherescape: WhereScape, hubspot: Hubspot, table: str, *, internal: bool = False
) -> Iterator[Record]:
    """Find out what a load table and HubSpot lack of each other.

    Arguments:
        wherescape: knows the columns of load tables.
        hubspot: knows the properties.
        table: the load table.
        internal: HubSpot's internal properties are missed, too.

    Returns:
        `column_name` and `missing_where` of each.

    Raises:
        DeclarationError: the table holds no objects, or RED does not know it.
    """
    object_type = _object_type(table)
    columns = {
        source.removeprefix(PROPERTY).lower(): name
        for source, name in wherescape.columns_by_source(table).items()
        if source.startswith(PROPERTY)
    }
    if not columns:
        raise DeclarationError(f"RED knows no column of {table} that is tied to a property. Run its metadata script.")
    definitions = {str(each["name"]).lower(): each for each in hubspot.property_definitions(object_type)}
    for name, definition in definitions.items():
        if name not in columns and (internal or not is_internal(object_type, definition)):
            yield {"column_name": definition["name"], "missing_where": WAREHOUSE}
    for name, column in columns.items():
        if name not in definitions:
            yield {"column_name": column, "missing_where": HUBSPOT}


def _object_type(table: str) -> ObjectType:
    kind, object_types = find_kind(table)
    if kind.kind not in {each.kind for each in OBJECT_TYPES}:
        raise DeclarationError(f"{table} holds no objects of HubSpot, so it has no properties to compare.")
    return object_types[0]


def _with_times(before: Sequence[Record], missing: Sequence[Record], now: str) -> list[Record]:
    """Return what is missing and what was, each with when it was first seen and when it was resolved."""

    def key(each: Record) -> tuple[object, ...]:
        return tuple(each.get(name) for name in MISSING_COLUMNS.key)

    known = {key(each): each for each in before}
    open_now = {key(each) for each in missing}
    found = []
    for each in missing:
        earlier = known.get(key(each))
        is_open = earlier is not None and not earlier.get("resolved_at")
        first = earlier["first_seen_at"] if earlier and is_open else now
        found.append({**each, "first_seen_at": first, "resolved_at": None})
    for each in before:
        if key(each) not in open_now:
            found.append({**each, "resolved_at": each.get("resolved_at") or now})
    return found


def _read(file: Path) -> list[Record]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []
