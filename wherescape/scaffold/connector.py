"""A new connector: what is decided about it, and the files that it begins with."""

import ast
import json
import keyword
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from wherescape.errors import DeclarationError
from wherescape.paging import Cursor, Links, Offset, PageNumber, Paging, Whole
from wherescape.scaffold.proposals import ProposedColumn
from wherescape.text_file import write_whole

LINE_LENGTH = 119
SINCE_FORMATS = ("iso", "date", "seconds", "milliseconds")
PER_SECOND = {"seconds": 1, "milliseconds": 1_000}
UNFIT = "a quotation mark, a brace or the like"
PAGINGS = (Whole, Links, Cursor, Offset, PageNumber)


@dataclass(frozen=True)
class Login:
    """How an API is told who asks.

    Arguments:
        header: the request header; empty for an API without a login.
        prefix: what stands before the key in it, such as `Bearer `.
    """

    header: str = ""
    prefix: str = ""


@dataclass(frozen=True)
class NewConnector:
    """What is decided about a connector.

    Arguments:
        name: of its module, such as `acme`.
        base_url: the API's address.
        login: how it is told who asks.
        kind: what a record is, as it stands in the load table's name: `item`.
        path: of the list.
        paging: how the list is paged.
        columns: in order.
        key: the field that tells a record from all others.
        changed: the field that tells when it changed last; empty if none does.
        since: the parameter that asks for what has changed; empty if there is none, and each load is a full one.
        since_format: how the parameter's value is written: `iso`, `date`, `seconds` or `milliseconds` since 1970.
        package: the package that it is in; empty for one of its own.

    Raises:
        DeclarationError: a name is none in Python, a field is no column, or a text cannot stand in code as it is.
    """

    name: str
    base_url: str
    login: Login
    kind: str
    path: str
    paging: Paging
    columns: Sequence[ProposedColumn]
    key: str = "id"
    changed: str = ""
    since: str = ""
    since_format: str = "iso"
    package: str = ""

    def __post_init__(self) -> None:
        for name in (self.name, self.kind, *filter(None, self.package.split("."))):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
                raise DeclarationError(f"{name!r} is no name for Python: use small letters, digits and underscores.")
        sources = [column.source for column in self.columns]
        of_paging = [value for value in asdict(self.paging).values() if isinstance(value, str)]  # type: ignore[call-overload]
        for text in (self.base_url, self.path, self.login.header, self.login.prefix, self.since, *of_paging):
            if not _is_plain(text):
                raise DeclarationError(f"{text!r} holds {UNFIT}, which no code is made of.")
        for column in self.columns:
            if not column.source:
                raise DeclarationError(f"A field without a name fills no column; leave {column.name} out.")
            if not _is_plain(column.source):
                raise DeclarationError(
                    f"The field {column.source!r} holds {UNFIT}. Leave its column out, and add it to the declaration"
                    " by hand."
                )
        if self.module.partition(".")[0] in sys.stdlib_module_names:
            raise DeclarationError(f"A package {self.module} would hide Python's own; choose another name.")
        for field in filter(None, (self.key, self.changed)):
            if field not in sources:
                raise DeclarationError(f"{field!r} is no field of the columns; there are {', '.join(sources)}.")
        if self.changed_column and self.changed_column.data_type not in ("timestamp", "date"):
            raise DeclarationError(
                f"{self.changed!r} does not tell when a record changed: its column is {self.changed_column.data_type}."
            )
        if self.since_format not in SINCE_FORMATS:
            raise DeclarationError(f"{self.since_format!r} is no format; choose one of {', '.join(SINCE_FORMATS)}.")

    @property
    def title(self) -> str:
        """What the API is called, in texts."""
        return " ".join(part.capitalize() for part in self.name.split("_"))

    @property
    def class_name(self) -> str:
        """What its class is called."""
        return self.title.replace(" ", "")

    @property
    def module(self) -> str:
        """The package of its modules, such as `acme` or `wherescape.connectors.acme`."""
        return f"{self.package}.{self.name}" if self.package else self.name

    @property
    def method(self) -> str:
        """What the records are called."""
        return self.kind if self.kind.endswith("s") else f"{self.kind}s"

    @property
    def constant(self) -> str:
        """What the table is called."""
        return self.method.upper()

    @property
    def load_table(self) -> str:
        """A name for its load table."""
        return f"load_{self.name}_{self.kind}"

    @property
    def key_column(self) -> ProposedColumn:
        """The column of the key."""
        return next(column for column in self.columns if column.source == self.key)

    @property
    def changed_column(self) -> ProposedColumn | None:
        """The column that tells when a record changed last."""
        return next((column for column in self.columns if column.source == self.changed), None)

    @property
    def moments(self) -> dict[int, list[str]]:
        """The fields whose numbers are moments, by how many make a second."""
        found: dict[int, list[str]] = {}
        for column in self.columns:
            if column.per_second:
                found.setdefault(column.per_second, []).append(column.source)
        return found

    @property
    def since_per_second(self) -> int:
        """How many of the parameter's units make a second; 0 if it is a text."""
        return PER_SECOND.get(self.since_format, 0)

    @property
    def has_short_pages(self) -> bool:
        """Whether a page may have fewer records than were asked for."""
        return not isinstance(self.paging, Whole)

    @property
    def paging_code(self) -> str:
        """The paging as Python code, without what is as by default."""
        return code_of(self.paging)

    @property
    def since_code(self) -> str:
        """The value of the parameter, as Python code."""
        if self.since_per_second:
            return f"to_epoch(since, {self.since_per_second:_})"
        return (
            "since.astimezone(UTC).date().isoformat()"
            if self.since_format == "date"
            else "since.astimezone(UTC).isoformat()"
        )

    @property
    def moment_code(self) -> str:
        """What the fake API reads the parameter's value with, as Python code."""
        if self.since_per_second:
            return f"lambda text: from_epoch(int(text), {self.since_per_second:_})"
        if self.since_format == "date":
            return "lambda text: datetime.combine(datetime.fromisoformat(text), time(), UTC)"
        return "datetime.fromisoformat"

    @property
    def epoch_imports(self) -> list[str]:
        """What the fake API needs for its numbers."""
        return ["from_epoch"] * bool(self.since_per_second) + ["to_epoch"] * bool(self.moments)

    @property
    def has_number_as_key(self) -> bool:
        """Whether the key is a number."""
        return self.key_column.data_type in ("integer", "bigint", "numeric")

    def column_code(self, column: ProposedColumn) -> str:
        """Return a column as Python code."""
        arguments = [json.dumps(column.name), json.dumps(column.data_type)]
        if column.source != column.name:
            arguments.append(f"source={json.dumps(column.source)}")
        if column.mask:
            arguments.append(f"mask={json.dumps(column.mask)}")
        return f"Column({', '.join(arguments)})"

    def call(self, prefix: str, code: str, suffix: str) -> str:
        """Return a line of code with a call, or an argument a line if it is too long."""
        line = f"{prefix}{code}{suffix}"
        if len(line) <= LINE_LENGTH:
            return line
        indent = " " * (len(prefix) - len(prefix.lstrip()))
        function, _, arguments = code.partition("(")
        inner = "".join(f"{indent}    {argument},\n" for argument in arguments.removesuffix(")").split(", "))
        return f"{prefix}{function}(\n{inner}{indent}){suffix}"

    def record_code(self) -> list[str]:
        """Return the lines of a record of the fake API, a nested dict with a value for each column."""
        tree: dict[str, object] = {}
        for column in self.columns:
            *parents, last = column.source.split(".")
            inner = tree
            for parent in parents:
                inner = inner.setdefault(parent, {})  # type: ignore[assignment]
            inner[last] = self._example(column)
        return _dict_lines(tree, 16)

    def _example(self, column: ProposedColumn) -> str:
        if column is self.key_column:
            return "key"
        if column.data_type == "timestamp":
            return f"to_epoch(self.now, {column.per_second:_})" if column.per_second else "self.now.isoformat()"
        return {
            "date": '"2026-01-05"',
            "text": f'"{column.name}"',
            "boolean": "True",
            "json": '["one", {"deep": "two"}]',
            "numeric": "1.5",
            "double": "1.5",
        }.get(column.data_type, "1")


