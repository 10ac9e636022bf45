"""What makes a future good: named cost terms over imagined object and tool paths."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from wm_core.bundle import Bundle, BundleError
from wm_core.kinematics import REACH_LOWER, REACH_UPPER
from wm_dynamics.calibration import Calibration
from wm_dynamics.rollout import Futures

Array = Any  # numpy array or torch tensor
CostToGo = Callable[[np.ndarray, np.ndarray], np.ndarray]  # latents (b, L), goal (2,) [m] -> what is to come (b,)
_EPS = 1e-6  # [m]


@dataclass(frozen=True)
class CostWeights:
    """Weight of each term; see CostModel for what a term measures."""

    goal: float = 10.0  # per metre of distance, mean over the steps
    terminal: float = 15.0  # per metre of distance at the end
    fine: float = 1.0  # saturating distance: the last centimetres still count
    approach: float = 4.0  # per metre between tool and the place behind the object
    side: float = 3.0  # tool close to the object on the wrong side
    effort: float = 0.02  # squared actions
    smoothness: float = 0.02  # squared changes of action
    workspace: float = 60.0  # per metre outside the regions
    uncertainty: float = 2.0  # per metre of not knowing where the object goes, mean over the steps
    value: float = 0.0  # of what the bundle says that will follow, per step of the plan


@dataclass(frozen=True)
class CostGeometry:
    """Lengths of the cost terms [m]."""

    behind: float = 0.055  # from the object's centre to where a push starts
    near: float = 0.085  # closer than this the tool should not be on the wrong side
    gate: float = 0.02  # below this distance to the goal the approach fades out
    fine_scale: float = 0.015
    object_lower: tuple[float, float] = (0.35, -0.25)
    object_upper: tuple[float, float] = (0.65, 0.25)
    tool_lower: tuple[float, float] = REACH_LOWER
    tool_upper: tuple[float, float] = REACH_UPPER


@dataclass
class CostModel:
    """Costs (N,) of futures with respect to a goal (2,) [m].

    goal, terminal, fine: distance of the object to the goal. approach: distance of the tool to the point behind the
    object as seen from the goal. side: the tool is near the object but not behind it, so it would push it away from the
    goal; makes it walk around. workspace: soft barrier. uncertainty: the future is not to be trusted. value: what the
    steps after the last imagined one will cost (Hansen et al. 2024, "TD-MPC2"); the others are means over the steps, so
    this sum is divided by their number. It belongs to the end of a call of the rollout graph: after a shorter plan the
    tool stands still until then.
    """

    weights: CostWeights = field(default_factory=CostWeights)
    geometry: CostGeometry = field(default_factory=CostGeometry)
    calibration: Calibration | None = None  # of the bundle
    cost_to_go: CostToGo | None = None  # of the bundle

    TERMS = tuple(term.name for term in fields(CostWeights))

    def __post_init__(self) -> None:
        if self.weights.value and self.cost_to_go is None:
            raise ValueError("cost.value: expected 0 without a cost to go")

    @classmethod
    def of(cls, bundle: Bundle, weights: CostWeights | None = None, macro: bool = False) -> "CostModel":
        """With what a bundle knows, of its steps or (`macro`) of its jumps; raises BundleError for a weight of what it does not bring."""
        weights = weights or CostWeights()
        if weights.value and not bundle.has("value"):
            raise BundleError(
                f"{bundle.path}: expected a bundle with the graph value for cost.value {weights.value}, got one without;"
                " use a bundle of a family that learns a value (tdmpc), or 0"
            )

        def cost_to_go(latents: np.ndarray, goal: np.ndarray) -> np.ndarray:
            goals = np.broadcast_to(np.asarray(goal, np.float32), (len(latents), 2))
            return bundle.run("value", latent=latents, goal=np.ascontiguousarray(goals))["value"]

        known = cost_to_go if bundle.has("value") else None
        return cls(weights, calibration=Calibration.of(bundle, macro), cost_to_go=known)

    def cost(self, futures: Futures, actions: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Total cost (N,)."""
        return sum(self.terms(futures, actions, goal).values())  # type: ignore[return-value]

    def uncertainty(self, futures: Futures) -> np.ndarray:
        """How far off (N, H) [m] the object may be: half the 90 % interval, or the ensemble's disagreement where nothing is calibrated."""
        if self.calibration is None:
            return futures.epistemic_std()
        return self.calibration.half_width(futures).max(-1)

    def terms(self, futures: Futures, actions: np.ndarray, goal: np.ndarray) -> dict[str, np.ndarray]:
        """Weighted terms (N,) by name; `actions` (N, H, A)."""
        weights = self.weights
        thing, tool = futures.mean_object(), futures.mean_ee()
        goal = np.asarray(goal, thing.dtype)
        changes = np.diff(actions, axis=1)
        # Means over the steps: an instant at the end of a jump stands for all of it.
        share = (np.diff(futures.steps, prepend=0) / futures.steps[-1]).astype(thing.dtype)
        return {
            **{name: values @ share for name, values in self.place_terms(thing, tool, goal).items()},
            "terminal": weights.terminal * _length(thing[:, -1] - goal),
            "effort": weights.effort * (actions**2).sum(-1).mean(1),
            "smoothness": weights.smoothness * (changes**2).sum(-1).sum(1) / actions.shape[1],
            "uncertainty": weights.uncertainty * (self.uncertainty(futures) @ share),
            "value": weights.value * self._following(futures, goal) / actions.shape[1],
        }

    def _following(self, futures: Futures, goal: np.ndarray) -> np.ndarray:
        """What is to come (N,) after the last latents, by the mean of the ensemble; zeros where nobody asks."""
        members, count, size = futures.final.shape
        if self.cost_to_go is None or not self.weights.value:
            return np.zeros(count)
        return self.cost_to_go(futures.final.reshape(-1, size), goal).reshape(members, count).mean(0)

    def place_terms(self, thing: Array, tool: Array, goal: Array) -> dict[str, Array]:
        """Weighted terms (...,) of single steps: object, tool and goal (..., 2) [m]; numpy arrays or torch tensors."""
        weights, geometry = self.weights, self.geometry
        from_goal = thing - goal
        distance = _length(from_goal)
        back = from_goal / (distance[..., None] + _EPS)
        gate = (distance / geometry.gate).clip(None, 1.0)
        from_object = tool - thing
        gap = _length(from_object)
        away = _length(from_object - geometry.behind * back)
        cosine = (from_object * back).sum(-1) / (gap + _EPS)
        wrong_side = (0.75 - cosine).clip(0.0, None) * (1 - gap / geometry.near).clip(0.0, None)
        straying = outside(thing, geometry.object_lower, geometry.object_upper) + outside(
            tool, geometry.tool_lower, geometry.tool_upper
        )
        return {
            "goal": weights.goal * distance,
            "fine": weights.fine * (distance / (distance + geometry.fine_scale)),
            "approach": weights.approach * (gate * away),
            "side": weights.side * (gate * wrong_side),
            "workspace": weights.workspace * straying,
        }


def _length(vectors: Array) -> Array:
    """Lengths (...,) of vectors (..., 2), with a slope everywhere."""
    return ((vectors**2).sum(-1) + 1e-18) ** 0.5


def outside(points: Array, lower: tuple[float, float], upper: tuple[float, float]) -> Array:
    """How far points (..., 2) lie outside a box [m], summed over axes."""
    beyond = [
        (low - points[..., i]).clip(0.0, None) + (points[..., i] - high).clip(0.0, None)
        for i, (low, high) in enumerate(zip(lower, upper, strict=True))
    ]
    return beyond[0] + beyond[1]
