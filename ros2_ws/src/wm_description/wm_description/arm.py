"""The arm in a URDF: which of its joints are the arm's, which are those of the hand at its end, and where a tool goes."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass

from wm_core.robot import RobotError

TURNING = ("revolute", "continuous")
MOVING = (*TURNING, "prismatic")
TOOL_WORDS = ("tool0", "flange", "ee", "eef", "tcp")  # in names of frames that are meant for tools


@dataclass(frozen=True)
class Chain:
    """The arm in a URDF: its base link, moving joints in order, and the link that carries the tool."""

    base: str
    joints: tuple[str, ...]
    flange: str


@dataclass(frozen=True)
class Joint:
    """A joint between two links. `mimics`: the joint that it follows, with a factor and an offset; empty: none."""

    name: str
    kind: str
    parent: str
    child: str
    mimics: str
    factor: float
    offset: float
    lower: float
    upper: float
    velocity: float
    effort: float

    @property
    def independent(self) -> bool:
        """Whether it moves, by itself."""
        return self.kind in MOVING and not self.mimics


class Tree:
    """The links of a URDF with the joints between them."""

    def __init__(self, root: ElementTree.Element) -> None:
        """Raises RobotError for a joint without parent or child or with a limit that is no number, and for what is no tree."""
        self.links = [link.get("name", "") for link in root.findall("link")]
        self.joints = [_joint(element) for element in root.findall("joint")]
        self.above = {joint.child: joint for joint in self.joints}
        self.below: dict[str, list[Joint]] = {}
        for joint in self.joints:
            self.below.setdefault(joint.parent, []).append(joint)
        self.mimicked = {joint.mimics for joint in self.joints if joint.mimics}
        if len(self.above) < len(self.joints) or any(link in self._over(link) for link in self.above):
            raise RobotError("expected a URDF in which every link hangs from one joint at most, and none from itself")

    def path(self, link: str) -> list[Joint]:
        """All joints from the root to a link."""
        joints = [self.above[each] for each in (link, *self._over(link)) if each in self.above]
        return joints[::-1]

    def _over(self, link: str) -> list[str]:
        """The links from which a link hangs, upwards; in a loop, each once."""
        over: list[str] = []
        while link in self.above and self.above[link].parent not in over:
            over.append(link := self.above[link].parent)
        return over

    def behind(self, link: str) -> Iterator[Joint]:
        """All joints that hang from a link, those next to it first."""
        todo = [link]
        while todo:
            for joint in self.below.get(todo.pop(0), []):
                yield joint
                todo.append(joint.child)

    def frame_for_tools(self, link: str) -> str:
        """A frame that is fixed to a link and meant for tools, by its name: tool0, a flange or an end effector; empty: none."""
        todo, frames = [link], []
        while todo:
            frames.append(todo.pop())
            todo += [joint.child for joint in self.below.get(frames[-1], []) if joint.kind == "fixed"]
        for word in TOOL_WORDS:
            if found := [frame for frame in frames if word in frame.lower().split("_") or frame.lower() == word]:
                return found[0]
        return ""


def find_arm(root: ElementTree.Element) -> Chain:
    """The longest chain of turning joints without those of a hand; the flange is a frame for tools at its end, else its last link.

    Raises RobotError for a description without such a chain.
    """
    tree = Tree(root)
    joints = max((_arm_of(tree, tree.path(link)) for link in tree.links), key=len, default=[])
    if not joints:
        raise RobotError("expected a URDF with an arm, found no chain of turning joints in it; run xacro on it first?")
    base = joints[0].parent
    while base in tree.above and tree.above[base].parent != "world":
        base = tree.above[base].parent
    end = joints[-1].child
    return Chain(base, tuple(joint.name for joint in joints), tree.frame_for_tools(end) or end)


def _arm_of(tree: Tree, path: list[Joint]) -> list[Joint]:
    """The turning joints of a path that are an arm's.

    A hand begins where others move beside what follows, less of it than what comes before: its fingers. Where a frame for tools
    follows, it is still the arm. And a joint at the end that another one mimics is that of a gripper.
    """
    places = [i for i, joint in enumerate(path) if joint.kind in TURNING and not joint.mimics]
    end = path[-1].child if path else ""
    for before, place in enumerate(places):
        here = path[places[before - 1] + 1 : place + 1] if before else []
        fingers = any(_moves_beside(tree, joint) for joint in here)
        if fingers and before > len(places) - before and not tree.frame_for_tools(end):
            places = places[:before]
            break
    while places and path[places[-1]].name in tree.mimicked:
        places.pop()
    return [path[place] for place in places]


def _moves_beside(tree: Tree, joint: Joint) -> bool:
    """Whether a joint that moves by itself hangs from the same link as this one, but not behind it."""
    others = [each for each in tree.below[joint.parent] if each is not joint]
    return any(each.independent or any(j.independent for j in tree.behind(each.child)) for each in others)


def _joint(element: ElementTree.Element) -> Joint:
    name = element.get("name", "")
    ends = [part.get("link", "") for part in map(element.find, ("parent", "child")) if part is not None]
    if len(ends) != 2:
        raise RobotError(
            f"joint '{name}': expected a parent and a child, got {len(ends)} of them; is the URDF complete?"
        )
    mimic, limit = element.find("mimic"), element.find("limit")
    follows = {} if mimic is None else mimic.attrib
    bounds = {} if limit is None else limit.attrib
    try:
        return Joint(
            name,
            element.get("type", ""),
            parent=ends[0],
            child=ends[1],
            mimics=follows.get("joint", ""),
            factor=float(follows.get("multiplier", "1")),
            offset=float(follows.get("offset", "0")),
            lower=float(bounds.get("lower", "0")),
            upper=float(bounds.get("upper", "0")),
            velocity=float(bounds.get("velocity", "0")),
            effort=float(bounds.get("effort", "0")),
        )
    except ValueError as error:
        raise RobotError(f"joint '{name}': expected numbers, {error}; run xacro on the URDF first?") from error