def files_of(connector: NewConnector) -> dict[Path, str]:
    """Return the files of a new connector, by their paths below the folder of the package, or of a project."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("wherescape.scaffold"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    name = connector.name
    package = Path(*connector.module.split("."))
    places = {
        "package.py.j2": package / "__init__.py",
        "tables.py.j2": package / f"{name}_tables.py",
        "wrapper.py.j2": package / f"{name}_wrapper.py",
        "create_metadata.py.j2": package / f"{name}_create_metadata.py",
        "load_data.py.j2": package / f"{name}_load_data.py",
        "README.md.j2": package / "README.md",
        "host_create_metadata.py.j2": Path("host_scripts", f"{name}_create_metadata.py"),
        "host_load_data.py.j2": Path("host_scripts", f"{name}_load_data.py"),
        "test_contract.py.j2": Path("tests", f"test_{name}_contract.py"),
    }
    written = {place: templates.get_template(template).render(it=connector) for template, place in places.items()}
    own = connector.module.partition(".")[0]
    return {
        place: _with_sorted_imports(text, own) if place.suffix == ".py" else text for place, text in written.items()
    }


def write_files(folder: Path, files: dict[Path, str]) -> None:
    """Write files below a folder.

    Raises:
        DeclarationError: one of them exists, and none was written; or the folder cannot be written.
    """
    if existing := [str(place) for place in files if (folder / place).exists()]:
        raise DeclarationError(f"{folder / existing[0]} exists already; choose another name, or remove it first.")
    try:
        for place, text in files.items():
            if place.name == "__init__.py":
                _make_packages(folder, place.parent.parent)
            write_whole(folder / place, text)
    except OSError as error:
        raise DeclarationError(f"{folder} cannot be written: {error}. Choose another with --folder.") from error


def _make_packages(folder: Path, place: Path) -> None:
    """Make the folders of packages that are not there yet; one that is there stays the package that it is."""
    for package in reversed([place, *place.parents][:-1]):
        if not (folder / package).is_dir():
            (folder / package).mkdir(parents=True)
            (folder / package / "__init__.py").touch()


def code_of(paging: Paging) -> str:
    """Return a paging as Python code, without what is as by default."""
    arguments = []
    is_positional = True
    for field in fields(paging):  # type: ignore[arg-type]
        value = getattr(paging, field.name)
        if value == field.default:
            is_positional = False
            continue
        code = json.dumps(value) if isinstance(value, str) else repr(value)
        arguments.append(code if is_positional and not isinstance(paging, Links) else f"{field.name}={code}")
    return f"{type(paging).__name__}({', '.join(arguments)})"


def paging_of(code: str, proposal: Paging, records: str) -> Paging:
    """Return a paging by its name, or by code as it stands in a wrapper; see `code_of`.

    Arguments:
        code: such as `offset` or `Offset(offset_as="start", total="total")`.
        proposal: what is as it was proposed there, if it is a paging of the same name.
        records: the field with the records, if the code does not say it.

    Raises:
        DeclarationError: it is none.
    """
    try:
        tree = ast.parse(code, mode="eval").body
        call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
        name = ast.unparse(call.func).lower()
        [kind] = [kind for kind in PAGINGS if kind.__name__.lower() == name]
        given = [ast.literal_eval(argument) for argument in call.args]
        named: dict[str, Any] = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
        known = {} if given or not isinstance(proposal, kind) else asdict(proposal)
        if kind is not Links and not given:
            known["records"] = records
        return kind(*given, **known | named)
    except (SyntaxError, ValueError, TypeError) as error:
        raise DeclarationError(
            f"{code!r} is no paging ({error}): name one of {', '.join(kind.__name__ for kind in PAGINGS)}, or write it"
            ' as in Python, such as Offset(offset_as="start", size_as="limit").'
        ) from None


def _is_plain(text: str) -> bool:
    """Tell whether a text, which may come from an API, can stand between quotation marks in code without escapes."""
    return text.isprintable() and not re.search(r"""["'\\{}`]|, """, text)


