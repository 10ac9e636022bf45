"""Which poses the arm should take with the board: in sight, far from the table, turned every way, and near each other in turn."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wm_core.camera_model import Lens
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.rotations import parts_of, pose_of, rotation_of
from wm_perception.calibration.board import Board

TILT = 32.0  # [degrees] of the tool from its rest orientation, about x and y
HIGHEST = 0.30  # [m] of the tool above the reach box
CLEARANCE = 0.05  # [m] of the board above the table
SINKING = 0.01  # [m] by which a board that is nearer may come nearer on its way up
FACING = 57.0  # [degrees] steepest view of the board at which its corners are found well
EDGE = 0.02  # of the image's size, that the board keeps from its border
FOLDED = 0.02  # between the ray of a pixel and the point that is projected there, at a distance of 1
LARGEST_JOINT = 2.4  # [rad] between neighbouring poses: no detours
WAYPOINT = 0.05  # [rad] between places on a way that are looked at
TRIES = 60  # candidates a wanted pose
SPARE = 1.4  # times as many as wanted are looked at, since some cannot be reached from the others
NEAREST = 12  # poses that are tried as the next one


@dataclass(frozen=True)
class RoughCamera:
    """About where a camera is: pose (4, 4) of its optical frame in the table frame."""

    name: str
    camera: np.ndarray
    lens: Lens


@dataclass(frozen=True)
class Pose:
    """Joints (n,) [rad] with the tool at `tool` (4, 4), and the cameras that should see the board."""

    q: np.ndarray
    tool: np.ndarray
    cameras: tuple[str, ...]


# Whether the arm may go straight from joints (n,) to joints (n,).
Free = Callable[[np.ndarray, np.ndarray], bool]


def choose(
    kinematics: Kinematics,
    board: Board,
    cameras: Sequence[RoughCamera],
    count: int,
    free: Free,
    start: np.ndarray,
    seed: int = 0,
) -> list[Pose]:
    """Up to `count` poses in the order in which they are taken, from joints `start` (n,) on, and so that `free` holds on each way.

    Each camera sees the board in `count` or fewer of them, spread over rotations and over its image. Fewer come where the arm
    cannot go on; check how many each camera has.
    """
    rng = np.random.default_rng(seed)
    candidates = _candidates(kinematics, board, cameras, rng, TRIES * count)
    wanted = _spread(candidates, board, cameras, round(SPARE * count) + 2)
    return _in_turn(wanted, free, start, count)


def way_back(free: Free, start: np.ndarray, poses: Sequence[Pose]) -> list[np.ndarray]:
    """Joints (n,) to go to in turn, from the last of `poses`, which were chosen from joints `start` (n,) on, back to `start`.

    Straight as near to the start as `free` allows, and from there by the ways that the poses were reached on, whose places are known
    to be free.
    """
    places = [start, *(pose.q for pose in poses)]
    last = places.pop()
    nearest = next((i for i, q in enumerate(places) if _near(last, q) and free(last, q)), len(places) - 1)
    return places[nearest::-1]


def board_is_clear(kinematics: Kinematics, board: Board, here: np.ndarray, there: np.ndarray) -> bool:
    """Whether the board stays above the table on the straight way between joints (n,): a board that is too low may go up."""
    heights = [_lowest(pose_of(*reversed(kinematics.fk(q))) @ board.mounted, board) for q in way(here, there)]
    return min(heights) > max(0.0, min(CLEARANCE, heights[0] - SINKING))


def way(here: np.ndarray, there: np.ndarray, spacing: float = WAYPOINT) -> np.ndarray:
    """Joints (m, n) along the straight line between joints (n,), both ends among them."""
    steps = max(1, int(np.ceil(np.abs(there - here).max() / spacing)))
    return here + np.linspace(0.0, 1.0, steps + 1)[:, None] * (there - here)


def _candidates(
    kinematics: Kinematics, board: Board, cameras: Sequence[RoughCamera], rng: np.random.Generator, tries: int
) -> list[Pose]:
    robot, found = kinematics.robot, []
    low, high = robot.reach.lower[:3].copy(), robot.reach.upper[:3].copy()
    low, high = np.maximum(low, robot.workspace.lower), np.minimum(high + [0, 0, HIGHEST], robot.workspace.upper)
    yaw = np.degrees([robot.reach.lower[3], robot.reach.upper[3]])
    for _ in range(tries):
        turn = rotation_of([*rng.uniform(-TILT, TILT, 2), 0.0]) @ rotation_of([0.0, 0.0, rng.uniform(*yaw)])
        rotation, position = turn @ robot.tool.rotation, rng.uniform(low, high)
        tool = pose_of(rotation, position)
        seen = tuple(rough.name for rough in cameras if in_sight(tool @ board.mounted, board, rough))
        if not seen or _lowest(tool @ board.mounted, board) < CLEARANCE:
            continue
        try:
            q = kinematics.ik(position, rotation, robot.home.joints)
        except KinematicsError:
            continue
        found.append(Pose(q, tool, seen))
    return found


def _lowest(pose: np.ndarray, board: Board) -> float:
    """Height [m] of the lowest corner of a board at a pose (4, 4) in the table frame."""
    return float((board.outline @ pose[2, :3] + pose[2, 3]).min())


def in_sight(pose: np.ndarray, board: Board, rough: RoughCamera) -> bool:
    """Whether a camera sees all of the board at a pose (4, 4) in the table frame, from its front and not too steeply."""
    rotation, origin = parts_of(np.linalg.inv(rough.camera) @ pose)
    corners = board.outline @ rotation.T + origin
    middle = corners.mean(0)
    if corners[:, 2].min() < 0.1 or rotation[:, 2] @ middle / np.linalg.norm(middle) < np.cos(np.radians(FACING)):
        return False
    size = np.array([rough.lens.width, rough.lens.height])
    pixels = rough.lens.project(corners)
    if not ((pixels > EDGE * size).all() and (pixels < (1 - EDGE) * size).all()):
        return False
    # Polynomials fold back: what is far outside the field of view may be projected into the image, but its ray does not lead back.
    return bool((np.abs(rough.lens.rays(pixels) - corners / corners[:, 2:]) < FOLDED).all())


def _spread(candidates: list[Pose], board: Board, cameras: Sequence[RoughCamera], count: int) -> list[Pose]:
    """Farthest-point sampling over rotation and place, for each camera alike."""
    rotations = np.array([pose.tool[:3, :3].reshape(-1) for pose in candidates]).reshape(-1, 9)
    places = np.array([(pose.tool @ board.mounted)[:3, 3] for pose in candidates]).reshape(-1, 3)
    features = np.c_[rotations, 3 * places]  # 10 degrees count as much as 8 cm
    chosen: list[int] = []
    for rough in cameras:
        able = [i for i, pose in enumerate(candidates) if rough.name in pose.cameras]
        while able and sum(rough.name in candidates[i].cameras for i in chosen) < count:
            rest = [i for i in able if i not in chosen]
            if not rest:
                break
            if not chosen:
                chosen.append(rest[0])
                continue
            distance = np.linalg.norm(features[rest][:, None] - features[chosen][None], axis=2).min(1)
            chosen.append(rest[int(distance.argmax())])
    return [candidates[i] for i in chosen]


def _near(here: np.ndarray, there: np.ndarray) -> bool:
    """Whether a straight way between joints (n,) is no detour."""
    return float(np.abs(there - here).max()) < LARGEST_JOINT


def _in_turn(poses: list[Pose], free: Free, here: np.ndarray, count: int) -> list[Pose]:
    rest, ordered = list(poses), []
    have: Counter[str] = Counter()
    while rest:
        rest.sort(key=lambda pose: float(np.abs(pose.q - here).max()))
        near = [pose for pose in rest[:NEAREST] if _near(here, pose.q)]
        found = next((pose for pose in near if free(here, pose.q)), None)
        if found is None:
            break
        ordered.append(found)
        have.update(found.cameras)
        here = found.q
        rest = [pose for pose in rest if pose is not found and any(have[name] < count for name in pose.cameras)]
    return ordered
