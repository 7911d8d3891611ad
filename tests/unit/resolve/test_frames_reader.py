"""What the viewer sees of a region at the encoder's rate: which frame, whose, in what shape, at what cost."""

import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest

from diffava_resolve.errors import MediaError
from diffava_resolve.frames import reader
from diffava_resolve.frames.movie import Movie
from diffava_resolve.frames.reader import frames_of, timeline_frame_of, views_of
from diffava_resolve.spec import Colour, FrameFormat, ImageSequence, Layer, MovieFile, Picture, Region, Segment
from support.clips import (
    number_of,
    numbered_picture,
    rotate_by_display_matrix,
    write_clip,
    write_numbered_clip,
    write_numbered_pictures,
)

PAL = Fraction(25)
RATES = [
    Fraction(24_000, 1001),
    PAL,
    Fraction(30_000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(60_000, 1001),
]


def layer(media, at_frame=0, rate=PAL, *, media_start_s=Fraction(0), speed=Fraction(1), opacity=(1, 1)):
    start, stop = map(Fraction, opacity)
    return Layer(media, at_frame / rate, Fraction(media_start_s), Fraction(speed), start, stop)


def picture_of(*segments, rate=PAL):
    region = Region(rate, 0, segments[0].start_frame, segments[-1].stop_frame)
    return Picture(region, segments, tuple(segment.start_frame for segment in segments[1:]))


def frames(picture, rate=None, size=(96, 72), **options):
    frame_format = FrameFormat(rate or picture.region.rate, *size)
    return np.concatenate(list(frames_of(picture, frame_format, **options)))


def numbers(picture, rate=None, **options):
    return [number_of(frame) for frame in frames(picture, rate, **options)]


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_at_the_timelines_own_rate_every_frame_is_shown_once(tmp_path, rate, suffix):
    clip = MovieFile(write_numbered_clip(tmp_path / f"clip{suffix}", 40, rate, b_frames=2))
    picture = picture_of(Segment(100, 130, (layer(clip, 100, rate, media_start_s=5 / rate),)), rate=rate)
    assert numbers(picture) == list(range(5, 35))


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_encoder_frame_k_shows_the_frame_on_screen_at_its_middle(tmp_path, rate):
    clip = MovieFile(write_numbered_clip(tmp_path / "clip.mp4", 60, rate))
    picture = picture_of(Segment(0, 60, (layer(clip, 0, rate),)), rate=rate)
    shown = numbers(picture, Fraction(8))
    assert shown == [min(int((k + Fraction(1, 2)) / 8 * rate), 59) for k in range(len(shown))]
    assert len(shown) == FrameFormat(Fraction(8), 96, 72).frame_count(picture.region.sample_count)


def test_an_encoder_frame_past_the_end_shows_the_last_timeline_frame():
    picture = picture_of(Segment(0, 25, (layer(Colour()),)))
    assert timeline_frame_of(7, picture, FrameFormat(Fraction(8), 8, 8)) == 23
    assert timeline_frame_of(8, picture, FrameFormat(Fraction(8), 8, 8)) == 24


@pytest.mark.parametrize(
    ("media_rate", "timeline_rate"),
    [
        (Fraction(30), Fraction(24)),
        (Fraction(60), Fraction(24_000, 1001)),
        (Fraction(24), Fraction(60)),
        (PAL, Fraction(24)),
    ],
    ids=str,
)
def test_mixed_rates_show_the_media_frame_at_the_start_of_the_timeline_frame(tmp_path, media_rate, timeline_rate):
    clip = MovieFile(write_numbered_clip(tmp_path / "clip.mp4", 30, media_rate))
    frame_count = -int(-30 / media_rate * timeline_rate // 1)  # rounded up: its last middle may stand past the media
    picture = picture_of(Segment(0, frame_count, (layer(clip, 0, timeline_rate),)), rate=timeline_rate)
    jitter_s = Fraction(4, 1000)  # so close before a media frame, it is that frame
    wanted = [min(int((n / timeline_rate + jitter_s) * media_rate), 29) for n in range(frame_count)]
    assert numbers(picture) == wanted


@pytest.mark.parametrize(
    ("speed", "media_start_s", "wanted"),
    [
        (2, 0, [2 * n for n in range(10)]),
        (Fraction(1, 2), 0, [n // 2 for n in range(10)]),
        (-1, Fraction(30, 25), [29 - n for n in range(10)]),
        (0, Fraction(7, 25), [7] * 10),
    ],
    ids=["fast", "slow", "reverse", "freeze"],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_retimes_show_the_right_media_frame(tmp_path, speed, media_start_s, wanted, suffix):
    clip = MovieFile(write_numbered_clip(tmp_path / f"clip{suffix}", 40, PAL, b_frames=2))
    shown = layer(clip, 50, media_start_s=media_start_s, speed=speed)
    assert numbers(picture_of(Segment(50, 60, (shown,)))) == wanted


def of_view(number, views):
    return np.concatenate([block for one, block in views if one == number])


@pytest.mark.parametrize("speed", [1, 2, -1])
@pytest.mark.parametrize("rates", [(25, 25), (8, 25), (50, 25), (25, 12)])
def test_several_formats_from_one_decoding_are_what_each_is_alone(tmp_path, monkeypatch, speed, rates):
    one = MovieFile(write_numbered_clip(tmp_path / "one.mp4", 50, PAL, b_frames=2))
    start_s = Fraction(50 if speed < 0 else 0, 25)
    shot = layer(one, media_start_s=start_s, speed=speed)
    dissolve = (
        layer(one, media_start_s=start_s, speed=speed, opacity=(1, 0)),
        layer(Colour((9, 99, 9)), opacity=(0, 1)),
    )
    picture = picture_of(Segment(0, 13, (shot,)), Segment(13, 20, dissolve), Segment(20, 23, (layer(Colour()),)))
    formats = [FrameFormat(Fraction(rate), *size) for rate, size in zip(rates, [(96, 72), (40, 22)], strict=True)]
    alone = [np.concatenate(list(frames_of(picture, one))) for one in formats]
    opened = []
    monkeypatch.setattr(reader, "Movie", lambda *args, **options: opened.append(Movie(*args, **options)) or opened[-1])
    views = list(views_of(picture, formats, block_frames=4))
    assert all(len(block) <= 4 for _, block in views)
    for number, wanted in enumerate(alone):
        assert np.array_equal(of_view(number, views), wanted)
    assert len(opened) == 1


def test_a_cut_shows_no_frame_of_its_neighbour(tmp_path):
    one = MovieFile(write_numbered_clip(tmp_path / "one.mp4", 40, PAL))
    segments = [
        Segment(0, 13, (layer(one, 0, media_start_s=Fraction(10, 25)),)),
        Segment(13, 14, (layer(Colour((255, 255, 255)), 13),)),
        Segment(14, 30, (layer(one, 14),)),
    ]
    assert numbers(picture_of(*segments)) == [*range(10, 23), 0xFFFF, *range(16)]


def test_a_dissolve_mixes_by_the_share_at_the_middle_of_each_frame():
    black, white = Colour(), Colour((255, 255, 255))
    dissolve = Segment(2, 6, (layer(black, opacity=(1, 0)), layer(white, opacity=(0, 1))))
    picture = picture_of(Segment(0, 2, (layer(black),)), dissolve, Segment(6, 8, (layer(white),)))
    shown = frames(picture, size=(8, 8))
    shares = [0, 0, 1 / 8, 3 / 8, 5 / 8, 7 / 8, 1, 1]
    np.testing.assert_allclose(shown[:, 0, 0, 0], np.round(np.array(shares) * 255), atol=1)


def test_a_clip_dissolves_into_another_part_of_itself(tmp_path):
    clip = MovieFile(write_numbered_clip(tmp_path / "clip.mp4", 60, PAL))
    early, late = layer(clip, opacity=(1, 0)), layer(clip, media_start_s=Fraction(40, 25), opacity=(0, 1))
    shown = frames(picture_of(Segment(0, 10, (early, late)))).astype(float)
    for n, picture in enumerate(shown):
        share = (n + 0.5) / 10
        wanted = numbered_picture(n) * (1 - share) + numbered_picture(40 + n) * share
        assert np.abs(picture - wanted).mean() < 8  # H.264 rings at the edges of the cells


def test_a_layer_that_dissolves_into_its_shot_is_not_opened_again(tmp_path, monkeypatch):
    opened = []
    real = reader.Movie
    monkeypatch.setattr(
        reader, "Movie", lambda source, **options: opened.append(source.path) or real(source, **options)
    )
    clip = MovieFile(write_numbered_clip(tmp_path / "clip.mp4", 30, PAL))
    coming = layer(clip, opacity=(0, 1))
    picture = picture_of(Segment(0, 10, (layer(Colour(), opacity=(1, 0)), coming)), Segment(10, 30, (layer(clip),)))
    assert [number_of(frame) for frame in frames(picture)[10:]] == list(range(10, 30))
    assert len(opened) == 1


def test_many_cuts_keep_only_the_media_of_one_segment_open(tmp_path, monkeypatch):
    open_now, most = set(), []

    class Counted(reader.Movie):
        def __init__(self, source, **options):
            super().__init__(source, **options)
            open_now.add(self)
            most.append(len(open_now))

        def close(self):
            open_now.discard(self)
            super().close()

    monkeypatch.setattr(reader, "Movie", Counted)
    clips = [MovieFile(write_numbered_clip(tmp_path / f"{n}.mp4", 6, PAL)) for n in range(8)]
    picture = picture_of(*(Segment(4 * n, 4 * n + 4, (layer(clip, 4 * n),)) for n, clip in enumerate(clips)))
    assert numbers(picture) == [*range(4)] * 8
    assert max(most) == 1
    assert not open_now


def test_the_same_region_twice_gives_the_same_bytes(tmp_path):
    clip = MovieFile(write_numbered_clip(tmp_path / "clip.mp4", 40, PAL, b_frames=2, width=640, height=360))
    picture = picture_of(Segment(0, 40, (layer(clip),)))
    assert frames(picture, size=(224, 224)).tobytes() == frames(picture, size=(224, 224)).tobytes()


def test_blocks_have_the_size_asked_for_and_cover_the_region(tmp_path):
    picture = picture_of(Segment(0, 25, (layer(Colour((9, 8, 7))),)))
    blocks = list(frames_of(picture, FrameFormat(PAL, 10, 6), block_frames=8))
    assert [block.shape for block in blocks] == [(8, 6, 10, 3)] * 3 + [(1, 6, 10, 3)]
    assert all(block.dtype == np.uint8 for block in blocks)
    assert (blocks[0] == (9, 8, 7)).all()


@pytest.mark.parametrize(
    ("width", "height", "properties", "rows", "columns"),
    [
        (128, 72, {}, (14, 50), (0, 64)),
        (72, 128, {}, (0, 64), (14, 50)),
        (64, 64, {"sample_aspect_ratio": Fraction(2)}, (16, 48), (0, 64)),
        (65, 65, {"codec": "ffv1", "pixel_format": "yuv444p"}, (0, 64), (0, 64)),
    ],
    ids=["wide", "tall", "wide pixels", "odd"],
)
def test_pictures_keep_their_shape_between_black_bars(tmp_path, width, height, properties, rows, columns):
    clip = tmp_path / ("clip.mkv" if "codec" in properties else "clip.mp4")
    write_clip(clip, [np.full((height, width, 3), 255, np.uint8)], PAL, **properties)
    shown = frames(picture_of(Segment(0, 1, (layer(MovieFile(clip)),))), size=(64, 64))[0]
    wanted = np.zeros((64, 64), bool)
    wanted[slice(*rows), slice(*columns)] = True
    np.testing.assert_array_equal(shown.min(axis=2) > 127, wanted)


@pytest.mark.parametrize(("clockwise_degrees", "turns"), [(90, -1), (180, 2), (270, 1)])
def test_phone_video_is_shown_upright(tmp_path, clockwise_degrees, turns):
    lying = numbered_picture(0b1010_0011_0000_0111)
    path = rotate_by_display_matrix(write_clip(tmp_path / "clip.mp4", [lying], PAL), clockwise_degrees)
    upright = np.rot90(lying, turns)
    picture = picture_of(Segment(0, 1, (layer(MovieFile(path)),)))
    size = upright.shape[1], upright.shape[0]
    assert number_of(frames(picture, size=size)[0]) == number_of(upright)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "full_range", "suffix"),
    [
        ("libx264", "yuv420p", False, ".mp4"),
        ("libx264", "yuv420p", True, ".mp4"),
        ("prores_ks", "yuv422p10le", False, ".mov"),
        ("mjpeg", "yuvj420p", True, ".mov"),
    ],
)
def test_grey_stays_grey_in_every_range_and_depth(tmp_path, codec, pixel_format, full_range, suffix):
    for value in (0, 64, 200, 255):
        clip = tmp_path / f"{value}{suffix}"
        grey = np.full((64, 64, 3), value, np.uint8)
        write_clip(clip, [grey] * 2, PAL, codec=codec, pixel_format=pixel_format, full_range=full_range)
        shown = frames(picture_of(Segment(0, 2, (layer(MovieFile(clip)),))), size=(32, 32))
        np.testing.assert_allclose(shown.astype(int), value, atol=4)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_an_image_sequence_shows_its_numbers(tmp_path, suffix):
    write_numbered_pictures(tmp_path, "shot.", suffix, range(1001, 1021))
    sequence = ImageSequence(tmp_path, "shot.", suffix, 4, 1001, 20, 1, PAL)
    assert numbers(picture_of(Segment(0, 20, (layer(sequence),)))) == list(range(1001, 1021))
    backwards = layer(sequence, media_start_s=Fraction(20, 25), speed=-1)
    assert numbers(picture_of(Segment(0, 20, (backwards,)))) == list(range(1020, 1000, -1))


def test_what_is_transparent_in_a_picture_shows_black(tmp_path):
    rgba = np.full((32, 32, 4), 255, np.uint8)
    rgba[:, 16:, 3] = 0
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 32, 32, "rgba", Fraction(1, 25)
    packets = [*context.encode(av.VideoFrame.from_ndarray(rgba, format="rgba")), *context.encode(None)]
    (tmp_path / "title.png").write_bytes(b"".join(map(bytes, packets)))
    shown = frames(picture_of(Segment(0, 3, (layer(MovieFile(tmp_path / "title.png")),))), size=(32, 32))
    assert (shown[:, :, :16] == 255).all()
    assert (shown[:, :, 16:] == 0).all()


def test_a_sequence_of_every_second_number_shows_each_twice_as_long(tmp_path):
    write_numbered_pictures(tmp_path, "shot.", ".png", range(0, 10, 2))
    sequence = ImageSequence(tmp_path, "shot.", ".png", 4, 0, 5, 2, PAL)
    assert numbers(picture_of(Segment(0, 10, (layer(sequence),)))) == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8]


def test_a_missing_picture_of_a_sequence_is_named(tmp_path):
    write_numbered_pictures(tmp_path, "shot.", ".png", [1, 2, 4])
    sequence = ImageSequence(tmp_path, "shot.", ".png", 4, 1, 4, 1, PAL)
    with pytest.raises(MediaError, match=r"shot\.0003\.png is missing from its sequence \(picture 3 of 4\)"):
        frames(picture_of(Segment(0, 4, (layer(sequence),))))


def test_a_clip_that_is_too_short_for_the_timeline_is_named(tmp_path):
    clip = MovieFile(write_numbered_clip(tmp_path / "short.mp4", 10, PAL))
    with pytest.raises(MediaError, match=r"short\.mp4 for the picture at .* but its pictures end at 0\.400 s"):
        frames(picture_of(Segment(0, 20, (layer(clip),))))


def test_a_source_that_changes_between_two_blocks_is_reported(tmp_path):
    path = write_numbered_clip(tmp_path / "clip.mp4", 40, PAL)
    blocks = frames_of(picture_of(Segment(0, 40, (layer(MovieFile(path)),))), FrameFormat(PAL, 32, 32))
    next(blocks)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(MediaError, match=r"clip\.mp4 changed while it was read"):
        list(blocks)


def test_memory_does_not_grow_with_the_range(tmp_path):
    clip = MovieFile(write_numbered_clip(tmp_path / "clip.mp4", 600, PAL, width=64, height=48))

    def peak_bytes(stop_frame):
        picture = picture_of(Segment(0, stop_frame, (layer(clip),)))
        tracemalloc.start()
        for _ in frames_of(picture, FrameFormat(PAL, 64, 48)):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(20)
    assert peak_bytes(600) < 1.3 * peak_bytes(60)
