"""How frames are given: one array, a tuple, a mapping; from the command line; every wrong way is one sentence."""

import numpy as np
import pytest

from lutra.cli.options import frames, input_format, store
from lutra.errors import LutraError
from lutra.frames import gather, of_input, single

A, B = np.zeros((2, 3)), np.ones((2, 4))


@pytest.mark.parametrize("x", [(A, B), [A, B], {"b": B, "a": A}, (A.tolist(), B)],
                         ids=["tuple", "list", "dict", "rows"])
def test_each_input_gets_its_array(x):
    found = gather(x, ("a", "b"))
    assert np.array_equal(found[0], A) and np.array_equal(found[1], B)


@pytest.mark.parametrize("x", [A, A.tolist(), {"a": A}], ids=["array", "rows", "dict"])
def test_one_input_takes_one_array(x):
    (found,) = gather(x, ("a",))
    assert np.array_equal(found, A)


@pytest.mark.parametrize(("x", "names", "said"), [
    (A, "ab", "1 array is given, the model has 2 inputs .*order a, b"),
    ((A, B, A), "ab", "3 arrays are given, the model has 2 inputs"),
    ({"a": A, "c": B}, "ab", "the model has no input 'c' .its inputs are a, b"),
    ({"a": A}, "ab", "no frames for the input 'b'"),
    ((A, B[:1]), "ab", "differ in how many frames they have: a 2, b 1"),
])
def test_wrong_frames_are_one_sentence(x, names, said):
    with pytest.raises(LutraError, match=said) as caught:
        gather(x, tuple(names))
    assert "\n" not in str(caught.value)


def test_an_error_says_which_of_several_inputs():
    for several, at in ((False, "input"), (True, "input left")):
        with pytest.raises(LutraError) as caught, of_input("left", several):
            raise LutraError("wrong", "input")
        assert caught.value.at == at


def test_one_output_is_an_array():
    assert single((A,)) is A and single((A, B)) == (A, B)


def test_files_by_order_and_by_name(tmp_path):
    paths = {name: tmp_path / f"{name}=x.npy" for name in "ab"}
    np.save(paths["a"], A)
    np.save(paths["b"], B)
    a, b = (str(p) for p in paths.values())
    assert np.array_equal(frames([a], "ab"), A)
    assert [v.shape for v in frames([b, a], "ab")] == [B.shape, A.shape]
    named = frames([f"b={b}", f"a={a}"], "ab")
    assert np.array_equal(named["a"], A) and np.array_equal(named["b"], B)
    assert np.array_equal(frames([f"a=b={a}"], ["a", "a=b"])["a=b"], A)
    for given, said in (([f"a={a}", b], "without its name"), ([f"a={a}", f"a={b}"], "'a' is given twice")):
        with pytest.raises(LutraError, match=said):
            frames(given, "ab")


def test_several_results_are_one_file(tmp_path):
    store(tmp_path / "y.npz", (A, B))
    with np.load(tmp_path / "y.npz") as z:
        assert list(z) == ["output0", "output1"] and np.array_equal(z["output1"], B)
    store(tmp_path / "y.npy", A)
    assert np.array_equal(np.load(tmp_path / "y.npy"), A)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["y.npy", "y.npz"]


def test_formats_by_name():
    assert input_format((0, 3), 0.5, ()) == {"input_range": (0, 3), "input_scale": 0.5}
    named = input_format(None, None, [("a", 0, 3, 0.5), ("b", -8, 7, 1.0)])
    assert named == {"input_range": {"a": (0, 3), "b": (-8, 7)}, "input_scale": {"a": 0.5, "b": 1.0}}
    with pytest.raises(LutraError, match="beside"):
        input_format((0, 3), None, [("a", 0, 3, 0.5)])
