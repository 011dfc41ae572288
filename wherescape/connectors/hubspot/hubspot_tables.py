"""HubSpot's load tables: those of objects from the portal's own properties, the others declared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wherescape.api_response import Record
from wherescape.column_types import DataType
from wherescape.connectors.hubspot.hubspot_objects import OBJECT_TYPES, ObjectType
from wherescape.errors import DeclarationError, UnknownTableKind
from wherescape.tables import Column, Mask, Table, find_table, named_columns

PROPERTY = "properties."
"""What the source of a property's column begins with."""

LONGEST_COMMENT = 500
DISPLAY_NAME_LENGTH = 128

_DATA_TYPES: dict[str, DataType] = {"number": "numeric", "date": "date", "datetime": "timestamp", "bool": "boolean"}

_FIXED = (
    Column("id", "bigint", comment="Object id."),
    Column("created_at", "timestamp", comment="When it was created, UTC.", source="createdAt"),
    Column("updated_at", "timestamp", comment="When it last changed, UTC.", source="updatedAt"),
    Column("archived", "boolean", comment="Whether it is in the recycle bin."),
)

OWNERS = Table(
    kind="owner",
    record_source="hubspot api - owner",
    key=("id",),
    columns=(
        Column("id", "bigint", comment="Owner id; what hubspot_owner_id refers to."),
        Column("user_id", "bigint", comment="User id; null once the user is gone.", source="userId"),
        Column("email", "text", display_name="E-mail", comment="E-mail address."),
        Column("first_name", "text", comment="First name.", source="firstName"),
        Column("last_name", "text", comment="Last name.", source="lastName"),
        Column("archived", "boolean", comment="Whether the user is gone."),
        Column("created_at", "timestamp", comment="When it was created, UTC.", source="createdAt"),
        Column("updated_at", "timestamp", comment="When it last changed, UTC.", source="updatedAt"),
        Column("teams", "json", comment="Teams, a list of id, name and primary."),
    ),
)
PERSON_SUFFIXES = ("email", "firstName", "lastName")
"""The columns of owners that tell who a person is."""

PIPELINES = Table(
    kind="pipeline",
    record_source="hubspot api - pipeline",
    key=("object_type", "pipeline_id", "stage_id"),
    columns=(
        Column("object_type", "text", comment="What goes through the pipeline: deals or tickets."),
        Column("pipeline_id", "text", comment="Pipeline: id."),
        Column("pipeline_label", "text", comment="Pipeline: name."),
        Column("pipeline_display_order", "integer", comment="Pipeline: place among the others."),
        Column("pipeline_archived", "boolean", comment="Pipeline: whether it is archived."),
        Column("stage_id", "text", comment="Stage: id."),
        Column("stage_label", "text", comment="Stage: name."),
        Column("stage_display_order", "integer", comment="Stage: place among the others."),
        Column("stage_archived", "boolean", comment="Stage: whether it is archived."),
        Column("stage_metadata", "json", comment="Stage: what HubSpot says of it, such as the probability of a deal."),
    ),
)

PROPERTIES = Table(
    kind="property",
    record_source="hubspot api - property",
    key=("object_type", "name"),
    columns=(
        Column("object_type", "text", comment="What has the property, such as companies."),
        Column("name", "text", comment="Internal name."),
        Column("label", "text", comment="Name as people see it."),
        Column("description", "text", comment="Description."),
        Column("type", "text", comment="Type of the values, such as string, number, datetime or enumeration."),
        Column("field_type", "text", comment="How it is entered, such as text or checkbox.", source="fieldType"),
        Column("group_name", "text", comment="Group of properties.", source="groupName"),
        Column("options", "json", comment="Values of an enumeration, a list with value and label."),
        Column("hubspot_defined", "boolean", comment="Whether it is HubSpot's own.", source="hubspotDefined"),
        Column("calculated", "boolean", comment="Whether HubSpot computes it."),
        Column("read_only", "boolean", comment="Whether its value can only be read."),
        Column("unique", "boolean", comment="Whether no two objects have the same value.", source="hasUniqueValue"),
        Column("hidden", "boolean", comment="Whether people do not see it."),
        Column(
            "sensitivity", "text", comment="non_sensitive, sensitive or highly_sensitive.", source="dataSensitivity"
        ),
    ),
)

ASSOCIATIONS = Table(
    kind="association",
    record_source="hubspot api - association",
    key=("from_id", "to_id", "category", "type_id"),
    columns=(
        Column("from_id", "bigint", comment="Object: id."),
        Column("to_id", "bigint", comment="Associated object: id."),
        Column("category", "text", comment="HUBSPOT_DEFINED, USER_DEFINED or INTEGRATOR_DEFINED."),
        Column("type_id", "bigint", comment="Type of the association, in this direction."),
        Column("label", "text", comment="Label; null for the plain association."),
    ),
)

