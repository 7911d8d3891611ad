import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from diffava_resolve.errors import MediaError, OutputError
from diffava_resolve.timeline.audio_file import TakeWriter, quantised, read_blocks
from support.disks import mounted_disk
from support.takes import noise, write_take


def test_a_take_is_48_khz_mono_24_bit_of_exactly_its_samples(tmp_path):
    take = write_take(tmp_path / "take.wav", noise(80081))
    info = soundfile.info(take.path)
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (48000, 1, "PCM_24", 80081)
    assert take.sample_count == 80081
    assert take.sha256 == hashlib.sha256(take.path.read_bytes()).hexdigest()


def test_the_header_has_format_and_data_and_nothing_else(tmp_path):
    content = write_take(tmp_path / "take.wav", noise(100)).path.read_bytes()
    assert content[12:16] == b"fmt "
    assert content[36:40] == b"data"
    assert len(content) == 44 + 3 * 100


def test_the_same_samples_give_the_same_bytes_however_they_are_cut_into_blocks(tmp_path):
    samples = noise(10_000)
    whole = write_take(tmp_path / "whole.wav", samples)
    with TakeWriter(tmp_path / "blocks.wav") as writer:
        for start in range(0, 10_000, 777):
            writer.write(samples[start : start + 777])
        blocks = writer.finish()
    assert blocks.sha256 == whole.sha256


def test_samples_are_rounded_to_the_nearest_step_and_loud_ones_are_clipped():
    step = 2.0**-23
    given = np.array([0, step, 1.4 * step, 1.6 * step, -1.6 * step, 0.5 * step, 1.0, -1.0, 7.0, -7.0])
    assert quantised(given).tolist() == [0, 1, 1, 2, -2, 0, 2**23 - 1, -(2**23), 2**23 - 1, -(2**23)]


def test_reading_and_writing_again_changes_no_bit(tmp_path):
    first = write_take(tmp_path / "first.wav", np.concatenate([noise(5000), [1.0, -1.0, 0.0]]))
    again = write_take(tmp_path / "again.wav", np.concatenate([*read_blocks(first.path)]))
    assert again.sha256 == first.sha256


def test_any_part_can_be_read(tmp_path):
    take = write_take(tmp_path / "take.wav", noise(5000))
    whole, _ = soundfile.read(take.path, dtype="float32")
    part = np.concatenate([*read_blocks(take.path, 1234, 4321, block_samples=100)])
    np.testing.assert_array_equal(part, whole[1234:4321])


def test_a_take_named_by_its_content_never_replaces_another(tmp_path):
    first = write_take(tmp_path / "take.wav", noise(100, seed=1))
    second = write_take(tmp_path / "take.wav", noise(100, seed=2))
    repeated = write_take(tmp_path / "take.wav", noise(100, seed=1))
    assert first.path != second.path
    assert first.path.exists()
    assert (first.is_new, second.is_new, repeated.is_new) == (True, True, False)
    assert repeated.path == first.path


def test_an_unfinished_take_leaves_nothing(tmp_path):
    def interrupted() -> None:
        with TakeWriter(tmp_path / "take.wav") as writer:
            writer.write(noise(100))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [99, 101])
def test_a_take_of_the_wrong_length_is_refused(tmp_path, count):
    def write() -> None:
        with TakeWriter(tmp_path / "take.wav", sample_count=100) as writer:
            writer.write(noise(count))
            writer.finish()

    with pytest.raises(OutputError, match=f"should have 100 samples and got {count}"):
        write()
    assert not list(tmp_path.iterdir())


def test_samples_that_are_no_numbers_are_refused(tmp_path):
    with TakeWriter(tmp_path / "take.wav") as writer, pytest.raises(MediaError, match="no numbers"):
        writer.write(np.array([0.0, np.nan]))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path):
    def write(disk: Path) -> None:
        with TakeWriter(disk / "take.wav") as writer:
            for _ in range(10):
                writer.write(noise(48000))
            writer.finish()

    with mounted_disk(tmp_path / "disk", "size=64k") as disk:
        with pytest.raises(OutputError, match=r"full; free some space.*Nothing was left"):
            write(disk)
        assert not list(disk.iterdir())


def test_a_file_that_is_no_take_is_refused_with_what_was_found(tmp_path):
    soundfile.write(tmp_path / "stereo.wav", np.zeros((10, 2)), 44100)
    with pytest.raises(MediaError, match="2 channels at 44100 Hz"):
        list(read_blocks(tmp_path / "stereo.wav"))
    with pytest.raises(MediaError, match="cannot be read as audio"):
        list(read_blocks(tmp_path / "missing.wav"))
    take = write_take(tmp_path / "take.wav", noise(100))
    with pytest.raises(MediaError, match="has 100 samples; 50 to 101 were asked for"):
        list(read_blocks(take.path, 50, 101))
