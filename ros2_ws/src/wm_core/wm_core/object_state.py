"""How the state of an object with a full pose is laid out: position [m], quaternion x y z w, velocity [m/s, rad/s]."""

from wm_core.layout import Layout, Part
from wm_core.specs_schema import POSITION as AXES
from wm_core.specs_schema import ROTATION as QUATERNION
from wm_core.specs_schema import VELOCITY as TWIST

OBJECT_STATE = Layout((Part("position", AXES), Part("rotation", QUATERNION), Part("velocity", TWIST)))
POSITION, ROTATION, VELOCITY = (OBJECT_STATE.slice(part) for part in ("position", "rotation", "velocity"))
STATE = OBJECT_STATE.size
