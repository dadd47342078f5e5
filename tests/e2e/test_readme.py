"""What the README and the tutorial tell a reader to run, run: Python blocks in order, and `lutra` command lines."""

import re
import runpy
import shlex
from pathlib import Path

import pytest

from lutra.cli import call
from lutra.ops import units

REPO = Path(__file__).resolve().parents[2]
PAGES = [REPO / "README.md", *sorted((REPO / "docs" / "tutorial").glob("*.md"))]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_blocks_run(page, tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lutra.build.cache_folder", lambda given: Path(given or cache))
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert blocks
    space = {"__name__": page.stem}
    for language, text in blocks:
        if language == "python":
            exec(compile(text, str(page), "exec"), space)
        else:
            for line in text.splitlines():
                words = shlex.split(line, comments=True)
                assert words[0] == "lutra", line
                assert call(words[1:]) == 0, line


def test_commands_of_the_readme_exist():
    text = (REPO / "README.md").read_text(encoding="utf-8")
    for path in re.findall(r"(?:bench|examples)/\w+\.py", text):
        assert (REPO / path).is_file(), path
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)$", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_links_lead_somewhere():
    for page in [REPO / "README.md", REPO / "CONTRIBUTING.md", *REPO.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            made = target.endswith("reference/operators.md")  # by the documentation's build
            assert made or target.startswith("http") or (page.parent / target).exists(), f"{page}: {target}"


def test_operator_reference_has_every_operator():
    page = runpy.run_path(str(REPO / "docs" / "gen_ops.py"))["page"]()
    for unit in units():
        assert f"## {unit.__name__}\n" in page and f"::: {unit.__module__}.{unit.__name__}\n" in page
