"""Rollout engine: many action sequences through the bundle's `rollout` or `jump` graph at once."""

from dataclasses import dataclass

import numpy as np

from wm_core.bundle import OBJECT, Bundle, BundleError

CACHED_SIZES = 8  # numbers of candidates whose buffers are kept; planners use few


@dataclass(frozen=True)
class Futures:
    """Imagined futures of N action sequences at H instants by E ensemble members; metres, base frame.

    The instants are `stride` steps apart, the first that long after the start: every step, or the ends of jumps. The arrays
    belong to the engine and are overwritten by its next rollout of the same size.
    """

    object: np.ndarray  # (E, N, H, 2) object position at each instant
    ee: np.ndarray  # (E, N, H, 2) tool position at each instant
    variance: np.ndarray  # (E, N, H, 2) predictive variance of the object [m^2]
    final: np.ndarray  # (E, N, L) latent after the last step of the graph
    start: np.ndarray  # (N or 1, 2) object position from which was imagined
    stride: int = 1  # steps between two instants

    @property
    def steps(self) -> np.ndarray:
        """Steps (H,) of the robot from the start to each instant."""
        return self.stride * np.arange(1, self.object.shape[2] + 1)

    def mean_object(self) -> np.ndarray:
        """Ensemble mean of the object position (N, H, 2)."""
        return self.object.mean(0)

    def mean_ee(self) -> np.ndarray:
        """Ensemble mean of the tool position (N, H, 2)."""
        return self.ee.mean(0)

    def epistemic_std(self) -> np.ndarray:
        """Disagreement of the ensemble (N, H) [m]: root of the larger axis variance."""
        return np.sqrt(self.object.var(0).max(-1))

    def total_std(self) -> np.ndarray:
        """Disagreement and predictive noise together (N, H) [m]."""
        return np.sqrt((self.object.var(0) + self.variance.mean(0)).max(-1))


class RolloutEngine:
    """Runs rollouts with preallocated buffers; one onnxruntime call per `bundle.horizon` steps, or per some jumps."""

    def __init__(self, bundle: Bundle, macro: bool = False) -> None:
        """`macro`: in jumps of several steps, with futures at their ends only. Raises BundleError for a bundle that cannot jump."""
        if macro and not bundle.has("jump"):
            raise BundleError(
                f"{bundle.path}: expected a bundle with a macro predictor, got one without; make one with ./wm macro, or plan"
                " step by step (macro: false)"
            )
        self.bundle = bundle
        self.stride = bundle.spec["macro"]["steps"] if macro else 1  # steps between two instants of a future
        self._instants = bundle.spec["macro"]["jumps"] if macro else bundle.horizon  # of one call
        self._span = self._instants * self.stride  # steps of one call
        self._session = bundle.session("jump" if macro else "rollout")
        self._outputs: dict[tuple[int, int], dict[str, np.ndarray]] = {}
        self._padded: dict[int, np.ndarray] = {}

    def whole(self, steps: int) -> int:
        """At least `steps` steps that are a whole number of jumps."""
        return -(-steps // self.stride) * self.stride

    def rollout(self, latent: np.ndarray, actions: np.ndarray) -> Futures:
        """Imagine from `latent` (L,) or (E, N, L) under `actions` (N, H, A) in -1..1; any H that is a multiple of the stride."""
        bundle = self.bundle
        latent = np.ascontiguousarray(latent, np.float32)
        if latent.ndim == 1:
            latent = latent[None, None]
        if latent.ndim != 3 or latent.shape[-1] != bundle.latent_size:
            raise ValueError(
                f"expected a latent of shape ({bundle.latent_size},) or (E, N, {bundle.latent_size}), got {latent.shape}"
            )
        if actions.ndim != 3 or actions.shape[-1] != bundle.action_size or 0 in actions.shape:
            raise ValueError(f"expected actions of shape (N, H, {bundle.action_size}), got {actions.shape}")
        count, steps = actions.shape[:2]
        if steps % self.stride:
            raise ValueError(f"expected whole jumps of {self.stride} steps, got {steps} steps")
        start = latent[..., OBJECT].mean(0)
        parts = []
        for index, begin in enumerate(range(0, steps, self._span)):
            parts.append(self._call(index, latent, actions[:, begin : begin + self._span]))
            latent = parts[-1]["final"]
        size = steps // self.stride
        if len(parts) == 1:
            part = parts[0]
            return Futures(
                part["readout"][:, :, :size, 0:2],
                part["readout"][:, :, :size, 2:4],
                part["variance"][:, :, :size],
                part["final"],
                start,
                self.stride,
            )
        readout = np.concatenate([part["readout"] for part in parts], 2)[:, :, :size]
        # The graph accumulates variance from its own start: carry the sum over.
        variances, carried = [], np.zeros((bundle.ensemble, count, 1, 2), np.float32)
        for part in parts:
            variances.append(part["variance"] + carried)
            carried = variances[-1][:, :, -1:]
        variance = np.concatenate(variances, 2)[:, :, :size]
        return Futures(readout[..., 0:2], readout[..., 2:4], variance, parts[-1]["final"], start, self.stride)

    def decode(self, latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Top views (b, rows, columns, 3) uint8 and readouts (b, 4) [m] of latents (b, L)."""
        out = self.bundle.run("decode", latent=np.ascontiguousarray(latents, np.float32))
        return np.clip(out["image"] * 255, 0, 255).astype(np.uint8), out["readout"]

    def _call(self, index: int, latent: np.ndarray, actions: np.ndarray) -> dict[str, np.ndarray]:
        bundle = self.bundle
        count, steps = actions.shape[:2]
        if steps < self._span or actions.dtype != np.float32 or not actions.flags.c_contiguous:
            padded = self._padded.setdefault(count, np.zeros((count, self._span, bundle.action_size), np.float32))
            padded[:, :steps] = actions
            padded[:, steps:] = 0
            actions = padded
        outputs = self._buffers(index, count)
        binding = self._session.io_binding()
        binding.bind_cpu_input("latent", latent)
        binding.bind_cpu_input("actions", actions)
        for name, array in outputs.items():
            binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        self._session.run_with_iobinding(binding)
        return outputs

    def _buffers(self, index: int, count: int) -> dict[str, np.ndarray]:
        bundle = self.bundle
        key = (index, count)
        if key not in self._outputs:
            if len(self._outputs) >= CACHED_SIZES:
                self._outputs.clear()
                self._padded.clear()
            shape = (bundle.ensemble, count, self._instants)
            self._outputs[key] = {
                "readout": np.empty((*shape, 4), np.float32),
                "variance": np.empty((*shape, 2), np.float32),
                "final": np.empty((bundle.ensemble, count, bundle.latent_size), np.float32),
            }
        return self._outputs[key]
