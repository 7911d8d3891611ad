"""How near the vocoder comes to held-out real recordings, against Griffin-Lim on the same mel.

Whole recordings as they were published, silence included, up to 5.12 s each, as many of one kind as of another, each
with a peak of half scale. Distance: spectral convergence plus mean log difference at the three resolutions of
Yamamoto et al. 2020, so 0 is the recording itself. Griffin-Lim is librosa's "fast" one (momentum 0.99) behind its
non-negative least squares from mel to spectrum, with the mel's own window and hop. "latent" rows start from the mel
after the latent space's round trip. "other noise" is what no vocoder of this mel need beat: white noise with the
recording's own spectrum at every moment, so the right sound by another draw of chance.

Run: `python tests/benchmarks/vocoder.py VOCODER PCA --recordings FOLDER` with the folders of the two
`model.safetensors`. Prints a table and, as its last line, one JSON object.
"""

import argparse
import json
import sys
import time
from fractions import Fraction
from pathlib import Path

import librosa
import numpy as np
import torch
from torch import Tensor

from diffava.config import IstftVocoderSection, StackedPcaSection
from diffava.sounds.recordings import Recording, read_recordings
from diffava.sounds.takes import RATE_HZ, read_mono
from diffava.spec import Spec
from diffava.training.loop import load_weights
from diffava.training.spectral_loss import MEASURED_AT, convergence, log_distance, magnitude
from diffava.waveform.istft_vocoder import IstftVocoder
from diffava.waveform.mel import MelAnalysis
from diffava.waveform.stacked_pca import StackedPca

SPEC = Spec(
    sample_rate_hz=RATE_HZ,
    hop_samples=480,
    window_samples=2048,
    mel_bins=80,
    mel_max_hz=20_000,
    output_rate_hz=RATE_HZ,
    frame_rate=Fraction(25),
    frame_size_pixels=96,
    latent_channels=64,
    vae_factor=4,
    window_latent_frames=128,
)
LONGEST_FRAMES = 512
ITERATIONS = 32


def chosen(recordings: tuple[Recording, ...], per_kind: int, kinds: int | None) -> list[Recording]:
    """Held-out recordings, the first ones of each kind from as many origins as there are."""
    by_kind: dict[str, list[Recording]] = {}
    for recording in recordings:
        if recording.split == "held_out":
            by_kind.setdefault(recording.kind, []).append(recording)
    result = []
    for found in list(by_kind.values())[:kinds]:
        first_of_origin = {recording.origin: recording for recording in reversed(found)}
        rest = [recording for recording in found if recording not in first_of_origin.values()]
        result += [*first_of_origin.values(), *rest][:per_kind]
    return result


def excerpt(recording: Recording) -> Tensor:
    """A whole number of latent frames at half scale."""
    samples = read_mono(recording.path)[: LONGEST_FRAMES * SPEC.hop_samples]
    latent_frame = SPEC.samples_per_latent_frame
    padded = np.pad(samples, (0, -len(samples) % latent_frame))
    return torch.from_numpy(0.5 * padded / np.abs(padded).max())


def griffin_lim(mel: Tensor) -> Tensor:
    spectrum = librosa.feature.inverse.mel_to_stft(
        mel.exp().numpy().T, sr=SPEC.sample_rate_hz, n_fft=SPEC.window_samples, power=1.0, fmax=SPEC.mel_max_hz
    )
    samples = librosa.griffinlim(spectrum, n_iter=ITERATIONS, hop_length=SPEC.hop_samples, random_state=0)
    return torch.nn.functional.pad(torch.from_numpy(samples), (0, len(mel) * SPEC.hop_samples - len(samples)))


def ours(vocoder: IstftVocoder, mel: Tensor) -> Tensor:
    return torch.cat(list(vocoder.vocode([mel])))


def other_noise(samples: Tensor) -> Tensor:
    """The recording's magnitudes smoothed over bins and moments, given to white noise."""
    window = torch.hann_window(1024)
    spectra = [
        torch.stft(x, 1024, 256, window=window, return_complex=True)
        for x in (samples, torch.randn(len(samples), generator=torch.Generator().manual_seed(0)))
    ]
    envelope = torch.nn.functional.avg_pool2d(
        spectra[0].abs().square()[None], (9, 3), 1, (4, 1), count_include_pad=False
    )
    noise = spectra[1] / window.square().sum().sqrt()
    return torch.istft(noise * envelope[0].sqrt(), 1024, 256, window=window, length=len(samples))


