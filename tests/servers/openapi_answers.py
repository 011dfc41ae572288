"""Makes answers of the schemas of an OpenAPI document: every shape that it allows, in turn."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.servers.openapi import Json, Schema, Specification

FIRST_MOMENT = datetime(2021, 1, 1, tzinfo=UTC)
BEYOND_32_BITS = 2**31
DEEPEST = 6
"""Below it optional properties are left out and lists are empty, since a schema may hold itself."""

PropertyPath = tuple[str, ...]
"""The names that lead to a property, through lists too: `("values", "lead", "name")`."""
Texts = Mapping[str, Callable[[int], str]]
"""Makes a text of a number where the schema does not tell what it looks like; by the property's name or the format."""


@dataclass(frozen=True)
class Shape:
    """Which of the answers that a schema allows to make.

    Arguments:
        optional: how likely an optional property is there.
        null: how likely null is where it may be.
        items: the least and the most items of a list in a record; the list of records itself has two.
        seed: chooses where there is a choice.
        added: whether each object has a property that its schema does not know, as a newer server's may.
    """

    optional: float
    null: float
    items: tuple[int, int]
    seed: int = 0
    added: bool = False


EVERYTHING = Shape(optional=1, null=0, items=(2, 2))
NULLS = Shape(optional=1, null=1, items=(1, 1))
EMPTY_LISTS = Shape(optional=1, null=0, items=(0, 0))
BARE = Shape(optional=0, null=0, items=(0, 0))
NEWER = Shape(optional=1, null=0, items=(1, 1), added=True)


class AnswerMaker:
    """Makes JSON of one shape, always the same of the same schema and start.

    Arguments:
        specification: the document that the schemas are of.
        shape: which answers to make.
        texts: how some texts look.
    """

    def __init__(self, specification: Specification, shape: Shape, texts: Texts | None = None) -> None:
        self._specification = specification
        self._shape = shape
        self._texts = texts or {}
        self._leave_out: PropertyPath = ()
        self._random = random.Random()
        self._count = 0

    def make(self, schema: Schema, start: int = 0, leave_out: PropertyPath = ()) -> Json:
        """Make a value that the schema allows.

        Arguments:
            schema: of the document.
            start: a number for the first value. Each following one gets the next, so that no number or text is made
                twice and every moment is later than the one before.
            leave_out: a property that is not given; all others stay as they are with it.
        """
        self._leave_out = leave_out
        self._random.seed(f"{self._shape.seed} {start}")
        self._count = start
        return self._make(schema, (), 0, is_outermost=True)

    def _make(self, schema: Schema, path: PropertyPath, depth: int, *, is_outermost: bool) -> Json:
        schema = merged(self._specification, schema)
        self._count += 1
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return self._make(self._choose(options), path, depth, is_outermost=is_outermost)
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        kind = schema.get("type") or ("object" if "properties" in schema else "string")
        match kind if isinstance(kind, str) else self._choose([{"type": one} for one in kind])["type"]:
            case "null":
                return None
            case "boolean":
                return self._count % 2 == 0
            case "integer":
                return self._integer(schema)
            case "number":
                return self._count + 0.5
            case "array":
                count = 2 if is_outermost else 0 if depth > DEEPEST else self._random.randint(*self._shape.items)
                count = max(count, schema.get("minItems", 0))
                return [self._make(schema.get("items", {}), path, depth + 1, is_outermost=False) for _ in range(count)]
            case "object":
                return self._object(schema, path, depth, is_outermost)
        return self._text(schema, path[-1] if path else "text")

    def _choose(self, options: list[Schema]) -> Schema:
        nulls = [option for option in options if option.get("type") == "null"]
        others = [option for option in options if option not in nulls]
        return nulls[0] if nulls and self._random.random() < self._shape.null else self._random.choice(others)

    def _object(self, schema: Schema, path: PropertyPath, depth: int, is_outermost: bool) -> Json:
        made: Json = {"added_later": {"by": "a newer server"}} if self._shape.added else {}
        others = schema.get("additionalProperties")
        properties = schema.get("properties", {}) | ({"other": others} if isinstance(others, dict) else {})
        for name, inner in properties.items():
            is_required = name in schema.get("required", ())
            if not is_required and (depth > DEEPEST or self._random.random() >= self._shape.optional):
                continue
            value = self._make(inner, (*path, name), depth + 1, is_outermost=is_outermost)
            if self._specification.nullable and not is_required and self._random.random() < self._shape.null:
                value = None
            if (*path, name) != self._leave_out:
                made[name] = value
        return made

    def _integer(self, schema: Schema) -> int:
        number = self._count if schema.get("format") == "int32" else BEYOND_32_BITS + self._count
        return int(max(min(number, schema.get("maximum", number)), schema.get("minimum", number)))

    def _text(self, schema: Schema, name: str) -> str:
        form = schema.get("format", "")
        moment = FIRST_MOMENT + timedelta(milliseconds=self._count)
        if make := self._texts.get(name) or self._texts.get(form):
            return make(self._count)
        match form:
            case "date-time":
                return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            case "date":
                return moment.date().isoformat()
            case "uri":
                return f"https://example.com/{self._count}"
            case "uuid":
                return str(UUID(int=self._count))
        return f"{name} {self._count}"[: schema.get("maxLength")]


def merged(specification: Specification, schema: Schema) -> Schema:
    """Follow a schema's reference and put what `allOf` demands into one schema."""
    schema = specification.resolve(schema)
    for part in schema.get("allOf", ()):
        part = merged(specification, part)
        schema = {
            **part,
            **schema,
            "properties": part.get("properties", {}) | schema.get("properties", {}),
            "required": [*part.get("required", ()), *schema.get("required", ())],
        }
    return schema


def properties_of(specification: Specification, schema: Schema, path: PropertyPath = ()) -> Iterator[PropertyPath]:
    """Name the properties right below a path of a schema; lists and what may be null are looked through."""
    schema = merged(specification, schema)
    for option in schema.get("anyOf") or schema.get("oneOf") or ():
        yield from properties_of(specification, option, path)
    if "items" in schema:
        yield from properties_of(specification, schema["items"], path)
    for name, inner in schema.get("properties", {}).items():
        if not path:
            yield (name,)
        elif path[0] == name:
            for following in properties_of(specification, inner, path[1:]):
                yield (name, *following)
