"""Groups of channels that turn out to be one: a union-find."""

from __future__ import annotations

import math

from lutra.quant.search.axes import FIXED, Part


class Sets:
    """Numbers of groups, of which some are the same; what is known of each stands at its representative."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.width: list[int] = []
        self.multiple: list[int] = []
        self.held: list[str] = []

    def new(self, width: int) -> int:
        """One more group."""
        self.parent.append(len(self.parent))
        self.width.append(width)
        self.multiple.append(1)
        self.held.append("")
        return len(self.parent) - 1

    def find(self, group: int) -> int:
        """Its representative."""
        while self.parent[group] != group:
            self.parent[group] = group = self.parent[self.parent[group]]
        return group

    def union(self, a: int, b: int) -> None:
        """Both are one, of the same width."""
        a, b = sorted((self.find(a), self.find(b)))
        assert self.width[a] == self.width[b]
        self.parent[b] = a
        self.multiple[a] = math.lcm(self.multiple[a], self.multiple[b])
        self.held[a] = self.held[a] or self.held[b]

    def hold(self, parts: tuple[Part, ...], why: str) -> None:
        """These have to stay as many as they are; the first reason is kept."""
        for part in parts:
            if part.group != FIXED:
                root = self.find(part.group)
                self.held[root] = self.held[root] or why

    def divide(self, parts: tuple[Part, ...], by: int) -> None:
        """Each of these has to be a multiple of a number."""
        for part in parts:
            if part.group != FIXED:
                root = self.find(part.group)
                self.multiple[root] = math.lcm(self.multiple[root], by)

    def meet(self, a: tuple[Part, ...], b: tuple[Part, ...]) -> tuple[Part, ...]:
        """Two streams meet element by element: their groups are the same, part by part; what the result consists of.

        A stream that was padded to the width of another is no tie: how much padding there is follows from both.
        """
        if [(p.width, p.inner) for p in a] == [(p.width, p.inner) for p in b]:
            for p, q in zip(a, b, strict=True):
                if FIXED not in (p.group, q.group):
                    self.union(p.group, q.group)
                else:
                    self.hold((p, q), "they meet channels that are no layer's")
            return a
        for whole, other in ((a, b), (b, a)):
            if len(whole) == 1 and any(p.group == FIXED for p in other) and len({p.inner for p in (*a, *b)}) == 1:
                return whole
        self.hold((*a, *b), "channels of several groups meet those of others")
        return a
