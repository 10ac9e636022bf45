"""The graphs of a model bundle: the one table from which they are exported, checked when a bundle is loaded, and documented.

A dimension is a number, or the name of one: capital letters are sizes that a bundle fixes, lower case ones are free in every call.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wm_core.specs import MAP_CHANNELS, ActionSpec, ObservationSpec, StateSpec

Dimension = str | int

SIZES = {
    "L": "numbers of a latent",
    "D": "numbers of an embedding",
    "A": "numbers of an action",
    "P": "numbers of the proprioception",
    "R": "numbers of a readout",
    "V": "numbers of the objects in a readout",
    "K": "slots of objects",
    "G": "estimated axes of an object's position",
    "E": "members of the ensemble",
    "H": "steps of one call of `rollout`",
    "J": "jumps of one call of `jump`",
    "S": "steps of one call of `jump`: of all its jumps",
    "rows": "of the map",
    "columns": "of the map",
}


@dataclass(frozen=True)
class Tensor:
    """One named input or output, float32."""

    name: str
    shape: tuple[Dimension, ...]
    note: str = ""  # for the documentation

    def resolved(self, sizes: Mapping[str, int]) -> tuple[int | None, ...]:
        """The shape with a bundle's sizes; None for what is free."""
        return tuple(sizes.get(side) if isinstance(side, str) else side for side in self.shape)

    def free(self, sizes: Mapping[str, int]) -> dict[int, str]:
        """Names of the free dimensions by place."""
        return {i: side for i, side in enumerate(self.shape) if isinstance(side, str) and side not in sizes}

    def __str__(self) -> str:
        shape = f"({', '.join(map(str, self.shape))}{',' if len(self.shape) == 1 else ''})"
        return f"`{self.name}` {shape}{f' {self.note}' if self.note else ''}"


