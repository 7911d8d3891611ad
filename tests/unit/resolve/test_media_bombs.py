"""Files that are made to cost more than they look: refused in time, in a sentence, and within the decoder's memory."""

import struct
import sys
import time
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from diffava_resolve.decoding.decoders import Decoders
from diffava_resolve.errors import MediaError
from diffava_resolve.frames import foreign, reader
from diffava_resolve.spec import FrameFormat, Layer, MovieFile, Picture, Region, Segment
from support.clips import write_clip, write_numbered_clip
from support.media_endings import peak_mib

FORMAT = FrameFormat(Fraction(25), 32, 32)
PLAYLISTS = {
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
    "concat.mov": "ffconcat version 1.0\nfile '{target}'\n",
    "dash.mkv": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><Period><AdaptationSet>"
    "<Representation><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
}


@pytest.fixture
def decoders():
    ours = Decoders()
    list(ours.run(range, 1))  # its start is not the file's fault
    yield ours
    ours.close()


def decoded(decoders, path):
    layer = Layer(MovieFile(path), Fraction(0), Fraction(0), Fraction(1))
    picture = Picture(Region(Fraction(25), 0, 0, 2), (Segment(0, 2, (layer,)),), ())
    return np.concatenate(list(decoders.run(reader.frames_of, picture, FORMAT)))


def refusal(decoders, path, within_s):
    started_s = time.monotonic()
    with pytest.raises(MediaError) as caught:
        decoded(decoders, path)
    assert time.monotonic() - started_s < within_s
    assert path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_that_calls_itself_a_movie_reads_nothing(decoders, tmp_path, name):
    target = write_numbered_clip(tmp_path / "secret.mp4", 4, Fraction(25))
    (tmp_path / name).write_text(PLAYLISTS[name].format(target=target))
    assert "cannot be read" in refusal(decoders, tmp_path / name, 1)


def test_garbage_and_what_is_cut_off_are_refused_at_once(decoders, tmp_path):
    (tmp_path / "garbage.mp4").write_bytes(np.random.default_rng(1).bytes(1 << 20))
    refusal(decoders, tmp_path / "garbage.mp4", 1)
    whole = write_numbered_clip(tmp_path / "whole.mp4", 25, Fraction(25)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    refusal(decoders, tmp_path / "cut.mp4", 1)


def test_a_codec_that_no_editor_uses_is_refused(decoders, tmp_path):
    movie = write_numbered_clip(tmp_path / "game.avi", 4, Fraction(25), codec="zmbv", pixel_format="bgr0")
    assert "(zmbv)" in refusal(decoders, movie, 1)


def png(path: Path, width: int, height: int) -> Path:
    """A picture of nothing: a few kB however large it is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(bytes(1 + 3 * width)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def jpeg(path: Path, width: int, height: int) -> Path:
    """A small picture whose header says another size."""
    write_clip(
        path.with_suffix(".avi"),
        [np.zeros((16, 16, 3), np.uint8)],
        Fraction(25),
        codec="mjpeg",
        pixel_format="yuvj420p",
    )
    data = path.with_suffix(".avi").read_bytes()
    picture = bytearray(data[data.index(b"\xff\xd8\xff") :])
    frame = picture.index(b"\xff\xc0")
    picture[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    path.write_bytes(picture)
    return path


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (2**31 - 1, 1), (1, 2**31 - 1), (200_000, 200_000)])
def test_a_png_larger_than_any_camera_takes_is_refused(decoders, tmp_path, width, height):
    path = png(tmp_path / "bomb.png", 1, 1)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    refusal(decoders, path, 3)
    assert all(peak_mib(pid) < 1024 for pid in decoders.pids)


def test_a_jpeg_larger_than_any_camera_takes_is_refused(decoders, tmp_path):
    refusal(decoders, jpeg(tmp_path / "bomb.jpg", 65_500, 65_500), 3)
    assert all(peak_mib(pid) < 1024 for pid in decoders.pids)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_largest_picture_that_is_allowed_stays_within_a_gibibyte(decoders, tmp_path):
    assert decoded(decoders, png(tmp_path / "large.png", 9900, 9900)).max() == 0
    assert all(peak_mib(pid) < 1024 for pid in decoders.pids)


def test_a_movie_that_says_it_lasts_for_days_is_refused(tmp_path):
    pictures = [np.zeros((16, 16, 3), np.uint8)] * 2
    movie = write_clip(tmp_path / "days.mkv", pictures, Fraction(25), times_s=[Fraction(0), Fraction(1_000_000)])
    started_s = time.monotonic()
    with pytest.raises(MediaError, match="which no movie does"):
        foreign.length_of(movie)
    assert time.monotonic() - started_s < 3


def test_a_movie_whose_pictures_grow_on_the_way_is_refused_there(decoders, tmp_path):
    """The second picture of this stream of JPEGs is larger than the file's own size says."""
    movie = tmp_path / "grows.avi"
    write_clip(movie, [np.zeros((16, 16, 3), np.uint8)] * 2, Fraction(25), codec="mjpeg", pixel_format="yuvj420p")
    data = bytearray(movie.read_bytes())
    second = data.rindex(b"\xff\xc0")
    data[second + 5 : second + 9] = struct.pack(">HH", 65_500, 65_500)
    movie.write_bytes(data)
    assert "damaged" in refusal(decoders, movie, 3)
    assert all(peak_mib(pid) < 1024 for pid in decoders.pids)
