"""Which issues to read, in JQL, Jira's query language."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from wherescape.errors import DeclarationError

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"' + r"|'(?:[^'\\]|\\.)*'")
_ORDER_BY = re.compile(r"\border\s+by\b", re.IGNORECASE)


@dataclass(frozen=True)
class Scope:
    """Which issues to read.

    Arguments:
        projects: keys or ids of projects; all that the user sees when left out.
        jql: a restriction in Jira's query language, without ORDER BY.
        include_private: False leaves out issues of private projects.

    Raises:
        DeclarationError: the JQL is sorted, or its quotes or parentheses do not match.
    """

    projects: Sequence[str] = ()
    jql: str = ""
    include_private: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.projects, str):
            object.__setattr__(self, "projects", [self.projects] if self.projects else [])
        if not all(str(project).strip() for project in self.projects):
            raise DeclarationError("One of the Jira projects to load is empty. Give their keys or ids.")
        bare = _QUOTED.sub("", self.jql)
        if _ORDER_BY.search(bare):
            raise DeclarationError("The JQL to restrict issues has an ORDER BY. Remove it: the load sorts by itself.")
        depth = 0
        for sign in re.findall(r"[()]", bare):
            depth += 1 if sign == "(" else -1
            if depth < 0:
                break
        if depth or '"' in bare or "'" in bare:
            raise DeclarationError("The quotes or parentheses of the JQL to restrict issues do not match.")

    def to_jql(self, updated_since: str = "", private: Sequence[str] = ()) -> str:
        """Return the query, sorted by what no edit changes, so that none moves an issue to a page already read.

        Arguments:
            updated_since: only issues changed at or after it, in the form that JQL takes.
            private: the ids of projects to leave out.
        """
        # Jira refuses a query without any restriction.
        clauses = [f'updated >= "{updated_since}"' if updated_since else 'created >= "1970-01-01 00:00"']
        if self.projects:
            clauses.append(f"project in ({', '.join(map(_value, self.projects))})")
        if private:
            clauses.append(f"project not in ({', '.join(map(_value, private))})")
        if self.jql.strip():
            clauses.append(f"({self.jql.strip()})")
        return f"{' AND '.join(clauses)} ORDER BY created ASC, id ASC"


EVERYTHING = Scope()


def _value(text: object) -> str:
    value = str(text).strip()
    if value.isascii() and value.isdecimal():
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
