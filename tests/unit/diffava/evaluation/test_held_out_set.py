"""The held-out set: who is in it, that it is the same each time, and how each setting asks for it."""

import numpy as np
import pytest

from diffava.errors import DataError
from diffava.evaluation.cases import FIRST_SEED, HeldOutSet, clip_samples
from diffava.evaluation.generators import Noise
from diffava.evaluation.sounds import HITS, PERFORMANCE, PICTURE_ALONE, SHUFFLED, T2AV, TEXT, Sounds
from support.toy_sounds import striped


class Notebook(Noise):
    """Noise that remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def generate(self, request, pictures, on_progress=lambda _: None):
        self.asked.append((request, pictures))
        return super().generate(request, pictures, on_progress)


def test_the_set_is_a_function_of_its_size_and_a_larger_one_begins_with_it(library, held_out):
    again, larger = HeldOutSet(library, 8, striped), HeldOutSet(library, 12, striped)
    assert [case.prompt for case in again.singles] == [case.prompt for case in held_out.singles]
    assert [case.score for case in larger.singles[:8]] == [case.score for case in held_out.singles]


def test_every_judged_kind_is_heard_as_often_and_every_third_caption_is_vague(library, held_out):
    kinds = [case.score.sources[0].kind for case in held_out.singles]
    assert {kind: kinds.count(kind) for kind in held_out.judged} == dict.fromkeys(held_out.judged, 2)
    larger = HeldOutSet(library, 12, striped)
    assert [case.vague for case in larger.singles] == 8 * [False] + 4 * [True]


def test_cases_use_held_out_takes_and_seeds_of_their_own(held_out):
    every = (*held_out.singles, *held_out.impacts, *held_out.leaving, *held_out.orders, *held_out.performances)
    assert all(take.split == "held_out" for case in every for takes in case.clip.takes for take in takes)
    assert min(case.seed for case in every) >= FIRST_SEED
    assert len({case.seed for case in every}) == len(every)


def test_leaving_cases_leave_and_orders_have_two_kinds(held_out):
    assert all(case.score.sources[0].in_frame != ((0.0, 5.12),) for case in held_out.leaving)
    assert all(len({source.kind for source in case.score.sources}) == 2 for case in held_out.orders)
    assert all(case.hits_s for case in held_out.impacts)


def test_each_setting_asks_for_what_its_name_says(held_out, tmp_path):
    generator = Notebook()
    sounds = Sounds(generator, held_out, tmp_path)
    cases = held_out.impacts[:2]
    for setting in (TEXT, T2AV, SHUFFLED, HITS, PERFORMANCE, PICTURE_ALONE):
        sounds.of(cases, setting)
    asked = dict(zip(("text", "t2av", "shuffled", "hits", "performance", "alone"), generator.asked[::2], strict=True))
    own = held_out.pictures(cases[0], generator.frame_rate, generator.frame_size_pixels)
    assert asked["text"][1] is None
    assert asked["text"][0].frame_count == 0
    assert asked["t2av"][0].guide == "picture"
    assert np.array_equal(asked["t2av"][1], own)
    assert not np.array_equal(asked["shuffled"][1], own)
    assert asked["shuffled"][0].prompt == cases[0].prompt
    assert asked["hits"][0].hit_samples == tuple(round(time * 48_000) for time in cases[0].hits_s)
    assert asked["hits"][0].guide == asked["performance"][0].guide == "none"
    assert asked["performance"][0].performance.shape == (clip_samples(),)
    assert asked["alone"][0].prompt == "sound"


def test_a_sound_is_made_once_and_a_folder_of_another_model_is_refused(held_out, tmp_path):
    generator = Notebook()
    first = Sounds(generator, held_out, tmp_path).of(held_out.impacts[:2], T2AV)
    again = Sounds(generator, held_out, tmp_path).of(held_out.impacts[:2], T2AV)
    assert len(generator.asked) == 2
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    generator.name = "another"
    with pytest.raises(DataError, match="another folder"):
        Sounds(generator, held_out, tmp_path)
