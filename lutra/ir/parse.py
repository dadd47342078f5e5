"""Reading one line of a graph's text: tokens, values, references."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lutra.errors import LutraError
from lutra.ir.node import REAL, Constant, Node, Tensor
from lutra.ir.range import Range

TOKEN = re.compile(r"""\s*(?:
    (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<range>-?\d+\.\.-?\d+(?:/\d+)?)
  | (?P<float>-?\d+\.\d*(?:e[+-]?\d+)?|-?\d+e[+-]?\d+|-?inf|nan)
  | (?P<int>-?\d+)
  | (?P<dtype>[<|][a-z]\d)
  | (?P<reference>\$[0-9a-f]+)
  | (?P<node>%\d+)
  | (?P<name>[A-Za-z_][\w.]*)
  | (?P<mark>[()\[\],=:@])
)""", re.VERBOSE | re.ASCII)
DEEPEST = 8  # nested tuples
DIGITS = 40  # of one number


class Line:
    """A line that is taken token by token; LutraError where another one is needed."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.start, self.kind, self.token = text, 0, 0, "", ""
        self._next()

    def _next(self) -> None:
        found = TOKEN.match(self.text, self.at)
        if found is None:
            self.kind, self.token = "end", ""
            return
        self.kind, self.token, self.start = found.lastgroup or "", found.group(found.lastgroup or 0), self.at
        self.at = found.end()

    def peek(self) -> str:
        """The next token."""
        return self.token

    def take(self, kind: str) -> str:
        """The next token, which must be of a kind."""
        if self.kind != kind:
            raise LutraError(f"a {kind} is expected at {self._here()}")
        token = self.token
        self._next()
        return token

    def expect(self, mark: str) -> None:
        """Take just this token."""
        if not self.skip(mark):
            raise LutraError(f"{mark!r} is expected at {self._here()}")

    def skip(self, mark: str) -> bool:
        """Take this token if it is the next."""
        if self.token != mark:
            return False
        self._next()
        return True

    def end(self) -> None:
        """Nothing but blanks may follow."""
        if self.kind != "end" or self.text[self.at :].strip():
            raise LutraError(f"the line should end at {self._here()}")

    def rest(self) -> str:
        """All that was not taken."""
        return self.text[self.start if self.kind != "end" else self.at :].strip()

    def _here(self) -> str:
        return repr(self.token[:40] or self.text[self.at : self.at + 40] or "the end of the line")

    def number(self) -> int:
        """An integer."""
        return _integer(self.take("int"))

    def shape(self) -> tuple[int, ...]:
        """Axes in brackets."""
        self.expect("[")
        axes: list[int] = []
        while not self.skip("]"):
            if axes:
                self.expect(",")
            axes.append(self.number())
        if min(axes, default=0) < 0:
            raise LutraError(f"{tuple(axes)} is not a shape")
        return tuple(axes)

    def tensor(self) -> Tensor:
        """A shape and what its elements are."""
        shape = self.shape()
        return Tensor(shape, REAL) if self.skip("real") else Tensor(shape, _range(self.take("range")))

    def fields(self, constants: Mapping[str, Constant]) -> dict[str, Any]:
        """Names and values of an operator's fields, in parentheses."""
        self.expect("(")
        values: dict[str, Any] = {}
        while not self.skip(")"):
            if values:
                self.expect(",")
            name = self.take("name")
            self.expect("=")
            values[name] = self.value(constants)
        return values

    def references(self, nodes: Sequence[Node]) -> tuple[Node, ...]:
        """Nodes in parentheses, all of them on earlier lines."""
        self.expect("(")
        found: list[Node] = []
        while not self.skip(")"):
            if found:
                self.expect(",")
            index = _integer(self.take("node")[1:])
            if index >= len(nodes):
                raise LutraError(f"%{index} stands before its own line")
            found.append(nodes[index])
        return tuple(found)

    def value(self, constants: Mapping[str, Constant], depth: int = 0) -> Any:
        """A number, string, tuple, range, tensor, constant, true, false or none."""
        match self.kind, self.token:
            case "mark", "[":
                return self.tensor()
            case "mark", "(" if depth < DEEPEST:
                return self._tuple(constants, depth)
            case "reference", token if token[1:] in constants:
                self._next()
                return constants[token[1:]]
            case "int" | "float" | "string" | "range" | "name" as kind, token if kind != "name" or token in WORDS:
                self._next()
                return READ[kind](token)
        raise LutraError(f"a value is expected at {self._here()}")

    def _tuple(self, constants: Mapping[str, Constant], depth: int) -> tuple[Any, ...]:
        self.expect("(")
        items: list[Any] = []
        while not self.skip(")"):
            items.append(self.value(constants, depth + 1))
            if not self.skip(",") and self.token != ")":
                raise LutraError(f"',' is expected at {self._here()}")
        return tuple(items)


def _integer(token: str) -> int:
    if len(token) > DIGITS:
        raise LutraError(f"a number of {len(token)} digits is too long")
    return int(token)


def _range(token: str) -> Range:
    ends, _, step = token.partition("/")
    lo, hi = ends.split("..")
    return Range(_integer(lo), _integer(hi), _integer(step) if step else 1)


WORDS = {"true": True, "false": False, "none": None}
READ: dict[str, Any] = {"int": _integer, "float": float, "string": json.loads, "range": _range,
                        "name": WORDS.__getitem__}
