"""What eq. 2 must be, whatever the embeddings."""

import math

import pytest
import torch
from jaxtyping import TypeCheckError
from torch.nn.functional import normalize

from diffava.condition.contrastive_loss import contrastive_loss


def embeddings(clips: int, seconds: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(clips, seconds, 32, generator=generator), dim=-1)


def test_one_clip_alone_has_no_loss():
    assert contrastive_loss(embeddings(1, 10), embeddings(1, 10, 1)) == 0


def test_clips_that_are_all_alike_cost_the_logarithm_of_the_batch_each_second():
    alike = embeddings(1, 1).expand(128, 10, 32)
    loss = contrastive_loss(alike, alike)
    assert loss.item() == pytest.approx(10 * math.log(128), rel=1e-5)
    assert loss.item() == pytest.approx(48.520, abs=1e-3)


def test_a_perfect_match_costs_nothing_when_the_temperature_falls():
    match = embeddings(16, 10)
    assert contrastive_loss(match, match, temperature=0.001) < 1e-6


def test_it_is_the_printed_equation():
    audio, text, temperature = embeddings(3, 2), embeddings(3, 2, 1), 0.5
    expected = 0.0
    for clip in range(3):
        for second in range(2):
            scores = [math.exp(float(audio[clip, second] @ text[m, second]) / temperature) for m in range(3)]
            expected -= math.log(scores[clip] / sum(scores)) / 3
    assert contrastive_loss(audio, text, temperature=temperature).item() == pytest.approx(expected, rel=1e-5)


def test_the_length_of_an_embedding_does_not_matter():
    audio, text = embeddings(4, 3), embeddings(4, 3, 1)
    torch.testing.assert_close(contrastive_loss(audio * 7, text * 0.1), contrastive_loss(audio, text))


def test_permuting_clips_and_seconds_jointly_changes_nothing():
    audio, text = embeddings(8, 10), embeddings(8, 10, 1)
    clips, seconds = torch.randperm(8), torch.randperm(10)
    permuted = contrastive_loss(audio[clips][:, seconds], text[clips][:, seconds])
    torch.testing.assert_close(permuted, contrastive_loss(audio, text))


def test_permuting_the_seconds_of_one_side_changes_it():
    audio, text = embeddings(8, 10), embeddings(8, 10, 1)
    assert (contrastive_loss(audio, text.roll(1, dims=1)) - contrastive_loss(audio, text)).abs() > 0.01


def test_the_sound_is_the_anchor_unless_both_ways_are_asked_for():
    audio, text = embeddings(8, 10), embeddings(8, 10, 1)
    there, back = contrastive_loss(audio, text), contrastive_loss(text, audio)
    assert (there - back).abs() > 0.01
    torch.testing.assert_close(contrastive_loss(audio, text, symmetric=True), (there + back) / 2)


def test_the_mean_over_time_divides_by_the_seconds():
    audio, text = embeddings(8, 10), embeddings(8, 10, 1)
    torch.testing.assert_close(contrastive_loss(audio, text, mean_over_time=True), contrastive_loss(audio, text) / 10)


def test_a_learned_temperature_gets_a_gradient():
    temperature = torch.tensor(0.07, requires_grad=True)
    contrastive_loss(embeddings(8, 10), embeddings(8, 10, 1), temperature=temperature).backward()
    assert temperature.grad is not None
    assert temperature.grad.abs() > 0


def test_shapes_that_do_not_belong_together_are_caught_while_testing():
    with pytest.raises(TypeCheckError):
        contrastive_loss(embeddings(8, 10), embeddings(8, 9))
