"""Beliefs about scenes as messages."""

import numpy as np
import pytest
from scene_of_one import scene
from std_msgs.msg import Header

from wm_core.scene import ToolState
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_messages import scene_belief, scene_belief_message

TOOL = ToolState.at(0.4, 0.0, 0.1, opening=0.04)


def message_of(belief):
    return scene_belief_message(Header(frame_id="table"), "scene-1", belief, TOOL, TOOL, [1.0], [0.0])


def test_a_belief_comes_back_as_it_was_sent():
    belief = SceneBelief.of(scene([0.5, 0.1, 0.025], yaw=0.4))
    belief.code[:], belief.variance[:] = [[0.5, -0.2]], [[1e-6, 1e-4]]
    back = scene_belief(message_of(belief))
    assert back.identities == belief.identities and back.present.all()
    for name in ("state", "variance", "outline", "height", "code"):
        np.testing.assert_allclose(getattr(back, name), getattr(belief, name), rtol=1e-5, atol=1e-7, err_msg=name)


def test_a_message_of_another_form_is_refused():
    message = message_of(SceneBelief.of(scene([0.5, 0.1, 0.025])))
    message.mean = message.mean[:-1]
    with pytest.raises(ValueError, match="15 numbers of mean for each of 1 objects, got 14"):
        scene_belief(message)
    message = message_of(SceneBelief.of(scene([0.5, 0.1, 0.025])))
    message.objects[0].outline = []
    with pytest.raises(ValueError, match="outlines"):
        scene_belief(message)
