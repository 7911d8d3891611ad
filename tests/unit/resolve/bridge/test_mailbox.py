"""The mailbox and the Lua script of the menu, under Lua 5.1 and LuaJIT without package, ffi and io."""

import importlib
import math
import re
import threading

import pytest

from diffava_installer.resolve.rendering import LUA_SCRIPT, LauncherSettings, rendered
from diffava_resolve.bridge.failures import CallRefusedError, EditorGoneError, ResolveCallError
from diffava_resolve.bridge.mailbox import MailboxChannel, as_lua
from diffava_resolve.bridge.remote import Bridge
from support.checkout import ROOT
from support.lua_resolve import Baton, MenuLua
from support.stand_in_resolve import Resolve

SOURCES = ROOT / "plugin_resolve" / "scripts"


def lua_script(folder):
    settings = LauncherSettings(("companion",), SOURCES, folder, "0.0.0")
    return rendered(SOURCES, settings)[LUA_SCRIPT].decode(), settings.mailbox


@pytest.fixture(params=["lua51", "luajit21"])
def runtime(request):
    lupa = pytest.importorskip(f"lupa.{request.param}", reason="lupa, which brings Lua, is not installed")
    return lupa.LuaRuntime(unpack_returned_tuples=True)


class Menu:
    """The script in a thread, and the companion's side of the mailbox."""

    def __init__(self, runtime, resolve, folder):
        script, mailbox = lua_script(folder)
        self.baton = Baton()
        self.channel = MailboxChannel(mailbox, [folder / "Fusion.prefs"], pause=self.baton.pause)
        self.lua = MenuLua(runtime, resolve, folder / "Fusion.prefs", self.baton.poll)
        self.thread = threading.Thread(target=self._run, args=(script,))
        self.thread.start()

    def _run(self, script):
        try:
            self.lua.run(script)
        finally:
            self.baton.leave()

    def dies(self):
        self.channel.close()
        self.baton.leave()
        self.thread.join(timeout=60)
        assert not self.thread.is_alive()


@pytest.fixture
def resolve():
    return Resolve()


@pytest.fixture
def menu(runtime, resolve, tmp_path):
    found = Menu(runtime, resolve, tmp_path)
    yield found
    found.dies()


@pytest.fixture
def bridge(menu):
    return Bridge(menu.channel)


def test_the_sandbox_of_the_test_lacks_what_resolves_lacks(runtime, resolve, tmp_path):
    lua = MenuLua(runtime, resolve, tmp_path / "p", lambda: None)
    lua.run("print(package, ffi, io, require, python, os.execute, type(loadfile), type(resolve))")
    assert lua.said == ["None None None None None None function userdata"]


def test_objects_numbers_tables_and_constants_come_through(bridge, resolve):
    project = bridge.resolve.GetProjectManager().GetCurrentProject()
    timeline = project.GetCurrentTimeline()
    assert bridge.greeting.version == (19, 1, 3, 7)
    assert timeline.GetTrackCount("audio") == 1
    assert timeline.GetMarkers() == {96: {"color": "Blue", "note": "a door", "duration": 24}}
    assert timeline.GetMarkInOut() == {"video": {"in": 5, "out": 9}}
    assert bridge.resolve.EXPORT_OTIO == 17
    [item] = project.GetMediaPool().AppendToTimeline([{"recordFrame": 86400.5, "trackIndex": 1, "é": '\n"\\'}])
    assert item.GetStart() == 86400
    assert timeline.DeleteClips([item], None) is True
    assert resolve.manager.project.timeline.tracks == [["Audio 1", []]]
    assert timeline.GetItemListInTrack("audio", 1) == []


def test_what_could_end_resolve_is_not_let_through_and_errors_have_words(bridge):
    with pytest.raises(CallRefusedError, match="Quit is not among the calls"):
        bridge.call(bridge.greeting.root_handle, "Quit", ())
    with pytest.raises(CallRefusedError, match="has no GetSelectedClips"):
        bridge.call(bridge.greeting.root_handle, "GetSelectedClips", ())
    with pytest.raises(ResolveCallError, match="the library broke"):
        bridge.resolve.GetProjectManager().GetCurrentProject().GetName()
    with pytest.raises(CallRefusedError, match="no windows"):
        bridge.ask({})


