"""One opened movie: the frame at a second, whatever the container does with time."""

from fractions import Fraction

import av
import numpy as np
import pytest

from diffava_resolve.errors import MediaError
from diffava_resolve.frames import movie as movie_module
from diffava_resolve.frames.movie import Movie
from diffava_resolve.frames.source import SourceFile
from support.clips import (
    number_of,
    rotate_by_display_matrix,
    skip_by_edit_list,
    write_clip,
    write_numbered_clip,
    write_numbered_pictures,
)
from support.shared_data import VIDEO, needs_shared_video

PAL = Fraction(25)
NTSC = Fraction(30_000, 1001)


def opened(path, tolerance_s=Fraction(0)):
    return Movie(SourceFile.of(path), tolerance_s=tolerance_s)


def shown(movie, second):
    return number_of(movie.picture_at(second).frame.to_ndarray(format="rgb24"))


def middle(frame, rate):
    return (frame + Fraction(1, 2)) / rate


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("plain.mp4", {}),
        ("b_frames.mp4", {"b_frames": 3}),
        ("b_frames.mkv", {"b_frames": 3}),
        ("b_frames.ts", {"b_frames": 3}),
        ("mpeg4.avi", {"codec": "mpeg4", "b_frames": 2}),
        ("hevc.mp4", {"codec": "libx265", "b_frames": 2}),
        ("ten_bit.mov", {"codec": "prores_ks", "pixel_format": "yuv422p10le"}),
        ("odd_size.mkv", {"codec": "ffv1", "pixel_format": "yuv444p", "width": 97, "height": 73}),
        ("late.mp4", {"b_frames": 2, "start_s": Fraction(3, 2)}),
    ],
)
def test_every_frame_is_found_forwards_backwards_and_at_random(tmp_path, name, properties):
    rate = NTSC if name.endswith(("mp4", "mov")) else PAL
    path = write_numbered_clip(tmp_path / name, 40, rate, **properties)
    with opened(path) as movie:
        assert [shown(movie, middle(n, rate)) for n in range(40)] == list(range(40))
        assert [shown(movie, middle(n, rate)) for n in reversed(range(40))] == list(reversed(range(40)))
        order = np.random.default_rng(0).integers(0, 40, 40).tolist()
        assert [shown(movie, middle(n, rate)) for n in order] == order


