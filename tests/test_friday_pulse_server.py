"""The stand-in for Friday Pulse keeps to its contract, traps included, and finds a client that does not."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.servers.friday_pulse_server import FridayPulseServer


@pytest.fixture
def server() -> Iterator[FridayPulseServer]:
    with FridayPulseServer() as server:
        yield server


def ask(server: FridayPulseServer, path: str, method: str = "GET", **query: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {server.token}"}
    return requests.request(method, f"{server.url}/api/v1/{path}", params=query, headers=headers, timeout=10)


def test_a_wrong_token_is_answered_401(server: FridayPulseServer) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert requests.get(f"{server.url}/api/v1/topics", headers=headers, timeout=10).status_code == 401
    assert [topic["code"] for topic in ask(server, "topics").json()] == ["happiness", "growth"]


def test_a_group_is_listed_with_each_of_its_types(server: FridayPulseServer) -> None:
    server.add_group("Sales", types=("department", "location"), head="mia")
    for code in ("department", "location"):
        assert ask(server, f"group-types/{code}/groups").json() == [{"id": 0, "name": "Sales", "head": "mia"}]
    assert ask(server, "group-types/project/groups").status_code == 404


def test_a_result_tells_who_answered_by_topic_and_in_all(server: FridayPulseServer) -> None:
    server.add_group("Sales", ["mia", "tom"])
    survey = server.add_survey()
    server.respond_to(survey, "mia", happiness=80, growth=41)
    happiness, growth, overall = ask(server, "results", date=survey).json()
    assert happiness == {
        "sample_date": "2026-01-09",
        "score": 80,
        "response_rate": 50,
        "response_count": 1,
        "total_count": 2,
        "topic": {"code": "happiness", "name": "Happiness"},
    }
    assert (growth["score"], overall["score"], overall["topic"]) == (41, 60.5, None)
    assert ask(server, "risk", date=survey).json() == [{"sample_date": "2026-01-09", "level": "high", "count": 1}]


def test_a_late_answer_changes_an_old_survey(server: FridayPulseServer) -> None:
    server.add_group("Sales", ["mia", "tom"])
    old = server.add_survey("2025-12-19")
    server.add_survey()
    server.respond_to(old, "mia", happiness=80)
    server.respond_to(old, "tom", happiness=60)
    server.add_note(old, "tom", "Late")
    assert ask(server, "results", date=old).json()[0]["score"] == 70
    assert [note["text"] for note in ask(server, "notes", date=old).json()] == ["Late"]


def test_without_a_date_it_is_the_newest_survey(server: FridayPulseServer) -> None:
    assert ask(server, "results").json() == []
    for day in ("2026-01-09", "2025-12-19"):
        server.add_survey(day, 3)
    assert {row["sample_date"] for row in ask(server, "results").json()} == {"2026-01-09"}
    server.ignores_date = True
    assert {row["sample_date"] for row in ask(server, "results", date="2025-12-19").json()} == {"2026-01-09"}
    assert ask(server, "info/results-dates").json() == [
        {"date": day, "question_count": 3} for day in ("2026-01-09", "2025-12-19")
    ]


@pytest.mark.parametrize("subject", ["results", "notes", "risk"])
def test_a_group_without_data_for_a_date_is_answered_500(server: FridayPulseServer, subject: str) -> None:
    group = server.add_group("Sales", ["mia"])
    survey = server.add_survey()
    assert ask(server, f"groups/{group}/{subject}", date=survey).status_code == 500
    server.respond_to(survey, "mia", happiness=80)
    assert ask(server, f"groups/{group}/{subject}", date=survey).status_code == 200
    server.silent = {(group, survey)}
    assert ask(server, f"groups/{group}/{subject}", date=survey).status_code == 500
    assert ask(server, f"groups/7/{subject}", date=survey).status_code == 404


@pytest.mark.parametrize(
    ("path", "method", "query"),
    [
        ("surveys", "GET", {}),
        ("results", "POST", {}),
        ("topics", "GET", {"page": "2"}),
        ("info/results-dates", "GET", {"since": "2026-01-09"}),
        ("results", "GET", {"date": "2026-01-02"}),
        ("results", "GET", {"date": ""}),
        ("results", "GET", {"date": "2026-01-09", "topic": "growth"}),
        ("groups/0/notes", "GET", {"date": "9 January"}),
    ],
)
def test_what_the_contract_forbids_is_a_mistake(
    server: FridayPulseServer, path: str, method: str, query: dict[str, Any]
) -> None:
    server.add_group("Sales")
    server.add_survey()
    assert ask(server, path, method, **query).status_code >= 400
    assert len(server.mistakes) == 1
    server.mistakes.clear()
