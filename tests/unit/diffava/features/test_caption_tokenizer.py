"""Pieces of the words of given texts as a vocabulary."""

from diffava.features.tokenizer import SPECIAL_TOKENS, caption_tokenizer, load_tokenizer

TEXTS = ("a dog barks", "dogs barking", "footsteps on gravel", "the dog barks again")


def test_known_words_are_short_and_others_are_still_read():
    tokenizer = caption_tokenizer(TEXTS, 300)
    assert tokenizer.convert_ids_to_tokens(range(4)) == list(SPECIAL_TOKENS)
    assert len(tokenizer("a dog barks")["input_ids"]) == 5
    text = "足音 🥾"
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True).strip() == text


def test_case_does_not_count():
    tokenizer = caption_tokenizer(TEXTS, 300)
    assert tokenizer("A DOG barks")["input_ids"] == tokenizer("a dog barks")["input_ids"]


def test_it_is_a_function_of_its_texts_and_survives_saving(tmp_path):
    first, second = caption_tokenizer(TEXTS, 300), caption_tokenizer(TEXTS, 300)
    assert first.get_vocab() == second.get_vocab()
    first.save_pretrained(tmp_path)
    assert load_tokenizer(tmp_path, len(first))("dogs bark")["input_ids"] == first("dogs bark")["input_ids"]
