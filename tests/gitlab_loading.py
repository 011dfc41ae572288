"""Loads of GitLab tables in this process, for tests that need many of them."""

from typing import Any

from wherescape import WhereScape
from wherescape.connectors.gitlab.gitlab_create_metadata import gitlab_create_metadata
from wherescape.connectors.gitlab.gitlab_load_data import gitlab_load_data
from wherescape.load_task import LoadResult
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.red_server import RedServer


def attached_to(red: RedServer, server: GitLabServer, table: str, **variables: str) -> WhereScape:
    """Return the WhereScape object of a script that is attached to a load table."""
    return WhereScape(red.environment(table, source_config={"URL": server.url, "APIKEY": server.token}, **variables))


def create(red: RedServer, server: GitLabServer, table: str, *, keys_only: bool = False) -> None:
    """Register a load table with its columns, and create it in the warehouse."""
    red.register_load_table(table)
    wherescape = attached_to(red, server, table)
    gitlab_create_metadata(wherescape, keys_only=keys_only)
    wherescape.close()
    red.create_table(table)


def load(
    red: RedServer, server: GitLabServer, table: str, *, variables: dict[str, str] | None = None, **arguments: Any
) -> LoadResult:
    """Empty a load table as RED does, and load it."""
    red.query_warehouse(f"TRUNCATE load.{table}")
    wherescape = attached_to(red, server, table, **(variables or {}))
    try:
        return gitlab_load_data(wherescape=wherescape, max_retries=0, **arguments)
    finally:
        wherescape.close()


def column(red: RedServer, table: str, name: str) -> list[Any]:
    """Return the values of a column of a load table, in order."""
    return sorted(row[0] for row in red.query_warehouse(f"SELECT {name} FROM load.{table}"))
