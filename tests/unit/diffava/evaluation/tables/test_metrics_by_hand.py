"""Every metric of every table, taken of features whose figure is known by hand."""

import numpy as np
import pytest

from diffava.evaluation.tables.definitions import METRICS, TABLES
from diffava.evaluation.tables.metric import Item

BOTH = ("generated", "reference")


def items(*features):
    """Items from dictionaries of (extractor, role) to parts."""
    return [Item(f"clip-{number}", given) for number, given in enumerate(features)]


def figures(name, given):
    return {figure.key: figure for figure in METRICS[name].take(given).figures}


def sure_of(kind, count=527):
    """Logits that leave no doubt."""
    logits = np.zeros(count, np.float32)
    logits[kind] = 60
    return logits


def classified(logits_of_generated, logits_of_reference=None):
    reference = logits_of_generated if logits_of_reference is None else logits_of_reference
    return items(
        *(
            {("cnn14", "generated"): {"logits": made}, ("cnn14", "reference"): {"logits": real}}
            for made, real in zip(logits_of_generated, reference, strict=True)
        )
    )


def test_every_metric_of_every_table_has_a_definition_and_a_known_name():
    for table in TABLES.values():
        assert all(METRICS[name].definition for name in table.metrics)
        assert len(set(table.metrics)) == len(table.metrics)


def test_is_is_1_for_one_sound_and_2_where_every_split_has_two_that_are_sure():
    same = classified([sure_of(3)] * 20)
    found = figures("is", same)["is"]
    assert (found.value, found.real) == (pytest.approx(1), pytest.approx(1))
    order = np.random.RandomState(2020).permutation(20)
    kinds = np.empty(20, int)
    kinds[order] = np.arange(20) % 2  # each split of two holds both kinds
    assert figures("is", classified([sure_of(kind) for kind in kinds]))["is"].value == pytest.approx(2)


def test_kl_is_the_log_of_the_odds_lost():
    # The reference is sure of one class, of which the generated sound thinks one in 527 likely.
    given = classified([np.zeros(527, np.float32)] * 3, [sure_of(0)] * 3)
    found = figures("kl_softmax", given)["kl_softmax"]
    assert found.value == pytest.approx(np.log(527), abs=1e-3)
    assert (found.low, found.high, found.count) == (found.value, found.value, 3)
    # Sigmoid: of the 527 independent classes, one has log 1 - log 1/2, all others 1/2 log 1/2 - 1/2 log 1/2.
    assert figures("kl_sigmoid", given)["kl_sigmoid"].value == pytest.approx(np.log(2), abs=2e-3)


def rows(shift=0.0, count=12, width=4, seed=0):
    return (np.random.default_rng(seed).standard_normal((count, width)) + shift).astype(np.float32)


def test_fd_is_the_square_of_a_shift_in_every_dimension():
    made, real = rows(3.0), rows()
    given = items(
        *(
            {("cnn14", "generated"): {"features": a}, ("cnn14", "reference"): {"features": b}}
            for a, b in zip(made, real, strict=True)
        )
    )
    found = figures("fd", given)["fd"]
    assert found.value == pytest.approx(4 * 9, rel=1e-5)
    assert found.low <= found.value <= found.high


