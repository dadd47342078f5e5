"""Imports flow downwards only, and `import lutra` stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "lutra"

# What each room may import besides itself. A module at the top of the package is a room of its own.
BELOW = {
    "errors": set(),
    "ir": {"errors"},
    "tools": {"errors"},
    "hw": {"errors", "ir"},
    "ops": {"errors", "ir", "hw"},
    "rules": {"errors", "ir", "ops"},
    "front": {"errors", "ir", "ops"},
    "plan": {"errors", "ir", "hw", "ops"},
    "sim": {"errors", "ir", "hw", "ops", "tools"},
    "synth": {"errors", "ir", "hw", "ops", "tools", "plan"},  # of the plan, the table of devices
    "data": set(),
    "zoo": {"errors", "quant"},
    "quant": {"errors", "files"},
    "report": {"errors", "ir", "hw", "ops", "plan"},
    "frames": {"errors", "ir"},
    "files": {"errors"},
    "check": {"errors", "hw", "tools"},
    "deploy": {"errors", "ir", "hw", "ops", "rules"},
}
BELOW["explanation"] = {"errors", "ir", "ops", "rules", "front", "plan", "build"}
BELOW["summary"] = BELOW["store"] = BELOW["accelerator"] = BELOW["build"] = {
    *BELOW, "accelerator", "store", "summary", "lutra"}
BELOW["costing"] = {"errors", "ir", "ops", "rules", "front", "plan", "quant", "build"}
BELOW["train"] = {"errors", "files", "quant", "zoo", "costing", "report", "lutra"}
BELOW["cli"] = {"errors", "ir", "plan", "costing", "deploy", "check", "tools", "zoo", "train", "quant",
                "files", "report", "lutra"}  # and the public interface
BELOW["__init__"] = {"errors", "build", "accelerator", "explanation"}
BELOW["__main__"] = {"cli"}


def room(module: str) -> str:
    """`lutra.ops.base` is in `ops`; `lutra` itself is the public interface."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "lutra"


def imports(source: str, package: str) -> set[str]:
    """Full names of all modules that a source imports, in functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=aliases):
                names |= {a.name for a in aliases}
            case ast.ImportFrom(module=module, level=0, names=aliases):
                names |= {f"{module}.{a.name}" for a in aliases} if module == "lutra" else {module}
            case ast.ImportFrom(module=module, level=level):
                base = package.split(".")[: len(package.split(".")) - level + 1]
                names.add(".".join([*base, *([module] if module else [])]))
    return names


def offences(path: Path) -> list[str]:
    """The imports of one file that its room may not make."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    own = parts[1]
    found = imports(path.read_text(), ".".join(parts[:-1]))
    rooms = {room(m): m for m in found if m == "lutra" or m.startswith("lutra.")}
    public = {"__version__", "LutraError", "compile", "explain", "load", "Accelerator"}
    return [f"{path.relative_to(PACKAGE.parent)} imports {m}" for r, m in rooms.items()
            if r != own and r not in BELOW[own] and not (r in public and "lutra" in BELOW[own])]


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_room_is_known():
    rooms = {p.relative_to(PACKAGE).with_suffix("").parts[0] for p in FILES}
    assert rooms <= set(BELOW), f"give a place to {rooms - set(BELOW)}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_flow_downwards(path):
    assert offences(path) == []


@pytest.mark.parametrize("text, expected", [
    ("from lutra.ops.base import Unit", {"lutra.ops.base"}),
    ("def f():\n    import lutra.plan.fold", {"lutra.plan.fold"}),
    ("from ..ops import base", {"lutra.ops"}),
    ("from lutra import plan", {"lutra.plan"}),
])
def test_imports_are_seen(text, expected):
    assert imports(text, "lutra.hw") == expected


def test_an_upward_import_is_caught(tmp_path, monkeypatch):
    bad = tmp_path / "lutra" / "hw" / "bad.py"
    bad.parent.mkdir(parents=True)
    bad.write_text("from lutra.ops.base import Unit\n")
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "lutra")
    assert len(offences(bad)) == 1


def test_import_takes_nothing_heavy():
    code = "import lutra, sys; print(*{m.split('.')[0] for m in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "lutra" in loaded
    assert not loaded & {"torch", "onnx", "click", "rich", "jinja2", "hypothesis", "google", "scipy", "sklearn"}
