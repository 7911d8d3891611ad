"""Seconds for a 10.24 s clip of audioldm-s on a CUDA GPU: diffusers' own pipeline, ours, ours compiled, and the floor.

    python tests/benchmarks/audioldm_gpu.py [--folder FOLDER] [--steps 20] [--rounds 5] [--tflops T --gigabytes-per-s B]

NOT SEEN RUNNING BY ITS AUTHORS: they had no GPU. Only its arithmetic is tested, on a CPU, and that it starts.

All rows compute with the same random weights (`tests/benchmarks/audioldm.py` says why that suffices): the stock
`AudioLDMPipeline` in float32 and in bfloat16, our pipeline in bfloat16 step by step, and with its steps compiled to
CUDA graphs (`diffava serve --compile`). Each row is warmed up once, which includes compiling, then the median of the
rounds is taken, from the prompt to samples on the CPU, with the device waited for. The floor is the least time in which
the device could do the operations and read the bytes (`tests/support/floors.py`). The last line is JSON.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `support`

from diffava.builders import load
from diffava.compute import Compute
from diffava.config import ModelConfig, load_config
from diffava.model_parts import unet, vae, vocoder
from diffava.spec import FoleyRequest, Spec
from support.floors import Cost, Machine, cost_of, floor_of_a_clip_s, machine_called
from support.random_audioldm import write_random_audioldm

PROMPT = "a dog barks twice, then footsteps on gravel"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the random weights are, or are to be kept")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tflops", type=float, help="the device's peak in bfloat16")
    parser.add_argument("--gigabytes-per-s", type=float, help="of the device's memory")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("This benchmark needs a CUDA GPU, and torch finds none; on a CPU run tests/benchmarks/audioldm.py.")
        return 1
    name = torch.cuda.get_device_name()
    if arguments.tflops and arguments.gigabytes_per_s:
        machine = Machine(name, arguments.tflops * 1e12, arguments.gigabytes_per_s * 1e9)
    else:
        machine = machine_called(name)
    config = load_config("audioldm-s")
    step, others = costs(config)
    floor_s = floor_of_a_clip_s(machine, step, arguments.steps, others)
    with tempfile.TemporaryDirectory(prefix="diffava-") as scratch:
        folder = arguments.folder or Path(scratch) / "audioldm-s"
        if not folder.exists():
            write_random_audioldm(folder)
        rows = {
            "stock, float32": measured(stock(folder, torch.float32, arguments.steps), arguments.rounds),
            "stock, bfloat16": measured(stock(folder, torch.bfloat16, arguments.steps), arguments.rounds),
            "ours, eager": measured(ours(folder, False, arguments.steps), arguments.rounds),
            "ours, compiled": measured(ours(folder, True, arguments.steps), arguments.rounds),
        }
    print(f"{name}: 10.24 s of sound, {arguments.steps} steps; the floor is {floor_s * 1000:.1f} ms")
    print(f"{'':18}{'s':>9}{'of stock float32':>18}{'times the floor':>17}{'peak GB':>9}")
    for row_name, row in rows.items():
        row |= {"of_stock": row["s"] / rows["stock, float32"]["s"], "times_the_floor": row["s"] / floor_s}
        print(f"{row_name:18}{row['s']:9.3f}{row['of_stock']:18.3f}{row['times_the_floor']:17.1f}{row['peak_gb']:9.2f}")
    print(json.dumps({"benchmark": "audioldm_gpu", "device": name, "floor_s": floor_s, "rows": rows}))
    return 0


def costs(config: ModelConfig) -> tuple[Cost, tuple[Cost, ...]]:
    """One step of the U-Net with guidance's other side; autoencoder and vocoder once; all at 10.24 s."""
    spec = Spec.of(config)
    frames, height = spec.window_latent_frames, spec.latent_mel_bins
    mel_frames = frames * spec.vae_factor
    assert config.unet is not None
    with torch.device("meta"):
        denoiser, autoencoder, to_sound = unet(config, config.unet), vae(config), vocoder(config)
        latent = torch.zeros(2, spec.latent_channels, frames, height)
        film, mel = torch.zeros(2, config.clap.projection_dim), torch.zeros(1, mel_frames, spec.mel_bins)
        step = cost_of(denoiser, lambda: denoiser(latent, torch.tensor(1), None, class_labels=film), 2 * latent.numel())
        decoder = autoencoder.decoder  # of the autoencoder's weights a sound needs these alone
        decode = cost_of(decoder, lambda: autoencoder.decode(latent[:1]), latent[:1].numel() + mel.numel())
        speak = cost_of(to_sound, lambda: to_sound(mel), mel.numel() + mel_frames * spec.hop_samples)
    return step, (decode, speak)


def stock(folder: Path, dtype: torch.dtype, steps: int) -> Callable[[], Any]:
    """The stock pipeline as a function of nothing; its result is on the CPU."""
    warnings.simplefilter("ignore")  # it is deprecated as a whole; it stays what AudioLDM's inference is
    from diffusers import AudioLDMPipeline, DDIMScheduler

    loaded = load(folder)
    parts = loaded.parts
    pipeline = AudioLDMPipeline(
        vae=parts["vae"],
        text_encoder=parts["clap_text"],
        tokenizer=loaded.features.text.tokenizer,
        unet=parts["unet"],
        scheduler=DDIMScheduler(**dict(loaded.config.scheduler), clip_sample=False, set_alpha_to_one=False),
        vocoder=parts["vocoder"],
    ).to("cuda", dtype)
    pipeline.tokenizer.model_max_length = 512  # as the published tokenizer says
    pipeline.set_progress_bar_config(disable=True)
    return lambda: pipeline(PROMPT, audio_length_in_s=10.24, num_inference_steps=steps, guidance_scale=2.5)


def ours(folder: Path, is_compiled: bool, steps: int) -> Callable[[], Any]:
    """Our pipeline as a server opens it."""
    pipeline = load(folder, "cuda", Compute("auto", may_rest=True, is_compiled=is_compiled))
    request = FoleyRequest(PROMPT, round(10.24 * pipeline.spec.output_rate_hz), step_count=steps)
    return lambda: [part.samples.cpu() for part in pipeline.generate(request, [])]


def measured(run: Callable[[], Any], rounds: int) -> dict[str, float]:
    """The median of some rounds after one that is not counted."""
    torch.cuda.reset_peak_memory_stats()
    taken = []
    for _ in range(rounds + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return {
        "s": statistics.median(taken[1:]),
        "first_s": taken[0],
        "peak_gb": torch.cuda.max_memory_allocated() / 1e9,
    }


if __name__ == "__main__":
    sys.exit(main())
