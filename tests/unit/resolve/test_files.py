import errno
import os
from pathlib import Path

import pytest

from diffava_resolve.errors import OutputError, RequestError
from diffava_resolve.files import make_folder, refuse_overwriting, write_whole
from support.disks import mounted_disk


def test_a_file_appears_whole_under_its_name_with_nothing_beside_it(tmp_path):
    write_whole(tmp_path / "cut.otio", lambda path: path.write_text("new"))
    assert [path.name for path in tmp_path.iterdir()] == ["cut.otio"]
    assert (tmp_path / "cut.otio").read_text() == "new"


def test_the_writer_gets_a_path_of_the_same_suffix_in_the_same_folder(tmp_path):
    seen = []
    write_whole(tmp_path / "cut.v2.fcpxml", lambda path: seen.append((path.parent, path.suffix)))
    assert seen == [(tmp_path, ".fcpxml")]


def test_what_stood_there_before_survives_a_failure_in_the_middle(tmp_path):
    target = tmp_path / "cut.otio"
    target.write_text("old")

    def fill_half(path: Path) -> None:
        path.write_text("ne")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="disk is full; free some space"):
        write_whole(target, fill_half)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupt_in_the_middle_leaves_nothing(tmp_path):
    def interrupted(path: Path) -> None:
        path.write_text("ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "cut.otio", interrupted)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_said_and_not_created(tmp_path):
    with pytest.raises(OutputError, match="folder does not exist; create it"):
        write_whole(tmp_path / "missing" / "cut.otio", lambda path: path.write_text(""))
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way_is_said(tmp_path):
    (tmp_path / "cut.otio").mkdir()
    with pytest.raises(OutputError, match="a folder of that name is in the way"):
        write_whole(tmp_path / "cut.otio", lambda path: path.write_text(""))
    assert [path.name for path in tmp_path.iterdir()] == ["cut.otio"]


def test_a_file_in_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(OutputError, match="part of its path is a file"):
        write_whole(tmp_path / "folder" / "cut.otio", lambda path: path.write_text(""))


def test_a_read_only_disk_is_said(tmp_path):
    with mounted_disk(tmp_path / "disk", "ro") as disk, pytest.raises(OutputError, match="the disk is read-only"):
        write_whole(disk / "cut.otio", lambda path: path.write_text(""))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write into every folder")
def test_a_folder_without_permission_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="not writable; choose another"):
        write_whole(tmp_path / "cut.otio", lambda path: path.write_text(""))


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "the folder is not writable; choose another"),
        (errno.EROFS, "the disk is read-only; choose another folder"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "choose another place"),
    ],
)
def test_what_the_system_refuses_is_said_with_what_to_do(tmp_path, number, advice):
    def refused(path: Path) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(OutputError, match=advice):
        write_whole(tmp_path / "cut.otio", refused)
    assert not list(tmp_path.iterdir())


def test_the_longest_possible_name_still_has_room_for_the_temporary_one(tmp_path):
    name = "x" * 250 + ".otio"
    write_whole(tmp_path / name, lambda path: path.write_text("whole"))
    assert (tmp_path / name).read_text() == "whole"


def test_the_input_is_never_overwritten_by_whatever_path_it_is_named(tmp_path):
    source = tmp_path / "cut.otio"
    source.write_text("")
    link = tmp_path / "link.otio"
    link.symlink_to(source)
    for same in (source, tmp_path / "." / "cut.otio", link):
        with pytest.raises(RequestError, match="never overwritten; give another name"):
            refuse_overwriting(source, same)
    refuse_overwriting(source, tmp_path / "other.otio")


def test_a_folder_says_whether_it_is_new(tmp_path):
    assert make_folder(tmp_path / "cut.foley") is True
    assert make_folder(tmp_path / "cut.foley") is False
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a file of that name is in the way"):
        make_folder(tmp_path / "file")
