"""A line recogniser: a bidirectional LSTM over the columns of a line, trained with CTC, as FINN-L has for Fraktur."""

from __future__ import annotations

from torch import Tensor, nn

from lutra.quant import LSTM, Binary, CTCCollapse, Fixed, Format, Recipe, Recurrent

HEIGHT, GREYS = 32, 4  # pixels of a column, bits of each


class Reader(nn.Module):
    """Lines (B, T, 32) of pixels / 16, 0 paper, to logits (B, T, classes); class 0 is CTC's blank.

    Its arguments:
        classes: characters and the blank.
        size: H of the LSTM, each direction.
    """

    def __init__(self, classes: int, size: int = 96) -> None:
        super().__init__()
        self.lstm = LSTM(HEIGHT, size, bidirectional=True)
        self.out = nn.Linear(2 * size, classes)
        for name, value in self.lstm.named_parameters():
            if name.startswith("bias_ih"):
                nn.init.ones_(value.data[size : 2 * size])  # remember, until training says otherwise

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits of each column."""
        return self.out(self.lstm(x, lengths))  # type: ignore[no-any-return]


class LineReader(nn.Module):
    """A reader with its greedy decoding, as it is compiled: lines to labels (B, T + 1), then blanks."""

    def __init__(self, reader: nn.Module) -> None:
        super().__init__()
        self.reader, self.collapse = reader, CTCCollapse()

    def forward(self, x: Tensor) -> Tensor:
        """Labels of the classes that follow one another, without repeats and blanks."""
        return self.collapse(self.reader(x).argmax(2))  # type: ignore[no-any-return]


def recipe(weights: int, activations: int) -> Recipe:
    """Formats for so many bits of weights and of states. Pixels have at most 4, sums and memory 16, tables 8.

    A state of one bit is 0 or -1: the sign.
    """
    of_weights: Format = Binary(power=True) if weights == 1 else Fixed(weights)
    state = Fixed(activations, activations - 1, True, "RND" if activations > 1 else "TRN")
    pixels = Fixed(min(activations, GREYS), min(activations, GREYS), False)
    inner = Recurrent(state=state)
    return Recipe(of_weights, state, first_last=0,
                  overrides={"lstm": Recipe(of_weights, pixels, first_last=0, recurrent=inner)})
