"""Metrics that are a mean over pairs: both KL, and the CLAP score."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from diffava.evaluation.figures import mean_figure
from diffava.evaluation.tables.metric import Item, Metric, Need, Role, Taken
from diffava.evaluation.tables.of_sets import softmax, stacked
from diffava.metrics.class_probabilities import paired_kl, paired_kl_sigmoid

Paired = Callable[[Float[np.ndarray, "N K"], Float[np.ndarray, "N K"]], Float[np.ndarray, "N"]]


def _sigmoid(logits: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "N K"]:
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))


def _kl(
    key: str, title: str, probabilities: Callable[[np.ndarray], np.ndarray], paired: Paired
) -> Callable[..., Taken]:
    def take(items: Sequence[Item]) -> Taken:
        reference, generated = (
            probabilities(stacked(items, "cnn14", role, "logits")) for role in ("reference", "generated")
        )
        values = [float(value) for value in paired(reference, generated)]
        return Taken([mean_figure(key, title, values)], {key: values})

    return take


def _clap(items: Sequence[Item]) -> Taken:
    def cosines(role: Role) -> list[float]:
        return [float(item.of("clap_sound", role) @ item.of("clap_text", "caption")) for item in items]

    made = cosines("generated")
    return Taken([mean_figure("clap", "CLAP score", made, real=float(np.mean(cosines("reference"))))], {"clap": made})


_CNN14: tuple[Need, ...] = (("cnn14", "generated"), ("cnn14", "reference"))
_CLAP: tuple[Need, ...] = (("clap_sound", "generated"), ("clap_sound", "reference"), ("clap_text", "caption"))

PAIR_METRICS = (
    Metric(
        "kl_softmax",
        1,
        "Cnn14, KL(reference || generated), mean over pairs, floor 1e-6 (AudioGen's)",
        _CNN14,
        _kl("kl_softmax", "KL (softmax)", softmax, paired_kl),
        "lower",
    ),
    Metric(
        "kl_sigmoid",
        1,
        "likewise of independent classes, without the terms of 1 - p; no divergence",
        _CNN14,
        _kl("kl_sigmoid", "KL (sigmoid)", _sigmoid, paired_kl_sigmoid),
        "lower",
    ),
    Metric("clap", 1, "cosine of the first 10 s and the caption", _CLAP, _clap, "higher"),
)
