"""A file is the old one or the new one, and nothing else stays beside it."""

import pytest

from diffava.whole_file import whole_file


def test_what_was_written_is_there_under_its_name_alone(tmp_path):
    path = tmp_path / "figures.json"
    path.write_text("old")
    with whole_file(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_half_way_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "figures.json"
    path.write_text("old")

    def fail_half_way():
        with whole_file(path) as unfinished:
            unfinished.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
