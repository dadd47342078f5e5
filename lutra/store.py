"""A build on disk: written whole or not at all, read back exactly."""

from __future__ import annotations

import errno
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from lutra import __version__
from lutra.accelerator import Accelerator, ModelFile
from lutra.errors import LutraError
from lutra.ir import Array, Constant, Graph, Range
from lutra.ir.text import from_text, to_text
from lutra.ops import units
from lutra.ops.source import operators
from lutra.plan.plan import Plan
from lutra.rules.ends import InputEnd, OutputEnd
from lutra.rules.integers import Proof
from lutra.rules.lower import Lowered
from lutra.tools.cache import Cache

FORM = 1  # of the folder; raised when an older reader would misread it
MARK = "lutra.json"


def save(acc: Accelerator, folder: Path) -> Path:
    """Write `folder`: graphs as text, ends, plan, RTL, report. What was there before, if Lutra's own, is replaced."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise LutraError(f"{folder} holds files that are not Lutra's", str(folder), "choose an empty or new folder")
    whole(folder, lambda draft: _fill(acc, draft))
    return folder


def whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a new folder beside `folder`, and put it in its place when it is complete."""
    folder = folder.absolute()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            fill(draft)
            draft.chmod(0o755)
            _swap(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as e:
        raise _unwritable(folder, e) from e


def written(path: Path, text: str) -> Path:
    """The file, written whole: a draft beside it takes its place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as draft:
            try:
                draft.write(text)
                draft.flush()
                Path(draft.name).chmod(0o644)
                Path(draft.name).replace(path)
            finally:
                Path(draft.name).unlink(missing_ok=True)
    except OSError as e:
        raise _unwritable(path, e) from e
    return path


def _unwritable(path: Path, error: OSError) -> LutraError:
    reasons = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return LutraError(f"cannot write: {reason}", str(path), "free some space or choose another folder")


def _swap(draft: Path, folder: Path) -> None:
    if not folder.exists():
        draft.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(old / "was")
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _fill(acc: Accelerator, draft: Path) -> None:
    graphs = {"source": acc.source, "integer": acc.lowered.graph, **_host_graphs(acc.lowered)}
    for name, graph in graphs.items():
        (draft / f"{name}.graph").write_text(to_text(graph), encoding="utf-8")
    ends = {f"{side}.{k}": v for side in ("input", "output") for k, v in _arrays(getattr(acc.lowered, side)).items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **ends)
    (draft / "ends.npz").write_bytes(buffer.getvalue())
    rtl = draft / "rtl"
    rtl.mkdir()
    for name, text in acc.rtl().items():
        (rtl / name).write_text(text, encoding="utf-8")
    placed = acc.measured.get("placed")
    if placed:
        shutil.copyfile(placed["bitstream"], draft / "design.bit")
    _write_json(draft / MARK, _facts(acc))
    _write_json(draft / "report.json", acc.summary().data())
    acc.report(draft / "report.html")


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _facts(acc: Accelerator) -> dict[str, Any]:
    end = acc.lowered.input
    return {
        "form": FORM, "lutra": __version__, "model": asdict(acc.facts), "plan": acc.plan.to_json(),
        "input": {"range": [end.range.lo, end.range.hi, end.range.step], "shape": end.shape,
                  "source_shape": end.source_shape},
        "proofs": [asdict(p) for p in acc.lowered.proofs],
        "measured": acc.measured,
    }


def _host_graphs(lowered: Lowered) -> dict[str, Graph]:
    found = {"before": lowered.input.host, "after_inner": lowered.output.inner, "after_outer": lowered.output.outer}
    return {name: graph for name, graph in found.items() if graph is not None}


def _arrays(end: InputEnd | OutputEnd) -> dict[str, Array]:
    values = {f.name: getattr(end, f.name) for f in fields(end)}
    return {name: v.array for name, v in values.items() if isinstance(v, Constant)}


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
        ends = {k: Constant(data[k]) for k in data.files}
    graph, source = _graph(folder, "integer"), _graph(folder, "source")
    assert graph is not None and source is not None
    given = facts["input"]
    first = InputEnd(_graph(folder, "before"), ends["input.scale"], ends["input.offset"], Range(*given["range"]),
                     ends["input.order"], tuple(given["shape"]), tuple(given["source_shape"]))
    last = OutputEnd(ends["output.scale"], ends["output.offset"], _graph(folder, "after_inner"), ends["output.index"],
                     _graph(folder, "after_outer"))
    proofs = tuple(Proof(**{**p, "operations": tuple(p["operations"])}) for p in facts["proofs"])
    lowered = Lowered(graph, first, last, proofs)
    acc = Accelerator(ModelFile(**facts["model"]), source, lowered, Plan.from_json(facts["plan"], graph), cache)
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
