"""What the libraries do silently, or otherwise than one expects: if one of these fails, look at our call of it."""

import json

import pytest
import torch
from transformers import (
    ClapAudioConfig,
    ClapAudioModelWithProjection,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    ClapTextModelWithProjection,
    RobertaTokenizer,
    XCLIPVisionConfig,
    XCLIPVisionModel,
)

from diffava.errors import CheckpointError
from diffava.features.clap import ClapAudioEncoder, ClapTextEncoder
from diffava.features.tokenizer import byte_tokenizer, load_tokenizer
from diffava.features.video import XClipVideoEncoder


@pytest.fixture(scope="module")
def clap() -> ClapModel:
    text = ClapTextConfig(
        vocab_size=260, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    audio = ClapAudioConfig(patch_embeds_hidden_size=8, depths=[1, 1], num_attention_heads=[1, 2], hidden_size=16)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ClapModel(ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=16)).eval()


def test_roberta_without_a_vocabulary_has_five_tokens_and_is_refused(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "RobertaTokenizer"}))
    silent = RobertaTokenizer.from_pretrained(tmp_path)
    assert len(silent) == 5
    assert silent("a dog barks")["input_ids"] == silent("rain")["input_ids"]
    with pytest.raises(CheckpointError, match=r"knows 5 tokens, its text tower 50265|no usable tokenizer"):
        load_tokenizer(tmp_path, 50265)


def test_the_bare_feature_extractor_is_the_fused_models():
    """Its defaults make four channels from 0 Hz; the unfused tower hears one, from 50 Hz."""
    bare = ClapFeatureExtractor()
    assert (bare.frequency_min, bare.truncation) == (0, "fusion")
    sound = torch.zeros(48_000).numpy()
    assert bare(sound, sampling_rate=48_000, return_tensors="pt")["input_features"].shape == (1, 4, 1001, 64)
    tower = ClapAudioModelWithProjection(
        ClapAudioConfig(patch_embeds_hidden_size=8, depths=[1], num_attention_heads=[1], hidden_size=8)
    )
    ours = ClapAudioEncoder(tower)
    assert (ours.extractor.frequency_min, ours.extractor.truncation) == (50, "rand_trunc")


def test_features_of_clap_are_in_the_pooler_output_and_of_unit_length(clap):
    tower = ClapTextModelWithProjection(clap.config.text_config)
    tower.load_state_dict({k: v for k, v in clap.state_dict().items() if k.startswith("text_")})
    ours = ClapTextEncoder(tower, byte_tokenizer())
    tokens = ours.tokenizer(["a dog barks"], return_tensors="pt")
    with torch.no_grad():
        theirs = clap.get_text_features(tokens["input_ids"], tokens["attention_mask"])
    assert not isinstance(theirs, torch.Tensor)
    torch.testing.assert_close(theirs.pooler_output, ours.encode(["a dog barks"]))


@pytest.mark.parametrize("count", [4, 12])
def test_x_clip_reads_frames_in_groups_of_eight_alone(count):
    config = XCLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        mit_hidden_size=32,
        image_size=32,
        patch_size=8,
    )
    model = XCLIPVisionModel(config)
    with pytest.raises(RuntimeError):
        model(pixel_values=torch.zeros(count, 3, 32, 32))
    pictures = torch.zeros(4, 32, 32, 3, dtype=torch.uint8)
    assert XClipVideoEncoder(model).encode(pictures).shape == (32,)  # a short group is filled
