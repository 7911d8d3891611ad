"""Preparing a corpus and reading it back: resumable, checked, streamed, each clip once an epoch."""

import csv
import resource
import sys
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from diffava.errors import DataError
from diffava.training.corpora.corpus import Clip
from diffava.training.prepared.batches import Feed
from diffava.training.prepared.clips import PreparedClips
from diffava.training.prepared.media import Media
from diffava.training.prepared.preparation import MISSING, SKIPPED, prepare
from diffava.training.prepared.shards import notes


@dataclass
class Numbered:
    """A corpus of numbered clips, two of each source."""

    count: int
    missing: tuple[str, ...] = ("gone",)
    info: dict = field(default_factory=lambda: {"corpus": "numbered", "licence": "none"})

    def clips(self, clip_s):
        for k in range(self.count):
            yield Clip(f"clip-{k}", f"source-{k // 2}", Path(str(k)), 0.0, clip_s, (f"{k}", f"{k}"))


class Encoder:
    """Says of a clip only its number, and remembers which it was asked about."""

    clip_s = 10.0

    def __init__(self, stop_at=None, **key):
        self.key, self.asked, self.stop_at = {"model": "fake", **key}, [], stop_at

    def encode(self, media, captions):
        number = int(media.samples[0])
        if number == self.stop_at:
            raise KeyboardInterrupt
        self.asked.append(number)
        return {"number": np.array([number]), "captions": np.full((len(captions), 2), number, np.float16)}


def read(clip):
    number = int(clip.path.name)
    if number % 10 == 7:
        raise DataError(f"{clip.clip_id} is broken.")
    return Media(np.zeros((1, 2, 2, 3), np.uint8), np.array([number], np.float32))


def prepared(folder, count=40, encoder=None, **options):
    return prepare(Numbered(count), encoder or Encoder(), read, folder, clips_a_shard=8, **options)


def numbers(items):
    return [int(item["number"][0]) for item in items]


@pytest.mark.parametrize("workers", [0, 2])
def test_every_clip_is_in_once_and_what_is_not_is_listed_with_its_reason(tmp_path, workers):
    summary = prepared(tmp_path, workers=workers)
    assert summary.clips == 36
    assert [clip for note in notes(tmp_path) for clip in note.clip_ids] == [
        f"clip-{k}" for k in range(40) if k % 10 != 7
    ]
    with (tmp_path / SKIPPED).open() as file:
        assert list(csv.reader(file))[1:] == [[f"clip-{k}", f"clip-{k} is broken."] for k in (7, 17, 27, 37)]
    assert (tmp_path / MISSING).read_text().split() == ["clip", "gone"]


@pytest.mark.parametrize("stop_at", [0, 5, 20, 39])
def test_a_stopped_preparation_goes_on_and_puts_nothing_in_twice(tmp_path, stop_at):
    first = Encoder(stop_at)
    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path / "stopped", encoder=first)
    kept = sum(len(note.clip_ids) for note in notes(tmp_path / "stopped"))
    (tmp_path / "stopped" / f"shard-{kept // 8:05d}.safetensors.unfinished").write_bytes(b"half a shard")
    second = Encoder()
    prepared(tmp_path / "stopped", encoder=second)
    assert len(first.asked) - kept < 8  # what is encoded again is less than a shard
    assert sorted(first.asked[:kept] + second.asked) == [k for k in range(40) if k % 10 != 7]
    prepared(tmp_path / "whole")
    streams = [numbers(PreparedClips([tmp_path / name]).items(0, 36, 36)) for name in ("stopped", "whole")]
    assert streams[0] == streams[1]


def test_a_finished_preparation_asks_the_encoder_nothing(tmp_path):
    prepared(tmp_path)
    again = Encoder()
    assert prepared(tmp_path, encoder=again).clips == 36
    assert again.asked == []


def test_another_encoder_or_corpus_is_refused(tmp_path):
    prepared(tmp_path)
    with pytest.raises(DataError, match=r"encoder\.weights_sha256 differ"):
        prepared(tmp_path, encoder=Encoder(weights_sha256="other"))
    (tmp_path / "film.txt").touch()
    with pytest.raises(DataError, match="holds other things"):
        prepared(tmp_path.parent)


