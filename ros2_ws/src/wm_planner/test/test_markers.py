"""The candidates of a plan as lines in RViz: where the tool would go, green where that is cheap."""

import numpy as np
import pytest
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from wm_core.scene import ToolState
from wm_core.specs import ActionSpec
from wm_planner.markers import SHOWN, candidate_markers
from wm_planner.planners.base import PlanResult

ACTION = ActionSpec({"x": 0.03, "y": 0.03}, (("x", "y"),), {"z": 0.027})
TOOL = ToolState.at(0.5, 0.1, 0.027)


def plan(samples, costs) -> PlanResult:
    samples = np.asarray(samples, np.float32)
    return PlanResult(
        samples[int(np.nanargmin(costs))], float(np.nanmin(costs)), 1, len(costs), False, samples, np.array(costs)
    )


def markers(samples, costs):
    return candidate_markers(Header(frame_id="table"), TOOL, ACTION, plan(samples, costs)).markers


def test_a_line_begins_at_the_tool_and_goes_where_the_actions_lead():
    lines, chosen = markers([[[1, 0], [0, 1]], [[-1, 0], [-1, 0]]], [1.0, 5.0])
    places = np.array([[p.x, p.y, p.z] for p in chosen.points])
    np.testing.assert_allclose(places[:, :2], [[0.5, 0.1], [0.53, 0.1], [0.53, 0.13]], atol=1e-6)
    assert lines.type == Marker.LINE_LIST and len(lines.points) == 2 * 2 * 2 == len(lines.colors)
    assert (lines.points[-1].x, lines.header.frame_id) == (pytest.approx(0.44), "table")


def test_cheap_is_green_and_dear_is_red():
    lines, _ = markers([[[0, 0]], [[1, 0]], [[0, 1]]], [9.0, 1.0, 5.0])
    cheap, dear = lines.colors[0], lines.colors[-1]
    assert cheap.g > cheap.r and dear.r > dear.g
    assert lines.points[1].x == pytest.approx(0.53)  # the cheapest first


def test_there_are_not_too_many_and_none_without_a_cost():
    lines, _ = markers(np.zeros((500, 3, 2)), [np.nan, *range(499)])
    assert len(lines.points) == SHOWN * 3 * 2
    lines, chosen = candidate_markers(Header(), TOOL, ACTION, PlanResult.unsearched(np.zeros((3, 2)))).markers
    assert lines.action == Marker.DELETE and len(chosen.points) == 4