def impulse_offsets_ms(vocoder: IstftVocoder) -> np.ndarray:
    """How much later than they went in the energy of 24 impulses has its centre; they are spread over a hop."""
    offsets = []
    for at in range(24_000, 24_480, 20):
        click = torch.zeros(48_000)
        click[at] = 0.5
        energy = ours(vocoder, MelAnalysis(SPEC)(click)).square()
        offsets.append(float((energy * torch.arange(48_000)).sum() / energy.sum()) - at)
    return np.array(offsets) / SPEC.sample_rate_hz * 1000


def distance(reference: Tensor, other: Tensor) -> tuple[float, float]:
    """Convergence and log distance, each averaged over the resolutions."""
    pairs = [(magnitude(reference[None], at), magnitude(other[None], at)) for at in MEASURED_AT]
    return (
        float(np.mean([float(convergence(*pair)) for pair in pairs])),
        float(np.mean([float(log_distance(*pair)) for pair in pairs])),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vocoder", type=Path, help="folder of the vocoder's model.safetensors")
    parser.add_argument("pca", type=Path, help="folder of the latent space's model.safetensors")
    parser.add_argument("--recordings", type=Path, required=True, help="folder with the recordings and their manifest")
    parser.add_argument("--per-kind", type=int, default=2)
    parser.add_argument("--kinds", type=int, help="only so many kinds, for a quick look")
    arguments = parser.parse_args()
    vocoder, pca = IstftVocoder(IstftVocoderSection(), SPEC).eval(), StackedPca(**dict(StackedPcaSection()))
    load_weights(vocoder, arguments.vocoder / "model.safetensors")
    load_weights(pca, arguments.pca / "model.safetensors")
    analysis = MelAnalysis(SPEC)
    found: dict[str, list[tuple[float, float]]] = {}
    busy_s = {"ours": 0.0, "Griffin-Lim": 0.0}
    recordings = chosen(read_recordings(arguments.recordings), arguments.per_kind, arguments.kinds)
    total_s = 0.0
    for recording in recordings:
        samples = excerpt(recording)
        total_s += len(samples) / SPEC.sample_rate_hz
        mel = analysis(samples)
        for way, given in (("", mel), (", latent", pca.decode(pca.encode(mel)))):
            for name, make in (("ours", lambda m: ours(vocoder, m)), ("Griffin-Lim", griffin_lim)):
                started = time.process_time()
                made = make(given)
                busy_s[name] += (time.process_time() - started) / 2
                found.setdefault(name + way, []).append(distance(samples, made))
        found.setdefault("other noise", []).append(distance(samples, other_noise(samples)))
        last = ", ".join(f"{name} {sum(values[-1]):.3f}" for name, values in found.items())
        print(f"{recording.kind} ({len(samples) / SPEC.sample_rate_hz:.1f} s): {last}", file=sys.stderr, flush=True)
    report(found, busy_s, total_s, len(recordings), impulse_offsets_ms(vocoder))


def report(
    found: dict[str, list[tuple[float, float]]],
    busy_s: dict[str, float],
    total_s: float,
    count: int,
    offsets_ms: np.ndarray,
) -> None:
    means = {name: np.mean(values, axis=0) for name, values in found.items()}
    print(f"{count} held-out recordings, {total_s:.0f} s\n")
    print(f"{'':22}{'convergence':>12}{'log':>8}{'distance':>10}")
    for name, (converged, logarithmic) in means.items():
        print(f"{name:22}{converged:12.3f}{logarithmic:8.3f}{converged + logarithmic:10.3f}")
    figures = {name: round(float(mean.sum()), 4) for name, mean in means.items()}
    lower = {
        way or "mel": round(1 - figures["ours" + way] / figures["Griffin-Lim" + way], 3) for way in ("", ", latent")
    }
    ratio = round(busy_s["Griffin-Lim"] / busy_s["ours"], 1)
    print(f"\nlower than Griffin-Lim: {lower}; CPU time of Griffin-Lim in parts of ours: {ratio}")
    offsets = {"mean": round(float(offsets_ms.mean()), 2), "largest": round(float(np.abs(offsets_ms).max()), 2)}
    print(f"an impulse's energy comes later by, in ms: {offsets}")
    result = {"distance": figures, "lower": lower, "speed_ratio": ratio, "impulse_ms": offsets, "recordings": count}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
