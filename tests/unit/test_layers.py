"""Nothing imports to its left, the pure parts stay pure, and SQL on the log stays where it belongs."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import picloud

ROOT = Path(picloud.__file__).parent
PURE = {"domain": {"eventsourcing", "croniter"}, "rhai": set[str]()}
"""What the pure packages may import beside the standard library and themselves."""

MAY_IMPORT = {
    "domain": set[str](),
    "rhai": set[str](),
    "process": set[str](),
    "postgres": {"process"},
    "supervisor": {"process", "postgres", "projections", "orchestrator"},
    "doctor": {"postgres", "supervisor", "executor", "orchestrator", "manager"},
    "projections": {"domain", "log", "postgres"},
    "log": {"domain", "postgres", "projections"},
    "executor": {"domain", "rhai"},
    "services": {"domain", "log", "postgres"},
    "orchestrator": {"domain", "log", "postgres", "executor", "services", "rhai", "projections"},
    "manager": {"domain", "log", "postgres", "process", "projections", "orchestrator"},
    "smtp": {"domain", "log", "postgres", "projections"},
    "http": {"domain", "log", "postgres", "orchestrator", "projections", "rhai", "executor"},
}
"""Which packages of ours each may import; ``config`` and ``logging`` are free to all but the pure ones."""

UNKNOWN_TO = {
    "parser": {"resolver", "codegen", "runtime", "packages", "program", "engine", "cache", "tools"},
    "codegen": {"lexer", "parser", "packages", "program", "engine", "cache", "tools"},
    "runtime": {"lexer", "parser", "resolver", "codegen", "program", "engine", "cache", "tools"},
    "packages": {"resolver", "codegen", "program", "engine", "cache", "tools"},
}
"""What the stages of the language must not know of it."""

MODULES = sorted(path for path in ROOT.rglob("*.py"))


def package_of(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0] if len(relative.parts) > 1 else ""


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    package = package_of(path)
    allowed = MAY_IMPORT.get(package)
    for module in imports_of(path):
        parts = module.split(".")
        if parts[0] == "picloud":
            if allowed is None or len(parts) == 1:
                continue
            target = parts[1]
            free = target in {"config", "logging"} and package not in PURE
            assert target == package or target in allowed or free, f"{path.name} ({package}) imports {module}"
        elif package in PURE:
            outside = parts[0] not in sys.stdlib_module_names and parts[0] not in PURE[package]
            assert not outside, f"{path.name} ({package}) imports {module}"


@pytest.mark.parametrize("stage", UNKNOWN_TO)
def test_a_stage_of_the_language_knows_nothing_of_what_comes_behind_it(stage: str) -> None:
    for path in (ROOT / "rhai" / stage).rglob("*.py"):
        for module in imports_of(path):
            known = module.removeprefix("picloud.rhai.").split(".")[0]
            assert known not in UNKNOWN_TO[stage], f"{path.relative_to(ROOT)} imports {module}"


def test_a_program_runs_without_the_tools() -> None:
    for path in (ROOT / "rhai").rglob("*.py"):
        of_tools = [module for module in imports_of(path) if module.startswith("picloud.rhai.tools")]
        is_free = path.name == "__main__.py" or path.is_relative_to(ROOT / "rhai" / "tools")
        assert is_free or not of_tools, f"{path.relative_to(ROOT)} imports {of_tools}"


def test_the_page_on_how_it_works_names_every_part_of_the_language() -> None:
    page = (ROOT.parent / "docs" / "architecture.md").read_text()
    text = page.partition("## The language\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)(?:\.py|/)", text))
    there = {path.stem for path in (ROOT / "rhai").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - named == {"__init__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_about(path: Path) -> None:
    """And a package that lists its modules lists all of them."""
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text, f"{path.relative_to(ROOT)} has no docstring"
    listed = set(re.findall(r"^ {4}(\w+)(?:\.py|/) ", text, re.MULTILINE))
    if path.name == "__init__.py" and len(listed) > 1:
        inside = {
            each.stem for each in path.parent.iterdir() if each.suffix == ".py" or (each / "__init__.py").exists()
        }
        missing = {name for name in inside - listed - {"__init__"} if f"{name}.py" not in text}
        assert not missing | (listed - inside), f"not listed: {missing}; not there: {listed - inside}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_log_and_the_projections_hold_sql_on_the_log(path: Path) -> None:
    if package_of(path) in {"log", "projections"}:
        return
    text = path.read_text()
    found = [table for table in ("FROM log.events", "INTO log.", "UPDATE log.") if table in text]
    assert not found, f"{path.relative_to(ROOT)} has SQL on the log: {found}"