@dataclass(frozen=True)
class GraphSpec:
    """One graph: what goes in and what comes out, by name."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    optional: bool = False
    note: str = ""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (*self.inputs, *self.outputs)

    def dynamic_axes(self, sizes: Mapping[str, int]) -> dict[str, dict[int, str]]:
        """Free dimensions of each tensor that has some, as torch.onnx.export wants them."""
        return {tensor.name: free for tensor in self.tensors if (free := tensor.free(sizes))}

    def faults(
        self, sizes: Mapping[str, int], inputs: Mapping[str, Sequence], outputs: Mapping[str, Sequence]
    ) -> Iterator[str]:
        """What is wrong with the shapes that a graph declares by name: numbers, and names or None for what is free."""
        for kind, wanted, found in (("input", self.inputs, inputs), ("output", self.outputs, outputs)):
            for tensor in wanted:
                shape = tensor.resolved(sizes)
                if tensor.name not in found or not _fits(shape, list(found[tensor.name])):
                    got = found.get(tensor.name, f"only {sorted(found)}")
                    yield f"expected {kind} '{tensor.name}' of shape {list(shape)}, got {got}"


_LATENT, _GOAL = Tensor("latent", ("b", "L")), Tensor("goal", ("b", "G"), "m")
_START = Tensor("latent", ("e", "n", "L"), "e in {1, E}, n in {1, N}, broadcast")

GRAPH_SPECS = (
    GraphSpec("encode", (Tensor("bev", ("b", MAP_CHANNELS, "rows", "columns")),), (Tensor("embedding", ("b", "D")),)),
    GraphSpec(
        "filter",
        (
            Tensor("mean", (1, "L")),
            Tensor("variance", (1, "L")),
            Tensor("action", (1, "A")),
            Tensor("embedding", (1, "D")),
            Tensor("proprio", (1, "P")),
        ),
        (
            Tensor("posterior_mean", (1, "L")),
            Tensor("posterior_variance", (1, "L")),
            Tensor("predicted_object", (1, "V")),
            Tensor("predicted_variance", (1, "V")),
            Tensor("surprise", (1,)),
        ),
    ),
    GraphSpec(
        "rollout",
        (_START, Tensor("actions", ("N", "H", "A"))),
        (
            Tensor("readout", ("E", "N", "H", "R")),
            Tensor("variance", ("E", "N", "H", "V")),
            Tensor("final", ("E", "N", "L")),
        ),
    ),
    GraphSpec(
        "decode",
        (_LATENT,),
        (Tensor("image", ("b", "rows", "columns", 3), "in 0..1"), Tensor("readout", ("b", "R"))),
    ),
    GraphSpec("policy", (_LATENT, _GOAL), (Tensor("action", ("b", "A")),), optional=True),
    GraphSpec(
        "intend",
        (_LATENT, _GOAL),
        (Tensor("actions", ("b", "H", "A"), "that the policy would do in imagination"),),
        optional=True,
        note="with `policy`",
    ),
    GraphSpec(
        "value",
        (_LATENT, _GOAL),
        (
            Tensor(
                "value",
                ("b",),
                "that the steps after the horizon will cost: a discounted sum of the planner's cost terms of single places",
            ),
        ),
        optional=True,
    ),
    GraphSpec(
        "jump",
        (_START, Tensor("actions", ("N", "S", "A"), "S = J jumps of k steps, fixed by `macro`")),
        (
            Tensor("readout", ("E", "N", "J", "R")),
            Tensor("variance", ("E", "N", "J", "V")),
            Tensor("final", ("E", "N", "L"), "at the ends of the jumps"),
        ),
        optional=True,
    ),
)
BY_NAME = {graph.name: graph for graph in GRAPH_SPECS}
REQUIRED = tuple(graph.name for graph in GRAPH_SPECS if not graph.optional)
OPTIONAL = tuple(graph.name for graph in GRAPH_SPECS if graph.optional)


def sizes_of(
    state: StateSpec,
    action: ActionSpec,
    observation: ObservationSpec,
    *,
    ensemble: int,
    horizon: int,
    jumps: int | None = None,
    jump_steps: int = 1,
) -> dict[str, int]:
    """The named sizes of one bundle; `jumps` of `jump_steps` steps each, None without a graph `jump`."""
    sizes = {
        "L": state.latent.size,
        "D": state.embedding(observation.features).size,
        "A": action.size,
        "P": state.proprio.size,
        "R": state.readout.size,
        "V": state.objects * len(state.fields),
        "K": state.objects,
        "G": len(state.position),
        "E": ensemble,
        "H": horizon,
    }
    if observation.map is not None:
        sizes |= {"rows": observation.map.rows, "columns": observation.map.columns}
    if jumps is not None:
        sizes |= {"J": jumps, "S": jumps * jump_steps}
    return sizes


def table() -> str:
    """The graphs as a table in Markdown, with the names of the sizes below it."""
    rows = ["| graph | inputs | outputs |", "|---|---|---|"]
    for graph in GRAPH_SPECS:
        notes = ", ".join(filter(None, ["optional" if graph.optional else "", graph.note]))
        inputs, outputs = (", ".join(map(str, tensors)) for tensors in (graph.inputs, graph.outputs))
        rows.append(f"| `{graph.name}`{f' ({notes})' if notes else ''} | {inputs} | {outputs} |")
    used = {side for graph in GRAPH_SPECS for tensor in graph.tensors for side in tensor.shape}
    names = "; ".join(f"{name}: {meaning}" for name, meaning in SIZES.items() if name in used)
    legend = textwrap.wrap(f"{names}. Other letters are free in every call.", 120)
    return "\n".join([*rows, "", *legend, ""])


def _fits(wanted: Sequence[int | None], found: Sequence) -> bool:
    """Whether a graph's declared shape may be the wanted one (None and symbolic dimensions fit anything)."""
    return len(wanted) == len(found) and all(
        want is None or not isinstance(have, int) or want == have for want, have in zip(wanted, found, strict=True)
    )


if __name__ == "__main__":
    print(table(), end="")
