"""Loads a GitLab load table."""

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
from wherescape.errors import EnvironmentVariableError
from wherescape.load_task import LoadResult

ACCESS_TOKEN = "gitlab_access_token"
HIGH_WATER_MARK = "gitlab_high_water_mark"


def gitlab_load_data(
    is_legacy: bool = False,
    wherescape: WhereScape | None = None,
    *,
    lookback_days: float = 0,
    high_water_mark: str = HIGH_WATER_MARK,
    staged_mark: bool = False,
    allow_skipped: bool = False,
    workers: int = 4,
    max_retries: int = 6,
    max_wait_seconds: float = 600,
) -> LoadResult:
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
        staged_mark: keep the next mark under `{name}_next` until a last task of the job calls
            `confirm_high_water_marks`, so that a failing step in between cannot lose commits.
        allow_skipped: move the mark although a project answered 403 or 404; its commits up to here are then never
            loaded.
        workers: how many projects are read at once.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that GitLab's rate limit may ask for.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that GitLab has.
        EnvironmentVariableError: the server's address or the access token is missing.
        ApiError: GitLab could not be read to the end; the load table is as it was.
        LoadError, DatabaseError: as from `WhereScape.load`.
    """
    wherescape = wherescape or WhereScape()
    table = find_table(wherescape.table)
    with _connect(wherescape, workers, max_retries, max_wait_seconds) as gitlab:
        mark = None
        if table is COMMITS:
            lookback = timedelta(days=lookback_days)
            mark = wherescape.high_water_mark(high_water_mark, lookback=lookback, staged=staged_mark)
        read: dict[str, Callable[[], Iterator[Record]]] = {
            PROJECTS.kind: gitlab.projects,
            BRANCHES.kind: gitlab.all_branches,
            TAGS.kind: gitlab.all_tags,
            COMMITS.kind: lambda: gitlab.all_commits(mark.since if mark else None),
        }
        return wherescape.load(
            with_legacy_names(table) if is_legacy else table,
            read[table.kind](),
            extraction=gitlab.extraction,
            mark=mark,
            allow_skipped=allow_skipped,
        )


gitlab_load_data_smart = gitlab_load_data


def _connect(wherescape: WhereScape, workers: int, max_retries: int, max_wait_seconds: float) -> Gitlab:
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
        workers=workers,
        max_retries=max_retries,
        max_wait_seconds=max_wait_seconds,
    )
