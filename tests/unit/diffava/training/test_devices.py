"""A loss computes where its batch is: on torch's `meta` device, any tensor left behind on the CPU is an error.

This stands in for a GPU, which tests cannot count on. It finds a batch, a noise or a frozen part that was not moved;
it computes no numbers.
"""

import pytest
import torch

from diffava.condition.alignment import Alignment
from diffava.condition.control_sequence import ControlSequence
from diffava.config import load_config
from diffava.latent.unet_control import UNetControl
from diffava.model_parts import make_parts
from diffava.training.alignment import AlignmentBatch, AlignmentTask, Objective
from diffava.training.control import ControlTask, DiffusionControl, FlowControl
from diffava.training.generator import Batch, GeneratorModel, GeneratorTask
from diffava.training.prepared.batches import ControlBatch, ControlFeed, PreparedAlignmentData
from diffava.training.processes import on_device

COUNT, SECONDS, FRAMES = 3, 2, 48
META = torch.device("meta")


def parts_of(name):
    config = load_config(name)
    torch.manual_seed(0)
    return config, make_parts(config)


def loss_on_meta(task, batch):
    task.module.to(META)
    losses = task.loss(on_device(batch, META))
    losses["loss"].backward()
    assert {value.device for value in losses.values()} == {META}


@pytest.mark.parametrize("options", [{}, {"learn_temperature": True, "symmetric": True}])
def test_the_alignments_loss(options):
    config, parts = parts_of("nano-t2av")
    dim = config.clap.projection_dim
    batch = AlignmentBatch(
        torch.randn(COUNT, dim),
        torch.randn(COUNT, SECONDS, config.video_dim),
        torch.randn(COUNT, SECONDS, dim),
        torch.ones(COUNT, SECONDS, dtype=torch.bool),
    )
    data = object.__new__(PreparedAlignmentData)  # a loss needs none
    task = AlignmentTask(parts["alignment"], data, Objective(**options))
    loss_on_meta(task, batch)
    with pytest.raises(RuntimeError):  # the test itself notices a batch that was left behind
        task.loss(batch)


def controlled(name):
    config, parts = parts_of(name)
    sequence: ControlSequence = parts["control_sequence"]
    branch = parts["control_branch"]
    if isinstance(branch, UNetControl):
        return config, sequence, parts["alignment"], DiffusionControl(parts["unet"], branch, config.scheduler)
    return config, sequence, parts["alignment"], FlowControl(parts["transformer"], branch)


@pytest.mark.parametrize("tune", [False, True])
@pytest.mark.parametrize("name", ["nano-t2av", "nano-audioldm-t2av"])
def test_the_control_branchs_loss(name, tune):
    config, sequence, alignment, denoiser = controlled(name)
    dim, shape = config.clap.projection_dim, (COUNT, config.latent_channels, FRAMES, config.latent_mel_bins)
    batch = ControlBatch(
        latent=torch.randn(shape),
        noise=torch.randn(shape),
        level=torch.rand(COUNT),
        text=torch.randn(COUNT, dim),
        sound=torch.randn(COUNT, dim),
        video=torch.randn(COUNT, SECONDS, config.video_dim),
        present=torch.ones(COUNT, SECONDS, dtype=torch.bool),
        token_of_frame=torch.arange(FRAMES) // 25,
        guide=torch.randn(COUNT, FRAMES, 2 * config.vae_factor + 2),
        film_kind=("aligned", "text", "sound"),
        kept=torch.tensor([1.0, 0.0, 1.0]),
    )
    feed = object.__new__(ControlFeed)  # a loss needs none
    task = ControlTask(denoiser, sequence, alignment, feed, torch.zeros(dim), tune_denoiser=tune)
    loss_on_meta(task, batch)


def test_the_generators_loss():
    config, parts = parts_of("nano-t2av")
    alignment: Alignment = parts["alignment"]
    model = GeneratorModel(parts["transformer"], parts["control_branch"], parts["control_sequence"])
    dim, picked = config.clap.projection_dim, torch.tensor([0, 2])
    tokens = torch.randn(COUNT, SECONDS, config.video_dim)
    batch = Batch(
        latent=torch.randn(COUNT, config.latent_channels, FRAMES, 1),
        film=torch.randn(COUNT, dim),
        text=torch.randn(COUNT, dim),
        tokens=alignment.temporal_transformer(tokens).detach()[picked],
        guide=torch.randn(2, FRAMES, 2 * config.vae_factor + 2),
        controlled=picked,
        token_of_frame=torch.arange(FRAMES) // 25,
    )
    task = GeneratorTask.__new__(GeneratorTask)  # its banks are not needed for a loss
    task.module = model
    loss_on_meta(task, batch)
