"""How a DSN, a user and a password become an ODBC connection string."""

import pytest

from wherescape.database import connection_string, quoted_value
from wherescape.environment import Login

SOURCES = {"warehouse": "PostgreSQL Unicode(x64)", "repository": "ODBC Driver 18 for SQL Server"}


@pytest.mark.parametrize(
    ("dsn", "user", "password", "expected"),
    [
        ("repository", "", "", "DSN=repository"),
        ("repository", "etl", "pw", "DSN=repository;UID=etl;PWD=pw"),
        ("warehouse", "etl", "pw", "DSN=warehouse;UID=etl;PWD=pw;sslmode=prefer"),
        ("unknown", "etl", "pw", "DSN=unknown;UID=etl;PWD=pw"),
        ("warehouse", "etl", "p;w}d", "DSN=warehouse;UID=etl;PWD={p;w}}d};sslmode=prefer"),
        (
            "Driver={PostgreSQL Unicode};Server=db;",
            "etl",
            "pw",
            "Driver={PostgreSQL Unicode};Server=db;UID=etl;PWD=pw;sslmode=prefer",
        ),
        (
            "Driver={PostgreSQL Unicode};Server=db;sslmode=require",
            "",
            "",
            "Driver={PostgreSQL Unicode};Server=db;sslmode=require",
        ),
        ("Driver={SQL Server};Server=db", "", "", "Driver={SQL Server};Server=db"),
    ],
)
def test_connection_string(dsn: str, user: str, password: str, expected: str) -> None:
    assert connection_string(Login("target", "WSL_TGT", dsn, user, password), SOURCES) == expected


@pytest.mark.parametrize(
    ("value", "quoted"),
    [("plain", "plain"), ("a;b", "{a;b}"), ("a}b", "{a}}b}"), (" a", "{ a}"), ("a=b", "{a=b}"), ("{a", "{{a}")],
)
def test_values_are_brace_quoted_where_odbc_needs_it(value: str, quoted: str) -> None:
    assert quoted_value(value) == quoted
