"""The entry point: loads a HubSpot load table, and gives the function that sends a table to HubSpot."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from wherescape import WhereScape
from wherescape.api_response import Record
from wherescape.connectors.hubspot.hubspot_objects import OBJECT_TYPES, WITH_PIPELINES, ObjectType
from wherescape.connectors.hubspot.hubspot_records import (
    object_record,
    owner_record,
    property_record,
    stage_records,
)
from wherescape.connectors.hubspot.hubspot_tables import (
    ASSOCIATIONS,
    OBJECTS,
    OWNERS,
    PIPELINES,
    PROPERTIES,
    PROPERTY,
    find_kind,
    object_table,
)
from wherescape.connectors.hubspot.hubspot_wrapper import Hubspot
from wherescape.connectors.hubspot.process_data import hubspot_load_data
from wherescape.connectors.hubspot.utils import connect, hubspot_get_token
from wherescape.errors import DeclarationError
from wherescape.load_task import LoadResult
from wherescape.resources import Resource, resource_of
from wherescape.tables import Table, with_key_only

__all__ = ["hubspot_collect_data", "hubspot_get_token", "hubspot_load_data"]

RESOURCES: tuple[Resource[Hubspot, Sequence[ObjectType]], ...] = (
    Resource(OWNERS, lambda hubspot, object_types: map(owner_record, hubspot.owners())),
    Resource(
        PIPELINES,
        lambda hubspot, object_types: (
            record
            for each in WITH_PIPELINES
            for pipeline in hubspot.pipelines(each)
            for record in stage_records(pipeline, each.name)
        ),
    ),
    Resource(
        PROPERTIES,
        lambda hubspot, object_types: (
            property_record(definition, each.name)
            for each in OBJECT_TYPES
            for definition in hubspot.property_definitions(each)
        ),
    ),
    Resource(
        ASSOCIATIONS,
        lambda hubspot, object_types: hubspot.associations(
            object_types[0], object_types[1], (each["id"] for each in hubspot.objects(object_types[0]))
        ),
    ),
)
"""What is loaded beside the objects, whose columns are those that HubSpot's definitions tell."""

# How long HubSpot's search may take to know of a change.
OVERLAP_MINUTES = 15
MOST_NAMED = 20

logger = logging.getLogger(__name__)


