"""A stand-in for any API that has an OpenAPI document: it allows the requests, and gives the answers, of the document.

It knows nothing of what the API keeps: the same question gets another answer each time. `JiraServer` and the like are
the ones that remember.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from tests.servers.openapi import Json, Operation, Specification, path_pattern
from wherescape.testing.api_server import Answer, ApiServer, Request, json_answer

Source = Callable[[Operation, Request, int], Json]
"""Gives the body of an operation's good answer, or raises `Refused`; told how many requests the path had before."""
Finish = Callable[[Request, int, Json], Mapping[str, str]]
"""Makes a body fit its request, and tells the headers; told how many requests the path had before."""
Beside = Mapping[str, Callable[[Request], Answer]]
"""Answers of paths that the document lacks, by `GET /path/{parameter}`."""


class OpenApiServer(ApiServer):
    """Checks each request against the document, and answers with what it is given.

    Arguments:
        specification: the document.
        source: gives the bodies.
        finish: makes answers belong to their questions, and each list end with its second page: what no document
            tells.
        beside: answers of paths that the document lacks.
    """

    def __init__(
        self,
        specification: Specification,
        source: Source,
        finish: Finish = lambda *_: {},
        beside: Beside | None = None,
    ) -> None:
        super().__init__()
        self.prefix = specification.prefix
        self.asked: list[Operation] = []
        """The operations that were asked for, each once."""
        self.asked_beside: list[str] = []
        """The entries of `beside` that were asked for, each once."""
        self._specification = specification
        self._source = source
        self._finish = finish
        self._beside = beside or {}
        self._paths: Counter[str] = Counter()

    def answer(self, request: Request) -> Answer:
        """Answer with what the document promises."""
        operation = self._specification.find(request.method, request.path)
        if operation is None:
            return self._answer_beside(request)
        if mistakes := [*operation.mistakes_in(request)]:
            raise self.mistake(f"{operation}: {', '.join(mistakes)}", json_answer({"message": "400 Bad request"}, 400))
        if operation not in self.asked:
            self.asked.append(operation)
        before = self._paths[request.path]
        self._paths[request.path] += 1
        body = self._source(operation, request, before)
        headers = {**operation.headers(operation.good_status), **self._finish(request, before, body)}
        return json_answer(body, operation.good_status, headers)

    def _answer_beside(self, request: Request) -> Answer:
        for name, make in self._beside.items():
            method, _, path = name.partition(" ")
            if method == request.method and path_pattern(path).fullmatch(request.path):
                if name not in self.asked_beside:
                    self.asked_beside.append(name)
                return make(request)
        problem = f"{request.method} {request.path} is not in the specification"
        raise self.mistake(problem, json_answer({"message": "404 Not found"}, 404))
