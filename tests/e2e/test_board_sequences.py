"""Networks of sequences on boards: the driver against the packaged IP in simulation, and against C simulation."""

import numpy as np
import pytest
import torch
from simulated_board import SimulatedBoard
from test_boards import driver, same
from test_hls_sequences import LENGTHS, LONGEST, calibrated
from torch import nn

import lutra
import lutra.quant as q
from lutra.deploy.boards import board
from lutra.deploy.driver import HOST
from lutra.deploy.interface import layouts
from lutra.hw.verilog import word_bytes
from lutra.sim.csim import CModel
from lutra.tools.find import verilator, yosys


class Small(nn.Module):
    """Scores of each column, and what they spell."""

    def __init__(self):
        super().__init__()
        self.lstm, self.out, self.collapse = q.LSTM(6, 4, bidirectional=True), nn.Linear(8, 5), q.CTCCollapse(2)

    def forward(self, x):
        scores = self.out(self.lstm(x))
        return scores, self.collapse(scores.argmax(2))


BOARDS = {"pynq-z1": ("xc7z020", 1), "u280": ("xcu280", 3)}  # devices, sequences in turn


@pytest.fixture(scope="module", params=BOARDS)
def placed(request, cache, tmp_path_factory):
    """A design for a board, its build folder, and the board in simulation; frames."""
    x = torch.rand(len(LENGTHS), LONGEST, 6, generator=torch.Generator().manual_seed(0)) * 4 - 2
    torch.manual_seed(2)
    device, turn = BOARDS[request.param]
    acc = lutra.compile(calibrated(Small(), x), x[:1], device, fps=100_000, interleave=turn, cache=cache)
    folder = acc.save(tmp_path_factory.mktemp(request.param) / "build", board=request.param)
    simulated = SimulatedBoard(acc, folder, request.param)
    yield acc, folder, simulated, (x.numpy(), LENGTHS)
    simulated.close()


def test_the_driver_gives_the_integer_graph(placed, monkeypatch):
    acc, folder, simulated, (x, lengths) = placed
    net = driver(folder, monkeypatch).Accelerator.open(folder / "driver", simulated)
    wanted = acc.run((x, lengths), raw=True)
    assert len(np.unique(wanted[1])) > 3
    for count in (1, 7, 3):  # packets of several lengths, one after another
        found = net.run(acc.to_board((x[:count], lengths[:count])))
        assert same(found, tuple(y[:count] for y in wanted))
        assert same(acc.from_board(found), acc.run((x[:count], lengths[:count])))


def test_batches_of_sequences_are_cut(placed, monkeypatch):
    acc, folder, simulated, frames = placed
    module = driver(folder, monkeypatch)
    net = module.Accelerator.open(folder / "driver", simulated)
    monkeypatch.setattr(module, "FEW", 2 * max(s.size for s in (*net.inputs, *net.outputs)))
    begin = len(simulated.calls)
    assert same(net.run(acc.to_board(frames)), acc.run(frames, raw=True))
    transfers = [words for words in simulated.calls[begin:] if words[0] == "transfer"]
    assert len(transfers) == -(-len(LENGTHS) // max(2, acc.plan.interleave))
    assert len({words[-2] for words in transfers}) > 2  # bytes of the scores


def test_lengths_that_the_buffer_has_no_room_for(placed, monkeypatch):
    acc, folder, simulated, frames = placed
    net = driver(folder, monkeypatch).Accelerator.open(folder / "driver", simulated)
    x, _ = acc.to_board(frames)
    for length in (0, LONGEST + 1):
        with pytest.raises(ValueError, match=f"the integer {length} is outside 1..{LONGEST}"):
            net.run((x[:1], np.array([[length]])))


def test_verilator_and_yosys_read_the_ip(placed):
    _, folder, _, _ = placed
    code = [f"../{p.relative_to(folder)}" for p in sorted(folder.rglob("*.*v")) if p.suffix in (".sv", ".v")]
    assert "../vendor/rtl/fill.sv" in code
    verilator()("--lint-only", "-Wall", "-Wno-DECLFILENAME", "-Wno-UNUSEDSIGNAL", "-Wno-PINCONNECTEMPTY",
                "--top-module", "lutra_ip", *code, cwd=folder / "rtl")
    yosys()("-p", f"read_verilog -sv -defer {' '.join(code)}; hierarchy -check -top lutra_ip; proc; opt_clean; "
            "check -assert; select -assert-none t:$dlatch t:$adlatch", cwd=folder / "rtl", timeout_s=300)


class Compiled:
    """A board around what HLS makes of the design: its C simulation, behind words padded to beats."""

    def __init__(self, acc, name, identity):
        self.netlist, self.identity = acc.hls_netlist, identity
        self.model = CModel.build(self.netlist, acc.cache)
        self.inputs, self.outputs = layouts(self.netlist, board(name))

    def write(self, port, offset, value):
        assert port == HOST

    def read(self, port, offset):
        return self.identity

    def transfer(self, sent, sizes):
        words = tuple(np.ascontiguousarray(raw.reshape(-1, x.padded)[:, : word_bytes(x.width)])
                      for raw, x in zip(sent, self.inputs, strict=True))
        found = self.model.run(words)
        raw = [np.pad(w, ((0, 0), (0, x.padded - w.shape[1]))).ravel()
               for w, x in zip(found, self.outputs, strict=True)]
        assert [len(r) for r in raw] == list(sizes)
        return raw


def test_all_columns_travel_to_what_hls_makes(placed, tmp_path, monkeypatch):
    acc, _, _, frames = placed
    (name,) = [n for n, device in BOARDS.items() if device == (acc.plan.device.name, acc.plan.interleave)]
    folder = acc.save(tmp_path / "build", backend="hls", board=name)
    assert "lutra_fill" not in (folder / "vendor" / "rtl" / "lutra_ip.v").read_text()
    module = driver(folder, monkeypatch)
    facts = module.json.loads((folder / "driver" / "format.json").read_text())
    net = module.Accelerator.open(folder / "driver", Compiled(acc, name, facts["id"]))
    assert same(net.run(acc.to_board(frames)), acc.run(frames, raw=True))
