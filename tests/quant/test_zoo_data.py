"""Images from a folder: every form gives the same arrays; what is damaged is refused in a sentence."""

import gzip
import pickle

import numpy as np
import pytest

from lutra.errors import LutraError
from lutra.train.batches import epoch
from lutra.train.data import load

GREY, COLOUR = (1, 28, 28), (3, 32, 32)


def arrays(rng, frame, count=20):
    """Training and test."""
    return {f"{k}_{part}": rng.integers(0, 256 if k == "x" else 10, (count, *frame) if k == "x" else count, np.uint8)
            for part in ("train", "test") for k in "xy"}


def idx(path, x):
    head = bytes((0, 0, 8, x.ndim)) + np.array(x.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(head + x.tobytes()) if path.suffix == ".gz" else head + x.tobytes())


def mnist(folder, found, suffix=".gz"):
    for part, own in (("train", "train"), ("test", "t10k")):
        idx(folder / f"{own}-images-idx3-ubyte{suffix}", found[f"x_{part}"][:, 0])
        idx(folder / f"{own}-labels-idx1-ubyte{suffix}", found[f"y_{part}"])


def cifar(folder, found):
    folder.mkdir(exist_ok=True)
    for i in range(6):
        x, y = (found[f"{k}_train"][4 * i - 4 : 4 * i] if i else found[f"{k}_test"] for k in "xy")
        content = {b"data": x.reshape(len(x), -1), b"labels": y.tolist(), b"batch_label": b"some"}
        (folder / (f"data_batch_{i}" if i else "test_batch")).write_bytes(pickle.dumps(content, 2))


def equal(found, expected):
    return all(np.array_equal(getattr(found, k), v) for k, v in expected.items())


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_idx_files(suffix, rng, tmp_path):
    expected = arrays(rng, GREY)
    mnist(tmp_path, expected, suffix)
    assert equal(load(tmp_path, GREY), expected)


@pytest.mark.parametrize("inner", ["", "cifar-10-batches-py"])
def test_cifar_batches(inner, rng, tmp_path):
    expected = arrays(rng, COLOUR)
    (tmp_path / "data").mkdir()
    cifar(tmp_path / "data" / inner, expected)
    assert equal(load(tmp_path / "data", COLOUR), expected)


@pytest.mark.parametrize("form", [lambda x: x, lambda x: x.transpose(0, 2, 3, 1)])
def test_arrays(form, rng, tmp_path):
    expected = arrays(rng, COLOUR)
    np.savez(tmp_path / "a.npz", **{k: form(v) if k[0] == "x" else v[:, None].astype(np.int64)
                                    for k, v in expected.items()})
    assert equal(load(tmp_path, COLOUR), expected)


def test_a_pickle_may_call_nothing(rng, tmp_path):
    cifar(tmp_path / "data", arrays(rng, COLOUR))
    (tmp_path / "data" / "data_batch_2").write_bytes(b"cbuiltins\nprint\n(S'called'\ntR.")
    with pytest.raises(LutraError, match=r"not a batch of CIFAR-10: it names builtins\.print"):
        load(tmp_path / "data", COLOUR)


def broken_npz(name, value):
    def broken(folder, found):
        kept = {k: v for k, v in found.items() if k != name}
        np.savez(folder / "a.npz", **kept, **({} if value is None else {name: value(found[name])}))
    return broken


def cut(folder, found):
    mnist(folder, found)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-40])


def without(folder, found):
    mnist(folder, found)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()


def short(folder, found):
    mnist(folder, found, "")
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("broken, said", [
    (lambda folder, found: None, "no images that can be read"),
    (lambda folder, found: folder.rmdir(), "no such folder"),
    (cut, "cannot be read"), (without, "no file t10k-labels-idx1-ubyte.gz"), (short, "cut off"),
    (broken_npz("y_test", None), "no array y_test"),
    (broken_npz("x_train", lambda x: x.astype(float)), "x_train is float64"),
    (broken_npz("x_train", lambda x: x[:, 0, 0]), "x_train is uint8 of shape"),
    (broken_npz("x_train", lambda x: x[:, :, :27]), "27 x 28 pixels in 1 channel"),
    (broken_npz("x_test", lambda x: x[:, :, :26]), "26 x 28 pixels in 1 channel"),
    (broken_npz("y_train", lambda y: y[:-1]), "20 images and 19 labels"),
    (broken_npz("y_train", lambda y: y + 10), "y_train is uint8 with values"),
    (broken_npz("y_train", lambda y: np.full(len(y), np.nan)), "y_train is float64"),
    (broken_npz("y_train", lambda y: y.astype(int) - 256), "y_train is int64 with values -"),
    (lambda folder, found: (folder / "a.npz").write_bytes(b"PK nothing"), "cannot be read"),
])
def test_bad_folders(broken, said, rng, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    broken(folder, arrays(rng, GREY))
    with pytest.raises(LutraError, match=said) as caught:
        load(folder, GREY)
    assert str(folder) in caught.value.at


def test_other_seeds_epochs_and_places_have_other_batches():
    x = np.arange(64, dtype=np.uint8).reshape(64, 1, 1, 1)
    orders = {tuple(next(epoch(x, x.ravel(), 64, seed, number))[1].tolist()) for seed in (0, 1, 2, 4096, 1 << 19)
              for number in (0, 1, 7)}
    assert len(orders) == 15
