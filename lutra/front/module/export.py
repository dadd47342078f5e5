"""From a torch module and an example to an exported graph, or one sentence that says why not."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lutra.errors import LutraError
from lutra.front.module.place import source_line

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

AT = "example"
CONTROL = ("DataDependent", "GuardOnDataDependent", "control flow")


def arguments(net: nn.Module, example: Any) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """The example as the arguments of one call: a tensor or array, a tuple of them, or a mapping by argument names.

    LutraError where one is no tensor of at least two axes, or they differ in how many frames they have.
    """
    if isinstance(example, Mapping):
        named = {str(k): _tensor(net, v) for k, v in example.items()}
        given: tuple[Tensor, ...] = ()
    else:
        many = example if isinstance(example, (tuple, list)) else (example,)
        given, named = tuple(_tensor(net, v) for v in many), {}
    frames = {len(t) for t in (*given, *named.values())}
    if len(frames) > 1:
        raise LutraError(f"its tensors differ in how many frames they have: {sorted(frames)}", AT, "give equally many")
    if not frames:
        raise LutraError("it is empty", AT, "give one tensor for each argument of the network's forward")
    return given, named


def _tensor(net: nn.Module, value: Any) -> Tensor:
    import torch

    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if not isinstance(value, torch.Tensor):
        raise LutraError(f"a {type(value).__name__} is no tensor", AT, "give a batch of frames as the network takes it")
    if value.ndim < 2 or not value.numel():
        raise LutraError(f"its shape is {tuple(value.shape)}", AT,
                         "give a batch: axis 0 counts frames, for example (1, 3, 32, 32)")
    own = next((p for p in net.parameters() if p.is_floating_point()), None)
    tensor: Tensor = value.detach()
    return tensor if own is None or not tensor.is_floating_point() else tensor.to(own.device, own.dtype)


def exported(net: nn.Module, example: Any) -> ExportedProgram:
    """torch.export of the network in evaluation mode, in which it is left; functional, shapes as the example's.

    LutraError where PyTorch cannot, with the line of the user's source where PyTorch says one.
    """
    import torch

    given, named = arguments(net, example)
    net.eval()
    try:
        with _quiet(), torch.no_grad():
            program: ExportedProgram = torch.export.export(net, given, named, strict=False)
            return program.run_decompositions({}) if _mutates(program) else program
    except LutraError:
        raise
    except Exception as e:  # whatever the user's own forward raises comes through here
        raise _explained(e, [tuple(t.shape) for t in (*given, *named.values())]) from e


def _mutates(program: ExportedProgram) -> bool:
    """Whether an operator works in place: only then are the seconds well spent that a functional graph takes."""
    schemas = (getattr(n.target, "_schema", None) for n in program.graph.nodes)
    return any(s is not None and s.is_mutable for s in schemas)


@contextmanager
def _quiet() -> Iterator[None]:
    """What PyTorch logs and warns of while it exports says nothing that its error does not say, too."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _explained(e: Exception, shapes: list[tuple[int, ...]]) -> LutraError:
    """PyTorch's error in one sentence."""
    at = source_line(_frames(e), torch_folder()) or "forward"
    first = next((line.strip() for line in str(e).splitlines() if line.strip()), type(e).__name__)
    if any(mark in type(e).__name__ or mark in str(e) for mark in CONTROL):
        return LutraError("what the network does depends on the values of its data (an if, a loop, .item())", at,
                          "compute the same for every frame; decide with constants only, or with torch.where")
    shown = ", ".join(map(str, shapes))
    return LutraError(f"the network cannot be run on the example of shape {shown}: {_short(first)}", at,
                      "check the example's shape, and that net(example) works")


def _short(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _frames(e: BaseException) -> str:
    """The calls that led to an error, as Python prints them."""
    import traceback

    return "".join(traceback.format_tb(e.__traceback__))


def torch_folder() -> Path:
    """Where PyTorch itself lies."""
    import torch

    return Path(torch.__file__).resolve().parent
