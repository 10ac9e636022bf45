"""Settings: defaults, a file over them, words over both; what does not fit is refused by name."""

from dataclasses import dataclass, field

import pytest

from wm_core.config import SettingError, configure, from_words, read_yaml


@dataclass(frozen=True)
class Phase:
    steps: int = 100
    rate: float = 1e-3


@dataclass(frozen=True)
class Settings:
    name: str = "grounded"
    fast: bool = False
    first: Phase = field(default_factory=Phase)


def test_later_layers_win(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("name: jepa\nfirst: {steps: 5, rate: 1}\n")
    settings = configure(Settings, read_yaml(file), from_words(["first.rate=2e-3", "fast=true"]))
    assert settings == Settings("jepa", True, Phase(5, 2e-3))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["first.step=3"], "got 'first.step'"),
        (["first.steps=many"], "first.steps: expected int, got 'many'"),
        (["first.steps=2.5"], "first.steps: expected int"),
        (["fast=1"], "fast: expected bool"),
        (["first=3"], "first: expected settings by name"),
        (["name"], "expected name=value"),
        (["first=3", "first.steps=3"], "is set to a value already"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(words, problem):
    with pytest.raises(SettingError, match=problem):
        configure(Settings, from_words(words))


@pytest.mark.parametrize("content", ["[1, 2]", "a: [", "3"])
def test_a_file_that_holds_no_settings_is_refused(tmp_path, content):
    file = tmp_path / "settings.yaml"
    file.write_text(content)
    with pytest.raises(SettingError, match=r"settings\.yaml: expected"):
        read_yaml(file)
