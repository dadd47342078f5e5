"""What becomes of every operation of a model, and how that is known: `lutra.explain`, before anything is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lutra.build import Span, input_formats, lowering, second
from lutra.errors import LutraError
from lutra.ir import Graph, Input, Node
from lutra.ops import source as src
from lutra.ops.base import Hardware
from lutra.ops.reshape.op import Reshape
from lutra.ops.source import Elementwise
from lutra.plan.devices import device as find_device
from lutra.rules.integers import Lowering, Proof
from lutra.rules.lower import LAYERS, Lowered, lower

if TYPE_CHECKING:
    from lutra.front import Source

ORDER = (Reshape, src.Permute, src.DepthToSpace, src.SpaceToDepth)  # what only says where an element lies
FORMS = {"nothing": "nothing: the integers are so already", "multiply-shift": "multiplication and shift"}
END = "the model's output"


@dataclass(frozen=True)
class Row:
    """One operation of the model: its place, what it is, what became of it, and how that is known to be exact.

    checked: how many values were evaluated for that; None where nothing had to be.
    """

    at: str
    operation: str
    became: str
    why: str = ""
    checked: int | None = None


@dataclass(frozen=True)
class Explanation:
    """All operations of a model in order; `error` is what stands in the way of a build, if anything does."""

    model: str
    rows: tuple[Row, ...]
    error: str = ""

    def data(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return asdict(self)


def explain(
    model: Source, example: Any = None, device: str | None = None, *,
    input_range: Span | Mapping[str, Span] | None = None, input_scale: float | Mapping[str, float] | None = None,
    tolerance: float | None = None,
) -> Explanation:
    """What `lutra.compile` would make of each operation of a model; options as there.

    Where the model does not compile, what was resolved before the operation in the way is said, and the error is in the
    result. LutraError where the model cannot even be read.
    """
    from lutra.front import load

    example, device = second(example, device)
    loaded = load(model, example)
    low = lowering(find_device(device).family, tolerance)
    lowered, error = None, None
    try:
        lowered = lower(loaded.graph, input_formats(loaded, input_range, input_scale), low.family, low)
    except LutraError as e:
        error = e
    found = _Found(loaded.graph, tuple(low.proofs), _units(lowered, low), lowered, error)
    return Explanation(loaded.name, tuple(found.rows()), str(error) if error else "")


def _units(lowered: Lowered | None, low: Lowering) -> dict[str, list[Node]]:
    """The hardware that was made, by the place in the model that it was made for; but what chains became."""
    chains = {(made.op, made.loc) for (node, _), made in low.solved.items() if made is not node}
    table: dict[str, list[Node]] = {}
    for node in Graph((), lowered.graph.outputs if lowered else tuple(low.solved.values())).nodes:
        if isinstance(node.op, Hardware) and (node.op, node.loc) not in chains:
            table.setdefault(node.loc, []).append(node)
    return table


@dataclass(frozen=True)
class _Found:
    """What lowering left behind."""

    source: Graph
    proofs: tuple[Proof, ...]
    units: Mapping[str, list[Node]]
    lowered: Lowered | None
    error: LutraError | None

    def rows(self) -> Iterable[Row]:
        """A row for each operation of the model, up to the one in the way."""
        stopped = False
        for node in self.source.nodes:
            if isinstance(node.op, Input):
                yield self._input(node)
            elif self.error and node.loc == self.error.at and node is self._main[node.loc]:
                yield Row(node.loc, node.op.kind, "in the way", self.error.what)
                stopped = True
            elif node is self._main[node.loc] or not isinstance(node.op, ORDER):  # else the import's own
                yield Row(node.loc, node.op.kind, "not looked at") if stopped else self._row(node)

    @cached_property
    def _main(self) -> dict[str, Node]:
        """Of the nodes that one operation of the model was imported as, the one that does its work."""
        table: dict[str, Node] = {}
        for node in self.source.nodes:
            first = table.setdefault(node.loc, node)
            if isinstance(first.op, (*ORDER, Elementwise)) and not isinstance(node.op, ORDER):
                table[node.loc] = first if isinstance(first.op, Elementwise) and isinstance(
                    node.op, Elementwise) else node
        return table

    def _input(self, node: Node) -> Row:
        if self.lowered is None:
            return Row(node.loc, "input", "not resolved")
        end = self.lowered.inputs[self.source.inputs.index(node)]
        one = end.scale.array.size == 1
        scale = f"each worth {float(end.scale.array):g}" if one else "with a scale for each channel"
        why = "the host quantises" if end.host else "by input_range and input_scale, or the model's annotation"
        return Row(node.loc, "input", f"integers {end.range}, {scale}", why)

    def _row(self, node: Node) -> Row:
        made = self.units.get(node.loc, []) if node is self._main[node.loc] else []
        if node in self._host:
            return Row(node.loc, node.op.kind, "left to the host", self._host[node])
        chained = isinstance(node.op, Elementwise) or (isinstance(node.op, src.Pairwise) and not made)
        if chained and (found := self._proofs_of(node)):
            return _proved(node, found)
        if made:
            why = _chosen(node.op) if isinstance(node.op, src.Recurrent) and node.op.error else "integers, exact"
            return Row(node.loc, node.op.kind, " + ".join(_told(n) for n in made), why)
        if isinstance(node.op, ORDER):
            return Row(node.loc, node.op.kind, "nothing: the order of elements", "taken up by what reads it")
        if isinstance(node.op, Elementwise) and self.lowered is not None:
            return Row(node.loc, node.op.kind, "a factor and an offset of the integers", "carried on with them")
        return Row(node.loc, node.op.kind, "pending" if self.lowered is None else "part of another operation")

    @cached_property
    def _host(self) -> dict[Node, str]:
        """What the host does, and on which side."""
        found: dict[Node, str] = {}
        if self.lowered is None:
            return found
        for node, end in zip(self.source.inputs, self.lowered.inputs, strict=True):
            for _ in range(_length(end.host)):
                node = self.source.users[node][0]
                found[node] = "before the hardware"
        for node, last in zip(self.source.outputs, self.lowered.outputs, strict=True):
            for _ in range(_length(last.outer)):
                found[node], node = "after the hardware", node.args[0]
            for _ in range(_length(last.inner)):
                while not isinstance(node.op, Elementwise):
                    (node,) = node.args
                found[node], node = "after the hardware", node.args[0]
        return found

    def _proofs_of(self, node: Node) -> list[Proof]:
        """The functions that hardware computes of which this operation is a part, along each way to what reads it."""
        found: list[Proof] = []
        ways: list[tuple[Node, tuple[Node, ...]]] = [(node, (node,))]
        while ways:
            last, way = ways.pop()
            users = self.source.users[last]
            own = self._matching(last.loc, way) if len(users) > 1 else []  # where ways part, it is made once
            if own:
                found += [p for p in own if p not in found]
                continue
            places = [*([END] if last in self.source.outputs else []), *(u.loc for u in users)]
            here = {at: hit for at in places if (hit := self._matching(at, way))}
            found += [p for hit in here.values() for p in hit if p not in found]
            ways += [(u, (*way, u)) for u in users if u.loc not in here and not self._ends_chains(u)]
        return found

    def _ends_chains(self, node: Node) -> bool:
        """Whether what stands before an operation is integers by then: linear ones, and streams that hardware joins."""
        joins = isinstance(node.op, (src.Pairwise, src.Concat)) and node.loc in self.units
        return joins or isinstance(node.op, LAYERS)

    def _matching(self, at: str, way: tuple[Node, ...]) -> list[Proof]:
        """The proofs at a place whose operations end as this way does: at one of its quantisers, or where it ends."""
        steps = [n for n in way if isinstance(n.op, Elementwise)]
        kinds = tuple(n.op.kind for n in steps)
        lengths = [i + 1 for i, n in enumerate(steps) if isinstance(n.op, Elementwise) and n.op.finite]
        here = [p for p in self.proofs if p.at == at]
        for length in (*lengths, len(kinds)):
            hit = [p for p in here if length and p.source_operations[-length:] == kinds[:length]]
            if hit:
                return hit
        if not any(isinstance(n.op, src.Pairwise) for n in way):
            return []
        own = way[0].op.kind.removesuffix("streams")  # on one of two ways that meet again, which are told as one
        return [p for p in here if any("+" in told and own in told.split("+") for told in p.operations)]


def _length(host: Graph | None) -> int:
    """How many operations a part of the host's is."""
    return sum(bool(n.args) for n in host.nodes) if host else 0


