"""What tests share: where real data are, and where results of tools are kept between runs."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

REPO = Path(__file__).resolve().parents[1]
settings.register_profile("any machine", deadline=None)  # how long a case takes is no property of the code
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data: $LUTRA_DATA, else beside the repository. Its absence skips, and fails in CI."""
    folder = Path(os.environ.get("LUTRA_DATA") or REPO.parent / "shared" / "data")
    if folder.is_dir():
        return folder
    reason = f"no real data at {folder}; set LUTRA_DATA to the folder that holds mnist/, models/ and the others"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def cache() -> Path:
    """A folder for results of tools, kept between runs."""
    return REPO / ".cache"


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded random numbers, the same for each test."""
    return np.random.default_rng(0)
