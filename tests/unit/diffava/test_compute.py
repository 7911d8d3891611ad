"""Precision and weights at rest: what a server does with a model that is too large to be held as it was trained."""

import pytest
import torch

from diffava import compute
from diffava.builders import load, open_model, save
from diffava.compute import Compute
from diffava.config import config_from_dict, load_config
from diffava.errors import CheckpointError, ConfigError
from support.pictures import in_chunks, random_pictures, request_of_seconds
from support.random_audioldm import write_random_model

CPU = torch.device("cpu")
RESTING = Compute("bfloat16", may_rest=True)


def tiny(name="nano", **sections):
    return config_from_dict({**load_config(name).model_dump(mode="json"), **sections}, "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of AudioLDM's classes, the control branch among them, that wants what the real presets want."""
    path = tmp_path_factory.mktemp("models") / "model"
    wanted = load_config("audioldm-s").compute.model_dump(mode="json")
    write_random_model(path, tiny("nano-audioldm-t2av", compute=wanted))
    return path


def sound(pipeline, **fields):
    request = request_of_seconds(pipeline.spec, 1.0, step_count=3, **fields)
    pictures = random_pictures(pipeline.spec, request.frame_count)
    return torch.cat([part.samples for part in pipeline.generate(request, in_chunks(pictures))])


def bytes_in_memory(pipeline):
    weights = [weight for part in pipeline.parts.values() for weight in part.parameters()]
    return sum(weight.nbytes for weight in weights if not weight.is_meta)


def test_in_bfloat16_the_sound_is_nearly_that_of_float32_and_the_same_each_time(folder):
    exact, rounded = sound(load(folder)), sound(load(folder, compute=Compute("bfloat16")))
    assert not torch.equal(exact, rounded)
    # 8 bits of mantissa in every layer of the denoiser, three steps and the vocoder: some percent of the sound.
    assert (exact - rounded).norm() / exact.norm() < 0.2
    assert torch.equal(rounded, sound(load(folder, compute=Compute("bfloat16"))))


def test_weights_at_rest_change_no_bit_and_are_not_in_memory_between_requests(folder):
    held, resting = load(folder, compute=Compute("bfloat16")), load(folder, compute=RESTING)
    before = bytes_in_memory(resting)
    assert before < bytes_in_memory(held) / 3
    fields = {"hit_samples": (20_000,), "seeds": (1, 2)}
    assert torch.equal(sound(resting, **fields), sound(held, **fields))
    assert bytes_in_memory(resting) == before


def test_a_sound_that_nobody_waits_for_leaves_no_weights_behind(folder):
    resting = load(folder, compute=RESTING)
    before = bytes_in_memory(resting)
    parts = resting.generate(request_of_seconds(resting.spec, 1.0, step_count=1, frame_count=0), [])
    next(parts)
    assert bytes_in_memory(resting) > before
    parts.close()
    assert bytes_in_memory(resting) == before


def test_a_part_made_anew_wakes_the_autoencoder_before_the_denoiser(folder):
    from diffava.spec import KeptPart

    held, resting = load(folder, compute=Compute("bfloat16")), load(folder, compute=RESTING)
    kept = KeptPart(sound(held), 12_000, 24_000)
    assert torch.equal(sound(resting, kept=kept), sound(held, kept=kept))


def test_the_hash_of_the_weights_is_the_files_however_they_are_computed_with(folder):
    assert load(folder, compute=RESTING).weights_sha256 == load(folder).weights_sha256
    assert load(folder, compute=Compute("bfloat16")).weights_sha256 == load(folder).weights_sha256


def test_only_large_parts_are_rounded_and_the_text_tower_is_not_among_them(folder):
    parts = load(folder, compute=Compute("bfloat16")).parts
    rounded = {name for name, part in parts.items() if next(part.parameters()).dtype == torch.bfloat16}
    assert rounded == {"video", "unet", "control_branch", "vae", "vocoder"}


@pytest.mark.parametrize(
    ("is_fast", "name", "expected"),
    [
        (True, "audioldm-s", torch.bfloat16),
        (False, "audioldm-s", torch.float32),
        (True, "mini", torch.float32),
        (True, "nano", torch.float32),
    ],
)
def test_auto_is_what_the_model_wants_where_the_machine_is_fast_at_it(monkeypatch, is_fast, name, expected):
    monkeypatch.setattr(compute, "is_fast_at_bfloat16", lambda device: is_fast)
    assert Compute("auto").dtype(load_config(name), CPU) == expected


def test_what_the_machine_is_asked_for_is_its_instructions(monkeypatch):
    for found, expected in (({"avx512_bf16": True}, True), ({"avx512_bf16": False, "avx2": True}, False), ({}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found, raising=False)
        assert compute.is_fast_at_bfloat16(CPU) is expected
    assert not compute.is_fast_at_bfloat16(torch.device("mps"))


def test_mini_computes_in_float32_alone():
    with pytest.raises(ConfigError, match="'mini' computes in float32 alone"):
        open_model("mini", compute=Compute("bfloat16"))


def test_a_pipeline_for_sound_alone_is_not_saved(folder, tmp_path):
    for asked in (Compute("bfloat16"), RESTING):
        with pytest.raises(CheckpointError, match="opened to make sound alone; open it in float32 to save it"):
            save(load(folder, compute=asked), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_file_that_was_replaced_since_it_was_verified_is_not_read(tmp_path):
    write_random_model(tmp_path / "model", tiny(compute={"weights_rest": True}))
    resting = load(tmp_path / "model", compute=RESTING)
    path = tmp_path / "model" / "unet" / "model.safetensors"
    other = path.read_bytes()
    path.unlink()
    with pytest.raises(CheckpointError, match="is gone"):
        sound(resting)
    path.write_bytes(other)
    with pytest.raises(CheckpointError, match="has changed since the model was loaded"):
        sound(resting)


def test_what_cannot_be_compiled_is_refused_before_it_is_loaded(folder):
    with pytest.raises(ConfigError, match="need a CUDA GPU, and the device is cpu; leave out --compile"):
        load(folder, compute=Compute(is_compiled=True))
    with pytest.raises(ConfigError, match="Only U-Nets are compiled, and 'mini' has none"):
        Compute(is_compiled=True).check_compilable(load_config("mini"), torch.device("cuda"))


def test_random_weights_are_for_trying_and_compute_plainly():
    for asked in (Compute("bfloat16"), Compute(is_compiled=True)):
        with pytest.raises(ConfigError, match="'nano' has random weights, which compute in float32"):
            open_model("nano", compute=asked)


def test_prompts_that_are_read_before_a_request_do_not_rest():
    with pytest.raises(ConfigError, match=r"weights_rest does not go with the tokenizer 'captions'"):
        tiny("mini", compute={"weights_rest": True})
