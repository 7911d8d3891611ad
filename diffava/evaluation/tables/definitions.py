"""Which tables there are, and the metrics of each in order. A table's version is raised when one of its metrics' is."""

from dataclasses import dataclass

from diffava.evaluation.tables.metric import Metric
from diffava.evaluation.tables.of_pairs import PAIR_METRICS
from diffava.evaluation.tables.of_sets import SET_METRICS
from diffava.evaluation.tables.of_time import TIME_METRICS

METRICS: dict[str, Metric] = {metric.name: metric for metric in (*SET_METRICS, *PAIR_METRICS, *TIME_METRICS)}


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: What the command calls it.
        version: Of the whole.
        line: In the help.
        metrics: Their names.
    """

    name: str
    version: int
    line: str
    metrics: tuple[str, ...]


_TIMING = ("onset_f1", "onset_error", "onset_accuracy", "energy")
_SYNC = ("av_align_2025", "av_align_2023", "av_align_paper")
_AUDIOLDM_EVAL = ("is", "kl_softmax", "kl_sigmoid", "fad", "fd")
_T2AV_BENCH = ("fad", "favd_joint", "fatd_joint", "favtd_joint", "favd_cross", "fatd_cross", "favtd_cross")

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table("timing", 1, "Onsets and energy against the reference's; needs no download.", _TIMING),
        Table(
            "sync", 1, "AV-Align in its three variants, and timing; needs --videos, no download.", (*_SYNC, *_TIMING)
        ),
        Table("audioldm-eval", 1, "IS, KL, FAD and FD as audioldm_eval defines them.", _AUDIOLDM_EVAL),
        Table("t2av-bench", 1, "FAD, FAVD, FATD, FA(VT)D; needs --videos and --captions.", _T2AV_BENCH),
        Table("all", 1, "Every metric that there is.", (*_AUDIOLDM_EVAL, "clap", *_T2AV_BENCH[1:], *_SYNC, *_TIMING)),
    )
}
