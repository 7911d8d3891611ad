"""DiffAVA in Resolve's menu on three simulated homes: put there, renewed, mended, and taken away to the last file."""

import ast
import hashlib
import json
import shutil

import pytest

from diffava_installer.resolve import launcher
from diffava_installer.resolve.launcher import LauncherError, install, status, uninstall
from diffava_installer.resolve.places import Surroundings
from diffava_installer.resolve.rendering import LUA_SCRIPT, PYTHON_SCRIPT, LauncherSettings
from support.checkout import ROOT

SOURCES = ROOT / "plugin_resolve" / "scripts"
PLACES = {
    "linux": ".local/share/DaVinciResolve/Fusion/Scripts/Utility",
    "darwin": "Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion/Scripts/Utility",
    "win32": "AppData/Roaming/Blackmagic Design/DaVinci Resolve/Support/Fusion/Scripts/Utility",
}


@pytest.fixture(params=list(PLACES))
def where(request, tmp_path):
    """A home folder with somebody else's scripts in it, and a name that needs quoting."""
    home = tmp_path / 'Žofie "Z" O\'Neill'
    theirs = home / PLACES[request.param]
    theirs.mkdir(parents=True)
    (theirs / "Theirs.py").write_text("print('theirs')\n")
    (theirs.parent / "Comp").mkdir()
    (theirs.parent / "Comp" / "Theirs too.lua").write_text("print('theirs')\n")
    return Surroundings(request.param, home, {})


def settings_of(where, version="0.1.0"):
    companion = where.home / "env" / "diffava"
    companion.parent.mkdir(exist_ok=True)
    companion.write_text("")
    return LauncherSettings((str(companion), "resolve", "companion"), SOURCES, where.own_folder, version)


def seen(where):
    """Every file with its hash and every folder below the home."""
    return {
        str(path.relative_to(where.home)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(where.home.rglob("*"))
    }


def older_sources(tmp_path):
    """The scripts of an earlier version, as they would be in its checkout."""
    older = tmp_path / "older"
    shutil.copytree(SOURCES, older, ignore=shutil.ignore_patterns("__pycache__"))
    script = older / "DiffAVA.py"
    script.write_text(script.read_text() + "\n# as it was\n")
    return older


def test_scripts_lie_where_resolve_looks_and_know_their_companion(where):
    settings = settings_of(where)
    paths = install(where, settings, SOURCES)
    folder = where.home / PLACES[where.platform]
    assert paths == [folder / PYTHON_SCRIPT, folder / LUA_SCRIPT]
    tree = ast.parse((folder / PYTHON_SCRIPT).read_text(encoding="utf-8"), feature_version=(3, 6))
    [value] = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "SETTINGS"]
    found = ast.literal_eval(value)
    assert found["companion"] == list(settings.companion)
    assert found["package"] == str(SOURCES)
    assert status(where, settings, SOURCES).state == "current"


def test_the_lua_script_reads_its_mailbox_whatever_the_homes_name(where):
    lupa = pytest.importorskip("lupa.lua51", reason="lupa, which brings Lua, is not installed")
    settings = settings_of(where)
    install(where, settings, SOURCES)
    text = (where.script_folder / LUA_SCRIPT).read_text(encoding="utf-8")
    [line] = [line for line in text.splitlines() if line.startswith("local SETTINGS = ")]
    found = lupa.LuaRuntime().execute(f"return {line.removeprefix('local SETTINGS = ')}")
    assert found["mailbox"] == settings.mailbox.as_posix()


def test_after_an_uninstall_everything_is_as_it_was(where):
    settings = settings_of(where)
    before = seen(where)
    install(where, settings, SOURCES)
    assert seen(where) != before
    (where.own_folder / "mailbox").mkdir()
    for name in ("companion.log", "seen.json", "mailbox/beat.lua", "mailbox/answer.prefs"):
        (where.own_folder / name).write_text("left at work")
    removed, left = uninstall(where)
    assert seen(where) == before
    assert len(removed) == 7
    assert left == []
    assert uninstall(where) == ([], [])


def test_a_second_install_changes_nothing(where):
    settings = settings_of(where)
    install(where, settings, SOURCES)
    once = seen(where)
    install(where, settings, SOURCES)
    assert seen(where) == once


