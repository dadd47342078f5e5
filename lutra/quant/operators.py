"""A mode that sees every operator of a network's own forward, whether a module or a function calls it, and casts there.

Operators in place are executed out of place: the gradient of a cast may need what they would overwrite.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lutra.errors import LutraError
from lutra.quant.casts import Casts, Observer, place
from lutra.quant.recipe import OPERAND
from lutra.quant.rules import IN_PLACE, NAMES, RULES, Function
from lutra.quant.sites import Site


class Operators(TorchFunctionMode):
    """Casts at the operators of one run of a network; `exact`: in evaluation, where every number has to be exact."""

    def __init__(self, casts: Casts, exact: bool) -> None:
        super().__init__()
        self.casts, self.exact = casts, exact
        self.counts: dict[str, int] = {}
        self.accumulator: Tensor | None = None  # the last matrix product of integers, exact
        self.stale: list[Tensor] = []  # tensors that the user's forward has overwritten, which here were not

    def __torch_function__(self, func: Function, types: Any, args: tuple[Any, ...] = (),
                           kwargs: dict[str, Any] | None = None) -> Any:
        """Run an operator with its casts."""
        kwargs = kwargs or {}
        if self.stale and not torch.compiler.is_compiling():
            self.refuse_stale(func, args)
        name = NAMES.get(func)
        result = func(*args, **kwargs) if name is None else RULES[name](self, func, *args, **kwargs)
        if func in IN_PLACE and args[0] is not result:
            self.stale.append(args[0])
        if self.casts.locating and isinstance(result, Tensor) and not bool(result.isfinite().all()):
            self.blame(func, args)
        return result

    @property
    def proves(self) -> bool:
        """Whether numbers have to be exact here: in evaluation, but an exported graph is so by its meaning."""
        return self.exact and self.casts.observers is None and not torch.compiler.is_exporting()

    @property
    def path(self) -> str:
        """Of the module that is being run."""
        return self.casts.stack[-1][0]

    def site(self, role: str) -> Site | None:
        """The cast of this role at the module that is being run; each call is the next of that role there."""
        first = place(self.path, role, 0)
        count = self.counts.get(first, 0)
        self.counts[first] = count + 1
        return self.casts.site(self.path, role, count)

    def pass_through(self, x: Tensor, site: Site | None) -> Tensor:
        """The numbers cast, or only looked at while the network is calibrated."""
        if site is None:
            return x
        if self.casts.observers is not None:
            self.casts.observers.setdefault(place(site.path, site.role, 0), Observer(site)).see(x)
            return x
        cast: Tensor = site(x)
        return cast

    def wide(self, x: Any) -> Any:
        """A tensor in double precision, where numbers have to be exact."""
        return x.double() if self.proves and isinstance(x, Tensor) and x.is_floating_point() else x

    def like(self, parameter: Tensor | None, x: Tensor) -> Tensor | None:
        """A parameter that is not cast in the precision of the stream that meets it, which evaluation may widen."""
        return parameter.to(x.dtype) if self.exact and parameter is not None else parameter

    def result(self, role: str, func: Function, *args: Any, **kwargs: Any) -> Tensor:
        """The result of an elementwise layer, cast."""
        site = self.site(role)
        if site is None:
            out: Tensor = func(*args, **kwargs)
            return out
        out = self.pass_through(func(*[self.wide(a) for a in args], **kwargs), site)
        return out.to(site.point.dtype) if self.exact else out

    def parameter(self, x: Any, role: str) -> Any:
        """What an elementwise layer reads: a parameter is cast, a stream as of `operand`."""
        return self.pass_through(x, self.site(role)) if isinstance(x, nn.Parameter) else self.operand(x)

    def operand(self, x: Any) -> Any:
        """A stream that an elementwise layer reads, cast where scales are real; numbers as they are."""
        if isinstance(x, nn.Parameter) or not (isinstance(x, Tensor) and x.is_floating_point() and x.ndim):
            return x
        site = self.site(OPERAND)
        return x if site is None else self.pass_through(self.wide(x), site)

    def refuse_stale(self, func: Function, args: tuple[Any, ...]) -> None:
        """Stop where a tensor is read that an operator in place was to change."""
        if any(a is s for a in args for s in self.stale):
            raise LutraError("the result of an operator in place is read under its old name", self.path,
                             "write x = x.add_(y), or x = x + y")

    def blame(self, func: Function, args: tuple[Any, ...]) -> None:
        """Name the first operator whose result is not finite."""
        name = getattr(func, "__name__", str(func))
        bad = [a for a in args if isinstance(a, Tensor) and a.is_floating_point() and not bool(a.isfinite().all())]
        why = "of operands that are not finite either" if bad else "of finite operands"
        raise LutraError(f"{name} gives a number that is not finite, {why}", self.path or "the network",
                         "training has diverged: lower the learning rate")
