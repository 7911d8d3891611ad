import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from diffava_server.engine import local
from diffava_server.engine.local import LocalEngine
from diffava_server.engine.protocol import Job, Note, TimingGuide
from diffava_server.errors import EngineFailedError, OutOfMemoryError, UnknownModelError
from support.seats import CollectingSeat

torch = pytest.importorskip("torch")

JOB = Job(model="nano", prompt="a door", sample_count=4800, seeds=(1,))


def test_a_device_that_is_not_there_is_refused_with_what_to_do():
    missing = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(EngineFailedError, match=rf"The device {missing} .* start the server with --device auto"):
        LocalEngine(("nano",), missing)


def test_a_wrong_name_is_refused_before_anything_is_loaded():
    with pytest.raises(UnknownModelError, match="There is no model 'nnao': it is neither a preset"):
        LocalEngine(("nano", "nnao"))


def test_auto_takes_the_cpu_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    engine = LocalEngine(("nano",))
    assert [model.name for model in engine.models()] == ["nano"]


def test_how_models_compute_is_passed_on_to_each(monkeypatch):
    """A server decides by the model and the machine; weights may rest, since nobody but it reads them."""
    from diffava import builders
    from diffava.compute import Compute

    asked = []

    def open_model(name, device, compute):
        asked.append((name, str(device), compute))
        return SimpleNamespace(name=name)

    monkeypatch.setattr(builders, "open_model", open_model)
    LocalEngine(("nano", "mini"), "cpu", "bfloat16", True)
    compute = Compute("bfloat16", may_rest=True, is_compiled=True)
    assert asked == [("nano", "cpu", compute), ("mini", "cpu", compute)]
    LocalEngine(("nano",), "cpu")
    assert asked[-1] == ("nano", "cpu", Compute("auto", may_rest=True))


@pytest.mark.parametrize(("given", "found"), [("", "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_sleep_while_they_wait_unless_told_otherwise(given, found):
    """Spinning threads made a job on a busy machine more than ten times slower."""
    code = (
        "import os, sys; from diffava_server.engine.local import LocalEngine; assert 'torch' not in sys.modules;"
        "LocalEngine(('nano',), 'cpu'); print(os.environ['OMP_WAIT_POLICY'])"
    )
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": given} if given else {}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found


def test_two_models_of_one_name_are_refused(monkeypatch, tmp_path):
    """The second would take the first one's place, and a client would not know which of them made its sound."""
    monkeypatch.setattr(local, "_open", lambda name, *how: SimpleNamespace(name="nano"))
    with pytest.raises(UnknownModelError, match="Two of the models are called 'nano', the second from"):
        LocalEngine(("nano", str(tmp_path)), "cpu")


@pytest.mark.parametrize("ask_for_memory", [lambda: torch.empty(1 << 50), lambda: fail(torch.OutOfMemoryError())])
def test_a_job_too_large_for_the_memory_is_told_so(monkeypatch, ask_for_memory):
    with pytest.raises(OutOfMemoryError, match="ask for a shorter range, fewer takes or a smaller model"):
        run_with(monkeypatch, ask_for_memory)


def test_another_error_of_torch_is_not_taken_for_a_want_of_memory(monkeypatch):
    with pytest.raises(RuntimeError, match="shapes differ"):
        run_with(monkeypatch, lambda: fail(RuntimeError("shapes differ")))


def test_the_timing_guide_and_the_notes_pass_between_the_server_and_the_model(monkeypatch):
    """Whatever a field of the request would be lost here, the model would follow the picture and nobody would know."""
    asked, said = [], []

    def notes(request):
        asked.append(request)
        return ("The nearest is wind.",)

    pipeline = SimpleNamespace(
        name="nano", spec=SimpleNamespace(frame_size_pixels=8), generate=lambda *_, **__: iter(()), notes=notes
    )
    monkeypatch.setattr(local, "_open", lambda name, *how: pipeline)
    performed = np.linspace(-0.5, 0.5, JOB.sample_count, dtype="<f4")
    job = replace(JOB, guide=TimingGuide("none", 0.5, (3, 70), performed.tobytes()))
    LocalEngine(("nano",), "cpu").run([CollectingSeat(job, emit=said.append)])
    (request,) = asked
    assert (request.guide, request.guide_strength, request.hit_samples) == ("none", 0.5, (3, 70))
    assert np.array_equal(request.performance.numpy(), performed)
    assert said == [Note("The nearest is wind.")]


def run_with(monkeypatch, generate):
    """Run a job on a pipeline that does `generate` instead."""
    pipeline = SimpleNamespace(
        name="nano",
        spec=SimpleNamespace(frame_size_pixels=8),
        generate=lambda *_, **__: generate(),
        notes=lambda _: (),
    )
    monkeypatch.setattr(local, "_open", lambda name, *how: pipeline)
    seat = CollectingSeat(JOB, emit=pytest.fail)
    LocalEngine(("nano",), "cpu").run([seat])
    raise seat.errors[0]


def fail(error):
    raise error


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_auto_takes_the_gpu():
    (pipeline,) = LocalEngine(("nano",))._pipelines.values()
    assert pipeline.parts["unet"].device.type == "cuda"
