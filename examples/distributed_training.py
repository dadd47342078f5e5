"""Fine-tune a fixed-point network on several processes, with PyTorch's own launcher and DistributedDataParallel.

    torchrun --nproc-per-node 2 examples/distributed_training.py
    torchrun --nproc-per-node 2 examples/distributed_training.py --fsdp     # sharded: FullyShardedDataParallel

Data: the handwritten digits of 8 x 8 pixels that scikit-learn bundles. Each process calibrates on the same images, so
that all have the same casts, then takes its own share of each batch. The first compiles the result.
"""

from __future__ import annotations

import argparse

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from train_fixed_point import Net, digits

import lutra
import lutra.quant as q

RECIPE = q.Recipe(weights=q.Fixed(4), activations=q.Fixed(4), elementwise=q.Fixed(8), first_last=8)
TRAINED = 1400  # images; the others are for the test


def wrapped(net: nn.Module, fsdp: bool) -> nn.Module:
    """The network for steps on several processes."""
    if not fsdp:
        return DistributedDataParallel(net, find_unused_parameters=True)  # frozen points have no gradient
    from torch.distributed.fsdp import fully_shard

    small = {p for p in net.parameters() if p.ndim < 2}  # points and normalisation stay whole on every process
    for parameter in filter(lambda p: p.requires_grad, small):
        parameter.register_post_accumulate_grad_hook(averaged)
    fully_shard(net, ignored_params=small)
    return net


def averaged(parameter: torch.Tensor) -> None:
    """Replace a gradient by its mean over the processes."""
    dist.all_reduce(parameter.grad)
    parameter.grad /= dist.get_world_size()


def main() -> None:
    """Train, then check that all processes hold one network, and that its integers are the hardware's."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--fsdp", action="store_true", help="shard parameters, gradients and optimiser state")
    made.add_argument("--epochs", type=int, default=5)
    made.add_argument("--batch", type=int, default=64, help="images of a step, of all processes together")
    args = made.parse_args()
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)  # the same network everywhere
    x, labels = digits()
    net = q.quantize(Net(), RECIPE)
    q.calibrate(net, [x[:256]])
    steps = args.epochs * (TRAINED // args.batch)
    model, schedule = wrapped(net, args.fsdp), q.Schedule(net, steps)
    optimiser = torch.optim.Adam(q.parameters(net), 3e-3)
    model.train()
    for step in range(steps):
        picked = torch.randint(TRAINED, (args.batch,))[rank::size]
        loss = F.cross_entropy(model(x[picked]), labels[picked])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if args.fsdp:
            for buffer in net.buffers():  # statistics, as DistributedDataParallel does it
                dist.broadcast(buffer, 0)
        schedule.step()
        if rank == 0 and step % 20 == 0:
            print(f"step {step}: loss {loss.item():.3f}")
    state = gathered(net, args.fsdp)
    same = [torch.empty(0)] * size
    dist.all_gather_object(same, dict(state))
    assert all((same[0][k] == v).all() for other in same for k, v in other.items()), "processes differ"
    if rank == 0:
        report(state, x[TRAINED:], labels[TRAINED:])
    dist.destroy_process_group()


def gathered(net: nn.Module, fsdp: bool) -> dict[str, torch.Tensor]:
    """The whole state dict, on every process."""
    if not fsdp:
        return net.state_dict()
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return get_model_state_dict(net, options=StateDictOptions(full_state_dict=True))


def report(state: dict[str, torch.Tensor], x: torch.Tensor, labels: torch.Tensor) -> None:
    """The accuracy of the network that was trained, in PyTorch and compiled."""
    net = q.quantize(Net(), RECIPE)
    net.load_state_dict(state)
    net.eval()
    y = lutra.compile(net, x[:2], device="ecp5-85k").run(x)
    assert (y == net(x)).all()
    print(f"{(y.argmax(1) == labels).float().mean():.1%} of {len(x)} images right, every output equal to the network's")


if __name__ == "__main__":
    main()
