"""Friday Pulse's objects as records of one level, named as in the load tables."""

from collections.abc import Iterable, Sequence

from wherescape.api_response import Record

_CODE_AND_NAME = ("code", "name")
_RESULT = ("score", "response_rate", "response_count", "total_count")


def flat_named(entry: Record) -> Record:
    """Return a topic or a type of groups."""
    return {**_some(entry, _CODE_AND_NAME), "other_fields": _others(entry, _CODE_AND_NAME)}


def flat_group(group: Record, types: Sequence[str]) -> Record:
    """Return a group.

    Arguments:
        group: as it came with the first of its types.
        types: the codes of its types, in Friday Pulse's order.
    """
    names = ("id", "name")
    return {
        **_some(group, names),
        "group_type_code": types[0],
        "group_type_codes": [*types],
        "other_fields": _others(group, names),
    }


def flat_result(result: Record, date: str) -> Record:
    """Return a result of a survey.

    Arguments:
        result: its topic may be null or missing, and need not be an object.
        date: the survey.
    """
    others = {name: value for name, value in result.items() if name not in ("sample_date", *_RESULT, "topic")}
    record = {"sample_date": date, **_some(result, _RESULT)}
    topic = result.get("topic")
    if isinstance(topic, dict):
        record |= {f"topic_{name}": topic.get(name) for name in _CODE_AND_NAME}
        if more := _others(topic, _CODE_AND_NAME):
            others["topic"] = more
    elif "topic" in result:
        record |= {"topic_code": None, "topic_name": None}
        if topic is not None:
            others["topic"] = topic
    return {**record, "other_fields": others or None}


def flat_entry(entry: Record, date: str, position: int) -> Record:
    """Return a note or a risk of a survey.

    Arguments:
        entry: its fields are not known beforehand.
        date: the survey.
        position: its place in the answer, from 1.
    """
    return {"sample_date": date, "position": position, "other_fields": _others(entry, ("sample_date",))}


def _some(record: Record, names: Iterable[str]) -> Record:
    """Return the fields that are there, so that the load can tell of those that no record has."""
    return {name: record[name] for name in names if name in record}


def _others(record: Record, names: Sequence[str]) -> Record | None:
    return {name: value for name, value in record.items() if name not in names} or None
