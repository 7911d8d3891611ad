"""The error table, and the check of what goes out."""

import hashlib

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2

from diffava_server import errors
from diffava_server.engine.protocol import Audio, Job
from diffava_server.errors import EngineFailedError, ServerError
from diffava_server.rpc.status import status_of
from diffava_server.rpc.takes import SentTakes

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ServerError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_status_with_its_reason_and_whether_to_retry(kind):
    status = status_of(kind("A sentence."))
    assert grpc.StatusCode[kind.code].value[0] == status.code
    assert status.message == "A sentence."
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (kind.reason, "diffava.v1")
    assert info.metadata["retryable"] == str(kind.retryable).lower()
    assert any(detail.Unpack(retry) for detail in status.details) == kind.retryable


def test_no_two_errors_share_a_reason():
    reasons = [kind.reason for kind in CLASSES]
    assert len(set(reasons)) == len(reasons)


def sent(*blocks, takes=2, sample_count=4):
    followed = SentTakes(Job(model="m", prompt="p", sample_count=sample_count, seeds=tuple(range(takes))))
    for take, first_sample, samples in blocks:
        followed.add(Audio(take, first_sample, bytes(4 * samples)))
    return followed.sha256()


def test_whole_takes_have_the_hash_of_their_bytes():
    assert sent((0, 0, 1), (0, 1, 3), (1, 0, 4)) == (hashlib.sha256(bytes(16)).hexdigest(),) * 2


@pytest.mark.parametrize(
    "blocks",
    [
        [(0, 0, 4)],  # one take of two
        [(0, 0, 4), (1, 0, 3)],  # a sample short
        [(0, 0, 4), (1, 0, 5)],  # a sample long
        [(0, 0, 2), (0, 3, 1)],  # a gap
        [(0, 0, 2), (1, 0, 4)],  # the first take cut off
        [(1, 0, 4), (0, 0, 4)],  # the wrong order
        [(0, 0, 4), (1, 0, 4), (2, 0, 4)],  # a take too many
        [],
    ],
)
def test_an_engine_that_gives_other_samples_than_were_asked_for_is_a_defect(blocks):
    with pytest.raises(EngineFailedError, match="please report it"):
        sent(*blocks)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_audio_that_is_no_number_is_never_sent(value):
    takes = SentTakes(Job(model="m", prompt="p", sample_count=4, seeds=(1,)))
    with pytest.raises(EngineFailedError, match="no numbers, near sample 0 of take 0; try another guidance scale"):
        takes.add(Audio(0, 0, np.array([0, value, 0, 0], "<f4").tobytes()))
