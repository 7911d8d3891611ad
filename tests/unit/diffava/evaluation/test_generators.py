"""The benchmark measures a model as it is used."""

from fractions import Fraction
from types import SimpleNamespace

import torch

from diffava.config import DefaultsSection
from diffava.evaluation.generators import PipelineGenerator
from diffava.spec import FoleyRequest, Waveform


class Listening:
    """A pipeline that keeps the request it is given."""

    name, weights_sha256 = "listening", "0"
    config = SimpleNamespace(defaults=DefaultsSection(step_count=7, guidance_scale=3.5))
    spec = SimpleNamespace(frame_rate=Fraction(8), frame_size_pixels=32)

    def generate(self, request, frames, *, on_progress):
        self.request = request
        yield Waveform(0, 0, torch.zeros(request.sample_count))


def test_a_model_is_measured_with_its_own_steps_and_guidance(monkeypatch):
    pipeline = Listening()
    generator = PipelineGenerator.__new__(PipelineGenerator)
    generator._pipeline = pipeline
    assert len(generator.generate(FoleyRequest("rain", 100), None)) == 100
    assert (pipeline.request.step_count, pipeline.request.guidance_scale) == (7, 3.5)
