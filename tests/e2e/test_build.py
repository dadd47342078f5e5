"""Builds: saved whole, read back exactly, refused in one sentence, nothing left behind."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest

import lutra
from lutra import LutraError
from lutra.plan.devices import device
from lutra.plan.folding import for_fps

DIGITS = Path(str(files("lutra") / "data" / "digits.onnx"))
FORMAT = {"input_range": (0, 16), "input_scale": 1 / 16}
HOSTILE = ["../../x", "a;rm -rf b", "<script>alert(1)</script>", "module", "x" * 300, "Größe→图", "Conv", "conv",
           "`$(id)`"]


@pytest.fixture(scope="module")
def acc(cache):
    return lutra.compile(DIGITS, fps=50_000, **FORMAT, cache=cache)


def frames(acc, count=50):
    return np.random.default_rng(0).integers(0, 17, (count, *acc.lowered.input.source_shape))


def test_saved_and_read_back(acc, tmp_path, cache):
    x = frames(acc)
    acc.verify(x, stalls=0.3)
    acc.save(tmp_path / "build")
    again = lutra.load(tmp_path / "build", cache=cache)
    assert np.array_equal(again.run(x), acc.run(x))
    assert np.array_equal(again.reference(x), acc.reference(x))
    assert np.array_equal(again.simulate(x, stalls=0.2, raw=True), acc.run(x, raw=True))
    assert (again.interval, again.latency, again.rtl()) == (acc.interval, acc.latency, acc.rtl())
    assert again.summary().data() == acc.summary().data()
    report = json.loads((tmp_path / "build" / "report.json").read_text())
    assert report == json.loads(json.dumps(acc.summary().data()))
    again.save(tmp_path / "build")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["build"]


def test_measured_cycles_are_the_plan_s(acc):
    assert acc.measure() == {"interval": acc.interval, "latency": acc.latency}


def test_slow_designs_are_waited_for(acc, monkeypatch):
    """A frame takes longer than the simulator would wait by itself."""
    monkeypatch.setattr(lutra.accelerator, "PATIENCE", 1)
    frames = np.random.default_rng(1).integers(0, 17, (2, *acc.lowered.input.source_shape))
    assert acc.verify(frames) == acc.verify(frames, stalls=0.5) > 0
    with pytest.raises(LutraError, match="deadlock"):
        acc._model.run(acc._encoded((frames.reshape(-1, *acc.lowered.input.shape),)), patience=acc.latency // 8)


def test_integers_and_real_numbers_are_the_same_frames(acc):
    x = frames(acc)
    assert np.array_equal(acc.run(x), acc.run(x / 16))
    assert np.array_equal(acc.run(x), acc.run((x / 16).astype(np.float32)))
    assert np.array_equal(acc.reference(x), acc.reference(x / 16))


def test_frames_and_formats_by_name(acc, cache):
    (name,) = acc.input_names
    x = frames(acc)
    named = lutra.compile(DIGITS, fps=50_000, input_range={name: (0, 16)}, input_scale={name: 1 / 16}, cache=cache)
    assert np.array_equal(named.run({name: x}), acc.run(x)) and named.rtl() == acc.rtl()
    with pytest.raises(LutraError, match="no input 'y'"):
        acc.run({"y": x})


def hostile_model():
    """The digits network with every name a user could dread."""
    model = onnx.load(DIGITS)
    names = iter(HOSTILE * 10)
    for node in model.graph.node:
        node.name = next(names)
    model.graph.name = HOSTILE[0]
    table = {}
    for node in model.graph.node:
        for i, out in enumerate(node.output):
            if out != model.graph.output[0].name:
                table[out] = node.output[i] = f"{out}{HOSTILE[len(table) % len(HOSTILE)]}"
        for i, name in enumerate(node.input):
            node.input[i] = table.get(name, name)
    return model


def test_hostile_names_reach_no_file(acc, tmp_path, cache):
    bad = lutra.compile(hostile_model(), fps=50_000, **FORMAT, cache=cache)
    assert bad.rtl() == acc.rtl()
    x = frames(acc)
    assert np.array_equal(bad.run(x), acc.run(x))
    bad.save(tmp_path / "build")
    written = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")}
    assert all(re.fullmatch(r"[\w./-]+", name) and ".." not in name for name in written)
    page = (tmp_path / "build" / "report.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;" in page
    assert np.array_equal(lutra.load(tmp_path / "build", cache=cache).run(x), acc.run(x))


@pytest.mark.parametrize(("options", "text"), [
    ({"device": "ecp5-85"}, "ecp5-85k"),
    ({"fps": 1e9}, r"at most [\d.e+]+ frames/s"),
    ({"fps": -1.0}, "rate"),
    ({"fps": 1000, "budget": 0.5}, "one of fps, budget and folding"),
    ({"folding": {"matmul0": {"pe": 5}}}, "pe=5 does not divide 8 rows .try 2 or 4"),
    ({"folding": {"nothing": {"pe": 1}}}, "no layer 'nothing'"),
    ({"folding": "absent.toml"}, "absent.toml"),
    ({"clock_mhz": 0.0, "fps": 100}, "MHz|clock"),
    ({"input_range": (0, 16), "input_scale": None}, "input_scale is missing"),
    ({"input_scale": -1.0}, "not a positive number"),
    ({"input_range": (3, 3)}, "not a range"),
    ({"input_range": {"images": (0, 3)}}, "no input 'images' .its inputs are"),
    ({"input_scale": {}}, "input_scale is missing"),
])
def test_bad_options_are_one_sentence(options, text, cache):
    with pytest.raises(LutraError, match=text) as caught:
        lutra.compile(DIGITS, **{**FORMAT, **options}, cache=cache)
    assert "\n" not in str(caught.value)


def test_a_device_that_is_too_small_says_by_how_much(acc, cache, monkeypatch):
    from dataclasses import replace

    import lutra.build

    base = replace(device("ecp5-25k"), bram=0, dsp=0)
    need, least = (for_fps(acc.lowered.graph, base, 100.0, fps).cost.lut for fps in (150_000, 50_000))
    assert need - least > 10
    small = replace(base, lut=int(need + least) // 2, ff=2000)  # too few for memories of flip-flops
    monkeypatch.setattr(lutra.build, "find_device", lambda name: small)
    with pytest.raises(LutraError, match=f"LUT.*{small.lut}") as caught:
        lutra.compile(DIGITS, "ecp5-25k", fps=150_000, **FORMAT, cache=cache)
    assert "frames/s" in caught.value.hint


def test_a_missing_compiler_is_one_sentence(acc, tmp_path, monkeypatch):
    from lutra.tools import find

    monkeypatch.setattr(find, "_which", lambda name: None)
    monkeypatch.setattr(find, "_package", lambda name: None)
    for tool in (find.compiler, find.verilator):
        tool.cache_clear()
    try:
        fresh = lutra.compile(DIGITS, fps=50_000, **FORMAT, cache=tmp_path / "cache")
        with pytest.raises(LutraError, match="pip install") as caught:
            fresh.simulate(frames(fresh, 2))
    finally:
        for tool in (find.compiler, find.verilator):
            tool.cache_clear()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").iterdir())


def test_a_full_disk_leaves_nothing(acc, tmp_path, monkeypatch):
    real = Path.write_text

    def full(self, *args, **kwargs):
        if self.suffix == ".hex":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(LutraError, match="the disk is full"):
        acc.save(tmp_path / "build")
    assert not list(tmp_path.iterdir())


def test_a_failed_save_keeps_the_old_build(acc, tmp_path, monkeypatch):
    acc.save(tmp_path / "build")
    before = (tmp_path / "build" / "lutra.json").read_bytes()
    monkeypatch.setattr(Path, "write_text", lambda *a, **k: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(LutraError):
        acc.save(tmp_path / "build")
    assert (tmp_path / "build" / "lutra.json").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["build"]


def test_foreign_files_are_not_overwritten(acc, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(LutraError, match="not Lutra's"):
        acc.save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("damage", ["integer.graph", "ends.npz", "lutra.json"])
def test_a_damaged_build_is_one_sentence(acc, tmp_path, damage, cache):
    acc.save(tmp_path / "build")
    path = tmp_path / "build" / damage
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(LutraError) as caught:
        lutra.load(tmp_path / "build", cache=cache)
    assert "\n" not in str(caught.value)
    with pytest.raises(LutraError, match="not a build folder"):
        lutra.load(tmp_path, cache=cache)


def test_ctrl_c_in_mid_build_leaves_nothing(tmp_path):
    """Interrupted while Verilator and the compiler run: exit status 130, no folder, no drafts, no processes."""
    command = [sys.executable, "-m", "lutra", "build", str(DIGITS), "--fps", "50000", "--input-range", "0", "16",
               "--input-scale", "0.0625", "--measure", "-o", str(tmp_path / "build"), "--cache",
               str(tmp_path / "cache")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "cache").glob(".*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not (tmp_path / "build").exists()
    assert not list((tmp_path / "cache").glob(".*")) and [p.name for p in tmp_path.iterdir()] == ["cache"]
