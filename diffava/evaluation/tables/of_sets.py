"""Metrics of whole sets: IS, FAD, FD, and T2AV's FAVD, FATD and FA(VT)D.

Draws of their bootstrap take pairs, both sides together; intervals are centred (see `bootstrap_interval`).
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from diffava.evaluation.figures import measured
from diffava.evaluation.tables.metric import Item, Metric, Need, Role, Taken
from diffava.metrics.class_probabilities import inception_score
from diffava.metrics.frechet import frechet_distance
from diffava.metrics.joint_frechet import cross_frechet_distance, joint_frechet_distance

SPLITS = 10
ROUNDS = 100  # of Fréchet distances, each a singular value decomposition
OTHERS: dict[str, tuple[Need, ...]] = {
    "favd": (("c3d", "film"),),
    "fatd": (("word2vec", "caption"),),
    "favtd": (("c3d", "film"), ("word2vec", "caption")),
}
SPOKEN = {"favd": "FAVD", "fatd": "FATD", "favtd": "FA(VT)D"}


def softmax(logits: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "N K"]:
    """Probabilities that exclude each other."""
    raised = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))


def stacked(items: Sequence[Item], extractor: str, role: Role, part: str = "features") -> Float[np.ndarray, "N D"]:
    """One row an item."""
    return np.stack([item.of(extractor, role, part) for item in items]).astype(np.float64)


def _inception(items: Sequence[Item]) -> Taken:
    def score(role: Role) -> Callable[[Sequence[Item]], float]:
        return lambda drawn: inception_score(softmax(stacked(drawn, "cnn14", role, "logits")), SPLITS)[0]

    real = score("reference")(items)
    return Taken([measured("is", "IS", items, score("generated"), rounds=200, centred=True, real=real)])


def _pooled(items: Sequence[Item], role: Role) -> Float[np.ndarray, "N D"]:
    return np.concatenate([item.of("vggish", role, "rows") for item in items])


def _fad(items: Sequence[Item]) -> Taken:
    def distance(drawn: Sequence[Item]) -> float:
        return frechet_distance(_pooled(drawn, "generated"), _pooled(drawn, "reference"))

    return Taken([measured("fad", "FAD (VGGish)", items, distance, ROUNDS, centred=True)])


def _fd(items: Sequence[Item]) -> Taken:
    def distance(drawn: Sequence[Item]) -> float:
        return frechet_distance(stacked(drawn, "cnn14", "generated"), stacked(drawn, "cnn14", "reference"))

    return Taken([measured("fd", "FD (PANNs Cnn14)", items, distance, ROUNDS, centred=True)])


def _sides(items: Sequence[Item], name: str) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
    """The mean VGGish row of each generated and each reference sound, and what both belong to."""
    made, real = (
        np.stack([item.of("vggish", role, "rows").mean(0, dtype=np.float64) for item in items])
        for role in ("generated", "reference")
    )
    return made, real, tuple(stacked(items, *need) for need in OTHERS[name])


def _joint(name: str) -> Callable[[Sequence[Item]], Taken]:
    def distance(drawn: Sequence[Item]) -> float:
        return joint_frechet_distance(*_sides(drawn, name))

    return lambda items: Taken(
        [measured(f"{name}_joint", f"{SPOKEN[name]}, joint", items, distance, ROUNDS, centred=True)]
    )


def _cross(name: str) -> Callable[[Sequence[Item]], Taken]:
    def distance(drawn: Sequence[Item]) -> float:
        return cross_frechet_distance(*_sides(drawn, name))

    def take(items: Sequence[Item]) -> Taken:
        _, real, others = _sides(items, name)
        floor = cross_frechet_distance(real, real, others)
        title = f"{SPOKEN[name]}, cross"
        return Taken([measured(f"{name}_cross", title, items, distance, ROUNDS, centred=True, real=floor)])

    return take


_CNN14: tuple[Need, ...] = (("cnn14", "generated"), ("cnn14", "reference"))
_VGGISH: tuple[Need, ...] = (("vggish", "generated"), ("vggish", "reference"))

SET_METRICS = (
    Metric("is", 1, "Cnn14's softmax, 10 splits in the order of seed 2020", _CNN14, _inception, "higher", SPLITS),
    Metric("fad", 1, "VGGish without PCA and last ReLU, rows of 0.96 s pooled over clips", _VGGISH, _fad, "lower"),
    Metric("fd", 1, "Cnn14's 2048 features, a row a clip", _CNN14, _fd, "lower"),
    *(
        Metric(
            f"{name}_joint",
            1,
            "[sound; what it belongs to], clip means, blocks standardised by the reference",
            (*_VGGISH, *needs),
            _joint(name),
            "lower",
        )
        for name, needs in OTHERS.items()
    ),
    *(
        Metric(
            f"{name}_cross",
            1,
            "sound against what it belongs to, on 128 principal axes each; only beside the reference's own",
            (*_VGGISH, *needs),
            _cross(name),
            "lower",
        )
        for name, needs in OTHERS.items()
    ),
)
