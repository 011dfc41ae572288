"""Loads a GitLab load table."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

from wherescape import WhereScape
from wherescape.api_client import Record
from wherescape.connectors.gitlab.gitlab_tables import (
    BRANCHES,
    COMMITS,
    PROJECTS,
    TAGS,
    find_table,
    with_legacy_names,
)
from wherescape.connectors.gitlab.gitlab_wrapper import Gitlab
from wherescape.errors import ApiRefused, EnvironmentVariableError
from wherescape.high_water_mark import read_high_water_mark, write_high_water_mark

logger = logging.getLogger(__name__)

ACCESS_TOKEN = "gitlab_access_token"
HIGH_WATER_MARK = "gitlab_high_water_mark"


def gitlab_load_data(
    is_legacy: bool = False,
    wherescape: WhereScape | None = None,
    *,
    lookback_days: float = 0,
    high_water_mark: str = HIGH_WATER_MARK,
    allow_skipped: bool = False,
    max_retries: int = 6,
    max_wait_seconds: float = 600,
) -> None:
    """Load the GitLab load table that this script is attached to; its name says what to load.

    Projects, branches and tags are loaded in full. Commits are loaded from the high-water mark on, which then moves to
    the server's time at the start of this load; it stays where it is if anything went wrong.

    The server's address is WSL_SRCCFG_URL. The access token is WSL_SRCCFG_APIKEY, or else the RED parameter
    `gitlab_access_token`.

    Arguments:
        is_legacy: the load table has numbered column names (`id_001`).
        wherescape: made from the environment when left out.
        lookback_days: how much further back than the mark to look for commits. A commit that was pushed days after it
            was made has the date of when it was made.
        high_water_mark: the RED parameter that keeps the mark; a second load table of commits needs one of its own.
        allow_skipped: move the mark although a project answered 403 or 404; its commits up to here are then never
            loaded.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that GitLab's rate limit may ask for.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that GitLab has.
        EnvironmentVariableError: the server's address or the access token is missing.
        ApiError: GitLab could not be read to the end; the load table is as it was.
        DatabaseError, ValueDoesNotFit: the load table is as it was.
    """
    wherescape = wherescape or WhereScape()
    table = find_table(wherescape.table)
    with _connect(wherescape, max_retries, max_wait_seconds) as gitlab:
        if table is COMMITS:
            since = read_high_water_mark(wherescape, high_water_mark, timedelta(days=lookback_days))
            records = _of_all_projects(gitlab, lambda project: gitlab.commits(project, since))
        else:
            read: dict[str, Callable[[], Iterator[Record]]] = {
                PROJECTS.kind: gitlab.projects,
                BRANCHES.kind: lambda: _of_all_projects(gitlab, gitlab.branches),
                TAGS.kind: lambda: _of_all_projects(gitlab, gitlab.tags),
            }
            records = read[table.kind]()
        wherescape.load(with_legacy_names(table) if is_legacy else table, records)
        if gitlab.skipped:
            wherescape.main_message += f"; projects that could not be read: {len(gitlab.skipped)}"
        if table is COMMITS:
            _move_mark(wherescape, gitlab, high_water_mark, allow_skipped)


gitlab_load_data_smart = gitlab_load_data


def _connect(wherescape: WhereScape, max_retries: int, max_wait_seconds: float) -> Gitlab:
    base_url = wherescape.source_base_url
    if not base_url:
        raise EnvironmentVariableError(
            "WSL_SRCCFG_URL is missing or empty: enter the address, such as https://gitlab.example.com, in the RED"
            " connection of the load table."
        )
    token = wherescape.source_apikey or wherescape.read_parameter(ACCESS_TOKEN)
    if not token:
        raise EnvironmentVariableError(
            "There is no access token for GitLab: enter one as the API key of the RED connection (WSL_SRCCFG_APIKEY),"
            f" or in the RED parameter {ACCESS_TOKEN}."
        )
    return Gitlab(
        token,
        base_url,
        credential=f"GitLab's access token (WSL_SRCCFG_APIKEY, or the RED parameter {ACCESS_TOKEN})",
        max_retries=max_retries,
        max_wait_seconds=max_wait_seconds,
    )


def _of_all_projects(gitlab: Gitlab, read: Callable[[Record], Iterator[Record]]) -> Iterator[Record]:
    for project in gitlab.projects():
        yield from read(project)
    count = gitlab.projects_read
    if count and len(gitlab.skipped) == count:
        # GitLab also answers so to an address that it has blocked.
        raise ApiRefused(
            f"None of the {count} projects could be read. Check the access token's role in them, and whether GitLab"
            " blocks this machine's IP address.",
            gitlab.skipped[-1].status_code,
        )


def _move_mark(wherescape: WhereScape, gitlab: Gitlab, name: str, allow_skipped: bool) -> None:
    if not gitlab.projects_read:
        logger.warning(
            "The high-water mark %s stays, since the access token's owner is a member of no project: check the token.",
            name,
        )
    elif gitlab.skipped and not allow_skipped:
        logger.warning("The high-water mark %s stays, since not all projects could be read.", name)
    elif gitlab.read_started is None:
        logger.warning("The high-water mark %s stays, since GitLab does not tell its time.", name)
    else:
        write_high_water_mark(wherescape, name, gitlab.read_started)
