"""Each connector against the OpenAPI document of its API, where these are at hand: its requests, and every answer.

    python -m tests.test_specifications    prints which properties of the documents the connectors' tables leave out

The documents are looked for in the folder that WHERESCAPE_SPECIFICATIONS names, or else in `shared/specs` beside the
checkout.
"""

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from zlib import crc32

import pytest

from tests.loading import load_table, stored
from tests.servers.openapi import Json, Operation, Specification
from tests.servers.openapi_answers import (
    BARE,
    EMPTY_LISTS,
    EVERYTHING,
    NEWER,
    NULLS,
    AnswerMaker,
    PropertyPath,
    Shape,
    properties_of,
)
from tests.servers.openapi_server import OpenApiServer, Source
from tests.specified_connectors import CONNECTORS, Connector, Reading
from wherescape.api_response import Record
from wherescape.column_types import Capacity
from wherescape.errors import ApiRateLimited, ApiRefused, ApiUnavailable, WhereScapeError
from wherescape.extraction import Extraction
from wherescape.sandbox.red_server import RedServer
from wherescape.tables import Table
from wherescape.testing.api_server import Refused, Request
from wherescape.values import convert

FOLDER = Path(os.environ.get("WHERESCAPE_SPECIFICATIONS") or Path(__file__).parents[2] / "shared" / "specs")
DOCUMENTS = sorted(FOLDER.glob("*/*.openapi3.json"))
NO_DOCUMENTS = f"there are no specifications in {FOLDER}; set WHERESCAPE_SPECIFICATIONS to their folder"
SHAPES = {
    "everything": EVERYTHING,
    "nulls": NULLS,
    "empty lists": EMPTY_LISTS,
    "bare": BARE,
    "newer": NEWER,
    **{f"mixed {seed}": Shape(optional=0.5, null=0.3, items=(0, 3), seed=seed) for seed in range(1, 6)},
}
FAULTS = {
    "hubspot": (),
    "jira": (
        # Epoch seconds in the example, a text in the schema: a client must take both.
        "POST /rest/api/3/changelog/bulkfetch: $.issueChangeLogs[].changeHistories[].created",
        # Properties that the schema does not know.
        "GET /rest/api/3/serverInfo: $",
        "POST /rest/api/3/issue/bulkfetch: $",
    ),
}
"""Where the examples of a specification break its schemas."""
TELL_NO_NULLS = ("gitlab", "hubspot", "jira")
"""The specifications whose examples have null where the schemas do not tell that it may be."""
READINGS = [(connector, reading) for connector in CONNECTORS for reading in connector.readings]


def of_each(readings: Iterable[tuple[Connector, Reading]]) -> pytest.MarkDecorator:
    """Run a test for each of some readings."""
    parameters = [pytest.param(*pair, id=f"{pair[0]} {pair[1].table.kind}") for pair in readings]
    return pytest.mark.parametrize(("connector", "reading"), parameters)


of_all = of_each(READINGS)
of_specified = of_each((connector, reading) for connector, reading in READINGS if reading.operation)


@cache
def specification_of(connector: Connector) -> Specification:
    path = FOLDER / connector.specification
    if not path.is_file():
        pytest.skip(NO_DOCUMENTS)
    return Specification.read(path, always=connector.always, details=connector.details, nullable=connector.nullable)


def made(connector: Connector, shape: Shape) -> Source:
    """Give answers that are made of the schemas."""
    maker = AnswerMaker(specification_of(connector), shape, connector.texts)

    def give(operation: Operation, request: Request, before: int) -> Json:
        return maker.make(operation.schema, start_of(request, before))

    return give


def start_of(request: Request, before: int) -> int:
    """Return a number for an answer's first value: the same for the same request, and larger for the next one."""
    return crc32(request.path.encode()) % 500 * 1_000_000 + before * 100_000


def of_examples(name: str) -> Source:
    """Give the examples of that name, and of `last` for a second page; where there is none, any other."""

    def give(operation: Operation, request: Request, before: int) -> Json:
        examples = operation.examples
        found = examples.get("last" if before else name) or next(iter(examples.values()))
        return deepcopy(found)

    return give


