"""Which words of a prompt `mini` knows, and what it answers with where it knows none. Knows the kinds, no sound.

A small text tower embeds any text somewhere. Without this a didgeridoo would silently become whatever lies nearest.
"""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from importlib import resources

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from diffava.features.clap import ClapTextEncoder
from diffava.sounds.captions import ANYTHING, FRAMES, ORDERS, SEVERAL, SILENCE
from diffava.sounds.kinds import Kind

SLIP, SWAP = 0.88, 0.7  # difflib's ratio from which on a word is a slip of a known one; the same letters swapped
SHORTEST_SLIP, LONG = 4, 7  # letters: shorter words are never slips, longer ones may begin or end otherwise
NEAREST = 2
# Words that say nothing of what is heard: how often, how loud, where, when, whose.
WITHOUT_SOUND = frozenset((resources.files("diffava.features") / "plain_words.txt").read_text("utf-8").split())


@dataclass(frozen=True)
class Reading:
    """What became of a prompt's words: kinds that it names, words that nobody taught, kinds that are nearest.

    `known` are the known words as they were typed. `nearest` is what a prompt outside the vocabulary is answered with.
    """

    prompt: str
    known: tuple[str, ...]
    unknown: tuple[str, ...]
    kinds: tuple[str, ...]
    nearest: tuple[Kind, ...]

    @property
    def is_outside(self) -> bool:
        """Whether no word with a meaning is known."""
        return not self.known and bool(self.unknown)

    def notes(self, model: str) -> tuple[str, ...]:
        """What a person should know before they hear the answer; nothing if every word is known."""
        if not self.unknown:
            return ()
        unknown = _listed(self.unknown)
        if self.is_outside:
            sounds = ", ".join(kind.phrases[0] for kind in self.nearest)
            return (f"{model} does not know {unknown}; it answers with the nearest sounds it knows: {sounds}.",)
        return (f"{model} knows {_listed(self.known)} but not {unknown}; what it does not know changes nothing.",)


class Vocabulary:
    """The words of the kinds' phrases, in a model whose text tower was trained on them."""

    def __init__(self, kinds: tuple[Kind, ...], text: ClapTextEncoder) -> None:
        self._kinds = kinds
        self._text = text
        self._kinds_of: dict[str, set[str]] = {}  # of a stem
        self._spellings: set[str] = set(WITHOUT_SOUND)
        for kind in kinds:
            for phrase in (*kind.phrases, *kind.vague):
                for word in _words(phrase):
                    if word not in WITHOUT_SOUND and word != ANYTHING:
                        self._kinds_of.setdefault(stem(word), set()).add(kind.name)
                        self._spellings.add(word)
        framing = (*FRAMES, *ORDERS, *SEVERAL, *SILENCE, ANYTHING)
        self._plain = {stem(word) for text in framing for word in _words(text)} | {stem(w) for w in WITHOUT_SOUND}

    def reading(self, prompt: str) -> Reading:
        """Sort a prompt's words; words that mean nothing for a sound are in neither list.

        A prompt in which no word is left ("sound", "again") is known: it leaves everything to the picture.
        """
        known, unknown = [], []
        kinds: dict[str, None] = {}
        for word in dict.fromkeys(_words(prompt)):
            found = self._meant(word)
            if found is None:
                unknown.append(word)
            elif found:
                known.append(word)
                kinds.update(dict.fromkeys(sorted(found)))
        nearest = self._nearest(prompt, unknown) if unknown and not known else ()
        return Reading(prompt, tuple(known), tuple(unknown), tuple(kinds), nearest)

    def embedding(self, reading: Reading) -> Float[Tensor, "D"]:
        """What a model is to hear in the prompt: its own embedding, or outside the vocabulary the nearest kinds'."""
        if not reading.is_outside:
            return self._text.encode([reading.prompt])[0]
        places = torch.stack([self._places[self._kinds.index(kind)] for kind in reading.nearest])
        return normalize(places.mean(dim=0), dim=-1)

    def _meant(self, word: str) -> set[str] | None:
        """The kinds that a word speaks of; none for a word without a sound, None for an unknown one."""
        for spelling in (word, *_slips_of(word, self._spellings)):
            if stem(spelling) in self._kinds_of:
                return self._kinds_of[stem(spelling)]
            if stem(spelling) in self._plain or spelling.isdigit():
                return set()
        return None

    def _nearest(self, prompt: str, unknown: list[str]) -> tuple[Kind, ...]:
        """First the kinds that are said to be near; then by the text tower and by letters, half each."""
        cosines = self._places @ self._text.encode([prompt])[0]
        letters = torch.tensor([max(_alike(word, kind) for word in unknown) for kind in self._kinds])
        stems = {stem(word) for word in unknown}
        told = torch.tensor([2.0 * any(stem(word) in stems for word in kind.near) for kind in self._kinds])
        order = (cosines.cpu() + letters + told).argsort(descending=True, stable=True)
        return tuple(self._kinds[int(number)] for number in order[:NEAREST])

    @cached_property
    def _places(self) -> Float[Tensor, "K D"]:
        """Where each kind lies: the mean of its phrases."""
        return normalize(torch.stack([self._text.encode(kind.phrases).mean(dim=0) for kind in self._kinds]), dim=-1)


def stem(word: str) -> str:
    """A word without the endings that do not change what it sounds like: barks, barking and barked are bark."""
    for ending, kept in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: len(word) - len(ending)] + kept
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":  # chopping, humming
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


def _slips_of(word: str, spellings: set[str]) -> list[str]:
    """Spellings that this may be a slip of the finger for, the likeliest first."""
    if len(word) < SHORTEST_SLIP:
        return []
    found = []
    for other in spellings:
        ends_alike = word[0] == other[0] and word[-1] == other[-1]
        if abs(len(word) - len(other)) <= 1 and (ends_alike or min(len(word), len(other)) >= LONG):
            ratio = SequenceMatcher(None, word, other).ratio()
            if ratio >= (SWAP if sorted(word) == sorted(other) else SLIP):
                found.append((-ratio, other))
    return [other for _, other in sorted(found)]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower().replace("'s", ""))


def _alike(word: str, kind: Kind) -> float:
    return max(SequenceMatcher(None, word, known).ratio() for phrase in kind.phrases for known in _words(phrase))


def _listed(words: tuple[str, ...]) -> str:
    quoted = [f"'{word}'" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
