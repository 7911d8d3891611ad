"""The whole task on a few tiny scenes: batches that hang on the step alone, losses, and figures."""

import numpy as np
import pytest
import torch
from transformers import ClapTextConfig, ClapTextModelWithProjection

from diffava.config import MotionSection
from diffava.features.clap import ClapTextEncoder
from diffava.features.mel_audio import MelAudioEncoder, MelAudioTower
from diffava.features.motion import MotionEncoder
from diffava.features.tokenizer import caption_tokenizer
from diffava.sounds.captions import caption_texts
from diffava.training.clip_bank import build_bank
from diffava.training.motion import MotionModel, MotionTask
from diffava.training.motion_data import code_of, smeared_onsets

RATE_HZ, FRAME_RATE, FRAMES = 4800, 5.0, 10
SIZES = MotionSection(image_size=16, channels=(4, 4, 6, 8), hidden_size=8, token_dim=6, token_frames=5, guide_steps=4)


def scene(number: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(number)
    codes = np.array([code_of(("chop",)), code_of(("rain", "wind"))], np.int32)
    return {
        "rgb": rng.integers(0, 256, (FRAMES, 16, 16, 3)).astype(np.uint8),
        "onsets": smeared_onsets([0.5, 1.2], FRAME_RATE * 4, FRAMES, 4),
        "energy": rng.random((FRAMES, 4)).astype(np.float32),
        "samples": rng.integers(-9000, 9000, 2 * RATE_HZ).astype(np.int16),
        "heard": codes,
        "seen": codes,
    }


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("banks")
    first = build_bank(folder / "first", 3, scene, {}, lambda _: None)
    second = build_bank(folder / "second", 2, lambda k: scene(10 + k), {}, lambda _: None)
    tokenizer = caption_tokenizer(caption_texts(), 400)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        words = ClapTextModelWithProjection(ClapTextConfig(vocab_size=len(tokenizer), projection_dim=4, **sizes))
        tower = MelAudioTower((4, 4, 4, 4), 4)
        module = MotionModel(MotionEncoder(SIZES, 4))
    audio = MelAudioEncoder(tower, lambda samples: samples.unfold(0, 48, 48)[:, :8], RATE_HZ)
    text = ClapTextEncoder(words, tokenizer)
    return MotionTask(module, (first, second), {"known": first}, text, audio, 5, 4, FRAME_RATE)


def test_a_batch_hangs_on_the_step_alone(task):
    first, again, other = task.batch(3), task.batch(3), task.batch(4)
    assert torch.equal(first.rgb, again.rgb)
    assert not torch.equal(first.rgb, other.rgb)
    assert first.rgb.shape == (4, FRAMES, 16, 16, 3)
    assert first.sound.shape == (4, 2, 4)


def test_every_loss_is_learned_from(task):
    losses = task.loss(task.batch(0))
    assert set(losses) == {"loss", "onset", "energy", "meaning"}
    losses["loss"].backward()
    assert all(parameter.grad is not None for parameter in task.module.encoder.parameters())
    assert all(torch.isfinite(parameter.grad).all() for parameter in task.module.encoder.parameters())


def test_the_figures_are_those_of_the_trials(task):
    task.module.eval()
    figures = task.validate()
    assert set(figures) == {"threshold", "known_f1", "known_f1_shuffled", "known_energy_r", "known_kind"}
    assert all(-1 <= value <= 1 for value in figures.values())
