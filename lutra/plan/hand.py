"""Folds given by hand: a mapping, or a TOML or JSON file, of layers to {pe, simd, ram, mul}."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from lutra.errors import LutraError
from lutra.ir import Graph, Node
from lutra.ops.base import OFFCHIP, SHARED, ULTRA, WRITTEN, Fold, Unit
from lutra.plan.candidates import RAMS, layer, stream_places
from lutra.plan.devices import Device
from lutra.plan.fitting import planned
from lutra.plan.names import layer_names, pipeline
from lutra.plan.plan import Plan
from lutra.plan.prices import prices
from lutra.plan.sharing import check_asked
from lutra.plan.stages import folds_of, placed


def by_hand(
    graph: Graph, device: Device, clock_mhz: float, spec: Mapping[str, Any] | str | PathLike[str],
    weights: str = "auto",
) -> Plan:
    """The plan with these folds.

    spec: for each layer, by its name ("matmul0") or its place in the pipeline ("0"), some of pe, simd, ram ("auto",
    "lut", "block", and for a matrix "offchip", or "shared": in block RAM in which another such layer's weights lie,
    too; where its weights are written, "written" or "ultra"), mul ("auto", "lut", "dsp", "dsp2", "shifts", "adders")
    and, for a recurrent cell, simd_r, its states a cycle; or the path of a .toml or .json file with that. What a layer
    leaves out is 1 and "auto", for a matrix's ram what `weights` says, for simd_r as few as keep up with simd. A layer
    that is not named gets its cheapest fold that is no slower than the slowest named one, so that it does not bound the
    rate (its fastest fold where none is).
    LutraError for a layer that does not exist, a key that is not one of these, a fold that is not legal, and "shared"
    where no other layer's memory saves a block with it.
    """
    given = _read(spec) if isinstance(spec, str | PathLike) else spec
    names = layer_names(graph)
    folds = dict(_fold(graph, names, str(name), fields, device, weights) for name, fields in given.items())
    wanted = dict(folds)
    slowest = max((placed("", n, f).cycles for n, f in folds.items()), default=0)
    for node in pipeline(graph):
        if node not in folds:
            folds[node] = _cheapest(node, slowest, device, weights)
    plan = planned(graph, device, clock_mhz, folds, set(wanted))
    check_asked(plan.shared, wanted, names)
    return plan


def _read(path: str | PathLike[str]) -> Mapping[str, Any]:
    path = Path(path)
    try:
        text = path.read_text()
        data = json.loads(text) if path.suffix == ".json" else _toml(text)
    except OSError as e:
        raise LutraError(f"cannot read the folding file: {e.strerror}", str(path)) from e
    except ValueError as e:
        raise LutraError(f"not a valid folding file: {e}", str(path), "JSON in .json, TOML in .toml") from e
    if not isinstance(data, dict):
        raise LutraError(f"a folding file holds layers, not a {type(data).__name__}", str(path))
    return data


def _toml(text: str) -> Mapping[str, Any]:
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)


def _fold(
    graph: Graph, names: Mapping[Node, str], name: str, fields: Any, device: Device, weights: str
) -> tuple[Node, Fold]:
    node = _find(graph, names, name)
    where = f"folding of {names[node]}" + (f" ({node.loc})" if node.loc else "")
    if not isinstance(fields, Mapping) or not set(fields) <= {"pe", "simd", "ram", "mul", "simd_r"}:
        raise LutraError(f"{fields!r} is not a fold", where, "give some of pe, simd, ram and mul")
    for key in ("pe", "simd", "simd_r"):
        if not isinstance(fields.get(key, 1), int) or isinstance(fields.get(key), bool):
            raise LutraError(f"{key}={fields[key]!r} is not an integer", where)
    fold = Fold(**fields)
    if fold.simd_r and not any(f.simd_r for f in folds_of(node)):
        raise LutraError(f"simd_r={fold.simd_r} of {node.op.kind}", where, "it is for recurrent cells")
    places = node.op.places(fold) if isinstance(node.op, Unit) else ()
    if weights in places and "ram" not in fields:
        fold = replace(fold, ram=weights)
    shares = (SHARED,) if OFFCHIP in places else ()  # a matrix that stays
    rams = tuple(p for p in places if p != ULTRA or device.uram) if WRITTEN in places else (*RAMS, *shares, *places)
    if fold.ram not in rams:
        raise LutraError(f"ram={fold.ram!r}", where, f"one of {', '.join(rams)}")
    try:
        _ = placed("", node, fold).lanes
    except LutraError as e:
        raise LutraError(e.what, where, e.hint) from e
    kinds = {"auto", "lut", *(f.mul for f in folds_of(node) if (f.pe, f.simd) == (fold.pe, fold.simd))}
    if fold.mul not in kinds:
        raise LutraError(f"mul={fold.mul!r} is no way for it to multiply", where, f"one of {', '.join(sorted(kinds))}")
    return node, fold


def _find(graph: Graph, names: Mapping[Node, str], name: str) -> Node:
    table = {n: node for node, n in names.items()}
    nodes = pipeline(graph)
    if name.isdecimal() and int(name) < len(nodes):
        return nodes[int(name)]
    if name not in table:
        close = difflib.get_close_matches(name, table, n=3)
        raise LutraError(f"no layer {name!r}", "folding", f"the layers are {', '.join(close or table)}")
    return table[name]


def _cheapest(node: Node, cycles: int, device: Device, weights: str) -> Fold:
    choices = layer(node, device.family, weights=stream_places(device, weights))
    allowed = [i for i, c in enumerate(choices.cycles) if c <= max(cycles, int(choices.cycles.min()))]
    return choices.folds[min(allowed, key=lambda i: float(prices(device) @ choices.costs[i]))]
