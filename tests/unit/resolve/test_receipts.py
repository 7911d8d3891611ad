from dataclasses import replace

import opentimelineio as otio
import pytest

from diffava_resolve.errors import TimelineError
from diffava_resolve.spec import FoleyJob, FrameFormat, JobResult, ModelInfo, Performance, TimingGuide
from diffava_resolve.timeline.receipts import Receipt, RegeneratedPart
from diffava_resolve.timeline.takes import plain
from support.takes import ALL_RATES, receipt, region


def through_a_file(metadata):
    clip = otio.schema.Clip(metadata={"kept": metadata})
    read = otio.adapters.read_from_string(otio.adapters.write_to_string(clip))
    return plain(read.metadata["kept"])


@pytest.mark.parametrize("rate", ALL_RATES)
def test_a_receipt_comes_back_from_a_timeline_file_as_it_was(rate):
    before = receipt(region(rate), "12" * 32, take_index=1)
    before = replace(before, part=RegeneratedPart(480, 960, 10, 20, "parent"))
    assert Receipt.from_metadata(through_a_file(before.to_metadata())) == before


def test_a_receipt_without_measurements_comes_back_too():
    before = replace(receipt(region(), "12"), picture=None, loudness_lufs=None, sync=None)
    assert Receipt.from_metadata(through_a_file(before.to_metadata())) == before


def test_a_seed_beyond_63_bits_survives_the_json_of_other_editors():
    kept = receipt(region(), "12", take_index=1).to_metadata()
    assert kept["request"]["seed"] == str(2**64 - 1)
    assert Receipt.from_metadata(kept).seed == 2**64 - 1


def test_a_finished_job_fills_in_the_servers_defaults_so_that_it_can_be_asked_again():
    model = ModelInfo("mini", "ff", "Apache-2.0", True, FrameFormat(ALL_RATES[0], 224, 224), 48000, 20, 2.5)
    job = FoleyJob("rain", 100_000, (1, 2))
    done = JobResult(model, "0.1.0", 20, 2.5, "dpmpp_2m", ("a", "b"))
    made = Receipt.of_result(region(), job, done, 1, wav_sha256="w", loudness_lufs=-20.0)
    assert (made.job.model, made.job.step_count, made.job.guidance_scale) == ("mini", 20, 2.5)
    assert (made.samples_sha256, made.seed, made.model_licence) == ("b", 2, "Apache-2.0")


def test_a_receipt_of_a_newer_version_asks_for_an_update():
    kept = {**receipt(region(), "12").to_metadata(), "schema_version": 2}
    with pytest.raises(TimelineError, match="version 2, this program reads up to 1; update"):
        Receipt.from_metadata(kept)


@pytest.mark.parametrize("missing", ["request", "region", "model", "wav_sha256"])
def test_a_damaged_receipt_says_so(missing):
    kept = receipt(region(), "12").to_metadata()
    del kept[missing]
    with pytest.raises(TimelineError, match="receipt is damaged"):
        Receipt.from_metadata(kept)


def test_a_receipt_with_an_impossible_rate_is_damaged():
    kept = receipt(region(), "12").to_metadata()
    kept["region"]["rate"] = "24/0"
    with pytest.raises(TimelineError, match="damaged"):
        Receipt.from_metadata(kept)


def test_the_timing_guide_and_the_notes_come_back_too():
    plain_receipt = receipt(region(), "12")
    performance = Performance("voice.wav", "ab" * 32, "performance-12.wav", "cd" * 32)
    guide = TimingGuide("none", 0.5, (0, 480, 99_999), performance)
    before = replace(plain_receipt, job=replace(plain_receipt.job, guide=guide), notes=("It knows no 'yodel'.",))
    assert Receipt.from_metadata(through_a_file(before.to_metadata())) == before


def test_a_receipt_from_before_there_were_guides_has_the_pictures():
    kept = receipt(region(), "12").to_metadata()
    del kept["request"]["guide"], kept["notes"]
    assert Receipt.from_metadata(kept).job.guide == TimingGuide()


@pytest.mark.parametrize("damage", [{"source": "radio"}, {"hit_samples": None}, {"performance": {"source_name": "x"}}])
def test_a_damaged_guide_is_a_damaged_receipt(damage):
    kept = receipt(region(), "12").to_metadata()
    kept["request"]["guide"].update(damage)
    with pytest.raises(TimelineError, match="damaged"):
        Receipt.from_metadata(kept)
