"""What is read off a sound, a film or a caption, and with which weights. Knows no pairs and no figures.

Each extractor has a version: raise it whenever the same input gives other numbers, so that nothing that was kept is
taken for new.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import UInt8

from diffava.evaluation.tables.audio import load_as_audioldm_eval, load_mono
from diffava.evaluation.tables.feature_cache import Features

Source = Path | str
Extract = Callable[[Source], Features]
Reads = Literal["sound", "film", "caption"]
OURS_RATE_HZ = 48_000


@dataclass(frozen=True)
class Extractor:
    """One way to features.

    Attributes:
        name: What metrics ask for.
        version: Of the definition.
        reads: What it is given.
        open: Makes the function that extracts, from the weights' place, the device and all that it will be asked.
        weights: The registry's name of the checkpoint that it needs, "clap" for whichever CLAP was chosen.
    """

    name: str
    version: int
    reads: Reads
    open: Callable[[Path, str, Sequence[Source]], Extract]
    weights: str = ""


def film_frames(path: Path, height: int = 0, width: int = 0) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Every picture of a film in RGB, at its own size or another one; its own shape is not kept then."""
    import av

    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            fitted = frame.reformat(width, height, "rgb24", interpolation="BILINEAR") if height else frame
            yield fitted.to_ndarray(format="rgb24")


def _vggish(weights: Path, device: str, _: Sequence[Source]) -> Extract:
    from diffava.evaluation.networks.vggish import open_vggish, vggish_features

    network = open_vggish(weights, device)
    return lambda path: {"rows": vggish_features(network, load_as_audioldm_eval(Path(path))).numpy()}


def _cnn14(weights: Path, device: str, _: Sequence[Source]) -> Extract:
    from diffava.evaluation.networks.cnn14 import cnn14_features, open_cnn14

    network = open_cnn14(weights, device)

    def extract(path: Source) -> Features:
        features, logits = cnn14_features(network, load_as_audioldm_eval(Path(path)))
        return {"features": features.numpy(), "logits": logits.numpy()}

    return extract


def _c3d(weights: Path, device: str, _: Sequence[Source]) -> Extract:
    from diffava.evaluation.networks.c3d import HEIGHT_PIXELS, WIDTH_PIXELS, c3d_features, open_c3d

    network = open_c3d(weights, device)

    def extract(path: Source) -> Features:
        rows = c3d_features(network, film_frames(Path(path), HEIGHT_PIXELS, WIDTH_PIXELS))
        return {"features": rows.mean(0).numpy()} if len(rows) else {}

    return extract


def _word2vec(weights: Path, _: str, sources: Sequence[Source]) -> Extract:
    from diffava.evaluation.networks.word2vec import caption_vector, read_vectors, words_of

    words = {word for caption in sources for word in words_of(str(caption))}
    vectors = read_vectors(weights, words | {word.lower() for word in words})

    def extract(caption: Source) -> Features:
        vector = caption_vector(str(caption), vectors)
        return {} if vector is None else {"features": vector}

    return extract


def _clap_sound(weights: Path, device: str, _: Sequence[Source]) -> Extract:
    from diffava.evaluation.tables.clap import LONGEST_S, open_clap

    clap = open_clap(weights, device)

    def extract(path: Source) -> Features:
        samples = load_mono(Path(path), clap.sample_rate_hz)[: LONGEST_S * clap.sample_rate_hz]
        return {"features": clap.sound(torch.from_numpy(samples)).cpu().numpy()}

    return extract


def _clap_text(weights: Path, device: str, _: Sequence[Source]) -> Extract:
    from diffava.evaluation.tables.clap import open_clap

    clap = open_clap(weights, device)
    return lambda caption: {"features": clap.text(str(caption)).cpu().numpy()}


def _onsets(*_: Any) -> Extract:
    from diffava.metrics.onsets import onsets_s

    return lambda path: {"times_s": np.array(onsets_s(load_mono(Path(path), OURS_RATE_HZ), OURS_RATE_HZ), float)}


def _energy(*_: Any) -> Extract:
    from diffava.metrics.energy import energy_curve

    return lambda path: {"level_db": energy_curve(load_mono(Path(path), OURS_RATE_HZ), OURS_RATE_HZ)}


def _condfoleygen(*_: Any) -> Extract:
    from diffava.metrics.condfoleygen import RATE_HZ, condfoleygen_onsets

    def extract(path: Source) -> Features:
        found = condfoleygen_onsets(load_mono(Path(path), RATE_HZ), RATE_HZ)
        at = np.array(found.samples, int)
        return {"samples": at, "confidences": np.array(found.confidences, float), "heights": found.wave[at]}

    return extract


def _librosa_onsets(*_: Any) -> Extract:
    from diffava.metrics.motion_onsets import RATE_HZ, librosa_onsets_s

    return lambda path: {"times_s": np.array(librosa_onsets_s(load_mono(Path(path), RATE_HZ), RATE_HZ), float)}


def _flow(*_: Any) -> Extract:
    import av

    from diffava.metrics.motion_onsets import flow_trajectory

    def extract(path: Source) -> Features:
        with av.open(str(path)) as container:
            rate = container.streams.video[0].average_rate
        trajectory = np.array(flow_trajectory(film_frames(Path(path))), float)
        return {"trajectory": trajectory, "frame_rate": np.array(float(rate))} if rate else {}

    return extract


EXTRACTORS = {
    extractor.name: extractor
    for extractor in (
        Extractor("vggish", 1, "sound", _vggish, "vggish"),
        Extractor("cnn14", 1, "sound", _cnn14, "cnn14-16k"),
        Extractor("c3d", 1, "film", _c3d, "c3d-sports1m"),
        Extractor("word2vec", 1, "caption", _word2vec, "word2vec-google-news"),
        Extractor("clap_sound", 1, "sound", _clap_sound, "clap"),
        Extractor("clap_text", 1, "caption", _clap_text, "clap"),
        Extractor("onsets", 1, "sound", _onsets),
        Extractor("energy", 1, "sound", _energy),
        Extractor("condfoleygen", 1, "sound", _condfoleygen),
        Extractor("librosa_onsets", 1, "sound", _librosa_onsets),
        Extractor("flow", 1, "film", _flow),
    )
}
