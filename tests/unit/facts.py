"""A made-up build for tests of the report: a convolutional network with a shortcut, of thirteen stages, nine of them
units.
"""

from lutra.report.model import (
    Check,
    Device,
    Facts,
    Host,
    Layer,
    Model,
    Resources,
    Throughput,
    Timing,
    Use,
    Window,
    share_of,
)

HAVE = Resources(83640, 83640, 208, 0, 156)


def layer(name, operation, source, shapes, bits, cycles, interval=1000, weights=0, weight_bits=0, fold=(1, 1), depth=0,
          feeds=()):
    known = Resources(cycles * 0.3, cycles * 0.2, weights // 2000, None, 0)
    return Layer(name, operation, source, *shapes, *bits, "0..3", "-9..9", weights, weight_bits, weights * weight_bits,
                 *fold, cycles, cycles / interval, fold[0] * bits[1], depth, known, known if weights else None, feeds)


def facts(model="digits.onnx", source="conv1", placed=True):
    """The build; `model` and `source` go where names from a model file go."""
    layers = (
        layer("threshold0", "threshold", source, ((8, 8, 1), (8, 8, 1)), (5, 5), 64, feeds=("",)),
        layer("pad0", "pad", "conv1", ((8, 8, 1), (10, 10, 1)), (5, 5), 100, feeds=("threshold0",)),
        layer("window0", "window", "conv1", ((10, 10, 1), (8, 8, 9)), (5, 5), 576, feeds=("pad0",)),
        layer("window0_fifo", "fifo", "conv1", ((8, 8, 9), (8, 8, 9)), (5, 5), 576, depth=12, feeds=("window0",)),
        layer("matmul0", "matmul", "conv1", ((8, 8, 9), (8, 8, 16)), (5, 9), 1000, weights=1440, weight_bits=2,
              fold=(2, 9), feeds=("window0_fifo",)),
        layer("matmul0_width", "width", "conv1", ((8, 8, 16), (8, 8, 16)), (9, 9), 512, feeds=("matmul0",)),
        layer("threshold1", "threshold", "conv1_quant", ((8, 8, 16), (8, 8, 16)), (9, 2), 512, weights=48,
              weight_bits=9, fold=(2, 1), feeds=("matmul0_width",)),
        layer("threshold1_fork", "fork", "conv1_quant", ((8, 8, 16), (8, 8, 16)), (2, 2), 512, fold=(2, 2),
              feeds=("threshold1",)),
        layer("threshold1_add0_fifo", "fifo", "conv1_quant", ((8, 8, 16), (8, 8, 16)), (2, 2), 512, fold=(2, 2),
              depth=37, feeds=("threshold1_fork",)),
        layer("maxreduce0", "maxreduce", "pool", ((4, 4, 64), (4, 4, 16)), (2, 2), 1000,
              feeds=("threshold1_fork",)),
        layer("add0", "add", "sum", ((4, 4, 16), (4, 4, 16)), (2, 3), 256,
              feeds=("maxreduce0", "threshold1_add0_fifo")),
        layer("matmul1", "matmul", "dense", ((256,), (10,)), (2, 11), 640, weights=2560, weight_bits=2, fold=(1, 4),
              feeds=("add0",)),
        layer("argmax0", "argmax", "top", ((10,), (1,)), (11, 4), 10, feeds=("matmul1",)),
    )
    totals = Resources(9124, 5310, 12, None, 0)
    uses = tuple(Use(how, "ecp5-85k", used, share_of(used, HAVE)) for how, used in
                 (("estimated", totals), ("synthesised", Resources(8890, 5402, 12, None, 0)),
                  ("placed", Resources(8931, 5402, 12, None, 0))))
    checks = (Check("Elementwise chains", "each against the source's own functions, on every channel", 48_210,
                    "integers", ties=3),
              Check("RTL against the integer graph", "random stalls at both ends", 3600, "output words", 1))
    timing = Timing("ecp5-85k", 131.4, True, "digits.bit", 1_934_000, "matmul0 to threshold1") if placed else None
    speed = Throughput(100.0, 1000, 100_000.0, 2345, 23.45, "matmul0", "maxreduce0", 1000, "100,000 frames/s",
                       1000, 2345)
    chip = Device("ecp5-85k", "ecp5", HAVE, "LUT4", "DP16KD")
    return Facts("0.1.0", Model(model, "c0ffee" * 10 + "beef", 10631), chip, speed, layers, uses, checks,
                 Host((), ("softmax",)), timing, {"yosys": "0.70"},
                 windows=(Window("matmul0", 0x4000, 8192, 160, 18, "block", False),
                          Window("matmul1", 0x1000, 4096, 640, 8, "ultra", True)))
