"""The grammar of HLS directives: which there are, their options, and where each stands (Vitis HLS, UG1399)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

FUNCTION, LOOP, BLOCK, TOP = "function", "loop", "", "top"  # bodies that one stands in; TOP: the top function's alone
ANYWHERE = (FUNCTION, LOOP, BLOCK)  # where a variable is
INTEGER = r"[A-Za-z0-9_ ()+*/%<>-]+"  # a constant expression; its names are looked up
NAME = r"[A-Za-z_]\w*"
VARIABLE = "variable"  # what an option names: a variable that can be seen
ARRAY, STREAM, ANY = "array", "stream", "any"  # of which kind


def one_of(*words: str) -> str:
    """A pattern of these words, in any case."""
    return "(?i:" + "|".join(words) + ")"


@dataclass(frozen=True)
class Directive:
    """places: bodies that it may stand in. options: by name the pattern of the value, "" for one without. needs: those
    that must be there. words: options whose value may stand without its name, as older versions had it. of: the kind of
    variable that `variable` names. first: it stands before every statement.
    """

    places: tuple[str, ...] = (FUNCTION, LOOP)
    options: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    of: str = ANY
    first: bool = False


MODES = one_of("ap_ctrl_chain", "ap_ctrl_hs", "ap_ctrl_none", "ap_fifo", "ap_hs", "ap_memory", "ap_none", "ap_ovld",
               "ap_stable", "ap_vld", "axis", "bram", "m_axi", "s_axilite")
CUT = {"variable": NAME, "type": one_of("cyclic", "block", "complete"), "factor": INTEGER, "dim": INTEGER, "off": ""}
DIRECTIVES: Mapping[str, Directive] = {
    "aggregate": Directive(ANYWHERE, {"variable": NAME, "compact": one_of("bit", "byte", "none", "auto")},
                           needs=("variable",)),
    "allocation": Directive((FUNCTION, LOOP), {"type": one_of("function", "operation"), "instances": NAME,
                                               "limit": INTEGER}, ("instances", "limit"), ("type",)),
    "array_partition": Directive(ANYWHERE, CUT, needs=("variable",), words=("type",), of=ARRAY),
    "array_reshape": Directive(ANYWHERE, {**CUT, "object": ""}, needs=("variable",), words=("type",), of=ARRAY),
    "bind_op": Directive(ANYWHERE, {
        "variable": NAME, "op": one_of("mul", "add", "sub", "fadd", "fsub", "fdiv", "fexp", "flog", "fmul", "frsqrt",
                                       "frecip", "fsqrt", "dadd", "dsub", "ddiv", "dmul"),
        "impl": one_of("dsp", "fabric", "meddsp", "fulldsp", "maxdsp", "primitivedsp", "auto", "none"),
        "latency": r"-?\d+"}, needs=("variable", "op")),
    "bind_storage": Directive(ANYWHERE, {
        "variable": NAME, "type": one_of("fifo", "ram_1p", "ram_1wnr", "ram_2p", "ram_s2p", "ram_t2p", "rom_1p",
                                         "rom_2p", "rom_np"),
        "impl": one_of("bram", "bram_ecc", "lutram", "uram", "uram_ecc", "srl", "memory", "auto"),
        "latency": r"-?\d+"}, needs=("variable", "type")),
    "dataflow": Directive(options={"disable_start_propagation": ""}),
    "dependence": Directive(ANYWHERE, {
        "variable": NAME, "class": one_of("array", "pointer"), "type": one_of("inter", "intra"),
        "direction": one_of("raw", "war", "waw"), "distance": INTEGER, "dependent": one_of("true", "false")},
        words=("class", "type", "direction", "dependent"), of=ARRAY),
    "disaggregate": Directive(ANYWHERE, {"variable": NAME}, needs=("variable",)),
    "expression_balance": Directive(ANYWHERE, {"off": ""}),
    "function_instantiate": Directive((FUNCTION,), {"variable": NAME}, ("variable",)),
    "inline": Directive((FUNCTION,), {"off": "", "recursive": ""}, first=True),
    "interface": Directive((TOP,), {
        "mode": MODES, "port": NAME, "bundle": NAME, "register": "",
        "register_mode": one_of("forward", "reverse", "both", "off"),
        "depth": INTEGER, "offset": one_of("off", "direct", "slave") + r"|\d+", "clock": NAME, "name": NAME,
        "latency": INTEGER, "num_read_outstanding": INTEGER, "num_write_outstanding": INTEGER,
        "max_read_burst_length": INTEGER, "max_write_burst_length": INTEGER, "max_widen_bitwidth": INTEGER,
        "channel": INTEGER, "storage_type": NAME, "storage_impl": NAME}, ("mode", "port"), ("mode",), first=True),
    "latency": Directive(options={"min": INTEGER, "max": INTEGER}),
    "loop_flatten": Directive((LOOP,), {"off": ""}),
    "loop_merge": Directive(options={"force": ""}),
    "loop_tripcount": Directive((LOOP,), {"min": INTEGER, "max": INTEGER, "avg": INTEGER}),
    "pipeline": Directive(options={"ii": INTEGER, "off": "", "rewind": "", "style": one_of("stp", "frp", "flp")}),
    "reset": Directive(ANYWHERE, {"variable": NAME, "off": ""}, needs=("variable",)),
    "stable": Directive((FUNCTION,), {"variable": NAME}, ("variable",)),
    "stream": Directive(ANYWHERE, {
        "variable": NAME, "depth": INTEGER, "type": one_of("fifo", "pipo", "shared", "unsync"), "off": ""},
        needs=("variable",), words=("type",), of=STREAM),
    "unroll": Directive((LOOP,), {"factor": INTEGER, "skip_exit_check": "", "off": ""}),
}
NAMED = {"interface": "port"}  # where the variable is the value of another option
CONSTANTS = ("factor", "dim", "ii", "depth", "distance", "min", "max", "avg", "limit")  # options that are numbers


@dataclass(frozen=True)
class Pragma:
    """A `#pragma HLS` line: the directive in small letters, its options, and what the grammar says against it."""

    directive: str
    options: Mapping[str, str]
    faults: tuple[str, ...]

    @property
    def known(self) -> Directive | None:
        """The directive; None for one that does not exist."""
        return DIRECTIVES.get(self.directive)

    @property
    def variable(self) -> str:
        """The variable that it is about; "" for none."""
        return self.options.get(NAMED.get(self.directive, VARIABLE), "")


def parse(text: str) -> Pragma:
    """What follows `#pragma HLS`."""
    name, *rest = text.split(None, 1) or [""]
    directive = DIRECTIVES.get(name.lower())
    if directive is None:
        return Pragma(name.lower(), {}, (f"there is no directive {name!r}",))
    options: dict[str, str] = {}
    faults: list[str] = []
    for word in re.findall(r"\w+\s*=\s*\S+|\S+", rest[0] if rest else ""):
        key, _, value = (part.strip() for part in word.partition("="))
        bare = "=" not in word
        key = _meant(directive, key) if bare else key
        found = directive.options.get(key.lower())
        value = word if bare and key != word else value
        if found is None:
            faults.append(f"{name} has no option {key!r}")
        elif key.lower() in options:
            faults.append(f"{key} is given twice")
        elif not re.fullmatch(found, value):
            faults.append(f"{key}={value} is no value that {name} takes")
        options[key.lower()] = value
    faults += [f"{name} needs {need}" for need in directive.needs if need not in options]
    return Pragma(name.lower(), options, (*faults, *_between(name.lower(), options)))


def _meant(directive: Directive, word: str) -> str:
    """The option that a bare word is a value of, or is itself."""
    return next((o for o in directive.words if re.fullmatch(directive.options[o], word)), word)


def _between(name: str, options: Mapping[str, str]) -> list[str]:
    """Faults of options that do not go together, and of numbers that are none."""
    faults = []
    if name in ("array_partition", "array_reshape") and "off" not in options:
        cut = options.get("type", "complete").lower()
        if cut == "complete" and "factor" in options:
            faults.append("a complete cut takes no factor")
        if cut != "complete" and "factor" not in options:
            faults.append(f"a {cut} cut needs a factor")
    low = {"dim": 0, "min": 0, "avg": 0}
    for key in CONSTANTS:
        value = options.get(key, "")
        if re.fullmatch(r"-?\d+", value) and int(value) < low.get(key, 1):
            faults.append(f"{key}={value} is too small")
    return faults
