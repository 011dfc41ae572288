"""Which projects a load table was loaded from, and up to which commits: kept beside a high-water mark.

A mark says up to when the source was read, but not which part of it. What became visible since, or was pushed late,
is older than the mark.
"""

import json
import os
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

Heads = Mapping[str, str]
"""The SHA that each branch of a project was at."""
KnownProjects = Mapping[int, Heads]
"""By their ids."""

_SHA = re.compile(r"[0-9a-f]{40,64}")


def read_known_projects(folder: Path, mark: datetime) -> dict[int, Heads] | None:
    """Return the projects that belong to a mark; None if they are not known, or what is kept is damaged.

    Arguments:
        folder: that of the load table.
        mark: aware; where the load starts from.
    """
    try:
        found = json.loads(_file(folder, mark).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or not all(_is_project(*item) for item in found.items()):
        return None
    return {int(number): heads for number, heads in found.items()}


def write_known_projects(folder: Path, mark: datetime, projects: KnownProjects, *, keep: datetime | None) -> None:
    """Keep the projects that belong to a mark, whole or not at all, and forget those of other marks.

    Arguments:
        folder: that of the load table; made if it is missing.
        mark: aware; where the next load starts from.
        projects: those that were loaded up to it.
        keep: another mark whose projects are still needed, while this one is only staged.

    Raises:
        OSError: they cannot be kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = _file(folder, mark)
    text = json.dumps({str(number): heads for number, heads in projects.items()})
    with NamedTemporaryFile("w", dir=folder, suffix=".tmp", encoding="utf-8", delete=False) as file:
        file.write(text)
    os.replace(file.name, path)
    _remove_others(folder, {path, _file(folder, keep)} if keep else {path})


def _remove_others(folder: Path, kept: Collection[Path]) -> None:
    for path in folder.iterdir():
        if path not in kept and path.suffix in (".json", ".tmp"):
            path.unlink(missing_ok=True)


def _file(folder: Path, mark: datetime) -> Path:
    # Without colons, which Windows forbids.
    return folder / mark.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ.json")


def _is_project(number: str, heads: Any) -> bool:
    return (
        number.isascii()
        and number.isdecimal()
        and isinstance(heads, dict)
        and all(isinstance(sha, str) and _SHA.fullmatch(sha) for sha in heads.values())
    )
