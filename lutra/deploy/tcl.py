"""Tcl text: words quoted so that nothing in them is a command."""

from __future__ import annotations

import re
from collections.abc import Mapping

PLAIN = re.compile(r"[\w.,:/+*-]+", re.ASCII)
KEPT = re.compile(r"[\w .,:;/()+*=<>!?'&%@#~^|-]", re.ASCII)  # means nothing between quotes


def word(text: object) -> str:
    """One word of Tcl that stands for a text, whatever is in it."""
    said = str(text)
    if PLAIN.fullmatch(said):
        return said
    return '"' + "".join(c if KEPT.match(c) else _escaped(c) for c in said) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else "?"  # Tcl 8.5 knows no others


def command(*words: object) -> str:
    """A command of quoted words."""
    return " ".join(word(w) for w in words)


def properties(target: str, values: Mapping[str, object]) -> str:
    """`set_property -dict` of CONFIG values on a target, which is Tcl itself."""
    pairs = " ".join(f"CONFIG.{name} {word(value)}" for name, value in values.items())
    return f"set_property -dict [list {pairs}] {target}"