def refusing(source: Source, refused: Operation, status: int) -> Source:
    """Give an error of the specification for one operation."""

    def give(operation: Operation, request: Request, before: int) -> Json:
        if operation is refused:
            raise Refused(operation.error(status))
        return source(operation, request, before)

    return give


def serve(connector: Connector, source: Source, pages: int = 2) -> OpenApiServer:
    """Make the server of a connector whose lists have one page or two."""

    def finish(request: Request, before: int, body: Json) -> Mapping[str, str]:
        return connector.finish(request, before if pages == 2 else 1, body)

    return OpenApiServer(specification_of(connector), source, finish, connector.beside)


def read(connector: Connector, reading: Reading, url: str) -> tuple[list[Record], Extraction]:
    with connector.connect(url) as api:
        return [*reading.read(api)], api.extraction


def assert_fits(records: list[Record], table: Table) -> None:
    """Check that each value can be stored in its column, and that the key identifies each record."""
    for column in table.columns:
        _, reasons = convert([record.get(column.source) for record in records], column.data_type, Capacity())
        assert reasons == {}, column.name
    keys = [tuple(record[column.source] for column in table.columns if column.name in table.key) for record in records]
    assert None not in {part for key in keys for part in key}
    assert len(set(keys)) == len(keys)


# --------------------------------------------------------------------------------------------------- specifications


@pytest.mark.skipif(not DOCUMENTS, reason=NO_DOCUMENTS)
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.parent.name)
def test_the_examples_fit_their_schemas_as_far_as_known(path: Path) -> None:
    name, specification = path.parent.name, Specification.read(path)
    faults = []
    for operation in specification.operations:
        for example in operation.examples.values():
            for problem in specification.problems(example, operation.schema):
                place, _, what = problem.partition(" ")
                if name not in TELL_NO_NULLS or not what.startswith("None is not"):
                    faults.append(f"{operation}: {re.sub(r'[0-9]+', '', place)}")
    assert set(faults) == set(FAULTS.get(name, ()))


@pytest.mark.skipif(not DOCUMENTS, reason=NO_DOCUMENTS)
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "newer"])
def test_what_is_made_fits_the_schemas(path: Path, shape: str) -> None:
    specification = Specification.read(path)
    for operation in specification.operations:
        answer = AnswerMaker(specification, SHAPES[shape]).make(operation.schema)
        assert [*specification.problems(answer, operation.schema)] == [], operation


# ------------------------------------------------------------------------------------------------------- connectors


@pytest.mark.parametrize("connector", CONNECTORS, ids=str)
def test_every_table_is_read(connector: Connector) -> None:
    assert {reading.table.kind for reading in connector.readings} == {table.kind for table in connector.tables}


@of_specified
@pytest.mark.parametrize("shape", SHAPES)
def test_every_answer_that_is_allowed_becomes_rows(connector: Connector, reading: Reading, shape: str) -> None:
    with serve(connector, made(connector, SHAPES[shape])) as server:
        records, extraction = read(connector, reading, server.url)
    assert len(records) == reading.rows or shape != "everything"
    assert records or reading.may_be_empty
    assert (extraction.skipped, extraction.incomplete) == ([], [])
    assert_fits(records, reading.table)


@of_specified
def test_every_example_becomes_rows(connector: Connector, reading: Reading) -> None:
    names = {name for operation in asked_for(connector, reading) for name in operation.examples}
    assert names
    for name in names:
        with serve(connector, of_examples(name), pages=2 if name == "more" else 1) as server:
            records, extraction = read(connector, reading, server.url)
        assert bool(records) == (name != "empty"), name
        assert (extraction.skipped, extraction.incomplete) == ([], [])
        assert_fits(records, reading.table)


