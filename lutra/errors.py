"""The one exception that users see, and the kind of it that programs act upon."""

from collections.abc import Mapping


class LutraError(Exception):
    """What went wrong, where, and what to try.

    `what` is one sentence that shows the offending value; `at` names the place in the user's own terms (a node of
    the model, a file, an option); `hint` says what to try.
    """

    def __init__(self, what: str, at: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.at, self.hint = what, at, hint

    def __str__(self) -> str:
        text = f"{self.at}: {self.what}" if self.at else self.what
        return f"{text} ({self.hint})" if self.hint else text


class TooSmallError(LutraError):
    """A device that does not hold a model; `between`: what FIFOs and converters take of each resource, where units
    without them would fit; empty where those do not.
    """

    def __init__(self, what: str, at: str = "", hint: str = "", between: Mapping[str, float] | None = None) -> None:
        super().__init__(what, at, hint)
        self.between = dict(between or {})
