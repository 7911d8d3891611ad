"""What people might type for a score: the same sound in many phrasings, exact or vague. Knows words, no sound."""

from numpy.random import Generator

from diffava.sounds.kinds import kind_named, kinds
from diffava.sounds.score import Score

FRAMES = ("{}", "{}", "{}", "sound of {}", "the sound of {}", "{} sound", "{}, close", "a recording of {}", "foley: {}")
ORDERS = ("{} then {}", "{}, then {}", "{} followed by {}", "first {}, after that {}", "{} and then {}")
SILENCE = ("silence", "nothing", "no sound", "quiet")
SEVERAL = ("{}", "{}", "{} several times", "repeated {}", "{} again and again")
ANYTHING = "sound"  # the prompt that leaves everything to the picture


def caption(score: Score, rng: Generator, *, vague: float = 0.0) -> str:
    """One caption; with probability `vague` each sound is called by a word that only the picture can make exact."""
    if not any(source.hits or source.active for source in score.sources):
        return str(rng.choice(SILENCE))
    named = [_name(source.kind, len(source.hits), rng, vague) for source in score.sources]
    if len(named) == 2:
        return str(rng.choice(ORDERS)).format(*named)
    return str(rng.choice(FRAMES)).format(named[0])


def caption_texts() -> tuple[str, ...]:
    """Everything that captions are made of: what a tokenizer for them is learned from."""
    named = [text for kind in kinds() for text in (*kind.phrases, *kind.vague)]
    framed = [frame.format(ANYTHING) for frame in (*FRAMES, *SEVERAL)]
    ordered = [order.format(ANYTHING, ANYTHING) for order in ORDERS]
    return (*named, *framed, *ordered, *SILENCE)


def _name(kind_name: str, hits: int, rng: Generator, vague: float) -> str:
    kind = kind_named(kind_name)
    if rng.random() < vague:
        return str(rng.choice((*kind.vague, ANYTHING)))
    phrase = str(rng.choice(kind.phrases))
    return str(rng.choice(SEVERAL)).format(phrase) if hits > 1 else phrase
