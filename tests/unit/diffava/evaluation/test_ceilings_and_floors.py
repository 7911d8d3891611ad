"""The measures themselves: real recordings reach every target, noise none, and the figures say so."""

import json
import math

import numpy as np
import pytest

from diffava.errors import RequestError
from diffava.evaluation.benchmark import FIGURES, evaluate, wanted_measures
from diffava.evaluation.cases import HeldOutSet
from diffava.evaluation.figures import Figure, mean_figure
from diffava.evaluation.generators import Noise, RealRecordings
from diffava.evaluation.measures.silence import difference_db
from diffava.metrics.matching import match
from support.toy_sounds import striped

MEASURES = ("recognisable", "in_time", "silence", "meaning")


def figures_of(generator, held_out, jury, folder, measures=MEASURES):
    taken = evaluate(generator, held_out, jury, folder, measures)
    return {figure.key: figure for figures in taken.values() for figure in figures}


@pytest.fixture(scope="module")
def real(held_out, jury, tmp_path_factory):
    return figures_of(RealRecordings(held_out), held_out, jury, tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def noise(held_out, jury, tmp_path_factory):
    return figures_of(Noise(), held_out, jury, tmp_path_factory.mktemp("noise"))


def test_real_recordings_are_in_time_with_their_own_picture_and_not_with_another(real):
    assert real["onset_f1_t2av"].value > 0.9
    assert real["onset_f1_t2av"].value == pytest.approx(real["onset_f1_t2av"].real)
    assert real["onset_f1_t2av-shuffled-picture"].verdict == "met"
    assert real["onset_error_ms"].value < 10
    assert real["onset_error_frames"].value == pytest.approx(real["onset_error_ms"].value * 24 / 1000)
    assert real["onset_f1_given_hits"].verdict == real["performance_correlation"].verdict == "met"


def test_real_recordings_are_silent_out_of_the_picture_in_order_and_recognisable(real):
    assert real["silent_out_of_frame"].value == 1
    assert real["order"].value > 0.7
    assert real["meaning_a"].verdict == "met"
    assert real["recognisable_a_t2av"].value > 0.6


def test_real_recordings_are_near_the_real_set_and_noise_is_far(library, jury, tmp_path):
    few = HeldOutSet(library, 4, striped)
    measures = ("judges", "paper_table")
    real = figures_of(RealRecordings(few), few, jury, tmp_path / "real", measures)
    noise = figures_of(Noise(), few, jury, tmp_path / "noise", measures)
    for key in ("fd_t2av", "fad_t2av", "kl_t2av"):
        assert real[key].value < noise[key].value
    assert real["is_t2av"].value > noise["is_t2av"].value
    assert real["judge_a_takes"].value > 0.6


def test_noise_reaches_nothing(noise):
    for key in ("onset_f1_t2av", "onset_f1_given_hits", "performance_correlation", "silent_out_of_frame"):
        assert noise[key].verdict == "missed", key


def test_a_figure_can_be_taken_alone_and_is_put_beside_those_that_are_kept(held_out, jury, tmp_path):
    figures_of(Noise(), held_out, jury, tmp_path, ("silence",))
    figures_of(Noise(), held_out, jury, tmp_path, ("meaning",))
    kept = json.loads((tmp_path / FIGURES).read_text())
    assert set(kept["measures"]) == {"silence", "meaning"}
    assert kept["model"] == "noise"


def test_the_difference_is_measured_between_the_parts_in_and_out_of_the_picture(held_out):
    case = held_out.leaving[0]
    [(start, stop)] = case.score.sources[0].in_frame
    seconds = np.arange(round(5.12 * 48_000)) / 48_000
    samples = np.where((seconds >= start) & (seconds < stop), 0.5, 0.05).astype(np.float32)
    assert difference_db(case, samples) == pytest.approx(20, abs=0.1)


def test_wanted_measures_are_checked_before_anything_is_made(tmp_path):
    assert wanted_measures("in_time, silence", None) == ("in_time", "silence")
    assert "real_pictures" not in wanted_measures("", None)
    assert "real_pictures" in wanted_measures("", tmp_path)
    with pytest.raises(RequestError, match="there are judges"):
        wanted_measures("in_tune", None)
    with pytest.raises(RequestError, match="--films"):
        wanted_measures("real_pictures", None)


def test_a_figure_knows_its_verdict_and_has_no_nan_in_json():
    assert Figure("k", "t", 0.7, at_least=0.7).verdict == "met"
    assert Figure("k", "t", 0.7, at_most=0.6).verdict == "missed"
    assert Figure("k", "t", 0.7).verdict == ""
    assert Figure("k", "t", math.nan, at_least=0.7).verdict == "missed"
    assert "NaN" not in json.dumps(mean_figure("k", "t", [1.0, math.nan, 0.0]).as_json())
    assert mean_figure("k", "t", [1.0, math.nan, 0.0]).value == 0.5
    assert match([], [], 0.05).f1 == 1
