"""Pairs by name: what is paired, and what is said when folders do not belong together."""

import json

import numpy as np
import pytest
import soundfile

from diffava.errors import DataError, RequestError
from diffava.evaluation.tables.pairs import find_pairs, read_captions


def folder(path, names, ending=".wav"):
    path.mkdir(exist_ok=True)
    for name in names:
        soundfile.write(path / f"{name}{ending}", np.zeros(16, np.float32), 8000)
    return path


def test_sounds_films_and_captions_of_one_name_are_a_pair_whatever_the_format(tmp_path):
    made, real = folder(tmp_path / "made", "ba"), folder(tmp_path / "real", "ab", ".flac")
    (made / "notes.txt").write_text("no sound")
    films = tmp_path / "films"
    films.mkdir()
    (films / "a.mp4").touch()
    captions = tmp_path / "captions.csv"
    captions.write_text("name,caption\nb.wav,a  dog\nb.wav,again\n")
    first, second = find_pairs(made, real, films, captions)
    assert (first.name, first.generated, first.reference) == ("a", made / "a.wav", real / "a.flac")
    assert (first.film, first.caption) == (films / "a.mp4", None)
    assert (second.film, second.caption) == (None, "a dog")


def test_folders_that_do_not_belong_together_are_refused_with_what_was_found(tmp_path):
    made, real = folder(tmp_path / "made", "abc"), folder(tmp_path / "real", "bcd")
    with pytest.raises(RequestError, match=r"2 names coincide of 3 sounds .* and 3 .*at least 99% must.*: a, d\."):
        find_pairs(made, real)
    assert [pair.name for pair in find_pairs(made, real, least_paired=0.6)] == ["b", "c"]
    with pytest.raises(RequestError, match="0 names coincide"):
        find_pairs(made, folder(tmp_path / "empty", ""), least_paired=0.01)
    with pytest.raises(RequestError, match="no folder"):
        find_pairs(made, tmp_path / "nowhere")


def test_two_files_of_one_name_are_refused(tmp_path):
    made = folder(folder(tmp_path / "made", "a").parent / "made", "a", ".flac")
    with pytest.raises(DataError, match="one name"):
        find_pairs(made, folder(tmp_path / "real", "a"))


def test_films_and_captions_of_other_names_are_refused(tmp_path):
    made, real = folder(tmp_path / "made", "a"), folder(tmp_path / "real", "a")
    captions = tmp_path / "captions.json"
    captions.write_text(json.dumps({"other": "a dog"}))
    with pytest.raises(RequestError, match="no caption with the name of a sound; it has other, the sounds are a"):
        find_pairs(made, real, captions=captions)
    (tmp_path / "films").mkdir()
    with pytest.raises(RequestError, match="no film"):
        find_pairs(made, real, films=tmp_path / "films")


@pytest.mark.parametrize(("name", "text"), [("a.csv", "id,text\n1,2\n"), ("a.json", "[1]"), ("b.json", "{")])
def test_captions_of_another_form_are_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match="columns name and caption"):
        read_captions(tmp_path / name)
