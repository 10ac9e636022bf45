"""What a goal asks of each object: where to bring it, on what it shall rest, and how exactly. Goals that cannot be met are refused."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from wm_core.goal import Goal, GoalError, PoseGoal, RelationGoal, UprightGoal, ZoneGoal
from wm_core.object_state import ROTATION
from wm_core.outline import distance as outline_distance
from wm_core.rotations import wrapped
from wm_dynamics.scene_belief import STANDS, SceneBelief, heading
from wm_planner.scene.around import WORTH, Around
from wm_planner.scene.clearance import Prism

TABLE = -1  # what an object rests on that rests on nothing else
LIES = 0.7  # cosine of the tilt below which what stood has fallen over
APART = 0.012  # [m] between two objects beside each other
ZONE_INSET = 0.015  # [m] within a zone's edge that is aimed at
LEVER = 0.08  # [m] by which a wrong yaw counts as a wrong position
NEXT = 0.01  # [m] to both sides, between which the way to go is looked for
PLACES = 24  # around another object that are tried


@dataclass(frozen=True)
class Target:
    """Of one object. NaN: as it is. `on`: the slot that shall carry it; `within`: it may lie inside that one."""

    slot: int
    place: np.ndarray  # (2,) [m]
    yaw: float = np.nan  # [rad]
    tolerance: float = 0.02  # [m]
    yaw_tolerance: float = np.inf  # [rad]
    on: int = TABLE
    within: bool = False
    upright: bool = False  # it shall stand up, wherever
    zone: tuple[np.ndarray, np.ndarray] | None = (
        None  # lower and upper corner (2,) [m]: anywhere in there; `place` is the nearest
    )
    around: Around | None = field(default=None, repr=False)  # ways to `place` where the straight one is blocked

    def off(self, states: np.ndarray) -> np.ndarray:
        """How far (...,) [m] states (..., K, 13) are from it; a wrong yaw counts as LEVER says."""
        place = states[..., self.slot, :2]
        if self.upright:
            tilt = states[..., self.slot, 3] ** 2 + states[..., self.slot, 4] ** 2  # sin^2 of half the tilt
            return 2 * LEVER * np.sqrt(tilt)
        off = ((place - self._nearest(place)) ** 2).sum(-1)
        if self.around is not None:
            off = (np.sqrt(off) + self.around.at(place)) ** 2
        if np.isfinite(self.yaw):  # along the arc: the chord says little near half a turn
            off = off + (LEVER * wrapped(heading(states[..., self.slot, ROTATION]) - self.yaw)) ** 2
        return np.sqrt(off + 1e-9)

    def ahead(self, place: np.ndarray) -> np.ndarray:
        """Which way (2,) it is to be brought from a place, not of unit length; 0 where it is there."""
        if self.around is None or self.around.at(place) == 0:
            return self._nearest(place) - place
        steps = NEXT * np.array([[1.0, 0.0], [0.0, 1.0]])
        lengths = [
            np.linalg.norm(at - self.place, axis=-1) + self.around.at(at) for at in (place + steps, place - steps)
        ]
        return lengths[1] - lengths[0]

    def with_ways(
        self, belief: SceneBelief, others: Sequence[Prism], region: tuple[np.ndarray, np.ndarray]
    ) -> "Target":
        """The same, with ways around `others`, prisms of all but its object, where these are in the way."""
        if self.on != TABLE or self.upright or self.zone is not None:
            return self
        here, norms = belief.state[self.slot, :2], np.linalg.norm(belief.outline[self.slot], axis=1)
        radius = float(norms.min() + norms.max()) / 2
        straight = np.stack([here, self.place])
        if all(float(outline_distance(each.middle, straight)) > radius + each.radius for each in others):
            return replace(self, around=None)
        around = Around.to(self.place, radius, others, region)
        return replace(self, around=around if around.at(here) > WORTH else None)

    def _nearest(self, place: np.ndarray) -> np.ndarray:
        """Where (..., 2) [m] it is to be brought from a place."""
        return self.place if self.zone is None else np.clip(place, *self.zone)

    def reached(self, belief: SceneBelief, margin: float = 1.0) -> bool:
        """Whether a belief is within `margin` of the tolerances."""
        state = belief.state[self.slot]
        if self.upright:
            return bool(belief.upright[self.slot] > np.cos(np.radians(8.0)))
        if np.linalg.norm(state[:2] - self._nearest(state[:2])) > margin * self.tolerance:
            return False
        if np.isfinite(self.yaw) and abs(wrapped(belief.yaw[self.slot] - self.yaw)) > margin * self.yaw_tolerance:
            return False
        return self.on == TABLE or abs(belief.bottom[self.slot] - self.rest_height(belief)) < 0.012

    def rest_height(self, belief: SceneBelief) -> float:
        """[m] at which its bottom comes to rest."""
        if self.on == TABLE:
            return 0.0
        return float(belief.bottom[self.on]) if self.within else float(belief.top[self.on])


@dataclass(frozen=True)
class Aim:
    """Targets of some objects, the others stay where they are."""

    targets: tuple[Target, ...]
    kept: tuple[int, ...]  # slots
    places: np.ndarray = field(repr=False)  # (K, 2) [m] where all were at the beginning
    stood: np.ndarray = field(repr=False)  # (K,) bool: which ones stood then

    def open(self, belief: SceneBelief, margin: float = 1.0) -> list[Target]:
        """Those not reached."""
        return [target for target in self.targets if not target.reached(belief, margin)]

    def fallen(self, belief: SceneBelief) -> list[int]:
        """Slots of what stood at the beginning and lies now, but for what shall be on or in another object."""
        elsewhere = [target.slot for target in self.targets if target.on != TABLE]
        lies = self.stood & belief.present & (belief.upright < LIES)
        return [slot for slot in np.flatnonzero(lies).tolist() if slot not in elsewhere]

    def at(self, belief: SceneBelief) -> "Aim":
        """With the nearest places of zones as objects are now."""
        if all(target.zone is None for target in self.targets):
            return self
        near = [replace(each, place=each._nearest(belief.state[each.slot, :2])) for each in self.targets]
        return replace(self, targets=tuple(near))

    def with_ways(self, belief: SceneBelief, standing: Sequence[Prism], region: tuple[np.ndarray, np.ndarray]) -> "Aim":
        """With ways around what is in the way of its targets; `standing`: prisms of all objects by slot, then of what stands still."""
        found = [
            each.with_ways(belief, [*standing[: each.slot], *standing[each.slot + 1 :]], region)
            for each in self.targets
        ]
        return replace(self, targets=tuple(found))

    def progress(self, belief: SceneBelief) -> dict[str, float]:
        """How far off [m] each object is, by its name."""
        plain = [replace(each, around=None) for each in self.targets]
        return {belief.identities[each.slot]: float(each.off(belief.state)) for each in plain}


def aim_of(
    goal: Goal, belief: SceneBelief, lower: np.ndarray, upper: np.ndarray, fixtures: Sequence[Prism] = ()
) -> Aim:
    """What a goal asks for, now. `lower`, `upper` (2,): where objects may be brought [m]. Raises GoalError that says why not."""
    targets = [_target(each, belief, lower, upper, fixtures) for each in goal.parts]
    slots = [target.slot for target in targets]
    for slot in slots:
        if slots.count(slot) > 1:
            raise GoalError(
                f"expected one goal for each object, got {slots.count(slot)} for '{belief.identities[slot]}'"
            )
        if not belief.present[slot]:
            raise GoalError(f"'{belief.identities[slot]}' is not on the table any more")
    kept = tuple(slot for slot in range(belief.slots) if slot not in slots and belief.present[slot])
    _check_room(targets, kept, belief, fixtures)
    return Aim(tuple(targets), kept, belief.position[:, :2].copy(), belief.upright > STANDS)


def _target(goal: Goal, belief: SceneBelief, lower: np.ndarray, upper: np.ndarray, fixtures: Sequence[Prism]) -> Target:
    if isinstance(goal, PoseGoal):
        slot = _slot(goal.identity, belief)
        place = np.array([goal.pose.get("x", belief.state[slot, 0]), goal.pose.get("y", belief.state[slot, 1])])
        _check_reach(place, lower, upper, belief.identities[slot])
        return Target(slot, place, goal.pose.get("yaw", np.nan), goal.tolerance, goal.yaw_tolerance)
    if isinstance(goal, UprightGoal):
        slot = _slot(goal.identity, belief)
        return Target(slot, belief.state[slot, :2].copy(), upright=True)
    if isinstance(goal, ZoneGoal):
        slot = _slot(goal.identity, belief)
        zone = np.full(2, -np.inf), np.full(2, np.inf)
        for axis, name in enumerate("xy"):
            if name in goal.lower:
                inset = min(ZONE_INSET, (goal.upper[name] - goal.lower[name]) / 2)
                zone[0][axis], zone[1][axis] = goal.lower[name] + inset, goal.upper[name] - inset
        place = np.clip(belief.state[slot, :2], *zone)
        _check_reach(place, lower, upper, belief.identities[slot])
        return Target(slot, place, tolerance=ZONE_INSET, zone=zone)
    if isinstance(goal, RelationGoal):
        return _related(goal, belief, lower, upper, fixtures)
    raise GoalError(f"expected goals about objects' poses, zones and relations, got {type(goal).__name__}")


def _related(
    goal: RelationGoal, belief: SceneBelief, lower: np.ndarray, upper: np.ndarray, fixtures: Sequence[Prism]
) -> Target:
    slot, other = _slot(goal.identity, belief), _slot(goal.other, belief)
    there, mine, its = belief.state[other, :2], belief.radius[slot], belief.radius[other]
    if goal.relation in ("on", "in"):
        _check_reach(there, lower, upper, belief.identities[other])
        room = float(np.linalg.norm(belief.outline[other], axis=1).min())
        if goal.relation == "on" and room < 0.012:
            raise GoalError(f"'{goal.other}' is too small to carry anything")
        return Target(slot, there.copy(), tolerance=0.02, on=other, within=goal.relation == "in")
    gap = max(goal.gap, APART) + mine + its
    if goal.relation == "apart":
        away = belief.state[slot, :2] - there
        heading = np.arctan2(away[1], away[0]) + np.linspace(-np.pi, np.pi, PLACES, endpoint=False)
        reach = max(goal.gap + APART, float(np.linalg.norm(away)))
    else:
        first = {"behind": 0.0, "left_of": np.pi / 2, "in_front_of": np.pi, "right_of": -np.pi / 2}[goal.relation]
        heading, reach = first + np.linspace(-0.6, 0.6, 7), gap
    places = there + reach * np.stack([np.cos(heading), np.sin(heading)], -1)
    within = ((places > lower) & (places < upper)).all(1)
    free = within & np.array([_is_free(place, slot, other, belief, fixtures) for place in places])
    if not free.any():
        raise GoalError(f"no free place within reach for '{goal.identity}' {goal.relation} '{goal.other}'")
    order = np.linalg.norm(places - belief.state[slot, :2], axis=1) + np.where(free, 0.0, np.inf)
    return Target(slot, places[int(np.argmin(order))], tolerance=0.012)


def _is_free(place: np.ndarray, slot: int, other: int, belief: SceneBelief, fixtures: Sequence[Prism]) -> bool:
    apart = np.linalg.norm(belief.state[:, :2] - place, axis=1) - belief.radius - belief.radius[slot]
    apart[[slot, other]] = np.inf
    return bool((apart > 0).all()) and clear_of(fixtures, place, float(belief.radius[slot]))


def clear_of(fixtures: Sequence[Prism], place: np.ndarray, radius: float) -> bool:
    """Whether a circle around a place (2,) meets none of what stands still."""
    return all(float(outline_distance(place[None], each.footprint)[0]) > radius for each in fixtures)


def _check_reach(place: np.ndarray, lower: np.ndarray, upper: np.ndarray, name: str) -> None:
    if not np.isfinite(place).all() or (place < lower).any() or (place > upper).any():
        raise GoalError(
            f"'{name}': expected a place within x {lower[0]:g}..{upper[0]:g}, y {lower[1]:g}..{upper[1]:g} m, got"
            f" {np.round(place, 3).tolist()}"
        )


def _check_room(targets: list[Target], kept: tuple[int, ...], belief: SceneBelief, fixtures: Sequence[Prism]) -> None:
    """Goals on top of what stays, or of each other, are refused before anything moves."""
    for number, target in enumerate(targets):
        if target.on != TABLE or target.upright:
            continue
        inner = float(np.linalg.norm(belief.outline[target.slot], axis=1).min())
        if not clear_of(fixtures, target.place, inner):
            raise GoalError(
                f"'{belief.identities[target.slot]}' cannot be at {np.round(target.place, 3).tolist()} m: something stands there that"
                " does not move"
            )
        for other in kept:
            if belief.bottom[other] < belief.height[target.slot] and _overlaps(
                target.place, inner, belief.footprint(other)
            ):
                raise GoalError(
                    f"'{belief.identities[target.slot]}' cannot be where '{belief.identities[other]}' stays, at"
                    f" {np.round(target.place, 3).tolist()} m"
                )
        for later in targets[number + 1 :]:
            both = inner + float(np.linalg.norm(belief.outline[later.slot], axis=1).min())
            if later.on == TABLE and not later.upright and np.linalg.norm(later.place - target.place) < both:
                names = [belief.identities[each.slot] for each in (target, later)]
                raise GoalError(f"'{names[0]}' and '{names[1]}' cannot be in the same place")


def _overlaps(place: np.ndarray, inner: float, footprint: np.ndarray) -> bool:
    return float(outline_distance(place[None], footprint)[0]) < inner


def _slot(identity: str, belief: SceneBelief) -> int:
    if not identity and belief.slots == 1:
        return 0
    if identity not in belief.identities:
        raise GoalError(f"expected an object out of {list(belief.identities)}, got '{identity}'")
    return belief.identities.index(identity)
