"""A quantised network as a QONNX file, through PyTorch's own ONNX exporter."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from lutra.errors import LutraError
from lutra.quant.qonnx import DOMAIN, with_quantisers


def export(net: nn.Module, example: Any, path: str | os.PathLike[str]) -> Path:
    """Write a quantised network, in evaluation mode and left in it, as QONNX (Quant and BipolarQuant nodes).

    Rounding that QONNX has no word for becomes an addition of half a unit before FLOOR or CEIL. A file computes in
    single precision: it equals the network where every number before a cast needs 24 bits or fewer.

    Args:
        net: with casts; it must run on the example.
        example: a tensor, or a tuple of tensors; the file has its shapes, batch axis included.
        path: of the file, which is replaced whole.

    Returns:
        the path.

    Raises:
        LutraError: what QONNX has no word for: an overflow that wraps or falls to zero, a point for each element.

    """
    import onnx

    if importlib.util.find_spec("onnxscript") is None:
        raise LutraError("PyTorch's exporter needs the package onnxscript", "export", "pip install onnxscript")
    args = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    net.eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(net, args, strict=False).run_decompositions({})
        folded = constants_folded(program.module())
        made = torch.onnx.export(folded, args, dynamo=True, verbose=False)
    assert made is not None
    model = with_quantisers(made.model_proto)
    path = Path(path)
    draft = path.with_name(f".{path.name}.part")
    try:
        onnx.save(model, str(draft))
        draft.replace(path)
    except OSError as e:
        raise LutraError(f"it cannot be written: {e.strerror}", str(path)) from e
    finally:
        draft.unlink(missing_ok=True)
    return path


def constants_folded(module: Any) -> fx.GraphModule:
    """A graph in which all that does not depend on the input is a buffer; a cast of such a constant stays, as the
    quantiser of weights, if a quantiser of a file can say it.
    """
    assert isinstance(module, fx.GraphModule)
    values: dict[fx.Node, Any] = {}
    for node in list(module.graph.nodes):
        if node.op == "call_module":  # checks of the input's shape
            module.graph.erase_node(node)
        elif node.op == "get_attr":
            values[node] = _attribute(module, str(node.target))
        elif node.op == "call_function" and all(n in values for n in node.all_input_nodes):
            target: Any = node.target
            args, kwargs = (fx.node.map_arg(a, lambda n: values[n]) for a in (node.args, node.kwargs))
            values[node] = target(*args, **kwargs)
    for node, value in values.items():
        used = [u for u in node.users if u not in values]
        if used and node.op == "call_function" and isinstance(value, Tensor):
            _replace(module, node, value, values)
    for node in module.graph.nodes:
        if _name(node) in WRITTEN and node not in values:
            node.target = WRITTEN[_name(node)]
    for node in reversed(list(module.graph.nodes)):  # a custom operator is never dead by itself
        if node in values and not node.users:
            module.graph.erase_node(node)
    module.recompile()
    return module


def _replace(module: fx.GraphModule, node: fx.Node, value: Tensor, values: Mapping[fx.Node, Any]) -> None:
    """Let those that read a constant read a buffer, or its cast where a cast made it."""
    source = node
    while _changes_type(source):
        source = source.all_input_nodes[0]
    with module.graph.inserting_before(node):
        new = _held(module, value)
        if _name(source) in WRITTEN and value.ndim > 1:  # weights
            others = [_held(module, values[a]) if isinstance(a, fx.Node) else a for a in source.args[1:]]
            new = module.graph.call_function(source.target, (new, *others))  # type: ignore[arg-type]
            new.meta = dict(source.meta)
    node.replace_all_uses_with(new, delete_user_cb=lambda user: user not in values)


def _changes_type(node: fx.Node) -> bool:
    """Whether a node has its argument's numbers, in another type."""
    return _name(node) in ("aten::to", "aten::_to_copy", "aten::clone")


def _held(module: fx.GraphModule, value: Tensor) -> fx.Node:
    """A node that reads a new buffer."""
    name = f"constant_{len(list(module.buffers()))}"
    module.register_buffer(name, value.detach().clone())
    return module.graph.get_attr(name)


def _name(node: fx.Node) -> str:
    target = node.target
    return str(target).rpartition(".")[0].replace(".", "::", 1) if isinstance(target, torch._ops.OpOverload) else ""


def _attribute(module: nn.Module, path: str) -> Any:
    value: Any = module
    for part in path.split("."):
        value = getattr(value, part)
    return value


def cast_in_file(x: Tensor, fraction: Tensor, width: int, signed: bool, rounding: str, overflow: str) -> Tensor:
    """A cast as a node of a domain of its own, which `with_quantisers` replaces."""
    given: dict[str, int | str] = {"width": width, "signed": int(signed), "rounding": rounding, "overflow": overflow}
    return _written("Cast", x, fraction, given)


def scaled_in_file(x: Tensor, scale: Tensor, lo: int, hi: int) -> Tensor:
    """The same of a learned scale."""
    return _written("Scaled", x, scale, {"lo": lo, "hi": hi})


def binary_in_file(x: Tensor, scale: Tensor) -> Tensor:
    """The same of two values."""
    return _written("Binary", x, scale, {})


def _written(name: str, x: Tensor, parameter: Tensor, given: Mapping[str, int | str]) -> Tensor:
    found: Tensor = torch.onnx.ops.symbolic(f"{DOMAIN}::{name}", (x, parameter), dict(given), dtype=x.dtype,
                                            shape=x.shape, version=1)
    return found


WRITTEN = {"lutra::cast": cast_in_file, "lutra::scaled": scaled_in_file, "lutra::binary": binary_in_file}
