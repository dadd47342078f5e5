"""Searches over bits beside maintained packages that do the same, on the published ResNet-20 of CIFAR-10, in one run.

    python bench/bits_peers.py nncf [--probes 50] [--images 512]
    python bench/bits_peers.py mct

The packages are installed by hand, beside lutra, its own dependencies, onnx and pillow:

    nncf    traces of the Hessian (HAWQ-V2). 3.0 has left the estimator out: pip install nncf==3.4.0 jsonschema
            jstyleson matplotlib pandas, for what it needs, and then pip install --no-deps nncf==2.14.1
    mct     images without data, and mixed precision: pip install --no-deps model-compression-toolkit==2.6.1
            edge-mdt-tpc==1.3.0 mct-quantizers==1.7.0 edge-mdt-cl==1.1.0, and pip install "pydantic<2.12" "networkx<3.6"
            tqdm pillow scikit-learn scikit-image PuLP "matplotlib<3.10"; without torchvision four of its transforms
            are stood in for
"""

from __future__ import annotations

import importlib

import torch
from resnet20_fixed_point import images
from shared import REPO, Board, parser

from lutra.train.by_data import drawn
from lutra.train.checkpoint import read
from lutra.zoo.nets.resnet import ResNet
from lutra.zoo.trainable import CIFAR

PEERS = {"nncf": "peer_nncf", "mct": "peer_mct"}  # each a module with `compare(board, net, x, labels, args)`


def main() -> None:
    """The peers that are named."""
    made = parser(__doc__)
    made.add_argument("peers", nargs="+", choices=PEERS)
    made.add_argument("--probes", type=int, default=50, help="of each trace")
    made.add_argument("--images", type=int, default=512, help="of training")
    made.add_argument("--seed", type=int, default=0)
    args = made.parse_args()
    torch.set_num_threads(1)  # threads that wait for others count as work
    saved = read(args.data / "models/resnet_cifar10/resnet20-12fca82f.th")["state_dict"]
    net = ResNet(3).eval()
    net.load_state_dict({k.removeprefix("module."): v for k, v in saved.items()})
    x, labels = drawn(images(args.data, REPO), CIFAR, args.images, args.seed)
    board = Board()
    for name in args.peers:
        importlib.import_module(PEERS[name]).compare(board, net, x, labels, args)
    board.end()


if __name__ == "__main__":
    main()
