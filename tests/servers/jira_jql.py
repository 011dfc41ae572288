"""A small part of JQL, Jira's query language: what a load asks for, and nothing that is only nearly JQL.

Sources: Atlassian Support, "JQL operators", "JQL fields" and "JQL keywords"; Jira Cloud platform REST API v3, "Issue
search" (bounded queries, at most 7 fields to order by).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

DATE_FIELDS = ("created", "updated", "resolutiondate", "resolved")
OTHER_FIELDS = (
    *("id", "issue", "issuekey", "key", "project", "status", "statuscategory", "issuetype", "type", "labels"),
    *("assignee", "reporter", "priority", "resolution", "summary"),
)
SYNONYMS = {"issue": "key", "issuekey": "key", "type": "issuetype", "resolved": "resolutiondate"}
MOST_ORDER_FIELDS = 7

Row = Mapping[str, Any]
"""An issue as the search sees it: a moment for each date field, a set of lower-case texts for each other one."""
Condition = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<sign>>=|<=|!=|[=<>(),])|(?P<word>[^\s()"',=<>!]+))"""
)
_DATES = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d")
_PERIOD = re.compile(r"-?\d+[wdhm]( \d+[wdhm])*")
_UNITS = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_KEYWORDS = {"and", "or", "not", "in", "is", "order", "by", "asc", "desc", "empty", "null"}


class WrongJql(Exception):  # noqa: N818  what Jira answers, not a fault of this module
    """JQL that Jira refuses; the text is Jira's own."""


@dataclass(frozen=True)
class Clock:
    """How the search reads the dates of a query.

    Arguments:
        now: what a period such as `-5d` is counted from.
        time_zone: that of the user who asks.
        fold: whether a local time that autumn has twice is its first moment (0) or its second one (1).
    """

    now: datetime
    time_zone: tzinfo
    fold: int = 0


@dataclass(frozen=True)
class Query:
    """A query that Jira accepts.

    Arguments:
        matches: tells whether an issue is found.
        order: the names to order by, and whether descending.
        projects: the projects that it names.
        issues: the ids and keys of issues that it names.
    """

    matches: Condition
    order: tuple[tuple[str, bool], ...]
    projects: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()


def parse_jql(text: str, clock: Clock) -> Query:
    """Read a query.

    Raises:
        WrongJql: Jira would answer 400, also since the query has no restriction.
    """
    return _Parser(text, clock).query()


