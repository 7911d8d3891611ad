"""From published files to a model: the same weights, whole or not at all, and refused where they are of another model.

The checkpoints are tiny ones with random weights, laid out as their owners publish theirs.
"""

import json
from pathlib import Path

import pytest
import torch

from diffava import builders, published_clap, published_models
from diffava.builders import open_model
from diffava.checkpoints import published_files
from diffava.checkpoints.registry import Published
from diffava.config import ModelConfig, config_from_dict, load_config
from diffava.errors import CheckpointError
from diffava.features.clap import ClapTextEncoder
from diffava.features.tokenizer import byte_tokenizer
from diffava.model_parts import clap_audio, clap_text, make_parts
from diffava.published_clap import published_audio_tower
from diffava.published_clap import published_clap as open_clap
from diffava.published_models import converted_folder
from support.pictures import in_chunks, random_pictures, request_of_seconds
from support.published import made_up_entry

FOLDERS = {"clap_text": "text_encoder", "unet": "unet", "vae": "vae", "vocoder": "vocoder"}
WEIGHTS = {"clap_text": "pytorch_model.bin", "vocoder": "pytorch_model.bin"}
OLD_VAE_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def tiny_config() -> ModelConfig:
    """As `audioldm-s` in everything but size; in nano's sizes."""
    values = load_config("nano").model_dump(mode="json")
    published = {"name": "audioldm-s", "licence": "CC BY-NC-SA 4.0", "commercial_use_allowed": False}
    values["clap"] |= {"tokenizer": "roberta"}
    values["clap"]["audio"] = {"patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [4, 8]}
    return config_from_dict(values | published | {"has_random_weights": False, "warning": ""}, "tiny")


def random_parts(config: ModelConfig) -> dict[str, torch.nn.Module]:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return make_parts(config)


def publish(cache: Path, name: str, files: dict[str, object], **changes) -> Published:
    """Put files where a pull puts them, tensors as torch's pickles, everything else as JSON; return their entry."""
    for path, content in files.items():
        target = cache / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        elif path.endswith(".json"):
            target.write_text(json.dumps(content))
        else:
            torch.save(content, target)
    return made_up_entry(name, list(files), **changes)


def tokenizer_files(folder: Path, prefix: str = "") -> dict[str, bytes]:
    byte_tokenizer().save_pretrained(folder)
    return {f"{prefix}{path.name}": path.read_bytes() for path in folder.iterdir()}


def diffusers_files(config: ModelConfig, parts: dict[str, torch.nn.Module], scratch: Path) -> dict[str, object]:
    files: dict[str, object] = tokenizer_files(scratch, "tokenizer/")
    for part, folder in FOLDERS.items():
        tensors = parts[part].state_dict()
        if part == "vae":
            for new, old in OLD_VAE_NAMES.items():
                tensors = {name.replace(f".{new}.", f".{old}."): tensor for name, tensor in tensors.items()}
        files[f"{folder}/{WEIGHTS.get(part, 'diffusion_pytorch_model.bin')}"] = dict(tensors)
        files[f"{folder}/config.json"] = json.loads(
            json.dumps(dict(parts[part].config.to_dict() if part in WEIGHTS else parts[part].config))
        )
    files["unet/config.json"] |= {"attention_head_dim": 8}  # as it is published: see the switch `heads`
    return files


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A cache with a tiny `audioldm-s` and X-CLIP in it, as if they had been pulled."""
    config = tiny_config()
    parts = random_parts(config)
    cache = tmp_path / "cache"
    video = {f"vision_model.{name}": tensor for name, tensor in parts["video"].state_dict().items()}
    entries = {
        "audioldm-s": publish(cache, "audioldm-s", diffusers_files(config, parts, tmp_path / "tokenizer")),
        "xclip-base-patch8": publish(
            cache, "xclip-base-patch8", {"pytorch_model.bin": video | {"mit.x": torch.ones(1)}}
        ),
    }
    for module in (published_files, published_models, published_clap):
        monkeypatch.setattr(module, "published", entries.__getitem__)
    for module in (published_files, published_models):
        monkeypatch.setattr(module, "cache_root", lambda: cache)
    for module in (published_models, published_clap):
        monkeypatch.setattr(module, "published_names", lambda: tuple(entries))
    monkeypatch.setattr(builders, "load_config", lambda _name: config)
    return World(config, parts, cache, entries)


class World:
    def __init__(self, config, parts, cache, entries):
        self.config, self.parts, self.cache, self.entries = config, parts, cache, entries

    def edit(self, path: str, **changes) -> None:
        target = self.cache / "audioldm-s" / path
        target.write_text(json.dumps(json.loads(target.read_text()) | changes))


def test_a_pulled_model_opens_with_exactly_the_published_weights(world):
    pipeline = open_model("audioldm-s")
    for name in (*FOLDERS, "video"):
        found, expected = pipeline.parts[name].state_dict(), world.parts[name].state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected), name
    assert pipeline.config.licence == "CC BY-NC-SA 4.0"
    assert not pipeline.config.commercial_use_allowed


def test_it_makes_sound_and_says_that_its_alignment_is_not_trained(world):
    pipeline = open_model("audioldm-s")
    request = request_of_seconds(pipeline.spec, 1, step_count=2)
    pictures = random_pictures(pipeline.spec, request.frame_count)
    samples = torch.cat([part.samples for part in pipeline.generate(request, in_chunks(pictures))])
    assert samples.shape == (48_000,)
    assert samples.isfinite().all()
    assert "audioldm-s's alignment is not trained" in pipeline.notes(request)[0]
    assert pipeline.notes(request_of_seconds(pipeline.spec, 1, frame_count=0)) == ()


def test_it_is_converted_once(world):
    first = converted_folder(world.config)
    written = (first / "model.json").stat().st_mtime_ns
    assert converted_folder(world.config) == first
    assert (first / "model.json").stat().st_mtime_ns == written


def test_the_switch_for_heads_converts_anew(world):
    unet = world.config.unet.model_copy(update={"heads": "published"})
    other = converted_folder(world.config.model_copy(update={"unet": unet}))
    assert other != converted_folder(world.config)
    assert json.loads((other / "config.json").read_text())["unet"]["heads"] == "published"


def test_what_was_not_pulled_names_the_command(world):
    (world.cache / "audioldm-s" / "vae" / "diffusion_pytorch_model.bin").unlink()
    with pytest.raises(
        CheckpointError, match=r"vae/diffusion_pytorch_model\.bin.*run `diffava models pull audioldm-s`"
    ):
        open_model("audioldm-s")


@pytest.mark.parametrize(
    ("path", "changes", "sentence"),
    [
        (
            "vae/config.json",
            {"scaling_factor": 0.9227914},
            "scaling_factor is 0.9227914 and should be 0.9392935633659363",
        ),
        ("vocoder/config.json", {"leaky_relu_slope": 0.2}, "leaky_relu_slope is 0.2 and should be 0.1"),
        ("unet/config.json", {"class_embeddings_concat": False}, "class_embeddings_concat is False and should be True"),
    ],
)
def test_a_number_that_no_weight_shows_must_be_ours(world, path, changes, sentence):
    """AudioLDM 2's scale on AudioLDM's weights would sound wrong and raise nothing."""
    world.edit(path, **changes)
    with pytest.raises(CheckpointError, match=sentence):
        open_model("audioldm-s")


def test_a_checkpoint_of_another_size_is_refused_and_leaves_nothing(world):
    wrong = {name: tensor[:1] for name, tensor in world.parts["unet"].state_dict().items()}
    torch.save(wrong, world.cache / "audioldm-s" / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"'audioldm-s', unet does not fit UNet2DConditionModel.*should be \("):
        open_model("audioldm-s")
    assert not [path for path in (world.cache / "converted").iterdir() if not path.name.endswith(".lock")]


def test_an_empty_tokenizer_is_refused(world):
    """RobertaTokenizer on an empty folder silently knows 5 tokens, and every prompt would be the same."""
    for path in (world.cache / "audioldm-s" / "tokenizer").iterdir():
        path.write_bytes(b"{}")
    with pytest.raises(CheckpointError, match="tokenizer"):
        open_model("audioldm-s")


def test_a_file_that_would_run_code_is_refused(world):
    class Trap:
        def __reduce__(self):
            return (print, ("this must never be printed",))

    torch.save({"state_dict": Trap()}, world.cache / "audioldm-s" / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(CheckpointError, match="could run code, so it is refused"):
        open_model("audioldm-s")


@pytest.fixture
def with_clap(world, tmp_path):
    """Also a CLAP of both towers, whose text tower is the model's own."""
    with torch.random.fork_rng():
        torch.manual_seed(6)
        audio = clap_audio(world.config)
    towers = world.parts["clap_text"].state_dict() | audio.state_dict()
    files = tokenizer_files(tmp_path / "more") | {"pytorch_model.bin": towers | {"logit_scale_a": torch.ones(())}}
    world.entries["laion-clap-htsat-unfused"] = publish(world.cache, "laion-clap-htsat-unfused", files)
    return world, audio


def own_text(world) -> ClapTextEncoder:
    return ClapTextEncoder(world.parts["clap_text"], byte_tokenizer())


def test_the_audio_tower_of_the_same_clap_is_found(with_clap):
    world, audio = with_clap
    found = published_audio_tower(own_text(world), "audioldm-s")
    assert all(torch.equal(tensor, audio.state_dict()[name]) for name, tensor in found.model.state_dict().items())


def test_the_audio_tower_of_another_clap_is_refused_with_what_to_pull(with_clap):
    world, _ = with_clap
    with torch.random.fork_rng():
        torch.manual_seed(7)
        stranger = ClapTextEncoder(clap_text(world.config), byte_tokenizer())
    with pytest.raises(CheckpointError, match=r"belongs to another CLAP.*diffava models pull"):
        published_audio_tower(stranger, "audioldm-s")


def test_both_towers_hear_and_read_into_one_space(with_clap):
    text, audio = open_clap("laion-clap-htsat-unfused")
    heard = audio.encode(torch.sin(torch.arange(48_000) / 20)[None])
    assert heard.shape == text.encode(["rain"]).shape == (1, 32)
    assert heard.norm().item() == pytest.approx(1, abs=1e-5)


def test_clips_pictures_may_stand_in_the_place_of_xclips(world):
    """The frame features of the X-CLIP that the paper cites: chosen in the configuration, a second a token."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    values = world.config.model_dump(mode="json")
    values["clip_video"] = sizes | {"image_size": 32, "patch_size": 8, "projection_dim": 12}
    config = config_from_dict(values, "tiny")
    parts = random_parts(config)
    clip = dict(parts["video"].state_dict()) | {"text_projection.weight": torch.ones(1)}
    world.entries["clip-vit-base-patch32"] = publish(world.cache, "clip-vit-base-patch32", {"pytorch_model.bin": clip})
    pipeline = builders.load(converted_folder(config))
    video = pipeline.features.video
    rgb = random_pictures(pipeline.spec, 8)
    token = video.encode(rgb)
    assert (video.group_frames, video.token_dim) == (8, 12)
    others = rgb.clone()
    others[:4], others[5:] = 0, 255
    assert torch.equal(token, video.encode(others))  # the second's middle picture alone speaks
    assert all(
        torch.equal(a, b)
        for a, b in zip(video.model.state_dict().values(), parts["video"].state_dict().values(), strict=True)
    )
