"""Have a running wm bring the object to a place on the table, and say what came of it.

It takes the place of a goal that is being pursued, as the next one takes its: start wm with episodes:=none for it to have
no goals of its own. Ctrl-C cancels the goal. Exit status 0: reached, 1: not.
"""

import argparse

from wm_bringup.cli._running import Speaker, add_namespace, speaker

ERROR_STATUS = 2  # 1: not reached


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("x", type=float, metavar="X", help="[m] in the table's frame, away from the robot")
    parser.add_argument("y", type=float, metavar="Y", help="[m] to its left")
    parser.add_argument("--frame", help="of the place (default: the table's, as the running planner calls it)")
    add_namespace(parser)


def run(options: argparse.Namespace) -> int:
    import numpy as np
    from wm_msgs.msg import GoalEvent
    from wm_msgs.srv import SetGoal

    from wm_core.qos import STATE
    from wm_tasks.client import object_goal

    with speaker(options.namespace) as wm:
        ends: list[GoalEvent] = []
        wm.node.create_subscription(
            GoalEvent, "wm/goal", lambda m: ends.append(m) if m.event == GoalEvent.END else None, STATE
        )
        goal = object_goal(np.array([options.x, options.y]), frame=options.frame or "")
        wm.call(SetGoal, "wm/set_goal", "wm_planner", SetGoal.Request(goal=goal))
        ends[:] = [end for end in ends if end.goal == goal]  # others end as this one begins
        print(f"pursuing ({options.x:g}, {options.y:g}) m", flush=True)
        try:
            while not ends:
                wm.spin(0.1)
        except KeyboardInterrupt:
            _cancel(wm)
            raise
        print(ends[0].message)
        return 0 if ends[0].success else 1


def _cancel(wm: Speaker) -> None:
    from std_srvs.srv import Trigger

    print(wm.call(Trigger, "wm/cancel_goal", "wm_planner", Trigger.Request()).message)
