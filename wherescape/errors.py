"""Every exception of the library. Catch the branch that you can act on.

WhereScapeError
├── EnvironmentVariableError    a WSL_* variable is missing or unusable
├── DatabaseError               the repository, target or source database refused something
│   ├── ConnectionFailed        no connection, or it broke
│   └── StatementFailed         a statement was refused and rolled back
├── RepositoryError             RED's metadata does not hold or do what was asked
│   ├── RoutineFailed           a callable routine answered with an error
│   ├── RoutineMissing          this release of RED does not have the routine
│   ├── ParameterTooLong        a parameter's name or value does not fit
│   ├── TableNotRegistered      RED knows no load or stage table of that name
│   └── MarkNotMoved            rows are loaded, but the high-water mark may not have moved
├── DeclarationError            a table, column or name is declared in a way that cannot work
│   └── UnknownTableKind        a connector cannot tell what to load from the load table's name
├── LoadError                   records could not be loaded; the table is as it was before
│   ├── ValueDoesNotFit         one value does not fit its column
│   ├── TooManyRejects          more rows do not fit than the load may reject
│   ├── RejectsNotKept          a row does not fit, and the reject file cannot be written
│   └── SourceIncomplete        a load that says what exists lacks a part of its source
├── ApiError                    an API did not give what it promises
│   ├── ApiRefused              401, 403, 404 and other answers that a retry does not mend
│   ├── ApiUnavailable          no connection, time-outs or 5xx, after all retries
│   │   └── ApiOutcomeUnknown   a change was sent, and whether it was carried out is not known
│   ├── ApiRateLimited          429 for longer than the load is willing to wait
│   └── ApiAnswerInvalid        a body that is cut short, not JSON, or not what was asked for
├── ResultNotWritten            the folder for the result of a check cannot be written to
├── RunReportInvalid            a file is not the report of a load
└── SandboxError                the stand-in RED server could not do what was asked

A message names the thing, its value (never a secret) and the next step. A host script that ends with one of these
reports status -2 to RED, with the message; any other exception reports -3.
"""

from typing import Any


class WhereScapeError(Exception):
    """Base of every error that this library raises on purpose."""


class EnvironmentVariableError(WhereScapeError):
    """A WSL_* variable is missing or unusable."""


class DatabaseError(WhereScapeError):
    """The repository, target or source database refused something."""


class ConnectionFailed(DatabaseError):
    """A database could not be reached, refused the login, or the connection broke.

    Attributes:
        may_be_committed: whether it broke while a commit was waiting for its answer.
    """

    def __init__(self, message: str, may_be_committed: bool = False) -> None:
        super().__init__(message)
        self.may_be_committed = may_be_committed


class StatementFailed(DatabaseError):
    """A statement was refused; its transaction is rolled back."""


class RepositoryError(WhereScapeError):
    """RED's metadata does not hold or do what was asked."""


class RoutineFailed(RepositoryError):
    """A callable routine of RED answered with an error code."""


class RoutineMissing(RepositoryError):
    """This release of RED does not have the routine."""


class ParameterTooLong(RepositoryError):
    """A parameter's name exceeds 64 or its value 2,000 characters."""


class TableNotRegistered(RepositoryError):
    """RED knows no load or stage table of that name."""


class MarkNotMoved(RepositoryError):
    """The rows are loaded, but it is not certain that the high-water mark has moved."""


class DeclarationError(WhereScapeError):
    """A table, column or name is declared in a way that cannot work."""


class UnknownTableKind(DeclarationError):
    """A connector cannot tell what to load from the load table's name."""


class LoadError(WhereScapeError):
    """Records could not be loaded; the load table is as it was before."""


class ValueDoesNotFit(LoadError):
    """One value does not fit its column."""


class TooManyRejects(LoadError):
    """More rows do not fit than the load may reject."""


class RejectsNotKept(LoadError):
    """A row does not fit, and the reject file cannot be written."""


class SourceIncomplete(LoadError):
    """A load that says what exists at the source lacks a part of it."""


class ApiError(WhereScapeError):
    """An API did not give what its contract promises."""


class ApiRefused(ApiError):
    """The API refused the request: 401, 403, 404 and other answers that a retry does not mend.

    Attributes:
        status_code: the HTTP status of the answer.
        body: the JSON of the answer; None if it held none.
    """

    def __init__(self, message: str, status_code: int, body: Any = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.body = body


class ApiUnavailable(ApiError):
    """The API could not be reached, timed out, or answered 5xx until the retries were used up.

    Attributes:
        status_code: the HTTP status of the last answer; None without one.
    """

    def __init__(self, message: str, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


class ApiOutcomeUnknown(ApiUnavailable):
    """A change was sent to the API, and whether it was carried out is not known."""


class ApiRateLimited(ApiError):
    """The API asks to wait longer than the load is willing to."""


class ApiAnswerInvalid(ApiError):
    """The API's answer is cut short, is not JSON, or is not what was asked for."""


class ResultNotWritten(WhereScapeError):
    """The folder for the result of a check of the warehouse cannot be written to."""


class RunReportInvalid(WhereScapeError):
    """A file is not the report of a load, or cannot be read."""


class SandboxError(WhereScapeError):
    """The stand-in RED server could not do what was asked."""
