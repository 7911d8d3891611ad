"""What the CLAP towers are taught: windows, what is heard in them, and texts that are true of several clips."""

import numpy as np
import pytest
import torch

from diffava.sounds.score import Hit, Score, Source
from diffava.training.clap import several_targets, text_trials
from diffava.training.clap_data import Described, carelessly, describe, heard_between, heard_kinds, mistyped, varied

BARK = Source("dog_bark", "mouth", hits=(Hit(0.5, 1.0, 0.6), Hit(3.0, 1.0, 0.6)), in_frame=((0.0, 5.0),))
RAIN = Source("rain", "rain", active=((2.0, 5.0),), in_frame=((0.0, 5.0),))
SCORE = Score(5.0, (BARK, RAIN), 0)


@pytest.mark.parametrize(
    ("start_s", "stop_s", "heard"),
    [
        (0.0, 1.0, ("dog_bark",)),
        (1.06, 1.4, ()),  # the first bark ends at 1.1: too little of it is left
        (1.3, 1.9, ()),
        (2.0, 2.9, ("rain",)),
        (0.0, 5.0, ("dog_bark", "rain")),
    ],
)
def test_a_window_is_described_by_what_is_heard_in_it(start_s, stop_s, heard):
    assert heard_kinds(heard_between(SCORE, start_s, stop_s)) == heard


def test_what_has_left_the_picture_is_not_heard():
    gone = Source("dog_bark", "mouth", hits=(Hit(0.5, 1.0, 2.0),), in_frame=((0.0, 1.0),))
    assert heard_kinds(heard_between(Score(5.0, (gone,), 0), 1.1, 2.0)) == ()


def test_a_vague_text_is_true_of_every_kind_it_can_mean():
    animal = Described("animal", (frozenset({"dog_bark", "bird"}),))
    assert animal.fits(("bird",))
    assert not animal.fits(("rain",))
    assert not animal.fits(("bird", "rain"))
    assert Described("silence", ()).fits(())


def test_descriptions_are_true_of_their_window():
    rng = np.random.default_rng(0)
    for start_s in np.arange(0, 4, 0.25):
        window = heard_between(SCORE, float(start_s), float(start_s) + 1)
        assert describe(window, rng).fits(heard_kinds(window))


def test_careless_typing_changes_texts_and_is_drawn_by_the_seed():
    sources = (np.random.default_rng(3), np.random.default_rng(3))
    first, second = ([carelessly("a dog barks", rng) for _ in range(20)] for rng in sources)
    assert first == second
    assert len(set(first)) > 10
    assert all(mistyped("rain", np.random.default_rng(k)) for k in range(30))


def test_all_fitting_columns_are_equal_targets_and_empty_rows_do_not_count():
    fits = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    best = several_targets(torch.tensor([[9.0, 9.0, -9.0], [0.0, 5.0, 0.0]]), fits)
    one_sided = several_targets(torch.tensor([[9.0, -9.0, -9.0], [0.0, 5.0, 0.0]]), fits)
    assert float(best) == pytest.approx(np.log(2), abs=1e-4)
    assert one_sided > best


def test_phrasings_of_the_trial_are_not_trained_on():
    trials = text_trials()
    assert not set(trials["unseen"][0]) & set(trials["known"][0])
    assert len(set(trials["unseen"][1])) >= 45


def test_silence_stays_silence_in_another_room():
    mel = torch.full((2, 30, 80), float(np.log(1e-5)))
    assert torch.equal(varied(mel, np.random.default_rng(0)), mel)
