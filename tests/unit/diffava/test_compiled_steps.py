"""Compiled steps and the floors of a GPU, as far as a CPU can show them: the graph is traced, the arithmetic is right.

What CUDA graphs do to time and to the last bits was not seen by anybody yet; `tests/benchmarks/audioldm_gpu.py` would
show it.
"""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from diffava.builders import build
from diffava.config import load_config
from diffava.latent.compiled import BUCKET_FRAMES
from diffava.latent.denoiser import UNetDenoiser
from diffava.latent.diffusion import LatentDiffusion
from diffava.spec import Condition, FoleyRequest
from support.checkout import ROOT
from support.floors import Cost, Machine, floor_of_a_clip_s, machine_called

FAST, SLOW_MEMORY = Machine("one", 1e12, 1e12), Machine("other", 1e12, 1e9)


@pytest.fixture(scope="module")
def benchmark():
    return runpy.run_path(str(Path(ROOT) / "tests/benchmarks/audioldm_gpu.py"))


# In a process of its own: checks of shapes, which all calls of the tests are under, cannot be traced.
TRACED = """
import functools, torch
from diffava.builders import build
from diffava.latent.denoiser import UNetDenoiser

parts = build("nano-audioldm-t2av").parts
made = []

def counted(graph, inputs):
    made.append(graph)
    return graph.forward

compiler = functools.partial(torch.compile, backend=counted, fullgraph=True, dynamic=False)
plain, compiled = (UNetDenoiser(parts["unet"], parts["control_branch"], how) for how in (None, compiler))
latent, film, control = torch.randn(2, 8, 64, 16), torch.randn(2, 32), torch.randn(2, 64, 40)
with torch.no_grad():
    for given in (None, control):
        for timestep, strength in ((901, 1.0), (501, 1.0), (1, 0.5)):
            asked = (latent, timestep, film, given, strength)
            assert torch.equal(compiled(*asked), plain(*asked))
assert len(made) == 2, len(made)  # without control and with it
"""


def test_a_step_is_one_graph_made_once_for_all_noise_levels_and_gives_the_same_bits():
    run = subprocess.run([sys.executable, "-c", TRACED], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_compiled_windows_come_in_few_lengths():
    pipeline = build("nano")
    lengths = set()

    def compiler(step):
        def noted(latent, *others):
            lengths.add(latent.shape[2])
            return step(latent, *others)

        return noted

    denoiser = UNetDenoiser(pipeline.parts["unet"], None, compiler)
    diffusion = LatentDiffusion(denoiser, pipeline.spec, pipeline.config.scheduler)
    vectors = torch.nn.functional.normalize(torch.ones(2, 32), dim=-1)
    for frames in (20, 70, 100, 128, 300):
        asked = FoleyRequest("rain", frames * 1920, step_count=1)
        found = diffusion.sample(asked, Condition(vectors[:1], vectors[1]), None, lambda _: None, lambda: False)
        assert found.values.shape[2] == frames
    assert lengths == {BUCKET_FRAMES, 2 * BUCKET_FRAMES}


def test_the_floor_is_the_slower_of_operations_and_bytes():
    cost = Cost(flop=2e12, bytes=1e9)
    assert cost.floor_s(FAST) == 2.0
    assert cost.floor_s(SLOW_MEMORY) == 2.0
    assert Cost(flop=1e9, bytes=5e9).floor_s(SLOW_MEMORY) == 5.0
    assert floor_of_a_clip_s(FAST, cost, 20, (Cost(1e12, 0), Cost(0, 3e12))) == 44.0


def test_the_peaks_of_a_device_are_found_by_its_name_or_asked_for():
    assert machine_called("NVIDIA H200").bytes_per_s == 4.8e12
    with pytest.raises(ValueError, match=r"GeForce 256 are not known .*give --tflops"):
        machine_called("GeForce 256")


def test_operations_and_bytes_of_audioldm_s_are_those_counted_by_hand(benchmark):
    """207 GFLOP a guided step; 636 for the decoder's convolutions and 34 for its attention; 1027 for the vocoder."""
    step, (decode, speak) = benchmark["costs"](load_config("audioldm-s"))
    assert step.flop == pytest.approx(206.8e9, rel=0.01)
    assert decode.flop == pytest.approx(636e9 + 4 * 4096**2 * 512, rel=0.01)
    assert speak.flop == pytest.approx(1027e9, rel=0.01)
    assert step.bytes == 2 * (185_036_552 + 2 * 2 * 8 * 256 * 16)


def test_without_a_gpu_the_benchmark_says_so(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["audioldm_gpu.py"])
    assert benchmark["main"]() == 1
    assert "needs a CUDA GPU" in capsys.readouterr().out
