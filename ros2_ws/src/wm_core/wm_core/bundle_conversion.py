"""Bundles of schema 1, which knew one object, x and y and an action scale, as bundles of schema 2; the graphs stay as they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from wm_core.bundle import Bundle, BundleError
from wm_core.bundle_schema import SCHEMA_VERSION
from wm_core.specs import ActionSpec, BevSpec, ObservationSpec, SpecError, StateSpec

XY = ("x", "y")
OLD_HEIGHT = 0.027  # [m] at which every tool of schema 1 moved
COMMON, SEEN = 6, 5  # numbers that every latent and every embedding of schema 1 began with


def converted(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a bundle.yaml of schema 1 as one of schema 2; raises SpecError for one that cannot be."""
    if spec.get("schema") != 1:
        raise SpecError(f"expected a bundle of schema 1, got schema {spec.get('schema')}")
    try:
        sizes, scale = spec["sizes"], float(spec["action_scale"])
        state = StateSpec(1, XY, XY, sizes["latent"] - COMMON, {"z": 0.0})
        action = ActionSpec({"x": scale, "y": scale}, (XY,), {"z": OLD_HEIGHT})
        observation = ObservationSpec(sizes["embedding"] - SEEN, BevSpec(**spec["bev"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SpecError(f"expected sizes, bev and action_scale as of schema 1, got {error!r}") from error
    blocks = {
        "schema": SCHEMA_VERSION,
        "state": state.to_dict(),
        "action": action.to_dict(),
        "observation": observation.to_dict(),
    }
    order = ("schema", "id", "family", "step_duration", "state", "action", "observation")
    kept = {key: value for key, value in spec.items() if key not in ("sizes", "bev", "action_scale")}
    whole = {**kept, **blocks}
    return {key: whole[key] for key in (*(key for key in order if key in whole), *(k for k in whole if k not in order))}


def converted_text(folder: Path) -> str:
    """What bundle.yaml of a folder says, in schema 2; raises BundleError."""
    file = folder / "bundle.yaml"
    if not file.is_file():
        raise BundleError(f"expected a model bundle with {file}, found none")
    try:
        spec = converted(yaml.safe_load(file.read_text()))
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, SpecError) as error:
        raise BundleError(f"{file}: {error}") from error
    return yaml.safe_dump(spec, sort_keys=False, default_flow_style=None, width=140)


def convert(folder: Path) -> Bundle:
    """Rewrite bundle.yaml of a folder in one rename; returns the bundle, which was checked. Raises BundleError."""
    text, file, part = converted_text(folder), folder / "bundle.yaml", folder / ".bundle.yaml.part"
    before = file.read_bytes()
    part.write_text(text)
    part.replace(file)
    try:
        return Bundle.load(folder)
    except BundleError:
        file.write_bytes(before)
        raise
