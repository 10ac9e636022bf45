"""The checks of `wm doctor --live`: silent on healthy systems, and each fault that can be planted is found with its remedy."""

import _doctor_arm_faults  # noqa: F401  registers its faults
import _doctor_faults  # noqa: F401
import _doctor_image_faults  # noqa: F401
import numpy as np
import pytest
from _doctor_plant import FAULTS, finds, remedied
from _doctor_records import PROFILES, healthy
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_bringup.doctor.checks import examine


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**32))
def test_nothing_is_said_of_a_healthy_system(profile: str, seed: int):
    assert examine(healthy(profile, np.random.default_rng(seed))) == []


@pytest.mark.parametrize(("index", "name"), enumerate(FAULTS))
def test_a_planted_fault_is_found_and_its_remedy_named(index: int, name: str):
    """Each in one record; bench/live_doctor.py plants them in many."""
    profile = list(PROFILES)[index % len(PROFILES)]
    rng, fault = np.random.default_rng(index), FAULTS[name]
    observed = healthy(profile, rng)
    where = fault.plant(observed, rng)
    findings = examine(observed)
    found = finds(findings, fault, where)
    assert found, findings
    assert remedied(found, fault), found
    assert all(each.expected and each.found and each.remedy for each in findings)


def test_there_are_twenty_kinds_and_more():
    assert len(FAULTS) >= 20 and len({fault.check for fault in FAULTS.values()}) >= 20
