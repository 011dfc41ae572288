"""Reads an OpenAPI 3 document: which requests it allows, and which answers it promises."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from wherescape.testing.api_server import Answer, Request, json_answer

Json = Any
Schema = dict[str, Any]

METHODS = ("get", "post", "put", "patch", "delete")
FORMATS = FormatChecker(("date", "uuid"))


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


class Specification:
    """An OpenAPI document, 3.0 or 3.1.

    Arguments:
        document: the parsed JSON.
        always: properties that an answer always has although the document leaves them optional, by their schema's
            name.
        details: properties that the document leaves open, with what they hold, by their schema's name.
        nullable: whether whatever may be missing may be null as well, for a document that does not tell.
    """

    def __init__(
        self,
        document: Json,
        *,
        always: Mapping[str, Sequence[str]] | None = None,
        details: Mapping[str, Mapping[str, Schema]] | None = None,
        nullable: bool = False,
    ) -> None:
        self.document: Json = _as_json_schema(document)
        self.prefix = urlsplit((document.get("servers") or [{"url": ""}])[0]["url"]).path.rstrip("/")
        self.nullable = nullable
        schemas = self.document.get("components", {}).get("schemas", {})
        for name, properties in (always or {}).items():
            schemas[name]["required"] = [*schemas[name].get("required", ()), *properties]
        for name, known in (details or {}).items():
            schemas[name]["properties"].update(known)
        self.operations = [
            Operation(self, method.upper(), path, definition, tuple(item.get("parameters", ())))
            for path, item in self.document["paths"].items()
            for method, definition in item.items()
            if method in METHODS
        ]

    @classmethod
    def read(cls, path: Path, **arguments: Any) -> Self:
        """Read a document from a file; the other arguments as for the class."""
        return cls(json.loads(path.read_text(encoding="utf-8")), **arguments)

    def find(self, method: str, path: str) -> "Operation | None":
        """Return the operation of a path, its parts percent-encoded; a fixed path goes before one with parameters."""
        matching = [
            operation
            for operation in self.operations
            if operation.method == method and path_pattern(operation.path).fullmatch(path)
        ]
        return min(matching, key=lambda operation: operation.path.count("{"), default=None)

    def resolve(self, part: Json) -> Json:
        """Follow references within the document."""
        while "$ref" in part:
            found: Json = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name.replace("~1", "/").replace("~0", "~")]
            part = found
        return part

    def problems(self, value: Json, schema: Schema) -> Iterator[str]:
        """Tell where a value breaks a schema: a JSON path, and what is wrong there."""
        whole = {**schema, "components": self.document.get("components", {})}
        for error in Draft202012Validator(whole, format_checker=FORMATS).iter_errors(value):
            yield f"{error.json_path} {error.message[:200]}"


@dataclass(frozen=True, eq=False)
class Operation:
    """One method of one path."""

    specification: Specification
    method: str
    path: str
    definition: Json
    shared_parameters: tuple[Json, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[Json]:
        """The parameters, those that all methods of the path share included."""
        given = (*self.shared_parameters, *self.definition.get("parameters", ()))
        return [self.specification.resolve(parameter) for parameter in given]

    def mistakes_in(self, request: Request) -> Iterator[str]:
        """Tell what in a request the document does not allow."""
        # Servers in Ruby want the name of a list in a query with brackets, which their documents leave out.
        query = {name.removesuffix("[]"): value for name, value in request.query.items()}
        known = [parameter["name"] for parameter in self.parameters if parameter["in"] == "query"]
        yield from (f"the query has no parameter {name}" for name in query if name not in known)
        yield from self._wrong_parameters("query", query)
        yield from self._wrong_parameters("path", self._path_values(request.path))
        yield from self._wrong_parameters("header", request.headers)
        yield from self._wrong_body(request)
        if not self._has_login(request):
            yield "no login"

    def _path_values(self, path: str) -> dict[str, str]:
        names = re.findall(r"{([^}]+)}", self.path)
        found = path_pattern(self.path).fullmatch(path)
        return dict(zip(names, map(unquote, found.groups()), strict=True)) if found else {}

    def _wrong_parameters(self, place: str, values: Mapping[str, str]) -> Iterator[str]:
        for parameter in self.parameters:
            name, schema = parameter["name"], parameter.get("schema", {})
            if parameter["in"] != place:
                continue
            if name in values:
                value = self._read(values[name], schema, is_list=not parameter.get("explode", True))
                yield from (f"{place} {name}: {problem}" for problem in self.specification.problems(value, schema))
            elif parameter.get("required"):
                yield f"the {place} lacks {name}"

    def _read(self, text: str, schema: Schema, *, is_list: bool = False) -> Json:
        """Return what a text means in a query, a path or a header."""
        schema = self.specification.resolve(schema)
        kinds = _kinds(schema)
        if "array" in kinds:
            items = text.split(",") if is_list else [text]
            return [self._read(item, schema.get("items", {})) for item in items]
        if "boolean" in kinds and text in ("true", "false"):
            return text == "true"
        if "integer" in kinds and re.fullmatch(r"-?\d+", text, re.ASCII):
            return int(text)
        if "number" in kinds and re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII):
            return float(text)
        return text

    def _wrong_body(self, request: Request) -> Iterator[str]:
        body = self.specification.resolve(self.definition.get("requestBody", {}))
        if not body:
            if request.body is not None:
                yield "it takes no body"
        elif request.body is None:
            if body.get("required"):
                yield "it has no body"
        else:
            kind = request.headers.get("Content-Type", "").partition(";")[0]
            if kind not in body["content"]:
                yield f"the body's Content-Type is {kind or 'missing'}"
            else:
                yield from (
                    f"body: {problem}"
                    for problem in self.specification.problems(request.body, body["content"][kind].get("schema", {}))
                )

    def _has_login(self, request: Request) -> bool:
        choices = self.definition.get("security", self.specification.document.get("security", []))
        # An API that may be asked without a login answers with less then; a load always has one.
        logins = [choice for choice in choices if choice]
        schemes = self.specification.document.get("components", {}).get("securitySchemes", {})
        return not logins or any(all(_is_given(schemes[name], request) for name in login) for login in logins)

    @property
    def schema(self) -> Schema:
        """The schema of a good answer's JSON; empty for one without JSON."""
        content = self._content(self.good_status)
        found: Schema = content.get("application/json", {}).get("schema", {})
        return found

    @property
    def examples(self) -> dict[str, Json]:
        """The examples of a good answer by name; one without a name is called `example`."""
        media = self._content(self.good_status).get("application/json", {})
        single = {"example": media["example"]} if "example" in media else {}
        return single | {name: example["value"] for name, example in media.get("examples", {}).items()}

    @property
    def good_status(self) -> int:
        """The status of a good answer."""
        return min(int(status) for status in self.definition["responses"] if status.startswith("2"))

    @property
    def error_statuses(self) -> list[int]:
        """The statuses of the errors that it may answer with."""
        return sorted(int(status) for status in self.definition["responses"] if status >= "4" and status.isdecimal())

    def headers(self, status: int) -> dict[str, str]:
        """Return the headers of an answer that the document has an example of."""
        headers = {
            name: self.specification.resolve(header)
            for name, header in self._response(status).get("headers", {}).items()
        }
        return {name: str(header["example"]) for name, header in headers.items() if "example" in header}

    def error(self, status: int) -> Answer:
        """Return the document's example of an error, or an empty body if it has none."""
        headers, content = self.headers(status), self._content(status)
        for kind, media in content.items():
            named = [example["value"] for example in media.get("examples", {}).values()]
            for example in [*([media["example"]] if "example" in media else []), *named]:
                if kind == "application/json":
                    return json_answer(example, status, headers)
                return Answer(status, example, {**headers, "Content-Type": kind})
        return Answer(status, "", headers)

    def _response(self, status: int) -> Json:
        return self.specification.resolve(self.definition["responses"][str(status)])

    def _content(self, status: int) -> Json:
        return self._response(status).get("content", {})


def path_pattern(template: str) -> re.Pattern[str]:
    """Return what paths look like, with a group for each parameter of a template such as `/projects/{id}`."""
    parts = re.split(r"({[^}]+})", template)
    return re.compile("".join("([^/]+)" if part.startswith("{") else re.escape(part) for part in parts))


def _is_given(scheme: Json, request: Request) -> bool:
    if scheme["type"] == "apiKey":
        place = request.headers if scheme["in"] == "header" else request.query
        return bool(place.get(scheme["name"]))
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    return kind.lower() == scheme["scheme"].lower() and bool(secret)


def _kinds(schema: Schema) -> Sequence[str]:
    kinds: str | list[str] = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def _as_json_schema(part: Json) -> Json:
    """Rewrite what OpenAPI 3.0 says otherwise than JSON Schema: `nullable`."""
    if isinstance(part, list):
        return [_as_json_schema(item) for item in part]
    if not isinstance(part, dict):
        return part
    schema = {name: _as_json_schema(inner) for name, inner in part.items()}
    if schema.get("nullable") is not True:
        return schema
    del schema["nullable"]
    return {"anyOf": [schema, {"type": "null"}]}