class _Parser:
    def __init__(self, text: str, clock: Clock) -> None:
        self.clock = clock
        self.tokens = _tokens(text)
        self.projects: list[str] = []
        self.issues: list[str] = []

    def query(self) -> Query:
        if not self.tokens or self._next_is("order"):
            raise WrongJql(
                "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
            )
        matches = self._any()
        order = self._order()
        if self.tokens:
            raise WrongJql(f"Error in the JQL Query: Expecting operator but got '{self.tokens[0][1]}'.")
        return Query(matches, order, tuple(self.projects), tuple(self.issues))

    def _any(self) -> Condition:
        conditions = [self._all()]
        while self._take("or"):
            conditions.append(self._all())
        return lambda row: any(condition(row) for condition in conditions)

    def _all(self) -> Condition:
        conditions = [self._one()]
        while self._take("and"):
            conditions.append(self._one())
        return lambda row: all(condition(row) for condition in conditions)

    def _one(self) -> Condition:
        if self._take("not"):
            condition = self._one()
            return lambda row: not condition(row)
        if self._take("("):
            inner = self._any()
            self._expect(")")
            return inner
        return self._clause()

    def _clause(self) -> Condition:
        name = self._field()
        if self._take("is"):
            wanted = not self._take("not")
            if not (self._take("empty") or self._take("null")):
                raise WrongJql("Error in the JQL Query: 'is' must be followed by EMPTY or NULL.")
            return lambda row: (not row.get(name)) == wanted
        negated = self._take("not")
        if negated or self._next_is("in"):
            self._expect("in")
            self._expect("(")
            values = [self._value(name)]
            while self._take(","):
                values.append(self._value(name))
            self._expect(")")
            return _among(name, values, negated)
        kind, sign = self._pop()
        if kind != "sign" or sign in "(),":
            raise WrongJql(f"Error in the JQL Query: Expecting operator but got '{sign}'.")
        return self._compare(name, sign, self._value(name))

    def _compare(self, name: str, sign: str, value: str) -> Condition:
        if name not in DATE_FIELDS:
            if sign in ("=", "!="):
                return _among(name, [value], sign == "!=")
            if name == "id" and value.isdecimal():
                number = int(value)
                return lambda row: _ordered(row["number"], sign, number)
            raise WrongJql(f"The operator '{sign}' is not supported by the '{name}' field.")
        moment = self._moment(name, value)
        return lambda row: row[name] is not None and _ordered(row[name], sign, moment)

    def _moment(self, name: str, value: str) -> datetime:
        for pattern in _DATES:
            try:
                local = datetime.strptime(value, pattern)
            except ValueError:
                continue
            aware = local.replace(tzinfo=self.clock.time_zone)
            is_twice = (aware.utcoffset() or timedelta()) > (aware.replace(fold=1).utcoffset() or timedelta())
            # Aware moments of one zone would be compared by their local time.
            return aware.replace(fold=self.clock.fold if is_twice else 0).astimezone(UTC)
        if _PERIOD.fullmatch(value):
            length = sum((int(part[:-1]) * _UNITS[part[-1]] for part in value.lstrip("-").split()), timedelta())
            return self.clock.now - length if value.startswith("-") else self.clock.now + length
        raise WrongJql(
            f"Date value '{value}' for field '{name}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm',"
            " 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
        )

    def _order(self) -> tuple[tuple[str, bool], ...]:
        if not self._take("order"):
            return ()
        self._expect("by")
        order = [self._order_field()]
        while self._take(","):
            order.append(self._order_field())
        if len(order) > MOST_ORDER_FIELDS:
            raise WrongJql(f"The 'ORDER BY' clause has {len(order)} fields; at most {MOST_ORDER_FIELDS} are allowed.")
        return tuple(order)

    def _order_field(self) -> tuple[str, bool]:
        name = self._field()
        descending = self._take("desc")
        if not descending:
            self._take("asc")
        return name, descending

    def _field(self) -> str:
        kind, text = self._pop()
        name = text.lower()
        if kind == "sign" or name not in (*DATE_FIELDS, *OTHER_FIELDS):
            raise WrongJql(f"Field '{text}' does not exist or you do not have permission to view it.")
        return SYNONYMS.get(name, name)

    def _value(self, name: str) -> str:
        kind, text = self._pop()
        if kind == "sign" or (kind == "word" and text.lower() in _KEYWORDS):
            raise WrongJql(f"Error in the JQL Query: Expecting either a value, list or function but got '{text}'.")
        if name == "project":
            self.projects.append(text)
        if name in ("id", "key"):
            self.issues.append(text)
        return text

    def _next_is(self, word: str) -> bool:
        return bool(self.tokens) and self.tokens[0][0] != "text" and self.tokens[0][1].lower() == word

    def _take(self, word: str) -> bool:
        is_next = self._next_is(word)
        if is_next:
            self.tokens.pop(0)
        return is_next

    def _expect(self, word: str) -> None:
        if not self._take(word):
            got = self.tokens[0][1] if self.tokens else "the end"
            raise WrongJql(f"Error in the JQL Query: Expecting '{word}' but got '{got}'.")

    def _pop(self) -> tuple[str, str]:
        if not self.tokens:
            raise WrongJql("Error in the JQL Query: Expecting a field, an operator or a value before the end.")
        return self.tokens.pop(0)


def _tokens(text: str) -> list[tuple[str, str]]:
    found = []
    at = 0
    while text[at:].strip():
        token = _TOKEN.match(text, at)
        if token is None:
            raise WrongJql(f"Error in the JQL Query: The character '{text[at:].strip()[0]}' is a reserved character.")
        kind = str(token.lastgroup)
        value = token[kind]
        found.append((kind, re.sub(r"\\(.)", r"\1", value[1:-1]) if kind == "text" else value))
        at = token.end()
    return found


def _among(name: str, values: Sequence[str], negated: bool) -> Condition:
    wanted = {value.lower() for value in values}
    return lambda row: bool(wanted & row[name]) != negated


def _ordered(one: Any, sign: str, other: Any) -> bool:
    match sign:
        case ">=":
            return bool(one >= other)
        case "<=":
            return bool(one <= other)
        case ">":
            return bool(one > other)
        case "<":
            return bool(one < other)
        case "=":
            return bool(one == other)
    return bool(one != other)
