"""Properties of a Notion data source: which columns each type needs, and how a value is written into them.

Source: Notion API reference, "Data source properties" and "Page properties".
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from wherescape.api_response import Record
from wherescape.column_types import DataType
from wherescape.tables import MASKED_TEXT

logger = logging.getLogger(__name__)

PREFIX = "property:"
END = "end:"
"""What the source of a column begins with, and before that, the source of the column with a date's end."""


@dataclass(frozen=True)
class Rendering:
    """What becomes of a type of property.

    Arguments:
        data_type: of the column; None for a type without a column.
        meaning: what the column holds.
        has_end: whether a second column holds the end of a date.
        personal: whether it is a text about a person.
    """

    data_type: DataType | None
    meaning: str
    has_end: bool = False
    personal: bool = False


_DATE = Rendering(
    "timestamp", "start and end, each in a column, UTC; a day without a time is at midnight", has_end=True
)

RENDERINGS: dict[str, Rendering] = {
    "title": Rendering("text", "the text of all runs, without formatting; null if empty"),
    "rich_text": Rendering("text", "the text of all runs, without formatting; null if empty"),
    "number": Rendering("numeric", "the number; 0.5 for 50 %"),
    "select": Rendering("text", "name of the option"),
    "status": Rendering("text", "name of the status"),
    "multi_select": Rendering("json", "list of the options' names"),
    "date": _DATE,
    "checkbox": Rendering("boolean", "whether it is ticked"),
    "url": Rendering("text", "the address"),
    "email": Rendering("text", "the address", personal=True),
    "phone_number": Rendering("text", "the number as it was entered", personal=True),
    "people": Rendering("json", "list of persons and groups, each with id and name"),
    "files": Rendering("json", "list of the files' names; their addresses expire within an hour"),
    "relation": Rendering("json", "list of the ids of all related pages"),
    "formula": Rendering("text", "the result"),
    "rollup": Rendering("json", "list of the values, each as in a column of its own type"),
    "unique_id": Rendering("text", "the id with its prefix, such as `TASK-12`"),
    "created_time": Rendering("timestamp", "when the page was made, UTC, to the minute"),
    "last_edited_time": Rendering("timestamp", "when the page was last edited, UTC, to the minute"),
    "created_by": Rendering("text", "id of the user"),
    "last_edited_by": Rendering("text", "id of the user"),
    "place": Rendering("json", "the place, as Notion gives it"),
    "verification": Rendering("json", "the verification, as Notion gives it, with the verifier's id"),
    "button": Rendering(None, "nothing: it holds no value"),
}
"""Every type of property; a formula and a rollup may have another one of `RESULTS`."""

UNKNOWN = Rendering("json", "the value, as Notion gives it")

RESULTS: dict[str, Rendering] = {
    "string": Rendering("text", "the text"),
    "number": Rendering("numeric", "the number"),
    "boolean": Rendering("boolean", "whether it is true"),
    "date": _DATE,
    "array": RENDERINGS["rollup"],
}
"""What formulas and rollups can result in."""

_NUMBER_FUNCTIONS = (
    *("average", "checked", "count", "count_values", "empty", "max", "median", "min", "not_empty", "percent_checked"),
    *("percent_empty", "percent_not_empty", "percent_unchecked", "range", "sum", "unchecked", "unique"),
)
_DATE_FUNCTIONS = ("earliest_date", "latest_date")
_IMPERSONAL = (*RENDERINGS, *RESULTS)
"""The types of which it is known what they hold; a column masks e-mail addresses and phone numbers by itself."""
_CUT_TYPES = ("title", "rich_text", "people", "relation")
ITEMS_IN_A_PAGE = 25


@dataclass(frozen=True)
class Property:
    """A property of a data source.

    Arguments:
        id: stays when the property is renamed.
        name: as people see it.
        type: one of `RENDERINGS`, or one that Notion has added since.
        description: as people have entered it.
        result: of a formula or rollup: one of `RESULTS`; empty if that is not known.
        relation: of a rollup: the id of the relation that it sums up.
    """

    id: str
    name: str
    type: str
    description: str = ""
    result: str = ""
    relation: str = ""

    @property
    def rendering(self) -> Rendering:
        """How its values are written."""
        return RESULTS.get(self.result) or RENDERINGS.get(self.type, UNKNOWN)

    @property
    def source(self) -> str:
        """The key of its value in a record, and what ties a column to it."""
        return PREFIX + self.id


def is_of_property(source: str) -> bool:
    """Tell whether the source of a column is a property, rather than a field that every page has."""
    return source.startswith((PREFIX, END))


def properties_of(schema: Mapping[str, Any]) -> list[Property]:
    """Return the properties of a data source, the title first.

    Arguments:
        schema: the field `properties` of a data source.
    """
    found = []
    for name, about in schema.items():
        kind = str(about["type"])
        config = about.get(kind) or {}
        if kind not in RENDERINGS:
            logger.info("Property %r is of the type %r, which is new; its values become JSON.", name, kind)
        found.append(
            Property(
                id=str(about["id"]),
                name=name,
                type=kind,
                description=str(about.get("description") or ""),
                result=_result_of_rollup(config.get("function")) if kind == "rollup" else "",
                relation=str(config.get("relation_property_id") or "") if kind == "rollup" else "",
            )
        )
    return sorted(found, key=lambda prop: prop.type != "title")


