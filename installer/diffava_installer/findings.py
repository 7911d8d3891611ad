"""What the doctor says: findings, and whether the machine is usable. Knows nothing of how they were found."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Mark = Literal["ok", "note", "problem"]
SIGNS: dict[Mark, str] = {"ok": "✓", "note": "!", "problem": "✗"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: a sentence, and what to do about it (empty if nothing).

    A `note` is worth knowing and does not stop anything; a `problem` keeps DiffAVA Foley from working here.
    """

    mark: Mark
    subject: str
    sentence: str
    remedy: str = ""


def is_usable(findings: Iterable[Finding]) -> bool:
    """Whether nothing found keeps DiffAVA Foley from working."""
    return all(finding.mark != "problem" for finding in findings)


def as_text(findings: Iterable[Finding]) -> str:
    """A line a finding, and its remedy below it."""
    lines = []
    for finding in findings:
        lines.append(f"{SIGNS[finding.mark]} {finding.subject}: {finding.sentence}")
        if finding.remedy:
            lines.append(f"    {finding.remedy}")
    return "\n".join(lines)
