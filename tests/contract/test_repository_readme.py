"""The README is true: its tree names every file once, and its commands and options exist."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import PurePosixPath

import pytest

from support.checkout import ROOT, is_generated, tracked_files

README = (ROOT / "README.md").read_text(encoding="utf-8")
NOT_IN_THE_TREE = {
    "LICENSE",
    ".gitignore",
    ".gitattributes",
    "py.typed",
    "__init__.py",
    "README.md",
}  # a folder's line is its __init__.py's
WIDTH = 120
WEIGHTS = "diffava/weights/"


def tree_lines() -> list[str]:
    block = re.search(r"^```tree\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert block, "README.md has no ```tree block"
    return block.group(1).splitlines()


def tree() -> dict[str, str]:
    """Path -> what its line says. Two spaces a level; folders end with `/`."""
    found: dict[str, str] = {}
    parents: list[str] = []
    for line in tree_lines():
        name, _, text = line.strip().partition(" ")
        depth = (len(line) - len(line.lstrip())) // 2
        path = "".join(parents[:depth]) + name
        assert path not in found, f"{path} stands twice in the tree"
        found[path] = text.strip()
        parents[depth:] = [name]
    return found


def files_for_the_tree() -> set[str]:
    """Every tracked file of our own; of the tests every folder that holds files, of shipped weights each model's."""
    wanted = set()
    for name in tracked_files():
        path = PurePosixPath(name)
        if name.startswith("tests/") and len(path.parts) > 2:
            wanted.add(f"{path.parent}/")
        elif name.startswith(WEIGHTS):
            wanted.add("/".join([*path.parts[:3], ""]))
        elif path.name not in NOT_IN_THE_TREE and not is_generated(name):
            wanted.add(name)
    return wanted


def test_the_tree_names_every_file_and_nothing_else():
    listed = {path for path in tree() if not path.endswith("/") or path.startswith(("tests/", WEIGHTS))}
    folders = {f"{parent}/" for path in files_for_the_tree() for parent in PurePosixPath(path).parents if parent.name}
    missing = files_for_the_tree() - listed
    gone = {path for path in tree() if path not in files_for_the_tree() | folders}
    lines = [f"add a line for {path}" for path in sorted(missing)] + [f"remove {path}" for path in sorted(gone)]
    if lines:
        pytest.fail("The tree in README.md differs from what is tracked:\n" + "\n".join(lines), pytrace=False)


def test_every_line_of_the_tree_says_something_and_fits():
    assert not [path for path, text in tree().items() if not text]
    assert not [line for line in tree_lines() if len(line) > WIDTH]


def typed_commands() -> list[list[str]]:
    """The words of each `diffava ...` line in the README's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("diffava ")]


@cache
def help_of(command: tuple[str, ...]) -> str:
    code = "import sys; from diffava.cli import main; sys.argv[0] = 'diffava'; main()"
    answer = subprocess.run(
        [sys.executable, "-c", code, *command, "--help"], capture_output=True, text=True, check=False, timeout=120
    )
    assert answer.returncode == 0, f"`diffava {' '.join(command)} --help` fails: {answer.stderr}"
    return answer.stdout


@pytest.mark.parametrize("words", typed_commands(), ids=" ".join)
def test_every_command_and_option_of_the_readme_exists(words):
    command = tuple(words[:1])
    if len(words) > 1 and re.search(rf"^\W*{re.escape(words[1])}\b", help_of(command), re.MULTILINE):
        command = tuple(words[:2])  # `diffava models list`
    told = help_of(command)
    for word in words:
        if re.match(r"--?[a-z]", word):
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", told), f"`diffava {command[0]}` has no {word}"


def test_the_readme_shows_commands():
    assert len(typed_commands()) >= 8, "the search for commands is broken"


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_every_link_into_the_checkout_leads_somewhere(path):
    assert (ROOT / path).exists()


def test_the_example_of_the_library_runs_as_it_stands():
    text = (ROOT / "diffava" / "README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "diffava/README.md", "exec"), names)
    assert names["waveform"].take == 0
