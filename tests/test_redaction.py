"""No password, token or API key leaves a process, in whatever form it is written."""

import base64
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.host_script import SECRET, HostScript, host_script_in
from wherescape import redaction
from wherescape.redaction import add_secret, add_secrets_of, is_secret_name, redact


@pytest.fixture(autouse=True)
def forget_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what these tests register mask nothing in others."""
    monkeypatch.setattr(redaction, "_forms", redaction._forms)
    monkeypatch.setattr(redaction, "_by_value", redaction._by_value)


@pytest.fixture
def host_script(tmp_path: Path) -> HostScript:
    return host_script_in(tmp_path)


secrets = st.text(st.characters(codec="utf-8"), min_size=6, max_size=20).filter(lambda text: len(text.strip()) >= 6)


@settings(max_examples=25)
@given(secret=secrets)
def test_a_secret_is_masked_in_every_form(secret: str) -> None:
    add_secret(secret)
    forms = [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
        secret.replace("}", "}}"),
        base64.b64encode(secret.encode()).decode(),
    ]
    for form in forms:
        assert form not in redact(f"before <{form}> after"), form


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    add_secret("tomato")
    add_secret("tomato-ketchup")
    assert redact("a tomato-ketchup and a tomato") == "a *** and a ***"


def test_a_value_of_three_characters_is_no_secret() -> None:
    add_secret("sun")
    assert redact("sunday") == "sunday"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("DSN=dwh;UID=me;PWD=hidden;Port=5", "DSN=dwh;UID=me;PWD=***;Port=5"),
        ("DSN=dwh;PWD={hid;d}}en};Port=5", "DSN=dwh;PWD=***;Port=5"),
        ("Server=dwh;Password = hidden;", "Server=dwh;Password = ***;"),
        ("connect(user='me', password='hid\\'den')", "connect(user='me', password=***)"),
        ("Authorization: Bearer hidden.hid-den", "Authorization: Bearer ***"),
        ("authorization: Basic aGlkZGVu==, Accept: x", "authorization: Basic ***, Accept: x"),
        ("{'Authorization': 'Bearer hidden', 'Accept': 'x'}", "{'Authorization': 'Bearer ***', 'Accept': 'x'}"),
        ("PRIVATE-TOKEN: glpat-hidden", "PRIVATE-TOKEN: ***"),
        ("{'PRIVATE-TOKEN': 'glpat-hidden', 'Accept': 'x'}", "{'PRIVATE-TOKEN': ***, 'Accept': 'x'}"),
        ('{"api_key": "hidden", "page": 1}', '{"api_key": ***, "page": 1}'),
        ("GET /projects?private_token=hidden&page=2", "GET /projects?private_token=***&page=2"),
        ("GET /x?page=2&access_token=hidden HTTP/1.1", "GET /x?page=2&access_token=*** HTTP/1.1"),
        ("https://me:hid@den@host:8443/path", "https://me:***@host:8443/path"),
    ],
)
def test_a_secret_is_masked_by_the_name_beside_it(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "Loaded 3 rows into load.customers",
        "Unexpected token: '<' at line 1",
        "http://host:8080/path?page=2",
        "http://host:8080 and me@example.com",
        "The password is missing. Set WSL_META_PWD.",
        "next page token is empty",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_a_long_text_is_redacted_in_one_pass() -> None:
    text = "password" * 100_000
    assert redact(text) == text


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("WSL_META_PWD", True),
        ("WSL_SRCCFG_apiKey", True),
        ("wsl_srccfg_access_token", True),
        ("WSL_SRCCFG_clientSecret", True),
        ("WSL_SRCCFG_Password", True),
        ("WSL_JOB_KEY", False),
        ("WSL_TASK_KEY", False),
        ("WSL_META_USER", False),
        ("OTHER_PASSWORD", False),
    ],
)
def test_which_variables_hold_a_secret(name: str, secret: bool) -> None:
    value = f"value of {name}"
    add_secrets_of({name: value})
    assert (redact(value) == "***") == secret


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("gitlab_access_token", True),
        ("JIRA_APIKEY", True),
        ("gitlab_high_water_mark", False),
        ("token_count", False),
        ("projectKey", False),
    ],
)
def test_which_parameters_hold_a_secret(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


LEAKS = {
    "print": "print(secret); print({'a': secret})",
    "stderr": "sys.stderr.write(f'{secret}\\n')",
    "log": "logging.warning('login with %s', secret); logging.info({'a': secret})",
    "log at the cut": "logging.info('%s%s', 'x' * 240, secret)",
    "log with a traceback": "try: raise ValueError(secret)\nexcept ValueError: logging.exception('refused')",
    "main message": "wherescape.WhereScape().main_message = f'used {secret}'",
    "exception": "raise ValueError(f'refused: {secret}')",
    "cause": "try: raise ValueError(secret)\nexcept ValueError as error: raise RuntimeError('refused') from error",
    "own exception": "from wherescape.errors import LoadError\nraise LoadError(f'refused {secret}')",
    "source line": "login = 'correct-horse{battery}\\'staple'; raise ValueError",
    "exit text": "sys.exit(f'refused {secret}')",
    "thread": "import threading; threading.Thread(target=lambda: int(secret)).start()",
    "warning": "import warnings; warnings.warn(f'refused {secret}')",
    "unraisable": "class Leak:\n    def __del__(self): raise ValueError(secret)\nLeak()",
    "handler made after": "log = logging.getLogger('x'); log.addHandler(logging.StreamHandler()); log.error(secret)",
    "excepthook replaced": "sys.excepthook = sys.__excepthook__; raise ValueError(secret)",
    "main message after the secret is learnt": (
        "logging.info('token glpat-1234567890'); from wherescape.redaction import add_secret\n"
        "add_secret('glpat-1234567890')"
    ),
    "url": "import urllib.parse; raise OSError('http://host/?q=' + urllib.parse.quote(secret))",
    "odbc": "raise OSError('DSN=x;PWD={' + secret.replace('}', '}}') + '}')",
    "warnings of logging itself": "logging.info('%d', secret)",
}


@pytest.mark.parametrize("source", LEAKS.values(), ids=LEAKS.keys())
def test_no_output_of_a_host_script_holds_the_secret(host_script: HostScript, source: str) -> None:
    run = host_script.run("import logging, os, sys, wherescape\nsecret = os.environ['WSL_META_PWD']\n" + source)
    assert run.stdout.split("\n")[0] in ("1", "-1", "-2", "-3")
    for output in (run.stdout, run.stderr, *(path.read_text() for path in host_script.folder.rglob("*.log*"))):
        assert "staple" not in output
        assert "correct" not in output
    assert "glpat-1234567890" not in run.stdout


def test_a_handler_made_before_the_take_over_writes_no_secret(host_script: HostScript) -> None:
    run = host_script.run(
        """
        import logging
        logging.basicConfig()
        import wherescape, os
        logging.error("login with %s", os.environ["WSL_META_PWD"])
        """
    )
    assert "ERROR:root:login with ***" in run.stderr
    assert SECRET not in run.stderr
