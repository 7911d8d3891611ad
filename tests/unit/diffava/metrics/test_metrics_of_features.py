"""Fréchet distance, Inception score and KL, against what audioldm_eval's own code says of the same numbers."""

import numpy as np
import pytest
import torch

from diffava.metrics.class_probabilities import inception_score, paired_kl
from diffava.metrics.frechet import frechet_distance


@pytest.fixture
def golden_logits():
    """The draws for which audioldm_eval (commit 8dc07ee) was run: 200 clips of 527 classes, twice."""
    generator = torch.Generator().manual_seed(0)
    generated = 2 * torch.randn(200, 527, generator=generator)
    torch.randn(200, 64, generator=generator)
    return generated, 2 * torch.randn(200, 527, generator=generator)


def test_inception_score_is_audioldm_evals(golden_logits):
    mean, spread = inception_score(golden_logits[0].double().softmax(1).numpy())
    assert mean == pytest.approx(4.5035932, abs=2e-6)
    assert spread == pytest.approx(0.1453451, abs=2e-6)


def test_paired_kl_is_audioldm_evals(golden_logits):
    generated, reference = (logits.double().softmax(1).numpy() for logits in golden_logits)
    assert paired_kl(reference, generated).mean() == pytest.approx(3.7156818, abs=1e-6)
    assert paired_kl(reference, reference).mean() == pytest.approx(-5.2e-4, abs=2e-5)


def test_inception_score_is_1_for_the_undecided_and_the_number_of_classes_for_the_sure_and_varied():
    assert inception_score(np.full((20, 5), 0.2))[0] == pytest.approx(1)
    assert inception_score(np.eye(527), splits=1)[0] == pytest.approx(527)


def test_inception_score_says_what_to_do_when_clips_are_too_few_for_its_splits():
    with pytest.raises(ValueError, match="fewer splits"):
        inception_score(np.full((9, 5), 0.2), splits=10)


def test_frechet_distance_of_a_set_from_itself_is_0_and_from_its_shift_the_square_of_the_shift():
    rows = np.random.default_rng(0).standard_normal((300, 16))
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(rows, rows + 3) == pytest.approx(144)
    assert frechet_distance(rows, rows[::-1]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("count", "width"), [(300, 32), (50, 200), (50, 50)])
def test_frechet_distance_equals_the_eigenvalue_formula_also_with_fewer_rows_than_features(count, width):
    rng = np.random.default_rng(1)
    one, other = rng.standard_normal((count, width)), 1.3 * rng.standard_normal((count + 9, width)) + 0.2
    covariances = np.cov(one.T), np.cov(other.T)
    roots = np.sqrt(np.clip(np.linalg.eigvals(covariances[0] @ covariances[1]).real, 0, None)).sum()
    apart = np.sum((one.mean(0) - other.mean(0)) ** 2)
    wanted = apart + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * roots
    assert frechet_distance(one, other) == pytest.approx(wanted, rel=1e-5)
    assert frechet_distance(other, one) == pytest.approx(frechet_distance(one, other))