@pytest.mark.parametrize(
    "rate",
    [Fraction(24_000, 1001), Fraction(24), PAL, NTSC, Fraction(30), Fraction(50), Fraction(60_000, 1001)],
    ids=str,
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_frame_boundaries_of_all_rates_are_exact_even_where_the_container_rounds(tmp_path, rate, suffix):
    path = write_numbered_clip(tmp_path / f"clip{suffix}", 70, rate, gop_frames=30)
    with opened(path) as movie:
        for n in range(70):
            assert shown(movie, n / rate) == n
            assert shown(movie, (n + Fraction(7, 10)) / rate) == n


def test_forward_streaming_decodes_each_picture_once(tmp_path):
    path = write_numbered_clip(tmp_path / "clip.mp4", 60, PAL, b_frames=3)
    with opened(path) as movie:
        for n in range(600):
            movie.picture_at(Fraction(n, 250))
        assert movie.decoded_frames == 60


def test_reverse_playback_decodes_each_group_of_pictures_about_once(tmp_path):
    path = write_numbered_clip(tmp_path / "clip.mp4", 96, PAL, gop_frames=12, b_frames=2)
    with opened(path) as movie:
        assert [shown(movie, middle(n, PAL)) for n in reversed(range(96))] == list(reversed(range(96)))
        assert movie.decoded_frames < 3 * 96


def test_reverse_playback_of_long_groups_of_pictures_keeps_few_of_them(tmp_path, monkeypatch):
    path = write_numbered_clip(tmp_path / "clip.mp4", 60, PAL, gop_frames=60)
    with opened(path) as movie:
        size_bytes = sum(plane.buffer_size for plane in movie.picture_at(Fraction(0)).frame.planes)
        monkeypatch.setattr(movie_module, "_REVERSE_BYTES", 8 * size_bytes)
        for n in reversed(range(60)):
            assert shown(movie, middle(n, PAL)) == n
            assert movie.held_pictures <= 8


def test_a_jump_far_ahead_seeks_instead_of_decoding_everything(tmp_path):
    path = write_numbered_clip(tmp_path / "clip.mp4", 400, PAL, gop_frames=12)
    with opened(path) as movie:
        assert shown(movie, middle(390, PAL)) == 390
        assert movie.decoded_frames < 50


def test_with_a_variable_frame_rate_a_frame_is_shown_until_the_next_begins(tmp_path):
    times_s = [Fraction(n * n, 50) for n in range(12)]
    for b_frames in (0, 2):
        path = write_numbered_clip(tmp_path / f"vfr{b_frames}.mp4", 12, PAL, times_s=times_s, b_frames=b_frames)
        with opened(path) as movie:
            for n in range(11):
                assert shown(movie, times_s[n]) == n
                assert shown(movie, times_s[n + 1] - Fraction(1, 200)) == n


def test_an_edit_list_moves_the_first_picture(tmp_path):
    path = skip_by_edit_list(write_numbered_clip(tmp_path / "clip.mp4", 40, PAL, b_frames=2), Fraction(7, 25))
    with opened(path) as movie:
        assert [shown(movie, middle(n, PAL)) for n in range(33)] == list(range(7, 40))
        assert [shown(movie, middle(n, PAL)) for n in reversed(range(33))] == list(reversed(range(7, 40)))


def test_a_raw_stream_without_times_runs_at_its_usual_rate(tmp_path):
    path = write_numbered_clip(tmp_path / "clip.h264", 30, PAL)
    with opened(path) as movie:
        assert [shown(movie, middle(n, PAL)) for n in range(30)] == list(range(30))
        assert shown(movie, middle(4, PAL)) == 4


def test_the_rotation_of_phone_video_is_reported_with_the_picture(tmp_path):
    path = rotate_by_display_matrix(write_numbered_clip(tmp_path / "clip.mp4", 3, PAL), 90)
    with opened(path) as movie:
        assert movie.picture_at(Fraction(0)).frame.rotation == -90


def test_a_single_picture_is_shown_for_ever(tmp_path):
    write_numbered_pictures(tmp_path, "still%02d_", ".png", [5])
    with opened(tmp_path / "still%02d_0005.png") as movie:
        assert [shown(movie, Fraction(second)) for second in (0, 5, 1000)] == [5, 5, 5]


def test_the_last_picture_is_held_for_one_frame_and_for_the_tolerance_and_no_longer(tmp_path):
    path = write_numbered_clip(tmp_path / "clip.mp4", 25, PAL)
    with opened(path) as movie:
        assert shown(movie, Fraction(101, 100)) == 24
        with pytest.raises(
            MediaError, match=r"clip\.mp4 for the picture at 1\.100 s, but its pictures end at 1\.000 s"
        ):
            movie.picture_at(Fraction(11, 10))
        assert shown(movie, Fraction(-1, 100)) == 0
        with pytest.raises(MediaError, match=r"0\.500 s before its first"):
            movie.picture_at(Fraction(-1, 2))
    with opened(path, tolerance_s=Fraction(1, 5)) as movie:
        assert shown(movie, Fraction(11, 10)) == 24


def test_a_missing_file_is_said_to_be_offline(tmp_path):
    with pytest.raises(MediaError, match=r"gone\.mov was not found; bring its drive online or relink"):
        SourceFile.of(tmp_path / "gone.mov")
    with pytest.raises(MediaError, match="is not a file"):
        SourceFile.of(tmp_path)


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(MediaError, match=r"clip\.mp4 is empty"):
        opened(tmp_path / "clip.mp4")


def test_a_file_that_is_no_movie_is_refused(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(10_000))
    with pytest.raises(MediaError, match=r"clip\.mp4 cannot be read as a movie or a picture"):
        opened(path)


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {}\n"]
)
def test_a_playlist_that_calls_itself_a_movie_opens_no_other_file(tmp_path, text):
    other = write_numbered_clip(tmp_path / "other.ts", 5, PAL)
    path = tmp_path / "clip.mp4"
    path.write_text(text.format(other.name))
    with pytest.raises(MediaError, match="cannot be read as a movie"):
        opened(path)


