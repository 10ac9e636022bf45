"""The weights of a model in its bundle: what fine-tuning goes on from. Robots do not read them."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from wm_bags.steps.step_spec import StepSpec
from wm_core.bundle import Bundle
from wm_core.config import SettingError, configure
from wm_learning.families import FAMILIES
from wm_learning.families.base import WorldModel

WEIGHTS = "weights.safetensors"


def save_weights(model: WorldModel, folder: Path) -> Path:
    """Write all parameters and buffers of a model into a bundle's folder."""
    file = folder / WEIGHTS
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}, file)
    return file


def load_model(folder: Path) -> WorldModel:
    """The model that a bundle was exported from; raises BundleError for a torn bundle, SettingError for one without its weights."""
    bundle = Bundle.load(folder)
    if WEIGHTS not in bundle.spec["files"]:
        raise SettingError(
            f"{folder}: expected the weights of its model ({WEIGHTS}), got a bundle without; train it again"
        )
    model = new_model(bundle)
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (RuntimeError, ValueError) as error:  # of another version of the family
        raise SettingError(
            f"{folder / WEIGHTS}: expected the weights of family '{bundle.family}', got: {str(error)[:200]}; train it again"
        ) from error
    return model


def new_model(bundle: Bundle) -> WorldModel:
    """A model of the bundle's family and configuration, with fresh weights."""
    family = FAMILIES[bundle.family]
    config: Any = configure(family.config, bundle.spec["data"]["training"][bundle.family])
    return family.model(config, bundle.bev, StepSpec.of(bundle))


def change(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> dict[str, float]:
    """How far each part of a model moved: norm of the difference over norm of the weights before, by the names' first word."""
    parts = sorted({name.split(".")[0] for name in before})
    return {part: round(_distance(part, before, after), 4) for part in parts}


def _distance(part: str, before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> float:
    names = [name for name in before if name.split(".")[0] == part]
    moved = sum(float(((after[name] - before[name]).double() ** 2).sum()) for name in names)
    size = sum(float((before[name].double() ** 2).sum()) for name in names)
    return (moved / max(size, 1e-12)) ** 0.5
