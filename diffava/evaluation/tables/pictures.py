"""A picture of how a table's values are spread over clips. Knows values, not what they mean."""

import math
from pathlib import Path

from diffava.evaluation.tables.run import Outcome
from diffava.whole_file import whole_file

PICTURE = "distributions.png"
COLUMNS = 3
BINS = 30


def draw_distributions(outcome: Outcome, path: Path) -> bool:
    """Write a PNG with a histogram of every figure that has a value a clip, its mean and its middle half.

    Returns:
        Whether there was anything to draw; sets' figures, such as Fréchet distances, have no value a clip.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    titles = {figure.key: figure.title for figures in outcome.figures.values() for figure in figures}
    spread = {key: [one for one in values if math.isfinite(one)] for key, values in outcome.by_clip.items()}
    spread = {key: values for key, values in spread.items() if values}
    if not spread:
        return False
    rows = -(-len(spread) // COLUMNS)
    figure, axes = pyplot.subplots(rows, COLUMNS, figsize=(5 * COLUMNS, 3 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat[len(spread) :]:
        axis.set_axis_off()
    for axis, (key, values) in zip(axes.flat, spread.items(), strict=False):
        ordered = sorted(values)
        axis.hist(values, BINS, color="tab:blue")
        axis.axvspan(ordered[len(ordered) // 4], ordered[3 * len(ordered) // 4], color="0.9", zorder=0)
        axis.axvline(sum(values) / len(values), color="tab:red", linewidth=1)
        unit = " (ms)" if key.endswith("_ms") else ""
        axis.set(
            title=f"{titles.get(key, key.removesuffix('_ms').replace('_', ' '))}{unit}, {len(values)} values",
            ylabel="how many",
        )
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=80, format="png")
    pyplot.close(figure)
    return True
