"""What the doctor says of the ways into Resolve, for each that may be closed."""

import json
import plistlib
import socket

import pytest

from diffava_installer.findings import as_text, is_usable
from diffava_installer.resolve import findings as module
from diffava_installer.resolve.command import scripts_here, settings_here
from diffava_installer.resolve.findings import (
    check_gpu_memory,
    check_outside,
    check_python_of,
    check_resolve,
    check_servers,
    route_of,
)
from diffava_installer.resolve.launcher import install
from diffava_installer.resolve.places import Surroundings
from diffava_installer.resolve.seen import SeenResolve, probe_outside, resolve_on_disk, seen_resolve


@pytest.fixture
def linux(tmp_path):
    return Surroundings("linux", tmp_path / "home", {})


def leave_word(where, product, version, python="3.10.4"):
    where.own_folder.mkdir(parents=True)
    (where.own_folder / "seen.json").write_text(json.dumps({"product": product, "version": version, "python": python}))


def never(_python, _script):
    raise AssertionError("the free version is not asked from outside")


def test_without_resolve_only_files_are_spoken_of(linux, tmp_path):
    [finding] = check_resolve(linux, tmp_path)
    assert finding.mark == "ok"
    assert "not found here" in finding.sentence


@pytest.mark.parametrize(
    ("version", "is_studio", "mark", "words"),
    [
        ((18, 6, 6), True, "ok", "by its menu, or from outside"),
        ((19, 0, 0), False, "ok", "by its menu; scripts from outside are for Studio"),
        ((19, 1, 3), False, "ok", "with a window of our own"),
        ((21, 0, 4), False, "ok", "with a window of our own"),
        ((21, 1, 0), True, "ok", "by its menu, or from outside"),
        ((21, 1, 0), False, "note", "diffava resolve listen"),
        ((21, 1, 0), None, "note", "no Python from 21.1 on"),
        ((), None, "ok", "known once DiffAVA was chosen"),
    ],
)
def test_the_open_way_is_named_for_each_version(version, is_studio, mark, words):
    finding = route_of(SeenResolve(version, is_studio))
    assert finding.mark == mark
    assert words in as_text([finding])


def test_the_free_version_without_python_is_told_both_ways(linux, tmp_path):
    leave_word(linux, "DaVinci Resolve", [21, 1, 0, 14, ""])
    told = as_text(check_resolve(linux, tmp_path, never))
    assert "Blackmagic keeps that for Studio" in told
    assert "diffava foley cut.otio" in told
    assert "bootstrap.py resolve install" in told, "the menu has nothing yet"


def test_studio_is_asked_from_outside_and_the_menu_is_whole(linux, tmp_path):
    leave_word(linux, "DaVinci Resolve Studio", [20, 3, 1, 6, ""])
    install(linux, settings_here(linux), scripts_here())
    found = check_resolve(linux, tmp_path, lambda _python, _script: {"module": True, "answers": True})
    assert [finding.mark for finding in found] == ["ok", "ok", "ok"]
    assert is_usable(found)


def test_a_broken_script_in_the_menu_is_named_with_its_repair(linux, tmp_path):
    leave_word(linux, "DaVinci Resolve", [20, 0, 0, 1, ""])
    [path, _] = install(linux, settings_here(linux), scripts_here())
    path.unlink()
    told = as_text(check_resolve(linux, tmp_path, never))
    assert f"{path} is gone" in told
    assert "resolve repair" in told


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"module": True, "answers": False}, "External scripting using: Local"),
        ({"module": False, "answers": False, "reason": "No module named x"}, "set RESOLVE_SCRIPT_API"),
        ({"module": True, "answers": False, "crashed": -11}, "Python 3.11"),
    ],
)
def test_scripting_that_is_off_missing_or_crashing_has_its_remedy(answer, words):
    finding = check_outside(answer)
    assert words in as_text([finding])
    assert finding.mark != "problem", "the menu works without"


def test_the_probe_finds_no_module_where_resolve_is_not(tmp_path, monkeypatch):
    import sys
    from pathlib import Path

    monkeypatch.setenv("RESOLVE_SCRIPT_API", str(tmp_path))
    found = probe_outside(Path(sys.executable), scripts_here() / "DiffAVA.py")
    assert found["module"] is False
    assert "DaVinciResolveScript" in found["reason"]