OBJECTS = {each.kind: Table(each.kind, _FIXED, ("id",), f"hubspot api - {each.kind}") for each in OBJECT_TYPES}
"""What every load table of objects begins with, by kind."""

TABLES = (*OBJECTS.values(), OWNERS, PIPELINES, PROPERTIES, ASSOCIATIONS)


def find_kind(load_table: str) -> tuple[Table, tuple[ObjectType, ...]]:
    """Return what a load table holds, by whole words of its name: the table, and the types of objects concerned.

    `load_hubspot_ticket_company_association` holds what tickets are associated with among companies: two types, in
    that order.

    Raises:
        UnknownTableKind: its name says nothing that HubSpot has, or more than one thing.
    """
    words = load_table.lower().split("_")
    if not {"association", "associations"} & {*words}:
        table = find_table(load_table, [each for each in TABLES if each is not ASSOCIATIONS], "HubSpot")
        return table, tuple(each for each in OBJECT_TYPES if each.kind == table.kind)
    named = [each for word in words for each in OBJECT_TYPES if word in (each.kind, each.name)]
    if len(named) != 2:
        raise UnknownTableKind(
            f"The name {load_table!r} does not say what is associated with what: it must contain two of"
            f" {', '.join(each.kind for each in OBJECT_TYPES)}, as in load_hubspot_ticket_company_association."
        )
    return replace(ASSOCIATIONS, record_source=f"hubspot api - {named[0].kind} {named[1].kind} association"), (*named,)


def chosen_properties(
    object_type: ObjectType, definitions: Sequence[Record], properties: Sequence[str], *, internal: bool
) -> list[Record]:
    """Return the definitions of the properties to load.

    Arguments:
        object_type: whose they are.
        definitions: of all properties.
        properties: the names that a person has chosen; left out, all but HubSpot's internal ones.
        internal: whether those are wanted too.

    Raises:
        DeclarationError: there is no such property.
    """
    by_name = {str(each["name"]): each for each in definitions}
    if unknown := [name for name in properties if name not in by_name]:
        raise DeclarationError(
            f"HubSpot's {object_type.name} have no property {unknown[0]!r}. Choose it by its internal name, which the"
            " load table of properties lists."
        )
    if properties:
        return [by_name[name] for name in dict.fromkeys(properties)]
    return [each for each in definitions if internal or not is_internal(object_type, each)]


def is_internal(object_type: ObjectType, definition: Record) -> bool:
    """Tell whether a property is about HubSpot rather than about the object."""
    name = str(definition["name"])
    is_own = name.startswith(object_type.own) if object_type.own else False
    return bool(definition.get("hubspotDefined")) and name.startswith("hs_") and not is_own


def object_table(
    object_type: ObjectType,
    definitions: Sequence[Record],
    registered: Mapping[str, str],
    *,
    masked: Sequence[str] = (),
    hashed: Sequence[str] = (),
    unmasked: Sequence[str] = (),
) -> Table:
    """Declare the load table of a type of objects.

    Arguments:
        object_type: which.
        definitions: of the properties to load.
        registered: the names of the columns that RED knows, by their sources.
        masked: names of properties to store as `[MASKED]`. Those that HubSpot says are sensitive are so by themselves.
        hashed: names of properties to store as a keyed hash.
        unmasked: names of sensitive properties to store as they are.
    """

    def mask_of(definition: Record) -> Mask:
        name = definition["name"]
        if name in hashed:
            return "hash"
        is_sensitive = definition.get("dataSensitivity", "non_sensitive") != "non_sensitive"
        return "fixed" if name in masked or (is_sensitive and name not in unmasked) else ""

    base = OBJECTS[object_type.kind]
    wanted = [_column_of(each, mask_of(each)) for each in definitions]
    return replace(base, columns=named_columns(base.columns, wanted, registered))


def _column_of(definition: Record, mask: Mask) -> Column:
    kind = str(definition.get("type"))
    is_sensitive = definition.get("dataSensitivity", "non_sensitive") != "non_sensitive"
    # A masked value is a text, whatever it was.
    data_type = "text" if mask or is_sensitive else _DATA_TYPES.get(kind, "text")
    name = str(definition["name"])
    label = str(definition.get("label") or name)[:DISPLAY_NAME_LENGTH]
    return Column(name, data_type, label, _comment_of(definition, kind), PROPERTY + name, mask)


def _comment_of(definition: Record, kind: str) -> str:
    parts = [str(definition.get("description") or "").strip(), f"Property {definition['name']} of type {kind}."]
    values = [f"{each.get('value')} ({each.get('label')})" for each in definition.get("options") or ()]
    if values:
        parts.append(f"Values: {', '.join(values)}.")
    if definition.get("fieldType") == "checkbox":
        parts.append("Several values stand with semicolons in between.")
    text = " ".join(part for part in parts if part)
    return text if len(text) <= LONGEST_COMMENT else text[: LONGEST_COMMENT - 3].rstrip() + "..."
