"""What a camera sees beside what is imagined; a picture that cannot be read is no picture."""

from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import Image

from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_tasks.views import Views


def image(data: bytes, **changed) -> Image:
    return Image(**{"width": 4, "height": 2, "step": 12, "encoding": "rgb8", "data": list(data), **changed})


@pytest.fixture
def views():
    """`views.hears[topic](message)`: what comes on a topic."""
    heard = {}
    node = SimpleNamespace(create_subscription=lambda kind, topic, callback, qos: heard.update({topic: callback}))
    views = Views(node, CameraRig.load(rig_path("one_camera")).cameras[0])
    views.hears = {topic.rpartition("/")[2]: callback for topic, callback in heard.items()}
    return views


def test_both_are_shown_once_the_camera_has_sent_one(views):
    assert views.shot("before") is None
    views.hears["image_raw"](image(bytes(range(24))))
    shot = views.shot("now", np.array([0.5, 0.0]))
    assert shot.camera.tolist() == np.arange(24).reshape(2, 4, 3).tolist() and shot.imagined is None
    views.hears["imagined_image"](image(bytes(24), encoding="bgr8"))
    assert views.shot("now").imagined.shape == (2, 4, 3)


@pytest.mark.parametrize("broken", [{"height": 4}, {"step": 24}, {"encoding": "colourful"}, {"width": 9}])
def test_a_picture_that_cannot_be_read_ends_nothing(views, broken):
    """A driver that sends the wrong size would have ended the goals."""
    views.hears["image_raw"](image(bytes(24), **broken))
    assert views.shot("now") is None
