"""wm_composed: perception, dynamics and planner in one process, with the names, topics and life cycles that they have alone.

Each has an executor and a thread of its own, and its own heartbeat: the supervisor sees three nodes that happen to have one process.
"""

import sys

from wm_core.node_process import run
from wm_dynamics.node import DynamicsNode
from wm_perception.node import PerceptionNode
from wm_planner.node import PlannerNode

NODES = (PerceptionNode, DynamicsNode, PlannerNode)
# [s] for which a thread may compute in Python while another one waits; 5 ms, Python's own, are a tenth of a cycle.
SWITCH_S = 0.0005


def main() -> int:
    sys.setswitchinterval(SWITCH_S)
    return run(*NODES)


if __name__ == "__main__":
    raise SystemExit(main())
