"""The file itself: bytes to a ModelProto, or one sentence that says why not."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutra.errors import LutraError
from lutra.front.place import shown

if TYPE_CHECKING:
    import onnx

LARGEST = 1 << 31  # bytes: protobuf's own limit
EXPORT = "export the model again with torch.onnx.export, brevitas or qonnx"


@dataclass(frozen=True)
class File:
    """A parsed file. folder: where its external data may lie; None where it was not read from a file."""

    proto: onnx.ModelProto
    name: str
    folder: Path | None
    sha256: str
    size: int


def read(source: str | os.PathLike[str] | bytes | onnx.ModelProto) -> File:
    """Read a path, the bytes of a file, or a ModelProto; LutraError where it is no whole ONNX model."""
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return _parsed(_bytes(path), path.stem, str(path), path.resolve().parent)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _parsed(bytes(source), "model", "model", None)
    if not hasattr(source, "SerializeToString"):
        raise LutraError(f"{type(source).__name__} is not a model", hint="give a path, bytes or an onnx.ModelProto")
    try:
        data = source.SerializeToString(deterministic=True)
    except (ValueError, RecursionError) as e:
        raise LutraError(f"the ModelProto cannot be serialised: {e}", "model", "keep it below 2 GB") from e
    return _parsed(data, "model", "model", None)


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise LutraError("this is a folder, not an ONNX file", str(path), "give the path of a .onnx file")
    try:
        if path.stat().st_size >= LARGEST:
            raise LutraError(f"the file has {path.stat().st_size} bytes, 2 GB or more", str(path),
                             "save the model with external data")
        return path.read_bytes()
    except FileNotFoundError as e:
        raise LutraError("there is no such file", str(path), "check the path") from e
    except OSError as e:
        raise LutraError(f"the file cannot be read: {e.strerror or e}", str(path), "check its permissions") from e


def _parsed(data: bytes, name: str, at: str, folder: Path | None) -> File:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import ModelProto

    if not data:
        raise LutraError("the file is empty", at, EXPORT)
    proto = ModelProto()
    try:
        proto.ParseFromString(data)
    except (DecodeError, ValueError, RecursionError) as e:
        if data[:1] == b"\x08":  # the field every ONNX file begins with: ir_version
            raise LutraError(f"the ONNX file is damaged or truncated ({len(data)} bytes)", at,
                             "copy or download it again") from e
        raise LutraError(f"this is not an ONNX file: it begins with {_head(data)}", at, EXPORT) from e
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise LutraError("the file holds no ONNX graph: it is not an ONNX model, or is truncated", at, EXPORT)
    if not _readable(proto):
        raise LutraError("the ONNX file is damaged: it holds text that is not UTF-8", at, "copy or download it again")
    return File(proto, name, folder, hashlib.sha256(data).hexdigest(), len(data))


def _readable(message: Any) -> bool:
    """Whether all text in a message is text: protobuf hands out bytes where it is not UTF-8."""
    for field, value in message.ListFields():
        single = isinstance(value, (str, bytes)) or hasattr(value, "ListFields")
        many = (value,) if single else value
        if field.type == field.TYPE_STRING and not all(isinstance(v, str) for v in many):
            return False
        if field.type == field.TYPE_MESSAGE and not all(_readable(v) for v in many):
            return False
    return True


def _head(data: bytes) -> str:
    return shown(data[:12].decode("latin-1"))
