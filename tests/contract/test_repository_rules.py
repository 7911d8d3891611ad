"""Rules that no tool keeps: sizes, where packages may be, what an import may load, what no text says."""

import ast
import re
import statistics
import subprocess
import sys
import tomllib

import pytest

from support.checkout import ROOT, is_generated, tracked_files

LONGEST_FILE_LINES = 500
MEDIAN_FILE_LINES = 120
LONGEST_FUNCTION_LINES = 50
TEXT_SUFFIXES = {".py", ".pyi", ".md", ".toml", ".txt", ".proto", ".json", ".otio", ".xml", ".sh", ".yml", ""}


def own_python_files() -> list[str]:
    return [name for name in tracked_files() if name.endswith(".py") and not is_generated(name)]


def line_count(name: str) -> int:
    return len((ROOT / name).read_text(encoding="utf-8").splitlines())


def test_no_file_is_long():
    too_long = {name: line_count(name) for name in own_python_files() if line_count(name) > LONGEST_FILE_LINES}
    assert not too_long, "split these by duty"


def test_most_files_are_short():
    counts = [line_count(name) for name in own_python_files() if not name.startswith("tests/")]
    assert statistics.median(counts) < MEDIAN_FILE_LINES


def test_no_function_is_long():
    too_long = []
    for name in own_python_files():
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                # The docstring is not counted: it may well be longer than the code.
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if length > LONGEST_FUNCTION_LINES:
                    too_long.append(f"{name}:{node.lineno} {node.name} has {length} lines")
    assert not too_long


@pytest.mark.parametrize("folder", ["server", "proto", "plugin_resolve", "installer", "tests"])
def test_a_project_folder_is_no_package(folder):
    """With an `__init__.py` it would become one, and `proto` would then hide Google's."""
    assert not (ROOT / folder / "__init__.py").exists()


def module_names(folder: str) -> list[str]:
    """Every module of the packages below a project folder, whether or not they have an `__init__.py`."""
    paths = [name.removeprefix(f"{folder}/") for name in tracked_files() if re.match(rf"{folder}/\w+/.*\.py$", name)]
    own = [path for path in paths if path.startswith("diffava_") and not path.endswith("__main__.py")]
    return [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in own]


def loaded_after_importing(modules: list[str]) -> set[str]:
    code = f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\nprint(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.split())


def test_importing_the_model_library_and_its_commands_loads_no_torch():
    assert "torch" not in loaded_after_importing(["diffava", "diffava.cli"])


def test_the_plugin_and_the_installer_run_without_the_model_stack():
    modules = module_names("plugin_resolve") + module_names("installer") + module_names("proto")
    assert len(modules) > 20, "the search for modules is broken"
    loaded = loaded_after_importing(modules)
    assert not loaded & {"torch", "transformers", "diffusers", "diffava", "diffava_server"}


def test_the_import_contracts_hold(monkeypatch, capsys):
    from importlinter.cli import lint_imports

    monkeypatch.chdir(ROOT)
    code = lint_imports(cache_dir=None)
    assert code == 0, capsys.readouterr().out


def test_no_text_knows_the_machine_it_was_written_on():
    places = re.compile("(?<![\\w.~])/" + "(?:work|root)/")
    told = []
    for name in tracked_files():
        path = ROOT / name
        if path.suffix in TEXT_SUFFIXES:
            for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
                if places.search(line):
                    told.append(f"{name}:{number}: {line.strip()}")
    assert not told


def test_nothing_is_left_for_later():
    marks = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|NotImplemented" + "Error")
    left = [name for name in own_python_files() if marks.search((ROOT / name).read_text(encoding="utf-8"))]
    assert not left


def test_the_readme_lists_each_extra():
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    listed = set(re.findall(r"^\| `\[(\w+)\]` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == extras
