"""Reads a git repository with the git command."""

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wherescape.errors import SandboxError

COMMIT_FIELDS = ("%H", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%ct", "%B")
REF_FIELDS = (
    *("%(refname)", "%(HEAD)", "%(objecttype)", "%(objectname)", "%(*objecttype)", "%(*objectname)"),
    *("%(creatordate:iso-strict)", "%(contents)"),
)
PLACES = ("refs/heads", "refs/remotes", "refs/tags")
SHA = re.compile("[0-9a-f]{40}")
LIKELY_DEFAULTS = ("main", "master")


@dataclass(frozen=True)
class Commit:
    """A commit as git tells it; dates are ISO 8601 with the offset of whoever made it."""

    id: str
    parent_ids: tuple[str, ...]
    author_name: str
    author_email: str
    authored_date: str
    committer_name: str
    committer_email: str
    committed_date: str
    committed_at: int
    message: str


@dataclass(frozen=True)
class Ref:
    """A branch or tag: what it points to, and the commit behind that."""

    name: str
    target: str
    commit_id: str
    message: str | None = None
    created_at: str | None = None
    merged: bool = False


@dataclass
class References:
    """The branches and tags of a repository at one moment.

    Arguments:
        branches: the commit that each points to, by name.
        tags: those on commits.
        default_branch: None for an empty repository.
    """

    branches: dict[str, str] = field(default_factory=dict)
    tags: list[Ref] = field(default_factory=list)
    default_branch: str | None = None


class GitRepository:
    """Reads a git repository: a clone, a bare, shallow or empty one, or one with a detached HEAD.

    The branches that a clone knows of its remote count as its own, so that a clone can stand in for its origin.

    Arguments:
        path: its folder.

    Raises:
        SandboxError: git is not installed, or the folder is no repository.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._references = ("", References())
        self._commits: dict[str, Commit] = {}
        self._histories: dict[str, list[Commit]] = {}
        self._git("rev-parse", "--git-dir")

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name.removesuffix(".git") or "repository"

    def references(self) -> References:
        """Return the branches and tags as they are now."""
        output = self._git("for-each-ref", f"--format={'%00'.join(REF_FIELDS)}%00", *PLACES)
        if output != self._references[0]:
            self._references = output, _references(_rows(output.replace("\0\n", "\0"), len(REF_FIELDS)))
        found = self._references[1]
        if not found.branches and (head := self._resolve("HEAD")):
            # A checkout of a single commit, as build servers make it.
            return References({"main": head}, found.tags, "main")
        return found

    def default_branch(self) -> str | None:
        """Return the branch that HEAD is on, or the likeliest one if it is on none; None for an empty repository."""
        return self.references().default_branch

    def branches(self) -> list[Ref]:
        """Return the branches by name."""
        found = self.references()
        merged = self._history_ids(found.branches[found.default_branch]) if found.default_branch else set()
        return [Ref(name, head, head, merged=head in merged) for name, head in sorted(found.branches.items())]

    def tags(self) -> list[Ref]:
        """Return the tags on commits, the latest first."""
        tags = self.references().tags
        commits = self.commits_by_id([tag.commit_id for tag in tags])
        return sorted(tags, key=lambda tag: (-commits[tag.commit_id].committed_at, tag.name))

    def resolve(self, revision: str) -> str | None:
        """Return the commit of a branch, tag or sha; None if there is none.

        Of a range `a..b`, as git writes it, return the commits of both; None if one of them is missing.
        """
        start, dots, end = revision.partition("..")
        if dots:
            ends = self.resolve(start), self.resolve(end)
            return "..".join(commit for commit in ends if commit) if all(ends) else None
        if SHA.fullmatch(revision):
            return self._resolve(revision)
        return self.references().branches.get(revision) or self._resolve(revision)

    def history(self, commits: str | None, order: str = "default") -> list[Commit]:
        """Return the commits behind one, newest first.

        Arguments:
            commits: a sha, or two as a range; None: the commits behind every branch and tag.
            order: `default`, or `topo` for no parent before its children.
        """
        start = [commits] if commits else ["--branches", "--tags", "--remotes"]
        options = ["--topo-order"] if order == "topo" else []
        key = f"{order} {commits or self._git('for-each-ref', '--format=%(objectname)')}"
        if key not in self._histories:
            self._histories[key] = self._log(*options, *start)
        return self._histories[key]

    def commits_by_id(self, ids: Sequence[str]) -> dict[str, Commit]:
        """Return the given commits by their sha."""
        unknown = [commit_id for commit_id in ids if commit_id not in self._commits]
        if unknown:
            self._log("--no-walk=unsorted", "--stdin", stdin="\n".join(unknown))
        return {commit_id: self._commits[commit_id] for commit_id in ids}

    def _history_ids(self, commit_id: str) -> set[str]:
        return {commit.id for commit in self.history(commit_id)}

    def _resolve(self, revision: str) -> str | None:
        if revision.startswith("-"):
            return None
        found = self._git("rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}", check=False)
        return found.strip() or None

    def _log(self, *arguments: str, stdin: str = "") -> list[Commit]:
        output = self._git("log", "-z", f"--format={'%x00'.join(COMMIT_FIELDS)}", *arguments, "--", stdin=stdin)
        commits = [_commit(*row) for row in _rows(output, len(COMMIT_FIELDS))]
        self._commits |= {commit.id: commit for commit in commits}
        return commits

    def _git(self, *arguments: str, check: bool = True, stdin: str = "") -> str:
        command = ["git", "-c", "safe.directory=*", "-c", "log.showSignature=false", "--no-replace-objects"]
        # A git hook hands its own repository down in GIT_* variables.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        try:
            result = subprocess.run(
                [*command, "-C", str(self.path), *arguments],
                input=stdin.encode(),
                capture_output=True,
                env=environment,
                check=False,
            )
        except OSError as error:
            raise SandboxError(f"git cannot be started ({error}). Install it and put it on the PATH.") from error
        if check and result.returncode:
            raise SandboxError(f"{self.path}: git says {result.stderr.decode(errors='replace').strip()!r}.")
        return result.stdout.decode(errors="replace")


def _references(rows: Iterable[list[str]]) -> References:
    here: dict[str, str] = {}
    at_origin: dict[str, str] = {}
    tags: list[Ref] = []
    head = ""
    for refname, is_head, kind, target, inner_kind, inner, created, message in rows:
        _, place, name = refname.split("/", 2)
        if place == "heads":
            here[name] = target
            head = name if is_head == "*" else head
        elif place == "remotes":
            name = name.partition("/")[2]
            if name not in ("", "HEAD"):
                at_origin[name] = target
        elif place == "tags" and "commit" in (kind, inner_kind):
            if kind == "commit":
                tags.append(Ref(name, target, target))
            else:
                tags.append(Ref(name, target, inner, message.rstrip("\n"), _milliseconds(created)))
    # A branch of the origin that is here too has the commit that it has here.
    branches = at_origin | here
    default = next((name for name in (head, *LIKELY_DEFAULTS, *branches) if name in branches), None)
    return References(branches, tags, default)


def _rows(output: str, width: int) -> list[list[str]]:
    """Cut NUL-terminated fields into rows."""
    fields = output.split("\0")[:-1]
    return [fields[start : start + width] for start in range(0, len(fields), width)]


def _commit(
    sha: str,
    parents: str,
    author_name: str,
    author_email: str,
    authored_date: str,
    committer_name: str,
    committer_email: str,
    committed_date: str,
    committed_at: str,
    message: str,
) -> Commit:
    return Commit(
        sha,
        tuple(parents.split()),
        author_name,
        author_email,
        _milliseconds(authored_date),
        committer_name,
        committer_email,
        _milliseconds(committed_date),
        int(committed_at),
        message,
    )


def _milliseconds(date: str) -> str:
    """Write a date of git as GitLab does: `2021-09-20T11:50:22.000+00:00`."""
    return f"{date[:19]}.000{date[19:].replace('Z', '+00:00')}"
