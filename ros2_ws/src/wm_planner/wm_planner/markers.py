"""What a planner compared, as markers for RViz and Foxglove: the tool's path of each candidate, coloured by cost."""

import numpy as np
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from wm_core.lifecycle import WmNode
from wm_core.qos import STATE
from wm_core.scene import ToolState
from wm_core.specs import ActionSpec
from wm_planner.planners.base import PlanResult

TOPIC = "wm/candidate_markers"
SHOWN = 64  # candidates at most, spread over the costs
CHEAP, DEAR, CHOSEN = np.array([0.1, 0.8, 0.2]), np.array([0.9, 0.1, 0.1]), np.array([0.2, 0.4, 1.0])
ABOVE = 0.005  # [m] the chosen one is drawn above the others


def candidate_markers(header: Header, tool: ToolState, action: ActionSpec, plan: PlanResult) -> MarkerArray:
    """From where the tool is commanded: cheap candidates green, dear ones red, by rank; the chosen plan blue.

    Candidates without a finite cost are left out.
    """
    order = np.argsort(plan.costs)
    order = order[np.isfinite(plan.costs[order])]
    if len(order) > SHOWN:
        order = order[np.round(np.linspace(0, len(order) - 1, SHOWN)).astype(int)]
    shares = np.linspace(0.0, 1.0, len(order))[:, None]
    colours = (1 - shares) * CHEAP + shares * DEAR
    lines = Marker(header=header, ns="candidates", id=0, type=Marker.LINE_LIST, scale=Vector3(x=0.001))
    lines.pose.orientation.w = 1.0
    for path, colour in zip(_paths(tool, action, plan.samples[order]), colours, strict=True):
        points, rgba = [_point(place) for place in path], _rgba(colour, 0.5)
        for start, end in zip(points, points[1:], strict=False):
            lines.points += [start, end]
            lines.colors += [rgba, rgba]
    chosen = Marker(header=header, ns="candidates", id=1, type=Marker.LINE_STRIP, scale=Vector3(x=0.003))
    chosen.pose.orientation.w = 1.0
    chosen.color = _rgba(CHOSEN, 1.0)
    chosen.points = [_point(place, ABOVE) for place in _paths(tool, action, plan.actions[None])[0]]
    if not lines.points:
        lines.action = Marker.DELETE
    return MarkerArray(markers=[lines, chosen])


class CandidateView:
    """Publishes them while somebody looks."""

    def __init__(self, node: WmNode) -> None:
        self._node = node
        self._publisher = node.publisher(MarkerArray, TOPIC, STATE)

    def show(self, header: Header, tool: ToolState, action: ActionSpec, plan: PlanResult) -> None:
        """See candidate_markers."""
        if self._node.count_subscribers(TOPIC):
            self._publisher.publish(candidate_markers(header, tool, action, plan))


def _paths(tool: ToolState, action: ActionSpec, actions: np.ndarray) -> np.ndarray:
    """(N, H + 1, 3) [m] of the tool for actions (N, H, A)."""
    steps = action.to_displacement(np.asarray(actions, float))[..., :3]
    start = np.broadcast_to(tool.values[:3], (len(steps), 1, 3))
    return np.concatenate([start, tool.values[:3] + np.cumsum(steps, axis=1)], axis=1)


def _point(place: np.ndarray, above: float = 0.0) -> Point:
    return Point(x=float(place[0]), y=float(place[1]), z=float(place[2]) + above)


def _rgba(colour: np.ndarray, alpha: float) -> ColorRGBA:
    r, g, b = map(float, colour)
    return ColorRGBA(r=r, g=g, b=b, a=alpha)
