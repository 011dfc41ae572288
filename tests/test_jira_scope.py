"""Which issues to read, as a query in JQL."""

import pytest

from wherescape.connectors.jira.jira_scope import Scope
from wherescape.errors import DeclarationError

ORDER = " ORDER BY created ASC, id ASC"


@pytest.mark.parametrize(
    ("scope", "query"),
    [
        (Scope(), 'created >= "1970-01-01 00:00"'),
        (Scope(["EX", "10001"]), 'created >= "1970-01-01 00:00" AND project in ("EX", 10001)'),
        (Scope("EX"), 'created >= "1970-01-01 00:00" AND project in ("EX")'),
        (Scope(['A"B\\']), r'created >= "1970-01-01 00:00" AND project in ("A\"B\\")'),
        (Scope(jql=" labels = x OR labels = y "), 'created >= "1970-01-01 00:00" AND (labels = x OR labels = y)'),
    ],
)
def test_a_query_has_a_restriction_and_an_order(scope: Scope, query: str) -> None:
    assert scope.to_jql() == query + ORDER


def test_an_increment_of_some_projects() -> None:
    query = 'updated >= "2026-01-05 10:05" AND project not in (10002, 10003)'
    assert Scope().to_jql("2026-01-05 10:05", ["10002", "10003"]) == query + ORDER


@pytest.mark.parametrize(
    "jql", ["labels = x ORDER BY key", "labels = x order  by key", "order\nby key", '"a" = b ORDER BY c']
)
def test_a_sorted_restriction_is_refused(jql: str) -> None:
    with pytest.raises(DeclarationError, match="ORDER BY"):
        Scope(jql=jql)


@pytest.mark.parametrize("jql", ["labels = x) OR (project = Y", "(a = b", "a = b)", 'a = "b', "a = 'b"])
def test_a_restriction_cannot_break_out_of_its_parentheses(jql: str) -> None:
    with pytest.raises(DeclarationError, match="do not match"):
        Scope(jql=jql)


@pytest.mark.parametrize("jql", ['summary ~ "order by :-)"', "summary ~ 'it\\'s ('", '(a = b) AND (c = "d)")'])
def test_what_is_quoted_is_only_text(jql: str) -> None:
    assert f"({jql})" in Scope(jql=jql).to_jql()


def test_an_empty_project_is_refused() -> None:
    with pytest.raises(DeclarationError, match="projects to load is empty"):
        Scope(["EX", " "])
