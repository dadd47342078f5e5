"""The images and labels that curvature is taken of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lutra.errors import LutraError
from lutra.quant.hawq.products import Batch
from lutra.quant.search.kept import digest_of

HINT = "pass pairs of images (N, ...) and labels, as a DataLoader of a labelled set gives them"


def taken(batches: Iterable[Any], images: int, device: torch.device) -> list[Batch]:
    """Whole batches (inputs, labels) from the first on until there are so many images, on the device.

    Raises LutraError: there is no batch, one without labels, or with other than one for each image.
    """
    found: list[Batch] = []
    count = 0
    for batch in batches:
        if count >= images:
            break
        x, labels = _pair(batch)
        found.append((x.to(device), moved(labels, device)))
        count += len(x)
    if not found:
        raise LutraError("there is no batch", "the search", HINT)
    return found


def _pair(batch: Any) -> Batch:
    if not isinstance(batch, tuple | list) or len(batch) != 2 or batch[1] is None:
        what = f"{len(batch)} parts" if isinstance(batch, tuple | list) else f"a {type(batch).__name__}"
        raise LutraError(f"a batch has no labels: it is {what}", "the search", HINT)
    x, labels = batch
    if not isinstance(x, Tensor) or not x.ndim or not len(x):
        raise LutraError(f"the images of a batch are a {type(x).__name__}", "the search", HINT)
    if isinstance(labels, Tensor) and labels.shape[:1] != x.shape[:1]:
        raise LutraError(f"{len(x)} images and labels of shape {tuple(labels.shape)}", "the search",
                         "one label for each image")
    return x, labels


def moved(labels: Any, device: torch.device) -> Any:
    """Labels, with the tensors among them on the device."""
    match labels:
        case Tensor():
            return labels.to(device)
        case tuple():
            return tuple(moved(part, device) for part in labels)
        case list():
            return [moved(part, device) for part in labels]
        case dict():
            return {k: moved(part, device) for k, part in labels.items()}
    return labels


def facts(batches: Sequence[Batch]) -> str:
    """A digest of images and labels."""
    text = repr([(digest_of(x), _labels(labels)) for x, labels in batches])
    return hashlib.sha256(text.encode()).hexdigest()


def _labels(labels: Any) -> Any:
    match labels:
        case Tensor():
            return str(labels.dtype), tuple(labels.shape), digest_of(labels)
        case tuple() | list():
            return [_labels(part) for part in labels]
        case Mapping():
            return {k: _labels(part) for k, part in labels.items()}
    return labels
