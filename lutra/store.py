"""A build on disk: written whole or not at all, read back exactly."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from lutra import __version__
from lutra.accelerator import Accelerator, ModelFile
from lutra.deploy.boards import board as find_board
from lutra.deploy.hls import BENCH, VECTORS, hls_script, testbench
from lutra.deploy.project import project
from lutra.errors import LutraError
from lutra.files import whole
from lutra.hw.axi import image
from lutra.ir import Constant, Graph, Range
from lutra.ir.text import from_text, to_text
from lutra.ops import units
from lutra.ops.source import operators
from lutra.plan.plan import Plan
from lutra.rules.ends import InputEnd, OutputEnd
from lutra.rules.integers import Proof
from lutra.rules.lower import Lowered
from lutra.tools.cache import Cache

FORM = 2  # of the folder; raised when an older reader would misread it
MARK = "lutra.json"
BACKENDS = ("rtl", "hls", "both")


def save(acc: Accelerator, folder: Path, board: str | None = None) -> Path:
    """Write `folder`: graphs as text, ends, plan, RTL, report; for a board the vendor's project and a driver too. What
    was there before, if Lutra's own, is replaced.
    """
    if acc.backend not in BACKENDS:
        raise LutraError(f"backend={acc.backend!r} cannot be built", hint=f"one of {', '.join(BACKENDS)}")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise LutraError(f"{folder} holds files that are not Lutra's", str(folder), "choose an empty or new folder")
    more = _for_board(acc, board) if board else {}

    def fill(draft: Path) -> None:
        _fill(acc, draft)
        for path, content in more.items():
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).write_bytes(content)

    whole(folder, fill)
    return folder


def _for_board(acc: Accelerator, name: str) -> dict[str, bytes]:
    """The files of a board's project."""
    board = find_board(name)
    if acc.plan.device.name != board.device:
        raise LutraError(f"the plan is for {acc.plan.device.name}, the board {board.name} carries {board.device}",
                         "board", f"compile for {board.device}")
    form = "hls" if acc.backend == "hls" else "rtl"
    design = acc.hls_netlist if form == "hls" else acc.netlist
    files = project(acc.lowered, design, board, acc.plan.clock_mhz, acc.facts.name, form)
    if acc.backend != "rtl":
        files["vendor/hls.tcl"] = hls_script(acc.hls_netlist, board, acc.plan.clock_mhz).encode()
        files[f"vendor/{BENCH}"] = testbench(acc.hls_netlist).encode()
        files[f"vendor/{VECTORS}"] = acc.vectors()
    if acc.netlist.blank:
        files["driver/writes.bin"] = acc.writes().astype("<u4").tobytes()
    return files


def _fill(acc: Accelerator, draft: Path) -> None:
    inputs, outputs = ([_Parts.of(end) for end in ends] for ends in (acc.lowered.inputs, acc.lowered.outputs))
    parts = dict(zip(_names(len(inputs), len(outputs)), inputs + outputs, strict=True))
    graphs = {f"{name}_{key}": g for name, part in parts.items() for key, g in part.graphs.items()}
    for name, graph in {"source": acc.source, "integer": acc.lowered.graph, **graphs}.items():
        (draft / f"{name}.graph").write_text(to_text(graph), encoding="utf-8")
    buffer = io.BytesIO()
    arrays = {f"{name}.{key}": c.array for name, part in parts.items() for key, c in part.constants.items()}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    (draft / "ends.npz").write_bytes(buffer.getvalue())
    for kind, files in (("rtl", acc.rtl), ("hls", acc.hls)):
        if acc.backend in (kind, "both"):
            (draft / kind).mkdir()
            for name, text in files().items():
                (draft / kind / name).write_text(text, encoding="utf-8")
    if places := acc.memory_map():
        (draft / "weights.bin").write_bytes(image(acc.netlist))
        _write_json(draft / "weights.json", places)
    if addresses := acc.address_map():
        _write_json(draft / "addresses.json", addresses)
    if acc.netlist.blank:
        (draft / "writes.bin").write_bytes(acc.writes().astype("<u4").tobytes())
    placed = acc.measured.get("placed")
    if placed:
        shutil.copyfile(placed["bitstream"], draft / "design.bit")
    _write_json(draft / MARK, {
        "form": FORM, "lutra": __version__, "model": asdict(acc.facts), "plan": acc.plan.to_json(),
        "backend": acc.backend,
        "inputs": [p.plain for p in inputs], "outputs": [p.plain for p in outputs],
        "proofs": [asdict(p) for p in acc.lowered.proofs], "measured": acc.measured,
    })
    _write_json(draft / "report.json", acc.summary().data())
    acc.report(draft / "report.html")


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _names(inputs: int, outputs: int) -> list[str]:
    """What the ends' parts are called in the folder: by their numbers, never by the model's names."""
    return [f"input{k}" for k in range(inputs)] + [f"output{k}" for k in range(outputs)]


