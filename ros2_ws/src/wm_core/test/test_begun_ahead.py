"""Outlines begin on the x axis of whichever frame they are said in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from wm_core.outline import begun_ahead
from wm_core.solid import Solid

TEE = Solid.joined([Solid.box((0.12, 0.03, 0.04)), Solid.box((0.03, 0.09, 0.04), (0.0, -0.06, 0.0))])


@given(st.floats(-np.pi, np.pi))
def test_an_outline_in_a_turned_frame_is_that_of_the_turned_object(angle):
    found = begun_ahead(TEE.outline, np.array(angle))
    turned = TEE.turned(Rotation.from_euler("z", -angle).as_matrix()).outline
    np.testing.assert_allclose(found, turned, atol=0.004)
    assert abs(found[0, 1]) < 0.002 and found[0, 0] > 0


def test_several_outlines_have_frames_of_their_own():
    both = begun_ahead(np.stack([TEE.outline, TEE.outline]), np.array([0.0, 0.7]))
    np.testing.assert_allclose(both[0], TEE.outline, atol=1e-9)
    np.testing.assert_allclose(both[1], begun_ahead(TEE.outline, np.array(0.7)))
