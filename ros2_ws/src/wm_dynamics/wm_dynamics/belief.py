"""Belief over time: fuses each observation with what the model predicted from the executed motion."""

import time
from dataclasses import dataclass

import numpy as np

from wm_core.bundle import Bundle
from wm_core.executed import ExecutedMotion
from wm_core.scene import SceneState, ToolState, scene_of
from wm_dynamics.novelty import Novelty, NoveltyDetector, slip_of
from wm_dynamics.surprise import Surprise

VISIBLE = 0.5  # probability above which the object counts as seen
LONGEST_GAP_S = 2.0
KIDNAPPED = 40.0  # normalised error of an object that was moved by somebody else, or of a new scene
KIDNAPPED_STEPS = 2  # in a row, then the belief starts over from what is seen
SETTLE_STEPS = 2  # updates after a restart whose error is no surprise


@dataclass(frozen=True)
class BeliefState:
    """What the robot believes at one instant; metres, radians, frame of the table."""

    stamp_ns: int
    mean: np.ndarray  # (L,)
    variance: np.ndarray  # (L,)
    scene: SceneState  # the objects at this instant, with variances
    tool: ToolState  # (6,) measured
    target: ToolState  # (6,) commanded; as measured where nothing was
    visibility: float
    time_unseen: float  # [s]
    predicted_object: np.ndarray  # (2,) before this observation
    error: float  # [m] between prediction and observation; NaN when unseen
    normalised_error: float
    slip: float  # how much farther along its motion than predicted, in standard deviations; NaN at rest
    surprise: float  # 1 = threshold
    novelty: Novelty  # of what is seen and how it moves; 1 = limit
    restarted: bool  # the past was forgotten in this update
    filter_ms: float


