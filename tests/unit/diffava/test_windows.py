import pytest
import torch

from diffava.config import load_config
from diffava.latent.windows import plan_windows
from diffava.spec import Spec

SPEC = Spec.of(load_config("audioldm-s"))
SAMPLES_PER_LATENT_FRAME = 1920


def plan(frames, cuts=(), multiple=8):
    cut_samples = tuple(cut * SAMPLES_PER_LATENT_FRAME for cut in cuts)
    return plan_windows(SPEC, frames * SAMPLES_PER_LATENT_FRAME, cut_samples, multiple)


def votes(made):
    total = torch.zeros(made.padded_frames)
    for window in made.windows:
        total[window.start : window.stop] += window.weights
    return total


@pytest.mark.parametrize("frames", [1, 2, 31, 32, 250, 256, 257, 300, 449, 1500, 15000])
@pytest.mark.parametrize("cut_shares", [(), (0.5,), (0.1, 0.11, 0.9)])
def test_the_weights_of_all_windows_sum_to_one_at_every_latent_frame(frames, cut_shares):
    cuts = tuple(sorted({max(1, round(share * frames)) for share in cut_shares} - {frames}))
    cuts = tuple(cut for cut in cuts if cut < frames)
    torch.testing.assert_close(votes(plan(frames, cuts)), torch.ones(plan(frames, cuts).padded_frames))


@pytest.mark.parametrize("multiple", [2, 8])
@pytest.mark.parametrize("frames", [1, 31, 255, 257, 1501])
def test_every_window_has_a_length_that_the_u_net_can_halve_and_lies_inside_the_latent(frames, multiple):
    made = plan(frames, (frames // 3,) if frames > 3 else (), multiple)
    assert made.frames == frames <= made.padded_frames
    for window in made.windows:
        assert (window.stop - window.start) % multiple == 0
        assert 32 <= window.stop - window.start <= SPEC.window_latent_frames
        assert 0 <= window.start < window.stop <= made.padded_frames


def test_a_range_of_one_window_is_one_window_that_counts_fully():
    made = plan(200)
    assert [(w.start, w.stop) for w in made.windows] == [(0, 200)]
    assert torch.equal(made.windows[0].weights, torch.ones(200))


def test_no_window_has_a_vote_beyond_the_cuts_of_its_shot():
    edges = [0, 100, 103, 700, 1000]
    made = plan(1000, tuple(edges[1:-1]))
    for window in made.windows:
        counted = torch.nonzero(window.weights)[:, 0] + window.start
        assert counted.min() >= edges[window.shot]
        assert counted.max() < edges[window.shot + 1]
    assert {window.shot for window in made.windows} == {0, 1, 2, 3}


def test_a_shot_shorter_than_a_window_sees_its_neighbours_on_both_sides():
    (window,) = [w for w in plan(300, (100, 103)).windows if w.shot == 1]
    assert (window.start, window.stop) == (86, 118)
    assert int((window.weights > 0).sum()) == 3


def test_windows_of_one_shot_fade_into_each_other_without_a_jump():
    made = plan(700)
    for window in made.windows:
        padded = torch.zeros(made.padded_frames)
        padded[window.start : window.stop] = window.weights
        assert padded.diff().abs().max() < 0.06


def test_two_cuts_inside_one_latent_frame_leave_the_middle_shot_without_a_window_and_keep_the_numbers():
    cuts = (100 * SAMPLES_PER_LATENT_FRAME + 10, 100 * SAMPLES_PER_LATENT_FRAME + 20)
    made = plan_windows(SPEC, 200 * SAMPLES_PER_LATENT_FRAME, cuts, 8)
    assert [w.shot for w in made.windows] == [0, 2]


def test_a_cut_in_the_last_half_latent_frame_makes_no_window_for_padding_alone():
    samples = 100 * SAMPLES_PER_LATENT_FRAME
    made = plan_windows(SPEC, samples, (samples - 5,), 8)
    torch.testing.assert_close(votes(made), torch.ones(made.padded_frames))
    assert [w.shot for w in made.windows] == [0]


def test_the_cost_grows_linearly_with_the_range():
    def cost(frames):
        return sum(w.stop - w.start for w in plan(frames).windows)

    assert cost(15000) <= 15000 * 4 / 3 + SPEC.window_latent_frames
    assert cost(15000) / cost(1500) == pytest.approx(10, rel=0.1)
