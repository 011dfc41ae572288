"""The Friday Pulse wrapper against a server on loopback, trap by trap."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import date
from functools import partial
from typing import Any

import pytest

from tests.servers.friday_pulse_server import FridayPulseServer
from wherescape.api_response import Record
from wherescape.connectors.friday_pulse.friday_pulse_records import flat_result
from wherescape.connectors.friday_pulse.friday_pulse_wrapper import FridayPulse, Subject
from wherescape.errors import (
    ApiAnswerInvalid,
    ApiError,
    ApiRateLimited,
    ApiRefused,
    ApiUnavailable,
    DeclarationError,
)
from wherescape.testing.api_server import Answer, Request, json_answer

DATES = ["2025-12-19", "2025-12-26", "2026-01-02", "2026-01-09"]
SUBJECTS: tuple[Subject, ...] = ("results", "notes", "risk")
FAILED = Answer(500, "Server Error", {"Content-Type": "text/plain"})


@pytest.fixture
def server() -> Iterator[FridayPulseServer]:
    with FridayPulseServer() as server:
        sales = server.add_group("Sales", ["mia", "tom"], ["department", "location"])
        support = server.add_group("Support", ["ada"])
        assert (sales, support) == ("0", "1")
        for day in DATES:
            server.add_survey(day)
            for person, score in (("mia", 80), ("tom", 40), ("ada", 70)):
                server.respond_to(day, person, happiness=score)
                server.add_note(day, person, f"By {person}")
        yield server


@pytest.fixture
def friday_pulse(server: FridayPulseServer) -> Iterator[FridayPulse]:
    with FridayPulse(server.token, server.url, max_retries=0) as friday_pulse:
        yield friday_pulse


Read = Callable[[FridayPulse], Iterable[Record]]
LISTS: dict[str, Read] = {
    "topics": FridayPulse.topics,
    "group types": FridayPulse.group_types,
    "groups": FridayPulse.groups,
}
SURVEYS: dict[str, Read] = {
    **{f"general {subject}": partial(FridayPulse.general, subject=subject) for subject in SUBJECTS},
    **{f"group {subject}": partial(FridayPulse.of_groups, subject=subject) for subject in SUBJECTS},
}
READ = LISTS | SURVEYS
everything = pytest.mark.parametrize("read", READ.values(), ids=READ.keys())
every_survey = pytest.mark.parametrize("read", SURVEYS.values(), ids=SURVEYS.keys())


def dates_asked(server: FridayPulseServer, subject: str) -> list[str | None]:
    return [request.query.get("date") for request in server.requests if request.path.endswith(f"/{subject}")]


def parts(records: Iterable[Record]) -> list[tuple[str, Any]]:
    return list(dict.fromkeys((record["sample_date"], record["group_id"]) for record in records))


# --------------------------------------------------------------------------------------------------- login and address


@pytest.mark.parametrize("ending", ["", "/", "/api", "/api/v1", "/api/v1/"])
def test_a_server_is_read_by_any_of_its_addresses(server: FridayPulseServer, ending: str) -> None:
    with FridayPulse(f" {server.token}\n", server.url + ending) as friday_pulse:
        assert len(list(friday_pulse.topics())) == 2


@pytest.mark.parametrize("base_url", ["app.fridaypulse.com", "ftp://example.com", "https://", "/api/v1", ""])
def test_an_address_that_is_none_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(DeclarationError, match="must be an address like https://app.fridaypulse.com"):
        FridayPulse("token-never-sent", base_url)


@everything
def test_a_wrong_token_is_an_error(server: FridayPulseServer, read: Read) -> None:
    with (
        FridayPulse("wrong-token-of-a-test", server.url) as friday_pulse,
        pytest.raises(ApiRefused, match="401.*the access token") as caught,
    ):
        list(read(friday_pulse))
    assert "wrong-token" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "<html>Sign in</html>", {"Content-Type": "text/html"}),
        Answer(200, '[{"code": "growth"}, {"code":', cut=True),
        Answer(0),
        Answer(302, "", {"Location": "https://login.example.com"}),
        FAILED,
        Answer(503),
        json_answer(None),
        json_answer({"message": "Too many"}),
        json_answer({"data": []}),
        json_answer([1]),
        json_answer([[]]),
        json_answer([{}, None]),
    ],
    ids=lambda answer: f"{answer.status} {answer.body[:30]}",
)
@everything
def test_an_answer_that_is_none_is_an_error(server: FridayPulseServer, read: Read, answer: Answer) -> None:
    server.fail_next(answer, times=999)
    with FridayPulse(server.token, server.url, max_retries=0) as friday_pulse, pytest.raises(ApiError):
        list(read(friday_pulse))


@pytest.mark.parametrize("answer", [Answer(502), Answer(0), Answer(200, "[]", cut=True), FAILED], ids=repr)
@everything
def test_a_failure_that_passes_is_read_over(server: FridayPulseServer, read: Read, answer: Answer) -> None:
    server.fail_next(answer)
    with FridayPulse(server.token, server.url, max_retries=1) as friday_pulse:
        assert list(read(friday_pulse))
    assert friday_pulse.extraction.retries == 1


@everything
def test_a_rate_limit_is_waited_for(server: FridayPulseServer, read: Read) -> None:
    server.fail_next(json_answer({"message": "Too Many Attempts."}, 429, {"Retry-After": "0"}))
    with FridayPulse(server.token, server.url) as friday_pulse:
        found = list(read(friday_pulse))
        assert found and found == list(read(friday_pulse))


def test_a_wait_that_is_too_long_is_an_error_and_not_data_that_are_missing(server: FridayPulseServer) -> None:
    server.fail_next(json_answer({}, 429, {"Retry-After": "3600"}), path="/groups/1/")
    with (
        FridayPulse(server.token, server.url, max_wait_seconds=60) as friday_pulse,
        pytest.raises(ApiRateLimited, match="asks to wait 3600 seconds"),
    ):
        list(friday_pulse.of_groups("results"))


# -------------------------------------------------------------------------------------------------------------- groups


def test_a_group_of_several_types_is_one_group(friday_pulse: FridayPulse) -> None:
    assert list(friday_pulse.groups()) == [
        {
            "id": 0,
            "name": "Sales",
            "group_type_code": "department",
            "group_type_codes": ["department", "location"],
            "other_fields": None,
        },
        {
            "id": 1,
            "name": "Support",
            "group_type_code": "department",
            "group_type_codes": ["department"],
            "other_fields": None,
        },
    ]


def test_a_group_of_several_types_is_read_once_a_survey(server: FridayPulseServer, friday_pulse: FridayPulse) -> None:
    rows = list(friday_pulse.of_groups("results"))
    assert parts(rows) == [(day, group_id) for day in DATES for group_id in (0, 1)]
    assert len(rows) == 8 * 3 and len(dates_asked(server, "results")) == 8


def test_ids_may_be_texts_and_fields_may_be_new(server: FridayPulseServer) -> None:
    server.groups.clear()
    server.add_group("Größe 😀", ["mia"], group_id="a/b c", head={"id": 3}, tags=["x, y"])
    with FridayPulse(server.token, server.url) as friday_pulse:
        (group,) = friday_pulse.groups()
        assert group["other_fields"] == {"head": {"id": 3}, "tags": ["x, y"]}
        assert {row["group_id"] for row in friday_pulse.of_groups("risk")} == {"a/b c"}


@pytest.mark.parametrize("group", [{"name": "Sales"}, {"id": None}, {"id": ""}, {"id": True}, {"id": {}}], ids=repr)
def test_a_group_without_an_id_is_an_error(
    server: FridayPulseServer, friday_pulse: FridayPulse, group: Record
) -> None:
    server.fail_next(json_answer([{"id": 1, "name": "Support"}, group]), path="/group-types/location/")
    with pytest.raises(ApiAnswerInvalid, match="a group without its id"):
        list(friday_pulse.of_groups("results"))


def test_groups_can_be_left_out(server: FridayPulseServer, friday_pulse: FridayPulse) -> None:
    assert {row["group_id"] for row in friday_pulse.of_groups("notes", exclude={"0"})} == {1}
    assert not [request for request in server.requests if request.path.startswith("/groups/0/")]
    with pytest.raises(ApiAnswerInvalid, match="no group to load from"):
        list(friday_pulse.of_groups("notes", exclude={"0", "1"}))


# ------------------------------------------------------------------------------------------------------------- surveys


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, DATES),
        (date(2020, 1, 1), DATES),
        (date(2025, 12, 26), DATES[1:]),
        (date(2025, 12, 27), DATES[2:]),
        (date(2026, 1, 9), DATES[3:]),
        (date(2026, 3, 1), DATES[3:]),
    ],
)
def test_surveys_are_asked_for_by_date_since_a_day_and_the_newest_always(
    server: FridayPulseServer, friday_pulse: FridayPulse, since: date | None, expected: list[str]
) -> None:
    for subject in SUBJECTS:
        rows = list(friday_pulse.general(subject, since))
        assert list(dict.fromkeys(row["sample_date"] for row in rows)) == expected
        assert parts(friday_pulse.of_groups(subject, since)) == [(day, group) for day in expected for group in (0, 1)]
        assert set(dates_asked(server, subject)) == set(expected)


@every_survey
def test_no_survey_at_all_is_an_error(server: FridayPulseServer, friday_pulse: FridayPulse, read: Read) -> None:
    server.surveys.clear()
    with pytest.raises(ApiAnswerInvalid, match="lists no survey"):
        list(read(friday_pulse))


@pytest.mark.parametrize("survey", [{}, {"date": None}, {"date": "soon"}, {"date": 20260109.5}], ids=repr)
def test_a_survey_without_a_date_is_an_error(
    server: FridayPulseServer, friday_pulse: FridayPulse, survey: Record
) -> None:
    server.fail_next(json_answer([{"date": "2026-01-09"}, survey]), path="results-dates")
    with pytest.raises(ApiAnswerInvalid, match="a survey without a date"):
        list(friday_pulse.general("results"))


@every_survey
def test_another_survey_than_was_asked_for_is_an_error(
    server: FridayPulseServer, friday_pulse: FridayPulse, read: Read
) -> None:
    server.ignores_date = True
    with pytest.raises(ApiAnswerInvalid, match="survey of 2025-12-19 and answered with one of '2026-01-09'"):
        list(read(friday_pulse))


def test_a_result_has_a_topic_or_none_and_the_surveys_number_of_questions(
    server: FridayPulseServer, friday_pulse: FridayPulse
) -> None:
    server.surveys[DATES[-1]].question_count = 7
    happiness, growth, overall = friday_pulse.general("results", date(2026, 1, 9))
    assert happiness == {
        "sample_date": "2026-01-09",
        "score": 63.33,
        "response_rate": 100,
        "response_count": 3,
        "total_count": 3,
        "question_count": 7,
        "topic_code": "happiness",
        "topic_name": "Happiness",
        "other_fields": None,
    }
    assert (growth["topic_code"], growth["score"], growth["response_count"]) == ("growth", None, 0)
    assert (overall["topic_code"], overall["topic_name"], overall["score"]) == (None, None, 63.33)


@pytest.mark.parametrize(
    ("topic", "columns", "others"),
    [
        ({"code": "g", "name": "Growth", "order": 3}, ("g", "Growth"), {"topic": {"order": 3}}),
        ({"code": "g"}, ("g", None), None),
        ({}, (None, None), None),
        (None, (None, None), None),
        ("Growth", (None, None), {"topic": "Growth"}),
        (["g"], (None, None), {"topic": ["g"]}),
    ],
    ids=repr,
)
def test_a_topic_may_be_anything(topic: Any, columns: tuple[Any, Any], others: Record | None) -> None:
    record = flat_result({"score": 1, "topic": topic}, "2026-01-09")
    assert (record["topic_code"], record["topic_name"]) == columns and record["other_fields"] == others


def test_what_no_result_has_is_not_made_up() -> None:
    assert flat_result({"score": 1}, "2026-01-09") == {"sample_date": "2026-01-09", "score": 1, "other_fields": None}


def test_notes_and_risks_keep_all_their_fields(server: FridayPulseServer, friday_pulse: FridayPulse) -> None:
    server.add_note(DATES[-1], "ada", "Late, again", tags=["a, b", "c"], author=None)
    server.more = {"new": {"deep": [1]}}
    since = date(2026, 1, 9)
    notes = list(friday_pulse.of_groups("notes", since))
    assert [(note["group_id"], note["position"]) for note in notes] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert notes[-1] == {
        "sample_date": "2026-01-09",
        "position": 2,
        "other_fields": {"text": "Late, again", "tags": ["a, b", "c"], "author": None, "new": {"deep": [1]}},
        "group_id": 1,
    }
    risks = [risk["other_fields"] for risk in friday_pulse.general("risk", since)]
    assert risks == [{"level": level, "count": count, **server.more} for level, count in (("high", 1), ("low", 2))]


# ---------------------------------------------------------------------------------------------------------- no answers


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_group_without_data_for_a_date_is_left_out_and_named(
    server: FridayPulseServer, caplog: pytest.LogCaptureFixture, subject: Subject, workers: int
) -> None:
    server.silent = {("1", DATES[0]), ("0", DATES[2])}
    with FridayPulse(server.token, server.url, max_retries=0, workers=workers) as friday_pulse:
        found = parts(friday_pulse.of_groups(subject))
    assert found == [(day, group) for day in DATES for group in (0, 1) if (str(group), day) not in server.silent]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"500 for the {subject} of 2 of 8 groups and dates, twice" in warning
    assert f"Support (1) on {DATES[0]}, Sales (0) on {DATES[2]}." in warning
    assert [(part.name, part.reason) for part in friday_pulse.extraction.skipped] == [
        (f"Support (1) on {DATES[0]}", f"500 for its {subject}"),
        (f"Sales (0) on {DATES[2]}", f"500 for its {subject}"),
    ]


def test_many_groups_without_data_are_one_warning(
    server: FridayPulseServer, friday_pulse: FridayPulse, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(30):
        server.add_group(f"Team {number}", ["nobody"])
    list(friday_pulse.of_groups("results"))
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "of 120 of 128 groups" in warning and "and 100 more" in warning and warning.count(" on ") == 20
    assert len(friday_pulse.extraction.skipped) == 120


def test_what_failed_is_asked_for_again_in_the_end(
    server: FridayPulseServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.fail_next(FAILED, path="/groups/1/", after=1, times=2)
    with FridayPulse(server.token, server.url, max_retries=0, workers=1) as friday_pulse:
        found = parts(friday_pulse.of_groups("results"))
    assert found[-2:] == [(DATES[1], 1), (DATES[2], 1)] and len(found) == 8
    assert (caplog.text, friday_pulse.extraction.skipped) == ("", [])


def test_a_date_without_any_group_is_an_error_before_more_is_asked(
    server: FridayPulseServer, friday_pulse: FridayPulse
) -> None:
    server.silent = {(group, DATES[1]) for group in server.groups}
    for day in range(1, 300):
        server.add_survey(date.fromordinal(date(2026, 1, 9).toordinal() + day))
    with pytest.raises(ApiUnavailable, match=f"500 for the notes of every group on {DATES[1]}.*load with earliest"):
        list(friday_pulse.of_groups("notes"))
    assert len(dates_asked(server, "notes")) < 30


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_survey_of_everybody_that_is_not_answered_is_an_error(
    server: FridayPulseServer, friday_pulse: FridayPulse, subject: Subject
) -> None:
    server.silent = {("", DATES[1])}
    with pytest.raises(ApiUnavailable, match=f"500 for the {subject} of {DATES[1]}"):
        list(friday_pulse.general(subject))


@pytest.mark.parametrize(
    "answer", [Answer(503), Answer(502), Answer(0), json_answer({}, 404), json_answer({}, 403)], ids=repr
)
def test_any_other_failure_of_a_group_is_an_error(
    server: FridayPulseServer, friday_pulse: FridayPulse, answer: Answer
) -> None:
    server.fail_next(answer, path="/groups/1/", after=1, times=99)
    with pytest.raises((ApiUnavailable, ApiRefused)):
        list(friday_pulse.of_groups("results"))


def test_an_outage_while_what_failed_is_asked_for_again_is_an_error(
    server: FridayPulseServer, friday_pulse: FridayPulse
) -> None:
    server.silent = {("1", DATES[0])}
    server.fail_next(Answer(503), path="/groups/1/", after=len(DATES), times=99)
    with pytest.raises(ApiUnavailable, match="503"):
        list(friday_pulse.of_groups("results"))


def test_a_group_without_rows_is_no_failure(
    server: FridayPulseServer, friday_pulse: FridayPulse, caplog: pytest.LogCaptureFixture
) -> None:
    server.fail_next(json_answer([]), path="/groups/", times=8)
    assert list(friday_pulse.of_groups("results")) == []
    assert (caplog.text, friday_pulse.extraction.skipped) == ("", [])


# --------------------------------------------------------------------------------------------------------- in parallel


class FourAtOnce(FridayPulseServer):
    """Answers requests for surveys once there are four of them."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(4, timeout=20)

    def respond(self, request: Request) -> Answer:
        if request.query:
            self.barrier.wait()
        return super().respond(request)


