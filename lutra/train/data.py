"""Labelled images from a folder: MNIST's idx files, CIFAR-10's python batches, or arrays in an .npz file."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lutra.errors import LutraError

Bytes = npt.NDArray[np.uint8]
NAMES = ("x_train", "y_train", "x_test", "y_test")
CLASSES = 10
HINT = ("give a folder with MNIST's idx files (train-images-idx3-ubyte.gz and so on), with CIFAR-10's python batches "
        "(data_batch_1 .. test_batch), or with one .npz file of the arrays x_train, y_train, x_test and y_test")


@dataclass(frozen=True)
class Images:
    """Pixels (N, channels, height, width) of 0 to 255 and labels (N,) of 0 to 9; of training and of test."""

    x_train: Bytes
    y_train: Bytes
    x_test: Bytes
    y_test: Bytes

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            if len(x) != len(y) or not len(x):
                raise LutraError(f"{len(x)} images and {len(y)} labels of {part}", hint="one label for each image")
            if y.max() >= CLASSES:
                raise LutraError(f"a label of {part} is {y.max()}", hint=f"labels are 0 to {CLASSES - 1}")


def load(folder: Path, frame: Sequence[int]) -> Images:
    """The images of a folder; `frame`: (channels, height, width) that they must have.

    Raises LutraError: no such folder or files, a damaged file, other sizes.
    """
    if not folder.is_dir():
        raise LutraError("there is no such folder", str(folder), HINT)
    try:
        found = _found(folder)
    except LutraError as e:
        raise LutraError(e.what, e.at or str(folder), e.hint) from e
    shape = found.x_train.shape[1:]
    if shape != tuple(frame) or found.x_test.shape[1:] != shape:
        wrong = shape if shape != tuple(frame) else found.x_test.shape[1:]
        raise LutraError(f"images of {_size(wrong)}", str(folder), f"this network takes {_size(frame)}")
    return found


def _found(folder: Path) -> Images:
    """Whichever form lies there."""
    arrays = sorted(folder.glob("*.npz"))
    inner = folder / "cifar-10-batches-py"
    batches = inner if inner.is_dir() else folder
    if any(_idx_path(folder, f"{part}-labels-idx1-ubyte") for part in ("train", "t10k")):
        return _mnist(folder)
    if (batches / "test_batch").exists() or (batches / "data_batch_1").exists():
        return _cifar(batches)
    if len(arrays) == 1:
        return _npz(arrays[0])
    raise LutraError("there are no images that can be read", str(folder), HINT)


def _size(shape: Sequence[int]) -> str:
    """Channels, height and width in words."""
    return f"{' x '.join(map(str, shape[1:]))} pixels in {shape[0]} channel{'s' if shape[0] > 1 else ''}"


def _idx_path(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / f"{name}.gz", folder / name) if p.exists()), None)


def _mnist(folder: Path) -> Images:
    """The four idx files."""
    parts = [(_idx(folder, f"{p}-images-idx3-ubyte", 3)[:, None], _idx(folder, f"{p}-labels-idx1-ubyte", 1))
             for p in ("train", "t10k")]
    return Images(*parts[0], *parts[1])


def _idx(folder: Path, name: str, rank: int) -> Bytes:
    """One idx file: two zero bytes, 8 for unsigned bytes, the rank, big-endian sizes, the elements."""
    path = _idx_path(folder, name)
    if path is None:
        raise LutraError(f"there is no file {name}.gz", str(folder), "all four files of the data set are needed")
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as e:
        raise LutraError(f"it cannot be read: {e}", str(path), "fetch it again") from e
    start = 4 + 4 * rank
    shape = np.frombuffer(content[4:start], ">u4") if len(content) >= start else np.zeros(0, np.uint32)
    if content[:4] != bytes((0, 0, 8, rank)) or start + np.prod(shape, dtype=np.int64) != len(content):
        raise LutraError("it is not an idx file of bytes, or it is cut off", str(path), "fetch it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape.tolist()).copy()  # writable, as torch wants it


class _Plain(pickle.Unpickler):
    """Reads arrays, lists, dictionaries and bytes, and nothing else: a pickle may name any function to be called."""

    ALLOWED = {("numpy", "dtype"), ("numpy", "ndarray"), ("numpy.core.multiarray", "_reconstruct"),
               ("numpy._core.multiarray", "_reconstruct"), ("_codecs", "encode")}

    def find_class(self, module: str, name: str) -> Any:
        """What an array is made with."""
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def _cifar(folder: Path) -> Images:
    """CIFAR-10's python version: five batches of training, one of test."""
    batches = [_batch(folder / f"data_batch_{i}") for i in range(1, 6)]
    x, y = (np.concatenate([b[k] for b in batches]) for k in (0, 1))
    return Images(x, y, *_batch(folder / "test_batch"))


def _batch(path: Path) -> tuple[Bytes, Bytes]:
    try:
        found = _Plain(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        x = np.asarray(found[b"data"], np.uint8).reshape(-1, 3, 32, 32)
        return x, np.asarray(found[b"labels"], np.uint8)
    except FileNotFoundError as e:
        raise LutraError(f"there is no file {path.name}", str(path.parent), "all six batches are needed") from e
    except Exception as e:  # a damaged pickle raises almost anything
        raise LutraError(f"it is not a batch of CIFAR-10: {e}", str(path), "fetch it again") from e


def _npz(path: Path) -> Images:
    """Arrays by name, channels first or last."""
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [n for n in NAMES if n not in file.files]
            if missing:
                raise LutraError(f"it has no array {missing[0]}", str(path), HINT)
            arrays = {n: file[n] for n in NAMES}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as e:
        raise LutraError(f"it cannot be read: {e}", str(path), "write it with numpy.savez") from e
    return Images(**{n: _pixels(a, path, n) if n[0] == "x" else _labels(a, path, n) for n, a in arrays.items()})


def _pixels(x: npt.NDArray[Any], path: Path, name: str) -> Bytes:
    if x.dtype != np.uint8 or x.ndim not in (3, 4):
        raise LutraError(f"{name} is {x.dtype} of shape {x.shape}", str(path),
                         "pixels are uint8, (N, height, width), (N, channels, height, width) or channels last")
    x = x[:, None] if x.ndim == 3 else x
    return x.transpose(0, 3, 1, 2) if x.shape[-1] in (1, 3) and x.shape[1] not in (1, 3) else x


def _labels(y: npt.NDArray[Any], path: Path, name: str) -> Bytes:
    flat = y.reshape(-1)
    if flat.dtype.kind not in "iu" or (flat.size and not 0 <= flat.min() <= flat.max() < CLASSES):
        raise LutraError(f"{name} is {y.dtype}" + (f" with values {flat.min()} to {flat.max()}"
                         if flat.size and flat.dtype.kind in "iufb" else ""), str(path),
                         f"labels are integers 0 to {CLASSES - 1}")
    return flat.astype(np.uint8)