def test_a_sound_file_has_no_picture(tmp_path):
    path = tmp_path / "clip.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 48_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(MediaError, match=r"clip\.wav has no picture, only sound"):
        opened(path)


def test_a_file_without_its_index_cannot_be_read(tmp_path):
    path = write_numbered_clip(tmp_path / "clip.mp4", 50, PAL, width=320, height=240)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])  # the index stands at the end
    with pytest.raises(MediaError, match="damaged, cut off"):
        opened(path)


def test_a_file_that_was_cut_off_says_how_much_of_it_is_left(tmp_path):
    fast_start = {"movflags": "faststart"}  # the index stands at the beginning
    path = write_numbered_clip(tmp_path / "clip.mp4", 50, PAL, width=320, height=240, container_options=fast_start)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    with opened(path) as movie:
        assert shown(movie, middle(3, PAL)) == 3
        with pytest.raises(MediaError, match=r"clip\.mp4.*(cut off|damaged)"):
            movie.picture_at(middle(49, PAL))


def test_a_half_read_picture_is_never_shown(tmp_path):
    path = write_numbered_clip(tmp_path / "clip.mkv", 50, PAL, width=320, height=240, gop_frames=1)
    whole_bytes = path.read_bytes()
    for percent in range(30, 90, 10):
        path.write_bytes(whole_bytes[: len(whole_bytes) * percent // 100])
        with opened(path) as movie:
            last = shown(movie, Fraction(1, 50))
            for n in range(50):
                try:
                    last, before = shown(movie, middle(n, PAL)), last
                except MediaError:
                    break
                assert last in {n, before}  # the last whole picture is held for one frame
            assert last < 49


@pytest.mark.parametrize("change", ["grow", "replace", "remove"])
def test_a_file_that_changes_while_it_is_read_is_reported(tmp_path, change):
    path = write_numbered_clip(tmp_path / "clip.mp4", 50, PAL)
    source = SourceFile.of(path)
    source.check_unchanged()
    if change == "grow":
        with path.open("ab") as file:
            file.write(b"more")
    elif change == "replace":
        write_numbered_clip(tmp_path / "new.mp4", 50, PAL).replace(path)
    else:
        path.unlink()
    with pytest.raises(MediaError, match=r"clip\.mp4 (changed|vanished) while it was read"):
        source.check_unchanged()


REAL = [
    "foleycrafter/0.mp4",
    "interactive-examples/stream-of-water.mp4",
    "frieren-v2a/5gWlAdGamFo_000646_gt.mp4",
    "diff-foley/gun.mp4",
    "vta-ldm/-BAKe6QGTUk_000030.mp4",
]


@needs_shared_video
@pytest.mark.parametrize("name", REAL)
def test_real_clips_give_exactly_the_frames_of_a_plain_decode(name):
    path = VIDEO / name
    digests, starts_s = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.pts * frame.time_base > 4:
                break
            digests.append(hash(bytes(frame.planes[0])))
            starts_s.append(frame.pts * frame.time_base)
    starts_s = [start_s - starts_s[0] for start_s in starts_s]
    wanted = np.random.default_rng(1).integers(0, len(starts_s) - 1, 12).tolist()
    with opened(path) as movie:
        for n in [*range(0, len(starts_s) - 1), *wanted]:
            picture = movie.picture_at((starts_s[n] + starts_s[n + 1]) / 2)
            assert hash(bytes(picture.frame.planes[0])) == digests[n], n


def test_pictures_that_are_too_large_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr("diffava_resolve.frames.source._MAX_PIXELS", 1000)
    path = write_clip(tmp_path / "clip.mp4", [np.zeros((64, 64, 3), np.uint8)], PAL)
    with pytest.raises(MediaError, match=r"64 x 64 pixels.*use a smaller proxy"):
        opened(path)
