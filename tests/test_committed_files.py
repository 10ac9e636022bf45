"""What committed files say: documentation names what there is, all in the words of the field."""

import re
import subprocess
from pathlib import Path

import pytest
import source_files

ROOT, PACKAGES, PYTHON_PACKAGES = source_files.ROOT, source_files.PACKAGES, source_files.PYTHON_PACKAGES


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_readme_of_a_package_names_all_that_is_in_it(package: Path):
    """Modules and folders of a Python package (`name.py`, `name/`), files of interfaces; and nothing that is not there."""
    text = (package / "README.md").read_text()
    if package in PYTHON_PACKAGES:
        inside = (package / package.name).iterdir()
        found = {f"{path.name}{'/' * path.is_dir()}" for path in inside if not path.name.startswith("__")}
    else:
        found = {
            str(path.relative_to(package)) for kind in ("msg", "srv", "action") for path in package.glob(f"{kind}/*")
        }
    assert not {name for name in found if not re.search(rf"(?<![\w/]){re.escape(name)}", text)}
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    named = set(re.findall(r"(?<![\w./])[\w/]+\.(?:py|msg|srv|action)\b", table))
    known = {path.name for path in package.rglob("*") if path.is_file()}
    assert not {name for name in named if Path(name).name not in known}


def test_every_decision_is_in_the_list_of_them():
    decisions = ROOT / "docs/decisions"
    listed = re.findall(r"\(decisions/([\w.]+)\)", (ROOT / "docs/architecture.md").read_text())
    assert sorted(listed) == sorted(path.name for path in decisions.glob("*.md"))


# Words that only people of this project would understand, and what to write instead.
PRIVATE_WORDS = {
    "mind": "model, planner or bundle",
    "eyes": "perception, encoder or camera",
    "urge": "exploration target",
    "thing": "object, or what it is",
    "told": "published, reported, sent, given",
}


def committed(*suffixes: str) -> list[Path]:
    """Files of this checkout with these suffixes, also new ones that are not committed yet; this file aside."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    paths = (ROOT / name for name in files if name.endswith(suffixes))
    return [path for path in paths if path.is_file() and path != Path(__file__).resolve()]


def words(text: str) -> set[str]:
    """The words of a text in lower case and singular; `urge_of_arm`, `UrgeGoal` and `urges` have the word urge."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)
    return {word for part in parts for word in (part.lower(), part.lower().removesuffix("s"))}


@pytest.mark.parametrize(
    "text", ["an urge", "Things", "self._told", "UrgeGoal", "THING = 1", "draw_urges(2)", "cli/things/x", "Eyes"]
)
def test_private_words_are_found(text: str):
    assert words(text) & set(PRIVATE_WORDS)


def test_words_that_contain_a_private_one_are_not_it():
    assert not words("nothing surges, everything reminds of a threshold; do_anything, insurgent, eyelet") & set(
        PRIVATE_WORDS
    )


def test_code_documentation_and_messages_use_the_words_of_the_field():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word}: write {PRIVATE_WORDS[word]}"
        for path in committed(".py", ".md", ".msg", ".srv", ".action", ".yaml", ".sh")
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        for word in sorted(words(line) & set(PRIVATE_WORDS))
    ]
    assert not found, "\n".join(found)


def test_lines_of_documentation_are_at_most_140_characters():
    """Tables and indented blocks aside: they cannot be split. docs/benchmarks.md is made by a program."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {len(line)} characters"
        for path in committed(".md")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > 140 and not line.startswith(("|", "    ")) and path != ROOT / "docs/benchmarks.md"
    ]
    assert not found, "\n".join(found)


def test_no_committed_file_names_a_folder_of_one_machine():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".yaml", ".xml", ".sh", ".txt", ".toml", ""} and path.is_file():
            assert not re.search(r"/(root|home/\w+)/|/work/(main|shared)", path.read_text(errors="replace")), name