@dataclass(frozen=True)
class _Parts:
    """The fields of an end by where they are kept: arrays, graphs, and what JSON holds. None is kept nowhere."""

    constants: dict[str, Constant]
    graphs: dict[str, Graph]
    plain: dict[str, Any]

    @classmethod
    def of(cls, end: InputEnd | OutputEnd) -> _Parts:
        found: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = {}, {}, {}
        for f in fields(end):
            match getattr(end, f.name):
                case None:
                    continue
                case Constant() as value:
                    found[0][f.name] = value
                case Graph() as value:
                    found[1][f.name] = value
                case Range(lo=lo, hi=hi, step=step):
                    found[2][f.name] = [lo, hi, step]
                case value:
                    found[2][f.name] = value
        return cls(*found)

    @classmethod
    def read(cls, folder: Path, name: str, arrays: dict[str, Constant], plain: dict[str, Any]) -> _Parts:
        kind = InputEnd if name.startswith("input") else OutputEnd
        graphs = {f.name: _graph(folder, f"{name}_{f.name}") for f in fields(kind)}
        constants = {key.removeprefix(f"{name}."): c for key, c in arrays.items() if key.startswith(f"{name}.")}
        return cls(constants, {k: g for k, g in graphs.items() if g is not None}, plain)

    def input_end(self) -> InputEnd:
        plain: dict[str, Any] = {k: tuple(v) for k, v in self.plain.items()} | {"range": Range(*self.plain["range"])}
        return InputEnd(**{"host": None, **self.constants, **self.graphs, **plain})

    def output_end(self) -> OutputEnd:
        return OutputEnd(**{"inner": None, "outer": None, **self.constants, **self.graphs, **self.plain})


def read(folder: Path, cache: Cache) -> Accelerator:
    """The accelerator of a folder that `save` wrote; LutraError where it is none or is damaged."""
    if not (folder / MARK).is_file():
        raise LutraError("this is not a build folder", str(folder), "make one with `lutra build model.onnx -o FOLDER`")
    try:
        facts = json.loads((folder / MARK).read_text(encoding="utf-8"))
        if facts["form"] != FORM:
            raise LutraError(f"its form is {facts['form']}, this version reads {FORM}", str(folder), "build it again")
        return _read(folder, facts, cache)
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as e:
        raise LutraError(f"the build folder is damaged: {e}", str(folder), "build it again") from e


def _read(folder: Path, facts: dict[str, Any], cache: Cache) -> Accelerator:
    with np.load(folder / "ends.npz", allow_pickle=False) as data:
        arrays = {k: Constant(data[k]) for k in data.files}
    graph, source = _graph(folder, "integer"), _graph(folder, "source")
    assert graph is not None and source is not None
    plain = facts["inputs"] + facts["outputs"]
    names = _names(len(facts["inputs"]), len(facts["outputs"]))
    parts = [_Parts.read(folder, name, arrays, own) for name, own in zip(names, plain, strict=True)]
    first = tuple(part.input_end() for part in parts[: len(facts["inputs"])])
    last = tuple(part.output_end() for part in parts[len(first) :])
    proofs = tuple(Proof(**{**p, "operations": tuple(p["operations"])}) for p in facts["proofs"])
    lowered = Lowered(graph, first, last, proofs)
    acc = Accelerator(ModelFile(**facts["model"]), source, lowered, Plan.from_json(facts["plan"], graph), cache,
                      facts.get("backend", "rtl"))
    acc.measured.update(facts["measured"])
    if "placed" in acc.measured:
        acc.measured["placed"]["bitstream"] = str(folder / "design.bit")  # never a path that the file names
    return acc


def _graph(folder: Path, name: str) -> Graph | None:
    path = folder / f"{name}.graph"
    if not path.is_file():
        if name in ("integer", "source"):
            raise LutraError(f"{path.name} is missing", str(folder), "build it again")
        return None
    return from_text(path.read_text(encoding="utf-8"), (*units(), *operators()))
