"""What a load reads of a GitLab server: everything, or what has come since an earlier load."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from wherescape.api_response import Record
from wherescape.connectors.gitlab.gitlab_known_projects import Heads, KnownProjects
from wherescape.connectors.gitlab.gitlab_tables import (
    BRANCH_COMMITS,
    BRANCHES,
    COMMITS,
    ISSUES,
    MERGE_REQUEST_COMMITS,
    MERGE_REQUESTS,
    PIPELINES,
    PROJECTS,
    TAGS,
)
from wherescape.connectors.gitlab.gitlab_wrapper import Gitlab, has_feature
from wherescape.errors import ApiRefused

# GitLab, "Project import and export", `import_status`.
BEING_IMPORTED = ("scheduled", "started")
ROW = "row"
"""In place of a branch: what the row of a project was like."""
# GitLab notes an activity only if the last one is an hour old (Event::RESET_PROJECT_ACTIVITY_INTERVAL).
ACTIVITY_IS_NOTED_WITHIN = timedelta(hours=2)


class Increment:
    """Reads the records of one kind that an earlier load did not have.

    Arguments:
        gitlab: what is read.
        kind: of a load table.
        since: aware; when the earlier load began. None for all that exists.
        known: the projects that the earlier load had, and where their branches were or what their rows were like. A
            project that is not among them is read whole. None if that is not known: all of them then count as known,
            and no branch.
        by_date: read commits by their date from `since` on, rather than by what the branches had before.
        all_branches: read the commits of all branches rather than the default one.
        comes_again: leave out what changes while it is read, since the next load has it.
    """

    def __init__(
        self,
        gitlab: Gitlab,
        kind: str,
        *,
        since: datetime | None = None,
        known: KnownProjects | None = None,
        by_date: bool = False,
        all_branches: bool = False,
        comes_again: bool = True,
    ) -> None:
        self.loaded: dict[int, Heads] = {}
        """The projects that were read to their end, and where their branches were: complete after the last record."""
        self._gitlab = gitlab
        self._kind = kind
        self._since = since
        self._known = known
        self._by_date = by_date
        self._all_branches = all_branches
        self._comes_again = comes_again

    def records(self) -> Iterator[Record]:
        """Read the records, several projects at once, in the projects' order.

        Raises:
            ApiError: GitLab could not be read to its end.
        """
        if self._kind == PROJECTS.kind:
            return self._changed_projects()
        what = self._kind.replace("_", " ") + ("es" if self._kind == BRANCHES.kind else "s")
        return self._gitlab.of_projects(self._gitlab.projects(), self._of_project, what)

    def _changed_projects(self) -> Iterator[Record]:
        for project in self._gitlab.projects():
            now = _digest(project)
            self.loaded[project["id"]] = {ROW: now}
            if self._heads_before(project).get(ROW) != now:
                yield project

    def _of_project(self, project: Record) -> Iterator[Record]:
        required, read = _OF_A_PROJECT[self._kind]
        if not has_feature(project, required):
            return
        if required == "repository" and self._is_quiet(project):
            self.loaded[project["id"]] = self._heads_before(project)
            return
        yield from read(self, self._gitlab, project)
        self.loaded.setdefault(project["id"], {})
        if project.get("import_status") in BEING_IMPORTED:
            # What is imported keeps its old times.
            del self.loaded[project["id"]]

    def _changed(
        self, project: Record, read: Callable[[Record, datetime | None, datetime | None], Iterator[Record]]
    ) -> Iterator[Record]:
        until = self._gitlab.extraction.started if self._comes_again else None
        return read(project, self._since_for(project), until)

    def _commits(self, project: Record) -> Iterator[Record]:
        heads = self._heads(project)
        before = self._heads_before(project)
        default = next(iter(heads), "")
        # What only the default branch was read for whole need not be remembered: the others are read without it.
        is_whole = default not in before and not (self._by_date and self._since_for(project))
        given: set[str] = set()
        for branch, head in heads.items():
            old = "" if is_whole else before.get(branch, "")
            for commit in self._new_commits(project, old, head, "" if branch == default else heads[default]):
                if commit["id"] not in given:
                    if not (is_whole and branch == default):
                        given.add(commit["id"])
                    yield commit
        self._note(project, heads)

    def _branch_commits(self, project: Record) -> Iterator[Record]:
        heads = self._heads_of_all_branches(project)
        before = self._heads_before(project)
        for branch, head in heads.items():
            for commit in self._new_commits(project, before.get(branch, ""), head):
                yield {**commit, "branch_name": branch}
        self._note(project, heads)

    def _new_commits(self, project: Record, old: str, head: str, base: str = "") -> Iterator[Record]:
        """Read the commits of a branch that the earlier load did not have.

        Arguments:
            project: whose branch it is.
            old: where the branch was; empty if that is not known.
            head: where it is.
            base: a commit that is read apart, with all that it is made of; empty for none.
        """
        since = self._since_for(project)
        if self._by_date and since:
            yield from self._gitlab.commits(project, head, since)
            return
        if old == head:
            return
        has_any = False
        if old:
            try:
                for commit in self._gitlab.commits(project, f"{old}..{head}"):
                    has_any = True
                    yield commit
            except ApiRefused as error:
                if error.status_code != 404 or has_any:
                    raise
        if has_any:
            return
        # After a forced push the old commit may be gone, for which GitLab gives 404 or nothing at all.
        for commit in self._gitlab.commits(project, f"{base}..{head}" if base else head):
            has_any = True
            yield commit
        if not has_any and not base:
            # A branch has a commit at least: it was moved since it was listed, and this one is gone.
            raise ApiRefused(f"{project['path_with_namespace']} has no commit {head} any more.", 404)

    def _heads(self, project: Record) -> dict[str, str]:
        if self._all_branches:
            return self._heads_of_all_branches(project)
        head = self._gitlab.default_head(project)
        return {project.get("default_branch") or "HEAD": head} if head else {}

    def _heads_of_all_branches(self, project: Record) -> dict[str, str]:
        """Return where the branches are, the default one first."""
        branches = [branch for branch in self._gitlab.branches(project) if branch["commit_id"]]
        branches.sort(key=lambda branch: not branch.get("default"))
        return {branch["name"]: branch["commit_id"] for branch in branches}

    def _note(self, project: Record, heads: Heads) -> None:
        if not self._by_date:
            self.loaded[project["id"]] = heads

    def _heads_before(self, project: Record) -> Heads:
        return {} if self._by_date or not self._since else (self._known or {}).get(project["id"], {})

    def _since_for(self, project: Record) -> datetime | None:
        is_new = self._known is not None and project["id"] not in self._known
        return None if is_new else self._since

    def _is_quiet(self, project: Record) -> bool:
        """Tell whether nothing was pushed to a project since the earlier load."""
        since = self._since_for(project)
        active = str(project.get("last_activity_at") or "")
        if self._kind in (COMMITS.kind, BRANCH_COMMITS.kind) and not (
            self._by_date or self._heads_before(project) or project.get("empty_repo")
        ):
            return False
        return bool(since and active and datetime.fromisoformat(active) < since - ACTIVITY_IS_NOTED_WITHIN)


_Read = Callable[[Increment, Gitlab, Record], Iterator[Record]]

_OF_A_PROJECT: dict[str, tuple[str, _Read]] = {
    ISSUES.kind: ("issues", lambda self, gitlab, project: self._changed(project, gitlab.issues)),
    MERGE_REQUESTS.kind: (
        "merge_requests",
        lambda self, gitlab, project: self._changed(project, gitlab.merge_requests),
    ),
    MERGE_REQUEST_COMMITS.kind: (
        "merge_requests",
        lambda self, gitlab, project: self._changed(project, gitlab.merge_request_commits),
    ),
    PIPELINES.kind: ("pipelines", lambda self, gitlab, project: self._changed(project, gitlab.pipelines)),
    COMMITS.kind: ("repository", lambda self, gitlab, project: self._commits(project)),
    BRANCH_COMMITS.kind: ("repository", lambda self, gitlab, project: self._branch_commits(project)),
    BRANCHES.kind: ("repository", lambda self, gitlab, project: gitlab.branches(project)),
    TAGS.kind: ("repository", lambda self, gitlab, project: gitlab.tags(project)),
}
"""What a kind of data needs a project to have, and how it is read."""


def _digest(project: Record) -> str:
    """Return a short form of a project's row. Its own time of a change stands still when its group is renamed."""
    row = {column.name: project.get(column.name) for column in PROJECTS.columns}
    return hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()
