"""What becomes of a prompt's words, and what a person is told about them."""

import pytest
import torch
from transformers import ClapTextConfig, ClapTextModelWithProjection

from diffava.features.clap import ClapTextEncoder
from diffava.features.tokenizer import caption_tokenizer
from diffava.features.vocabulary import Vocabulary, stem
from diffava.sounds.captions import caption_texts
from diffava.sounds.kinds import kinds


@pytest.fixture(scope="module")
def vocabulary():
    tokenizer = caption_tokenizer(caption_texts(), 600)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ClapTextModelWithProjection(ClapTextConfig(vocab_size=len(tokenizer), projection_dim=8, **sizes))
    return Vocabulary(kinds(), ClapTextEncoder(model, tokenizer))


def test_every_phrase_of_every_kind_is_known_without_a_note(vocabulary):
    for kind in kinds():
        for phrase in kind.phrases:
            reading = vocabulary.reading(phrase.upper() + "!")
            assert reading.notes("mini") == ()
            assert kind.name in reading.kinds


@pytest.mark.parametrize(
    "prompt", ["sound", "a loud noise, twice", "impact", "animal", "someone walks", "something moves"]
)
def test_vague_words_are_known(vocabulary, prompt):
    reading = vocabulary.reading(prompt)
    assert not reading.is_outside
    assert reading.notes("mini") == ()


def test_a_prompt_outside_is_answered_with_the_nearest_and_says_so(vocabulary):
    reading = vocabulary.reading("a didgeridoo")
    assert reading.is_outside
    assert reading.nearest[0].name == "wind"
    [note] = reading.notes("mini")
    assert note.startswith("mini does not know 'didgeridoo'; it answers with the nearest sounds it knows: wind, ")


def test_an_outside_prompt_is_heard_as_its_nearest_kinds_and_not_as_itself(vocabulary):
    didgeridoo, wind = vocabulary.reading("a didgeridoo"), vocabulary.reading("wind")
    heard = vocabulary.embedding(didgeridoo)
    assert heard.norm() == pytest.approx(1, abs=1e-5)
    assert not torch.equal(heard, vocabulary._text.encode(["a didgeridoo"])[0])
    assert torch.equal(vocabulary.embedding(wind), vocabulary._text.encode(["wind"])[0])


def test_a_half_known_prompt_names_what_it_does_not_know(vocabulary):
    reading = vocabulary.reading("pirate footsteps on planets")
    assert (reading.known, reading.unknown) == (("footsteps",), ("pirate", "planets"))
    assert not reading.is_outside
    [note] = reading.notes("mini")
    assert note.startswith("mini knows 'footsteps' but not 'pirate' and 'planets'")


@pytest.mark.parametrize(
    ("typed", "kind"), [("helicoptr", "helicopter"), ("thunnder", "thunder"), ("dgos barking", "dog_bark")]
)
def test_a_slip_of_the_finger_is_forgiven(vocabulary, typed, kind):
    reading = vocabulary.reading(typed)
    assert kind in reading.kinds
    assert reading.unknown == ()


@pytest.mark.parametrize("word", ["meow", "crowd", "concerto", "croak"])
def test_another_word_is_not_taken_for_a_slip(vocabulary, word):
    """Meadow, crow, concrete and creak are known."""
    assert vocabulary.reading(word).is_outside


def test_words_of_other_scripts_are_unknown_and_not_lost(vocabulary):
    assert vocabulary.reading("трактор").unknown == ("трактор",)


def test_the_endings_of_a_word_do_not_count():
    assert {stem(word) for word in ("bark", "barks", "barked", "barking")} == {"bark"}
    assert {stem(word) for word in ("chop", "chops", "chopping", "chopped")} == {"chop"}
    assert stem("glass") == "glass"
