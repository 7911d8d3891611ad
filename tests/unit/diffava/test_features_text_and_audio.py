"""CLAP: prompts and sounds as unit vectors, and the traps around them."""

import pytest
import torch

from diffava.config import load_config
from diffava.errors import CheckpointError, RequestError
from diffava.features.clap import ClapAudioEncoder, ClapTextEncoder, check_text_towers_agree
from diffava.features.tokenizer import byte_tokenizer, load_tokenizer
from diffava.model_parts import clap_audio, clap_text


def text_encoder(seed: int = 0) -> ClapTextEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ClapTextEncoder(clap_text(load_config("nano")), byte_tokenizer())


@pytest.fixture(scope="module")
def audio_encoder() -> ClapAudioEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ClapAudioEncoder(clap_audio(load_config("nano")))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)) * 0.1


def test_embeddings_have_unit_length():
    embeddings = text_encoder().encode(["a dog barks", "rain", ""])
    assert embeddings.shape == (3, 32)
    assert embeddings.dtype == torch.float32
    torch.testing.assert_close(embeddings.norm(dim=-1), torch.ones(3))


def test_padding_does_not_move_an_embedding():
    encoder = text_encoder()
    alone = encoder.encode(["rain"])[0]
    beside_a_long_text = encoder.encode(["rain", "footsteps on gravel, slow at first and then very fast"])[0]
    torch.testing.assert_close(alone, beside_a_long_text, rtol=0, atol=1e-6)


def test_different_prompts_differ():
    first, second = text_encoder().encode(["rain", "glass shatters"])
    assert (first - second).abs().max() > 1e-3


def test_a_prompt_that_is_too_long_is_refused_and_not_cut_off():
    with pytest.raises(RequestError, match=r"has 10002 tokens, this model reads 512; shorten it"):
        text_encoder().encode(["x" * 10_000])


def test_the_byte_tokenizer_reads_every_language():
    tokenizer = byte_tokenizer()
    assert len(tokenizer) == 260
    text = "Schritte auf Kies — 足音 🥾"
    ids = tokenizer(text)["input_ids"]
    assert len(ids) == len(text.encode()) + 2
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_a_saved_tokenizer_gives_the_same_ids(tmp_path):
    byte_tokenizer().save_pretrained(tmp_path)
    assert (tmp_path / "tokenizer.json").is_file()
    text = "a dog barks <s>"
    assert load_tokenizer(tmp_path, 260)(text)["input_ids"] == byte_tokenizer()(text)["input_ids"]


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    """A tokenizer of 5 tokens once stood in for RoBERTa's 50265 without a word."""
    byte_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="knows 260 tokens, its text tower 50265"):
        load_tokenizer(tmp_path, 50265)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no usable tokenizer"):
        load_tokenizer(tmp_path, 260)


def test_equal_text_towers_agree_and_others_are_refused():
    check_text_towers_agree(text_encoder(0), text_encoder(0))
    with pytest.raises(CheckpointError, match="belongs to another CLAP model"):
        check_text_towers_agree(text_encoder(0), text_encoder(1))


def test_a_text_tower_that_gives_no_numbers_is_refused():
    broken = text_encoder(0)
    torch.nn.init.constant_(broken.model.text_projection.linear2.bias, float("nan"))
    with pytest.raises(CheckpointError, match="agrees with ours by nan"):
        check_text_towers_agree(text_encoder(0), broken)


def test_sound_becomes_unit_vectors_the_same_each_time(audio_encoder):
    sound = noise(2, 48_000)
    embeddings = audio_encoder.encode(sound)
    assert embeddings.shape == (2, 32)
    torch.testing.assert_close(embeddings.norm(dim=-1), torch.ones(2))
    assert torch.equal(embeddings, audio_encoder.encode(sound))


def test_the_audio_mel_has_one_channel_from_50_hz(audio_encoder):
    """The extractor's defaults are those of the fused model: four channels from 0 Hz."""
    extractor = audio_encoder.extractor
    features = extractor([noise(48_000).numpy()], sampling_rate=48_000, return_tensors="pt")["input_features"]
    assert features.shape == (1, 1, 1001, 64)
    assert (extractor.frequency_min, extractor.frequency_max) == (50, 14_000)


def test_each_second_is_embedded_by_itself(audio_encoder):
    sound = noise(1, 3 * 48_000)
    changed = sound.clone()
    changed[:, 2 * 48_000 :] = 0
    first, second = audio_encoder.encode_seconds(sound), audio_encoder.encode_seconds(changed)
    assert first.shape == (1, 3, 32)
    assert torch.equal(first[:, :2], second[:, :2])
    assert not torch.equal(first[:, 2], second[:, 2])


def test_a_sound_longer_than_clap_hears_is_refused_and_not_cropped_at_random(audio_encoder):
    with pytest.raises(RequestError, match="480001 samples, CLAP hears 480000"):
        audio_encoder.encode(torch.zeros(1, 480_001))
