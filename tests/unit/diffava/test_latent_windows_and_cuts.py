"""What windows and cuts do to a latent, seen with stand-ins for the U-Net whose prediction is known."""

import torch

from diffava.config import load_config
from diffava.latent.guided import Asked, Forwards, GuidedDenoiser
from diffava.latent.windows import plan_windows
from diffava.spec import Condition, Spec

SPEC = Spec.of(load_config("audioldm-s"))


class StandIn:
    """Predicts what `rule(views, films)` says, `[n, C, L, M]`."""

    device = torch.device("cpu")
    length_multiple = 8

    def __init__(self, rule):
        self.rule = rule

    def __call__(self, latent, timestep, film, control, control_strength):
        return self.rule(latent, film)


def predict(rule, latent, cuts, shots, guidance_scale=1.0, unconditional=0.0):
    plan = plan_windows(SPEC, latent.shape[2] * 1920, tuple(cut * 1920 for cut in cuts), 8)
    condition = Condition(torch.tensor(shots)[:, None], torch.tensor([unconditional]))
    denoiser = GuidedDenoiser(StandIn(rule), Forwards(1))
    (prediction,) = denoiser.predict([Asked(latent, 500, plan.windows, condition, guidance_scale, lambda: False)])
    return prediction


def film_everywhere(views, films):
    return films[:, :, None, None].expand_as(views)


def test_each_frame_hears_the_condition_of_its_own_shot_alone():
    prediction = predict(film_everywhere, torch.zeros(2, 8, 1000, 16), (300, 310, 700), [1.0, 2.0, 3.0, 4.0])
    expected = torch.tensor([1.0] * 300 + [2.0] * 10 + [3.0] * 390 + [4.0] * 300)
    torch.testing.assert_close(prediction, expected[None, None, :, None].expand(2, 8, 1000, 16))


def test_a_denoiser_that_looks_far_around_does_not_carry_a_long_shot_over_a_cut():
    def mean_of_the_window(views, films):
        return views.mean(dim=2, keepdim=True).expand_as(views)

    latent = torch.zeros(1, 8, 512, 16)
    latent[:, :, :256] = 1.0
    prediction = predict(mean_of_the_window, latent, (256,), [0.0, 0.0])
    assert torch.equal(prediction, latent)


def test_windows_that_disagree_meet_gradually_in_their_overlap():
    def depends_on_the_place_in_the_window(views, films):
        ramp = torch.linspace(0, 1, views.shape[2])
        return ramp[None, None, :, None].expand_as(views)

    prediction = predict(depends_on_the_place_in_the_window, torch.zeros(1, 8, 1000, 16), (), [0.0])
    # Cutting from one window to the next would jump by up to 1.
    assert prediction[0, 0, :, 0].diff().abs().max() < 0.06


def test_guidance_goes_from_the_unconditional_side_through_the_condition():
    prediction = predict(film_everywhere, torch.zeros(1, 8, 64, 16), (), [3.0], guidance_scale=2.5, unconditional=1.0)
    torch.testing.assert_close(prediction, torch.full((1, 8, 64, 16), 1.0 + 2.5 * 2.0))
