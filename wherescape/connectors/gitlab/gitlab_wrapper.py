"""Reads a GitLab server through its REST API v4; knows nothing of WhereScape."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

from wherescape.api_client import ApiClient, Record
from wherescape.errors import ApiAnswerInvalid, ApiRefused, DeclarationError
from wherescape.redaction import add_secret

logger = logging.getLogger(__name__)

API_PATH = "/api/v4"
PAGE_SIZE = 100


@dataclass(frozen=True)
class SkippedProject:
    """A project that could not be read, or not to its end.

    Arguments:
        path: the project's path with its groups.
        resource: what was asked for: branches, commits or tags.
        status_code: 403 or 404.
    """

    path: str
    resource: str
    status_code: int


class Gitlab:
    """A GitLab server, as the owner of an access token sees it.

    Every method gives records page by page, one level deep: what GitLab nests is named `commit_id`,
    `release_tag_name`. Values are GitLab's own; dates are ISO 8601 texts.

    Arguments:
        access_token: a personal, group or project access token with the scope `read_api`.
        base_url: the server's address, with or without `/api/v4`.
        credential: where the token comes from, in words, for the error when GitLab refuses it.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that GitLab's rate limit may ask for.

    Raises:
        DeclarationError: the address is not http or https, or the token holds what no token has.
    """

    def __init__(
        self,
        access_token: str,
        base_url: str,
        *,
        credential: str = "the access token",
        max_retries: int = 6,
        max_wait_seconds: float = 600,
    ) -> None:
        access_token = access_token.strip()
        add_secret(access_token)
        self.skipped: list[SkippedProject] = []
        """The projects that answered 403 or 404 so far."""
        self.projects_read = 0
        """How many projects GitLab has listed so far."""
        self._client = ApiClient(
            _api_url(base_url),
            {"PRIVATE-TOKEN": access_token},
            credential=credential,
            max_retries=max_retries,
            max_wait_seconds=max_wait_seconds,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    @property
    def read_started(self) -> datetime | None:
        """The server's time when it first answered, UTC; None before, or if it does not tell the time."""
        return self._client.first_answered

    def projects(self) -> Iterator[Record]:
        """Read the projects that the token's owner is a member of, by id.

        Source: GitLab, "List all projects"; keyset paging has no upper limit and loses no rows while they change.

        Raises:
            ApiError: the list could not be read to its end.
        """
        params = {"membership": "true", "pagination": "keyset", "order_by": "id", "sort": "asc"}
        page: list[Record] = []
        for page in self._client.follow_links("projects", {**params, "per_page": PAGE_SIZE}):
            self.projects_read += len(page)
            yield from page
        # Keyset pages have no header but Link, and a proxy that removes it would end the list here.
        if len(page) == PAGE_SIZE:
            more = self._client.get_json("projects", {**params, "per_page": 1, "id_after": page[-1]["id"]}).body
            if more:
                raise ApiAnswerInvalid(
                    f"GitLab's list of projects ended after {self.projects_read} without a link, but there are more."
                    " Check whether a proxy between here and GitLab removes headers."
                )

    def branches(self, project: Record) -> Iterator[Record]:
        """Read a project's branches with their latest commit (GitLab, "List repository branches").

        Arguments:
            project: a record of `projects`.

        Raises:
            ApiError: the list could not be read to its end. A project that answers 403 or 404 is not an error, but
                added to `skipped` and named in a warning; an empty repository is neither.
        """
        for branch in self._repository_records(project, "branches", key="name"):
            yield {"project_id": project["id"], **_flatten(branch, "commit")}

    def tags(self, project: Record) -> Iterator[Record]:
        """Read a project's tags with their commit and release (GitLab, "List project repository tags").

        Arguments:
            project: a record of `projects`.

        Raises:
            ApiError: as for `branches`.
        """
        for tag in self._repository_records(project, "tags", key="name"):
            parents: list[str] = (tag.get("commit") or {}).get("parent_ids") or []
            first, second, *_ = [*parents, None, None]
            yield {
                "project_id": project["id"],
                "commit_parent_ids_0": first,
                "commit_parent_ids_1": second,
                "release_tag_name": None,
                "release_description": None,
                **_flatten(tag, "commit", "release"),
            }

    def commits(self, project: Record, since: datetime | None = None) -> Iterator[Record]:
        """Read the commits of a project's default branch, newest first (GitLab, "List repository commits").

        Arguments:
            project: a record of `projects`.
            since: aware; only commits committed at or after it. A commit that is pushed late has an old date, so a
                mark needs some lookback.

        Raises:
            ApiError: as for `branches`.
        """
        params = {"since": since.astimezone(UTC).isoformat(timespec="seconds")} if since else {}
        for commit in self._repository_records(project, "commits", key="id", params=params):
            yield {"project_id": project["id"], **commit}

    def _repository_records(
        self, project: Record, resource: str, *, key: str, params: Mapping[str, str] | None = None
    ) -> Iterator[Record]:
        if project.get("repository_access_level") == "disabled":
            return
        path = f"projects/{project['id']}/repository/{resource}"
        # GitLab sends X-Next-Page with every page of these lists, empty with the last.
        pages = self._client.follow_links(path, {**(params or {}), "per_page": PAGE_SIZE}, paging_header="X-Next-Page")
        try:
            yield from _without_repeats(pages, key)
        except ApiRefused as error:
            if error.status_code == 404 and _is_empty(project):
                return
            if error.status_code not in (403, 404):
                raise
            skipped = SkippedProject(project["path_with_namespace"], resource, error.status_code)
            self.skipped.append(skipped)
            logger.warning(
                "Project %s answered %s for its %s, so rows of it are missing. It is gone, or the access token's owner"
                " lacks a role that reads its code.",
                skipped.path,
                skipped.status_code,
                skipped.resource,
            )


def _api_url(base_url: str) -> str:
    url = base_url.strip().rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DeclarationError(
            f"The base URL of GitLab, of the server {base_url.rpartition('@')[2]!r}, must be an address like"
            " https://gitlab.example.com."
        )
    return url if parts.path.endswith(API_PATH) else url + API_PATH


def _is_empty(project: Record) -> bool:
    """Tell whether a project has no commit; its repository then answers 404, like one that is gone."""
    return project.get("empty_repo") is True


def _without_repeats(pages: Iterable[list[Record]], key: str) -> Iterator[Record]:
    """Leave out what the page before held: rows that are added while a list is read move others to the next page."""
    before: set[Any] = set()
    for page in pages:
        yield from (record for record in page if record[key] not in before)
        before = {record[key] for record in page}


def _flatten(record: Record, *nested: str) -> Record:
    """Bring the given nested objects to the level of the record; a null among them is left out."""
    flat = {name: value for name, value in record.items() if name not in nested}
    for name in nested:
        flat |= {f"{name}_{inner}": value for inner, value in (record.get(name) or {}).items()}
    return flat
