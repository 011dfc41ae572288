"""The first rows of a load, looked at and not loaded: a connector's load function runs, and nothing is written."""

import importlib
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NoReturn

from wherescape.column_types import Capacity
from wherescape.database import Database
from wherescape.dialects import POSTGRESQL
from wherescape.errors import DatabaseError, DeclarationError, TableNotRegistered
from wherescape.high_water_mark import HighWaterMark
from wherescape.load import converted
from wherescape.masks import Masker
from wherescape.postgresql_insert import array_insert
from wherescape.record_batches import batches_of
from wherescape.tables import Table
from wherescape.wherescape import WhereScape

BUILT_IN = "wherescape.connectors"
LOADING = ("collect_data", "{name}_collect_data"), ("{name}_load_data", "{name}_load_data")
"""Modules with a load function, and what it is called; HubSpot's `hubspot_load_data` is the one that sends."""


@dataclass(frozen=True)
class Preview:
    """What a load would begin with.

    Arguments:
        load_table: its schema and name.
        table: the declaration.
        rows: of values as they would be stored, masked columns masked; None for NULL and for what does not fit.
        unfit: why a row would be rejected, by its place.
        mark: the high-water mark that it would use; None for a load that has none.
        sql: the statement that inserts a batch.
        sql_is_assumed: whether the load table could not be asked for its types, so that they are those declared.
    """

    load_table: str
    table: Table
    rows: list[tuple[Any, ...]]
    unfit: dict[int, str]
    mark: HighWaterMark | None
    sql: str
    sql_is_assumed: bool


@dataclass(frozen=True)
class Loader:
    """What loads a connector's tables.

    Arguments:
        name: such as `gitlab`.
        load: its load function.
        tables: its declarations.
    """

    name: str
    load: Callable[..., object]
    tables: Sequence[Table]


def find_loader(name: str, folder: Path) -> Loader:
    """Find a connector.

    Arguments:
        name: the path of its folder, or its name: in `folder`, anywhere on Python's path, or one of this package.
        folder: is put on Python's path.

    Raises:
        DeclarationError: there is none, it has no load function, or it cannot be imported.
    """
    path = Path(name)
    if path.is_dir() and (path / "__init__.py").is_file():
        folder, parts = path.resolve().parent, [path.resolve().name]
        while (folder / "__init__.py").is_file():
            folder, parts = folder.parent, [folder.name, *parts]
        name = ".".join(parts)
    if str(folder.resolve()) not in sys.path:
        sys.path.insert(0, str(folder.resolve()))
    last = name.rpartition(".")[2]
    # What is no name for Python, such as the path of a folder that is not there, cannot be imported.
    is_name = all(part.isidentifier() for part in name.split("."))
    for package in (name, f"{BUILT_IN}.{name}") if is_name else ():
        for module_name, function in LOADING:
            module = _imported(f"{package}.{module_name.format(name=last)}")
            load = getattr(module, function.format(name=last), None)
            if callable(load):
                tables = getattr(_imported(f"{package}.{last}_tables"), "TABLES", ())
                return Loader(last, load, tables)
    raise DeclarationError(
        f"There is no connector {name!r}: no module {last}_load_data with a function {last}_load_data in a package"
        f" {name} of {folder.resolve()}, of Python's path, or of {BUILT_IN}."
    )


def preview(loader: Loader, variables: Mapping[str, str], rows: int = 10) -> Preview:
    """Run a load function up to its first rows.

    RED, if it is known, is asked for its parameters and columns; nothing is written there, nor in the target, nor in
    the work folder.

    Arguments:
        loader: whose.
        variables: the WSL_* variables; those of RED's databases may be missing.
        rows: how many.

    Raises:
        WhereScapeError: whatever the load itself would raise before its first rows.
    """
    with TemporaryDirectory(prefix="wherescape-preview-") as workdir:
        # What a connector keeps between its loads is in a folder of its name.
        kept = Path(variables.get("WSL_WORKDIR") or workdir) / loader.name
        if kept.is_dir() and variables.get("WSL_WORKDIR"):
            shutil.copytree(kept, Path(workdir) / loader.name)
        red = _Looking({**variables, "WSL_WORKDIR": workdir}, rows)
        try:
            loader.load(wherescape=red)
        except _Seen as seen:
            return seen.preview
        finally:
            red.close()
    raise DeclarationError(f"{loader.name} has ended without loading anything, so there is nothing to show.")