def heard(made, real, **others):
    """Items with two rows of VGGish a clip, and what they belong to."""
    given = []
    for number in range(len(made) // 2):
        part = slice(2 * number, 2 * number + 2)
        features = {("vggish", "generated"): {"rows": made[part]}, ("vggish", "reference"): {"rows": real[part]}}
        for extractor, of_all in others.items():
            features[extractor, "film" if extractor == "c3d" else "caption"] = {"features": of_all[number]}
        given.append(features)
    return items(*given)


def test_fad_pools_the_rows_of_all_clips():
    # Rows exchanged between clips are the same pool.
    given = heard(rows(1.0, 24), rows(0.0, 24)[::-1])
    assert figures("fad", given)["fad"].value == pytest.approx(4, rel=1e-5)


@pytest.mark.parametrize("name", ["favd", "fatd", "favtd"])
def test_joint_distances_are_0_for_the_reference_and_9_three_deviations_away(name):
    real, films, captions = rows(0, 24), rows(0, 12, 6, 1), rows(0, 12, 5, 2)
    assert figures(f"{name}_joint", heard(real, real, c3d=films, word2vec=captions))[f"{name}_joint"].value == (
        pytest.approx(0, abs=1e-6)
    )
    spread = real.reshape(12, 2, 4).mean(1).std(0)
    moved = heard(real + 3 * spread, real, c3d=films, word2vec=captions)
    assert figures(f"{name}_joint", moved)[f"{name}_joint"].value == pytest.approx(9, rel=1e-4)


@pytest.mark.parametrize("name", ["favd", "fatd", "favtd"])
def test_cross_distances_are_told_beside_the_references_own(name):
    real, films, captions = rows(0, 24), rows(0, 12, 6, 1), rows(0, 12, 5, 2)
    own = figures(f"{name}_cross", heard(real, real, c3d=films, word2vec=captions))[f"{name}_cross"]
    assert own.value == pytest.approx(own.real)
    assert own.real > 0


def test_the_clap_score_is_the_mean_cosine_and_told_beside_the_references():
    def one(cosine):
        return {
            ("clap_sound", "generated"): {"features": np.array([cosine, (1 - cosine**2) ** 0.5])},
            ("clap_sound", "reference"): {"features": np.array([1.0, 0.0])},
            ("clap_text", "caption"): {"features": np.array([1.0, 0.0])},
        }

    found = figures("clap", items(one(0.6), one(0.2)))["clap"]
    assert (found.value, found.real) == (pytest.approx(0.4), pytest.approx(1))


def timed(extractor, *clips, part="times_s"):
    return items(
        *(
            {(extractor, role): {part: np.array(times, float)} for role, times in zip(BOTH, clip, strict=True)}
            for clip in clips
        )
    )


def test_onset_figures_count_what_is_matched_and_tell_the_errors_of_the_rest():
    given = timed("onsets", ([1.01, 2.08], [1.0, 2.0]), ([], []), ([0.5], [0.48]))
    # At 50 ms, two of three and three are matched: 2 * 2 / 6.
    assert figures("onset_f1", given)["onset_f1"].value == pytest.approx(2 / 3)
    found = figures("onset_error", given)
    assert found["onset_error_ms"].value == pytest.approx(20)
    assert found["onset_error_frames"].value == pytest.approx(0.5)
    assert found["onset_bias_ms"].value == pytest.approx(20)
    assert found["onset_error_ms_q95"].value == pytest.approx(20 + 0.9 * 60)


def test_energy_goes_with_itself_whatever_its_level_and_a_shorter_clip_goes_on_in_silence():
    curve = [0.0, 10, 40, 20, 0, 0]
    found = figures("energy", timed("energy", (curve[:4], curve), (curve, curve), part="level_db"))["energy"]
    assert found.value == pytest.approx(1)
    against = timed("energy", ([0.0, 0, 40, 40], [40.0, 40, 0, 0]), part="level_db")
    assert figures("energy", [*against, *against])["energy"].value == pytest.approx(-1)


def test_condfoleygen_accuracy_is_a_recall_and_leaves_out_references_without_onsets():
    def one(made, real):
        return {
            ("condfoleygen", role): {
                "samples": np.array(at, int),
                "confidences": np.full(len(at), 0.5),
                "heights": np.full(len(at), 0.5, np.float32),
            }
            for role, at in zip(BOTH, (made, real), strict=True)
        }

    given = items(one([11_000, 22_000], [11_025, 33_000]), one([100], []), one([5000], [5000]))
    found = figures("onset_accuracy", given)
    assert found["onset_accuracy"].value == pytest.approx(0.75)
    assert found["onset_accuracy"].count == 2
    assert found["onset_count"].value == 1


@pytest.mark.parametrize("variant", ["2023", "2025", "paper"])
def test_av_align_is_told_beside_the_references_and_the_next_films(variant):
    def one(onset_s, peak_frame):
        trajectory = np.zeros(50)
        trajectory[peak_frame] = 1
        return {
            ("librosa_onsets", "generated"): {"times_s": np.array([onset_s])},
            ("librosa_onsets", "reference"): {"times_s": np.array([peak_frame / 25])},
            ("flow", "film"): {"trajectory": trajectory, "frame_rate": np.array(25.0)},
        }

    found = figures(f"av_align_{variant}", items(one(0.4, 10), one(1.8, 20)))
    key = f"av_align_{variant}"
    assert (found[key].value, found[key].real) == (0.5, 1)
    assert found[f"{key}_others"].value == 0