class BeliefFilter:
    """Keeps the belief of one robot; not thread-safe."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._step_ns = round(bundle.step_duration * 1e9)
        self._surprise = Surprise(bundle.surprise_threshold)
        self._novelty = NoveltyDetector(bundle)
        self._hidden = bundle.unseen
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._restart()
        self._novelty.reset()

    def _restart(self) -> None:
        """Forget where objects are, but not how they look and how well predictions fit."""
        self._mean = self._bundle.initial_mean[None].copy()
        self._variance = self._bundle.initial_variance[None].copy()
        self._stamp_ns: int | None = None
        self._seen_ns: int | None = None
        self._updates = 0
        self._far_off = 0
        self._surprise.reset()

    def take_over(self, before: "BeliefFilter") -> None:
        """Go on from the belief of a filter with another bundle: where object and tool are, in numbers that all families share."""
        self.reset()
        if before._stamp_ns is None:
            return
        mine, its = (each._bundle.state.latent for each in (self, before))
        for i, name in enumerate(mine.names):
            if name in its.names and not name.startswith("own."):
                j = its.names.index(name)
                self._mean[0, i], self._variance[0, i] = before._mean[0, j], before._variance[0, j]
        self._stamp_ns, self._seen_ns = before._stamp_ns, before._seen_ns

    def update(
        self, stamp_ns: int, embedding: np.ndarray, visibility: float, tool: ToolState, motion: ExecutedMotion
    ) -> BeliefState:
        """Fuse one observation made at `stamp_ns`.

        `embedding` (D,), `visibility` 0..1, `tool` (6,) measured, `motion` what was executed so far.
        Missed frames are bridged by prediction; a jump in time of over 2 s, ahead or back, or an object seen elsewhere
        twice in a row restarts the belief. Raises ValueError on non-finite or wrongly shaped input and on observations
        that are not newer than the last, and leaves the belief as it was.
        """
        began = time.perf_counter()
        embedding = np.asarray(embedding, np.float32).reshape(1, -1)
        if embedding.shape[1] != self._bundle.embedding_size or not np.isfinite(embedding).all():
            raise ValueError(
                f"expected {self._bundle.embedding_size} finite embedding values, got {embedding.shape[1]} values: {embedding}"
            )
        if not np.isfinite(tool.get(self._bundle.state.tool)).all():
            raise ValueError(f"expected a finite tool position along {self._bundle.state.tool}, got {tool.values}")
        if not 0 <= visibility <= 1:
            raise ValueError(f"expected a visibility of 0..1, got {visibility}")
        steps = self._steps_since(stamp_ns)
        restarted = steps is None
        if restarted:
            self.reset()
        start_ns = stamp_ns if steps is None or self._stamp_ns is None else self._stamp_ns
        count = max(1, steps or 1)
        position = self._bundle.state.object_position
        for i in range(count):
            t0 = start_ns + (stamp_ns - start_ns) * i // count
            t1 = start_ns + (stamp_ns - start_ns) * (i + 1) // count
            last = i + 1 == count
            action = motion.action(t0, t1, self._bundle.action)
            target = motion.target(t1) if len(motion) else tool
            before = position(self._mean[0]).astype(float)
            out = self._filter(action, embedding if last else self._hidden, tool, target)
            self._mean, self._variance = out["posterior_mean"], out["posterior_variance"]
        contradiction = 0.0
        if not _finite(out) or self._kidnapped(float(out["surprise"][0]), visibility):
            contradiction = float(out["surprise"][0]) if _finite(out) else 0.0
            self._restart()
            restarted = True
            out = self._filter(np.zeros(self._bundle.action_size), embedding, tool, target)
            if not _finite(out):
                raise ValueError(
                    "expected an observation that the filter can use, got values so large that it overflows"
                )
            self._mean, self._variance = out["posterior_mean"], out["posterior_variance"]
        self._stamp_ns = stamp_ns
        self._updates += 1
        return self._state(
            stamp_ns, embedding[0], visibility, tool, target, before, out, restarted, contradiction, began
        )

    def _kidnapped(self, normalised: float, visibility: float) -> bool:
        """Whether what is seen contradicts the belief again and again: the past is of no use any more."""
        self._far_off = self._far_off + 1 if visibility > VISIBLE and normalised > KIDNAPPED else 0
        return self._far_off >= KIDNAPPED_STEPS

    def _steps_since(self, stamp_ns: int) -> int | None:
        """Model steps since the last update; None when the past is of no use."""
        if self._stamp_ns is None:
            return None
        gap = stamp_ns - self._stamp_ns
        if abs(gap) > LONGEST_GAP_S * 1e9:
            return None
        if gap <= 0:
            raise ValueError(
                f"expected an observation newer than the last, got one {-gap / 1e9:.3f} s older; check that one source publishes it"
            )
        return max(1, round(gap / self._step_ns))

    def _filter(
        self, action: np.ndarray, embedding: np.ndarray, tool: ToolState, target: ToolState
    ) -> dict[str, np.ndarray]:
        known = [each.get(self._bundle.state.tool) for each in (tool, target)]
        proprio = np.concatenate(known).astype(np.float32)[None]
        return self._bundle.run(
            "filter",
            mean=self._mean,
            variance=self._variance,
            action=action.astype(np.float32)[None],
            embedding=embedding,
            proprio=proprio,
        )

    def _state(
        self,
        stamp_ns: int,
        embedding: np.ndarray,
        visibility: float,
        tool: ToolState,
        target: ToolState,
        before: np.ndarray,
        out: dict[str, np.ndarray],
        restarted: bool,
        contradiction: float,
        began: float,
    ) -> BeliefState:
        seen = visibility > VISIBLE
        if seen or self._seen_ns is None:
            self._seen_ns = stamp_ns
        settled = self._updates > SETTLE_STEPS
        normalised = float(out["surprise"][0]) if settled else 0.0
        surprise = self._surprise.update(normalised) if seen and settled else self._surprise.level
        position = self._bundle.state.object_position
        seen_at, predicted = position(embedding), position(out["predicted_object"][0])
        slip = float("nan") if restarted else slip_of(before, predicted, seen_at, normalised)
        novelty = self._novelty.update(embedding, visibility, max(normalised, contradiction), slip, surprise)
        error = float(np.linalg.norm(seen_at - predicted)) if seen else float("nan")
        mean, variance = self._mean[0].copy(), self._variance[0].copy()
        return BeliefState(
            stamp_ns,
            mean,
            variance,
            scene_of(self._bundle.state, mean, variance),
            tool,
            target,
            visibility,
            (stamp_ns - self._seen_ns) / 1e9,
            predicted,
            error,
            normalised,
            slip,
            surprise,
            novelty,
            restarted,
            1e3 * (time.perf_counter() - began),
        )


def _finite(out: dict[str, np.ndarray]) -> bool:
    """Whether a belief can be carried on: one that is not finite would stay so for ever."""
    return bool(np.isfinite(out["posterior_mean"]).all() and np.isfinite(out["posterior_variance"]).all())
