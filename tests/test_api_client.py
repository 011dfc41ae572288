from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from wherescape.api_client import ApiClient
from wherescape.errors import ApiAnswerInvalid, ApiError, ApiRefused, ApiUnavailable, DeclarationError
from wherescape.redaction import add_secret
from wherescape.testing.api_server import Answer, ApiServer, Request

SECRET = "s3cret-of-the-api-client"

Query = Mapping[str, str]


class ScriptedServer(ApiServer):
    """Answers every request with what a test's function returns for its path and query."""

    prefix = "/api/v4"
    script: Callable[[str, Query], Answer]

    def answer(self, request: Request) -> Answer:
        return self.script(request.path, request.query)

    def respond(self, request: Request) -> Answer:
        # Without the lock, so that answers can wait for each other.
        self.requests.append(request)
        return self.answer(request)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[ApiClient]:
    with ApiClient(f"{server.url}/api/v4/", max_retries=0) as client:
        yield client


def test_a_document_comes_with_its_headers_and_url(server: ScriptedServer, client: ApiClient) -> None:
    server.script = lambda path, query: Answer(200, '{"id": 9007199254740993}', {"X-Page": "1"})
    response = client.get_json("/things/1", {"since": "2026-01-05T10:05:00+00:00"})
    assert response.body == {"id": 9007199254740993}
    assert response.headers["x-page"] == "1"
    assert server.requests[0].path == "/things/1"
    assert server.requests[0].query == {"since": "2026-01-05T10:05:00+00:00"}
    assert response.url.endswith("/things/1?since=2026-01-05T10%3A05%3A00%2B00%3A00")


def test_the_first_good_answer_tells_when_the_read_began(server: ScriptedServer, client: ApiClient) -> None:
    server.script = lambda path, query: Answer(200 if path == "/good" else 404, "[]")
    server.now = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
    with pytest.raises(ApiRefused):
        client.get_json("bad")
    assert client.extraction.started is None
    server.now = datetime(2026, 1, 5, 10, 5, tzinfo=UTC)
    client.get_json("good")
    server.now = datetime(2026, 1, 5, 10, 10, tzinfo=UTC)
    client.get_json("good")
    # What the answer tells may be as old as the request, which was sent in the second before.
    assert client.extraction.started == datetime(2026, 1, 5, 10, 4, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (
            Answer(401, '{"message": "401 Unauthorized"}'),
            ApiRefused,
            "answered 401 Unauthorized. Check the credentials",
        ),
        (Answer(403, '{"error": "insufficient_scope"}'), ApiRefused, "insufficient_scope. Check what the credentials"),
        (Answer(404, '{"message": "404 Project Not Found"}'), ApiRefused, "404 Project Not Found"),
        (Answer(400, '{"message": {"name": ["is too long"]}}'), ApiRefused, "is too long"),
        (Answer(302, "", {"Location": "/users/sign_in"}), ApiRefused, "/users/sign_in. Correct the base URL"),
        (Answer(502, "<html>Bad gateway</html>", {"Content-Type": "text/html"}), ApiUnavailable, "answered 502"),
        (Answer(200, "<html>Sign in</html>", {"Content-Type": "text/html"}), ApiAnswerInvalid, "not JSON (text/html)"),
        (Answer(200, '[{"id": 1}, {"id"'), ApiAnswerInvalid, "not JSON"),
        (Answer(200, ""), ApiAnswerInvalid, "0 bytes"),
        (Answer(204, ""), ApiAnswerInvalid, "answered 204 with 0 bytes"),
        (Answer(200, "[" * 100_000), ApiAnswerInvalid, "not JSON"),
        (Answer(200, "[]", {"Content-Encoding": "gzip"}), ApiAnswerInvalid, "cut short or damaged"),
        (Answer(200, '[{"id": 1}, {"id": 2}]', cut=True), ApiAnswerInvalid, "cut short"),
        (Answer(0), ApiUnavailable, "could not be reached without a retry"),
    ],
)
def test_each_fault_is_its_own_error(
    server: ScriptedServer, client: ApiClient, answer: Answer, error: type[ApiError], said: str
) -> None:
    server.script = lambda path, query: answer
    with pytest.raises(error) as raised:
        client.get_json("things", {"page": 2})
    assert said in str(raised.value)
    assert f"{server.url}/api/v4/things" in str(raised.value)
    assert len(server.requests) == 1


