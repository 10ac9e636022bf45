"""Novelty: does what is seen, and how it moves, look like what the model was calibrated on? One number, and what it is due to.

Several signals, each accumulated over time and in units of how large it gets on held-out data; the novelty is the largest.
Distances of the encoder's features are Mahalanobis distances to the nearest of the known worlds' means with one covariance
(Lee et al. 2018, "A simple unified framework for detecting out-of-distribution samples and adversarial attacks").
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_core.bundle import Bundle, BundleError
from wm_core.layout import Layout

SIGNALS = ("prediction", "motion", "slip", "appearance", "change", "unseen")
PREDICTION_RATE = 0.3  # of the running average of the prediction error: a jump is noticed within three steps
MOTION_RATE = 0.05  # and of a slow one: other physics shows little in each step
SLIP_RATE = 0.1  # of how much farther than predicted the object goes: over moving steps only
MOVES = 0.003  # [m] in a step, predicted or seen
FARTHEST_SLIP = 5.0  # standard deviations: one outlier is a matter of the prediction error
APPEARANCE_RATE = 0.05  # of how the object looks
PRESENT_RATE = 0.3  # of how it looks now
EARLIER = 5  # steps: what it looked like until then is what it has changed from
UNSEEN_RATE = 0.3
SEEN = 0.5  # visibility from which on features say something
BURN_IN = 6  # steps until averages mean something


@dataclass(frozen=True)
class Evidence:
    """What has been accumulated until now."""

    appearance: np.ndarray  # (F,) averaged features
    change: np.ndarray  # (F,) features of late minus their average until some steps ago
    prediction: float  # averaged log(1 + normalised error)
    motion: float  # the same over a longer time
    slip: float  # size of the averaged error along the motion, in standard deviations: other physics errs to one side
    unseen: float  # averaged 1 - visibility


class Accumulator:
    """Running averages over the updates of one belief; `settled` after the first ones."""

    def __init__(self, layout: Layout) -> None:
        """`layout` of the embeddings: their own part is what an object looks like."""
        self._own = layout.slice("own")
        self._seen = 0
        self._average = self._present = self._change = np.zeros(0)
        self._earlier: deque[np.ndarray] = deque(maxlen=EARLIER + 1)  # averages
        self._prediction = self._motion = self._slip = self._unseen = 0.0

    @property
    def settled(self) -> bool:
        return self._seen > BURN_IN

    def update(self, embedding: np.ndarray, visibility: float, normalised_error: float, slip: float) -> Evidence:
        """Add what was seen at one instant: embedding (D,), how far from what was predicted, and `slip` of it, see `slip_of`."""
        self._unseen += UNSEEN_RATE * (1 - visibility - self._unseen)
        if visibility > SEEN or not self._seen:
            self._seen += 1
            features = np.asarray(embedding[self._own], float)
            self._average = _towards(self._average, features, max(APPEARANCE_RATE, 1 / self._seen))
            self._present = _towards(self._present, features, max(PRESENT_RATE, 1 / self._seen))
            self._earlier.append(self._average)
            self._change = self._present - self._earlier[0]
            error = float(np.log1p(normalised_error))
            self._prediction += PREDICTION_RATE * (error - self._prediction)
            self._motion += max(MOTION_RATE, 1 / self._seen) * (error - self._motion)
            if np.isfinite(slip):
                self._slip += SLIP_RATE * (slip - self._slip)
        return Evidence(self._average, self._change, self._prediction, self._motion, abs(self._slip), self._unseen)


def slip_of(before: np.ndarray, predicted: np.ndarray, seen: np.ndarray, normalised_error: float) -> float:
    """How much farther than predicted the object went along its motion, in standard deviations; NaN for one at rest.

    Positions (2,) [m]: believed one step earlier, predicted and seen now. Along the predicted motion, or else the seen one.
    """
    motions = [motion for motion in (predicted - before, seen - before) if np.linalg.norm(motion) > MOVES]
    if not motions:
        return float("nan")
    error = seen - predicted
    lengths = float(np.linalg.norm(motions[0]) * np.linalg.norm(error))
    cosine = float(motions[0] @ error) / max(lengths, 1e-12)
    return float(np.clip(cosine * np.sqrt(normalised_error), -FARTHEST_SLIP, FARTHEST_SLIP))


def _towards(average: np.ndarray, values: np.ndarray, rate: float) -> np.ndarray:
    """A running average with new values; without old ones, the new."""
    return values if rate >= 1 else average + rate * (values - average)


@dataclass(frozen=True)
class Normal:
    """Means of several classes with one covariance."""

    centres: np.ndarray  # (C, F)
    precision: np.ndarray  # (F, F)

    def distance(self, values: np.ndarray) -> float:
        """Mahalanobis distance of values (F,) to the nearest class."""
        apart = values - self.centres
        squares = np.einsum("ci,ij,cj->c", apart, self.precision, apart)
        return float(np.sqrt(max(0.0, squares.min())))  # rounded matrices may bring it below zero


@dataclass(frozen=True)
class Reference:
    """What is usual, from held-out data."""

    appearance: Normal  # of averaged features
    change: Normal  # of features of late minus their average earlier
    usual: dict[str, float]  # median of each signal
    limit: dict[str, float]  # and its 99.5 % quantile

    @staticmethod
    def of(bundle: Bundle) -> "Reference | None":
        """The reference that a bundle brings; raises BundleError for one that does not fit together."""
        block = bundle.spec.get("novelty")
        if block is None:
            return None
        try:
            return Reference.parse(block, bundle.observation.features)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{bundle.path}/bundle.yaml: novelty: {error}; run wm calibrate again") from error

    @staticmethod
    def parse(block: Mapping[str, Any], features: int) -> "Reference":
        """From the `novelty` block of a bundle.yaml; raises KeyError, TypeError or ValueError when it does not fit."""
        normals = []
        for name in ("appearance", "change"):
            centres, precision = (np.array(block[name][key], float) for key in ("centres", "precision"))
            if centres.ndim != 2 or centres.shape[1] != features or precision.shape != (features, features):
                raise ValueError(f"{name}: expected {features} features, got {centres.shape} and {precision.shape}")
            normals.append(Normal(centres, precision))
        usual, limit = ({name: float(block[key][name]) for name in SIGNALS} for key in ("usual", "limit"))
        if not all(limit[name] > usual[name] for name in SIGNALS):
            raise ValueError(f"expected limits above what is usual, got {limit} and {usual}")
        return Reference(normals[0], normals[1], usual, limit)

    def block(self) -> dict[str, Any]:
        """As in bundle.yaml."""

        def rounded(values: np.ndarray) -> list[list[float]]:
            return [[float(f"{value:.5g}") for value in row] for row in values]

        normals = {
            name: {"centres": rounded(normal.centres), "precision": rounded(normal.precision)}
            for name, normal in (("appearance", self.appearance), ("change", self.change))
        }
        return {**normals, "usual": self.usual, "limit": self.limit}

    def signals(self, evidence: Evidence) -> dict[str, float]:
        """Each signal as it is."""
        return {
            "prediction": evidence.prediction,
            "motion": evidence.motion,
            "slip": evidence.slip,
            "appearance": self.appearance.distance(evidence.appearance),
            "change": self.change.distance(evidence.change),
            "unseen": evidence.unseen,
        }

    def levels(self, evidence: Evidence) -> dict[str, float]:
        """Each signal in units of the limit: 0 is usual, above 1 is what held-out data show in 0.5 % of the steps."""
        raw = self.signals(evidence)
        return {name: (raw[name] - self.usual[name]) / (self.limit[name] - self.usual[name]) for name in SIGNALS}


@dataclass(frozen=True)
class Novelty:
    """Levels of the signals; 1 is the limit."""

    levels: dict[str, float]

    @property
    def value(self) -> float:
        """How new it is."""
        return max(self.levels.values())

    @property
    def cause(self) -> str:
        """The signal that says so."""
        return max(self.levels, key=lambda name: self.levels[name])


class NoveltyDetector:
    """Keeps the evidence of one belief."""

    def __init__(self, bundle: Bundle) -> None:
        self._reference = Reference.of(bundle)
        self._layout = bundle.embedding
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new scene."""
        self._evidence = Accumulator(self._layout)

    def update(
        self, embedding: np.ndarray, visibility: float, normalised_error: float, slip: float, surprise: float
    ) -> Novelty:
        """Add one update of the belief, see Accumulator; `surprise`: its level, which is all there is without a reference."""
        evidence = self._evidence.update(embedding, visibility, normalised_error, slip)
        if self._reference is None:
            return Novelty({"prediction": surprise})
        if not self._evidence.settled:
            return Novelty(dict.fromkeys(SIGNALS, 0.0))
        return Novelty(self._reference.levels(evidence))
