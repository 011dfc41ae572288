"""Reads a GitLab server through its REST API v4; knows nothing of WhereScape."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

from wherescape.api_client import ApiClient, Record
from wherescape.errors import ApiAnswerInvalid, ApiRefused, DeclarationError
from wherescape.extraction import Extraction
from wherescape.redaction import add_secret

logger = logging.getLogger(__name__)

API_PATH = "/api/v4"
PAGE_SIZE = 100
COMMIT_FIELDS = (
    *("id", "short_id", "title", "message", "created_at", "web_url", "authored_date", "committed_date"),
    *("author_name", "author_email", "committer_name", "committer_email"),
)
RELEASE_FIELDS = ("tag_name", "description")


class Gitlab:
    """A GitLab server, as the owner of an access token sees it.

    Every method gives records page by page, one level deep: what GitLab nests is named `commit_id`,
    `release_tag_name`. Values are GitLab's own; dates are ISO 8601 texts. What GitLab leaves out for want of a
    release, say, is None.

    Arguments:
        access_token: a personal, group or project access token with the scope `read_api`.
        base_url: the server's address, with or without `/api/v4`.
        credential: where the token comes from, in words, for the error when GitLab refuses it.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that GitLab's rate limit may ask for.
        workers: how many projects are read at once.

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
        workers: int = 4,
    ) -> None:
        access_token = access_token.strip()
        add_secret(access_token)
        self._workers = workers
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
    def extraction(self) -> Extraction:
        """What was read so far: the server's time at its first answer, projects left out, requests, waits."""
        return self._client.extraction

    def projects(self) -> Iterator[Record]:
        """Read the projects that the token's owner is a member of, by id.

        Source: GitLab, "List all projects"; keyset paging has no upper limit and loses no rows while they change.

        Raises:
            ApiError: the list could not be read to its end.
        """
        params = {"membership": "true", "pagination": "keyset", "order_by": "id", "sort": "asc"}
        page: list[Record] = []
        count = 0
        for page in self._client.follow_links("projects", {**params, "per_page": PAGE_SIZE}):
            count += len(page)
            # Left out where the token's owner may not read the code.
            yield from ({"default_branch": None, "readme_url": None, **project} for project in page)
        # Keyset pages have no header but Link, and a proxy that removes it would end the list here.
        if len(page) == PAGE_SIZE:
            more = self._client.get_json("projects", {**params, "per_page": 1, "id_after": page[-1]["id"]}).body
            if more:
                raise ApiAnswerInvalid(
                    f"GitLab's list of projects ended after {count} without a link, but there are more."
                    " Check whether a proxy between here and GitLab removes headers."
                )

    def branches(self, project: Record) -> Iterator[Record]:
        """Read a project's branches with their latest commit (GitLab, "List repository branches").

        Arguments:
            project: a record of `projects`.

        Raises:
            ApiRefused: 403 or 404 of a project that is gone or hidden; an empty repository is no error.
            ApiError: the list could not be read to its end.
        """
        for branch in self._repository_records(project, "branches", key="name"):
            yield {"project_id": project["id"], **_flatten(branch, commit=COMMIT_FIELDS)}

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
                **_flatten(tag, commit=COMMIT_FIELDS, release=RELEASE_FIELDS),
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

    def all_branches(self) -> Iterator[Record]:
        """Read the branches of all projects, several projects at once, in the projects' order.

        Read it to the end: giving it up closes the connection.

        Raises:
            ApiRefused: no project could be read. One that answers 403 or 404 is not an error, but named in a warning
                and in `extraction.skipped`; an empty repository is neither.
            ApiError: as for `projects` and `branches`.
        """
        return self._of_all_projects(self.branches, "branches")

    def all_tags(self) -> Iterator[Record]:
        """Read the tags of all projects; see `all_branches`."""
        return self._of_all_projects(self.tags, "tags")

    def all_commits(self, since: datetime | None = None) -> Iterator[Record]:
        """Read the commits of all projects; see `all_branches` and `commits`."""
        return self._of_all_projects(lambda project: self.commits(project, since), "commits")

    def _of_all_projects(self, read: Callable[[Record], Iterable[Record]], what: str) -> Iterator[Record]:
        return self._client.read_parents(
            self._some_projects(),
            read,
            name=lambda project: str(project["path_with_namespace"]),
            what=what,
            workers=self._workers,
        )

    def _some_projects(self) -> Iterator[Record]:
        project = None
        for project in self.projects():
            yield project
        if project is None:
            logger.warning("The access token's owner is a member of no project, so nothing is read: check the token.")
            self.extraction.skip("all projects", "the access token's owner is a member of none")

    def _repository_records(
        self, project: Record, resource: str, *, key: str, params: Mapping[str, str] | None = None
    ) -> Iterator[Record]:
        if project.get("repository_access_level") == "disabled":
            return
        # GitLab sends X-Next-Page with every page of these lists, empty with the last; X-Total never with commits.
        pages = self._client.follow_links(
            f"projects/{project['id']}/repository/{resource}",
            {**(params or {}), "per_page": PAGE_SIZE},
            paging_header="X-Next-Page",
            total_header="X-Total",
        )
        try:
            yield from _without_repeats(pages, key)
        except ApiRefused as error:
            if error.status_code != 404 or not _is_empty(project):
                raise


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


def _flatten(record: Record, **nested: Sequence[str]) -> Record:
    """Bring nested objects, given with their fields, to the level of the record; a null becomes a null of each."""
    flat = {name: value for name, value in record.items() if name not in nested}
    for name, fields in nested.items():
        inner = record.get(name) or dict.fromkeys(fields)
        flat |= {f"{name}_{field}": value for field, value in inner.items()}
    return flat
