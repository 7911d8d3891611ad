"""What goes over the wire: chunks of bounded size, and answers that are checked before anyone relies on them."""

from fractions import Fraction

import numpy as np
import pytest

from diffava_proto.v1 import foley_pb2 as pb
from diffava_resolve.client import wire
from diffava_resolve.errors import RequestError, ServerError
from diffava_resolve.spec import FoleyJob, FrameFormat, Performance, TimingGuide

FORMAT = FrameFormat(Fraction(8), 224, 224)


def test_pictures_travel_in_chunks_of_at_most_a_mebibyte_in_order():
    pictures = np.arange(35, dtype=np.uint8)[:, None, None, None] * np.ones((1, 224, 224, 3), np.uint8)
    messages = list(wire.frame_messages(iter([pictures[:16], pictures[16:32], pictures[32:]]), FORMAT, 35))
    assert max(message.ByteSize() for message in messages) < (1 << 20) + 64
    assert [m.frames.first_frame for m in messages] == list(
        np.cumsum([0] + [m.frames.frame_count for m in messages[:-1]])
    )
    assert b"".join(message.frames.rgb24 for message in messages) == pictures.tobytes()


def test_a_picture_larger_than_a_chunk_travels_alone():
    large = FrameFormat(Fraction(8), 1024, 1024)
    messages = list(wire.frame_messages(iter([np.zeros((2, 1024, 1024, 3), np.uint8)]), large, 2))
    assert [message.frames.frame_count for message in messages] == [1, 1]


def test_pictures_that_are_a_view_are_sent_as_they_are_seen():
    pictures = np.random.default_rng(1).integers(0, 255, (3, 224, 448, 3), np.uint8)[:, :, ::2]
    (message,) = wire.frame_messages(iter([pictures]), FORMAT, 3)
    assert message.frames.rgb24 == pictures.tobytes()


def test_kept_audio_travels_in_chunks_as_little_endian_float32():
    audio = np.linspace(-1, 1, 600_000, dtype=">f4")
    messages = list(wire.kept_audio_messages(iter([audio]), 600_000))
    assert [message.kept_audio.first_sample for message in messages] == [0, 262_144, 524_288]
    sent = np.frombuffer(b"".join(message.kept_audio.pcm_f32le for message in messages), "<f4")
    assert np.array_equal(sent, audio)


def test_the_header_carries_the_whole_job():
    job = FoleyJob("steps", 96_000, (2**64 - 1,), "music", "nano", (48_000,), 7, 3.5, "ddim", (100, 200))
    header = wire.header_message(job, 16, "me").header
    assert (header.prompt, header.negative_prompt, header.model, header.client_id) == ("steps", "music", "nano", "me")
    assert (list(header.seeds), list(header.cut_samples)) == ([2**64 - 1], [48_000])
    assert (header.sample_count, header.sample_rate_hz, header.frame_count) == (96_000, 48_000, 16)
    assert (header.step_count, header.guidance_scale, header.sampler) == (7, 3.5, pb.SAMPLER_DDIM)
    assert (header.kept.regenerate_start_sample, header.kept.regenerate_stop_sample) == (100, 200)


def test_the_header_carries_the_timing_guide():
    performance = Performance("voice.wav", "ab" * 32, "performance-12.wav", "cd" * 32)
    guide = TimingGuide("none", 0.0, (0, 17, 95_999), performance)
    sent = wire.header_message(FoleyJob("steps", 96_000, (1,), guide=guide), 16, "me").header.guide
    assert (sent.source, list(sent.hit_samples), sent.has_performance) == (pb.GUIDE_SOURCE_NONE, [0, 17, 95_999], True)
    assert sent.HasField("strength")  # 0 is off, and not the model's own choice
    assert sent.strength == 0.0
    plain = wire.header_message(FoleyJob("steps", 96_000, (1,)), 16, "me").header.guide
    assert (plain.source, plain.strength, plain.has_performance) == (pb.GUIDE_SOURCE_PICTURE, 1.0, False)


def test_what_a_server_notes_and_whether_its_model_follows_hits_is_read():
    rate = pb.Rational(numerator=8, denominator=1)
    model = pb.ModelInfo(name="mini", frame_rate=rate, has_timing_guide=True)
    result = wire.job_result(pb.Done(model=model, notes=["It does not know 'didgeridoo'."]))
    assert result.model.has_timing_guide
    assert result.notes == ("It does not know 'didgeridoo'.",)


def test_a_job_for_the_whole_range_keeps_no_audio():
    assert not wire.header_message(FoleyJob("steps", 96_000, (1,)), 16, "me").header.HasField("kept")


def test_a_seed_of_more_than_64_bits_is_refused():
    with pytest.raises(RequestError, match="out of range"):
        wire.header_message(FoleyJob("steps", 96_000, (2**64,)), 16, "me")


def test_a_stage_of_a_newer_server_is_skipped():
    assert wire.progress_event(pb.Progress(stage=99, completed=1, total=2)) is None


@pytest.mark.parametrize("rate", [pb.Rational(), pb.Rational(numerator=8, denominator=0), pb.Rational(numerator=-8)])
def test_a_model_without_a_usable_frame_rate_is_refused(rate):
    with pytest.raises(ServerError, match="frame rate"):
        wire.model_info(pb.ModelInfo(name="odd", frame_rate=rate))
