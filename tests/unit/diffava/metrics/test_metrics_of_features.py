"""Fréchet distance, Inception score and KL, against what audioldm_eval's own code says of the same numbers."""

import numpy as np
import pytest
import torch

from diffava.metrics.class_probabilities import inception_score, paired_kl, paired_kl_sigmoid
from diffava.metrics.frechet import frechet_distance
from diffava.metrics.joint_frechet import cross_frechet_distance, joint_frechet_distance


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


def test_sigmoid_kl_is_audioldm_evals_and_no_divergence(golden_logits):
    generated, reference = (logits.double().sigmoid().numpy() for logits in golden_logits)
    assert paired_kl_sigmoid(reference, generated).mean() == pytest.approx(160.2317, abs=1e-3)
    fainter = (golden_logits[0].double() - 1.5).sigmoid().numpy()  # as a reference: every class is less likely
    assert paired_kl_sigmoid(fainter, generated).mean() == pytest.approx(-73.645, abs=1e-3)
    # By hand: 0.5 log(0.5 / 0.25) for the first class, nothing for the second, in which nothing is expected.
    assert paired_kl_sigmoid(np.array([[0.5, 0.0]]), np.array([[0.25, 0.9]]))[0] == pytest.approx(0.34657, abs=1e-4)


def test_paired_kl_by_hand_and_in_its_direction():
    reference, generated = np.array([[0.5, 0.5]]), np.array([[0.9, 0.1]])
    assert paired_kl(reference, generated)[0] == pytest.approx(0.5 * np.log(25 / 9), abs=1e-4)
    assert paired_kl(generated, reference)[0] == pytest.approx(0.9 * np.log(1.8) + 0.1 * np.log(0.2), abs=1e-4)


def test_frechet_distance_is_audioldm_evals():
    generator = torch.Generator().manual_seed(0)
    torch.randn(200, 527, generator=generator)
    one = torch.randn(200, 64, generator=generator)
    torch.randn(200, 527, generator=generator)
    other = torch.randn(200, 64, generator=generator)
    # fid.py at 8dc07ee with scipy 1.17.1, in float32; the last three digits are its rounding.
    assert frechet_distance(one.numpy(), other.numpy()) == pytest.approx(10.7236863, abs=1e-5)
    assert frechet_distance(one.numpy(), (1.3 * other + 0.2).numpy()) == pytest.approx(21.6221028, abs=1e-5)


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


@pytest.fixture
def belonging_rows():
    """Sounds that say something of the pictures and texts that they belong to."""
    rng = np.random.default_rng(2)
    pictures, texts = rng.standard_normal((60, 40)), rng.standard_normal((60, 20))
    sounds = pictures[:, :10] + 0.5 * texts[:, :10] + 0.1 * rng.standard_normal((60, 10))
    return sounds, pictures, texts


def test_joint_distance_sees_the_pairing_which_a_distance_of_sounds_alone_cannot(belonging_rows):
    sounds, pictures, texts = belonging_rows
    exchanged = np.roll(sounds, 1, axis=0)
    assert frechet_distance(exchanged, sounds) == pytest.approx(0, abs=1e-9)
    for others in ((pictures,), (texts,), (pictures, texts)):
        assert joint_frechet_distance(sounds, sounds, others) == pytest.approx(0, abs=1e-9)
        assert joint_frechet_distance(exchanged, sounds, others) > 0.01
    order = np.random.default_rng(3).permutation(60)
    assert joint_frechet_distance(exchanged[order], sounds[order], (pictures[order],)) == pytest.approx(
        joint_frechet_distance(exchanged, sounds, (pictures,))
    )


def test_joint_distance_of_a_shift_is_the_shift_in_the_references_deviations(belonging_rows):
    sounds, pictures, _ = belonging_rows
    shifted = sounds + 3 * sounds.std(0)
    # Ten columns, each 3 deviations away and divided by the root of 10: 10 * (3 / sqrt(10))^2.
    assert joint_frechet_distance(shifted, sounds, (pictures,)) == pytest.approx(9)
    assert joint_frechet_distance(shifted, sounds, (1000 * pictures + 7,)) == pytest.approx(9)


def test_joint_distance_stays_finite_where_a_feature_never_fires_for_the_reference(belonging_rows):
    sounds, pictures, _ = belonging_rows
    dead = np.concatenate([sounds, np.zeros((60, 1))], axis=1)
    fires = np.concatenate([sounds, np.full((60, 1), 0.5)], axis=1)
    assert joint_frechet_distance(fires, dead, (pictures,)) == pytest.approx(0.25 / 11)


def test_cross_distance_compares_spectra_and_is_0_only_for_alike_ones(belonging_rows):
    sounds, pictures, texts = belonging_rows
    assert cross_frechet_distance(sounds, sounds, (sounds,)) == pytest.approx(0, abs=1e-9)
    floor = cross_frechet_distance(sounds, sounds, (pictures, texts))
    assert floor > 0.05
    # By hand: both on axes of variance 1/2 and 1/2, one of them displaced by its whole deviation along one.
    square = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    moved = square + np.array([np.sqrt(np.sum(square**2) / 3), 0])
    assert cross_frechet_distance(moved, square, (square,)) == pytest.approx(1)