def test_a_damaged_shard_is_noticed(tmp_path):
    prepared(tmp_path)
    shard = tmp_path / "shard-00002.safetensors"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.raises(DataError, match=r"shard-00002\.safetensors is damaged"):
        PreparedClips([tmp_path]).items(0, 36, 36)


def test_an_unfinished_folder_is_not_trained_from(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path, encoder=Encoder(20))
    with pytest.raises(DataError, match="no finished preparation"):
        PreparedClips([tmp_path])


def test_a_corpus_of_which_nothing_can_be_used_says_why(tmp_path):
    def broken(clip):
        raise DataError("All are broken.")

    with pytest.raises(DataError, match="No clip of the corpus could be used: All are broken"):
        prepare(Numbered(3), Encoder(), broken, tmp_path)


def test_an_epoch_has_every_clip_once_in_another_order_each_time(tmp_path):
    prepared(tmp_path, 200)
    clips = PreparedClips([tmp_path], seed=3)
    epochs = [numbers(clips.items(180 * k, 180, 180)) for k in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == [k for k in range(200) if k % 10 != 7]
    assert epochs[0] != epochs[1]
    assert numbers(PreparedClips([tmp_path], seed=3).items(97, 5, 180)) == epochs[0][97:102]
    assert numbers(PreparedClips([tmp_path], seed=4).items(0, 180, 180)) != epochs[0]


def test_a_batch_holds_no_clip_twice_and_is_the_same_in_parts(tmp_path):
    prepared(tmp_path)
    whole = Feed(PreparedClips([tmp_path]), 16)
    halves = Feed(PreparedClips([tmp_path]), 16, 2)
    for step in range(5):
        batch = numbers(whole.items(step))
        assert len(set(batch)) == 16
        assert batch == numbers(halves.items(2 * step)) + numbers(halves.items(2 * step + 1))
    with pytest.raises(DataError, match="36 clips to learn from, a batch has 64"):
        Feed(PreparedClips([tmp_path]), 64).items(0)


def test_held_out_clips_are_never_learned_from_nor_clips_of_their_source(tmp_path):
    prepared(tmp_path, 200)
    clips = PreparedClips([tmp_path], 0.2)
    learned = set(numbers(clips.items(0, len(clips), len(clips))))
    apart = {number for batch in clips.held_out(7) for number in numbers(batch)}
    assert len(apart) == clips.held_out_count > 10
    assert len(learned) + len(apart) == 180
    assert not {number // 2 for number in learned} & {number // 2 for number in apart}


def test_several_folders_are_one_training_set_and_a_validation_folder_is_apart(tmp_path):
    prepared(tmp_path / "a", 20)
    prepared(tmp_path / "b", 30)
    assert len(PreparedClips([tmp_path / "a", tmp_path / "b"])) == 45
    clips = PreparedClips([tmp_path / "a"], 0.2, validation=[tmp_path / "b"])
    assert (len(clips), clips.held_out_count) == (18, 27)
    prepare(Numbered(8), Encoder(other=1), read, tmp_path / "c")
    with pytest.raises(DataError, match="prepared with different encoders"):
        PreparedClips([tmp_path / "a", tmp_path / "c"])


def test_memory_does_not_grow_with_the_corpus(tmp_path):
    """A clip here has 64 KiB of numbers; what 1000 more would take, if they were held, is 62 MiB."""

    class Large(Encoder):
        def encode(self, media, captions):
            return super().encode(media, captions) | {"values": np.zeros((128, 256), np.float16)}

    def peak_mib():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)

    prepare(Numbered(300), Large(), read, tmp_path / "small", clips_a_shard=32)
    Feed(PreparedClips([tmp_path / "small"]), 32).items(0)
    before = peak_mib()
    prepare(Numbered(1300), Large(), read, tmp_path / "large", clips_a_shard=32)
    feed = Feed(PreparedClips([tmp_path / "large"]), 32)
    assert sum(len(feed.items(step)) for step in islice(range(36), 36)) == 36 * 32
    assert peak_mib() - before < 32