def _with_sorted_imports(text: str, own: str) -> str:
    """Return a file with its imports in order: Python's own, those of packages, and those of the connector."""
    lines = text.splitlines()
    places = [at for at, line in enumerate(lines) if line.startswith("from ")]
    if not places:
        return text
    sections: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for at in places:
        module, _, names = lines[at].removeprefix("from ").partition(" import ")
        root = module.partition(".")[0]
        section = 0 if root in sys.stdlib_module_names else 2 if root == own != "wherescape" else 1
        ordered = sorted(names.split(", "), key=lambda name: (not name.isupper(), not name[0].isupper(), name))
        sections[section].append(f"from {module} import {', '.join(ordered)}")
    imports = "\n\n".join("\n".join(sorted(section)) for section in sections.values() if section)
    before, after = "\n".join(lines[: places[0]]), "\n".join(lines[places[-1] + 1 :]).strip("\n")
    gap = "\n\n\n" if after.startswith(("class ", "def ")) else "\n\n"
    return f"{before}\n{imports}{gap}{after}\n".lstrip("\n")


def _dict_lines(tree: dict[str, object], indent: int) -> list[str]:
    lines = []
    for name, value in tree.items():
        if isinstance(value, dict):
            lines += [f'{" " * indent}"{name}": {{', *_dict_lines(value, indent + 4), f"{' ' * indent}}},"]
        else:
            lines.append(f'{" " * indent}"{name}": {value},')
    return lines
