"""The credits that trained weights owe: whose recordings they learned from. Knows a manifest's words, no weights.

CC BY asks for the author, the source, the licence and what was changed, MIT for its notice; both ship with the weights.
What is in the public domain owes nothing and is thanked for in a line each.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from diffava.sounds.recordings import Recording

_HEAD = """# Credits

The weights beside this file learned from the recordings below. They were trimmed, resampled, mixed and made louder or
quieter for training; none of them is contained in the weights as a recording. Their authors endorse nothing here.
"""

_MIT_NOTICE = """Copyright (c) {author}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def owes_credit(licence: str) -> bool:
    """Whether a licence asks for its author to be named."""
    return licence.startswith(("CC-BY", "MIT"))


def credits_text(recordings: Iterable[Recording]) -> str:
    """`CREDITS.md` for weights that were trained on the generator's share of `recordings`.

    A function of the recordings alone, whatever their order.
    """
    trained_on = [recording for recording in recordings if recording.split == "generator"]
    owed = [recording for recording in trained_on if owes_credit(recording.licence)]
    free = [recording for recording in trained_on if not owes_credit(recording.licence)]
    parts = [_HEAD]
    for licence, of_licence in _grouped(owed, "licence"):
        parts.append(f"## {_linked(licence)}\n")
        for author, of_author in _grouped(of_licence, "author"):
            sources = [
                f"[{repository}](https://github.com/{repository}): {_files(of_source)}"
                for repository, of_source in _grouped(of_author, "source_repo")
            ]
            parts.append(f"- **{_named(author)}**\n" + "\n".join(f"  - {source}" for source in sources) + "\n")
        if licence.startswith("MIT"):
            parts += [_MIT_NOTICE.format(author=author) for author, _ in _grouped(of_licence, "author")]
    if free:
        parts.append("## With thanks, though nothing is owed\n")
        parts.append(
            "".join(
                f"- [{repository}](https://github.com/{repository}), {licence}: {_count(len(of_licence))}\n"
                for repository, of_source in _grouped(free, "source_repo")
                for licence, of_licence in _grouped(of_source, "licence")
            )
        )
    return "\n".join(parts)


def _grouped(recordings: Sequence[Recording], field: str) -> list[tuple[str, list[Recording]]]:
    """By a field's value, both the groups and what is in them in alphabetical order."""
    groups: dict[str, list[Recording]] = defaultdict(list)
    for recording in sorted(recordings, key=lambda one: (one.label, one.path.name)):
        groups[getattr(recording, field)].append(recording)
    return sorted(groups.items())


def _files(recordings: Sequence[Recording]) -> str:
    return ", ".join(
        f"{label} ({', '.join(f'`{recording.path.name}`' for recording in of_label)})"
        for label, of_label in _grouped(recordings, "label")
    )


def _count(recordings: int) -> str:
    return "1 recording" if recordings == 1 else f"{recordings} recordings"


def _linked(licence: str) -> str:
    """A licence's name with the address of its text, as CC BY asks."""
    found = re.match(r"CC-BY-(\d\.\d)", licence)
    if found is not None:
        return f"{licence} (https://creativecommons.org/licenses/by/{found[1]}/)"
    return f"{licence} (https://creativecommons.org/licenses/)" if licence.startswith("CC-BY") else licence


def _named(author: str) -> str:
    """An author, or where a manifest that only points to a list says that the list is."""
    if author.startswith("see "):
        return f"the authors that `{author.removeprefix('see ')}` of the repository names"
    if author.startswith("["):
        return "the authors that the repository's own list names"
    return author
