"""The command line on the shipped network: results, JSON, configuration, errors in one sentence, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import lutra
from lutra.cli import call
from lutra.cli.console import plain, table
from lutra.cli.demo import digits

DIGITS = Path(lutra.__file__).parent / "data" / "digits.onnx"
FORMAT = ["--input-range", "0", "16", "--input-scale", "0.0625"]


@pytest.fixture
def lutra_(capsys, cache):
    """Run a command line: exit code, stdout, stderr."""
    def run(*argv):
        needs_cache = argv[0] in ("build", "simulate", "run", "report", "demo")
        code = call([str(a) for a in argv] + (["--cache", str(cache)] if needs_cache else []))
        out, err = capsys.readouterr()
        return code, out, err
    return run


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A build folder of the digits network."""
    folder = tmp_path_factory.mktemp("digits") / "build"
    assert call(["build", str(DIGITS), *FORMAT, "--fps", "20000", "-o", str(folder)]) == 0
    return folder


@pytest.fixture
def images(tmp_path):
    """Five frames as an .npy file."""
    np.save(tmp_path / "x.npy", digits()[0][:5])
    return tmp_path / "x.npy"


def test_build_prints_json_and_writes_the_same(lutra_, tmp_path):
    code, out, _ = lutra_("build", DIGITS, *FORMAT, "--fps", 20000, "-o", tmp_path / "b", "--json")
    printed = json.loads(out)
    written = json.loads((tmp_path / "b" / "report.json").read_text())
    assert code == 0 and printed.pop("folder") == str(tmp_path / "b")
    assert printed == written and printed["throughput"]["fps"] >= 20000
    assert (tmp_path / "b" / "report.html").read_text().startswith("<!doctype html>")


def test_build_for_people(lutra_, tmp_path):
    code, out, err = lutra_("build", DIGITS, *FORMAT, "--budget", 0.1, "-o", tmp_path / "b")
    assert code == 0 and "frames/s" in out and str(tmp_path / "b" / "report.html") in out.replace("\n", "")
    assert "compile" in err and "write" in err


def test_simulate_run_and_the_api_agree(lutra_, built, images, tmp_path):
    outputs = ("--json", "--output", tmp_path / "s.npy")
    code, out, _ = lutra_("simulate", built, "--input", images, "--stalls", 0.3, *outputs)
    result = json.loads(out)
    assert code == 0 and result["differing"] == 0 and result["words"] == 50
    assert lutra_("run", built, "--input", images, "--output", tmp_path / "r.npy")[0] == 0
    acc = lutra.load(built)
    expected = acc.run(np.load(images))
    assert np.array_equal(np.load(tmp_path / "s.npy"), expected)
    assert np.array_equal(np.load(tmp_path / "r.npy"), expected)
    assert lutra_("run", built, "--input", images, "--raw", "--output", tmp_path / "w.npy")[0] == 0
    assert np.array_equal(np.load(tmp_path / "w.npy"), acc.run(np.load(images), raw=True))


def test_simulation_is_in_the_report(lutra_, built, images):
    assert lutra_("simulate", built, "--input", images)[0] == 0
    facts = json.loads(lutra_("report", built, "--json")[1])
    assert [c["cases"] for c in facts["checks"] if c["what"].startswith("RTL")] == [50]
    assert facts["throughput"]["measured_interval"] is not None


def test_waveforms(lutra_, built, images, tmp_path):
    assert lutra_("simulate", built, "--input", images, "--vcd", tmp_path / "f.vcd")[0] == 0
    assert "$enddefinitions" in (tmp_path / "f.vcd").read_text()


def test_devices_and_doctor(lutra_):
    names = {d["name"] for d in json.loads(lutra_("devices", "--json")[1])}
    assert {"ecp5-25k", "ecp5-45k", "ecp5-85k", "xc7z010", "xc7z020", "xczu3eg", "xczu7ev", "xcu250", "xcu280"} <= names
    assert "xc7z020" in lutra_("devices")[1]
    tools = {t["name"]: t for t in json.loads(lutra_("doctor", "--json")[1])["tools"]}
    assert {"verilator", "c++", "yosys", "nextpnr-ecp5", "ecppack"} <= set(tools)
    assert all(t["version"] if t["found"] else t["missing"] for t in tools.values())
    assert "verilator" in lutra_("doctor")[1]


