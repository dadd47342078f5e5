"""Every header of the HLS library, as the contract's cases use it, is without what a vendor's compiler refuses."""

from cases import Case, draw

from lutra.check.hls import check
from lutra.hw.cpp import separate, sources
from lutra.hw.forms import forms, library
from lutra.ops import units
from lutra.plan.stages import folds_of


def test_the_library_is_without_fault(tmp_path):
    """A case of each operator: the checks read templates, which are the same in all."""
    nodes = [draw(unit, 1)[0] for unit in units()]
    designs = separate([Case(node, folds_of(node)[0]).netlist for node in nodes])
    tops = [f"{n.name}.cpp" for n in designs]
    files = {name: path.read_text() for name, path in library().items()}
    files |= {name: text for n in designs for name, text in sources(n).items()}
    files["all.cpp"] = "".join(f'#include "{name}"\n' for name in (*tops, *library()))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    result = check(tmp_path / "all.cpp", *(n.name for n in designs))
    assert result.faults == ()
    assert library().keys() | set(tops) <= {p.name for p in result.files}
    assert result.functions > len(designs) + len(forms()) and result.directives > result.functions