def _told(node: Node) -> str:
    return f"{node.op.kind} [{','.join(map(str, node.out.shape))}] {node.out.range}"


def _chosen(op: src.Recurrent) -> str:
    """Which formats inside a layer are not the model's, and what that does to its states."""
    words = {n: getattr(op, n) for n in ("state", "sums", "memory", "sigmoid", "tanh") if hasattr(op, n)}
    formats = "; ".join(f"{n} of {w.width} bits, {w.fraction} behind the point" for n, w in words.items())
    return (f"integers, exact in formats that the import chose ({formats}); states were at most {op.error:.2g} off the "
            "model's own on random sequences")


def _proved(node: Node, proofs: list[Proof]) -> Row:
    """What a chain became, and what was evaluated to know that."""
    became = "; ".join(dict.fromkeys(f"{FORMS.get(p.form, p.form)} ({' + '.join(p.operations)})" for p in proofs))
    checked, ties = sum(p.checked for p in proofs), sum(p.ties for p in proofs)
    walked = all(p.walked for p in proofs)
    why = "equal at every integer of every channel" if walked else "equal at both sides of every step, monotone between"
    note = f"; single precision would differ at {ties:,}" if ties else ""
    if error := max(p.error for p in proofs):
        note += f"; rounded by at most {error:g}, which the model does not do and the tolerance allows"
    return Row(node.loc, node.op.kind, became, f"{why}: {checked:,} values{note}", checked)
