"""Scenes: what is heard is seen, when it is heard, and nothing else repeats from scene to scene."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from diffava.scenes.looks import looks
from diffava.scenes.motions import MOTIONS
from diffava.scenes.render import render, render_within
from diffava.scenes.variation import SEEN, UNSEEN
from diffava.sounds.kinds import kind_named, kinds
from diffava.sounds.score import Hit, Score, Source

RATE = Fraction(25)
SIZE = 64
CALM = replace(
    SEEN,
    still_camera=1.0,
    noise=(0.0, 0.0),
    blur=(0.0, 0.0),
    blocks=(0.0, 0.0),
    textures=("plain",),
    distractor_chance=0.0,
)  # nothing moves but what the score says


def source(kind: str, *hits_s: float, in_frame=((0.0, 2.0),), strength=1.0, active=()) -> Source:
    hits = tuple(Hit(time_s, strength, 0.3) for time_s in hits_s)
    return Source(kind, kind_named(kind).motion, hits, active, in_frame)


def calm(*sources: Source, seed=3, duration_s=2.0) -> np.ndarray:
    return render_within(CALM, Score(duration_s, sources, seed), RATE, SIZE)


def sounding(kind: str) -> Source:
    return source(kind, active=((0.4, 1.6),)) if kind_named(kind).action == "texture" else source(kind, 0.6, 1.2)


def change(pictures: np.ndarray) -> np.ndarray:
    """How much each picture differs from the one before it; the first has no entry."""
    return np.abs(np.diff(pictures.astype(float), axis=0)).mean(axis=(1, 2, 3))


def test_every_kind_has_a_look_and_every_motion_is_drawn():
    assert set(looks()) == {kind.name for kind in kinds()}
    assert {kind.motion for kind in kinds()} == set(MOTIONS)


@pytest.mark.parametrize("kind", [kind.name for kind in kinds()])
def test_every_kind_moves_when_it_sounds_and_keeps_still_when_it_is_silent(kind):
    assert change(calm(sounding(kind))).max() > 0.05
    assert change(calm(source(kind))).max() == 0


def test_a_picture_has_its_size_and_its_moment():
    pictures = render(Score(1.01, (source("dice", 0.5),), 1), RATE, 48)
    assert pictures.shape == (26, 48, 48, 3)
    assert pictures.dtype == np.uint8
    assert len(render(Score(5.12, (source("dice", 0.5),), 1), RATE, 16)) == 128


def test_a_scene_is_a_function_of_score_and_seed():
    score = Score(1.0, (source("fire", active=((0.2, 0.8),)),), 5)
    assert np.array_equal(render(score, RATE, SIZE), render(score, RATE, SIZE))
    assert not np.array_equal(render(score, RATE, SIZE), render(replace(score, scene_seed=6), RATE, SIZE))


def test_unseen_scenes_share_no_parameter_with_seen_ones():
    assert not set(SEEN.textures) & set(UNSEEN.textures)
    assert not set(SEEN.distractors) & set(UNSEEN.distractors)
    for name in ("pan", "zoom", "shake", "texture_contrast", "palette", "light", "noise", "blur", "blocks"):
        (low, high), (other_low, other_high) = getattr(SEEN, name), getattr(UNSEEN, name)
        assert high < other_low or other_high < low, name
    score = Score(1.0, (source("coins", 0.5),), 5)
    assert not np.array_equal(render(score, RATE, SIZE), render(score, RATE, SIZE, unseen=True))


CONTACTS = ("metal_hit", "chop", "punch", "stone", "coins", "dice", "keyboard", "cards", "footsteps_snow", "clock")


@pytest.mark.parametrize("kind", CONTACTS)
@pytest.mark.parametrize("hit_s", [0.9, 1.31])
def test_what_moves_to_a_contact_stops_in_the_frame_of_the_hit(kind, hit_s):
    changes = change(calm(source(kind, hit_s)))
    first_after = int(np.ceil(hit_s * 25 - 0.5))  # the first picture that shows the contact
    approach = changes[first_after - 3 : first_after]  # the last of these is the step into it
    assert changes[first_after] < 0.45 * approach.max()
    assert approach[-2:].max() > 0.8 * changes[:first_after].max()  # about the fastest so far
    assert changes[first_after + 3 : first_after + 5].max() < 0.15 * approach.max()


def test_a_hard_hit_comes_faster_than_a_weak_one():
    hard, weak = (change(calm(source("metal_hit", 0.9, strength=s)))[18:22].sum() for s in (1.0, 0.3))
    assert hard > 1.2 * weak


def test_light_is_not_seen_before_its_hit():
    changes = change(calm(source("explosion", 1.0)))
    assert changes[:24].max() == 0
    assert changes[24] > 1  # frame 24 shows 0.98 s, frame 25 1.02 s


def test_a_texture_moves_only_while_it_is_heard():
    changes = change(calm(source("rain", active=((0.6, 1.4),))))
    assert changes[:14].max() == 0
    assert changes[16:33].min() > 0.1
    assert changes[36:].max() == 0


def test_a_source_out_of_frame_leaves_nothing_behind():
    empty = calm(source("metal_hit", in_frame=()))
    leaving = calm(source("metal_hit", 0.5, in_frame=((0.0, 1.0),)))
    assert np.array_equal(leaving[30:], empty[30:])
    assert not np.array_equal(leaving[20], empty[20])
    coming = calm(source("metal_hit", 1.5, in_frame=((1.0, 2.0),)))
    assert np.array_equal(coming[:20], empty[:20])
    assert not np.array_equal(coming[26], empty[26])


def test_two_sources_stand_side_by_side():
    pictures = calm(source("clock", 0.4), source("dog_bark", 1.3))
    moved = np.abs(np.diff(pictures.astype(float), axis=0)).mean(axis=(1, 3))  # by time and column
    first, second = moved[8:11].sum(axis=0), moved[31:36].sum(axis=0)
    assert first.argmax() < SIZE / 2 < second.argmax()


def test_kinds_are_told_apart_by_their_looks():
    """Nearest mean of tiny still pictures over other seeds: crude, yet far above chance."""
    names = [kind.name for kind in kinds()]

    def glimpses(name: str, seeds: range) -> list[np.ndarray]:
        scenes = (render(Score(0.04, (source(name),), seed), RATE, 32)[0] for seed in seeds)
        return [scene.reshape(8, 4, 8, 4, 3).mean(axis=(1, 3)).ravel() for scene in scenes]

    means = np.stack([np.mean(glimpses(name, range(8)), axis=0) for name in names])
    named = [
        names[int(np.linalg.norm(means - glimpse, axis=1).argmin())] == name
        for name in names
        for glimpse in glimpses(name, range(100, 103))
    ]
    assert np.mean(named) > 0.4
