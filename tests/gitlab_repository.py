"""Git repositories for the tests of the GitLab server and connector, made with the git command."""

import subprocess
from datetime import datetime
from pathlib import Path

FIRST_COMMIT = 1_600_000_000
MINUTE = 60


def git(repository: Path, *arguments: str, stdin: bytes = b"") -> str:
    result = subprocess.run(
        ["git", "-c", "user.name=Zoë", "-c", "user.email=zoe@example.com", "-C", str(repository), *arguments],
        input=stdin,
        capture_output=True,
        check=True,
    )
    return result.stdout.decode().strip()


def make_empty_repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    return folder


def make_repository(folder: Path, commits: int = 3) -> Path:
    """Make commits one minute apart on main, from 2020-09-13T12:26:40Z on."""
    repository = make_empty_repository(folder)
    add_commits(repository, commits)
    return repository


def add_commits(repository: Path, count: int, *, first: int = FIRST_COMMIT, branch: str = "main") -> None:
    """Put commits on a branch, one minute apart and numbered from 1."""
    head = git(repository, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
    stream = [f"reset refs/heads/{branch}\nfrom {head}\n" if head else ""]
    for number in range(1, count + 1):
        message = f"Commit {number}\n"
        stream.append(
            f"commit refs/heads/{branch}\n"
            f"committer Ann Author <ann@example.com> {first + (number - 1) * MINUTE} +0000\n"
            f"data {len(message)}\n{message}\n"
        )
    git(repository, "fast-import", "--quiet", "--force", stdin="".join(stream).encode())


def commit(repository: Path, branch: str, message: str, at: datetime, *parents: str) -> None:
    """Put a branch, wherever it is, on a new commit; one with two parents is a merge of both."""
    parentage = "".join(f"{word} {parent}\n" for word, parent in zip(("from", "merge"), parents, strict=False))
    stream = (
        f"commit refs/heads/{branch}\n"
        f"committer Ann Author <ann@example.com> {int(at.timestamp())} +0000\n"
        f"data {len(message)}\n{message}\n"
        f"{parentage}\n"
    )
    git(repository, "fast-import", "--quiet", "--force", stdin=stream.encode())


def reset(repository: Path, branch: str, revision: str) -> None:
    """Make a branch point to another commit, as a forced push does; make the branch if there is none."""
    git(repository, "update-ref", f"refs/heads/{branch}", git(repository, "rev-parse", f"{revision}^{{commit}}"))


def collect_garbage(repository: Path) -> None:
    """Remove the commits that no branch or tag leads to."""
    git(repository, "reflog", "expire", "--expire=now", "--all")
    git(repository, "repack", "-a", "-d", "-q")
    git(repository, "prune", "--expire=now")


def make_varied_repository(folder: Path) -> Path:
    """Make a repository with what real ones have.

    main is a merge of two branches; one commit was made with an offset of +05:30, its author's date a day before its
    committer's; one message is Latin-1. `v1` is a lightweight tag on the first commit, `v2` an annotated one on the
    merge; `feature/ümlaut` is a merged branch and `open` one that is not.
    """
    repository = make_empty_repository(folder)
    stream = b"""\
commit refs/heads/main
mark :1
committer Ann Author <ann@example.com> 1600000000 +0000
data 12
Start here

commit refs/heads/feature/\xc3\xbcmlaut
mark :2
author J\xc3\xbcrgen <juergen@example.com> 1599913600 +0530
committer Ann Author <ann@example.com> 1600000060 +0530
data <<END
Gr\xc3\xb6\xc3\x9fe \xf0\x9f\x98\x80

Second line
END
from :1

commit refs/heads/main
mark :3
committer Ann Author <ann@example.com> 1600000120 +0000
data <<END
caf\xe9
END
from :1

commit refs/heads/main
mark :4
committer Ann Author <ann@example.com> 1600000180 -0700
data <<END
Merge the feature
END
from :3
merge :2

commit refs/heads/open
mark :5
committer Ann Author <ann@example.com> 1600000240 +0000
data <<END
Not merged
END
from :1

reset refs/tags/v1
from :1

tag v2
from :4
tagger Ann Author <ann@example.com> 1600000300 +0200
data <<END
Second release

with a body
END
"""
    git(repository, "fast-import", "--quiet", stdin=stream)
    return repository
