"""Objects of a scene, frame by frame: each one's pose from what is seen of it, new ones, hidden ones, and those that are gone.

What is seen is shared out among the objects that are known; where nobody looks, an object may be; where a look finds nothing, it is not.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from wm_core.rotations import wrapped
from wm_core.scene import SceneState
from wm_core.solid import POINTS
from wm_perception.scene.parts import PartsModel
from wm_perception.scene.shapes import MOST, TOP, Shape, looked_around, shapes_of
from wm_perception.scene.surface import CELL, Surface
from wm_perception.scene.template import Template, fitted, seen_template

REACH = 0.012  # [m] beside its outline at which a cell may belong to an object that rested
MOVING = 0.03  # [m] the same, of one that is near the hand
NEAR_HAND = 0.08  # [m] within which the hand may move an object
LEAST_SEEN, LEAST_FILLED = 0.2, 0.35  # shares of its places that are looked at; of these that must be occupied
SMALLEST, LARGEST = 1.5e-4, 0.03  # [m^2] of an object
OF_HAND = 0.15  # [m] from the tool within which something new may be a part of the hand
LOOKS = 3  # in which something new must be seen
SAME = 0.015  # [m] between two looks at the same object, before it has a name
LOST, GONE = 3, 25  # looks at an empty place after which an object is looked for elsewhere; is gone
HALF = 0.5  # share of what is around something new that must be looked at
ALIKE = 0.3  # share by which area and height of what is found again may differ
TALLER = 0.015  # [m] above where its top is expected that cells may be an object's
LIFTED = 0.045  # [m] the same, of one that may have been lifted
SHARP = 8  # looks at what rests, whose mean is its outline
UNMOVED = np.array([0.006, 0.006, 0.15])  # [m, m, rad] of an object that rests meanwhile
ROUNDS = 2  # of sharing out what several objects may cover


@dataclass
class First:
    """The first looks at an object: `pose` (3,) at which it was found, and in how many of `looks` each cell (X, Y) was its own."""

    pose: np.ndarray
    covered: np.ndarray
    looks: int = 1


@dataclass
class Seen:
    """One object: pose (3,) of its template, `top` [m] its height over the table, what of it was seen lately."""

    name: str
    template: Template
    pose: np.ndarray
    top: float
    visible: bool = True
    found: bool = True  # in the last look
    whole: bool = True  # nothing of it was hidden when its template was made
    empty: int = 0  # looks that found nothing at its place
    present: bool = True
    first: First | None = None  # while its template is of few looks


@dataclass
class _New:
    """Something that belongs to no object, so far."""

    middle: np.ndarray
    looks: int = 1


class SceneEye:
    """Keeps the objects of one scene. Names are object_0, object_1, ... in the order in which they were first seen."""

    def __init__(self, parts: PartsModel | None = None) -> None:
        """`parts`: takes apart what touches; without it what touches when it is first seen is one object."""
        self._parts = parts
        self.reset()

    def reset(self) -> None:
        """The scene is another one: what the first look finds is taken for its objects."""
        self.objects: list[Seen] = []
        self._new: list[_New] = []
        self._begun = False

    def look(self, surface: Surface, tool: np.ndarray, expected: dict[str, np.ndarray] | None = None) -> SceneState:
        """All objects after a look, `tool` (6,): where the hand is. `expected` (4,) by name, from what moved meanwhile: x, y, yaw and
        the height of the top.
        """
        occupied = surface.occupied
        index, heights = np.argwhere(occupied), surface.height[occupied]
        places = surface.places(index)
        poses = [np.asarray((expected or {}).get(each.name, [*each.pose, each.top]), float) for each in self.objects]
        for _ in range(ROUNDS):
            owner, shared = self._owners(places, heights, poses, tool)
            for number, (each, pose) in enumerate(zip(self.objects, poses, strict=True)):
                self._follow(each, surface, index, places, heights, owner == number, pose)
            if not shared:
                break
            poses = [np.array([*each.pose, each.top]) for each in self.objects]  # by which they share better
        for number, each in enumerate(self.objects):
            self._learned(each, surface, index[owner == number], tool)
        self._looked_for()
        self._births(surface, index[owner < 0], tool)
        self._begun = True
        return self._state()

    # -- inside --------------------------------------------------------------------------------------------------

    def _owners(
        self, places: np.ndarray, heights: np.ndarray, poses: list[np.ndarray], tool: np.ndarray
    ) -> tuple[np.ndarray, bool]:
        """Which object each place (n, 2) belongs to (n,), -1: to none; whether some might belong to several."""
        owner, least = np.full(len(places), -1), np.full(len(places), np.inf)
        shared, moving = False, []
        for number, (each, pose) in enumerate(zip(self.objects, poses, strict=True)):
            if not each.present:
                continue
            near = np.linalg.norm(places - pose[:2], axis=1) < each.template.radius + MOVING
            off = np.full(len(places), np.inf)
            off[near] = each.template.beside(places[near], pose)
            by_hand = _by_hand(each, pose, tool)
            mine = (off < (MOVING if by_hand else REACH)) & (heights < pose[3] + TALLER)
            shared |= bool((mine & (owner >= 0)).any())
            better = mine & (off < least)
            owner[better], least[better] = number, off[better]
            if by_hand:
                moving.append((number, off))
        for number, off in sorted(
            moving, key=lambda each: -poses[each[0]][3]
        ):  # what nobody claims may be one that was lifted
            enough = LEAST_FILLED * self.objects[number].template.area / CELL**2
            claimed = (owner < 0) & (off < MOVING) & (heights < poses[number][3] + LIFTED)
            if (owner == number).sum() < enough <= claimed.sum():
                owner[claimed] = number
        return owner, shared

    def _follow(
        self,
        each: Seen,
        surface: Surface,
        index: np.ndarray,
        places: np.ndarray,
        heights: np.ndarray,
        mine: np.ndarray,
        pose: np.ndarray,
    ) -> None:
        """One object's pose after a look; `mine`: which of the occupied cells are its own."""
        if not each.present:
            return
        within = each.template.at(pose)
        looked = surface.at(surface.seen, within, 0.0) > 0.5
        # What stands on it hides it; its own cells may be higher than was expected.
        looked &= surface.at(surface.height, within, 0.0) < max(pose[3], heights[mine].max(initial=0.0)) + TALLER
        each.visible = bool(looked.mean() > LEAST_SEEN)
        filled = mine.sum() * surface.cell**2 / max(each.template.area * float(looked.mean()), 1e-9)
        if each.visible and filled > LEAST_FILLED:
            free = np.where(
                surface.seen & (surface.height < max(pose[3], heights[mine].max(initial=0.0)) + TALLER), 0.0, 1.0
            )
            free[tuple(index[mine].T)] = 1.0
            found = fitted(each.template, surface, free, places[mine], pose[:3])
            each.pose = np.array([found[0], found[1], wrapped(found[2])])
            each.top, each.found = float(np.quantile(heights[mine], TOP)), True
            return
        each.pose, each.top, each.found = pose[:3], float(pose[3]), False

    def _learned(self, each: Seen, surface: Surface, index: np.ndarray, tool: np.ndarray) -> None:
        """What its own cells (n, 2) say of an object's shape, where the hand hides nothing of them."""
        if not each.found or _by_hand(each, each.pose, tool):
            each.first = None
            return
        if not each.whole:
            self._completed(each, surface, index)
        if each.first is not None:
            self._sharpened(each, each.first, surface, index)

    def _looked_for(self) -> None:
        """Count the looks at places where an object is not."""
        for each in self.objects:
            if each.found:
                each.empty = 0
            elif each.visible:
                each.visible, each.empty = False, each.empty + 1
                each.present &= each.empty < GONE

    def _completed(self, each: Seen, surface: Surface, index: np.ndarray) -> None:
        """The shape of an object of which something was hidden at first, now that nothing is; its frame stays."""
        cells = np.zeros(surface.seen.shape, bool)
        cells[tuple(index.T)] = True
        if looked_around(surface, cells, each.top) > MOST:
            each.template, each.whole = seen_template(surface, cells, each.template.height, each.pose)[0], True

    def _sharpened(self, each: Seen, first: First, surface: Surface, index: np.ndarray) -> None:
        """The mean of the first looks at an object that rests: the noise of one is in its outline for good."""
        if (np.abs(each.pose - first.pose) > UNMOVED).any():
            each.first = None
            return
        first.covered[tuple(index.T)] += 1
        first.looks += 1
        if first.looks == SHARP:
            each.template = seen_template(surface, first.covered / SHARP, each.template.height, first.pose)[0]
            each.pose, each.first = first.pose, None

    def _births(self, surface: Surface, index: np.ndarray, tool: np.ndarray) -> None:
        """New objects, and lost ones that are found again, out of the cells (n, 2) that belong to nobody."""
        left = np.zeros(surface.seen.shape, bool)
        left[tuple(index.T)] = True
        labels, count = ndimage.label(left, np.ones((3, 3)))
        found: list[_New] = []
        for label in range(1, count + 1):
            together = labels == label
            if together.sum() * surface.cell**2 < SMALLEST:
                continue
            touching = [together] if self._parts is None else self._parts.apart(surface, together)
            for shape, cells in zip(shapes_of(surface, touching), touching, strict=True):
                if (new := self._born(surface, shape, cells, tool)) is not None:
                    found.append(new)
        self._new = found

    def _born(self, surface: Surface, shape: Shape, cells: np.ndarray, tool: np.ndarray) -> _New | None:
        """An object, or a lost one, of cells that belong to nobody; what must be looked at again, before it is one."""
        area = cells.sum() * surface.cell**2
        if not SMALLEST < area < LARGEST or looked_around(surface, cells) < HALF:
            return None
        places = surface.places(np.argwhere(cells))
        middle = places.mean(0)
        if self._begun and np.linalg.norm(middle - tool[:2]) < OF_HAND:
            return None
        if self._again(places, middle, shape.top, area, surface, occupied=cells):
            return None
        before = next((new for new in self._new if np.linalg.norm(new.middle - middle) < SAME), None)
        new = _New(middle, 1 if before is None else before.looks + 1)
        if new.looks < LOOKS and self._begun:
            return new
        template, pose = seen_template(surface, shape.cells, shape.height)
        first = First(pose, shape.cells.astype(float)) if shape.cells.sum() == cells.sum() else None
        name = f"object_{len(self.objects)}"
        self.objects.append(Seen(name, template, pose, shape.top, whole=shape.whole, first=first))
        return None

    def _again(
        self, places: np.ndarray, middle: np.ndarray, height: float, area: float, surface: Surface, occupied: np.ndarray
    ) -> bool:
        """Whether it is an object that is not any more where it was."""
        for each in self.objects:
            if each.empty < LOST or each.visible:
                continue
            alike = abs(area / each.template.area - 1) < ALIKE and abs(height / each.template.height - 1) < ALIKE
            if alike:
                free = np.where(surface.seen, occupied.astype(float), 1.0)
                turns = each.pose[2] + np.arange(0, 2 * np.pi, np.pi / 4)
                tried = [fitted(each.template, surface, free, places, np.array([*middle, turn])) for turn in turns]
                off = [np.maximum(each.template.beside(places, pose), 0).mean() for pose in tried]
                each.pose, each.visible, each.empty, each.present = tried[int(np.argmin(off))], True, 0, True
                each.found, each.top = True, height
                return True
        return False

    def _state(self) -> SceneState:
        state = SceneState.unknown(tuple(each.name for each in self.objects))
        count = len(self.objects)
        outlines = np.array([each.template.outline for each in self.objects]).reshape(count, 2 * POINTS)
        for slot, each in enumerate(self.objects):
            height = each.template.height
            state.presence[slot] = float(each.present)
            state.position[slot] = (*each.pose[:2], each.top - height / 2) if each.visible else np.nan
            state.rotation[slot] = 0.0, 0.0, np.sin(each.pose[2] / 2), np.cos(each.pose[2] / 2)
            state.size[slot] = (*np.ptp(each.template.outline, axis=0), height)
        return SceneState(
            state.presence,
            state.position,
            state.rotation,
            np.full((count, 6), np.nan),
            state.variance,
            state.size,
            outlines,
            np.zeros((count, 0)),
            state.identities,
        )


def _by_hand(each: Seen, pose: np.ndarray, tool: np.ndarray) -> bool:
    """Whether the hand at `tool` (6,) is so near to an object at a pose that it may move it, and hides something of it."""
    return bool(np.linalg.norm(tool[:2] - pose[:2]) < each.template.radius + NEAR_HAND)
