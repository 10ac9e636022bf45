"""Beliefs about scenes to messages and back.

`mean` of the message: for each object its state (13 numbers, wm_core.object_state) and its code (2); `variance`: of the same. What an
object looks like from above, and how high it is, stands in its ObjectState.
"""

from collections.abc import Sequence

import numpy as np
from std_msgs.msg import Header
from wm_msgs.msg import Belief

from wm_core.conversions import object_messages, tool_message
from wm_core.object_state import POSITION, ROTATION, STATE
from wm_core.scene import ToolState
from wm_core.solid import POINTS
from wm_dynamics.scene_belief import SceneBelief

CODE = 2
NUMBERS = STATE + CODE  # of an object
PRESENT = 0.5


def scene_belief_message(
    header: Header,
    model_id: str,
    belief: SceneBelief,
    tool: ToolState,
    target: ToolState,
    visibility: Sequence[float] | np.ndarray,
    time_unseen: Sequence[float] | np.ndarray,
) -> Belief:
    """`tool` measured and `target` commanded (6,); `visibility`, `time_unseen` [s] of each object."""
    variance = np.zeros((belief.slots, NUMBERS))
    variance[:, POSITION], variance[:, ROTATION] = belief.variance[:, :1], belief.variance[:, 1:]
    return Belief(
        header=header,
        model_id=model_id,
        mean=np.concatenate([belief.state, belief.code], 1).astype(np.float32).reshape(-1),
        variance=variance.astype(np.float32).reshape(-1),
        objects=object_messages(belief.scene, visibility, time_unseen),
        tool=tool_message(tool),
        tool_target=tool_message(target),
    )


def scene_belief(message: Belief) -> SceneBelief:
    """Raises ValueError for a message of another form."""
    count = len(message.objects)
    for name in ("mean", "variance"):
        if len(getattr(message, name)) != count * NUMBERS:
            raise ValueError(
                f"expected {NUMBERS} numbers of {name} for each of {count} objects, got {len(getattr(message, name))}"
            )
    if not count or any(len(each.outline) != 2 * POINTS for each in message.objects):
        raise ValueError(
            f"expected objects with outlines of {POINTS} places, got {[len(each.outline) // 2 for each in message.objects]}"
        )
    mean, variance = (np.asarray(each, float).reshape(count, NUMBERS) for each in (message.mean, message.variance))
    if not np.isfinite(mean).all() or not np.isfinite(variance).all():
        raise ValueError("expected a finite belief, got one with NaN or infinity")
    return SceneBelief(
        tuple(each.id for each in message.objects),
        mean[:, :STATE].copy(),
        np.stack([variance[:, POSITION.start], variance[:, ROTATION.start]], 1),
        np.array([each.outline for each in message.objects], float).reshape(count, POINTS, 2),
        np.array([each.size.z for each in message.objects]),
        mean[:, STATE:].copy(),
        np.array([each.presence > PRESENT for each in message.objects]),
    )
