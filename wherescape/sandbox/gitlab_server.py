"""A stand-in for a GitLab server: serves real git repositories as GitLab REST v4 on loopback.

Sources: GitLab documentation, "REST API", "Projects", "Commits", "Branches" and "Tags" API; GitLab's own
`offset_header_builder.rb` and `gitaly_keyset_pager.rb` for the paging headers.
"""

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from wherescape.errors import SandboxError

API_PATH = "/api/v4"
NAMESPACE = "sandbox"
DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 100

COMMIT_FIELDS = ("%H", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%ct", "%B")
REF_FIELDS = (
    *("%(refname)", "%(objecttype)", "%(objectname)", "%(*objecttype)", "%(*objectname)"),
    *("%(creatordate:iso-strict)", "%(contents)"),
)

Json = dict[str, Any]
Query = dict[str, str]


@dataclass(frozen=True)
class Request:
    """A request that the server got: the path behind /api/v4 and the query."""

    path: str
    query: Query


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; also what `GitLabServer.fail_next` sends in place of a real one.

    Arguments:
        status: the HTTP status; 0 closes the connection without an answer.
        body: the text that is sent.
        headers: replace Date, Content-Length and a Content-Type of JSON, or are added to them.
        cut: send half of the body only, and close the connection.
    """

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class _Fault:
    answer: Answer
    path: str
    after: int
    times: int


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


class GitRepository:
    """Reads a git repository with the git command; a clone, a bare, shallow or empty one, or with a detached HEAD.

    The branches that a clone knows of its remote count as its own, so that a clone can stand in for its origin.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._histories: dict[str, list[Commit]] = {}
        self._lock = threading.Lock()
        self._git("rev-parse", "--git-dir")

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name.removesuffix(".git") or "repository"

    def default_branch(self) -> str | None:
        """Return the branch that HEAD is on, or the likeliest one if it is on none; None for an empty repository."""
        names = list(self._branch_heads())
        head = self._git("symbolic-ref", "--quiet", "--short", "HEAD", check=False).strip()
        return next((name for name in (head, "main", "master") if name in names), names[0] if names else None)

    def branches(self) -> list[Ref]:
        """Return the branches by name."""
        heads = self._branch_heads()
        default = self.default_branch()
        merged = {commit.id for commit in self.history(heads[default])} if default else set()
        return [Ref(name, head, head, merged=head in merged) for name, head in sorted(heads.items())]

    def tags(self) -> list[Ref]:
        """Return the tags on commits, the latest first."""
        tags = []
        for name, kind, target, inner_kind, inner, created, message in self._refs("refs/tags"):
            commit_id = inner if kind == "tag" and inner_kind == "commit" else target if kind == "commit" else None
            if commit_id:
                annotated = kind == "tag"
                tags.append(
                    Ref(
                        name.removeprefix("refs/tags/"),
                        target,
                        commit_id,
                        message=message.rstrip("\n") if annotated else None,
                        created_at=_milliseconds(created) if annotated else None,
                    )
                )
        commits = self.commits_by_id([tag.commit_id for tag in tags])
        return sorted(tags, key=lambda tag: (-commits[tag.commit_id].committed_at, tag.name))

    def resolve(self, name: str) -> str | None:
        """Return the commit of a branch, tag or sha; None if there is none."""
        head = self._branch_heads().get(name)
        if head or name.startswith("-"):
            return head
        found = self._git("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}", check=False)
        return found.strip() or None

    def history(self, commit_id: str | None, order: str = "default") -> list[Commit]:
        """Return the commits behind one, newest first; behind every branch and tag if it is None."""
        start = [commit_id] if commit_id else ["--branches", "--tags", "--remotes"]
        options = ["--topo-order"] if order == "topo" else []
        state = commit_id or self._git("for-each-ref", "--format=%(objectname)")
        with self._lock:
            key = f"{order} {state}"
            if key not in self._histories:
                self._histories[key] = self._log(*options, *start)
            return self._histories[key]

    def commits_by_id(self, ids: Sequence[str]) -> dict[str, Commit]:
        """Return the given commits by their sha."""
        if not ids:
            return {}
        return {commit.id: commit for commit in self._log("--no-walk=unsorted", "--stdin", stdin="\n".join(ids))}

    def _branch_heads(self) -> dict[str, str]:
        heads: dict[str, str] = {}
        # A branch of the origin that is here too has the commit that it has here.
        for refname, _, commit_id, *_ in [*self._refs("refs/remotes"), *self._refs("refs/heads")]:
            _, kind, name = refname.split("/", 2)
            if kind == "remotes":
                name = name.partition("/")[2]
            if name and not (kind == "remotes" and name == "HEAD"):
                heads[name] = commit_id
        if not heads:
            detached = self._git("rev-parse", "--quiet", "--verify", "HEAD^{commit}", check=False).strip()
            heads = {"main": detached} if detached else {}
        return heads

    def _refs(self, *prefixes: str) -> list[list[str]]:
        output = self._git("for-each-ref", f"--format={'%00'.join(REF_FIELDS)}%00", *prefixes)
        return _rows(output.replace("\0\n", "\0"), len(REF_FIELDS))

    def _log(self, *arguments: str, stdin: str = "") -> list[Commit]:
        output = self._git("log", "-z", f"--format={'%x00'.join(COMMIT_FIELDS)}", *arguments, "--", stdin=stdin)
        return [_commit(*row) for row in _rows(output, len(COMMIT_FIELDS))]

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


class GitLabServer:
    """Serves git repositories as the projects of a GitLab server: real commits, branches and tags.

        with GitLabServer(Path(".")) as server:
            requests.get(f"{server.url}/api/v4/projects", headers={"PRIVATE-TOKEN": server.token})

    It listens on 127.0.0.1 only. Repositories may change while it runs.

    Arguments:
        repositories: their folders; project ids count from 1.
        strict: refuse a query parameter that the endpoint does not have, and a page size above 100. GitLab ignores
            the one and reduces the other, which hides a client's mistake.

    Raises:
        SandboxError: git is not installed, or a folder is no repository.
    """

    def __init__(self, *repositories: Path, strict: bool = True) -> None:
        self.token = f"glpat-{secrets.token_urlsafe(16)}"
        self.strict = strict
        self.now: datetime | None = None
        """The time that Date headers show; None for the real one."""
        self.requests: list[Request] = []
        self._repositories = [GitRepository(path) for path in repositories]
        self._created = int(time.time())
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._server: _LoopbackServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def is_running(self) -> bool:
        """Whether it answers requests."""
        return self._server is not None

    @property
    def url(self) -> str:
        """The address without /api/v4, as users know a GitLab server."""
        if self._server is None:
            raise SandboxError("The GitLab server is not running; call start() or use it in a with statement.")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Start to serve on a free port."""
        self._server = _LoopbackServer(self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop to serve: connections that are open are closed at the next request, new ones are refused."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def fail_next(self, answer: Answer, *, times: int = 1, path: str = "", after: int = 0) -> None:
        """Send another answer than the real one.

        Arguments:
            answer: what to send.
            times: for how many requests.
            path: only for requests whose path behind /api/v4 contains it.
            after: how many such requests to answer truly first.
        """
        with self._lock:
            self._faults.append(_Fault(answer, path, after, times))

    def respond(self, path: str, query: Query, headers: Mapping[str, str]) -> Answer:
        """Answer one request.

        Arguments:
            path: the path behind /api/v4, its parts percent-encoded.
            query: the query, decoded.
            headers: the request's headers.
        """
        with self._lock:
            self.requests.append(Request(path, query))
            fault = self._take_fault(path)
        if fault:
            return fault
        if refusal := self._refuse_login(headers):
            return refusal
        try:
            return self._route(path, query)
        except _Refused as refused:
            return refused.answer

    def _take_fault(self, path: str) -> Answer | None:
        for fault in self._faults:
            if fault.path in path and fault.times:
                if fault.after:
                    fault.after -= 1
                    continue
                fault.times -= 1
                return fault.answer
        return None

    def _refuse_login(self, headers: Mapping[str, str]) -> Answer | None:
        bearer = headers.get("Authorization", "").removeprefix("Bearer ")
        if self.token in (headers.get("PRIVATE-TOKEN"), bearer):
            return None
        if bearer:
            return _json(
                {"error": "invalid_token", "error_description": "Token was revoked. You have to re-authorize."}, 401
            )
        return _json({"message": "401 Unauthorized"}, 401)

    def _route(self, path: str, query: Query) -> Answer:
        match path.strip("/").split("/"):
            case ["projects"]:
                return self._list_projects(path, query)
            case ["projects", key]:
                self._check_query(path, query, {"license", "statistics", "with_custom_attributes"})
                project_id, repository = self._find_project(key)
                return _json(self._project(project_id, repository))
            case ["projects", key, "repository", "commits"]:
                return self._list_commits(path, query, self._find_project(key)[1])
            case ["projects", key, "repository", "branches"]:
                return self._list_branches(path, query, self._find_project(key)[1])
            case ["projects", key, "repository", "tags"]:
                return self._list_tags(path, query, self._find_project(key)[1])
        raise _Refused(404, error="404 Not Found")

    def _check_query(self, path: str, query: Query, known: set[str]) -> None:
        unknown = sorted(query.keys() - known)
        if self.strict and unknown:
            raise _Refused(400, error=f"{', '.join(unknown)}: GET {path} has no such parameter")

    def _find_project(self, key: str) -> tuple[int, GitRepository]:
        name = unquote(key)
        for project_id, repository in enumerate(self._repositories, start=1):
            if name in (str(project_id), f"{NAMESPACE}/{repository.name}"):
                return project_id, repository
        raise _Refused(404, message="404 Project Not Found")

    def _list_projects(self, path: str, query: Query) -> Answer:
        self._check_query(
            path,
            query,
            {"page", "per_page", "pagination", "order_by", "sort", "id_after", "id_before", "membership", "simple"},
        )
        projects = [self._project(number, repository) for number, repository in enumerate(self._repositories, start=1)]
        order_by = query.get("order_by", "created_at")
        if order_by not in ("id", "name", "path", "created_at", "last_activity_at"):
            raise _Refused(400, error="order_by does not have a valid value")
        descending = query.get("sort", "desc") == "desc"
        projects.sort(key=lambda project: project[order_by] or "", reverse=descending)
        if query.get("pagination") == "keyset":
            if order_by != "id":
                raise _Refused(405, error="Keyset pagination is not yet available for this type of request")
            return self._keyset_page(path, query, projects, descending)
        return self._offset_page(path, query, projects)

    def _list_commits(self, path: str, query: Query, repository: GitRepository) -> Answer:
        self._check_query(path, query, {"page", "per_page", "ref_name", "since", "until", "all", "order"})
        since, until = _unix_time(query, "since"), _unix_time(query, "until")
        start = repository.resolve(query.get("ref_name") or repository.default_branch() or "HEAD")
        if start is None:
            what = "Ref" if query.get("ref_name") else "Repository"
            raise _Refused(404, message=f"404 {what} Not Found")
        commits = repository.history(None if query.get("all") == "true" else start, query.get("order", "default"))
        if since is not None:
            commits = [commit for commit in commits if commit.committed_at >= since]
        if until is not None:
            commits = [commit for commit in commits if commit.committed_at <= until]
        web_url = self._web_url(repository)
        return self._offset_page(
            path, query, commits, lambda commit: _commit_entity(commit, web_url), with_totals=False
        )

    def _list_branches(self, path: str, query: Query, repository: GitRepository) -> Answer:
        self._check_query(path, query, {"page", "per_page", "search", "regex", "sort", "page_token", "pagination"})
        refs = repository.branches()
        commits = repository.commits_by_id([ref.commit_id for ref in refs])
        default, web_url = repository.default_branch(), self._web_url(repository)

        def entity(ref: Ref) -> Json:
            return {
                "name": ref.name,
                "commit": _commit_entity(commits[ref.commit_id], web_url),
                "merged": ref.merged and ref.name != default,
                "protected": ref.name == default,
                "developers_can_push": False,
                "developers_can_merge": False,
                "can_push": True,
                "default": ref.name == default,
                "web_url": f"{web_url}/-/tree/{ref.name}",
            }

        return self._offset_page(path, query, refs, entity, always_second_page=True)

    def _list_tags(self, path: str, query: Query, repository: GitRepository) -> Answer:
        self._check_query(path, query, {"page", "per_page", "search", "order_by", "sort", "page_token"})
        refs = repository.tags()
        commits = repository.commits_by_id([ref.commit_id for ref in refs])
        web_url = self._web_url(repository)

        def entity(ref: Ref) -> Json:
            return {
                "name": ref.name,
                "message": ref.message,
                "target": ref.target,
                "commit": _commit_entity(commits[ref.commit_id], web_url),
                "release": None,
                "protected": False,
                "created_at": ref.created_at,
            }

        return self._offset_page(path, query, refs, entity, always_second_page=True)

    def _web_url(self, repository: GitRepository) -> str:
        return f"{self.url}/{NAMESPACE}/{repository.name}"

    def _project(self, project_id: int, repository: GitRepository) -> Json:
        branch, web_url, path = (
            repository.default_branch(),
            self._web_url(repository),
            f"{NAMESPACE}/{repository.name}",
        )
        head = repository.resolve(branch) if branch else None
        history = repository.history(head) if head else []
        readme = self._find_readme(repository)
        return {
            "id": project_id,
            "description": None,
            "name": repository.name,
            "name_with_namespace": f"{NAMESPACE.capitalize()} / {repository.name}",
            "path": repository.name,
            "path_with_namespace": path,
            "created_at": _utc(min((commit.committed_at for commit in history), default=self._created)),
            "default_branch": branch,
            "tag_list": [],
            "topics": [],
            "ssh_url_to_repo": f"git@127.0.0.1:{path}.git",
            "http_url_to_repo": f"{web_url}.git",
            "web_url": web_url,
            "readme_url": f"{web_url}/-/blob/{branch}/{readme}" if readme and branch else None,
            "forks_count": 0,
            "avatar_url": None,
            "star_count": 0,
            "last_activity_at": _utc(max((commit.committed_at for commit in history), default=self._created)),
            "namespace": {"id": 1, "name": NAMESPACE.capitalize(), "path": NAMESPACE, "kind": "group"},
            "empty_repo": not history,
            "archived": False,
            "visibility": "private",
            "repository_access_level": "enabled",
        }

    def _find_readme(self, repository: GitRepository) -> str | None:
        return next((path.name for path in sorted(repository.path.glob("README*"))), None)

    def _offset_page(
        self,
        path: str,
        query: Query,
        items: Sequence[Any],
        entity: Callable[[Any], Json] = lambda item: item,
        *,
        with_totals: bool = True,
        always_second_page: bool = False,
    ) -> Answer:
        page, per_page = _number(query, "page", 1), self._per_page(query)
        start = (page - 1) * per_page
        has_next = start + per_page < len(items) or (always_second_page and page == 1)
        last = max(1, -(-len(items) // per_page))
        headers = {
            "X-Page": str(page),
            "X-Per-Page": str(per_page),
            "X-Next-Page": str(page + 1) if has_next else "",
            "X-Prev-Page": str(page - 1) if page > 1 else "",
        }
        links = {"prev": page - 1 if page > 1 else 0, "next": page + 1 if has_next else 0, "first": 1}
        if with_totals:
            last = len(items) // per_page + 1 if always_second_page else last
            headers |= {"X-Total": str(len(items)), "X-Total-Pages": str(last)}
            links["last"] = last
        headers["Link"] = ", ".join(
            self._link(path, {**query, "page": str(number), "per_page": str(per_page)}, relation)
            for relation, number in links.items()
            if number
        )
        return _json([entity(item) for item in items[start : start + per_page]], headers=headers)

    def _keyset_page(self, path: str, query: Query, items: list[Json], descending: bool) -> Answer:
        bound = "id_before" if descending else "id_after"
        per_page = self._per_page(query)
        if bound in query:
            limit = _number(query, bound, 0)
            items = [item for item in items if (item["id"] < limit if descending else item["id"] > limit)]
        page = items[:per_page]
        if len(items) <= per_page:
            return _json(page)
        following = {**query, "per_page": str(per_page), bound: str(page[-1]["id"])}
        return _json(page, headers={"Link": self._link(path, following, "next")})

    def _link(self, path: str, query: Query, relation: str) -> str:
        return f'<{self.url}{API_PATH}{path}?{urlencode(query)}>; rel="{relation}"'

    def _per_page(self, query: Query) -> int:
        per_page = _number(query, "per_page", DEFAULT_PER_PAGE)
        if self.strict and per_page > MAX_PER_PAGE:
            raise _Refused(400, error=f"per_page is {per_page}; GitLab gives {MAX_PER_PAGE} at most")
        return min(per_page, MAX_PER_PAGE)


class _Refused(Exception):  # noqa: N818  an answer, not a fault of the server
    def __init__(self, status: int, **body: str) -> None:
        self.answer = _json(body, status)


class _LoopbackServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, gitlab: GitLabServer) -> None:
        self.gitlab = gitlab
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that goes away in the middle is its own business.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _LoopbackServer
    # A body must not wait for the client to acknowledge the headers; that costs 40 ms a request.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:  # noqa: N802  the name that http.server calls
        gitlab = self.server.gitlab
        if not gitlab.is_running:
            self.close_connection = True
            return
        url = urlsplit(self.path)
        if not url.path.startswith(f"{API_PATH}/"):
            self._send(Answer(404, "<html><body>Not found</body></html>", {"Content-Type": "text/html"}))
            return
        path = url.path.removeprefix(API_PATH)
        self._send(gitlab.respond(path, dict(parse_qsl(url.query, keep_blank_values=True)), dict(self.headers)))

    def _send(self, answer: Answer) -> None:
        if not answer.status:
            self.close_connection = True
            return
        body = answer.body.encode()
        headers = {
            "Date": self.date_time_string(),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **answer.headers,
        }
        self.send_response_only(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if answer.cut else body)
        self.close_connection = self.close_connection or answer.cut

    def date_time_string(self, timestamp: float | None = None) -> str:
        now = self.server.gitlab.now
        return format_datetime(now.astimezone(UTC), usegmt=True) if now else super().date_time_string(timestamp)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the console clean; `GitLabServer.requests` tells what was asked."""


def _json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(body), headers or {})


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


def _commit_entity(commit: Commit, web_url: str) -> Json:
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
        "web_url": f"{web_url}/-/commit/{commit.id}",
    }


def _milliseconds(date: str) -> str:
    """Write a date of git as GitLab does: `2021-09-20T11:50:22.000+00:00`."""
    return f"{date[:19]}.000{date[19:].replace('Z', '+00:00')}"


def _utc(unix_time: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(unix_time))


def _unix_time(query: Query, name: str) -> float | None:
    if name not in query:
        return None
    try:
        moment = datetime.fromisoformat(query[name])
    except ValueError:
        raise _Refused(400, error=f"{name} is invalid") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(query: Query, name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise _Refused(400, error=f"{name} is invalid")
    return int(text)
