"""Time messages and nanoseconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.stamps import to_msg, to_ns


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_round_trip(stamp_ns):
    assert to_ns(to_msg(stamp_ns)) == stamp_ns


@pytest.mark.parametrize("stamp_ns", [-1, 2**31 * 10**9])
def test_out_of_range_is_refused(stamp_ns):
    with pytest.raises(ValueError, match="expected a time"):
        to_msg(stamp_ns)
