"""A project of the stand-in GitLab: its repository, its tracker, who may see it, and when it was last active."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from wherescape.sandbox.git_repository import Commit, GitRepository, Ref, References
from wherescape.sandbox.gitlab_tracker import (
    Items,
    Json,
    describe_issue,
    describe_merge_request,
    describe_pipeline,
    timestamp,
)

ACTIVITY_INTERVAL = timedelta(hours=1)
FEATURES = ("issues", "merge_requests", "builds", "repository")
SIMPLE_FIELDS = (
    *("id", "description", "name", "name_with_namespace", "path", "path_with_namespace", "created_at"),
    *("default_branch", "tag_list", "topics", "ssh_url_to_repo", "http_url_to_repo", "web_url", "readme_url"),
    *("forks_count", "avatar_url", "star_count", "last_activity_at", "visibility", "namespace"),
)


@dataclass(frozen=True)
class Group:
    """A group: its id, its path with those of the groups around it, and the id of the one around it."""

    id: int
    path: str
    parent_id: int | None = None


class Project:
    """A project. Its attributes may be changed while the server runs.

    Arguments:
        id: stays for ever.
        name: also its path in the group.
        group: which it belongs to.
        repository: None for a project without one, which answers as an empty one does.
        server_url: gives the address that web pages begin with.
        ids: gives the next id of issues, merge requests and pipelines.
        created_at: aware; left out, the oldest and the latest commit tell when it was created and last active.
        edition: `ce` or `ee`, for the fields of issues and merge requests.
    """

    def __init__(
        self,
        id: int,
        name: str,
        group: Group,
        repository: GitRepository | None,
        *,
        server_url: Callable[[], str],
        ids: Iterator[int],
        created_at: datetime | None = None,
        edition: str = "ce",
    ) -> None:
        self.id = id
        self.name = name
        self.group = group
        self.repository = repository
        self.former_paths: set[str] = set()
        self.is_member = True
        """Whether the token's owner is a member."""
        self.is_visible = True
        """Whether the token's owner may see it; it answers 404 otherwise."""
        self.is_archived = False
        self.access_levels = dict.fromkeys(FEATURES, "enabled")
        """`enabled`, `private` or `disabled` for issues, merge_requests, builds and repository."""
        self.releases: dict[str, str] = {}
        """The description of the release of a tag."""
        self.fields: Json = {}
        """What differs from the defaults in GitLab's answers."""
        self._server_url = server_url
        self._seen = repository.references() if repository else References()
        commits = [] if created_at else [commit.committed_at for commit in self.default_history()]
        now = created_at or datetime.now(UTC)
        self.created_at = datetime.fromtimestamp(min(commits), UTC) if commits else now
        self.last_activity_at = datetime.fromtimestamp(max(commits), UTC) if commits else now
        self.updated_at = self.last_activity_at
        self.issues = Items(
            lambda item: describe_issue(item, self.id, self.path, self.web_url, edition), ids, self.touch
        )
        self.merge_requests = Items(
            lambda item: describe_merge_request(item, self.id, self.path, self.web_url, edition), ids, self.touch
        )
        self.pipelines = Items(lambda item: describe_pipeline(item, self.id, self.web_url), ids)

    @property
    def path(self) -> str:
        """The path with that of the group."""
        return f"{self.group.path}/{self.name}"

    @property
    def web_url(self) -> str:
        """The address of its page."""
        return f"{self._server_url()}/{self.path}"

    def rename(self, name: str, at: datetime) -> None:
        """Give it another name and path; the former path leads to it still."""
        self.former_paths.add(self.path)
        self.name = name
        self.updated_at = at

    def update(self, at: datetime, **fields: object) -> None:
        """Change fields of GitLab's answer, such as the description."""
        self.fields |= fields
        self.updated_at = at

    def touch(self, at: datetime) -> None:
        """Note an event, such as a push or a new issue.

        It moves the last activity only if that is an hour old (GitLab, `Event::RESET_PROJECT_ACTIVITY_INTERVAL`).
        """
        if at - self.last_activity_at >= ACTIVITY_INTERVAL:
            self.last_activity_at = self.updated_at = at

    def push(self, at: datetime) -> None:
        """Note that what changed in the repository was pushed at this moment."""
        self._seen = self.references()
        self.touch(at)

    def notice_pushes(self, now: datetime) -> None:
        """Take what changed in the repository without `push` as pushed now."""
        found = self.references()
        if found != self._seen:
            self._seen = found
            self.touch(now)

    def references(self) -> References:
        """Return the branches and tags; none without a repository."""
        return self.repository.references() if self.repository else References()

    def default_history(self) -> list[Commit]:
        """Return the commits of the default branch."""
        found = self.references()
        if self.repository is None or found.default_branch is None:
            return []
        return self.repository.history(found.branches[found.default_branch])

    def entity(self) -> Json:
        """Return the project as GitLab answers it to a member, with what was noticed of its repository."""
        branch, web_url = self._seen.default_branch, self.web_url
        readme = self._find_readme()
        group_name = self.group.path.rpartition("/")[2]
        levels = self.access_levels
        return {
            "id": self.id,
            "description": None,
            "name": self.name,
            "name_with_namespace": f"{self.group.path.replace('/', ' / ').title()} / {self.name}",
            "path": self.name,
            "path_with_namespace": self.path,
            "created_at": timestamp(self.created_at),
            "default_branch": branch,
            "tag_list": [],
            "topics": [],
            "ssh_url_to_repo": f"git@127.0.0.1:{self.path}.git",
            "http_url_to_repo": f"{web_url}.git",
            "web_url": web_url,
            "readme_url": f"{web_url}/-/blob/{branch}/{readme}" if readme and branch else None,
            "forks_count": 0,
            "avatar_url": None,
            "star_count": 0,
            "last_activity_at": timestamp(self.last_activity_at),
            "visibility": "private",
            "namespace": {
                "id": self.group.id,
                "name": group_name.capitalize(),
                "path": group_name,
                "kind": "group",
                "full_path": self.group.path,
                "parent_id": self.group.parent_id,
                "avatar_url": None,
                "web_url": f"{self._server_url()}/groups/{self.group.path}",
            },
            "empty_repo": branch is None,
            "archived": self.is_archived,
            "issues_enabled": levels["issues"] != "disabled",
            "merge_requests_enabled": levels["merge_requests"] != "disabled",
            "jobs_enabled": levels["builds"] != "disabled",
            **{f"{feature}_access_level": level for feature, level in levels.items()},
            "creator_id": 1,
            "import_status": "none",
            "open_issues_count": sum(issue.fields.get("state", "opened") == "opened" for issue in self.issues),
            "updated_at": timestamp(self.updated_at),
            "merge_method": "merge",
            "permissions": {"project_access": None, "group_access": {"access_level": 30, "notification_level": 3}},
            **self.fields,
        }

    def commit_entity(self, commit: Commit) -> Json:
        """Return a commit as GitLab answers it."""
        return {
            "id": commit.id,
            "short_id": commit.id[:8],
            "created_at": commit.committed_date,
            "parent_ids": list(commit.parent_ids),
            "title": commit.message.strip().partition("\n")[0],
            "message": commit.message,
            "author_name": commit.author_name,
            "author_email": commit.author_email,
            "authored_date": commit.authored_date,
            "committer_name": commit.committer_name,
            "committer_email": commit.committer_email,
            "committed_date": commit.committed_date,
            "trailers": {},
            "extended_trailers": {},
            "web_url": f"{self.web_url}/-/commit/{commit.id}",
        }

    def branch_entity(self, ref: Ref, commit: Commit, *, is_default: bool) -> Json:
        """Return a branch as GitLab answers it."""
        return {
            "name": ref.name,
            "commit": self.commit_entity(commit),
            "merged": ref.merged and not is_default,
            "protected": is_default,
            "developers_can_push": False,
            "developers_can_merge": False,
            "can_push": True,
            "default": is_default,
            "web_url": f"{self.web_url}/-/tree/{ref.name}",
        }

    def tag_entity(self, ref: Ref, commit: Commit) -> Json:
        """Return a tag as GitLab answers it."""
        description = self.releases.get(ref.name)
        return {
            "name": ref.name,
            "message": ref.message,
            "target": ref.target,
            "commit": self.commit_entity(commit),
            "release": None if description is None else {"tag_name": ref.name, "description": description},
            "protected": False,
            "created_at": ref.created_at,
        }

    def _find_readme(self) -> str | None:
        folder = self.repository.path.glob("README*") if self.repository else ()
        return next((path.name for path in sorted(folder)), None)
