"""Options that commands share, and the configuration file that can give them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from lutra import Accelerator, LutraError, load
from lutra.ir import Array

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
cache = click.option("--cache", envvar="LUTRA_CACHE", type=click.Path(path_type=Path),
                     help="Folder for results of tools ($LUTRA_CACHE; by default the user's cache).")
folder = click.argument("folder", type=click.Path(path_type=Path))
images = click.option("--input", "inputs", required=True, multiple=True, metavar="[NAME=]FILE",
                      help="Frames as .npy, (N, ...) in the model's own layout. For several inputs once for each, in "
                           "order or by name.")
output = click.option("--output", type=click.Path(path_type=Path),
                      help="Write the results here, as .npy; several outputs as .npz: output0, output1 and so on.")
raw = click.option("--raw", is_flag=True, help="Results as the accelerator's own integers.")

device = click.option("--device", default="ecp5-85k", show_default=True, help="A name of `lutra devices`.")


def fed(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what the hardware is fed (see `input_format`), and how far it may be off."""
    decorators = (
        click.option("--input-range", nargs=2, type=int, metavar="LO HI", help="Integers that the hardware is fed."),
        click.option("--input-scale", type=float, help="What one of those integers is worth to the model."),
        click.option("--input-format", "formats", multiple=True, type=(str, int, int, float),
                     metavar="NAME LO HI SCALE", help="Both of one input of several, by its name; once for each."),
        click.option("--tolerance", type=float, help="Error allowed where no exact integer form exists."))
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


NOT_IN_FILE = {"config", "help", "model", "as_json"}


def config(ctx: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
    """Callback of --config: the file's values become defaults, so that the command line wins."""
    if path is None:
        return None
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise LutraError(f"cannot read it: {e.strerror}", str(path)) from e
    except ValueError as e:
        raise LutraError(f"not valid TOML: {e}", str(path)) from e
    known = {p.name: p for p in ctx.command.params if p.name not in NOT_IN_FILE}
    values = {key.replace("-", "_"): value for key, value in data.items()}
    if unknown := sorted(set(values) - set(known)):
        raise LutraError(f"unknown option {unknown[0]!r}", str(path), f"one of {', '.join(sorted(map(str, known)))}")
    ctx.default_map = {key: _checked(ctx, known[key], value, path) for key, value in values.items()}
    return path


def _checked(ctx: click.Context, option: click.Parameter, value: Any, path: Path) -> Any:
    """The value as its option takes it; LutraError, with the file and the option, where it does not."""
    try:
        return option.type_cast_value(ctx, value)
    except (click.BadParameter, TypeError) as e:
        reason = e.message if isinstance(e, click.BadParameter) else str(e)
        raise LutraError(f"{option.name} = {value!r}: {reason}", str(path)) from e


def input_format(
    span: tuple[int, int] | None, scale: float | None, formats: Sequence[tuple[str, int, int, float]]
) -> dict[str, Any]:
    """`input_range` and `input_scale` of `lutra.compile`: of all inputs, or of each by name."""
    if not formats:
        return {"input_range": span, "input_scale": scale}
    if span is not None or scale is not None:
        raise LutraError("--input-format is given beside --input-range or --input-scale", "options",
                         "give one or the other")
    return {"input_range": {name: (lo, hi) for name, lo, hi, _ in formats},
            "input_scale": {name: worth for name, _, _, worth in formats}}


def frames(given: Sequence[str], names: Sequence[str]) -> Array | tuple[Array, ...] | dict[str, Array]:
    """The frames of .npy files, each FILE or NAME=FILE with one of the names; LutraError where one is no such file."""
    parts = [_named(text, names) for text in given]
    if all(name is None for name, _ in parts):
        arrays = tuple(_frames(path) for _, path in parts)
        return arrays[0] if len(arrays) == 1 else arrays
    twice = next((n for i, (n, _) in enumerate(parts) if n is None or n in dict(parts[:i])), "")
    if twice != "":
        what = "an input is given without its name" if twice is None else f"the input {twice!r} is given twice"
        raise LutraError(what, "--input", "give NAME=FILE once for each input, or the files alone in order")
    return {name: _frames(path) for name, path in parts if name is not None}


def _named(text: str, names: Sequence[str]) -> tuple[str | None, Path]:
    """A name and a file; a file alone whose path happens to hold a sign of equality has no name."""
    name = next((n for n in sorted(names, key=len, reverse=True) if text.startswith(f"{n}=")), None)
    return name, Path(text if name is None else text[len(name) + 1 :])


def _frames(path: Path) -> Array:
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as e:
        raise LutraError(f"cannot read the frames: {e.strerror or e}", str(path)) from e
    except ValueError as e:
        raise LutraError(f"not an .npy file: {e}", str(path), "write one with numpy.save") from e
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iufb":
        raise LutraError("not an .npy file of numbers", str(path), "write one with numpy.save")
    return array


def store(path: Path, result: Array | tuple[Array, ...]) -> None:
    """Write results as .npy, or those of several outputs as .npz, whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as f:
            if isinstance(result, tuple):
                np.savez(f, allow_pickle=False, **{f"output{k}": y for k, y in enumerate(result)})
            else:
                np.save(f, result)
        draft.replace(path)
    except OSError as e:
        raise LutraError(f"cannot write the results: {e.strerror}", str(path)) from e
    finally:
        draft.unlink(missing_ok=True)


def opened(path: Path, cache_folder: Path | None) -> Accelerator:
    """The accelerator of a build folder."""
    return load(path, cache=cache_folder)
