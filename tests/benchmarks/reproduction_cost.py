"""How far `diffava reproduce --plan` is from what work really takes: one denoising step of AudioLDM, counted and timed.

Both the step and the matrix products that the plan measures a machine by are timed on one thread in seconds of the
processor, so that what else the machine does changes little.

    python tests/benchmarks/reproduction_cost.py
"""

import json
import time
from collections.abc import Callable

import torch

from diffava.config import load_config
from diffava.model_parts import unet
from diffava.reproduction.cost import PROBE_SIZE, SHARE_OF_PRODUCT, model_work

ROUNDS = 5


def quickest_s(work: Callable[[], object]) -> float:
    """The least processor time of a few rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def main() -> None:
    torch.set_num_threads(1)
    config = load_config("audioldm-s")
    assert config.unet is not None
    network = unet(config, config.unet).eval()
    latent = torch.randn(2, config.vae.latent_channels, config.spec.window_latent_frames, config.latent_mel_bins)
    film, one = torch.randn(2, config.clap.projection_dim), torch.randn(PROBE_SIZE, PROBE_SIZE)
    with torch.inference_mode():
        step_s = quickest_s(lambda: network(latent, 1, encoder_hidden_states=None, class_labels=film))
        product_s = quickest_s(lambda: one @ one)
    gflop = model_work(config, 10.0).step
    share = (gflop / step_s) / (2 * PROBE_SIZE**3 / product_s / 1e9)
    figures = {"step_s": step_s, "step_gflop": gflop, "product_s": product_s, "share_of_product": share}
    estimated_s = gflop / (SHARE_OF_PRODUCT * 2 * PROBE_SIZE**3 / product_s / 1e9)
    print(json.dumps({**{name: round(value, 4) for name, value in figures.items()}, "estimate": estimated_s / step_s}))


if __name__ == "__main__":
    main()
