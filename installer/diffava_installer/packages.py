"""Are the installed packages those that DiffAVA Foley asks for? Reads metadata only; imports none of them."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from diffava_installer.findings import Finding

DISTRIBUTION = "diffava-foley"
REPAIR = "Run `python3 installer/bootstrap.py repair`."
# Which extras are looked at, what for, and whether the work can go on without it.
GROUPS: tuple[tuple[str, str, bool], ...] = (
    ("", "what every command needs", True),
    ("resolve", "timelines and media", True),
    ("model", "the model; without it a server elsewhere is needed (--server)", False),
    ("server", "the local server; without it a server elsewhere is needed (--server)", False),
)


def requirements_of(extra: str, declared: list[str]) -> list[Requirement]:
    """The requirements that an extra adds on this platform ("" for those of the distribution itself)."""
    parsed = [Requirement(text) for text in declared]
    found = []
    for requirement in parsed:
        applies_always = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        applies_here = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        is_own = requirement.name == DISTRIBUTION
        if applies_here and not is_own and (extra == "" or not applies_always):
            found.append(requirement)
    return found


def complaint_about(requirement: Requirement, version_of: Callable[[str], str]) -> str:
    """What is wrong with the installed package, or nothing."""
    try:
        installed = version_of(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing"
    if not requirement.specifier.contains(installed, prereleases=True):
        return f"{requirement.name} is {installed}, wanted {requirement.specifier}"
    return ""


def check_packages(declared: list[str] | None = None, version_of: Callable[[str], str] = version) -> list[Finding]:
    """A finding for each group of packages.

    Args:
        declared: The distribution's requirements as its metadata gives them; read from there if None.
        version_of: Gives an installed package's version, or raises PackageNotFoundError.
    """
    if declared is None:
        declared = requires(DISTRIBUTION) or []
    findings = []
    for extra, purpose, is_needed in GROUPS:
        subject = f"packages[{extra}]" if extra else "packages"
        wanted = requirements_of(extra, declared)
        complaints = [text for text in (complaint_about(one, version_of) for one in wanted) if text]
        if complaints:
            sentence = f"{'; '.join(complaints)} ({purpose})."
            findings.append(Finding("problem" if is_needed else "note", subject, sentence, REPAIR))
        else:
            findings.append(Finding("ok", subject, f"all {len(wanted)} are there ({purpose.split(';')[0]})."))
    return findings
