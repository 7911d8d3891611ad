from types import SimpleNamespace

import pytest

from diffava_server.engine import local
from diffava_server.engine.local import LocalEngine
from diffava_server.errors import EngineFailedError, UnknownModelError

torch = pytest.importorskip("torch")


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


def test_two_models_of_one_name_are_refused(monkeypatch, tmp_path):
    """The second would take the first one's place, and a client would not know which of them made its sound."""
    monkeypatch.setattr(local, "_open", lambda name, device: SimpleNamespace(name="nano"))
    with pytest.raises(UnknownModelError, match="Two of the models are called 'nano', the second from"):
        LocalEngine(("nano", str(tmp_path)), "cpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_auto_takes_the_gpu():
    (pipeline,) = LocalEngine(("nano",))._pipelines.values()
    assert pipeline.denoiser.device.type == "cuda"