def test_demo(lutra_, tmp_path):
    code, out, _ = lutra_("demo", "--no-hardware", "-o", tmp_path / "d", "--json")
    assert code == 0 and json.loads(out)["accuracy"] > 0.95


def test_config_file_gives_defaults_and_the_command_line_wins(lutra_, tmp_path):
    config = tmp_path / "lutra.toml"
    config.write_text('device = "xc7z020"\nfps = 30000\ninput-range = [0, 16]\ninput-scale = 0.0625\nclock = 50\n')
    code, out, _ = lutra_("build", DIGITS, "--config", config, "--clock", 200, "-o", tmp_path / "b", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["device"]["name"] == "xc7z020"
    assert facts["throughput"]["clock_mhz"] == 200 and facts["throughput"]["fps"] >= 30000


@pytest.mark.parametrize("text, said", [
    ("fsp = 3", "fsp"), ("fps = 'fast'", "fast"), ("model = 'x'", "model"), ("fps = ", "TOML"),
    ("input-range = [1]", "input_range"), ("input-range = 3", "input_range"),
])
def test_bad_config(lutra_, tmp_path, text, said):
    (tmp_path / "lutra.toml").write_text(text)
    code, out, err = lutra_("build", DIGITS, "--config", tmp_path / "lutra.toml", "-o", tmp_path / "b")
    assert (code, out) == (2, "") and said in err and "lutra.toml" in err and err.count("\n") == 1
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("argv, said", [
    (["build", "absent.onnx"], "absent.onnx"),
    (["build", DIGITS, *FORMAT, "--device", "ecp6"], "ecp6"),
    (["build", DIGITS, *FORMAT, "--fps", "1e12"], "frames/s"),
    (["build", DIGITS, *FORMAT, "--fps", "10", "--budget", "0.1"], "fps and budget"),
    (["report", "absent"], "absent"),
    (["run", "absent", "--input", "x.npy"], "absent"),
    (["build", DIGITS, "--input-format", "y", "0", "16", "0.0625"], "no input 'y'"),
])
def test_user_errors_are_one_sentence_and_exit_2(lutra_, tmp_path, monkeypatch, argv, said):
    monkeypatch.chdir(tmp_path)
    code, out, err = lutra_(*argv)
    assert (code, out) == (2, "") and said in err and "Traceback" not in err
    assert [line for line in err.splitlines() if line.startswith("error: ")] == err.splitlines()[-1:]
    assert list(tmp_path.iterdir()) == []


def test_bad_frames(lutra_, built, tmp_path):
    (tmp_path / "x.npy").write_bytes(b"no array")
    assert lutra_("run", built, "--input", tmp_path / "x.npy")[0] == 2
    np.save(tmp_path / "x.npy", np.array(["a"]))
    assert lutra_("run", built, "--input", tmp_path / "x.npy")[0] == 2
    np.save(tmp_path / "x.npy", np.zeros((3, 1, 9, 9), np.int64))
    code, _, err = lutra_("run", built, "--input", tmp_path / "x.npy")
    assert code == 2 and "(1, 8, 8)" in err


def test_unknown_option_and_help(lutra_):
    assert lutra_("devices", "--frequency")[0] == 2
    code, out, _ = lutra_("--help")
    assert code == 0 and "simulate" in out


def test_an_internal_error_exits_1_in_one_sentence(lutra_, monkeypatch):
    def broken():
        raise RuntimeError("boom")
    monkeypatch.setattr("lutra.cli.tables.toolchain", broken)
    code, _, err = lutra_("doctor")
    assert code == 1 and "internal error" in err and "boom" in err and "Traceback" not in err


def test_control_characters_cannot_drive_the_terminal():
    assert plain("a\x1b[2Jb\nc é") == "a\\x1b[2Jb\\nc é"
    assert table(("x",), [("[red]\x1b[2J",)]).columns[0]._cells[0].plain == "[red]\\x1b[2J"


def test_interrupt_leaves_nothing(tmp_path):
    command = [sys.executable, "-c", "import lutra.cli, lutra.cli.build as b, time\n"
               "b.compile_model = lambda *a, **k: (print('ready', flush=True), time.sleep(60))\nlutra.cli.main()",
               "build", str(DIGITS), *FORMAT, "-o", str(tmp_path / "b")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "interrupted" in err and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
