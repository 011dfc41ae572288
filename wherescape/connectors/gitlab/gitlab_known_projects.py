"""Which projects a load table was loaded from, and up to which commits: kept beside a high-water mark.

A mark says up to when the source was read, but not which part of it. What became visible since, or was pushed late,
is older than the mark.
"""

import json
import logging
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

from wherescape import WhereScape
from wherescape.errors import EnvironmentVariableError
from wherescape.high_water_mark import HighWaterMark

Heads = Mapping[str, str]
"""The SHA that each branch of a project was at."""
KnownProjects = Mapping[int, Heads]
"""By their ids."""

_SHA = re.compile(r"[0-9a-f]{40,64}")

logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """What is known of an earlier load.

    Arguments:
        projects: those that it had; None if that is not known.
        other: what it read otherwise than this one, in words, so that it tells nothing; empty if nothing.
    """

    projects: KnownProjects | None = None
    other: str = ""


class KnownProjectsFile:
    """The files of one mark in the work directory, one for each moment that it may stand at.

    Arguments:
        wherescape: gives the work directory; without one nothing is kept.
        mark: as it was read.
        server: the address that is read.
        all_branches: whether the commits of all branches are read.
    """

    def __init__(self, wherescape: WhereScape, mark: HighWaterMark, server: str, all_branches: bool) -> None:
        self._folder = _folder(wherescape, mark.name)
        self._mark = mark
        self._source = {"server": server, "all_branches": all_branches}

    @property
    def place(self) -> str:
        """Where the files are, in words."""
        return str(self._folder or "WSL_WORKDIR")

    def read(self, moment: datetime) -> Found:
        """Return the projects that belong to a mark; none are known if what is kept is damaged.

        Arguments:
            moment: aware; where the load starts from.
        """
        try:
            kept: Any = json.loads(self._file(moment).read_text(encoding="utf-8")) if self._folder else None
        except (OSError, ValueError):
            return Found()
        projects = kept.get("projects") if isinstance(kept, dict) else None
        if not isinstance(projects, dict) or not all(_is_project(*item) for item in projects.items()):
            return Found()
        if kept.get("server") != self._source["server"]:
            return Found(other="with another server")
        if self._source["all_branches"] and not kept.get("all_branches"):
            return Found(other="with the default branches only")
        return Found({int(number): heads for number, heads in projects.items()})

    def write(self, moment: datetime, projects: KnownProjects) -> None:
        """Keep the projects that belong to a mark, whole or not at all; a warning says so if they cannot be kept.

        Arguments:
            moment: aware; where the next load is to start from.
            projects: those that were loaded up to it.
        """
        if not self._folder:
            return
        text = json.dumps({**self._source, "projects": {str(number): heads for number, heads in projects.items()}})
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile("w", dir=self._folder, suffix=".tmp", encoding="utf-8", delete=False) as file:
                file.write(text)
            os.replace(file.name, self._file(moment))
        except OSError as error:
            logger.warning(
                "The projects that were loaded cannot be kept in %s (%s), so the next load does not know them.",
                self._folder,
                error.strerror,
            )

    def forget_others(self, moment: datetime | None) -> None:
        """Remove what belongs to marks that no load starts from any more.

        Arguments:
            moment: where the mark has moved to; None if it has not. While it is only staged, the one in force stays.
        """
        before = self._mark.before if self._mark.is_staged or moment is None else None
        kept = {self._file(needed) for needed in (moment, before) if needed}
        for path in self._folder.glob("*") if self._folder and self._folder.is_dir() else ():
            if path not in kept and path.suffix in (".json", ".tmp"):
                path.unlink(missing_ok=True)

    def _file(self, moment: datetime) -> Path:
        # Without colons, which Windows forbids.
        return (self._folder or Path()) / moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ.json")


def _folder(wherescape: WhereScape, name: str) -> Path | None:
    try:
        workdir = wherescape.workdir
    except EnvironmentVariableError:
        return None
    # What Windows allows in the name of a folder.
    return workdir / "gitlab" / re.sub(r"[^\w.-]", "_", name)


def _is_project(number: str, heads: Any) -> bool:
    return (
        number.isascii()
        and number.isdecimal()
        and isinstance(heads, dict)
        and all(isinstance(sha, str) and _SHA.fullmatch(sha) for sha in heads.values())
    )
