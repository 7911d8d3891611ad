"""The committed stubs are what protoc makes of the .proto files."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version

import pytest
from packaging.requirements import Requirement

from support.checkout import ROOT


def pinned_compiler() -> str:
    declared = [Requirement(text) for text in requires("diffava-foley") or []]
    [pin] = [one for one in declared if one.name == "grpcio-tools"]
    return str(pin.specifier).removeprefix("==")


def test_stubs_generated_anew_are_the_committed_ones(tmp_path):
    try:
        installed = version("grpcio-tools")
    except PackageNotFoundError:
        installed = "missing"
    if installed != pinned_compiler():
        pytest.skip(f"grpcio-tools is {installed}, and only {pinned_compiler()} makes the same stubs")
    subprocess.run([sys.executable, str(ROOT / "proto" / "generate.py"), "--out", str(tmp_path)], check=True)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*_pb2*"))
    committed = sorted(
        path.relative_to(ROOT / "proto") for path in (ROOT / "proto").rglob("*_pb2*.py*") if path.suffix != ".pyc"
    )
    assert made == committed, "run `python proto/generate.py` and commit what it writes"
    for name in made:
        assert (tmp_path / name).read_text() == (ROOT / "proto" / name).read_text(), (
            f"{name} is stale: run `python proto/generate.py` and commit what it writes"
        )
