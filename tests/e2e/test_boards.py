"""Whole designs on boards: the driver of a build folder against the packaged IP, in simulation, bit for bit."""

import functools
import importlib.util
import json
import shutil
import sys
from importlib.resources import files
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from simulated_board import SimulatedBoard
from test_ends import FORMATS, Q, two_way

import lutra
from lutra import LutraError
from lutra.cli import call
from lutra.hw.forms import SIMULATED
from lutra.hw.verilog import word_bytes
from lutra.tools.find import ap_types, compiler, verilator, yosys
from lutra.tools.run import run

RNG = np.random.default_rng(3)
DIGITS = (files("lutra.data") / "digits.onnx").read_bytes()


def matrix():
    """A single matrix of 24 inputs and 8 outputs, whose words are wider than a memory port on both sides."""
    nodes = [helper.make_node("Quant", ["w", "scale", "zero", "bits"], ["wq"], domain=Q, signed=1),
             helper.make_node("MatMul", ["x", "wq"], ["y"])]
    constants = {"w": RNG.integers(-7, 8, (24, 8)) / 8, "scale": 0.125, "zero": 0.0, "bits": 4.0}
    stored = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in constants.items()]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ("N", c)) for n, c in (("x", 24), ("y", 8)))
    graph = helper.make_graph(nodes, "matrix", [x], [y], stored)
    ids = [helper.make_opsetid("", 13), helper.make_opsetid(Q, 1)]
    return helper.make_model(graph, opset_imports=ids).SerializeToString()


DESIGNS = {
    "pynq-z1": (matrix(), {"device": "xc7z020", "folding": {"matmul0": {"pe": 8, "simd": 24}}, "weights": "written",
                           "input_range": (0, 16), "input_scale": 1 / 16}),
    "ultra96-v2": (DIGITS, {"device": "xczu3eg", "fps": 20_000, "weights": "offchip", "input_range": (0, 16),
                            "input_scale": 1 / 16}),
    "zcu104": (two_way().SerializeToString(), {"device": "xczu7ev", "fps": 500_000, **FORMATS}),
    "u280": (two_way().SerializeToString(), {"device": "xcu280", "fps": 500_000, **FORMATS}),
}


@pytest.fixture(scope="module")
def build(cache, tmp_path_factory):
    """A function of a board's name that gives a design for it, its build folder, and the board in simulation."""
    boards = {}

    def made(name):
        model, options = DESIGNS[name]
        acc = lutra.compile(model, **options, cache=cache)
        folder = acc.save(tmp_path_factory.mktemp(name) / "build", board=name)
        boards[name] = SimulatedBoard(acc, folder, name)
        return acc, folder, boards[name]

    yield functools.cache(made)
    for board in boards.values():
        board.close()


