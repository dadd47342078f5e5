"""The schedule of a window unit: two loops, coupled by whole rows through a circular buffer.

The writer may start a row when the row that it overwrites was given back; the reader may start a row of outputs when
its last input row is complete. These are max-plus recurrences: the interval is their greatest cycle mean (R. M. Karp,
"A characterization of the minimum cycle mean in a digraph", Discrete Mathematics 23, 1978).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

GIVEN_BACK = 2  # cycles from the last read of a row of outputs to the first write into what it gave back
COMPLETE = 1  # cycles from the last write of a row to the first read that needs it
SLACK = Fraction(17, 16)  # an interval this much longer than need be is worth a smaller memory
SETTLED = 4  # frames after which the interval is the same for ever

State = tuple[int, int, tuple[int, ...]]


@dataclass(frozen=True)
class Rows:
    """What the schedule depends on. A frame has `height` rows of `write` words and `out_rows` rows of outputs of
    `read` words; each needs `need` rows, the first `stride` after those of the one before. The buffer has `slots` rows.
    """

    height: int
    out_rows: int
    need: int
    stride: int
    write: int
    read: int
    slots: int = 0

    @property
    def at_end(self) -> int:
        """Rows that the last row of outputs gives back: its own, and those that no window reaches."""
        return self.height - (self.out_rows - 1) * self.stride

    @property
    def debt(self) -> int:
        """The most rows that are given back before they are written."""
        return max(self.at_end, self.stride if self.out_rows > 1 else 0) - self.need

    @property
    def reset(self) -> State:
        """When the last word was written, the last read, and each slot given back: all long ago, at reset."""
        return -1, -1, (-GIVEN_BACK,) * self.slots

    def frame(self, state: State, write: Callable[[int, int], int], read: Callable[[int], int]) -> State:
        """One frame. write(row, earliest): when the row's last word is taken, if its first may be at `earliest`.
        read(start): when the last word of the next row of outputs is read, if its first is at `start` or later.
        """
        wrote, ended, back = state
        free, row_out = list(back), 0
        for row in range(self.height):
            wrote = write(row, max(wrote + 1, free[row] + GIVEN_BACK))
            while row_out < self.out_rows and row_out * self.stride + self.need - 1 == row:
                ended = read(max(ended + 1, wrote + COMPLETE))
                row_out += 1
                free += [ended] * (self.stride if row_out < self.out_rows else self.at_end)
        return wrote, ended, tuple(free[self.height:])

    def freely(self, state: State) -> State:
        """One frame whose words are always there."""
        return self.frame(state, lambda _, earliest: earliest + self.write - 1, lambda start: start + self.read - 1)

    def interval(self) -> Fraction:
        """Cycles a frame in the long run."""
        size = self.slots + 2
        states = [self.reset]
        for _ in range(size):
            states.append(self.freely(states[-1]))
        flat = [(s[0], s[1], *s[2]) for s in states]
        return max(min(Fraction(flat[size][v] - flat[k][v], size - k) for k in range(size)) for v in range(size))

    def settles(self, interval: Fraction) -> bool:
        """Whether frames keep this very interval from early on."""
        state, ends = self.reset, []
        for _ in range(2 * SETTLED):
            state = self.freely(state)
            ends.append(state[1])
        return all(b - a == interval for a, b in zip(ends[SETTLED - 1:], ends[SETTLED:], strict=False))


@cache
def fitted(rows: Rows) -> tuple[Rows, int]:
    """With the number of slots, and the interval that it gives.

    The least memory (in powers of two, as memories come) whose interval is a whole number and within SLACK of the
    slower loop's own; in that memory the least interval, and for that the fewest slots. One slot more than is needed
    lets writing overlap reading; more of them shorten the wait at the end of a frame, where all `need` rows are new.
    """
    slower = max(rows.height * rows.write, rows.out_rows * rows.read)
    chosen: tuple[int, Rows] | None = None
    for slots in range(rows.need + 1, 2 * rows.need + rows.stride + 8):
        found = replace(rows, slots=slots)
        if chosen and _depth(found) > _depth(chosen[1]):
            break
        interval = found.interval()
        good = interval.denominator == 1 and interval <= SLACK * slower and found.settles(interval)
        if good and (chosen is None or interval < chosen[0]):
            chosen = int(interval), found
    assert chosen, rows
    return chosen[1], chosen[0]


def _depth(rows: Rows) -> int:
    return (rows.slots * rows.write - 1).bit_length()
