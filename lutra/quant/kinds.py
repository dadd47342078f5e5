"""What a number may be: formats as frozen values, without state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from lutra.errors import LutraError
from lutra.quant import modes
from lutra.quant.khot import codewords


@dataclass(frozen=True)
class Fixed:
    """Fixed point, `ap_fixed<width, width - fraction, rounding, overflow>`.

    Its fields:
        width: bits of a word.
        fraction: bits behind the binary point; None: calibrated, then learned.
        signed: None: weights and parameters are signed, streams as calibration finds them.
        rounding, overflow: a mode of `ap_fixed`. Until the points are frozen training computes WRAP as SAT.
        per_channel: a point for each output channel of a weight, or each channel (dimension 1) of a stream.
    """

    width: int
    fraction: int | None = None
    signed: bool | None = None
    rounding: str = "RND"
    overflow: str = "SAT"
    per_channel: bool = False

    def __post_init__(self) -> None:
        modes.check(self.width, self.signed is not False, self.rounding, self.overflow)


@dataclass(frozen=True)
class Scaled:
    """Integers of `bits` bits times a learned real scale (LSQ); 1 bit signed would be {-1, 0}: see Binary."""

    bits: int
    signed: bool | None = None
    per_channel: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 24:
            raise LutraError(f"Scaled of {self.bits} bits", hint="1 to 24")


@dataclass(frozen=True)
class KHot:
    """A sign and `width` bits of magnitude, at most `ones` of them one: a product is `ones` shifts, one addition fewer.

    `signed_digits`: a sum of at most `ones` terms +-2**e instead, at the same number of additions.
    """

    width: int
    ones: int
    signed_digits: bool = False
    per_channel: bool = False

    def __post_init__(self) -> None:
        codewords(self.width, self.ones, self.signed_digits)


@dataclass(frozen=True)
class Binary:
    """+1 or -1 times a learned scale; `power`: a power of two."""

    per_channel: bool = False
    power: bool = False


@dataclass(frozen=True)
class Ternary:
    """-1, 0 or +1 times a learned scale; 0 where the magnitude is at most 0.7 times the mean (TWN)."""

    per_channel: bool = False


Format: TypeAlias = Fixed | Scaled | KHot | Binary | Ternary


def shared(form: Format | None) -> Format | None:
    """The format with one point for all channels."""
    return form if form is None else replace(form, per_channel=False)


def at_least(form: Format | None, bits: int) -> Format | None:
    """The format of a first or last layer: a fixed or scaled one widened to `bits`, others replaced by fixed point."""
    match form:
        case None:
            return None
        case Fixed(width=width) if width >= bits:
            return form
        case Scaled(bits=own) if own >= bits:
            return form
        case Fixed(signed=signed, rounding=rounding, overflow=overflow, per_channel=per_channel):
            return Fixed(bits, None, signed, rounding, overflow, per_channel)
        case Scaled(signed=signed, per_channel=per_channel):
            return Scaled(bits, signed, per_channel)
    return Fixed(bits, per_channel=form.per_channel)
