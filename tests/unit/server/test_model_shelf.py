"""Several models within a memory limit: described without weights, let go and loaded again, verified each time."""

import re
from pathlib import Path

import pytest

from diffava.builders import build, save
from diffava.config import load_config
from diffava_server.engine import shelf
from diffava_server.engine.local import LocalEngine
from diffava_server.engine.protocol import Audio, Job
from diffava_server.errors import EngineFailedError, UnknownModelError
from support.seats import CollectingSeat

NAMES = ("drum", "bell", "horn")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three models of one size, of other weights each."""
    root = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(NAMES):
        save(build(load_config("nano").model_copy(update={"name": name}), seed), root / name)
    return tuple(str(root / name) for name in NAMES)


@pytest.fixture(scope="module")
def weights_gb():
    return (
        build("nano").parts
        and sum(tensor.nbytes for part in build("nano").parts.values() for tensor in part.state_dict().values()) / 1e9
    )


def made(engine, model):
    seat = CollectingSeat(Job(model=model, prompt="a door", sample_count=4_800, seeds=(1,), step_count=1))
    engine.run([seat])
    assert seat.errors == [None]
    return [event.pcm_f32le for event in seat.events if isinstance(event, Audio)]


def loaded(engine):
    return [model.name for model in engine.models() if model.is_loaded]


def test_whichever_was_not_used_for_longest_is_let_go_and_comes_back_the_same(folders, weights_gb):
    unlimited = LocalEngine(folders, "cpu")
    assert loaded(unlimited) == list(NAMES)
    engine = LocalEngine(folders, "cpu", memory_gb=2.1 * weights_gb)
    assert loaded(engine) == ["drum", "bell"]
    assert [m.weights_sha256 for m in engine.models()] == [m.weights_sha256 for m in unlimited.models()]
    first = made(engine, "drum")
    assert made(engine, "horn") == made(unlimited, "horn")
    assert loaded(engine) == ["drum", "horn"]  # the bell was used before the drum
    made(engine, "bell")
    assert loaded(engine) == ["bell", "horn"]
    assert made(engine, "drum") == first == made(unlimited, "drum")
    assert loaded(engine) == ["drum", "bell"]


def test_a_model_larger_than_the_limit_is_refused_with_both_figures(folders, weights_gb):
    with pytest.raises(EngineFailedError, match=r"The weights of 'drum' take .* GB, and all models together may take"):
        LocalEngine(folders, "cpu", memory_gb=0.5 * weights_gb)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 4
    path.write_bytes(bytes(content))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def make_a_pickle(path: Path) -> None:
    path.write_bytes(b"\x80\x04cos\nsystem\n.")


@pytest.mark.parametrize("damage", [flip_a_bit, cut_short, make_a_pickle])
def test_damaged_weights_are_refused_at_the_start_and_at_every_load_by_file_and_hash(
    tmp_path, weights_gb, damage, monkeypatch
):
    """Case 12. safetensors alone would load a flipped bit without a word. Editors are not told where the file lies."""
    folders, logged = [], []
    monkeypatch.setattr(shelf.log, "error", lambda text, *values: logged.append(text % values))
    for name in NAMES[:2]:
        save(build(load_config("nano").model_copy(update={"name": name})), tmp_path / name)
        folders.append(str(tmp_path / name))
    engine = LocalEngine(tuple(folders), "cpu", memory_gb=1.1 * weights_gb)
    assert loaded(engine) == ["drum"]
    damage(tmp_path / "bell" / "unet" / "model.safetensors")
    told = r"bell/unet/model\.safetensors is damaged: its sha256 is [0-9a-f]{64}, it should be [0-9a-f]{64}"
    with pytest.raises(UnknownModelError, match="'bell' cannot be loaded any more") as refused:
        made(engine, "bell")
    assert str(tmp_path) not in str(refused.value)
    assert len(logged) == 1
    assert re.search(told, logged[0])
    assert made(engine, "drum")
    with pytest.raises(UnknownModelError, match=told):
        LocalEngine(tuple(folders), "cpu")
