"""A second take of the same shot asks no encoder and reads no frames, and has the same bits."""

import hashlib
from dataclasses import replace

import pytest
import torch

from diffava.builders import build
from diffava.errors import RequestError
from diffava.features.encoder import PictureKey
from diffava.features.memory import Memory
from diffava.spec import Progress
from support.pictures import in_chunks, random_pictures, request_of_seconds


@pytest.fixture
def nano():
    return build("nano")


def shot(pipeline, seed=0, **fields):
    request = request_of_seconds(pipeline.spec, 2, step_count=1, **fields)
    pictures = random_pictures(pipeline.spec, request.frame_count, seed)
    return replace(request, frames_sha256=hashlib.sha256(pictures.numpy().tobytes()).digest()), pictures


def sound(pipeline, request, frames, seen=None):
    on_progress = (lambda _: None) if seen is None else seen.append
    return torch.cat([piece.samples for piece in pipeline.generate(request, frames, on_progress=on_progress)])


def no_frames():
    pytest.fail("the frames were asked for")
    yield


def test_a_second_take_reads_no_frames_asks_no_encoder_and_has_the_bits_of_one_without_memory(nano):
    request, pictures = shot(nano, seeds=(1,))
    again = replace(request, seeds=(2,))
    expected = sound(build("nano"), again, in_chunks(pictures))
    assert not nano.features.is_remembered(request)
    sound(nano, request, in_chunks(pictures))
    assert nano.features.is_remembered(again)
    asked, progress = [], []
    for tower in (nano.features.text.model, nano.features.video.model):
        tower.register_forward_pre_hook(lambda *_: asked.append(1))
    assert torch.equal(sound(nano, again, no_frames(), progress), expected)
    assert asked == []
    assert progress[0] == Progress("features", 16, 16)


def test_another_prompt_cut_or_length_of_the_same_pictures_is_not_mixed_up(nano):
    request, pictures = shot(nano)
    sound(nano, request, in_chunks(pictures))
    other = replace(request, prompt="a bell")
    assert torch.equal(sound(nano, other, no_frames()), sound(build("nano"), other, in_chunks(pictures)))
    cut = replace(request, cut_samples=(40_000,))
    assert not nano.features.is_remembered(cut)
    assert torch.equal(sound(nano, cut, in_chunks(pictures)), sound(build("nano"), cut, in_chunks(pictures)))


def test_pictures_are_remembered_under_the_hash_of_what_came_and_a_wrong_name_is_refused(nano):
    """Else one client could have another's pictures answered for by its own."""
    request, pictures = shot(nano, 1)
    _, others = shot(nano, 2)
    with pytest.raises(RequestError, match=r"The frames have the sha256 .*, the request says"):
        sound(nano, request, in_chunks(others))
    assert not nano.features.is_remembered(request)
    sound(nano, replace(request, frames_sha256=b""), in_chunks(pictures))
    assert nano.features.remembered() == {PictureKey(request.frames_sha256, 96_000, 16, ())}


def test_what_was_not_used_for_longest_is_forgotten_first_and_the_limit_holds():
    memory: Memory[str, int] = Memory(limit_bytes=10)
    memory.put("a", 1, 4)
    memory.put("b", 2, 4)
    assert memory.get("a") == 1
    memory.put("c", 3, 4)
    assert memory.keys() == {"a", "c"}
    memory.put("a", 5, 6)  # in its own place
    assert (memory.keys(), memory.get("a")) == ({"a", "c"}, 5)
    memory.put("too large", 4, 11)
    assert memory.get("too large") is None
