"""Static checks of HLS code: every rule finds its faults, and nothing else."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

import lutra
from lutra import LutraError
from lutra.check.hls import check
from lutra.check.pragmas import DIRECTIVES, parse
from lutra.cli import call

FAULTY = Path(__file__).with_name("faulty.cpp")


@pytest.fixture(scope="module")
def faulty():
    return check(FAULTY, "top")


def test_every_fault_is_found_and_nothing_else(faulty):
    marked = Counter((k, rule) for k, line in enumerate(FAULTY.read_text().splitlines(), 1)
                     if (found := re.search(r"// FAULT (.*)", line)) for rule in found[1].split())
    found = Counter((f.line, f.rule) for f in faulty.faults)
    wrong = [str(f) for f in faulty.faults if (f.line, f.rule) in (found - marked)]
    assert found == marked, (wrong, marked - found)
    rules = {rule for _, rule in marked}
    assert rules == {"recursion", "memory", "loops", "system", "exceptions", "virtual", "pointers", "arrays",
                     "language", "place", "pragma", "variable", "streams", "dataflow"}


@pytest.fixture(scope="module")
def folder(cache, tmp_path_factory):
    """A build folder with an HLS form."""
    from importlib.resources import files

    model = (files("lutra.data") / "digits.onnx").read_bytes()
    acc = lutra.compile(model, "xc7z020", fps=20_000, input_range=(0, 16), input_scale=1 / 16, cache=cache)
    return acc.save(tmp_path_factory.mktemp("check") / "build", backend="hls")


def test_a_generated_top_is_without_fault(folder):
    result = check(folder / "hls" / "lutra_top.cpp", "lutra_top")
    assert result.faults == () and result.functions > 20 and result.directives > 40
    assert {p.name for p in result.files} == {p.name for p in (folder / "hls").iterdir()}


def test_faults_in_a_generated_top_are_found(folder, tmp_path):
    for path in (folder / "hls").iterdir():
        (tmp_path / path.name).write_text(path.read_text())
    top = tmp_path / "lutra_top.cpp"
    code = top.read_text()
    for right, wrong in (("#pragma HLS DATAFLOW\n", "#pragma HLS DATAFLOW\n#pragma HLS PIPELINE\n"),
                         ("mode=axis", "mode=axes"), ("STREAM variable=s0 ", "STREAM variable=s99 ")):
        assert right in code
        code = code.replace(right, wrong, 1)
    top.write_text(code)
    found = check(top, "lutra_top").faults
    assert {f.rule for f in found} == {"place", "pragma", "variable"} and {f.file for f in found} == {"lutra_top.cpp"}


def test_code_that_does_not_compile_is_a_fault(tmp_path):
    (tmp_path / "bad.cpp").write_text("void bad() { nothing(1); }\n")
    (fault,) = check(tmp_path / "bad.cpp", "bad").faults
    assert (fault.rule, fault.line) == ("language", 1) and "nothing" in fault.what


def test_command_line(folder, tmp_path, capsys):
    assert call(["check", str(folder)]) == 0
    assert "0 faults" in capsys.readouterr().out
    (tmp_path / "deep.cpp").write_text("int deep(int n) { return n ? deep(n - 1) : 0; }\n")
    assert call(["check", str(tmp_path / "deep.cpp"), "--json"]) == 2
    (fault,) = json.loads(capsys.readouterr().out)["faults"]
    assert (fault["rule"], fault["line"], fault["file"]) == ("recursion", 1, "deep.cpp")
    assert call(["check", str(tmp_path)]) == 2 and "no such file" in capsys.readouterr().err
    assert call(["check", str(tmp_path / "deep.cpp"), "--top", "a"]) == 2
    assert "no function a" in capsys.readouterr().err


def test_without_libclang_it_says_what_to_install(monkeypatch, tmp_path):
    import sys

    from lutra.check import clang

    monkeypatch.setitem(sys.modules, "clang", None)
    monkeypatch.setitem(sys.modules, "clang.cindex", None)
    clang._clang.cache_clear()
    (tmp_path / "a.cpp").write_text("void a() {}\n")
    with pytest.raises(LutraError, match="libclang"):
        check(tmp_path / "a.cpp", "a")
    clang._clang.cache_clear()


@pytest.mark.parametrize("text, faults", [
    ("PIPELINE", 0), ("pipeline ii=2 rewind", 0), ("PIPELINE II=N*2+1", 0), ("PIPELINE II", 1), ("PIPELINE off=1", 1),
    ("", 1), ("UNROLL factor=4 skip_exit_check", 0), ("INTERFACE m_axi port=p offset=slave bundle=gmem depth=64", 0),
    ("INTERFACE mode=axis", 1), ("STREAM variable=s depth=4 type=fifo", 0), ("STREAM variable=s fifo depth=4", 0),
    ("ARRAY_PARTITION variable=a block factor=2 dim=0", 0), ("ARRAY_PARTITION variable=a factor=2", 1),
    ("DEPENDENCE variable=a inter RAW false", 0), ("LATENCY min=0 max=3", 0), ("LATENCY min=-1", 1),
    ("LOOP_TRIPCOUNT min=1 max=2 avg=1", 0), ("BIND_OP variable=x op=mul impl=dsp latency=-1", 0),
    ("ALLOCATION function instances=f limit=1", 0), ("AGGREGATE variable=x compact=bit", 0),
])
def test_the_grammar_of_directives(text, faults):
    assert len(parse(text).faults) == faults, parse(text).faults


def test_every_directive_needs_only_options_that_it_has():
    for name, directive in DIRECTIVES.items():
        assert set(directive.needs) | set(directive.words) <= set(directive.options), name
