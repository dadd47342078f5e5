"""Line recognition: data, decoding, and training with checkpoints that resume exactly."""

import numpy as np
import pytest
import torch

from lutra.errors import LutraError
from lutra.train import lines
from lutra.train.reading import Reading
from lutra.train.stages import Settings
from lutra.zoo.trainable import Bits, trainable

GLYPHS = {"a": np.arange(32) < 16, "b": np.arange(32) >= 16, "\u017f": np.arange(32) % 4 == 0}


def written(folder, part, count, seed=0):
    """Lines of three characters, each four columns of its own pattern after two of paper."""
    draw = np.random.default_rng(seed)
    texts = ["".join(draw.choice(list(GLYPHS), draw.integers(2, 5))) for _ in range(count)]
    images = [np.concatenate([np.r_[np.zeros((2, 32), int), np.repeat(GLYPHS[c][None] * 15, 4, 0)] for c in t])
              for t in texts]
    pixels = np.concatenate(images).astype(np.uint8)
    np.savez(folder / f"own_{part}.npz", img4=pixels[:, ::2] << 4 | pixels[:, 1::2],
             offsets=np.cumsum([0, *map(len, images)]), text=np.frombuffer("\n".join(texts).encode(), np.uint8))
    return texts, images


@pytest.fixture
def data(tmp_path):
    written(tmp_path, "train", 40)
    written(tmp_path, "test", 6, 1)
    return lines.load(tmp_path)


def test_lines_are_read_as_they_were_written(tmp_path):
    texts, images = written(tmp_path, "train", 5)
    written(tmp_path, "test", 2)
    found = lines.load(tmp_path)
    assert found.train.texts == texts and found.alphabet == "ab\u017f"
    assert all((a == b).all() for a, b in zip(found.train.images, images, strict=True))
    x, lengths = found.train.tensor([3, 1], [1, -1])
    assert lengths.tolist() == [len(images[3]), len(images[1])]
    assert torch.equal(x[0, : lengths[0], 1:] * 16, torch.tensor(images[3][:, :-1]).float()) and not x[0, :, 0].any()
    assert torch.equal(x[1, : lengths[1], :-1] * 16, torch.tensor(images[1][:, 1:]).float())
    assert not x[1, lengths[1] :].any()
    assert found.said([0, 3, 1, 0]) == "\u017fa" and found.labels("b\u017f").tolist() == [2, 3]


@pytest.mark.parametrize(("change", "said"), [
    ({"offsets": np.array([0, 9, 9])}, "do not fit"), ({"img4": np.zeros((9, 15), np.uint8)}, "do not fit"),
    ({"text": np.array([255], np.uint8)}, "damaged"), (None, "no lines")])
def test_other_files_are_refused(tmp_path, change, said):
    if change is not None:
        for part in ("train", "test"):
            written(tmp_path, part, 2)
        with np.load(tmp_path / "own_train.npz") as file:
            np.savez(tmp_path / "own_train.npz", **{**file, **change})
    with pytest.raises(LutraError, match=said):
        lines.load(tmp_path)


@pytest.mark.parametrize(("a", "b", "wanted"), [
    ("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("flaw", "lawn", 2)])
def test_distance(a, b, wanted):
    assert lines.distance(a, b) == wanted


def test_share_of_characters_that_are_right():
    assert lines.right(["abcd", ""], ["abcx", "y"]) == pytest.approx(1 - 2 / 5)


def test_batches_are_all_lines_once_of_like_lengths(data):
    for number in (0, 3):
        found = [i for picked, _ in lines.epoch(data.train, 8, 0, number) for i in picked]
        assert sorted(found) == list(range(40))
    assert list(lines.epoch(data.train, 8, 0, 3, 2)) == list(lines.epoch(data.train, 8, 0, 3))[2:]
    assert not any(any(moves) for _, moves in lines.epoch(data.train, 8, 0, 0))


def test_a_run_learns_in_fixed_point_and_resumes_exactly(data):
    plan, settings = trainable("ocr"), Settings(Bits(4, 4, 16), (10, 2), 8, 2e-2)
    whole = Reading(plan, settings, data)
    whole.WARMED = 5
    states = {}
    for now in whole.train():
        states[now.stage, now.epoch, now.batch] = None
        if (now.stage, now.epoch, now.batch) in (("float", 4, 2), ("fixed", 1, 1)):
            states[now.stage, now.epoch, now.batch] = torch.load(_kept(whole), weights_only=True)
    assert len(states) == 12 * 5 and whole.accuracy() > 0.9
    for state in filter(None, states.values()):
        again = Reading(plan, settings, data)
        again.WARMED = 5
        again.load(state)
        list(again.train())
        for name, value in whole.net.state_dict().items():
            assert torch.equal(value, again.net.state_dict()[name]), name


def _kept(run):
    import io

    buffer = io.BytesIO()
    torch.save(run.state(), buffer)
    buffer.seek(0)
    return buffer
