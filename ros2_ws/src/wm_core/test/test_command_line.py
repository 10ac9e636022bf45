"""Verbs are found in the folders `cli` of packages and run by their words."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wm_core.command_line import find_verbs, main

GREET = '''"""Greet somebody.

In plain words.
"""

import sys


def add_arguments(parser):
    parser.add_argument("name")


def run(options):
    if options.name == "nobody":
        raise ValueError("expected a name, got nobody")
    if options.name == "both":
        from wm_core.command_line import UsageError
        raise UsageError("one at a time")
    print(f"good day, {options.name}")
    return 3
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes files into a package of its own, `wm_example_N`, that can be imported."""
    name = f"wm_example_{abs(hash(tmp_path))}"
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**files: str) -> Path:
        for path, text in {"__init__": "", "cli/__init__": "", **files}.items():
            file = tmp_path / name / f"{path}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def test_a_verb_is_a_file_and_a_group_a_folder(package):
    where = package(**{"cli/greet": GREET, "cli/far/__init__": '"""Far."""', "cli/far/import_": GREET, "cli/_no": ""})
    root = find_verbs([str(where)])
    assert list(root.verbs) == ["far", "greet"] and list(root.verbs["far"].verbs) == ["import"]
    assert root.verbs["greet"].help == "Greet somebody"
    assert root.verbs["far"].verbs["import"].module.endswith(".cli.far.import_")


def test_what_it_does_and_what_it_refuses(package, capsys):
    package(**{"cli/greet": GREET, "cli/greet_politely": GREET + "\nERROR_STATUS = 2\n"})
    assert main(["greet", "world"]) == 3
    assert capsys.readouterr().out == "good day, world\n"
    assert main(["greet", "nobody"]) == 1
    assert capsys.readouterr().err == "wm: expected a name, got nobody\n"
    assert main(["greet-politely", "nobody"]) == 2


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["greet", "--help"], 0, "In plain words."),
        (["--help"], 0, "Greet somebody"),
        (["far", "--help"], 0, "Greet somebody"),
        (["greet"], 2, "the following arguments are required: name"),
        (["greet", "both"], 2, "wm greet: error: one at a time"),
        (["gret", "world"], 2, "there is no verb 'gret' (did you mean 'wm greet'?)"),
        (["far", "awya"], 2, "did you mean 'wm far away'?"),
        (["far"], 2, "expected a verb: away"),
    ],
)
def test_help_and_usage_errors(package, capsys, words, status, said):
    package(**{"cli/greet": GREET, "cli/far/__init__": '"""Far."""', "cli/far/away": GREET})
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == status
    assert said in "".join(capsys.readouterr())


def test_a_group_may_be_a_verb_itself(package, capsys):
    listing = '"""List."""\ndef add_arguments(parser): ...\ndef run(options):\n    print("all")\n    return 0\n'
    package(**{"cli/items/__init__": listing, "cli/items/greet": GREET})
    assert main(["items"]) == 0
    assert main(["items", "greet", "world"]) == 3
    assert capsys.readouterr().out == "all\ngood day, world\n"


def test_one_verb_imports_no_other(package, capsys):
    package(**{"cli/greet": GREET, "cli/broken": '"""Broken."""\nraise RuntimeError("imported")\n'})
    assert main(["greet", "world"]) == 3


def test_packages_that_are_missing_are_said(package, capsys):
    needs = '"""Needs."""\nREQUIREMENTS = "requirements-dev.txt"\n\n\n'
    needs += "def add_arguments(parser): ...\ndef run(options):\n    import not_there_at_all\n"
    package(**{"cli/needs": needs})
    assert main(["needs"]) == 1
    said = "wm: wm needs needs the Python packages of requirements-dev.txt; not_there_at_all is not installed"
    assert said in capsys.readouterr().err


def test_two_packages_with_one_verb_are_named(package):
    where = package(**{"cli/greet": GREET})
    other = where / "wm_other"
    (other / "cli").mkdir(parents=True)
    for file in (other / "__init__.py", other / "cli/__init__.py"):
        file.write_text("")
    (other / "cli/greet.py").write_text(GREET)
    with pytest.raises(
        ImportError, match=r"two packages have the verb 'greet': .*\.cli\.greet and wm_other\.cli\.greet"
    ):
        find_verbs([str(where)])


@pytest.mark.parametrize(
    ("ends", "status", "said"),
    [("raise KeyboardInterrupt", 130, "wm: interrupted\n"), ("raise BrokenPipeError", 141, "")],
)
def test_ctrl_c_is_one_line_and_an_end_of_reading_none(package, ends, status, said):
    where = package(
        **{"cli/give_up": f'"""Stop."""\n\ndef add_arguments(parser): pass\n\ndef run(options):\n    {ends}\n'}
    )
    code = f"import sys; sys.path.insert(0, {str(where)!r}); from wm_core.command_line import main; sys.exit(main(['give-up']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, said)


def test_the_output_may_be_cut_short(package):
    where = package(
        **{
            "cli/talk": '"""Talk."""\n\ndef add_arguments(parser): pass\n\ndef run(options):\n    print("a" * 200000)\n    return 0\n'
        }
    )
    code = f"import sys; sys.path.insert(0, {str(where)!r}); from wm_core.command_line import main; sys.exit(main(['talk']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as talk:
        assert talk.stdout.read(1) == "a"
        talk.stdout.close()
        assert talk.stderr.read() == ""
    assert talk.returncode == 141


def test_a_script_is_interrupted_in_one_line_too():
    code = "from wm_core.command_line import quiet_interrupts; quiet_interrupts(); raise {}"
    done = [
        subprocess.run([sys.executable, "-c", code.format(error)], capture_output=True, text=True, check=False)
        for error in ("KeyboardInterrupt", "ValueError('bad')")
    ]
    assert (done[0].returncode, done[0].stderr) == (-signal.SIGINT, "wm: interrupted\n")
    assert done[1].returncode == 1 and "Traceback" in done[1].stderr
