"""The constraints file pins the whole tree of packages, and everything that is installed here keeps to it."""

import re
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from support.checkout import ROOT

EXTRAS = ("model", "server", "resolve", "dev")


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "installer" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def needed_here() -> dict[str, str]:
    """Names and versions of all packages that our extras bring on this platform, directly or not."""
    found: dict[str, str] = {}
    todo = [("diffava-foley", extra) for extra in EXTRAS]
    seen = set()
    while todo:
        name, extra = todo.pop()
        if (canonicalize_name(name), extra) in seen:
            continue
        seen.add((canonicalize_name(name), extra))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # the environment was made for fewer extras
        found[canonicalize_name(name)] = package.version
        for text in package.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                todo += [(requirement.name, each) for each in ("", *requirement.extras)]
    found.pop("diffava-foley")
    return found


def test_every_package_of_the_tree_is_pinned():
    missing = {f"{name}=={version}" for name, version in needed_here().items() if name not in pins()}
    assert not {one for one in missing if not re.match(r"nvidia-|triton|cuda-", one)}, (
        "add these to installer/constraints.txt (what CUDA builds of torch bring is pinned by torch itself)"
    )


def test_what_is_installed_here_is_what_is_pinned():
    others = {
        name: version
        for name, version in needed_here().items()
        if name in pins() and not pins()[name].specifier.contains(Version(version).public)
    }
    assert not others, "the environment differs from installer/constraints.txt; run `bootstrap.py repair`"


def test_every_pin_is_exact_and_names_no_build():
    for requirement in pins().values():
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
