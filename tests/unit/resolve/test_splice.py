import numpy as np
import pytest
import soundfile

from diffava_resolve.errors import OutputError, RequestError
from diffava_resolve.timeline.audio_file import TakeWriter
from diffava_resolve.timeline.splice import Part, SplicedTakeWriter, splice
from support.takes import noise, write_take

LENGTH, START, STOP = 20_000, 6_000, 15_000


def integers(path):
    return soundfile.read(path, dtype="int32")[0] >> 8


@pytest.fixture
def old(tmp_path):
    return write_take(tmp_path / "old.wav", noise(LENGTH, seed=1)).path


def spliced(tmp_path, old, part, new, block=1000):
    with TakeWriter(tmp_path / "new.wav", sample_count=LENGTH) as writer:
        whole = SplicedTakeWriter(writer, old, part)
        for start in range(0, LENGTH, block):
            whole.write(new[start : start + block])
        return integers(writer.finish().path)


def test_every_sample_outside_the_part_is_the_old_one_bit_for_bit(tmp_path, old):
    result = spliced(tmp_path, old, Part.of_take(START, STOP, LENGTH), noise(LENGTH, seed=2))
    before = integers(old)
    np.testing.assert_array_equal(result[:START], before[:START])
    np.testing.assert_array_equal(result[STOP:], before[STOP:])
    assert np.count_nonzero(result[START:STOP] != before[START:STOP]) > 0.99 * (STOP - START)


def test_between_the_crossfades_the_new_samples_stand_bit_for_bit(tmp_path, old):
    new = write_take(tmp_path / "other.wav", noise(LENGTH, seed=2)).path
    result = spliced(tmp_path, old, Part.of_take(START, STOP, LENGTH), noise(LENGTH, seed=2))
    np.testing.assert_array_equal(result[START + 480 : STOP - 480], integers(new)[START + 480 : STOP - 480])


def test_blocks_of_the_part_alone_give_the_same_as_blocks_of_the_whole_take(tmp_path, old):
    part, new = Part.of_take(START, STOP, LENGTH), noise(LENGTH, seed=2)
    whole = spliced(tmp_path, old, part, new)
    with TakeWriter(tmp_path / "part.wav", sample_count=LENGTH) as writer:
        splice(writer, old, part, iter([new[START:9000], new[9000:STOP]]))
        alone = integers(writer.finish().path)
    np.testing.assert_array_equal(alone, whole)


def test_crossfades_rise_and_fall_over_10_ms_with_gains_that_add_up_to_one():
    weights = Part.of_take(START, STOP, LENGTH).weights(0, LENGTH)
    assert np.all(weights[:START] == 0)
    assert np.all(weights[STOP:] == 0)
    assert np.all(weights[START + 480 : STOP - 480] == 1)
    assert np.all(np.diff(weights[START : START + 480]) > 0)
    assert np.all(np.diff(weights[STOP - 480 : STOP]) < 0)
    assert weights[START + 240] == pytest.approx(0.5, abs=0.01)


def test_a_part_that_sounds_alike_passes_without_a_step(tmp_path, old):
    same, _ = soundfile.read(old, dtype="float32")
    np.testing.assert_array_equal(spliced(tmp_path, old, Part.of_take(START, STOP, LENGTH), same), integers(old))


def test_at_the_takes_own_ends_there_is_nothing_to_fade_from():
    assert Part.of_take(0, STOP, LENGTH).fade_in_samples == 0
    assert Part.of_take(START, LENGTH, LENGTH).fade_out_samples == 0
    assert np.all(Part.of_take(0, LENGTH, LENGTH).weights(0, LENGTH) == 1)


def test_a_part_shorter_than_its_crossfades_shares_its_length_between_them():
    part = Part.of_take(START, START + 101, LENGTH)
    assert (part.fade_in_samples, part.fade_out_samples) == (50, 50)


def test_no_crossfade_reaches_across_a_cut():
    part = Part.of_take(START, STOP, LENGTH, cut_samples=(100, START + 50, STOP - 70, STOP + 5))
    assert (part.fade_in_samples, part.fade_out_samples) == (50, 70)


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 5), (6, 5), (0, LENGTH + 1)])
def test_a_part_outside_the_take_is_refused(start, stop):
    with pytest.raises(RequestError, match="choose a range inside the clip"):
        Part.of_take(start, stop, LENGTH)


def test_a_part_of_the_wrong_length_is_refused_and_leaves_nothing(tmp_path, old):
    def run() -> None:
        with TakeWriter(tmp_path / "new.wav") as writer:
            splice(writer, old, Part.of_take(START, STOP, LENGTH), iter([noise(10)]))

    with pytest.raises(OutputError, match=f"should reach sample {STOP} .* reached {START + 10}"):
        run()
    assert list(tmp_path.iterdir()) == [old]
