"""Which denoiser learns more in the same time: the paper's U-Net at a small size, or the latent transformer.

Both learn the same flow matching on the same latents with the same conditions (text alone, no control), each for the
same processor time, so that what else the machine does changes nothing. Run it on the folder of a training:

    python tests/benchmarks/denoisers.py runs/mini --minutes 10 [--only unet]
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from diffava.config import UNetSection, load_config
from diffava.latent.transformer import LatentTransformer
from diffava.model_parts import unet
from diffava.training.clip_bank import ClipBank
from diffava.training.generator import GeneratorModel, GeneratorTask

SIZES = UNetSection(block_out_channels=(128, 192, 256), head_channels=32, layers_per_block=1)
WARMUP = 30
RATES = {"transformer": 1e-3, "unet": 3e-4}  # at 1e-3 the U-Net diverged (NaN within 211 steps)
TRAIN_STEPS = 1000  # what the U-Net's time embedding expects t in [0, 1] to be scaled to


class UNetAsVelocity(nn.Module):
    """The U-Net behind the transformer's own call, over a latent that is one column wide."""

    def __init__(self, model: UNet2DConditionModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, latent: Tensor, time: Tensor, film: Tensor) -> Tensor:
        velocity: Tensor = self.model(latent, time * TRAIN_STEPS, encoder_hidden_states=None, class_labels=film).sample
        return velocity


def candidates() -> dict[str, nn.Module]:
    config = load_config("mini")
    dim = config.clap.projection_dim
    torch.manual_seed(0)
    assert config.transformer is not None
    transformer = LatentTransformer(config.latent_channels, dim, **dict(config.transformer))
    small = config.model_copy(update={"vae": config.vae.model_copy(update={"latent_channels": config.latent_channels})})
    return {"transformer": transformer, "unet": UNetAsVelocity(unet(small, SIZES))}


def learn(module: nn.Module, task: GeneratorTask, minutes: float, peak: float) -> dict[str, Any]:
    optimizer = torch.optim.AdamW(module.parameters(), lr=peak, betas=(0.9, 0.98))
    averaged = {name: value.clone() for name, value in module.state_dict().items()}
    started, step, spent = time.process_time(), 0, 0.0
    while spent < minutes * 60:
        torch.manual_seed(step)
        rate = peak * min(1.0, (step + 1) / WARMUP) * (1 - spent / (minutes * 60))
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            loss = task.loss(task.batch(step))["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            for name, value in module.state_dict().items():
                averaged[name].lerp_(value, 1 - min(0.99, (step + 1) / (step + 10)))
        step += 1
        spent = time.process_time() - started
    module.load_state_dict(averaged)
    module.eval()
    with torch.no_grad():
        held_out = task.validate()["loss"]
        latent, film = torch.randn(2, 64, 128, 1), torch.randn(2, 128)
        begin = time.process_time()
        for _ in range(10):
            module(latent, torch.full((2,), 0.5), film)
        guided_ms = (time.process_time() - begin) * 100
    return {
        "parameters": sum(weight.numel() for weight in module.parameters()),
        "steps": step,
        "clips_per_s": round(step * 32 / spent, 1),
        "held_out_loss": round(held_out, 4),
        "guided_step_ms": round(guided_ms, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the folder of a training, for its banks")
    parser.add_argument("--minutes", type=float, default=10.0, help="of processor time for each")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    banks = arguments.run / "banks"
    heard, held_out = (ClipBank(banks / f"sound{end}", banks / f"text{end}") for end in ("-heard", "-held"))
    found = {}
    for name, module in candidates().items():
        if arguments.only in ("", name):
            task = GeneratorTask(GeneratorModel(module, None, None), heard, held_out, torch.zeros(128))
            found[name] = learn(module, task, arguments.minutes, RATES[name])
            print(name, found[name], flush=True)
    print(json.dumps({"minutes": arguments.minutes, **found}))


if __name__ == "__main__":
    main()
