"""Every verb of `./wm` is a module as wm_core/command_line.py wants it, and `./wm --help` names it."""

import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wm_core.command_line import Verb, find_verbs

ROOT = Path(__file__).resolve().parents[1]
DEVELOPMENT = {"wm_data", "wm_learning", "wm_evaluation"}  # need requirements-dev.txt, see test_architecture.py


def below(group: Verb) -> Iterator[Verb]:
    for verb in group.verbs.values():
        yield verb
        yield from below(verb)


VERBS = list(below(find_verbs()))


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: " ".join(verb.words))
def test_a_verb_is_a_module_as_the_command_line_wants_it(verb: Verb):
    module = importlib.import_module(verb.module)
    assert 10 < len(verb.help) < 110, f"{verb.module}: the first line of its docstring is its help"
    if not hasattr(module, "run"):
        assert verb.verbs, f"{verb.module}: expected run(options), or a folder of verbs"
        return
    assert list(inspect.signature(module.add_arguments).parameters) == ["parser"]
    run = inspect.signature(module.run)
    assert list(run.parameters) == ["options"] and run.return_annotation is int
    assert module.__name__.split(".")[0] not in DEVELOPMENT or module.REQUIREMENTS == "requirements-dev.txt"
    assert getattr(module, "ERROR_STATUS", 1) in (1, 2)


def test_help_is_quick_because_it_imports_no_torch():
    script = """
import argparse, importlib, sys
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    if hasattr(module, "run"):
        module.add_arguments(argparse.ArgumentParser())
heavy = {"torch", "pybullet", "pinocchio", "matplotlib"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    command = [sys.executable, "-c", script, *(verb.module for verb in VERBS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_script_names_every_verb():
    printed = subprocess.run([ROOT / "wm", "--help"], capture_output=True, text=True, check=True).stdout
    listed = {word.strip(" ,") for line in printed.splitlines() if line.startswith("  ") for word in line.split()[:12]}
    assert {verb.words[1] for verb in VERBS} <= listed