def result_of_formula(values: Iterable[Mapping[str, Any]]) -> str:
    """Return what a formula results in, judged by values of it; a text where they differ or there are none."""
    results = {str(value.get("type")) for value in values if value.get(str(value.get("type"))) is not None}
    return results.pop() if len(results) == 1 else "string"


def is_cut(prop: Property, values: Mapping[str, Any]) -> bool:
    """Tell whether a page object holds only a part of a value, or may do so.

    Arguments:
        prop: the property.
        values: the values of the page by the properties' ids.
    """
    value = values.get(prop.id) or {}
    content = value.get(prop.type)
    if prop.type == "relation":
        return bool(value.get("has_more", len(content or ()) >= ITEMS_IN_A_PAGE))
    if prop.type in _CUT_TYPES:
        return len(content or ()) >= ITEMS_IN_A_PAGE
    if prop.type == "rollup" and content:
        relation = values.get(prop.relation) or {}
        is_long = len(content.get("array") or ()) >= ITEMS_IN_A_PAGE
        return bool(relation.get("has_more")) or is_long or content.get("type") == "incomplete"
    return False


def fields_of(prop: Property, value: Mapping[str, Any] | None, *, with_names: bool = True) -> Record:
    """Return a property's value by the sources of its columns.

    Arguments:
        prop: the property.
        value: as a page has it; None for a page without it.
        with_names: False leaves out what tells of persons within JSON, other than their ids.
    """
    rendered = _render(value or {}, with_names)
    end = rendered.end if isinstance(rendered, _Date) else None
    if prop.rendering.has_end:
        return {prop.source: rendered.start if isinstance(rendered, _Date) else rendered, END + prop.source: end}
    return {prop.source: _as_item(rendered)}


def plain_text(runs: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None) -> str:
    """Return the text of runs of rich text, or of one run."""
    runs = [runs] if isinstance(runs, Mapping) else runs or []
    return "".join(str(run.get("plain_text") or "") for run in runs)


@dataclass(frozen=True)
class _Date:
    start: str | None
    end: str | None

    def __str__(self) -> str:
        return "/".join(filter(None, (self.start, self.end)))


def _render(value: Mapping[str, Any], with_names: bool) -> Any:
    """Return a value as a column holds it: of a text, a number or a list; a date is a `_Date`."""
    kind = str(value.get("type"))
    content = value.get(kind)
    if content is None:
        return None
    render = _RENDERERS.get(kind)
    if render:
        return render(content)
    match kind:
        case "people":
            return [_person(person, with_names) for person in content]
        case "formula":
            return _render(content, with_names)
        case "rollup" if content.get("type") == "array":
            return [_item(item, with_names) for item in content.get("array") or ()]
        case "rollup":
            return _render(content, with_names)
        case "button" | "unsupported":
            return None
    return content if with_names or kind in _IMPERSONAL else MASKED_TEXT


def _item(item: Mapping[str, Any], with_names: bool) -> Any:
    """Return a value as an item of a list, where no column can mask it."""
    if not with_names and item.get("type") in ("email", "phone_number"):
        return MASKED_TEXT if item.get(item["type"]) is not None else None
    return _as_item(_render(item, with_names))


def _as_item(rendered: Any) -> Any:
    return str(rendered) if isinstance(rendered, _Date) else rendered


def _name(option: Mapping[str, Any]) -> Any:
    return option.get("name")


def _names(options: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [_name(option) for option in options]


def _ids(pages: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> list[Any]:
    # The items of a rollup's list hold one related page each.
    return [page.get("id") for page in ([pages] if isinstance(pages, Mapping) else pages)]


def _person(person: Mapping[str, Any], with_names: bool) -> Record:
    return {"id": person.get("id"), **({"name": person.get("name")} if with_names else {})}


def _unique_id(content: Mapping[str, Any]) -> str | None:
    if content.get("number") is None:
        return None
    return "-".join(str(part) for part in (content.get("prefix"), content["number"]) if part not in (None, ""))


def _verification(content: Mapping[str, Any]) -> Record:
    return {**content, "verified_by": (content.get("verified_by") or {}).get("id")}


def _date(content: Mapping[str, Any]) -> _Date:
    return _Date(*(_moment(content.get(name), content.get("time_zone")) for name in ("start", "end")))


def _moment(text: str | None, time_zone: str | None) -> str | None:
    """Return a date, or a time with an offset from UTC: one in a named time zone comes without."""
    if not text or not time_zone or "T" not in text:
        return text
    try:
        moment = datetime.fromisoformat(text)
        return text if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(time_zone)).isoformat()
    except (ValueError, OSError, KeyError):
        # No timestamp, so that the row is rejected rather than some hours wrong.
        return f"{text} {time_zone}"


_RENDERERS: dict[str, Callable[[Any], Any]] = {
    "title": lambda runs: plain_text(runs) or None,
    "rich_text": lambda runs: plain_text(runs) or None,
    "select": _name,
    "status": _name,
    "multi_select": _names,
    "files": _names,
    "relation": _ids,
    "date": _date,
    "unique_id": _unique_id,
    "created_by": lambda person: person.get("id"),
    "last_edited_by": lambda person: person.get("id"),
    "verification": _verification,
}


def _result_of_rollup(function: object) -> str:
    if function in _NUMBER_FUNCTIONS:
        return "number"
    return "date" if function in _DATE_FUNCTIONS else "array"
