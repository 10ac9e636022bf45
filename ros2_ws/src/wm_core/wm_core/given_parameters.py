"""Parameters that are given to a node which has none of that name: refused, where ROS ignores them in silence."""

import difflib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rclpy.node import Node

from wm_core.params import ConfigError

ROS_OWN = re.compile(r"use_sim_time|start_type_description_service|start_parameter_services|qos_overrides\..*")
EVERY_NODE = ("*", "**")  # what a section of a parameter file ends with that is for more than one node


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
    here = {name for section, name in said if section == node.get_name()}
    for_others = {name for section, name in said if section in EVERY_NODE} - here
    known = list(node.get_parameters_by_prefix(""))
    problems = [_problem(name, known, retired) for name in unknown if name in retired or name not in for_others]
    if problems:
        raise ConfigError(f"unknown parameters of {node.get_name()}: {'; '.join(problems)}")


def _problem(name: str, known: list[str], retired: Mapping[str, str]) -> str:
    if name in retired:
        return f"'{name}' {retired[name]}"
    close = difflib.get_close_matches(name, known, 1)
    return f"'{name}'" + (f" (did you mean '{close[0]}'?)" if close else " is none of its parameters; leave it out")


def _said(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Last part of the section's name, and parameter, of all in the parameter files of a command line."""
    for option, file in zip(arguments, arguments[1:], strict=False):
        if option == "--params-file":
            yield from _sections("", yaml.safe_load(Path(file).read_text()))


def _sections(node: str, content: Any) -> Iterator[tuple[str, str]]:
    for key, value in content.items() if isinstance(content, dict) else ():
        if key == "ros__parameters":
            yield from ((node, name) for name in _names(value))
        else:
            yield from _sections(str(key).rpartition("/")[2], value)


def _names(content: Any, prefix: str = "") -> Iterator[str]:
    """Names of parameters; `icem: {samples: 48}` is icem.samples."""
    for key, value in content.items() if isinstance(content, dict) else ():
        if isinstance(value, dict):
            yield from _names(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