def driver(folder, monkeypatch):
    """The build folder's own driver, imported as it is on a board: beside words.py, without the package."""
    monkeypatch.syspath_prepend(str(folder / "driver"))
    monkeypatch.delitem(sys.modules, "words", raising=False)
    spec = importlib.util.spec_from_file_location("board_driver", folder / "driver" / "driver.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "board_driver", module)
    spec.loader.exec_module(module)
    return module


def drawn(acc, count):
    """Random integers for each input in the model's layout."""
    fed = [e.range.lo + e.range.step * RNG.integers(0, e.range.levels, (count, *e.source_shape))
           for e in acc.lowered.inputs]
    return fed[0] if len(fed) == 1 else tuple(fed)


def same(found, wanted):
    found, wanted = (v if isinstance(v, tuple) else (v,) for v in (found, wanted))
    return len(found) == len(wanted) and all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("name", DESIGNS)
def test_the_driver_gives_the_integer_graph(build, name, monkeypatch):
    acc, folder, board = build(name)
    net = driver(folder, monkeypatch).Accelerator.open(folder / "driver", board)
    for count in (1, 7, 2):  # packets of several lengths, one after another
        x = drawn(acc, count)
        y = net.run(acc.to_board(x))
        assert same(y, acc.run(x, raw=True))
        assert same(acc.from_board(y), acc.run(x)) and same(net.real(y), acc.run(x))


def test_weights_are_written_through_the_ip(build, monkeypatch):
    acc, folder, board = build("pynq-z1")
    net = driver(folder, monkeypatch).Accelerator.open(folder / "driver", board)
    x, other = drawn(acc, 4), RNG.integers(-7, 8, (8, 24))
    net.write(acc.writes({"matmul0": other}))
    assert same(net.run(x), acc.with_weights({"matmul0": other}).run(x, raw=True))
    net.write(acc.writes({"matmul0": acc.plan.graph.nodes[1].op.weights.array}))
    assert same(net.run(x), acc.run(x, raw=True))


@pytest.mark.parametrize("name", DESIGNS)
def test_a_build_folder_for_a_board_is_read_back(build, name, cache):
    acc, folder, _ = build(name)
    again = lutra.load(folder, cache=cache)
    assert same(again.to_board(x := drawn(acc, 3)), acc.to_board(x)) and same(again.run(x), acc.run(x))


class Buffer(np.ndarray):
    """What pynq.allocate gives."""

    physical_address = 0x16800000

    def flush(self):
        pass

    def freebuffer(self):
        pass


class Channel:
    """A DMA engine's channel over the simulated board."""

    def __init__(self, overlay, way, k):
        self.overlay, self.way, self.k = overlay, way, k

    def transfer(self, buffer):
        self.overlay.queued[self.way, self.k] = buffer
        self.overlay.go()

    def wait(self):
        assert (self.way, self.k) in self.overlay.done


def overlay(board, inputs, outputs, addresses):
    """The module `pynq` over a simulated board."""
    class Overlay:
        def __init__(self, path):
            assert path.endswith("driver/lutra.bit")
            self.queued, self.done = {}, set()

        def __getattr__(self, name):
            k = int(name.removeprefix("engine"))
            return SimpleNamespace(sendchannel=Channel(self, "in", k), recvchannel=Channel(self, "out", k))

        def go(self):
            if len(self.queued) == inputs + outputs:
                found = board.transfer([self.queued["in", k] for k in range(inputs)],
                                       [self.queued["out", k].size for k in range(outputs)])
                for k, raw in enumerate(found):
                    self.queued["out", k][:] = raw
                self.done, self.queued = set(self.queued), {}

    def mapped(address, size):
        port = next(name for name, place in addresses.items() if place == [address, size])
        return SimpleNamespace(write=lambda at, v: board.write(port, at, v), read=lambda at: board.read(port, at))

    def allocate(shape, kind):
        return np.zeros(shape, kind).view(Buffer)

    return SimpleNamespace(Overlay=Overlay, MMIO=mapped, allocate=allocate)


def test_the_driver_over_pynq(build, monkeypatch):
    acc, folder, board = build("pynq-z1")
    facts = json.loads((folder / "driver" / "format.json").read_text())
    monkeypatch.setitem(sys.modules, "pynq", overlay(board, 1, 1, facts["addresses"]))
    net = driver(folder, monkeypatch).Accelerator.open()
    x = drawn(acc, 3)
    assert same(net.run(acc.to_board(x)), acc.run(x, raw=True))


def test_the_driver_over_pcie(tmp_path, monkeypatch):
    from lutra.deploy.driver import Pcie

    device = str(tmp_path / "xdma0")
    (tmp_path / "xdma0_user").write_bytes(bytes(8192))
    (tmp_path / "xdma0_h2c_0").touch()
    (tmp_path / "xdma0_c2h_0").write_bytes(bytes(range(200)))
    board = Pcie({"addresses": {"s_axi_host": [0, 4096], "s_axi": [4096, 4096]}}, device)
    board.write("s_axi", 8, 0xDEADBEEF)
    assert board.read("s_axi", 8) == 0xDEADBEEF and board.read("s_axi_host", 8) == 0
    (found,) = board.transfer([np.arange(100, dtype=np.uint8)], [150])
    assert np.array_equal(found, np.arange(150)) and (tmp_path / "xdma0_h2c_0").read_bytes() == bytes(range(100))
    with pytest.raises(RuntimeError, match="50 bytes early"):
        board.transfer([np.zeros(1, np.uint8)], [250])
    with pytest.raises(RuntimeError, match="not connected"):
        board.place(b"1234")


def test_the_driver_refuses_another_design_and_bad_frames(build, monkeypatch):
    _, folder, board = build("ultra96-v2")
    module = driver(folder, monkeypatch)
    net = module.Accelerator.open(folder / "driver", board)
    with pytest.raises(ValueError, match=r"the integer 17 is outside 0\.\.16"):
        net.run(np.full((1, 1, 8, 8), 17))
    with pytest.raises(ValueError, match="float"):
        net.run(np.zeros((1, 1, 8, 8)))
    with pytest.raises(ValueError, match="0 frames"):
        net.run(np.zeros((0, 1, 8, 8), int))
    net.facts["id"] ^= 1
    with pytest.raises(RuntimeError, match="this driver is for"):
        net._start(folder / "driver")


def test_registers_of_the_host(build):
    acc, folder, _ = build("ultra96-v2")
    board = SimulatedBoard(acc, folder, "ultra96-v2")  # held in reset, as no region was said
    image = board.place(bytes(3 * 4096))
    for k in range(len(acc.netlist.regions)):
        board.write("s_axi_host", 16 + 8 * k, 0x1000 * (k + 5))
        board.write("s_axi_host", 20 + 8 * k, k + 7)
    assert [board.read("s_axi_host", 16 + 4 * k) for k in range(6)] == [0x5000, 7, 0x6000, 8, 0x7000, 9]
    board.write("s_axi_host", 4, 12345)
    assert board.read("s_axi_host", 4) == 12345 and image % 4096 == 0
    for refused in (("write", 8), ("write", 12), ("write", 40), ("read", 40)):
        with pytest.raises(AssertionError, match="is refused"):
            board.ask(refused[0], "s_axi_host", refused[1], 1)
    board.close()


def test_words_wait_until_the_design_runs(build):
    _, _, board = build("pynq-z1")
    words = [np.zeros(16, np.uint8)]
    board.write("s_axi_host", 0, 0)
    with pytest.raises(AssertionError, match="words are not taken"):
        board.transfer(words, [0])
    board.write("s_axi_host", 0, 1)
    board.write("s_axi_host", 4, 1)
    assert len(board.transfer(words, [16])[0]) == 16


def test_a_design_that_reads_memory_does_not_stop(build, monkeypatch):
    for name, stays in (("zcu104", 0), ("ultra96-v2", 1)):
        _, folder, board = build(name)
        driver(folder, monkeypatch).Accelerator.open(folder / "driver", board)
        board.write("s_axi_host", 0, 0)
        assert board.read("s_axi_host", 0) == stays
        board.write("s_axi_host", 0, 1)


def test_long_batches_are_cut(build, monkeypatch):
    acc, folder, board = build("u280")
    module = driver(folder, monkeypatch)
    monkeypatch.setattr(module, "FEW", 5000)
    net = module.Accelerator.open(folder / "driver", board)
    x, begin = drawn(acc, 2 * net.batch + 1), len(board.calls)
    assert net.batch > 1 and same(net.run(acc.to_board(x)), acc.run(x, raw=True))
    assert sum(words[0] == "transfer" for words in board.calls[begin:]) == 3


def test_command_line(tmp_path, cache, capsys):
    (tmp_path / "m.onnx").write_bytes(DIGITS)
    options = ["--input-range", "0", "16", "--input-scale", "0.0625", "--fps", "20000", "--cache", str(cache)]
    assert call(["build", str(tmp_path / "m.onnx"), "--board", "pynq-z1", *options, "-o", str(tmp_path / "b")]) == 0
    assert (tmp_path / "b" / "vendor" / "system.tcl").is_file() and (tmp_path / "b" / "driver" / "driver.py").is_file()
    assert json.loads((tmp_path / "b" / "lutra.json").read_text())["plan"]["device"] == "xc7z020"
    capsys.readouterr()
    wrong = ["build", str(tmp_path / "m.onnx"), "--board", "zcu104", "--device", "xc7z020", *options]
    assert call([*wrong, "-o", str(tmp_path / "c")]) == 2 and not (tmp_path / "c").exists()
    assert "carries xczu7ev" in capsys.readouterr().err
    assert call(["build", str(tmp_path / "m.onnx"), "--board", "zcu", *options]) == 2
    assert "zcu104" in capsys.readouterr().err
    assert call(["boards", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["pynq-z1", "ultra96-v2", "zcu104", "u280"]


def test_the_board_must_carry_the_device(cache, tmp_path):
    model, options = DESIGNS["zcu104"]
    acc = lutra.compile(model, **options, cache=cache)
    with pytest.raises(LutraError, match="the board u280 carries xcu280"):
        acc.save(tmp_path / "x", board="u280")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", DESIGNS)
def test_verilator_and_yosys_read_the_ip(build, name):
    """Without a warning but for what parametric modules have in their smallest shapes; no latch, no loop."""
    _, folder, _ = build(name)
    code = [f"../{p.relative_to(folder)}" for p in sorted(folder.rglob("*.*v")) if p.suffix in (".sv", ".v")]
    verilator()("--lint-only", "-Wall", "-Wno-DECLFILENAME", "-Wno-UNUSEDSIGNAL", "-Wno-PINCONNECTEMPTY",
                "--top-module", "lutra_ip", *code, cwd=folder / "rtl")
    yosys()("-p", f"read_verilog -sv -defer {' '.join(code)}; hierarchy -check -top lutra_ip; proc; opt_clean; "
            "check -assert; select -assert-none t:$dlatch t:$adlatch", cwd=folder / "rtl", timeout_s=300)


@pytest.fixture(scope="module")
def hls(cache, tmp_path_factory):
    """A design in HLS form for a board, and its build folder."""
    model, options = DESIGNS["zcu104"]
    acc = lutra.compile(model, **options, cache=cache)
    return acc, acc.save(tmp_path_factory.mktemp("hls") / "build", backend="hls", board="zcu104")


def benched(folder, place):
    """The test bench of a build folder, as a vendor's compiler sees the code: without what is for our own C simulation
    alone."""
    include = [f"-I{folder / 'hls'}", "-isystem", SIMULATED, "-isystem", ap_types()]
    code = [folder / "hls" / "lutra_top.cpp", folder / "vendor" / "testbench.cpp"]
    compiler()("-std=c++14", "-O0", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Wno-uninitialized",
               "-Wno-maybe-uninitialized", "-Werror", *include, *code, "-o", place / "bench")
    return str(place / "bench")


def test_the_test_bench_finds_the_results(hls, tmp_path):
    acc, folder = hls
    vectors, bench = folder / "vendor" / "vectors.bin", benched(folder, tmp_path)
    assert run([bench, str(vectors)]).strip() == "2 frames, 0 wrong words"
    raw = bytearray(vectors.read_bytes())
    raw[-1] ^= 1
    (tmp_path / "wrong").write_bytes(raw)
    with pytest.raises(LutraError, match="1 wrong words"):
        run([bench, str(tmp_path / "wrong")])
    assert acc.vectors(3)[: len(raw)] != acc.vectors(3, seed=1)[: len(raw)]


@pytest.mark.parametrize("weights", ["written", "offchip"])
def test_the_test_bench_gives_the_memories(weights, cache, tmp_path):
    model, options = DESIGNS["pynq-z1"]
    acc = lutra.compile(model, **{**options, "weights": weights, "folding": {"matmul0": {"pe": 2, "simd": 8}}},
                        cache=cache)
    folder = acc.save(tmp_path / "build", backend="both", board="pynq-z1")
    assert run([benched(folder, tmp_path), str(folder / "vendor" / "vectors.bin")]).strip() == "2 frames, 0 wrong words"
    with pytest.raises(LutraError, match="weights that are constants"):
        acc.save(tmp_path / "other", backend="hls", board="pynq-z1")


ADAPTER = """\
module lutra_top (
  input wire ap_clk, input wire ap_rst_n,
  {ports}
);
  rtl_top rtl (.clk(ap_clk), .rst(!ap_rst_n), {wired});
  {rest}
endmodule
"""


def as_hls_names_them(acc):
    """The RTL under the names of the module that Vitis HLS makes."""
    ports, wired, rest = [], [], []
    for way, name, ends in (("input", "s_axis", acc.netlist.inputs), ("output", "m_axis", acc.netlist.outputs)):
        back = "output" if way == "input" else "input"
        for k, end in enumerate(ends):
            p, size = f"{name}{k}", word_bytes(acc.netlist.width(end.stream))
            ports += [f"{way} wire [{8 * size - 1}:0] {p}_TDATA", f"{way} wire {p}_TVALID", f"{back} wire {p}_TREADY"]
            wired += [f".{p}_{x}({p}_{x.upper()})" for x in ("tdata", "tvalid", "tready")]
            if way == "output":
                ports += [f"output wire [{size - 1}:0] {p}_TKEEP, {p}_TSTRB", f"output wire {p}_TLAST"]
                wired.append(f".{p}_tlast({p}_TLAST)")
                rest.append(f"assign {p}_TKEEP = '1; assign {p}_TSTRB = '1;")
    return ADAPTER.format(ports=", ".join(ports), wired=", ".join(wired), rest=" ".join(rest))


def test_the_ip_around_what_hls_makes(hls, tmp_path, monkeypatch):
    """With the RTL in the place of what synthesis would leave, under its names."""
    acc, folder = hls
    place = tmp_path / "build"
    shutil.copytree(folder, place)
    (place / "rtl").mkdir()
    for name, text in acc.rtl().items():
        (place / "rtl" / name).write_text(text.replace("module lutra_top (", "module rtl_top ("))
        (place / "vendor" / "rtl" / name).unlink(missing_ok=True)
    (place / "vendor" / "rtl" / "hls_top.sv").write_text(as_hls_names_them(acc))
    board = SimulatedBoard(acc, place, "zcu104")
    try:
        net = driver(place, monkeypatch).Accelerator.open(place / "driver", board)
        x = drawn(acc, 3)
        assert same(net.run(acc.to_board(x)), acc.run(x, raw=True))
    finally:
        board.close()
