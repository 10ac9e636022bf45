"""Settings that verbs take as words `name=value`, `data=` among them as often as wished."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from wm_core.config import SettingError, configure, from_words, layered, read_yaml


def folders(words: list[str], name: str) -> tuple[list[Path], list[str]]:
    """The values of all words `name=FOLDER`, and the other words."""
    mark = f"{name}="
    return (
        [Path(word.removeprefix(mark)) for word in words if word.startswith(mark)],
        [word for word in words if not word.startswith(mark)],
    )


def settings(words: list[str]) -> tuple[list[Path], Path, dict[str, Any]]:
    """Places of the data, folder of the bundle to be made, and the settings of the words and of the YAML file among them.

    Raises SettingError without `out=FOLDER`, and for what is no setting.
    """
    places, words = folders(words, "data")
    values = from_words(words)
    out, file = values.pop("out", None), values.pop("config", None)
    if not isinstance(out, str):
        raise SettingError("expected out=FOLDER for the bundle")
    if file is not None:
        values = layered(read_yaml(Path(str(file))), values)
    return places, Path(out), values


def trained_bundle(values: dict[str, Any]) -> Path:
    """The bundle that is to be extended, taken out of the settings; raises SettingError without one."""
    bundle = values.pop("bundle", None)
    if not isinstance(bundle, str):
        raise SettingError("expected bundle=FOLDER of a trained bundle")
    return Path(bundle)


def extend(words: list[str], kind: type[Any], train: Callable[[Path, Any, Path, Any], Any], name: str) -> None:
    """Give a trained bundle a further part: `train(bundle, data, out, settings)`, with settings of `kind` out of the words.

    What is built of bags is kept in `out`.`name`.run. Raises SettingError.
    """
    from wm_bags.steps.step_spec import StepSpec
    from wm_core.bundle import Bundle
    from wm_data.loading import load_data

    places, out, values = settings(words)
    bundle = trained_bundle(values)
    chosen = configure(kind, values)
    steps = StepSpec.of(Bundle.load(bundle))
    train(bundle, load_data(places, Path(f"{out}.{name}.run"), steps=steps), out, chosen)
