"""A GPU whose memory does not suffice, as a stand-in for the device: it refuses forwards of too many windows."""

import weakref

import pytest
import torch

from diffava.builders import build
from diffava.errors import MemoryRanOutError
from diffava.latent.denoiser import UNetDenoiser
from diffava.latent.diffusion import LatentDiffusion
from diffava.latent.guided import Forwards
from diffava.spec import Cue, FoleyRequest, Waveform
from diffava.survivors import Ended, want_of_memory_told


class SmallDevice:
    """Takes so many rows at once, guidance's two sides counted each; of more it raises what CUDA raises."""

    length_multiple = 8
    device = torch.device("cpu")

    def __init__(self, unet, row_limit):
        self.denoiser, self.row_limit, self.asked = UNetDenoiser(unet), row_limit, []
        self.allocated = []

    def __call__(self, latent, timestep, film, control, control_strength):
        self.asked.append(len(latent))
        activations = latent.clone()
        self.allocated.append(weakref.ref(activations))
        if len(latent) > self.row_limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.denoiser(activations, timestep, film, control, control_strength)


@pytest.fixture
def device_of():
    pipeline = build("nano")

    def device(row_limit):
        small = SmallDevice(pipeline.parts["unet"], row_limit)
        pipeline.diffusion = LatentDiffusion(small, pipeline.spec, pipeline.config.scheduler, Forwards(4))
        return pipeline, small

    return device


def cue(*seeds):
    return Cue(FoleyRequest("rain", 48_000, seeds=seeds, step_count=2, guidance_scale=2.0))


def test_forwards_are_halved_until_they_fit_and_stay_so(device_of):
    pipeline, device = device_of(row_limit=2)
    made = [one for _, one in pipeline.generate_together([cue(1, 2), cue(3)])]
    assert made.count(Ended()) == 2
    assert device.asked == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]  # two steps of eight rows, once what fits is known
    device.asked.clear()
    assert list(pipeline.generate_together([cue(4)]))[-1] == (0, Ended())
    assert max(device.asked) == 2


def test_what_does_not_fit_row_by_row_is_an_error_of_its_own_and_holds_no_tensors(device_of):
    """The exception's frames would keep them for as long as somebody keeps the error (pytorch#27600)."""
    pipeline, device = device_of(row_limit=0)
    made = list(pipeline.generate_together([cue(1), cue(2)]))
    assert [number for number, _ in made] == [0, 1]
    for _, ended in made:
        assert isinstance(ended.error, MemoryRanOutError)
    assert device.asked == [8, 4, 2, 1]
    assert [tensor() for tensor in device.allocated] == [None] * 4
    device.row_limit = 8
    assert any(isinstance(piece, Waveform) for _, piece in pipeline.generate_together([cue(1)]))


def test_another_error_of_torch_is_not_taken_for_a_want_of_memory():
    with pytest.raises(RuntimeError, match="shapes differ"), want_of_memory_told():
        raise RuntimeError("shapes differ")


def test_a_cpu_without_memory_is_told_so_too():
    with pytest.raises(MemoryRanOutError, match="ask for a shorter range"), want_of_memory_told():
        torch.empty(1 << 50)
