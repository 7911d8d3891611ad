"""Case 21, second half: a client that knows only an earlier wire gets its sound from today's server."""

import hashlib

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from support.old_wire import RELEASES, message_classes
from support.server import RATE_HZ, server_process

FRAME_BYTES = 32 * 18 * 3
FRAME_COUNT = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with (
        server_process(tmp_path_factory.mktemp("server")) as running,
        grpc.insecure_channel(running.address) as channel,
    ):
        yield channel, (("authorization", f"Bearer {running.token}"),)


class OldClient:
    """Speaks with the message classes of one release."""

    def __init__(self, release, server):
        self.wire = message_classes(release)
        self._channel, self._metadata = server

    def info(self):
        ask = self._channel.unary_unary(
            "/diffava.v1.FoleyService/GetServerInfo",
            self.wire["GetServerInfoRequest"].SerializeToString,
            self.wire["GetServerInfoResponse"].FromString,
        )
        return ask(self.wire["GetServerInfoRequest"](), metadata=self._metadata)

    def generate(self, **fields):
        ask = self._channel.stream_stream(
            "/diffava.v1.FoleyService/Generate",
            self.wire["GenerateRequest"].SerializeToString,
            self.wire["GenerateResponse"].FromString,
        )
        return list(ask(iter(self._messages(**fields)), metadata=self._metadata))

    def _messages(self, **fields):
        header = {"prompt": "a door", "seeds": [7], "sample_rate_hz": RATE_HZ, "client_id": "old", **fields}
        yield self.wire["GenerateRequest"](header=self.wire["GenerateHeader"](**header))
        for number in range(header.get("frame_count", 0)):
            rgb24 = (b"\xff" if number == 4 else b"\0") * FRAME_BYTES
            yield self.wire["GenerateRequest"](
                frames=self.wire["FrameChunk"](first_frame=number, frame_count=1, rgb24=rgb24)
            )


@pytest.mark.parametrize("release", RELEASES)
def test_case_21_an_old_client_reads_what_the_server_can(release, server):
    (model,) = OldClient(release, server).info().models
    assert (model.name, model.sample_rate_hz, model.frame_width_pixels) == ("fake", RATE_HZ, 32)


@pytest.mark.parametrize("release", RELEASES)
def test_case_21_an_old_client_gets_its_sound_also_of_pictures_that_the_server_knows(release, server):
    for _ in range(2):  # the second time the server could do without the pictures, had it been told which they are
        responses = OldClient(release, server).generate(sample_count=RATE_HZ, frame_count=FRAME_COUNT)
        sound = b"".join(response.audio.pcm_f32le for response in responses)
        assert len(sound) == RATE_HZ * 4
        assert sound[4 * RATE_HZ // 2 :][:4] == b"\0\0\x80?"  # 1.0 at the white picture, half a second in
        assert list(responses[-1].done.take_sha256) == [hashlib.sha256(sound).hexdigest()]


@pytest.mark.parametrize("release", RELEASES)
def test_case_21_an_old_client_reads_a_refusal(release, server):
    with pytest.raises(grpc.RpcError) as refused:
        OldClient(release, server).generate(sample_count=0)
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in rpc_status.from_call(refused.value).details)
    assert info.reason == "INVALID_REQUEST"
