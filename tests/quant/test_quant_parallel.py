"""Quantised networks under torch.compile and DistributedDataParallel."""

import copy
import math
import socket

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from test_training_network import small
from torch.nn.parallel import DistributedDataParallel

import lutra.quant as q
from lutra.errors import LutraError


@pytest.fixture(autouse=True)
def forgotten():
    """Compiled code is counted for all networks of a process together, and refused beyond eight."""
    yield
    torch.compiler.reset()


@pytest.mark.parametrize("frozen", (False, True))
def test_compiled_in_one_graph_equals_eager(frozen):
    net, x = small()
    if frozen:
        q.freeze(net)
    twin = copy.deepcopy(net)
    compiled = torch.compile(twin, backend="aot_eager", fullgraph=True)  # without a C++ compiler's minutes
    theirs, ours = compiled(x), net(x)
    assert torch.equal(theirs, ours)
    theirs.square().sum().backward()
    ours.square().sum().backward()
    for (name, a), b in zip(net.named_parameters(), twin.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), name
        assert a.grad is None or torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-5), name
    net.eval(), twin.eval()
    assert torch.equal(compiled(x), net(x))


@pytest.mark.parametrize("copied", (False, True))
def test_nan_in_compiled_training_names_the_layer(copied):
    """Of a copy too, once it is put into training; and of inputs, not of what the network was traced with."""
    net, x = small()
    if copied:
        whole, net = net, copy.deepcopy(net).train()
        assert whole.lutra_casts.network != net.lutra_casts.network
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(x), net(x))
    with pytest.raises(LutraError, match="that is not finite, of operands that are not finite either"):
        compiled(x.clone().index_fill_(0, torch.tensor([1]), math.nan))
    net.second.bias.data.fill_(math.nan)
    with pytest.raises(LutraError, match=r"^second: conv2d gives a number that is not finite, of"):
        compiled(x)
    net.eval()
    compiled(x)  # evaluation is not looked at


def _steps(net, x, y, count):
    optimiser = torch.optim.SGD(q.parameters(net, lr=0.05), lr=0.05)
    for _ in range(count):
        optimiser.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimiser.step()


def _worker(rank, port, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    net, x = small()
    wrapped = DistributedDataParallel(net)
    _steps(wrapped, x[rank::2], torch.arange(16)[rank::2] % 5, 3)
    wrapped.eval()
    torch.save({"state": net.state_dict(), "scores": wrapped(x)}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_keep_one_network(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    torch.multiprocessing.spawn(_worker, (port, str(tmp_path)), nprocs=2)
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    net, x = small()
    untrained = net.state_dict()
    moved = 0
    for key, value in one["state"].items():
        own = any(part in key for part in ("running", "factor", "term"))  # statistics are each process's own
        assert own or torch.equal(value, two["state"][key]), key
        moved += key.endswith("input.point") and not torch.equal(value, untrained[key])
    assert moved >= 3  # the last point need not: what it casts is on its grid already
    net.load_state_dict(one["state"])
    assert torch.equal(net.eval()(x), one["scores"])