def test_an_older_version_is_renewed_and_what_it_alone_had_goes(where, tmp_path):
    settings = settings_of(where)
    before = seen(where)
    install(where, settings_of(where, "0.0.9"), older_sources(tmp_path))
    manifest = where.own_folder / "launcher.json"
    extra = where.script_folder / "DiffAVA (old).py"
    extra.write_text("# DiffAVA Foley, of an older version\n")
    stored = json.loads(manifest.read_text())
    stored["files"][str(extra)] = hashlib.sha256(extra.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(stored))
    found = status(where, settings, SOURCES)
    assert (found.state, found.installed_version) == ("old", "0.0.9")
    install(where, settings, SOURCES)
    assert status(where, settings, SOURCES).state == "current"
    assert not extra.exists()
    uninstall(where)
    assert seen(where) == before


def lose_a_script(where):
    (where.script_folder / PYTHON_SCRIPT).unlink()


def cut_a_script_short(where):
    path = where.script_folder / LUA_SCRIPT
    path.write_bytes(path.read_bytes()[:1000])


def damage_the_manifest(where):
    (where.own_folder / "launcher.json").write_text('{"version": "0.')


@pytest.mark.parametrize("harm", [lose_a_script, cut_a_script_short, damage_the_manifest])
def test_a_broken_one_is_noticed_and_mended_and_leaves_nothing(where, harm):
    settings = settings_of(where)
    before = seen(where)
    install(where, settings, SOURCES)
    whole = seen(where)
    harm(where)
    assert status(where, settings, SOURCES).state == "broken"
    assert status(where, settings, SOURCES).reasons
    install(where, settings, SOURCES, mend=True)
    assert status(where, settings, SOURCES).state == "current"
    if harm is not damage_the_manifest:  # which knew the folders that were made
        assert seen(where) == whole
        uninstall(where)
        assert seen(where) == before


@pytest.mark.parametrize("harm", [lose_a_script, cut_a_script_short, damage_the_manifest])
def test_a_broken_one_can_be_taken_away_as_it_is(where, harm):
    settings = settings_of(where)
    install(where, settings, SOURCES)
    harm(where)
    _, left = uninstall(where)
    assert left == []
    assert not list(where.home.rglob("*DiffAVA*"))
    assert (where.script_folder / "Theirs.py").exists()


def test_a_companion_that_is_gone_is_named(where):
    settings = settings_of(where)
    install(where, settings, SOURCES)
    (where.home / "env" / "diffava").unlink()
    assert "diffava resolve companion is gone" in status(where, settings, SOURCES).reasons[0]


@pytest.mark.parametrize("mend", [False, True])
def test_a_file_of_that_name_that_is_not_ours_is_left_alone(where, mend):
    settings = settings_of(where)
    (where.script_folder / PYTHON_SCRIPT).write_text("print('somebody else wrote this')\n")
    before = seen(where)
    with pytest.raises(LauncherError, match="not ours"):
        install(where, settings, SOURCES, mend=mend)
    assert seen(where) == before


def test_a_script_that_was_changed_by_hand_is_overwritten_by_a_repair_alone(where):
    settings = settings_of(where)
    install(where, settings, SOURCES)
    path = where.script_folder / PYTHON_SCRIPT
    path.write_text(path.read_text() + "# mine\n")
    changed = seen(where)
    with pytest.raises(LauncherError, match="changed by hand"):
        install(where, settings, SOURCES)
    assert seen(where) == changed
    install(where, settings, SOURCES, mend=True)
    assert "# mine" not in path.read_text()


def test_a_file_that_took_a_scripts_place_survives_the_uninstall(where):
    install(where, settings_of(where), SOURCES)
    path = where.script_folder / PYTHON_SCRIPT
    path.write_text("print('somebody else wrote this')\n")
    _, left = uninstall(where)
    assert left == [path]
    assert path.read_text() == "print('somebody else wrote this')\n"


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("is_there_already", [False, True])
def test_a_write_that_fails_leaves_everything_as_it_was(where, monkeypatch, tmp_path, nth, is_there_already):
    settings = settings_of(where)
    if is_there_already:
        install(where, settings_of(where, "0.0.9"), older_sources(tmp_path))
    before = seen(where)
    write = launcher._write_whole
    count = 0

    def full_disk(path, data):
        nonlocal count
        count += 1
        if count == nth:
            path.with_name(path.name + ".partial").write_bytes(data[:10])
            raise OSError(28, "No space left on device", str(path))
        write(path, data)

    monkeypatch.setattr(launcher, "_write_whole", full_disk)
    with pytest.raises(LauncherError, match=r"No space left.*nothing was changed"):
        install(where, settings, SOURCES)
    assert seen(where) == before
