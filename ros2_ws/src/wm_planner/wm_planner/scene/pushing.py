"""Pushes from proposal to end: looked at in imagination, travelled to, then searched around step by step."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from wm_core.hand import Hand
from wm_core.object_state import POSITION, ROTATION, STATE
from wm_core.outline import turned
from wm_core.rotations import uprightness, wrapped
from wm_dynamics.scene_belief import SceneBelief, heading
from wm_dynamics.scene_model import SceneDynamics, SceneFutures
from wm_planner.scene.clearance import Prism, prisms
from wm_planner.scene.costs import USUAL, Context, total
from wm_planner.scene.pushes import GENTLE, STEADY, STRAIGHT, Pushes, is_slender, propose, within
from wm_planner.scene.refine import Search
from wm_planner.scene.targets import Aim, Target
from wm_planner.scene.travel import next_move, route, there

FEW = 3  # objects with which there is time for more than one iteration of the search
FEWEST = 24  # proposals of a cycle, however late it is
BOLD = {"doubt": 0.0}
MOST_REACHED = 6  # of the best proposals, whose start is asked for
LOOKED_AT = 12  # proposals that all members are asked about
WORTH = 0.0015  # [m] of cost that a push must gain
TRAVEL_COST = 0.004  # [m] of cost for each metre that the hand travels before
LONGEST_PUSH = 24  # steps
AVOIDED = 0.02  # [m] around a place that the arm does not get to
FRUITLESS = 3  # steps of a push that promise nothing, after which it ends
TIPPING, GENTLER = (
    float(np.cos(np.radians(4.0))),
    0.6,
)  # cosine of a tilt with which a push ends; factor on the speed of the next
UNMOVED, UNTURNED = 0.004, 0.05  # [m], [rad] of an object that a whole push has left where it was
SAME_TOUCH = np.array([0.025, 0.025, 0.015])  # [m] in the object's frame, between touches that are alike
PROGRESS = 0.001  # [m] of cost by which what was reached counts as better than before
WITHOUT_PROGRESS = 6  # steps after which a push ends, whatever it promises


@dataclass(frozen=True)
class Limits:
    """Of tool states `lower`, `upper` (6,), and where objects may be: `region`, lower and upper corner (2,)."""

    lower: np.ndarray
    upper: np.ndarray
    region: tuple[np.ndarray, np.ndarray]


@dataclass
class Pushing:
    """One push after the other; `slot`: of what is pushed, -1: nothing."""

    model: SceneDynamics
    hand: Hand
    limits: Limits
    fixtures: Sequence[Prism]
    proposals: int  # in each of `looks` cycles
    looks: int
    search: Search
    weights: Mapping[str, float] | None
    refining: bool
    leaning: bool
    rng: np.random.Generator
    reaches: Callable[[np.ndarray], bool]  # whether the arm can hold the tool in a state (6,)
    slot: int = -1
    chosen: SceneFutures | None = None  # of the push that was taken
    _found: list[tuple[Pushes, np.ndarray]] = field(default_factory=list)
    _avoided: list[np.ndarray] = field(default_factory=list)  # tool states that the arm does not get to
    _missed: list[tuple[int, np.ndarray]] = field(default_factory=list)  # slots, and touches (3,) that moved nothing
    _began: tuple[np.ndarray, np.ndarray] = (
        np.zeros(STATE),
        np.zeros(6),
    )  # state (13,) and tool (6,) when the push began
    _speeds: dict[int, float] = field(default_factory=dict)  # factors, by slots, of what was about to fall over
    looked: int = 0  # proposals
    _each_s: float = 0.0  # [s] that one takes
    _way: list[np.ndarray] = field(default_factory=list)
    _plan: np.ndarray = field(default_factory=lambda: np.zeros((1, 6)))
    _steps: int = 0
    _fruitless: int = 0
    _least: float = np.inf  # [m] that the scene was off in this push
    _lasting: int = 0  # steps since then

    def begin(self) -> None:
        """Look anew."""
        self._found, self.looked = [], 0

    def avoid(self) -> None:
        """The arm does not get to where it was going to."""
        if self._way:
            self._avoided.append(self._way[0])

    @property
    def ready(self) -> bool:
        """Whether enough proposals were imagined for one to be taken."""
        return self.looked >= self.looks * self.proposals

    def look(
        self,
        belief: SceneBelief,
        aim: Aim,
        targets: Sequence[Target],
        tool: np.ndarray,
        left_s: float = np.inf,
        *,
        anywhere: bool = False,
    ) -> None:
        """Imagine some proposals, so many as there is time for in `left_s` [s]; `anywhere`: that touch at any height."""
        began = time.perf_counter()
        count = (
            int(np.clip(left_s / max(self._each_s, 1e-6), FEWEST, self.proposals))
            if left_s < np.inf
            else self.proposals
        )
        pushes = propose(
            belief,
            targets,
            [*prisms(belief), *self.fixtures],
            self.hand,
            self.limits.lower,
            self.limits.upper,
            self.model.horizon,
            count,
            self.rng,
            fastest=float(self.model.limit[0]),
            leaning=self.leaning,
            anywhere=frozenset([each.slot for each in targets] if anywhere else [slot for slot, _ in self._missed]),
        )
        if pushes is not None:
            futures = self.model.imagine(belief, pushes.start, pushes.moves)
            self._found.append((pushes, self._judged(belief, aim, pushes, futures, tool)))
            took = (time.perf_counter() - began) / len(pushes.start)
            self._each_s = took if self._each_s == 0 else 0.8 * self._each_s + 0.2 * took
        self.looked += count

    def take(
        self, belief: SceneBelief, aim: Aim, tool: np.ndarray, worth: float = WORTH, *, boldly: bool = False
    ) -> bool:
        """The best prefix of the best proposals, as all members see them; False where none is worth it. `boldly`: however much the
        members disagree.
        """
        found, self._found, self.looked = self._found, [], 0
        if not found:
            return False
        every = Pushes(
            *(np.concatenate([getattr(each[0], name) for each in found]) for name in ("start", "moves", "slot"))
        )
        cost = np.concatenate([each[1] for each in found])
        for place in self._avoided:
            cost[np.linalg.norm(every.start[:, :2] - place[:2], axis=1) < AVOIDED] += 1.0
        for slot, touch in self._missed:
            touches = _touch(belief.state[slot], every.start)
            cost[(every.slot == slot) & (np.abs(touches - touch) < SAME_TOUCH).all(1)] += 1.0
        order = np.argsort(cost.min(1))[:LOOKED_AT]
        best_of = Pushes(every.start[order], every.moves[order], every.slot[order])
        futures = self.model.imagine(belief, best_of.start, best_of.moves, every=True)
        again = self._judged(belief, aim, best_of, futures, tool, BOLD if boldly else None)
        promising = [each for each in np.argsort(again.min(1)) if now(belief, aim) - again[each].min() >= worth]
        best = next((each for each in promising[:MOST_REACHED] if self.reaches(best_of.start[each])), None)
        if best is None:
            return False
        length = int(np.argmin(again[best]))
        self._plan = best_of.moves[best].copy()
        self._plan[length + 1 :] = 0.0
        self.slot = int(best_of.slot[best])
        self.chosen = only(futures, np.arange(len(order)) == best)
        standing = [*prisms(belief), *self.fixtures]
        self._way = route(
            self.hand, tool, best_of.start[best], standing, self.limits.lower, self.limits.upper, self.rng
        )
        self._began = belief.state[self.slot], best_of.start[best]
        self._steps = self._fruitless = self._lasting = 0
        self._least = now(belief, aim)
        return True

    def travel(self, tool: np.ndarray) -> np.ndarray | None:
        """The next displacement (6,) on the way to where the push begins; None: it is there."""
        while self._way and there(tool, self._way[0]):
            self._way.pop(0)
        return next_move(tool, self._way[0], self.model.limit) if self._way else None

    def push(
        self, belief: SceneBelief, aim: Aim, tool: np.ndarray, before: np.ndarray, late: Callable[[], bool]
    ) -> np.ndarray | None:
        """The next displacement (6,); None: it gains no more."""
        if self._tips(belief):
            self._speeds[self.slot] = GENTLER * self._speeds.get(self.slot, 1.0)
            return None
        context = self.context(belief, aim, self.slot)
        if self.refining:

            def cost(moves: np.ndarray) -> np.ndarray:
                """By all members: the best of many is most often one that a single member is wrong about."""
                moves = within(tool, moves, self.limits.lower, self.limits.upper)
                return total(self.model.imagine(belief, tool, moves, before, every=True), aim, context, self.weights)

            limit, search = self.model.limit.copy(), self.search
            if belief.slots > FEW:
                search = replace(search, iterations=1)
            if is_slender(belief, self.slot):
                limit[:2], limit[3] = GENTLE * self._speeds.get(self.slot, 1.0), STEADY
                search = replace(search, spread=tuple(STRAIGHT * each for each in search.spread))
            plan, along = search.best(self._plan, limit, cost, self.rng, late)
            gained = now(belief, aim) - float(along.min())
        else:
            plan, gained = self._plan, float(np.abs(self._plan).max() > 0)
        self._fruitless = 0 if gained > WORTH / 2 else self._fruitless + 1
        self._steps += 1
        if (least := now(belief, aim)) < self._least - PROGRESS:
            self._least, self._lasting = least, 0
        self._lasting += 1
        if self._fruitless >= FRUITLESS or self._lasting > WITHOUT_PROGRESS or self._steps > LONGEST_PUSH:
            self._remember(belief)
            return None
        self._plan = np.concatenate([plan[1:], np.zeros((1, 6))])
        return plan[0]

    def _tips(self, belief: SceneBelief) -> bool:
        """Whether what stood begins to fall over; it stands again if it is let go early."""
        stood = bool(uprightness(self._began[0][ROTATION]) > TIPPING)
        return stood and bool(belief.upright[self.slot] < TIPPING)

    def _remember(self, belief: SceneBelief) -> None:
        """A touch that has moved nothing, though it promised to: the outline says nothing of what is hollow or low there."""
        before, tool = self._began
        after = belief.state[self.slot]
        turning = abs(wrapped(heading(after[ROTATION]) - heading(before[ROTATION])))
        if np.linalg.norm(after[:2] - before[:2]) < UNMOVED and turning < UNTURNED:
            self._missed.append((self.slot, _touch(before, tool)))

    def context(self, belief: SceneBelief, aim: Aim, slot: int) -> Context:
        """For the terms of the cost, where one object is to be moved."""
        standing = dict(enumerate([*prisms(belief), *self.fixtures]))
        kept = {other: prism for other, prism in standing.items() if other in aim.kept or other >= belief.slots}
        return Context(belief, self.hand, *self.limits.region, kept, (slot,))

    def _judged(
        self,
        belief: SceneBelief,
        aim: Aim,
        pushes: Pushes,
        futures: SceneFutures,
        tool: np.ndarray,
        changed: Mapping[str, float] | None = None,
    ) -> np.ndarray:
        """Cost (N, H) of each prefix; `changed`: other weights of some terms."""
        weights = {**(USUAL if self.weights is None else self.weights), **(changed or {})}
        cost = np.empty(futures.tool.shape[:2])
        for slot in np.unique(pushes.slot):
            mine = pushes.slot == slot
            cost[mine] = total(only(futures, mine), aim, self.context(belief, aim, int(slot)), weights)
        return cost + TRAVEL_COST * np.linalg.norm(pushes.start[:, :2] - tool[:2], axis=1)[:, None]


def now(belief: SceneBelief, aim: Aim) -> float:
    """What the scene costs as it is."""
    return float(sum(target.off(belief.state) for target in aim.targets))


def _touch(state: np.ndarray, tool: np.ndarray) -> np.ndarray:
    """Where tool states (..., 6) are in the frame of an object that stands: (..., 3) [m]."""
    off = tool[..., :3] - state[POSITION]
    return np.concatenate([turned(off[..., :2], -float(heading(state[ROTATION]))), off[..., 2:]], -1)


def only(futures: SceneFutures, chosen: np.ndarray) -> SceneFutures:
    """Some of the candidates: a mask (N,)."""
    return SceneFutures(
        futures.states[:, chosen], futures.variances[:, chosen], futures.contacts[:, chosen], futures.tool[chosen]
    )
