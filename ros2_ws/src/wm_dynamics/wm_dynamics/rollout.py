"""Rollout engine: many action sequences through the bundle's `rollout` or `jump` graph at once."""

from dataclasses import dataclass

import numpy as np
import onnxruntime

from wm_core.bundle import Bundle, BundleError
from wm_core.futures import Futures
from wm_core.graph_specs import BY_NAME

CACHED_SIZES = 32  # calls in a row, times numbers of candidates, whose buffers are kept; planners use few


@dataclass(frozen=True)
class _Graph:
    """A graph that imagines."""

    name: str
    session: onnxruntime.InferenceSession
    instants: int  # that one call predicts
    stride: int  # steps between them

    @property
    def span(self) -> int:
        """Steps of one call."""
        return self.instants * self.stride


class RolloutEngine:
    """Runs rollouts with preallocated buffers; one onnxruntime call per `bundle.horizon` steps, or per some jumps."""

    def __init__(self, bundle: Bundle, macro: bool = False, near: int | None = None) -> None:
        """`macro`: in jumps of several steps after the first `near` ones (default: one call of the rollout graph), with futures at
        the ends of jumps only. Raises BundleError for a bundle that cannot jump, ValueError for a `near` that is no whole
        number of calls."""
        self.bundle = bundle
        self._steps = _Graph("rollout", bundle.session("rollout"), bundle.horizon, 1)
        self._jumps: _Graph | None = None
        self._near = 0
        if macro:
            if not bundle.has("jump"):
                raise BundleError(
                    f"{bundle.path}: expected a bundle with a macro predictor, got one without; make one with ./wm macro, or"
                    " plan step by step (macro: false)"
                )
            self._near = bundle.horizon if near is None else near
            if self._near % bundle.horizon:
                raise ValueError(f"expected a multiple of {bundle.horizon} steps before the jumps, got {near}")
            own = bundle.spec["macro"]
            self._jumps = _Graph("jump", bundle.session("jump"), own["jumps"], own["steps"])
        self._outputs: dict[tuple[int, int], dict[str, np.ndarray]] = {}
        self._padded: dict[tuple[int, int], np.ndarray] = {}

    def count(self, steps: int) -> int:
        """Instants of a future of at least `steps` steps that ends with a whole jump."""
        if self._jumps is None or steps <= self._near:
            return steps
        return self._near - (self._near - steps) // self._jumps.stride

    def spans(self, count: int) -> np.ndarray:
        """Steps (count,) from each of `count` instants to the one before it: ones, then jumps."""
        stride = 1 if self._jumps is None else self._jumps.stride
        return np.where(np.arange(count) < self._near, 1, stride)

    def rollout(self, latent: np.ndarray, actions: np.ndarray) -> Futures:
        """Imagine from `latent` (L,) or (E, N, L) under `actions` (N, H, A) in -1..1; any H that ends with a whole jump."""
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
        ends = np.cumsum(self.spans(self.count(steps)))
        if ends[-1] != steps:
            raise ValueError(f"expected whole jumps, {ends[-1]} steps, got {steps}")
        start = latent[..., : bundle.readout.size].mean(0)
        readouts: list[np.ndarray] = []
        variances: list[np.ndarray] = []
        begin = 0
        # The graphs accumulate variance from their own start: carry the sum over.
        carried: np.ndarray | float = 0.0
        while begin < steps:
            graph = self._steps if self._jumps is None or begin < self._near else self._jumps
            part = self._call(len(readouts), graph, latent, actions[:, begin : begin + graph.span])
            size = min(graph.instants, (steps - begin) // graph.stride)
            readouts.append(part["readout"][:, :, :size])
            variances.append(part["variance"][:, :, :size] + carried if begin else part["variance"][:, :, :size])
            carried, latent, begin = variances[-1][:, :, -1:], part["final"], begin + graph.span
        readout = readouts[0] if len(readouts) == 1 else np.concatenate(readouts, 2)
        variance = variances[0] if len(variances) == 1 else np.concatenate(variances, 2)
        return Futures(bundle.state, bundle.action, readout, variance, {"final": latent}, start, ends)

    def decode(self, latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Top views (b, rows, columns, 3) uint8 and readouts (b, R) of latents (b, L)."""
        out = self.bundle.run("decode", latent=np.ascontiguousarray(latents, np.float32))
        return np.clip(out["image"] * 255, 0, 255).astype(np.uint8), out["readout"]

    def _call(self, index: int, graph: _Graph, latent: np.ndarray, actions: np.ndarray) -> dict[str, np.ndarray]:
        count, steps = actions.shape[:2]
        outputs = self._buffers(index, graph, count)
        if steps < graph.span or actions.dtype != np.float32 or not actions.flags.c_contiguous:
            key = (count, graph.span)
            if key not in self._padded:
                self._padded[key] = np.zeros((count, graph.span, actions.shape[2]), np.float32)
            padded = self._padded[key]
            padded[:, :steps] = actions
            padded[:, steps:] = 0
            actions = padded
        binding = graph.session.io_binding()
        binding.bind_cpu_input("latent", latent)
        binding.bind_cpu_input("actions", actions)
        for name, array in outputs.items():
            binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        graph.session.run_with_iobinding(binding)
        return outputs

    def _buffers(self, index: int, graph: _Graph, count: int) -> dict[str, np.ndarray]:
        bundle = self.bundle
        key = (index, count)
        if key not in self._outputs:
            if len(self._outputs) >= CACHED_SIZES:
                self._outputs.clear()
                self._padded.clear()
            sizes = bundle.sizes | {"N": count}
            self._outputs[key] = {
                tensor.name: np.empty(
                    [sizes[side] if isinstance(side, str) else side for side in tensor.shape], np.float32
                )
                for tensor in BY_NAME[graph.name].outputs
            }
        return self._outputs[key]