def state_of(resolve):
    project = resolve.manager.project
    tracks = [(name, [item.GetUniqueId() for item in items]) for name, items in project.timeline.tracks]
    return resolve.page, tracks, dict(project.timeline.markers), dict(project.timeline.marks), list(project.pool.media)


def change_everything(bridge):
    project = bridge.resolve.GetProjectManager().GetCurrentProject()
    timeline, pool = project.GetCurrentTimeline(), project.GetMediaPool()
    bridge.resolve.OpenPage("deliver")
    timeline.SetMarkInOut(1, 2, "video")
    timeline.AddTrack("audio", "mono")
    timeline.SetTrackName("audio", 2, "Foley")
    pool.AppendToTimeline([{"recordFrame": 90000, "trackIndex": 2}])
    timeline.AddMarker(12, "Green", "foley", "", 24, "")


def test_a_companion_that_dies_leaves_nothing_behind(bridge, menu, resolve):
    before = state_of(resolve)
    change_everything(bridge)
    assert state_of(resolve) != before
    menu.dies()
    assert state_of(resolve) == before
    assert menu.lua.said == ["DiffAVA Foley: the companion ended early; what it had begun was undone."]


def test_what_was_settled_stays_and_the_last_words_are_said(bridge, menu, resolve):
    change_everything(bridge)
    after = state_of(resolve)
    bridge.settle()
    bridge.end("One clip.", ok=True)
    menu.thread.join(timeout=60)
    assert state_of(resolve) == after
    assert menu.lua.said == ["DiffAVA Foley: One clip."]
    with pytest.raises(EditorGoneError):
        bridge.settle()


def test_without_a_companion_the_script_says_what_to_run(runtime, resolve, tmp_path):
    lua = MenuLua(runtime, resolve, tmp_path / "Fusion.prefs", lambda: None)
    lua.run(lua_script(tmp_path)[0])
    assert "diffava resolve listen" in lua.said[0]
    assert not (tmp_path / "Fusion.prefs").exists(), "preferences are written for an answer alone"


def test_a_mailbox_that_a_dead_companion_left_is_not_waited_for(runtime, resolve, tmp_path):
    script, mailbox = lua_script(tmp_path)
    mailbox.mkdir()
    (mailbox / "beat.lua").write_text('return { session = "0123456789abcdef", count = 3 }')
    polls = []
    lua = MenuLua(runtime, resolve, tmp_path / "Fusion.prefs", lambda: polls.append(0))
    lua.run(script)
    assert "no companion waits" in lua.said[0]
    assert len(polls) == 200


@pytest.mark.parametrize("value", [None, True, -3, 0.1, 1e300, 'a "quoted" \\ line\nand Füße', {"a": {1: 2}}])
def test_a_value_is_written_as_lua_reads_it(runtime, value):
    found = runtime.execute(f"return {as_lua(value)}")
    assert (found["a"][1] == 2) if isinstance(value, dict) else found == value
    assert math.isfinite(1.0)


def test_a_mailbox_that_others_may_write_into_is_refused(tmp_path):
    (tmp_path / "mailbox").mkdir()
    (tmp_path / "mailbox").chmod(0o777)
    from diffava_resolve.errors import OutputError

    with pytest.raises(OutputError, match="open to other users"):
        MailboxChannel(tmp_path / "mailbox")


def test_the_lua_script_undoes_the_same_calls_and_speaks_the_same_version():
    journal, host = (importlib.import_module(f"diffava_launcher.{name}") for name in ("journal", "host"))
    text = (SOURCES / "DiffAVA.lua").read_text()
    setters = dict(re.findall(r'(\w+) = \{ "(\w+)", \d \}', text))
    assert setters == {name: reader for name, (reader, _) in journal.SETTERS.items()}
    assert all(re.search(rf"\b{name} = true", text) for name in journal.LOST)
    assert f"local PROTOCOL = {host.PROTOCOL}\n" in text
