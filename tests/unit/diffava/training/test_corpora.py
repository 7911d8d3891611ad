"""Corpora: owners' lists as they are published, media however they were downloaded, and a plain folder."""

from fractions import Fraction

import numpy as np
import pytest

from diffava.errors import DataError
from diffava.training.corpora.corpus import Clip, Corpus, windows
from diffava.training.corpora.owner_lists import AudioCaps, Llp, VggSound
from diffava.training.corpora.video_folder import VideoFolder, words_of
from support.movies import write_movie


@pytest.fixture
def media(tmp_path):
    folder = tmp_path / "media" / "deep"
    folder.mkdir(parents=True)
    return folder


def table(tmp_path, text):
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


def movie(path, seconds):
    black = np.zeros((16, 16, 3), np.uint8)
    return write_movie(path, [black] * seconds, Fraction(1), np.zeros(48_000 * seconds, np.float32))


AUDIOCAPS = """audiocap_id,youtube_id,start_time,caption
1,-r1nicOVtvkQ,130,"A woman talks, water pours"
2,UDGBjjwyaq_,20,Clanging
3,UDGBjjwyaq_,20,Metal on metal
4,goneAAAAAAA,0,Nothing is left
"""


def test_audiocaps_groups_captions_and_names_what_is_missing(tmp_path, media):
    (media / "-r1nicOVtvkQ_130.mp4").touch()
    (media / "YUDGBjjwyaq__000020.webm").touch()
    corpus = AudioCaps(table(tmp_path, AUDIOCAPS), media.parent)
    assert isinstance(corpus, Corpus)
    first, second = corpus.clips(10.24)
    assert (first.clip_id, first.start_s, first.duration_s) == ("-r1nicOVtvkQ_130", 0.0, 10.0)
    assert first.captions == ("A woman talks, water pours",)
    assert second.captions == ("Clanging", "Metal on metal")
    assert corpus.missing == ("goneAAAAAAA_0",)


def test_vggsound_has_no_header_and_two_parts(tmp_path, media):
    text = '---g-f_I2yQ,1,"people, marching",test\n--0PQM4-hqg,30,waterfall burbling,train\n'
    (media / "--0PQM4-hqg_30000_40000.mkv").touch()
    [clip] = VggSound(table(tmp_path, text), media).clips(10.0)
    assert (clip.source_id, clip.captions) == ("--0PQM4-hqg", ("waterfall burbling",))
    assert VggSound(table(tmp_path, text), media, "test").missing == ("---g-f_I2yQ_1",)
    with pytest.raises(DataError, match="parts train and test"):
        VggSound(table(tmp_path, text), media, "val")


def test_llp_says_its_labels_as_a_caption(tmp_path, media):
    text = "filename\tevent_labels\n6m_Z9fxXO7s_490_500\tFrying_(food),Speech\n"
    (media / "6m_Z9fxXO7s_490_500.mp4").touch()
    [clip] = Llp(table(tmp_path, text), media).clips(10.0)
    assert (clip.clip_id, clip.captions) == ("6m_Z9fxXO7s_490", ("frying (food), speech",))


def test_a_file_named_by_its_id_alone_is_a_whole_video_if_it_reaches_the_clip(tmp_path, media):
    movie(media / "UDGBjjwyaq_.mkv", 32)
    movie(media / "-r1nicOVtvkQ.mkv", 10)
    starts = {clip.source_id: clip.start_s for clip in AudioCaps(table(tmp_path, AUDIOCAPS), media).clips(10.0)}
    assert starts == {"UDGBjjwyaq_": 20.0, "-r1nicOVtvkQ": 0.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("youtube_id,caption\na,b\n", "start_time is missing"),
        ("youtube_id,start_time,caption\na,soon,b\n", "says 'soon' where seconds belong"),
        ("youtube_id,start_time,caption\na,1\n", "Line 2 of .* has 2 columns, its header 3"),
    ],
)
def test_a_list_that_is_not_as_published_is_refused(tmp_path, media, text, message):
    with pytest.raises(DataError, match=message):
        AudioCaps(table(tmp_path, text), media)


def test_a_folder_takes_captions_from_table_text_and_name(media):
    for name in ("DoorSlam_wood-03.mkv", "b.mkv", "c.mkv"):
        movie(media / name, 2)
    (media / "b.txt").write_text("a gate creaks\n\nrusty hinges\n", encoding="utf-8")
    (media / "captions.csv").write_text("path,caption\nc.mkv,an axe in wood\nc.mkv,chopping\n", encoding="utf-8")
    captions = {clip.source_id: clip.captions for clip in VideoFolder(media).clips(5.0)}
    assert captions == {
        "DoorSlam_wood-03.mkv": ("door slam wood",),
        "b.mkv": ("a gate creaks", "rusty hinges"),
        "c.mkv": ("an axe in wood", "chopping"),
    }


def test_a_name_without_letters_is_a_sound():
    assert words_of("0042_17") == "sound"


def test_a_table_that_names_another_file_is_refused(media):
    movie(media / "a.mkv", 1)
    (media / "captions.csv").write_text("path,caption\nb.mkv,chopping\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"names b\.mkv, which is not in"):
        VideoFolder(media)


def test_a_long_video_becomes_clips_and_its_rest_one_if_it_is_long_enough(media):
    movie(media / "long.mkv", 13)
    clips = list(VideoFolder(media).clips(5.0))
    assert [(clip.clip_id, clip.start_s, clip.duration_s) for clip in clips] == [
        ("long.mkv", 0.0, 5.0),
        ("long.mkv@5", 5.0, 5.0),
        ("long.mkv@10", 10.0, 3.0),
    ]
    assert {clip.source_id for clip in clips} == {"long.mkv"}
    short = Clip("a", "a", media, 0.0, 12.0, ("a",))
    assert [clip.duration_s for clip in windows(short, 5.0)] == [5.0, 5.0]


def test_an_empty_folder_is_refused(media):
    with pytest.raises(DataError, match="holds no videos"):
        VideoFolder(media)
