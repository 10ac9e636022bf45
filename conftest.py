"""What all tests share."""

import gc

import pytest
from hypothesis import settings

# Machines are shared and slow at times: how long an example takes says nothing of what is tested.
settings.register_profile("wm", deadline=None)
settings.load_profile("wm")


@pytest.fixture(scope="module", autouse=True)
def nodes_end():
    """Nodes in the process of the tests hold DDS participants until they are collected, and a machine finds 32 of these only."""
    yield
    gc.unfreeze()  # active nodes freeze what there is
    gc.collect()
