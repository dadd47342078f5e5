"""The distributed example, by PyTorch's own launcher, with two processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("more", [[], ["--fsdp"]])
def test_two_processes(more):
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            str(REPO / "examples" / "distributed_training.py"), "--epochs", "1", *more]
    path = os.pathsep.join([str(REPO), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path,
                                                                     "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "every output equal to the network's" in done.stdout