@pytest.mark.parametrize("read", [SURVEYS["general results"], SURVEYS["group results"]], ids=["dates", "groups"])
def test_dates_and_groups_are_read_in_parallel(read: Read) -> None:
    with FourAtOnce() as server:
        for name, person in (("Sales", "mia"), ("Support", "ada")):
            server.add_group(name, [person])
        for day in DATES:
            server.respond_to(server.add_survey(day), "mia", happiness=80)
            server.respond_to(day, "ada", happiness=60)
        with FridayPulse(server.token, server.url, max_retries=0, workers=4) as friday_pulse:
            rows = list(read(friday_pulse))
    assert list(dict.fromkeys(row["sample_date"] for row in rows)) == DATES


@every_survey
def test_what_comes_does_not_depend_on_the_number_of_workers(server: FridayPulseServer, read: Read) -> None:
    server.silent = {("1", DATES[0]), ("0", DATES[2])}
    found = []
    for workers in (1, 2, 16):
        with FridayPulse(server.token, server.url, max_retries=0, workers=workers) as friday_pulse:
            found.append(list(read(friday_pulse)))
    assert found[0] and found == [found[0]] * 3


def test_surveys_are_read_only_a_little_ahead_and_no_further_once_nobody_wants_them(server: FridayPulseServer) -> None:
    for day in range(1, 500):
        server.add_survey(date.fromordinal(date(2026, 1, 9).toordinal() + day))
    with FridayPulse(server.token, server.url, max_retries=0) as friday_pulse:
        with closing(friday_pulse.general("results")) as rows:  # type: ignore[type-var]
            next(rows)
        assert len(dates_asked(server, "results")) < 30
    assert not [thread for thread in threading.enumerate() if thread.name == "reader"]
