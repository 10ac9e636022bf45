"""The shipped bundle."""

import pytest

from wm_core.bundle import Bundle
from wm_core.paths import bundles_dir


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return Bundle.load(bundles_dir() / "default")
