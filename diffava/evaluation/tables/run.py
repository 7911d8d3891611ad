"""A table from start to end: features of every pair, each extractor's network in memory by itself, then the metrics."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from diffava.errors import CheckpointError, DataError, RequestError
from diffava.evaluation.figures import Figure
from diffava.evaluation.tables.definitions import METRICS, Table
from diffava.evaluation.tables.extractors import EXTRACTORS, Extractor, Source
from diffava.evaluation.tables.feature_cache import FeatureCache, Features, content_of
from diffava.evaluation.tables.metric import Item, Metric, Need, Role
from diffava.evaluation.tables.pairs import Pair
from diffava.evaluation.tables.weights_here import WeightsHere

OnProgress = Callable[[str, int, int], None]  # what is done, how much of it, of how much
_HOW_TO_GIVE = {
    "film": "films are not given; add --videos DIR",
    "caption": "captions are not given; add --captions FILE",
}


@dataclass
class Outcome:
    """What a table came to: figures by metric, values by clip, and why metrics are missing."""

    figures: dict[str, list[Figure]] = field(default_factory=dict)
    by_clip: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def source_of(pair: Pair, role: Role) -> Source | None:
    """What of a pair plays a role."""
    return {"generated": pair.generated, "reference": pair.reference, "film": pair.film, "caption": pair.caption}[role]


def run_table(
    table: Table,
    pairs: Sequence[Pair],
    weights: WeightsHere,
    cache: FeatureCache,
    device: str = "cpu",
    on_progress: OnProgress = lambda *_: None,
) -> Outcome:
    """Take every metric of a table that can be taken; why the others cannot is told with the outcome.

    Raises:
        DataError: A file cannot be read.
        RequestError: Not one metric can be taken.
    """
    outcome = Outcome()
    wanted: list[Metric] = []
    for name in table.metrics:
        why = why_not(METRICS[name], pairs, weights)
        if why:
            outcome.missing[name] = why
        else:
            wanted.append(METRICS[name])
    if not wanted:
        raise RequestError(
            f"No metric of '{table.name}' can be taken: {'; '.join(dict.fromkeys(outcome.missing.values()))}."
        )
    needs = list(dict.fromkeys(need for metric in wanted for need in metric.needs))
    features = read_all(needs, pairs, weights, cache, device, on_progress)
    for number, metric in enumerate(wanted):
        on_progress(f"taking {metric.name}", number, len(wanted))
        items = complete_items(metric, pairs, features)
        if len(items) < metric.least_items:
            outcome.missing[metric.name] = f"{len(items)} pairs have all it needs, and it takes {metric.least_items}"
            continue
        taken = metric.take(items)
        outcome.figures[metric.name] = taken.figures
        outcome.by_clip.update(taken.by_clip)
    on_progress("taken", len(wanted), len(wanted))
    return outcome


def why_not(metric: Metric, pairs: Sequence[Pair], weights: WeightsHere) -> str:
    """What a metric lacks, in a sentence without its full stop; empty if nothing."""
    for extractor, role in metric.needs:
        if not any(source_of(pair, role) for pair in pairs):
            return _HOW_TO_GIVE[role]
        try:
            weights.of(EXTRACTORS[extractor])
        except CheckpointError as error:
            return str(error).rstrip(".")
    return ""


def read_all(
    needs: Sequence[Need],
    pairs: Sequence[Pair],
    weights: WeightsHere,
    cache: FeatureCache,
    device: str,
    on_progress: OnProgress,
) -> dict[Need, dict[str, Features]]:
    """The features of each need by the names of the pairs that have its source."""
    found: dict[Need, dict[str, Features]] = {}
    sources = {need: {pair.name: source for pair in pairs if (source := source_of(pair, need[1]))} for need in needs}
    total, done = sum(len(of_need) for of_need in sources.values()), 0

    for name in dict.fromkeys(extractor for extractor, _ in needs):
        extractor = EXTRACTORS[name]
        of_extractor = {need: of_need for need, of_need in sources.items() if need[0] == name}

        def on_source(made: int, label: str = name, before: int = done) -> None:
            on_progress(f"reading {label}", before + made, total)

        every = [source for of_need in of_extractor.values() for source in of_need.values()]
        read = iter(_read(extractor, every, weights, cache, device, on_source))
        for need, of_need in of_extractor.items():
            found[need] = {pair_name: next(read) for pair_name in of_need}
        done += len(every)
    return found


def complete_items(metric: Metric, pairs: Sequence[Pair], features: dict[Need, dict[str, Features]]) -> list[Item]:
    """The pairs that have every feature that a metric needs, in order."""
    items = []
    for pair in pairs:
        of_pair = {need: features[need].get(pair.name) or {} for need in metric.needs}
        if all(_is_there(arrays) for arrays in of_pair.values()):
            items.append(Item(pair.name, of_pair))
    return items


def _is_there(features: Features) -> bool:
    """A network's features without a row are none; a list of onsets may well be empty."""
    return bool(features) and all(len(features[part]) for part in ("rows", "features") if part in features)


def _read(
    extractor: Extractor,
    sources: Sequence[Source],
    weights: WeightsHere,
    cache: FeatureCache,
    device: str,
    on_source: Callable[[int], None],
) -> list[Features]:
    """The features of each source; the network is opened only if some are not kept, and let go at the end."""
    identity = weights.identity(extractor)
    contents = [_content(source) for source in sources]
    found = [cache.kept(identity, content) for content in contents]
    absent = [k for k, kept in enumerate(found) if kept is None]
    on_source(len(sources) - len(absent))
    if absent:
        extract = extractor.open(weights.of(extractor).path, device, [sources[k] for k in absent])
        for made, k in enumerate(absent, 1):
            try:
                features = extract(sources[k])
            except (OSError, ValueError, IndexError) as error:  # PyAV's errors are of the first two
                raise DataError(f"{sources[k]} cannot be read ({error}); mend it or take its pair out.") from error
            cache.keep(identity, contents[k], features)
            found[k] = features
            on_source(len(sources) - len(absent) + made)
        del extract
        gc.collect()  # one network at a time is in memory
    return [features if features is not None else {} for features in found]


def _content(source: Source) -> str:
    try:
        return content_of(source)
    except OSError as error:
        raise DataError(f"{source} cannot be read ({error}); mend it or take its pair out.") from error
