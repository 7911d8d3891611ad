import ctypes
import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from diffava.builders import build, save
from diffava.compute import Compute
from diffava_server.engine import shelf
from diffava_server.engine.local import LocalEngine
from diffava_server.engine.protocol import Audio, FrameBlock, Job, Note, TimingGuide, picture_key
from diffava_server.errors import EngineFailedError, OutOfMemoryError, PictureForgottenError, UnknownModelError
from support.seats import CollectingSeat

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
    asked = []

    def open_model(name, device, compute):
        asked.append((name, str(device), compute))
        return build("nano")

    monkeypatch.setattr(shelf, "open_model", open_model)
    LocalEngine(("nano",), "cpu", "bfloat16", True)
    assert asked == [("nano", "cpu", Compute("bfloat16", may_rest=True, is_compiled=True))]
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


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="glibc's allocator")
def test_memory_of_tensors_that_are_gone_is_used_again():
    """Each new page is cleared by the kernel first, and a job's tensors come and go a thousand times."""
    code = """if True:
        import resource
        from diffava_server.engine.local import LocalEngine
        LocalEngine(("nano",), "cpu")
        import torch
        def use(count):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(count):
                tensors = [torch.ones(6 << 20) for _ in range(4)]
                del tensors
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        print(use(3), use(20))
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    pages_of_one_use = 4 * 4 * (6 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert int(done.stdout.split()[1]) < 2 * pages_of_one_use  # 20, were it given back each time


def test_two_models_of_one_name_are_refused(tmp_path):
    """The second would take the first one's place, and a client would not know which of them made its sound."""
    save(build("nano"), tmp_path / "other")
    with pytest.raises(UnknownModelError, match="Two of the models are called 'nano', the second from"):
        LocalEngine(("nano", str(tmp_path / "other")), "cpu")


@pytest.mark.parametrize("ask_for_memory", [lambda: torch.empty(1 << 50), lambda: fail(torch.OutOfMemoryError())])
def test_a_job_too_large_for_the_memory_is_told_so_and_the_next_one_is_done(monkeypatch, ask_for_memory):
    engine = LocalEngine(("nano",), "cpu")
    (pipeline,) = engine._shelf.loaded().values()
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "conditioner", lambda *_: ask_for_memory())
        with pytest.raises(OutOfMemoryError, match="ask for a shorter range, fewer takes or a smaller model"):
            run(engine, JOB)
    assert run(engine, JOB).errors == [None]


def test_the_timing_guide_and_the_notes_pass_between_the_server_and_the_model(monkeypatch):
    """Whatever a field of the request would be lost here, the model would follow the picture and nobody would know."""
    engine = LocalEngine(("nano",), "cpu")
    (pipeline,) = engine._shelf.loaded().values()
    asked = []

    def notes(request):
        asked.append(request)
        return ("The nearest is wind.",)

    monkeypatch.setattr(pipeline, "notes", notes)
    performed = np.linspace(-0.5, 0.5, JOB.sample_count, dtype="<f4")
    seat = CollectingSeat(replace(JOB, guide=TimingGuide("none", 0.5, (3, 70), performed.tobytes())))
    engine.run([seat])
    (request,) = asked
    assert (request.guide, request.guide_strength, request.hit_samples) == ("none", 0.5, (3, 70))
    assert np.array_equal(request.performance.numpy(), performed)
    assert seat.events[0] == Note("The nearest is wind.")


def test_what_ends_the_frames_of_one_seat_ends_it_and_no_other():
    engine = LocalEngine(("nano",), "cpu")
    with_frames = replace(JOB, frame_count=1, frames_sha256=b"?" * 32)
    forgotten = CollectingSeat(with_frames, forgetting())
    staying = CollectingSeat(JOB)
    engine.run([forgotten, staying])
    (error,) = forgotten.errors
    assert isinstance(error, PictureForgottenError)
    assert staying.errors == [None]
    assert staying.events == run(engine, JOB).events


def test_pictures_that_came_once_are_known_by_the_key_of_their_hash():
    engine = LocalEngine(("nano",), "cpu")
    (model,) = engine.models()
    rgb24 = bytes(range(256)) * (model.frame_bytes // 256)
    job = replace(JOB, frame_count=1)
    first = run(engine, job, [FrameBlock(0, 1, rgb24)])
    named = replace(job, frames_sha256=hashlib.sha256(rgb24).digest())
    assert picture_key(named) in engine.remembered()
    assert sounds_of(run(engine, named, forgetting())) == sounds_of(first)


def forgetting():
    raise PictureForgottenError("Send the job again with its frames.")
    yield


def run(engine, job, frames=()):
    """A batch of one."""
    seat = CollectingSeat(job, frames)
    engine.run([seat])
    if seat.errors != [None]:
        raise seat.errors[0]
    return seat


def sounds_of(seat):
    return [event.pcm_f32le for event in seat.events if isinstance(event, Audio)]


def fail(error):
    raise error


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_auto_takes_the_gpu():
    (pipeline,) = LocalEngine(("nano",))._shelf.loaded().values()
    assert pipeline.parts["unet"].device.type == "cuda"
