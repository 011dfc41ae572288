"""Random histories of surveys, loaded run after run and merged: the warehouse ends as Friday Pulse does."""

import json
import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.servers.friday_pulse_server import FridayPulseServer
from wherescape import WhereScape
from wherescape.connectors.friday_pulse.friday_pulse_create_metadata import friday_pulse_create_metadata
from wherescape.connectors.friday_pulse.friday_pulse_load_data import LOOKBACK_WEEKS, friday_pulse_load_data
from wherescape.errors import ApiError
from wherescape.sandbox.red_server import RedServer
from wherescape.testing.api_server import Answer, Request, json_answer

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
STEPS = 120
PEOPLE = [f"person {number}" for number in range(12)]
TABLES = {
    f"load_friday_pulse_{scope}_{kind}": (scope, subject)
    for scope in ("general", "group")
    for kind, subject in (("results", "results"), ("notes", "notes"), ("risks", "risk"))
}
"""The load tables, with whose surveys they hold and what of them."""

Part = tuple[str, str]
Parts = dict[Part, list[str]]
"""Rows of a survey and a group, the latter empty for everybody."""


class TroubledFridayPulse(FridayPulseServer):
    """A Friday Pulse that fails after some answers."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: Answer | None = None
        self.answers_left = 0

    def answer(self, request: Request) -> Answer:
        self.answers_left -= 1
        if self.trouble and self.answers_left < 0:
            return self.trouble
        return super().answer(request)


TROUBLES = (
    None,
    None,
    None,
    Answer(503),
    Answer(0),
    json_answer({"message": "Unauthenticated."}, 401),
    json_answer({"message": "Too Many Attempts."}, 429, {"Retry-After": "7200"}),
)


class People:
    """An organisation that is asked once a week, answers late, and changes its groups."""

    def __init__(self, server: FridayPulseServer, choice: random.Random) -> None:
        self.server = server
        self.random = choice
        self.are_at_work = True
        for number in range(4):
            types = choice.sample(list(server.types), choice.randint(1, 2))
            server.add_group(f"Group {number}", choice.sample(PEOPLE, choice.randint(1, 5)), types)
        for weeks in range(8):
            self._ask(server.now.date() - WEEK * weeks)

    def live(self) -> None:
        """Let a day pass, with a new survey now and then, and answers to those that take them."""
        self.server.pass_time(DAY * self.random.choice((1, 1, 2, 5)))
        if self.random.random() < 0.4:
            # Some are published days after their date.
            self._ask(self.server.now.date() - DAY * self.random.choice((0, 0, 1, 6)))
        self.answer_late()

    def answer_late(self) -> None:
        """Answer surveys for as long after their dates as they take answers."""
        if not self.are_at_work:
            return
        today = self.server.now.date()
        for day in self.server.surveys:
            if today - date.fromisoformat(day) > WEEK * LOOKBACK_WEEKS:
                continue
            for person in self.random.sample(PEOPLE, self.random.choice((0, 1, 3))):
                topics = self.random.sample(list(self.server.topics), self.random.randint(1, len(self.server.topics)))
                self.server.respond_to(day, person, **{topic: self.random.randrange(101) for topic in topics})
                if self.random.random() < 0.3:
                    self.server.add_note(day, person, f"Größe {self.random.randrange(1_000)}", tags=["a, b"])

    def _ask(self, day: date) -> None:
        """Ask everybody, and let one of a group answer; a survey that no group has answered fails its loads."""
        if str(day) in self.server.surveys:
            return
        survey = self.server.add_survey(day)
        first = self.random.choice(list(self.server.groups.values()))
        self.server.respond_to(survey, min(first.people), happiness=self.random.randrange(101))


class Warehouse:
    """What the jobs of a warehouse do: load, and replace what they have of the surveys and groups that came."""

    def __init__(self, red: RedServer, server: TroubledFridayPulse, people: People) -> None:
        self.red = red
        self.server = server
        self.people = people
        self.parts: dict[str, Parts] = {table: {} for table in TABLES}
        for table in TABLES:
            red.register_load_table(table)
            wherescape = self._wherescape(table)
            friday_pulse_create_metadata(wherescape)
            wherescape.close()
            red.create_table(table)

    def load(self, table: str) -> None:
        """Load a table from its high-water mark on, and merge it."""
        wherescape = self._wherescape(table)
        try:
            wherescape.push_to_target(f"TRUNCATE load.{table}")
            friday_pulse_load_data(wherescape=wherescape, max_retries=0, workers=2)
            rows = [as_json(row) for row in wherescape.query_target(f"SELECT row_to_json(t) FROM load.{table} AS t")]
        finally:
            wherescape.close()
        for part, found in by_part(rows).items():
            self.parts[table][part] = found

    def _wherescape(self, table: str) -> WhereScape:
        config = {"url": self.server.url, "apikey": self.server.token}
        return WhereScape(self.red.environment(table, source_config=config))


def as_json(row: Any) -> dict[str, Any]:
    found = json.loads(row[0])
    assert isinstance(found, dict)
    return {name: value for name, value in found.items() if not name.startswith("dss_")}


def by_part(rows: list[dict[str, Any]]) -> Parts:
    parts: Parts = {}
    for row in rows:
        parts.setdefault((row["sample_date"], row.get("group_id", "")), []).append(json.dumps(row, sort_keys=True))
    return {part: sorted(found) for part, found in parts.items()}


def truth(server: FridayPulseServer, table: str) -> Parts:
    """Return what the warehouse should hold of a table."""
    scope, subject = TABLES[table]
    rows = []
    for day, survey in server.surveys.items():
        for group_id in server.groups if scope == "group" else [""]:
            for place, came in enumerate(server.rows(subject, day, group_id) or [], 1):
                row: dict[str, Any] = {"sample_date": day}
                others = {name: value for name, value in came.items() if name != "sample_date"}
                if subject == "results":
                    topic = others.pop("topic") or {"code": None, "name": None}
                    row |= others | {"topic_code": topic["code"], "topic_name": topic["name"], "other_fields": None}
                    if scope == "general":
                        row["question_count"] = survey.question_count
                else:
                    row |= {"position": place, "other_fields": json.dumps(others, ensure_ascii=False)}
                rows.append(row | {"group_id": group_id} if group_id else row)
    return by_part(rows)


@pytest.fixture
def server() -> Iterator[TroubledFridayPulse]:
    with TroubledFridayPulse() as server:
        yield server


@pytest.mark.parametrize("seed", range(4))
def test_the_warehouse_equals_friday_pulse_in_the_end(
    clean_red: RedServer, server: TroubledFridayPulse, seed: int
) -> None:
    choice = random.Random(seed)
    people = People(server, choice)
    warehouse = Warehouse(clean_red, server, people)

    for _ in range(STEPS):
        if choice.random() < 0.4:
            people.live()
        else:
            load_in_a_restless_moment(warehouse, people)

    people.are_at_work = False
    server.pass_time(DAY)
    for table in TABLES:
        warehouse.load(table)
        assert warehouse.parts[table] == truth(server, table)


def load_in_a_restless_moment(warehouse: Warehouse, people: People) -> None:
    """Load a table while people answer and Friday Pulse may get into trouble, or fail for a moment."""
    server, choice = warehouse.server, people.random
    for _ in range(choice.randrange(40)):
        server.after_answer(people.answer_late, after=choice.randrange(20))
    server.trouble, server.answers_left = choice.choice(TROUBLES), choice.randrange(30)
    if choice.random() < 0.3:
        # A failure that passes, and looks like a group without data.
        server.fail_next(Answer(500), path="/groups/", after=choice.randrange(10))
    try:
        warehouse.load(choice.choice(list(TABLES)))
    except ApiError:
        assert server.trouble and server.answers_left < 0
    server.trouble = None
    server.mend()