@of_specified
def test_every_error_of_the_specification_is_raised(connector: Connector, reading: Reading) -> None:
    answers = made(connector, EVERYTHING)
    for operation in asked_for(connector, reading):
        for status in operation.error_statuses:
            with (
                serve(connector, refusing(answers, operation, status)) as server,
                pytest.raises(WhereScapeError) as raised,
            ):
                read(connector, reading, server.url)
            assert (type(raised.value), getattr(raised.value, "status_code", status)) == (error_of(status), status)


def asked_for(connector: Connector, reading: Reading) -> list[Operation]:
    """Return all operations that a reading asks for."""
    with serve(connector, made(connector, EVERYTHING)) as server:
        read(connector, reading, server.url)
    return server.asked


def error_of(status: int) -> type[Exception]:
    return ApiRateLimited if status == 429 else ApiUnavailable if status >= 500 else ApiRefused


@of_all
def test_what_is_answered_is_stored(clean_red: RedServer, connector: Connector, reading: Reading) -> None:
    with (
        load_table(clean_red, reading.table) as wherescape,
        serve(connector, made(connector, EVERYTHING)) as server,
        connector.connect(server.url) as api,
    ):
        result = wherescape.load(reading.table, reading.read(api), extraction=api.extraction)
    assert (result.inserted, result.rejected) == (reading.rows, 0)
    assert len(stored(clean_red, "*", "1")) == reading.rows


@pytest.mark.parametrize("connector", CONNECTORS, ids=str)
def test_what_else_is_asked_for_is_allowed_and_what_the_specification_lacks_is_known(connector: Connector) -> None:
    asked: set[str] = set()
    readings: list[Callable[[str], object]] = [partial(read, connector, reading) for reading in connector.readings]
    for ask in [*connector.others, *readings]:
        with serve(connector, made(connector, EVERYTHING)) as server:
            ask(server.url)
        asked |= {*server.asked_beside}
    assert asked == {*connector.beside}


@of_specified
def test_what_no_column_takes_is_known(connector: Connector, reading: Reading) -> None:
    names = left_out(connector, reading)
    assert [name for name in names if not reason_of(name, reading)] == []
    assert [pattern for pattern in reading.left_out if not fnmatch.filter(names, pattern)] == []


# ---------------------------------------------------------------------------------------------------- what is left out


def operation_of(connector: Connector, reading: Reading) -> Operation:
    """Return the operation whose answers hold the records."""
    return next(found for found in specification_of(connector).operations if str(found) == reading.operation)


def left_out(connector: Connector, reading: Reading) -> list[str]:
    """Return the properties of an answer without which the rows would be the same; not those within them."""
    specification = specification_of(connector)
    maker = AnswerMaker(specification, EVERYTHING, connector.texts)
    operation = operation_of(connector, reading)
    missing: PropertyPath = ()

    def give(asked: Operation, request: Request, before: int) -> Json:
        return maker.make(asked.schema, start_of(request, 0), missing if asked is operation else ())

    def rows() -> object:
        try:
            records, _ = read(connector, reading, server.url)
        except Exception as error:
            return repr(error)
        return [[record.get(column.source) for column in reading.table.columns] for record in records]

    found = []
    with serve(connector, give, pages=1) as server:
        complete = rows()
        waiting: list[PropertyPath] = [()]
        while waiting:
            for missing in properties_of(specification, operation.schema, waiting.pop()):
                if rows() == complete:
                    found.append(".".join(missing))
                else:
                    waiting.append(missing)
    return sorted(found)


def reason_of(name: str, reading: Reading) -> str:
    """Tell why no column takes a property; empty if that is not said."""
    patterns = (pattern for pattern in reading.left_out if fnmatch.fnmatchcase(name, pattern))
    return reading.left_out.get(next(patterns, ""), "")


def main() -> None:
    """Print the properties that no column takes."""
    for connector, reading in READINGS:
        print(f"\n{connector}, {reading.table.kind}: {reading.operation or 'not in the specification'}")
        for name in left_out(connector, reading) if reading.operation else ():
            print(f"    {name}: {reason_of(name, reading) or 'not said'}")


if __name__ == "__main__":
    main()
