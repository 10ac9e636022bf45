"""Where an arm's tool can really be: inverse kinematics over the reach that a profile claims."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from wm_core.kinematics import Kinematics, KinematicsError

SPACING = 0.05  # [m] of the places that are tried


@dataclass(frozen=True)
class Reach:
    """Joints (n,) at the places that were reached, x, y, z [m], yaw [rad], and the places that were not."""

    reached: dict[tuple[float, float, float, float], np.ndarray]
    missed: list[tuple[float, float, float, float]]


def try_reach(kinematics: Kinematics, start: np.ndarray, spacing: float = SPACING) -> Reach:
    """Go over a grid of the reach from joints `start` (n,), each place solved from a neighbour's joints, as the arm moves.

    At the height of pushing and yaw 0, and from there at the reach's bounds of height and yaw.
    """
    robot = kinematics.robot
    low, high = robot.reach.lower, robot.reach.upper
    height = robot.tool.height
    flat = spread(kinematics, start, _grid(low[0], high[0], spacing), _grid(low[1], high[1], spacing))
    reached = {(x, y, height, 0.0): q for (x, y), q in flat.items() if q is not None}
    missed = [(x, y, height, 0.0) for (x, y), q in flat.items() if q is None]
    levels = [(z, yaw) for z in (low[2], height, high[2]) for yaw in (low[3], 0.0, high[3])]
    for x, y, *_ in list(reached):
        for z, yaw in levels:
            q = _solve(kinematics, np.array([x, y, z]), float(yaw), reached[x, y, height, 0.0])
            place = (x, y, float(z), float(yaw))
            if q is None:
                missed.append(place)
            else:
                reached[place] = q
    return Reach(reached, missed)


def home_joints(kinematics: Kinematics) -> np.ndarray:
    """Joints (n,) at home; raises KinematicsError where the arm does not get there."""
    home = kinematics.robot.home
    return kinematics.ik(home.position, kinematics.robot.tool.turned(home.yaw), home.joints)


def tool_speed(kinematics: Kinematics, q: np.ndarray) -> float:
    """[m/s] that the joints' velocity limits allow the tool in x and y, whatever the direction."""
    jacobian = kinematics.jacobian(q)
    per_metre = np.linalg.pinv(jacobian)[:, :2]  # joint velocities for 1 m/s along x and y
    return float((kinematics.velocity / np.maximum(np.linalg.norm(per_metre, axis=1), 1e-9)).min())


def _grid(low: float, high: float, spacing: float) -> list[float]:
    return [float(value) for value in np.linspace(low, high, max(2, round((high - low) / spacing) + 1))]


def _solve(kinematics: Kinematics, position: np.ndarray, yaw: float, start: np.ndarray) -> np.ndarray | None:
    try:
        return kinematics.ik(position, kinematics.robot.tool.turned(yaw), start)
    except KinematicsError:
        return None


def spread(
    kinematics: Kinematics, start: np.ndarray, xs: list[float], ys: list[float]
) -> dict[tuple[float, float], np.ndarray | None]:
    """Joints at the grid's places, found outwards from the place nearest to `start`; None: not reached."""
    tool = kinematics.fk(start)[0]
    height = kinematics.robot.tool.height
    first = (int(np.argmin(np.abs(np.array(xs) - tool[0]))), int(np.argmin(np.abs(np.array(ys) - tool[1]))))
    found: dict[tuple[int, int], np.ndarray | None] = {
        first: _solve(kinematics, np.array([xs[first[0]], ys[first[1]], height]), 0.0, start)
    }
    todo = deque([first] if found[first] is not None else [])
    while todo:
        i, j = todo.popleft()
        for place in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            if not (0 <= place[0] < len(xs) and 0 <= place[1] < len(ys)) or found.get(place) is not None:
                continue
            position = np.array([xs[place[0]], ys[place[1]], height])
            found[place] = _solve(kinematics, position, 0.0, found[i, j])  # type: ignore[arg-type]
            if found[place] is not None:
                todo.append(place)
    return {(x, y): found.get((i, j)) for i, x in enumerate(xs) for j, y in enumerate(ys)}