class _Seen(BaseException):  # noqa: N818
    """Ends a load function at its load, so that nothing behind it happens, whatever errors the function catches."""

    def __init__(self, preview: Preview) -> None:
        super().__init__()
        self.preview = preview


class _Looking(WhereScape):
    """RED and its databases for reading alone; a load is looked at."""

    def __init__(self, variables: Mapping[str, str], rows: int) -> None:
        super().__init__(variables)
        self._rows = rows
        self._has_red = bool(variables.get("WSL_META_DSN"))
        self._has_target = bool(variables.get("WSL_TGT_DSN"))

    # Whatever a connector does with a database itself is rolled back.

    @cached_property
    def meta(self) -> Database:
        return Database(self._environment.login("repository", "WSL_META"), keeps_changes=False)

    @cached_property
    def target(self) -> Database:
        return Database(self._environment.login("target", "WSL_TGT"), keeps_changes=False)

    @cached_property
    def source(self) -> Database:
        return Database(self._environment.login("source", "WSL_SRC"), keeps_changes=False)

    def load(self, table: Table, records: Any, *, mark: HighWaterMark | None = None, **options: Any) -> NoReturn:
        """End the load function with the first records."""
        first = records.head(self._rows) if hasattr(records, "head") else list(islice(records, self._rows))
        if hasattr(records, "close"):
            records.close()
        rows: list[tuple[Any, ...]] = []
        unfit: dict[int, str] = {}
        masker = Masker(secrets.token_hex())
        for batch in batches_of(first):
            capacities = [Capacity()] * len(table.columns)
            columns, reasons = converted(batch, table, capacities, masker)
            unfit |= {len(rows) + row: reason for row, (_, reason) in reasons.items()}
            rows += zip(*columns, strict=True)
        sql = self._statement(table)
        raise _Seen(
            Preview(
                self.load_full_name, table, rows, unfit, mark, sql or _assumed(self.load_full_name, table), not sql
            )
        )

    def _statement(self, table: Table) -> str:
        """Return the insert as the target would get it; empty if that is not to be had yet."""
        if self._has_target:
            with suppress(DatabaseError):
                quote = self.target.dialect.quote
                present = {name.lower() for name in self.target.column_names(self.load_full_name)}
                names = [quote(column.name) for column in table.all_columns if column.name.lower() in present]
                return self.target.insert_statement(self.load_full_name, names)
        return ""

    # What is read from RED is nothing where RED is not known.

    def read_parameter(self, name: str, include_comment: bool = False) -> Any:
        value, comment = super().read_parameter(name, include_comment=True) if self._has_red else ("", "")
        return (value, comment) if include_comment else value

    def parameter_names(self) -> list[str]:
        return super().parameter_names() if self._has_red else []

    def columns_by_source(self, table: str = "") -> dict[str, str]:
        with suppress(TableNotRegistered):
            return super().columns_by_source(table) if self._has_red else {}
        return {}

    # What writes is not even tried: it may take long, and RED may not be known.

    def write_parameter(self, name: str, value: str = "", comment: str | None = None) -> int:
        return 1

    def update_task_log(self, *counts: int, **named: int) -> int:
        return 0

    def audit(self, message: str) -> None:
        pass

    detail = audit

    def push_to_meta(self, sql: str, params: Sequence[object] | None = None) -> int:
        return 0

    push_to_target = push_to_source = push_to_meta

    def push_many_to_target(self, sql: str, rows: Iterable[Any]) -> int:
        return 0


def _assumed(load_table: str, table: Table) -> str:
    names = [POSTGRESQL.quote(column.name) for column in table.all_columns]
    return array_insert(load_table, names, [POSTGRESQL.types[column.data_type] for column in table.all_columns])


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # What the module itself lacks is another matter.
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            return None
        raise _not_importable(name, error) from error
    except (ImportError, SyntaxError) as error:
        raise _not_importable(name, error) from error


def _not_importable(name: str, error: Exception) -> DeclarationError:
    return DeclarationError(
        f"{name} cannot be imported: {type(error).__name__}: {error}. Correct it, or stand in the folder that its"
        " packages are in."
    )