def test_a_library_that_kills_its_python_is_no_error_of_the_doctors(tmp_path, monkeypatch):
    import sys
    from pathlib import Path

    (tmp_path / "Modules").mkdir()
    (tmp_path / "Modules" / "DaVinciResolveScript.py").write_text("import os; os.abort()\n")
    monkeypatch.setenv("RESOLVE_SCRIPT_API", str(tmp_path))
    assert probe_outside(Path(sys.executable), scripts_here() / "DiffAVA.py")["crashed"] == -6


@pytest.mark.parametrize(
    ("platform", "found", "version", "mark", "words"),
    [
        ("linux", (), (20, 3), "note", "lists no script"),
        ("darwin", (), (20, 3), "note", "not at Homebrew's"),
        ("win32", (), (20, 3), "note", "FUSION_PYTHON3_HOME"),
        ("linux", (3, 5), (20, 3), "note", "older than 3.6"),
        ("win32", (3, 14), (20, 3), "note", "newer than this Resolve's library"),
        ("linux", (3, 11), (20, 3), "ok", "3.11"),
    ],
)
def test_the_wrong_python_for_resolve_is_named(tmp_path, monkeypatch, platform, found, version, mark, words):
    monkeypatch.setattr(module, "python_for_resolve", lambda *_: tmp_path if found else None)
    monkeypatch.setattr(module, "version_of_python", lambda _: found)
    finding = check_python_of(Surroundings(platform, tmp_path, {}), SeenResolve(version))
    assert finding.mark == mark
    assert words in as_text([finding])


def test_the_build_of_apples_store_is_known_by_its_container(tmp_path):
    mac = Surroundings("darwin", tmp_path, {})
    (tmp_path / "Library" / "Containers" / "com.blackmagic-design.DaVinciResolveLite").mkdir(parents=True)
    [finding] = check_resolve(mac, tmp_path)
    assert "App Store" in finding.sentence
    assert "diffava foley" in finding.remedy


def test_the_version_on_disk_is_read_where_it_is_written(tmp_path):
    contents = tmp_path / "Applications" / "DaVinci Resolve" / "DaVinci Resolve.app" / "Contents"
    contents.mkdir(parents=True)
    assert resolve_on_disk("darwin", tmp_path) == SeenResolve()
    (contents / "Info.plist").write_bytes(plistlib.dumps({"CFBundleShortVersionString": "20.3.1"}))
    assert resolve_on_disk("darwin", tmp_path) == SeenResolve((20, 3, 1))
    docs = tmp_path / "opt" / "resolve" / "docs"
    docs.mkdir(parents=True)
    (docs / "ReadMe.html").write_text("<h1>About DaVinci Resolve Studio 21.1</h1>")
    assert resolve_on_disk("linux", tmp_path) == SeenResolve((21, 1, 0))
    assert resolve_on_disk("win32", tmp_path) is None


def test_damaged_word_of_resolve_is_none(linux):
    linux.own_folder.mkdir(parents=True)
    (linux.own_folder / "seen.json").write_text("{")
    assert seen_resolve(linux) is None


@pytest.mark.parametrize(("free_mib", "mark"), [(900, "note"), (20_000, "ok")])
def test_a_full_gpu_is_noted_with_what_to_do(free_mib, mark):
    [finding] = check_gpu_memory(lambda _command: f"{free_mib}, 24576\n")
    assert finding.mark == mark
    assert ("DIFFAVA_SERVER_DEVICE=cpu" in finding.remedy) == (mark == "note")


def test_the_servers_setting_that_is_advised_exists():
    from diffava_server.config import ENV_PREFIX, ServerConfig

    assert "DIFFAVA_SERVER_DEVICE" == f"{ENV_PREFIX}DEVICE"
    assert "device" in ServerConfig.model_fields


def test_a_server_that_does_not_answer_is_told_from_one_that_does(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        (tmp_path / "one.json").write_text(json.dumps({"address": f"127.0.0.1:{port}"}))
        assert "one answers at" in check_servers(tmp_path)[0].sentence
    [finding] = check_servers(tmp_path)
    assert finding.mark == "note"
    assert "none answers at" in finding.sentence
    assert "--server" in finding.remedy


def test_the_mailbox_is_where_the_companion_looks():
    from diffava_resolve.cli.resolve import mailbox_folder

    where = Surroundings.here()
    assert settings_here(where).mailbox == mailbox_folder()
