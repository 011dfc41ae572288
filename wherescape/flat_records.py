"""Records of one level, their fields named by the path that leads to them."""

from collections.abc import Collection, Mapping
from typing import Any

from wherescape.api_response import Record


def flat_record(record: Mapping[str, Any], sources: Collection[str] = ()) -> Record:
    """Return a record of one level: `{"author": {"name": "Ann"}}` becomes `{"author.name": "Ann"}`.

    Lists stay as they are, for a column of the type `json`; so does an object that is itself among the sources.

    Arguments:
        record: as it came; it is left as it is.
        sources: the fields that columns are loaded from. Those below an object that is null are None.
    """
    flat: Record = {}
    _flatten(record, "", frozenset(sources), flat)
    for source in sources:
        parent = source.rpartition(".")[0]
        while parent:
            if parent in flat and flat[parent] is None:
                flat.setdefault(source, None)
            parent = parent.rpartition(".")[0]
    parents = {source[:at] for source in sources for at, letter in enumerate(source) if letter == "."}
    return {name: value for name, value in flat.items() if value is not None or name not in parents}


def _flatten(value: Mapping[str, Any], prefix: str, kept: frozenset[str], flat: Record) -> None:
    for name, inner in value.items():
        path = f"{prefix}{name}"
        if isinstance(inner, Mapping) and path not in kept:
            _flatten(inner, f"{path}.", kept, flat)
        else:
            flat[path] = inner
