"""The command line `wm VERB`: finds the verbs of all installed wm packages and runs the one that is asked for.

A verb is a module in the folder `cli` of the package that does the work, a group of verbs is a folder in it:
`wm_bags/cli/record.py` is `wm record`, `wm_bags/cli/bag/info.py` is `wm bag info`. Adding a verb is adding its file:

    \"""The first line is the help in lists; all of it is the description.\"""

    def add_arguments(parser: argparse.ArgumentParser) -> None: ...
    def run(options: argparse.Namespace) -> int: ...   # the exit status

    ERROR_STATUS = 2   # optional: the exit status of errors, where 1 says something else (usual: 1)
    REQUIREMENTS = "requirements-dev.txt"   # optional: what `./wm` installs first

Only the module of the chosen verb is imported; what is heavy is imported in `run`, so that `--help` is quick and a robot
without torch has the verbs that need none. The `__init__.py` of a group is a verb too if it has `run`: `wm bundles`. Files
whose names begin with an underscore are no verbs; one at the end is left out (`import_.py` is `import`), and those within
are hyphens.
"""

import argparse
import ast
import difflib
import importlib
import importlib.util
import os
import pkgutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, TracebackType

FOLDER = "cli"
REFUSED = (
    ValueError,
    OSError,
    FloatingPointError,
)  # bad input, unreadable, diverged: said in a line, without a traceback

INTERRUPTED = 128 + signal.SIGINT  # exit statuses, as of a shell
UNREAD = 128 + signal.SIGPIPE


class UsageError(Exception):
    """Options that do not go together: exit status 2 and the usage, as for an option that does not exist."""


@dataclass(frozen=True)
class Verb:
    """A verb or a group of verbs: its words, the module that has it, the first line of its docstring."""

    words: tuple[str, ...]
    module: str = ""
    help: str = ""
    verbs: "dict[str, Verb]" = field(default_factory=dict)  # of a group


def find_verbs(paths: Sequence[str] | None = None) -> Verb:
    """The root of all verbs of the packages `wm_*` on `paths` (default: sys.path).

    Imports nothing. Raises ImportError where two packages have the same verb.
    """
    root = Verb(("wm",))
    for package in sorted(pkgutil.iter_modules(paths), key=lambda module: module.name):
        if not (package.ispkg and package.name.startswith("wm_")):
            continue
        spec = package.module_finder.find_spec(package.name, None)
        for place in _folders(spec):
            if (place / FOLDER / "__init__.py").is_file():
                _add_verbs(root, place / FOLDER, f"{package.name}.{FOLDER}")
    return root


def _folders(spec: ModuleSpec | None) -> list[Path]:
    return [Path(place) for place in (spec and spec.submodule_search_locations) or ()]


def _add_verbs(group: Verb, folder: Path, package: str) -> None:
    for found in pkgutil.iter_modules([str(folder)]):
        if found.name.startswith("_"):
            continue
        name, module = found.name.rstrip("_").replace("_", "-"), f"{package}.{found.name}"
        if name in group.verbs:
            raise ImportError(f"two packages have the verb '{name}': {group.verbs[name].module} and {module}")
        file = folder / found.name / "__init__.py" if found.ispkg else folder / f"{found.name}.py"
        verb = Verb((*group.words, name), module, _first_line(file))
        group.verbs[name] = verb
        if found.ispkg:
            _add_verbs(verb, folder / found.name, module)


def _first_line(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    return text.split("\n", 1)[0].rstrip(".")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `wm ARGUMENTS` (default: those of the process) and return its exit status: that of the verb, 130 on Ctrl-C, 141 when
    nobody reads what it prints.

    Raises SystemExit with status 2 for a usage error and 0 after --help, as argparse does.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb = find_verbs()
    while words and words[0] in verb.verbs:
        verb = verb.verbs[words.pop(0)]
    module = importlib.import_module(verb.module) if verb.module else None
    runs = hasattr(module, "run")
    parser = _parser(verb, module.__doc__ if module else "A robot arm with a learned world model.")
    if module and runs:
        module.add_arguments(parser)
    if verb.verbs and words and not words[0].startswith("-"):
        close = difflib.get_close_matches(words[0], verb.verbs, n=1)
        meant = f" (did you mean '{' '.join((*verb.words, *close))}'?)" if close else ""
        parser.error(f"there is no verb '{words[0]}'{meant}; the verbs are {', '.join(verb.verbs)}")
    options = parser.parse_args(words)
    if not (module and runs):
        parser.error(f"expected a verb: {', '.join(verb.verbs)}")
    return _run(module, parser, options)


def quiet_interrupts() -> None:
    """For scripts that are no verbs: Ctrl-C says one line in place of a traceback. The exit status stays that of SIGINT."""
    usual = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            print("wm: interrupted", file=sys.stderr)
        else:
            usual(kind, error, trace)

    sys.excepthook = hook


def _run(module: ModuleType, parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """The exit status of a verb, whatever ends it."""
    try:
        status = module.run(options)
        sys.stdout.flush()
        return status
    except UsageError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("wm: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still in its buffer
        return UNREAD
    except REFUSED as error:
        print(f"wm: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        if not hasattr(module, "REQUIREMENTS"):
            raise
        said = f"needs the Python packages of {module.REQUIREMENTS}; {error.name} is not installed, ./wm installs it"
        print(f"wm: {parser.prog} {said}", file=sys.stderr)
    return getattr(module, "ERROR_STATUS", 1)


def _parser(verb: Verb, description: str | None) -> argparse.ArgumentParser:
    """The parser of a verb without its own arguments; that of a group lists its verbs."""
    width = max(map(len, verb.verbs), default=0)
    lines = [f"  {name:{width}}  {each.help}" for name, each in sorted(verb.verbs.items())]
    return argparse.ArgumentParser(
        prog=" ".join(verb.words),
        usage=f"{' '.join(verb.words)} VERB [arguments]" if verb.verbs else None,
        description=description,
        epilog="\n".join(["verbs:", *lines]) if lines else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
