"""Parameters that are given to a node which has none of that name or type: refused, where ROS ignores them in silence.

ROS keeps the value of an earlier parameter file where a later one gives a parameter another type, so the files themselves are read.
"""

import datetime
import difflib
import re
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_core.params import ConfigError

ROS_OWN = re.compile(r"use_sim_time|start_type_description_service|start_parameter_services|qos_overrides\..*")
EVERY_NODE = ("*", "**")  # what a section of a parameter file ends with that is for more than one node
EXPECTED = {bool: "true or false", int: "an integer", float: "a number", str: "text"}  # by the type of the default
_INTEGERS = (Parameter.Type.INTEGER, Parameter.Type.INTEGER_ARRAY)


def refuse_unknown(node: Node, retired: Mapping[str, str], arguments: Sequence[str] | None = None) -> None:
    """Raise ConfigError when a parameter was given to the node that it has not declared; call it when all are declared.

    `retired`: of names that the node once had, what to do instead. What a parameter file in `arguments` (default: the command
    line) says for every node (`/**`) may be for another one, and is refused only where it is retired.
    """
    given: dict[str, Any] = node._parameter_overrides  # rclpy has no other way to ask for them
    unknown = [name for name in given if not node.has_parameter(name) and not ROS_OWN.fullmatch(name)]
    if not unknown:
        return
    said = list(_said(sys.argv if arguments is None else arguments))
    here = {name for section, name, _ in said if section == node.get_name()}
    for_others = {name for section, name, _ in said if section in EVERY_NODE} - here
    known = list(node.get_parameters_by_prefix(""))
    problems = [_problem(name, known, retired) for name in unknown if name in retired or name not in for_others]
    if problems:
        raise ConfigError(f"unknown parameters of {node.get_name()}: {'; '.join(problems)}")


def check_types(node: Node, defaults: Mapping[str, Any], arguments: Sequence[str] | None = None) -> None:
    """Raise ConfigError when a parameter was given with another type than its default's; call it before they are declared.

    `defaults` by name; lists say what theirs hold, empty ones hold text. `arguments` as for `refuse_unknown`. Integers become
    numbers where those are wanted, which ROS refuses.
    """
    given: dict[str, Any] = node._parameter_overrides
    said: dict[str, list[Any]] = {}
    if given.keys() & defaults.keys():
        for section, name, value in _said(sys.argv if arguments is None else arguments):
            if name in defaults and section in (node.get_name(), *EVERY_NODE):
                said.setdefault(name, []).append(value)
    problems = []
    for name in [name for name in defaults if name in given]:
        value = given[name].value
        values = [*said.get(name, ()), list(value) if isinstance(value, array) else value]
        wrong = [value for value in values if not _fits(value, defaults[name])]
        hint = "; put it in quotes" if isinstance(defaults[name], str) else ""
        problems += [f"'{name}': expected {_expected(defaults[name])}, got {value!r}{hint}" for value in wrong[:1]]
        if not wrong and given[name].type_ in _INTEGERS and _holds(defaults[name]) is float:
            # ROS prefers an integer of an earlier file to a number of a later one.
            given[name] = Parameter(name, value=_numbers(values[-2] if values[-1] in values[:-1] else values[-1]))
    if problems:
        raise ConfigError(f"parameters of {node.get_name()}: {'; '.join(problems)}")


def parameters_in(content: Any, section: str = "") -> Iterator[tuple[str, str, Any]]:
    """Section (`/**/wm_guard`), name and value of every parameter in the content of a parameter file; raises ConfigError.

    ROS takes sections within sections, and `icem: {samples: 48}` for icem.samples.
    """
    where = f"section '{section}'" if section else "the file"
    if not isinstance(content, Mapping) or not content:
        got = "nothing" if content in (None, {}) else repr(content)
        raise ConfigError(f"{where}: expected NODE: {{ros__parameters: {{NAME: VALUE}}}}, got {got}")
    for key, value in content.items():
        if key != "ros__parameters":
            if not isinstance(value, Mapping):
                raise ConfigError(f"{where}: expected 'ros__parameters' above '{key}', found none")
            yield from parameters_in(value, f"{section}/{str(key).strip('/')}")
        elif not section or not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected parameters of a node under 'ros__parameters', got {value!r}")
        else:
            yield from ((section, name, each) for name, each in _leaves(value))


def load_parameters(file: Path) -> Any:
    """The content of a parameter file as ROS reads it: `1e6` is a number. Raises OSError and yaml.YAMLError."""
    return yaml.load(file.read_text(), _Loader)  # noqa: S506 (a SafeLoader)


def _list(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> list:
    return loader.construct_sequence(node)


class _Loader(yaml.SafeLoader):
    """YAML 1.2 floats, as libyaml's reader in ROS has them, and the tag with which launch_ros writes lists."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]*\.?[0-9]+[eE][-+]?[0-9]+"), list("-+.0123456789")
)
_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _list)


def _problem(name: str, known: list[str], retired: Mapping[str, str]) -> str:
    if name in retired:
        return f"'{name}' {retired[name]}"
    close = difflib.get_close_matches(name, known, 1)
    return f"'{name}'" + (f" (did you mean '{close[0]}'?)" if close else " is none of its parameters; leave it out")


def _holds(default: Any) -> type:
    if isinstance(default, list | tuple):
        return type(default[0]) if default else str
    return type(default)


def _expected(default: Any) -> str:
    return (
        f"a list, each {EXPECTED[_holds(default)]}" if isinstance(default, list | tuple) else EXPECTED[_holds(default)]
    )


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, list | tuple):
        return isinstance(value, list) and all(_fits(each, default[0] if default else "") for each in value)
    accepted = {float: (float, int), str: (str, datetime.date)}.get(type(default), (type(default),))
    return isinstance(value, accepted) and (isinstance(default, bool) or not isinstance(value, bool))


def _numbers(value: Any) -> Any:
    return float(value) if isinstance(value, int | float) else [float(each) for each in value]


def _said(arguments: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    """Last part of the section's name, parameter and value, of all in the parameter files of a command line."""
    for option, file in zip(arguments, arguments[1:], strict=False):
        if option == "--params-file":
            for section, name, value in parameters_in(load_parameters(Path(file))):
                yield section.rpartition("/")[2], name, value


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
