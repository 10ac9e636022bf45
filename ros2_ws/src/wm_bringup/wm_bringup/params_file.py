"""A parameter file of the user's, held against the graph before anything starts: what no node would read is refused."""

import difflib
import importlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from wm_bringup.launch_arguments import LaunchError
from wm_core.given_parameters import ROS_OWN, load_parameters, parameters_in
from wm_core.params import ConfigError

OF_TASKS = "cost."  # beginning of names that depend on a task
UNLISTED = ("topics", "triggers")  # lists of wm_recorder, which it declares without a default
NOT_ALWAYS = {
    "wm_episodes": "wm_tasks.episodes",
    "wm_explorer": "wm_tasks.explorer",
    "wm_recorder": "wm_bags.record.recorder",
    "wm_scene_view": "wm_bringup.scene_view",
}


def check_params_file(
    value: str, modules: Mapping[str, str], set_here: Mapping[str, Mapping[str, Any]], namespace: str
) -> Path:
    """The file, when all of its sections are for nodes of the graph; raises LaunchError.

    `modules`: of each node's name, where its parameters are; they are imported for sections of every node (`/**`) only.
    `set_here`: parameters that the launch sets, by node: they win over all files, so that another value is refused.
    `namespace`: of the launch, without slashes at its ends. What is for nodes that only other launches start (NOT_ALWAYS) may be in
    the file too.
    """
    modules = {**modules, **NOT_ALWAYS}
    file = Path(value).expanduser().absolute()
    if not file.is_file():
        raise LaunchError(f"argument 'params_file': expected a file, {file} does not exist")
    try:
        said = list(parameters_in(load_parameters(file)))
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise _refused(file, f"expected YAML, got {place}{error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError, ConfigError) as error:
        raise _refused(file, str(error).replace("\n", " ")) from error
    for section in dict.fromkeys(section for section, _, _ in said):
        _check_section(file, section, modules, namespace)
    for section, name, given in said:
        if given is None:
            raise _refused(file, f"{section}: '{name}': expected a value, got nothing")
    wide = [(section, name) for section, name, _ in said if section.endswith("*")]
    for section, name, given in said:
        for node in _nodes_of(section, set_here, namespace):
            if set_here[node].get(name, given) != given:
                raise _refused(
                    file,
                    f"{section}: '{name}' of {node} is set by this launch ({set_here[node][name]!r}): {given!r} would have no effect;"
                    " use the launch argument that it comes from (--show-args lists them), or leave it out",
                )
    every = [name for parameters in set_here.values() for name in parameters]
    known = [*_parameters(modules.values()), *every, *UNLISTED] if wide else []
    for section, name in wide:
        if name not in known and not name.startswith(OF_TASKS) and not ROS_OWN.fullmatch(name):
            raise _refused(file, f"{section}: no node of wm has a parameter '{name}'{_meant(name, known)}")
    return file


def _refused(file: Path, why: str) -> LaunchError:
    return LaunchError(f"argument 'params_file': {file}: {why}")


def _nodes_of(section: str, nodes: Iterable[str], namespace: str) -> list[str]:
    """The nodes that a section is for."""
    pattern = re.escape(section).replace(r"/\*\*", r"(/\w+)*").replace(r"\*", r"\w+")
    here = f"/{namespace}".rstrip("/")
    return [node for node in nodes if re.fullmatch(pattern, f"{here}/{node}")]


def _check_section(file: Path, section: str, nodes: Iterable[str], namespace: str) -> None:
    nodes = list(nodes)
    if _nodes_of(section, nodes, namespace):
        return
    here = f"/{namespace}".rstrip("/")
    name = section.rpartition("/")[2]
    if name in nodes:
        raise _refused(file, f"section '{section}': {name} is {here}/{name} in this launch; write /**/{name}")
    raise _refused(
        file, f"section '{section}': there is no such node{_meant(name, nodes)}; nodes are {', '.join(nodes)}"
    )


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _parameters(modules: Iterable[str]) -> list[str]:
    """Names of the parameters of the nodes in these modules: PARAMETERS of the module or of its classes."""
    found: dict[str, Any] = {}
    for module in map(importlib.import_module, modules):
        for owner in (module, *(each for each in vars(module).values() if isinstance(each, type))):
            listed = getattr(owner, "PARAMETERS", ())
            found |= dict.fromkeys(each if isinstance(listed, Mapping) else each.name for each in listed)
    return list(found)
