"""Loads a GitLab load table."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from wherescape import WhereScape
from wherescape.api_response import Record
from wherescape.connectors.gitlab.gitlab_connection import connect
from wherescape.connectors.gitlab.gitlab_high_water_mark import (
    HIGH_WATER_MARK,
    gitlab_next_high_water_mark,
    gitlab_update_high_water_mark,
    stages_marks,
)
from wherescape.connectors.gitlab.gitlab_increment import Increment
from wherescape.connectors.gitlab.gitlab_known_projects import KnownProjects, KnownProjectsFile
from wherescape.connectors.gitlab.gitlab_records import without_names
from wherescape.connectors.gitlab.gitlab_tables import BRANCHES, PERSON_SUFFIXES, PROJECTS, TABLES, TAGS
from wherescape.connectors.gitlab.gitlab_wrapper import Gitlab
from wherescape.errors import DeclarationError
from wherescape.high_water_mark import HighWaterMark, start_of_reading
from wherescape.load_task import LoadResult
from wherescape.tables import Table, find_table, with_hashes, with_key_only, with_legacy_names

__all__ = [
    "HIGH_WATER_MARK",
    "gitlab_load_data",
    "gitlab_load_data_smart",
    "gitlab_next_high_water_mark",
    "gitlab_update_high_water_mark",
]

# Transactions that end late, replicas that lag, and clocks that differ.
OVERLAP = timedelta(minutes=5)
LONGEST_LOOKBACK_DAYS = 36_500

logger = logging.getLogger(__name__)


def gitlab_load_data(
    is_legacy: bool = False,
    wherescape: WhereScape | None = None,
    *,
    groups: Sequence[str | int] | str | int | None = None,
    projects: Sequence[str | int] | str | int | None = None,
    everything_visible: bool = False,
    full: bool = False,
    keys_only: bool = False,
    lookback_days: float | None = None,
    all_branches: bool = False,
    mask_persons: bool = False,
    high_water_mark: str = "",
    staged_mark: bool | None = None,
    allow_skipped: bool = False,
    workers: int = 4,
    max_retries: int = 6,
    max_wait_seconds: float = 600,
) -> LoadResult:
    """Load the GitLab load table that this script is attached to; its name says what to load.

    What has come or changed since the load table's high-water mark is loaded. The mark then moves to the server's time
    at the start of this load; it stays where it is if anything went wrong.

    The server's address is WSL_SRCCFG_URL. The access token is WSL_SRCCFG_APIKEY, or else the RED parameter
    `gitlab_access_token`.

    Arguments:
        is_legacy: the load table has numbered column names (`id_001`).
        wherescape: made from the environment when left out.
        groups: load from the projects of these groups and of their subgroups, by id or path.
        projects: load from these projects, by id or path.
        everything_visible: load from every project that the token's owner may see; on gitlab.com that is all that are
            public. If none of the three is given, it is the projects that the token's owner is a member of.
        full: load all that exists, whatever the mark.
        keys_only: load the keys of all that exists, for the warehouse to find out what is gone; moves no mark.
        lookback_days: how much further back than the mark to look. Commits are then found by their date rather than by
            what their branches had before, so that one which was pushed later than that many days after it was made is
            not found.
        all_branches: load the commits of all branches rather than the default one.
        mask_persons: store a hash of names and e-mail addresses, and leave names out of lists; user ids stay.
        high_water_mark: the RED parameter that keeps the mark; `HWM_` and the load table's name when left out.
        staged_mark: keep the next mark under `{name}_next` until the last task of the job confirms it. Left out, it is
            what this run of the job began with: `gitlab_next_high_water_mark` or not.
        allow_skipped: move the mark although a project answered 403 or 404; it is loaded whole once it answers.
        workers: how many projects are read at once.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that GitLab's rate limit may ask for.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that GitLab has.
        DeclarationError: the arguments exclude each other, or one of them is what it cannot be.
        EnvironmentVariableError: the server's address or the access token is missing.
        ApiError: GitLab could not be read to the end; the load table is as it was.
        SourceIncomplete: with `keys_only`, a project could not be read; nothing was loaded.
        LoadError, DatabaseError: as from `WhereScape.load`.
    """
    wherescape = wherescape or WhereScape()
    table = find_table(wherescape.table, TABLES, "GitLab")
    if high_water_mark == HIGH_WATER_MARK:
        raise DeclarationError(
            f"The parameter {HIGH_WATER_MARK} belongs to the job and cannot be the mark of a table. Leave"
            f" high_water_mark out, and copy its value to HWM_{wherescape.table} if the load is to start from there."
        )
    if lookback_days is not None and not 0 <= lookback_days <= LONGEST_LOOKBACK_DAYS:
        raise DeclarationError(f"lookback_days is {lookback_days}; it may be 0 to {LONGEST_LOOKBACK_DAYS:,}.")
    gitlab = connect(
        wherescape,
        groups=groups,
        projects=projects,
        everything_visible=everything_visible,
        workers=workers,
        max_retries=max_retries,
        max_wait_seconds=max_wait_seconds,
    )
    with gitlab:
        if keys_only:
            return _load_keys(wherescape, gitlab, table, is_legacy, all_branches)
        mark = wherescape.high_water_mark(
            high_water_mark,
            lookback=OVERLAP + timedelta(days=lookback_days or 0),
            staged=stages_marks(wherescape) if staged_mark is None else staged_mark,
        )
        file = KnownProjectsFile(wherescape, mark, gitlab.url, all_branches)
        since, known = (None, None) if full else _earlier_load(mark, file, table)
        increment = Increment(
            gitlab, table.kind, since=since, known=known, by_date=lookback_days is not None, all_branches=all_branches
        )
        records = _then_keep(increment, gitlab, mark, file)
        if mask_persons:
            table, records = with_hashes(table, PERSON_SUFFIXES), map(without_names, records)
        result = wherescape.load(
            with_legacy_names(table) if is_legacy else table,
            records,
            extraction=gitlab.extraction,
            mark=mark,
            allow_skipped=allow_skipped,
        )
    file.forget_others(result.mark)
    return result


gitlab_load_data_smart = gitlab_load_data


def _load_keys(
    wherescape: WhereScape, gitlab: Gitlab, table: Table, is_legacy: bool, all_branches: bool
) -> LoadResult:
    keys = with_key_only(table)
    existing = Increment(gitlab, table.kind, all_branches=all_branches, comes_again=False).records()
    records = ({name: record[name] for name in keys.key} for record in existing)
    return wherescape.load(
        with_legacy_names(keys) if is_legacy else keys,
        gitlab.extraction.require_all(records),
        extraction=gitlab.extraction,
    )


def _earlier_load(
    mark: HighWaterMark, file: KnownProjectsFile, table: Table
) -> tuple[datetime | None, KnownProjects | None]:
    """Return since when to read, and the projects that were loaded up to then; None for all, and if not known."""
    if mark.before is None or mark.since is None:
        return None, None
    found = file.read(mark.before)
    if found.other:
        logger.info("The mark %s was reached %s: full load.", mark.name, found.other)
        return None, None
    if found.projects is not None:
        return mark.since, found.projects
    unknown = f"Which projects were loaded up to the mark {mark.name} is not to be found in {file.place}"
    if table in (PROJECTS, BRANCHES, TAGS):
        logger.info("%s: full load.", unknown)
        return None, None
    logger.warning(
        "%s, so all of them count as loaded: what is older than the mark in a project that became visible since is"
        " missing. Load with full=True to be sure.",
        unknown,
    )
    return mark.since, None


def _then_keep(increment: Increment, gitlab: Gitlab, mark: HighWaterMark, file: KnownProjectsFile) -> Iterator[Record]:
    """Pass the records on, and keep the projects that they were of before the mark moves there."""
    yield from increment.records()
    moment = start_of_reading(mark, gitlab.extraction)
    if moment:
        file.write(moment, increment.loaded)
