"""Stored tensors: TensorProto to arrays, in the file or beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from lutra.errors import LutraError
from lutra.front.place import shown
from lutra.ir import Array

MOST = 1 << 28  # elements of one tensor: 2 GiB in double precision


@dataclass(frozen=True)
class Stored:
    """How a data type of ONNX lies in `raw_data` (little-endian) and in which typed field otherwise.

    packed: bits of each value where several share a byte, the first in the low bits; else 0.
    """

    name: str
    raw: str
    field: str
    packed: int = 0

    def bytes(self, count: int) -> int:
        """Bytes of `count` values in `raw_data`."""
        return -(-count * self.packed // 8) if self.packed else count * np.dtype(self.raw).itemsize


TYPES = {  # TensorProto.DataType
    1: Stored("FLOAT", "<f4", "float_data"), 2: Stored("UINT8", "u1", "int32_data"),
    3: Stored("INT8", "i1", "int32_data"), 4: Stored("UINT16", "<u2", "int32_data"),
    5: Stored("INT16", "<i2", "int32_data"), 6: Stored("INT32", "<i4", "int32_data"),
    7: Stored("INT64", "<i8", "int64_data"), 9: Stored("BOOL", "u1", "int32_data"),
    10: Stored("FLOAT16", "<u2", "int32_data"), 11: Stored("DOUBLE", "<f8", "double_data"),
    12: Stored("UINT32", "<u4", "uint64_data"), 13: Stored("UINT64", "<u8", "uint64_data"),
    16: Stored("BFLOAT16", "<u2", "int32_data"),
    21: Stored("UINT4", "u1", "int32_data", 4), 22: Stored("INT4", "u1", "int32_data", 4),
    25: Stored("UINT2", "u1", "int32_data", 2), 26: Stored("INT2", "u1", "int32_data", 2),
}
STRING, EXTERNAL = 8, 1


def integers(data_type: int) -> tuple[int, int] | None:
    """The least and the greatest integer of a TensorProto.DataType; None where it is no integer type."""
    stored = TYPES.get(data_type)
    signed = stored is not None and stored.name.startswith("INT")
    if stored is None or not (signed or stored.name.startswith("UINT")):
        return None
    bits = int(stored.name.removeprefix("U").removeprefix("INT"))
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def name_of(data_type: int) -> str:
    """A TensorProto.DataType for messages."""
    return TYPES[data_type].name if data_type in TYPES else f"data type {data_type}"


def array(tensor: Any, folder: Path | None, at: str) -> Array:
    """The values of a TensorProto: float64 for any float type, int64 for integers, bool. LutraError names `at`."""
    if tensor.data_type == STRING:
        raise LutraError("a tensor of strings cannot be computed with", at, "remove text processing from the model")
    stored = TYPES.get(tensor.data_type)
    if stored is None:
        raise LutraError(f"data type {tensor.data_type} of a tensor is not supported", at,
                         "store it as FLOAT, DOUBLE, FLOAT16, BFLOAT16 or an integer of 2 to 64 bits")
    shape = tuple(tensor.dims)
    size = room = 1
    for d in shape:
        size, room = size * d, room * max(d, 1)
    if min(shape, default=0) < 0 or room > MOST:
        raise LutraError(f"a tensor of shape {shape} is too large", at, f"keep tensors below {MOST} elements")
    values = _values(tensor, stored, size, folder, at)
    if stored.packed:
        values = _unpacked(values, stored, size)
    if values.size != size:
        raise LutraError(f"a tensor of shape {shape} has {values.size} values instead of {size}", at,
                         "the file is damaged; export it again")
    return _widened(values, stored.name).reshape(shape)


def _values(tensor: Any, stored: Stored, size: int, folder: Path | None, at: str) -> Array:
    if tensor.data_location == EXTERNAL:
        return _external(tensor, stored, size, folder, at)
    if tensor.HasField("raw_data"):
        itemsize = np.dtype(stored.raw).itemsize
        whole = len(tensor.raw_data) // itemsize * itemsize
        return np.frombuffer(tensor.raw_data[:whole], stored.raw)
    plain = stored.raw if stored.field in ("float_data", "double_data", "uint64_data", "int64_data") else "<i4"
    return np.array(getattr(tensor, stored.field), dtype=plain).astype(stored.raw)


def _unpacked(values: Array, stored: Stored, size: int) -> Array:
    """`size` integers, of which each byte holds several."""
    step, signed = stored.packed, stored.name.startswith("INT")
    fields = (values.astype(np.int64)[:, None] >> np.arange(0, 8, step)) & ((1 << step) - 1)
    flat = fields.ravel()[:size]
    return np.asarray(np.where(flat >> step - 1, flat - (1 << step), flat) if signed else flat)


def _widened(values: Array, name: str) -> Array:
    match name:
        case "FLOAT" | "DOUBLE":
            with np.errstate(invalid="ignore"):  # a signalling nan
                return values.astype(np.float64)
        case "FLOAT16":
            return values.astype(np.uint16).view(np.float16).astype(np.float64)
        case "BFLOAT16":
            return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        case "BOOL":
            return values.astype(np.bool_)
    return values.astype(np.int64)


def _external(tensor: Any, stored: Stored, size: int, folder: Path | None, at: str) -> Array:
    facts = {e.key: e.value for e in tensor.external_data}
    path = _inside(facts.get("location", ""), folder, at)
    offset, length = (_count(facts.get(k, "0"), at) for k in ("offset", "length"))
    count = stored.bytes(size)
    if length not in (0, count):
        raise LutraError(f"external data of {length} bytes where {count} are needed", at, "export the model again")
    try:
        if path.stat().st_size < offset + count:
            raise LutraError(f"external data file {shown(path.name)} has {path.stat().st_size} bytes, {offset + count} "
                             "are needed", at, "it is truncated; copy it again")
        with path.open("rb") as file:
            file.seek(offset)
            return np.frombuffer(file.read(count), stored.raw)
    except OSError as e:
        raise LutraError(f"external data file {shown(path.name)} cannot be read: {e.strerror or e}", at,
                         "keep it beside the model") from e


def _inside(location: str, folder: Path | None, at: str) -> Path:
    """The path of external data; LutraError unless it is a file inside the model's folder, links followed."""
    if folder is None:
        raise LutraError("the model keeps data in another file", at, "give the path of the model file, not its bytes")
    parts = (*PurePosixPath(location).parts, *PureWindowsPath(location).parts)
    absolute = PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor
    path = None if absolute or ".." in parts or not parts or "\0" in location else (folder / location).resolve()
    if path is None or not path.is_relative_to(folder):
        raise LutraError(f"external data {shown(location)} lies outside the model's folder", at,
                         "keep the data file beside the model")
    if not path.is_file():
        raise LutraError(f"external data file {shown(location)} is missing", at, "keep the data file beside the model")
    return path


def _count(text: str, at: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise LutraError(f"external data has the position {shown(text)}", at, "the file is damaged; export it again")
    return int(text)