def hubspot_collect_data(
    wherescape: WhereScape | None = None,
    *,
    full: bool = False,
    archived: bool = False,
    keys_only: bool = False,
    masked: Sequence[str] = (),
    hashed: Sequence[str] = (),
    unmasked: Sequence[str] = (),
    overlap_minutes: float = OVERLAP_MINUTES,
    high_water_mark: str = "",
    staged_mark: bool = False,
    portal: str | None = None,
    workers: int = 4,
    max_retries: int = 6,
    max_wait_seconds: float = 600,
) -> LoadResult:
    """Load the HubSpot load table that this script is attached to; its name says what to load.

    Objects that have come or changed since the load table's high-water mark are loaded, with the properties that have
    a column. The mark then moves to HubSpot's time at the start of this load; it stays where it is if anything went
    wrong. All else is loaded in full.

    The access token is the RED parameter `hubspot_access_token`, with `_{portal}` behind it for a portal that the load
    table's name names.

    Arguments:
        wherescape: made from the environment when left out.
        full: load all objects that exist, whatever the mark.
        archived: load the objects that are in the recycle bin, too; they are read in full each time.
        keys_only: load the keys of all that exists, for the warehouse to find out what is gone; moves no mark.
        masked: names of properties to store as `[MASKED]`; those that HubSpot says are sensitive are so by themselves.
        hashed: names of properties to store as a keyed hash, which is the same for equal values.
        unmasked: names of sensitive properties to store as they are.
        overlap_minutes: how much further back than the mark to look, since HubSpot's search is some minutes late.
        high_water_mark: the RED parameter that keeps the mark; `HWM_` and the load table's name when left out.
        staged_mark: keep the next mark under `{name}_next` until a last task of the job calls
            `confirm_high_water_marks`.
        portal: the portal to read, if the load table's name says the wrong one; empty for the one without a name.
        workers: how many batches are read at once.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that HubSpot's rate limit may ask for.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that HubSpot has.
        DeclarationError: an argument does not go with the table, or the metadata script has not run.
        EnvironmentVariableError: there is no access token.
        ApiRateLimited: the daily limit is reached; the error says when to go on.
        ApiError: HubSpot could not be read to the end; the load table is as it was.
        LoadError, DatabaseError: as from `WhereScape.load`.
    """
    wherescape = wherescape or WhereScape()
    table, object_types = find_kind(wherescape.table)
    is_of_objects = table.kind in OBJECTS
    if not is_of_objects and (archived or masked or unmasked):
        raise DeclarationError(
            f"The arguments archived, masked and unmasked go with objects, not with {table.kind}. Leave them out."
        )
    with connect(
        wherescape, portal=portal, workers=workers, max_retries=max_retries, max_wait_seconds=max_wait_seconds
    ) as hubspot:
        hubspot.account()
        if keys_only:
            return _load_keys(wherescape, hubspot, table, object_types)
        if not is_of_objects:
            return wherescape.load(table, _others(hubspot, table, object_types), extraction=hubspot.extraction)
        object_type = object_types[0]
        registered = wherescape.columns_by_source()
        definitions = _definitions(hubspot, object_type, registered)
        mark = wherescape.high_water_mark(
            high_water_mark, lookback=timedelta(minutes=overlap_minutes), staged=staged_mark
        )
        kinds = {str(each["name"]): str(each.get("type")) for each in definitions}
        found = _objects(hubspot, object_type, [*kinds], None if full else mark.since, archived=archived)
        return wherescape.load(
            object_table(object_type, definitions, registered, masked=masked, hashed=hashed, unmasked=unmasked),
            (object_record(each, kinds) for each in found),
            extraction=hubspot.extraction,
            mark=mark,
        )


def _objects(
    hubspot: Hubspot, object_type: ObjectType, properties: Sequence[str], since: datetime | None, *, archived: bool
) -> Iterator[Record]:
    given: set[str] = set()
    if since is None:
        found = hubspot.objects(object_type, properties)
    else:
        found = hubspot.changed_objects(object_type, properties, since, hubspot.extraction.started)
    for each in found:
        given.add(each["id"])
        yield each
    if archived:
        # One that was archived meanwhile has come already.
        yield from (
            each for each in hubspot.objects(object_type, properties, archived=True) if each["id"] not in given
        )


def _definitions(hubspot: Hubspot, object_type: ObjectType, registered: Mapping[str, str]) -> list[Record]:
    """Return the definitions of the properties that have a column, and tell of those that differ."""
    definitions = hubspot.property_definitions(object_type)
    columns = {
        source.removeprefix(PROPERTY): name for source, name in registered.items() if source.startswith(PROPERTY)
    }
    if not columns:
        raise DeclarationError(
            "RED knows no column of this load table that is tied to a property of HubSpot. Run the metadata script and"
            " create the table first."
        )
    existing = {str(each["name"]) for each in definitions}
    if gone := [column for name, column in columns.items() if name not in existing]:
        logger.warning(
            "The columns %s are NULL: HubSpot has no property for them any more, or the access token may not see it."
            " Remove them in RED if that is meant.",
            ", ".join(gone[:MOST_NAMED]),
        )
    return [each for each in definitions if each["name"] in columns]


def _others(hubspot: Hubspot, table: Table, object_types: Sequence[ObjectType]) -> Iterable[Record]:
    return resource_of(table, RESOURCES).read(hubspot, object_types)


def _load_keys(
    wherescape: WhereScape, hubspot: Hubspot, table: Table, object_types: Sequence[ObjectType]
) -> LoadResult:
    keys = with_key_only(table)
    existing = hubspot.objects(object_types[0]) if table.kind in OBJECTS else _others(hubspot, table, object_types)
    records = ({name: record[name] for name in keys.key} for record in existing)
    return wherescape.load(keys, hubspot.extraction.require_all(records), extraction=hubspot.extraction)
