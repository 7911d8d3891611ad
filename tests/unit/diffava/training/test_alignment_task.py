"""Eq. 2 on embeddings made up for it: from T log B down, clips of several lengths, retrieval beside the prompt's."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from diffava.condition.alignment import Alignment
from diffava.condition.contrastive_loss import contrastive_loss
from diffava.config import AlignmentSection
from diffava.training.alignment import AlignmentBatch, AlignmentTask, Objective, retrieval
from diffava.training.loop import train
from diffava.training.plan import Plan

SECONDS, DIM, BATCH = 3, 16, 32
SECTION = AlignmentSection(hidden_size=32, num_layers=1, num_heads=2, dropout=0.0)


class Cone:
    """Clips whose sound is in the picture but not in the prompt, in a narrow cone, as CLAP's embeddings are."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        middle = normalize(torch.randn(DIM, generator=generator), dim=0)
        self.seen = torch.randn(96, SECONDS, DIM, generator=generator)
        self.heard = normalize(middle + 0.15 * self.seen, dim=-1)
        self.said = normalize(middle + 0.02 * torch.randn(96, DIM, generator=generator), dim=-1)

    def batch(self, number):
        return self._of(torch.from_numpy(np.random.default_rng(number).choice(64, BATCH, replace=False)))

    def held_out(self):
        yield self._of(torch.arange(64, 96))

    def _of(self, rows):
        return AlignmentBatch(self.said[rows], self.seen[rows], self.heard[rows])


def value(tensor):
    return float(tensor.detach())


def test_the_loss_falls_from_t_log_b_and_the_aligned_prompt_finds_its_sound(tmp_path):
    torch.manual_seed(0)
    task = AlignmentTask(Alignment(SECTION, DIM, DIM), Cone())
    start = value(task.loss(task.batch(0))["loss"])
    # Above T log B, since what an untrained network says differs from clip to clip and has nothing to do with them.
    assert start == pytest.approx(SECONDS * math.log(BATCH), rel=0.2)
    train(task, tmp_path, Plan(120, 3e-3, 5, validate_every=120, checkpoint_every=120), lambda _: None)
    assert value(task.loss(task.batch(0))["loss"]) < start / 2
    with torch.no_grad():
        figures = task.validate()
    assert figures["recall_aligned"] > 5 * max(figures["recall_prompt"], 1 / 32)
    assert figures["rank_aligned"] < figures["rank_prompt"] / 4


def test_a_learned_temperature_is_one_of_the_weights(tmp_path):
    torch.manual_seed(0)
    task = AlignmentTask(Alignment(SECTION, DIM, DIM), Cone(), Objective(learn_temperature=True))
    assert value(task.loss(task.batch(0))["temperature"]) == pytest.approx(0.07)
    train(task, tmp_path, Plan(5, 1e-2, 0, validate_every=5, checkpoint_every=5), lambda _: None)
    assert value(task.loss(task.batch(0))["temperature"]) != pytest.approx(0.07, abs=1e-4)


def test_seconds_that_a_clip_does_not_have_are_neither_anchors_nor_negatives():
    torch.manual_seed(0)
    audio, video = torch.randn(3, 2, DIM), torch.randn(3, 2, DIM, requires_grad=True)
    present = torch.tensor([[True, True], [True, False], [True, True]])
    loss = contrastive_loss(audio, video, present=present)
    first = contrastive_loss(audio[:, :1], video[:, :1])
    second = contrastive_loss(audio[[0, 2], 1:], video[[0, 2], 1:])
    assert value(loss) == pytest.approx(value(first) + value(second) * 2 / 3, rel=1e-5)
    loss.backward()
    assert video.grad.isfinite().all()
    assert float(video.grad[1, 1].abs().max()) == 0
    everywhere = contrastive_loss(audio, video, present=torch.ones(3, 2, dtype=torch.bool))
    assert value(everywhere) == pytest.approx(value(contrastive_loss(audio, video)))


def test_retrieval_counts_places_and_ties_by_half():
    sounds = torch.eye(4)
    assert retrieval(sounds, sounds) == (1.0, 1.0)
    assert retrieval(sounds.roll(1, 0), sounds) == (0.0, 3.0)  # one is better, two are as good
    assert retrieval(torch.ones(4, 4), sounds) == (0.0, 2.5)
