"""Several requests in one pass: each has the bits that it would have alone, whatever becomes of the others."""

from dataclasses import replace

import pytest
import torch

from diffava.builders import build, open_model
from diffava.cores import Cores
from diffava.errors import CancelledError, RequestError
from diffava.latent.denoiser import TransformerDenoiser, UNetDenoiser
from diffava.latent.diffusion import LatentDiffusion
from diffava.latent.guided import Forwards
from diffava.spec import Cue, Waveform
from support.pictures import in_chunks, random_pictures, request_of_seconds

WAYS = ["nano, as on a CPU", "nano, as on a GPU", "mini, as on a GPU", "mini, as on a CPU"]


@pytest.fixture(scope="module", params=WAYS)
def pipeline(request):
    """As on a GPU: forwards of a fixed number of windows, filled up, on a CPU's arithmetic; no GPU was seen."""
    name, _, way = request.param.partition(", ")
    if name == "nano":
        made = build("nano")
        denoiser = UNetDenoiser(made.parts["unet"])
    else:
        made = open_model("mini")
        denoiser = TransformerDenoiser(made.parts["transformer"], made.parts["control_branch"])
    on_cpu = Forwards(1) if name == "nano" else Forwards(2, Cores(2))
    forwards = Forwards(4) if way == "as on a GPU" else on_cpu
    made.diffusion = LatentDiffusion(denoiser, made.spec, made.config.flow or made.config.scheduler, forwards)
    return made


def cue(pipeline, prompt, *seeds, seconds=5.5, picture_seed=None, **hooks):
    request = request_of_seconds(pipeline.spec, seconds, prompt=prompt, seeds=seeds, step_count=2, guidance_scale=2.0)
    if picture_seed is None:
        return Cue(replace(request, frame_count=0), (), **hooks)
    frames = random_pictures(pipeline.spec, request.frame_count, picture_seed)
    return Cue(request, list(in_chunks(frames)), **hooks)


def made_of(pipeline, cues):
    """The takes of each cue, `[B, S]`, or the error that it ended with."""
    takes, ends = {number: {} for number in range(len(cues))}, {}
    for number, made in pipeline.generate_together(cues):
        assert number not in ends, "nothing comes after the end"
        if isinstance(made, Waveform):
            takes[number].setdefault(made.take, []).append(made.samples)
        else:
            ends[number] = made.error
    assert sorted(ends) == list(range(len(cues)))
    return [
        ends[number] or torch.stack([torch.cat(pieces) for pieces in of_cue.values()])
        for number, of_cue in takes.items()
    ]


def test_requests_made_together_have_the_bits_of_each_alone(pipeline):
    """Takes, windows and editors alike: other prompts, pictures, seeds, numbers of takes, and another length."""
    cues = [
        cue(pipeline, "a dog barks", 1),
        cue(pipeline, "a door slams", 2, 3, picture_seed=2),
        cue(pipeline, "rain", 4, picture_seed=1),
        cue(pipeline, "steps on gravel", 5, seconds=2),
    ]
    for one, together in zip(cues, made_of(pipeline, cues), strict=True):
        (alone,) = made_of(pipeline, [one])
        assert torch.equal(together, alone)


def test_one_that_is_cancelled_and_one_that_fails_leave_the_others_bits(pipeline):
    steps = []
    staying = cue(pipeline, "rain", 1, picture_seed=3)
    leaving = cue(pipeline, "wind", 2, on_progress=steps.append, is_cancelled=lambda: len(steps) >= 2)
    failing = cue(pipeline, "a bell", 3, picture_seed=4)
    failing = replace(failing, frames=failing.frames[:-1])
    (alone,) = made_of(pipeline, [staying])
    with_others = made_of(pipeline, [leaving, staying, failing])
    assert isinstance(with_others[0], CancelledError)
    assert torch.equal(with_others[1], alone)
    assert isinstance(with_others[2], RequestError)
    assert [step.completed for step in steps] == [0, 1]


def test_no_forward_mixes_takes_on_a_cpu_and_all_are_full_on_a_gpu(pipeline):
    sizes = []
    module = pipeline.parts["unet" if "unet" in pipeline.parts else "transformer"]
    handle = module.register_forward_hook(lambda module, inputs, output: sizes.append(inputs[0].shape[0]))
    made_of(pipeline, [cue(pipeline, "a dog barks", 1), cue(pipeline, "rain", 2, 3)])
    handle.remove()
    assert len(set(sizes)) == 1  # two windows a take: with cores a forward holds both of them
