"""A stand-in for Friday Pulse on loopback: stateful, and strict about what a client may ask.

Sources: Friday Pulse API v1, as far as public clients show it; what its notes and risks hold is made up here.
"""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from wherescape.testing.api_server import Answer, ApiServer, Request, json_answer

Json = dict[str, Any]

START = datetime(2026, 1, 9, 12, tzinfo=UTC)
RISK = 50


@dataclass
class Group:
    """A group of people; it may be in several types."""

    id: int | str
    name: str
    types: tuple[str, ...]
    people: set[str]
    fields: Json = field(default_factory=dict)


@dataclass
class Survey:
    """A survey: what people answered, by topic, and what they noted."""

    date: str
    question_count: int
    scores: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: list[tuple[str, Json]] = field(default_factory=list)


class FridayPulseServer(ApiServer):
    """Friday Pulse with one organisation; what happens in it is what a test makes happen.

        with FridayPulseServer() as server:
            server.add_group("Sales", ["mia", "tom"])
            survey = server.add_survey()
            server.respond_to(survey, "mia", happiness=80)

    It begins with the topics `happiness` and `growth`, the types `department` and `location`, and no survey. Time is
    that of a test, and begins on a Friday.
    """

    prefix = "/api/v1"

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = START
        self.token = f"fp-{secrets.token_hex(16)}"
        self.topics = {"happiness": "Happiness", "growth": "Growth"}
        self.types = {"department": "Department", "location": "Standort"}
        self.groups: dict[str, Group] = {}
        self.surveys: dict[str, Survey] = {}
        self.silent: set[tuple[str, str]] = set()
        """Ids of groups, empty for everybody, and dates that are answered 500 although there are data."""
        self.ignores_date = False
        """Whether a date that is asked for counts for nothing, so that the newest survey comes."""
        self.more: Json = {}
        """Fields that every result, note and risk has beside its own."""

    # --------------------------------------------------------------------------------------------------- what happens

    def pass_time(self, time: timedelta) -> None:
        """Let time pass."""
        with self.lock:
            self.now += time

    def add_group(
        self,
        name: str,
        people: Collection[str] = (),
        types: Collection[str] = ("department",),
        group_id: int | str | None = None,
        **fields: Any,
    ) -> str:
        """Add a group; return its id as it stands in paths."""
        with self.lock:
            number = len(self.groups) if group_id is None else group_id
            self.groups[str(number)] = Group(number, name, tuple(types), set(people), fields)
            return str(number)

    def add_survey(self, day: date | str = "", question_count: int = 2) -> str:
        """Add a survey of a day, today's when left out; return its date."""
        with self.lock:
            found = str(day or self.now.date())
            self.surveys[found] = Survey(found, question_count)
            return found

    def respond_to(self, survey: str, person: str, **scores: int) -> None:
        """Let a person answer a survey, late or not; scores go from 0 to 100."""
        with self.lock:
            self.surveys[survey].scores[person] = scores

    def add_note(self, survey: str, person: str, text: str, **fields: Any) -> None:
        """Let a person who has answered a survey add a note to it."""
        with self.lock:
            self.surveys[survey].notes.append((person, {"text": text, **fields}))

    # --------------------------------------------------------------------------------------------------------- answers

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return json_answer({"message": "Unauthenticated."}, 401)
        if request.method != "GET":
            raise self.mistake(f"{request.method} {request.path}", Answer(405, "Method Not Allowed"))
        match [*map(unquote, request.path.strip("/").split("/"))]:
            case ["topics"]:
                return self._list(request, [{"code": code, "name": name} for code, name in self.topics.items()])
            case ["group-types"]:
                return self._list(request, [{"code": code, "name": name} for code, name in self.types.items()])
            case ["group-types", code, "groups"]:
                if code not in self.types:
                    return json_answer({"message": "Not found."}, 404)
                groups = [group for group in self.groups.values() if code in group.types]
                return self._list(request, [{"id": group.id, "name": group.name, **group.fields} for group in groups])
            case ["info", "results-dates"]:
                newest_first = sorted(self.surveys.values(), key=lambda survey: survey.date, reverse=True)
                return self._list(
                    request,
                    [{"date": survey.date, "question_count": survey.question_count} for survey in newest_first],
                )
            case ["results" | "notes" | "risk" as subject]:
                return self._show(request, subject)
            case ["groups", group_id, "results" | "notes" | "risk" as subject]:
                if group_id not in self.groups:
                    return json_answer({"message": "Not found."}, 404)
                return self._show(request, subject, group_id)
        raise self.mistake(f"there is no {request.method} {request.path}", json_answer({"message": "Not found."}, 404))

    def rows(self, subject: str, day: str, group_id: str = "") -> list[Json] | None:
        """Return what a survey brings, of everybody or of a group; None for a 500.

        Arguments:
            subject: `results`, `notes` or `risk`.
            day: the date of the survey.
            group_id: the group.
        """
        survey = self.surveys[day]
        people = self.groups[group_id].people if group_id else None
        scores = {person: given for person, given in survey.scores.items() if people is None or person in people}
        if people is not None and not scores or (group_id, day) in self.silent:
            return None
        make: dict[str, Callable[[], list[Json]]] = {
            "results": lambda: self._results(scores, len(self._everybody() if people is None else people)),
            "notes": lambda: [note for person, note in survey.notes if person in scores],
            "risk": lambda: self._risks(scores),
        }
        return [{"sample_date": day, **row, **self.more} for row in make[subject]()]

    def _list(self, request: Request, rows: list[Json]) -> Answer:
        if request.query:
            raise self.mistake(f"{request.path} with {dict(request.query)}", json_answer({"message": "Invalid."}, 422))
        return json_answer(rows)

    def _show(self, request: Request, subject: str, group_id: str = "") -> Answer:
        survey = self._survey_of(request)
        rows = self.rows(subject, survey.date, group_id) if survey else []
        return Answer(500, "Server Error", {"Content-Type": "text/plain"}) if rows is None else json_answer(rows)

    def _survey_of(self, request: Request) -> Survey | None:
        """Return the survey of the date that is asked for, and the newest without one."""
        if request.query.keys() - {"date"}:
            raise self.mistake(f"{request.path} with {dict(request.query)}", json_answer({"message": "Invalid."}, 422))
        day = request.query.get("date")
        if day is not None and day not in self.surveys:
            raise self.mistake(f"{request.path} of {day}, when no survey was", json_answer({"message": "Date."}, 422))
        if day is None or self.ignores_date:
            day = max(self.surveys, default=None)
        return self.surveys[day] if day else None

    def _everybody(self) -> set[str]:
        return {person for group in self.groups.values() for person in group.people}

    def _results(self, scores: dict[str, dict[str, int]], asked: int) -> list[Json]:
        """Return a result for each topic, and one of no topic for the whole."""
        codes: list[str | None] = [*self.topics, None]
        return [self._result(code, scores, max(asked, len(scores))) for code in codes]

    def _result(self, code: str | None, scores: dict[str, dict[str, int]], asked: int) -> Json:
        given = [score for answers in scores.values() for topic, score in answers.items() if code in (None, topic)]
        count = sum(any(code in (None, topic) for topic in answers) for answers in scores.values())
        return {
            "score": round(sum(given) / len(given), 2) if given else None,
            "response_rate": round(100 * count / asked, 1) if asked else None,
            "response_count": count,
            "total_count": asked,
            "topic": {"code": code, "name": self.topics[code]} if code else None,
        }

    def _risks(self, scores: dict[str, dict[str, int]]) -> list[Json]:
        lowest = [min(answers.values(), default=RISK) for answers in scores.values()]
        high = sum(score < RISK for score in lowest)
        return [
            {"level": level, "count": count} for level, count in (("high", high), ("low", len(lowest) - high)) if count
        ]