def test_a_refusal_carries_its_status(server: ScriptedServer, client: ApiClient) -> None:
    server.script = lambda path, query: Answer(403, '{"message": "403 Forbidden"}')
    with pytest.raises(ApiRefused) as raised:
        client.get_json("things")
    assert raised.value.status_code == 403


def test_an_html_error_page_is_not_quoted(server: ScriptedServer, client: ApiClient) -> None:
    server.script = lambda path, query: Answer(404, "<html>long page</html>", {"Content-Type": "text/html"})
    with pytest.raises(ApiRefused) as raised:
        client.get_json("things")
    assert "long page" not in str(raised.value)


@pytest.mark.parametrize(
    "answer", [Answer(400, f'{{"message": "bad key {SECRET}"}}'), Answer(0), Answer(200, "x", cut=True)]
)
def test_a_secret_is_in_no_error(server: ScriptedServer, client: ApiClient, answer: Answer) -> None:
    add_secret(SECRET)
    server.script = lambda path, query: answer
    with pytest.raises(ApiError) as raised:
        client.get_json("things", {"api_key": SECRET, "other": "query-value"})
    error: BaseException | None = raised.value
    assert SECRET not in str(error)
    assert "query-value" not in str(error)
    assert error is not None
    assert error.__suppress_context__ or error.__context__ is None


def test_a_redirect_does_not_carry_the_login_away(server: ScriptedServer) -> None:
    with ScriptedServer() as elsewhere, ApiClient(server.url + "/api/v4", {"PRIVATE-TOKEN": "x"}) as client:
        elsewhere.script = lambda path, query: Answer(200, "[]")
        server.script = lambda path, query: Answer(307, "", {"Location": f"{elsewhere.url}/api/v4/things"})
        with pytest.raises(ApiRefused, match="has moved to"):
            client.get_json("things")
        assert not elsewhere.requests


def test_a_netrc_entry_adds_no_login(server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.script = lambda path, query: Answer(200, "[]")
    with ApiClient(f"{server.url}/api/v4", {"PRIVATE-TOKEN": "mine"}) as client:
        client.get_json("things")
    headers = server.requests[0].headers
    assert headers["PRIVATE-TOKEN"] == "mine"
    assert "Authorization" not in headers


@pytest.mark.parametrize("token", ["two\nlines", "smart’quote", "nul\0"])
def test_a_token_that_http_forbids_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(DeclarationError, match="check the token") as raised:
        ApiClient("http://127.0.0.1", {"PRIVATE-TOKEN": token}, credential="the token")
    assert token not in str(raised.value)


@pytest.mark.parametrize("base_url", ["gitlab.example.com", "ftp://gitlab.example.com", "http://"])
def test_an_address_that_is_none_is_named(base_url: str) -> None:
    with ApiClient(base_url, max_retries=0) as client, pytest.raises(ApiUnavailable, match="Check the base URL"):
        client.get_json("things")


def test_a_host_that_does_not_listen_is_named(server: ScriptedServer) -> None:
    url = server.url
    server.stop()
    with ApiClient(url, max_retries=0) as client, pytest.raises(ApiUnavailable) as raised:
        client.get_json("things")
    assert url in str(raised.value)
    assert "refused" in str(raised.value)
    assert "whether the server is up" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", 0.1),
        ("-1.5e-7", -1.5e-7),
        ("12345678901234567.89", Decimal("12345678901234567.89")),
        ("0.12345678901234567890", Decimal("0.12345678901234567890")),
        ("1e400", Decimal("1e400")),
        ("1e-400", Decimal("1e-400")),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_a_number_keeps_its_digits(server: ScriptedServer, client: ApiClient, text: str, value: object) -> None:
    server.script = lambda path, query: Answer(200, f'{{"n": {text}}}')
    found = client.get_json("things").body["n"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_number_is_refused(server: ScriptedServer, client: ApiClient, text: str) -> None:
    server.script = lambda path, query: Answer(200, f'{{"n": {text}}}')
    with pytest.raises(ApiAnswerInvalid, match="not JSON"):
        client.get_json("things")


@pytest.mark.parametrize("status", [202, 206])
def test_an_answer_that_is_not_whole_is_an_error(server: ScriptedServer, client: ApiClient, status: int) -> None:
    server.script = lambda path, query: Answer(status, '[{"id": 1}]')
    with pytest.raises(ApiAnswerInvalid, match="not ready, or a part only"):
        list(client.follow_links("things"))
