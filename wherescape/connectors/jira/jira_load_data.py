"""Loads a Jira load table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from wherescape import WhereScape
from wherescape.api_response import Record
from wherescape.connectors.jira.jira_connection import connect
from wherescape.connectors.jira.jira_fields import Field
from wherescape.connectors.jira.jira_scope import Scope
from wherescape.connectors.jira.jira_tables import (
    BOARDS,
    CHANGES,
    DELETED_WORKLOGS,
    ISSUES,
    PERSON_SUFFIXES,
    PROJECTS,
    SPRINTS,
    TABLES,
    USERS,
    WORKLOGS,
    extended,
)
from wherescape.connectors.jira.jira_wrapper import Jira
from wherescape.errors import DeclarationError
from wherescape.load_task import LoadResult
from wherescape.resources import Resource, check_arguments, resource_of
from wherescape.tables import find_table, with_hashes, with_key_only, with_legacy_names

HIGH_WATER_MARK = "jira_high_water_mark"
OVERLAP_MINUTES = 10


@dataclass(frozen=True)
class Wanted:
    """What a load wants of Jira; see `jira_load_data`."""

    since: datetime | None
    scope: Scope
    archived: bool
    fields: Sequence[Field]
    with_adf: bool
    mask_persons: bool


RESOURCES: tuple[Resource[Jira, Wanted], ...] = (
    Resource(
        PROJECTS,
        lambda jira, wanted: jira.projects(archived=wanted.archived, include_private=wanted.scope.include_private),
        takes=("include_private", "archived"),
    ),
    Resource(
        ISSUES,
        lambda jira, wanted: jira.issues(wanted.since, wanted.scope, wanted.fields, with_adf=wanted.with_adf),
        is_incremental=True,
        takes=("since", "projects", "jql", "include_private"),
    ),
    Resource(
        CHANGES,
        lambda jira, wanted: jira.changes(wanted.since, wanted.scope, with_names=not wanted.mask_persons),
        is_incremental=True,
        takes=("since", "projects", "jql", "include_private"),
    ),
    Resource(
        WORKLOGS,
        lambda jira, wanted: jira.worklogs(wanted.since, with_adf=wanted.with_adf),
        is_incremental=True,
        takes=("since",),
    ),
    Resource(
        DELETED_WORKLOGS,
        lambda jira, wanted: jira.deleted_worklogs(wanted.since),
        is_incremental=True,
        takes=("since",),
    ),
    Resource(SPRINTS, lambda jira, wanted: jira.sprints()),
    Resource(BOARDS, lambda jira, wanted: jira.boards()),
    Resource(USERS, lambda jira, wanted: jira.users()),
)


def jira_load_data(
    load_type: str = "",
    use_high_water_mark: bool | None = None,
    since: datetime | str | None = None,
    is_legacy: bool = False,
    wherescape: WhereScape | None = None,
    *,
    full: bool = False,
    keys_only: bool = False,
    projects: Sequence[str] = (),
    jql: str = "",
    include_private: bool = True,
    archived: bool = False,
    custom_fields: Sequence[str] = (),
    with_adf: bool = False,
    mask_persons: bool = False,
    overlap_minutes: float = OVERLAP_MINUTES,
    high_water_mark: str = "",
    staged_mark: bool = False,
    allow_skipped: bool = False,
    workers: int = 4,
    max_retries: int = 6,
    max_wait_seconds: float = 600,
) -> LoadResult:
    """Load the Jira load table that this script is attached to; its name says what to load.

    Issues, changelogs and worklogs that have come or changed since the load table's high-water mark are loaded; the
    mark then moves, or stays where it is if anything went wrong. All else is loaded in full.

    The address is WSL_SRCCFG_URL, the user WSL_SRCCFG_USER and the API token WSL_SRCCFG_APIKEY.

    Arguments:
        load_type: what the table holds, such as `issue`, if its name does not say it. As in older host scripts, the
            load is then a full one unless `use_high_water_mark` is true.
        use_high_water_mark: whether to start at the mark; a full load moves it as well.
        since: start here instead, and let the mark be: a moment, or ISO 8601 text; without an offset it is the API
            user's local time.
        is_legacy: the load table has numbered column names (`id_001`).
        wherescape: made from the environment when left out.
        full: load all that exists, whatever the mark.
        keys_only: load the keys of all that exists, for the warehouse to find out what is gone; moves no mark.
        projects: load issues of these projects, by key or id; all that the API user sees when left out.
        jql: load issues that match this restriction; no ORDER BY.
        include_private: False leaves out projects that only their members see, and their issues.
        archived: load archived projects too.
        custom_fields: names or ids of fields of issues to load; the same as for the metadata.
        with_adf: load the documents behind rich texts too; the same as for the metadata.
        mask_persons: store a hash of names and e-mail addresses; account ids stay.
        overlap_minutes: how much further back than the mark to look, since Jira's search is some minutes late.
        high_water_mark: the RED parameter that keeps the mark; for issues `jira_high_water_mark` when left out, for
            others `HWM_` and the load table's name.
        staged_mark: keep the next mark under `{name}_next` until a last task of the job calls
            `confirm_high_water_marks`.
        allow_skipped: no warning holds back a mark although a part could not be read.
        workers: how many requests are under way at once.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that Jira's rate limit may ask for.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that Jira has.
        DeclarationError: an argument does not go with the table, or Jira has no such field.
        EnvironmentVariableError: the address or the API token is missing.
        ApiError: Jira could not be read to the end; the load table is as it was.
        SourceIncomplete: with `keys_only`, a part could not be read; nothing was loaded.
        LoadError, DatabaseError: as from `WhereScape.load`.
    """
    wherescape = wherescape or WhereScape()
    declared = find_table(load_type or wherescape.table, TABLES, "Jira")
    resource = resource_of(declared, RESOURCES)
    scope = Scope(projects, jql, include_private)
    given = {"projects": projects, "jql": jql, "include_private": not include_private, "archived": archived}
    check_arguments(resource, RESOURCES, given | {"since": since})
    if keys_only and (since is not None or use_high_water_mark or declared is DELETED_WORKLOGS):
        raise DeclarationError(
            "keys_only loads the keys of all that exists: it goes neither with since nor with use_high_water_mark, nor"
            f" with {DELETED_WORKLOGS.kind}. Leave it out."
        )
    starts_at_mark = not load_type if use_high_water_mark is None else use_high_water_mark

    mark, start = None, _moment(since)
    if resource.is_incremental and not keys_only and start is None:
        mark = wherescape.high_water_mark(
            high_water_mark or (HIGH_WATER_MARK if declared is ISSUES else ""),
            lookback=timedelta(minutes=overlap_minutes),
            staged=staged_mark,
        )
        start = mark.since if starts_at_mark and not full else None

    with connect(wherescape, workers=workers, max_retries=max_retries, max_wait_seconds=max_wait_seconds) as jira:
        fields = jira.fields(custom_fields)
        table = extended(declared, fields, with_adf=with_adf)
        wanted = Wanted(start, scope, archived, fields, with_adf, mask_persons)
        if keys_only:
            table = with_key_only(table)
            found = jira.issue_ids(scope) if declared is ISSUES else resource.read(jira, wanted)
            keys = ({name: record[name] for name in table.key} for record in found)
            records: Iterable[Record] = jira.extraction.require_all(keys)
        else:
            records = resource.read(jira, wanted)
        if mask_persons:
            table = with_hashes(table, PERSON_SUFFIXES)
        return wherescape.load(
            with_legacy_names(table) if is_legacy else table,
            records,
            extraction=jira.extraction,
            mark=mark,
            allow_skipped=allow_skipped,
        )


def jira_load_data_project(
    is_legacy: bool = False, wherescape: WhereScape | None = None, **options: Any
) -> LoadResult:
    """Load projects, whatever the load table's name.

    Arguments:
        is_legacy: the load table has numbered column names (`id_001`).
        wherescape: made from the environment when left out.
        options: as for `jira_load_data`.
    """
    return jira_load_data(PROJECTS.kind, is_legacy=is_legacy, wherescape=wherescape, **options)


def jira_load_data_issue(is_legacy: bool = False, wherescape: WhereScape | None = None, **options: Any) -> LoadResult:
    """Load all issues, whatever the load table's name, and let the high-water mark move to the last change.

    Arguments:
        is_legacy: the load table has numbered column names (`id_001`).
        wherescape: made from the environment when left out.
        options: as for `jira_load_data`.
    """
    return jira_load_data(ISSUES.kind, False, is_legacy=is_legacy, wherescape=wherescape, **options)


def jira_load_data_issue_incremental(
    is_legacy: bool = False, wherescape: WhereScape | None = None, **options: Any
) -> LoadResult:
    """Load the issues that have changed since the high-water mark, whatever the load table's name.

    Arguments:
        is_legacy: the load table has numbered column names (`id_001`).
        wherescape: made from the environment when left out.
        options: as for `jira_load_data`.
    """
    return jira_load_data(ISSUES.kind, True, is_legacy=is_legacy, wherescape=wherescape, **options)


def _moment(since: datetime | str | None) -> datetime | None:
    if not isinstance(since, str):
        return since
    try:
        return datetime.fromisoformat(since) if since else None
    except ValueError:
        raise DeclarationError(
            f"The argument since is {since[:40]!r}, which is no moment; write it like 2026-01-05T10:05+01:00."
        ) from None
