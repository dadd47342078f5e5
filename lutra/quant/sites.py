"""A cast as a module: a format with its learned point or scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lutra.errors import LutraError
from lutra.quant import modes
from lutra.quant.fit import fit
from lutra.quant.fixed import operator as cast
from lutra.quant.khot import codewords, khot
from lutra.quant.kinds import Binary, Fixed, Format, KHot, Scaled, Ternary
from lutra.quant.recipe import PARAMETERS, base
from lutra.quant.recurrent.formats import INNER
from lutra.quant.scaled import binary, scaled, ternary


class Site(nn.Module):
    """One cast of a network.

    Its fields:
        path: of the module that it belongs to; `role`: what of it is cast.
        form: its format.
        point: bits behind the binary point, real, learned; for scaled, binary and ternary formats the scale. (), or a
            shape that broadcasts to what is cast.
        signed: whether words have a sign, from the format or from calibration.
        bypass: pass numbers on as they are, while a network is calibrated.
        frozen: the point is no longer learned.
    """

    point: Tensor
    sign: Tensor
    threshold: Tensor

    def __init__(self, path: str, role: str, form: Format, normalise: bool = False) -> None:
        super().__init__()
        self.path, self.role, self.form = path, role, form
        self.normalise = normalise or isinstance(form, Scaled)
        self.signed, self.bypass, self.frozen = True, False, False
        self.whole: int | None = None  # the point of a cast inside a recurrent layer: a number, known while exporting
        self.saturated: float | None = None  # share in the numbers that it was calibrated with
        self.point = nn.Parameter(torch.tensor(math.nan), self.learned)
        self.register_buffer("sign", torch.tensor(True))
        if isinstance(form, Ternary):
            self.register_buffer("threshold", torch.zeros(()))

    @property
    def name(self) -> str:
        """The place in the user's own terms."""
        return f"{self.path or 'the network'} ({self.role})"

    @property
    def learned(self) -> bool:
        """Whether the point is a parameter to be learned, not one that the format gives."""
        return getattr(self.form, "fraction", None) is None and base(self.role) not in INNER

    @property
    def shift(self) -> bool:
        """Whether one unit of the last place is a power of two."""
        return isinstance(self.form, Fixed | KHot) or (isinstance(self.form, Binary) and self.form.power)

    @property
    def limit(self) -> int:
        """The greatest magnitude in units of the last place."""
        match self.form:
            case Fixed(width=width, overflow=overflow):
                return max(-(c := modes.clip(width, self.signed, overflow))[0], c[1])
            case KHot(width=width, ones=ones, signed_digits=digits):
                return codewords(width, ones, digits)[-1]
            case Scaled():
                return max(-(s := self.integers())[0], s[1])
        return 1

    def integers(self) -> tuple[int, int]:
        """The least and greatest integer of a scaled format."""
        assert isinstance(self.form, Scaled)
        return modes.integers(self.form.bits, self.signed)

    @property
    def places(self) -> Tensor:
        """Bits behind the binary point, whole, in double precision; of formats that have one."""
        return modes.exponent(self.point.detach())

    def unit(self) -> Tensor:
        """The worth of one unit of the last place, in double precision, without gradient, of the point's shape."""
        point = self.point.detach()
        return modes.power_of_two(-modes.exponent(point), torch.float64) if self.shift else point.double()

    def forward(self, x: Tensor) -> Tensor:
        """The numbers in this format, of x's shape and type; half precision, as autocast makes it, becomes single."""
        if self.bypass:
            return x
        if x.dtype in (torch.float16, torch.bfloat16):
            x = x.float()
        with torch._C.DisableTorchFunction():  # the casts' own arithmetic is no part of the user's network
            try:
                return self.quantise(x, self.learning(x))
            except LutraError as e:
                raise LutraError(e.what, self.name, e.hint) from e

    def learning(self, x: Tensor) -> Tensor:
        """The point, its gradient scaled if that is asked for; the value is untouched, x + 0 * k = x."""
        if not (self.normalise and self.training and self.point.requires_grad):
            return self.point
        still = self.point.detach()
        elements = x.numel() / self.point.numel()
        return still + (self.point - still) * (1 / math.sqrt(max(elements * self.limit, 1)))

    def quantise(self, x: Tensor, point: Tensor) -> Tensor:
        """The numbers cast with this point."""
        match self.form:
            case Fixed(width=width, rounding=rounding, overflow=overflow):
                if overflow in ("WRAP", "WRAP_SM") and self.training and not self.frozen:
                    overflow = "SAT"
                return cast(x, point, width, self.signed, rounding, overflow)
            case KHot(width=width, ones=ones, signed_digits=digits):
                return khot(x, point, width, ones, digits)
            case Scaled():
                return scaled(x, point, *self.integers())
            case Binary(power=True):
                scale = torch.exp2(-point)
                exact = modes.power_of_two(-modes.exponent(point.detach()), scale.dtype)
                return binary(x, exact + (scale - scale.detach()))
            case Binary():
                return binary(x, point)
            case Ternary():
                return ternary(x, point, self.threshold)

    @torch.no_grad()
    def fit(self, groups: Tensor, method: str, shape: tuple[int, ...] | None = None) -> None:
        """Set the point from numbers (groups, samples); a group for each element of the point.

        Raises LutraError: a number is not finite, or the method unknown.
        """
        if not bool(groups.isfinite().all()):
            raise LutraError("a number is not finite", self.name, "the parameters or the data have diverged")
        own = getattr(self.form, "signed", None)
        self.set_sign(own if own is not None else base(self.role) in PARAMETERS or bool((groups < 0).any()))
        found = fit(self.form, groups, self.signed, method)
        shape = tuple(self.point.shape) if shape is None else shape
        if shape != self.point.shape:
            self.point = nn.Parameter(torch.empty(shape, device=groups.device), self.point.requires_grad)
        self.point.copy_(found.point.reshape(shape))
        self._note_point()
        if isinstance(self.form, Ternary):
            self.threshold = found.threshold.reshape(shape).to(self.point)
        self.saturated = float((self.outside(groups, found.point[:, None])).float().mean())

    @torch.no_grad()
    def outside(self, x: Tensor, point: Tensor) -> Tensor:
        """Which elements saturate (or wrap)."""
        match self.form:
            case Fixed(width=width, rounding=rounding, overflow=overflow):
                overflow = "SAT" if overflow.startswith("WRAP") else overflow
                low, high = modes.edges(width, self.signed, rounding, overflow, True)
                y = x.double() * modes.power_of_two(modes.exponent(point), torch.float64)
                return (y <= low) | (y >= high)
            case KHot():
                return x.abs().double() > (self.limit + 0.5) * modes.power_of_two(-modes.exponent(point), torch.float64)
            case Scaled():
                lo, hi = self.integers()
                return (x < (lo - 0.5) * point) | (x > (hi + 0.5) * point)
        return torch.zeros_like(x, dtype=torch.bool)

    def set_sign(self, signed: bool) -> None:
        """Words with a sign or without, also in the state dict."""
        self.signed = signed
        self.sign.fill_(signed)

    def _load_from_state_dict(self, state_dict, prefix, *rest) -> None:  # type: ignore[no-untyped-def]
        point = state_dict.get(prefix + "point")
        if point is not None and point.shape != self.point.shape:
            self.point = nn.Parameter(self.point.new_empty(point.shape), self.point.requires_grad)
            if isinstance(self.form, Ternary):
                self.threshold = self.threshold.new_empty(point.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self.signed = bool(self.sign)
        self._note_point()

    def _note_point(self) -> None:
        if base(self.role) in INNER and bool(self.point.isfinite()):
            self.whole = int(self.places)

    def extra_repr(self) -> str:
        """The format, for `print(net)`."""
        return f"{self.form}"
