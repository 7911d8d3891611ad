"""The whole job in the free Resolve from 21.1 on, without Python: by its Lua menu and the mailbox, and by files."""

import importlib
import io
import re
import threading
from fractions import Fraction

import pytest
import soundfile

from diffava_installer.resolve.rendering import LUA_SCRIPT, LauncherSettings, rendered
from diffava_resolve.bridge.mailbox import MailboxChannel
from diffava_resolve.bridge.remote import Bridge
from diffava_resolve.cli import resolve as commands
from diffava_resolve.cli.options import ServerOptions
from diffava_resolve.cli.resolve_job import AGAIN, FORM, NEXT, run_job
from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.editor.resolve_editor import ResolveEditor
from diffava_resolve.errors import ServerError
from diffava_resolve.session import FoleySettings, Wanted, generate_foley
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_range
from support.checkout import ROOT
from support.clips import numbered_picture
from support.fake_resolve import FakeResolve
from support.fake_resolve.profiles import Profile
from support.lua_resolve import Baton, MenuLua
from support.movies import write_movie

FREE_21_1 = Profile([21, 1, 0, 14, ""], False, (), rate_setting="number", rate_setting_says_drop=False)
SCRIPTS = ROOT / "plugin_resolve" / "scripts"
START = 86_400
ANSWERS = {field.name: field.value for field in FORM.fields} | {"prompt": "footsteps"}


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    path = tmp_path_factory.mktemp("media") / "shot.mkv"
    return write_movie(path, (numbered_picture(n) for n in range(48)), Fraction(24), None)


@pytest.fixture
def fake(shot):
    found = FakeResolve(FREE_21_1, Fraction(24))
    found.add_clip("video", 1, str(shot), 0, 48)
    found.timeline.SetMarkInOut(12, 35)
    return found


@pytest.fixture(params=["lua51", "luajit21"])
def runtime(request):
    lupa = pytest.importorskip(f"lupa.{request.param}", reason="lupa, which brings Lua, is not installed")
    return lupa.LuaRuntime(unpack_returned_tuples=True)


class Menu:
    """The Lua script in the menu, in a thread of its own, and the companion's end of the mailbox."""

    def __init__(self, runtime, fake, folder):
        settings = LauncherSettings(("diffava",), SCRIPTS, folder / "own", "0.1.0")
        self.baton = Baton()
        self.channel = MailboxChannel(settings.mailbox, [folder / "Fusion.prefs"], pause=self.baton.pause)
        self.lua = MenuLua(runtime, fake.resolve, folder / "Fusion.prefs", self.baton.poll)
        self._script = rendered(SCRIPTS, settings)[LUA_SCRIPT].decode()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.bridge = Bridge(self.channel)

    def _run(self):
        try:
            self.lua.run(self._script)
        finally:
            self.baton.leave()

    def ends(self):
        self.channel.close()
        self.baton.leave()
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()


@pytest.fixture
def menu(runtime, fake, tmp_path):
    found = Menu(runtime, fake, tmp_path)
    yield found
    found.ends()


def foley_of(fake):
    [track] = [one for one in fake.seen()["tracks"]["audio"] if one[0] == "Foley"]
    [clip] = track[4]
    return clip


def test_the_whole_job_runs_in_the_sandbox(menu, fake, tmp_path):
    before = fake.seen()
    client = ScriptedClient()
    well = run_job(
        menu.bridge, lambda _: ANSWERS, lambda: client, lambda resolve: ResolveEditor(resolve, tmp_path / "media")
    )
    menu.ends()
    assert well
    [_, _, start, duration, first, enabled, _, _, _, path] = foley_of(fake)
    assert (start, duration, first, enabled) == (START + 12, 24, 0, True)
    assert soundfile.info(path).frames == 24 * 2_000
    assert "foley-1" in menu.lua.said[0]
    after = fake.seen()
    for same in ("page", "marks", "playhead", "bin", "jobs", "render"):
        assert after[same] == before[same]
    assert not list((tmp_path / "own" / "mailbox").iterdir()), "the mailbox is empty again"


def press(menu, answers, folder):
    well = run_job(
        menu.bridge, lambda _: answers, ScriptedClient, lambda resolve: ResolveEditor(resolve, folder / "media")
    )
    menu.ends()
    assert well, menu.lua.said
    return menu.lua.said[0]


def test_a_clip_gets_new_takes_a_new_part_and_another_take_is_heard(runtime, fake, tmp_path):
    """Three presses on the menu after the first, each a run of the script."""
    press(Menu(runtime, fake, tmp_path), ANSWERS, tmp_path)
    heard = [foley_of(fake)[9]]
    for what, marks in ((AGAIN, (12, 35)), (AGAIN, (16, 27)), (NEXT, (12, 35))):
        fake.timeline.SetMarkInOut(*marks)
        again = importlib.import_module(type(runtime).__module__).LuaRuntime(unpack_returned_tuples=True)
        said = press(Menu(again, fake, tmp_path), {**ANSWERS, "what": what, "prompt": ""}, tmp_path)
        heard.append(heard_of(fake))
    assert "take 1 is heard now" in said
    assert len(set(heard)) == 3
    assert heard[3] == heard[0]


def heard_of(fake):
    """The file of the one Foley clip that is not muted."""
    tracks = [track for track in fake.seen()["tracks"]["audio"] if track[0].startswith("Foley") and track[2]]
    [path] = [clip[9] for track in tracks for clip in track[4] if clip[5]]
    return path


def test_a_server_that_fails_changes_nothing_and_is_told_in_resolve(menu, fake, tmp_path):
    before = fake.seen()
    client = ScriptedClient(failure=ServerError("The server is out of memory; try a shorter range."))
    assert not run_job(
        menu.bridge, lambda _: ANSWERS, lambda: client, lambda resolve: ResolveEditor(resolve, tmp_path / "media")
    )
    menu.ends()
    assert fake.seen() == before
    assert "out of memory" in menu.lua.said[0]


def test_a_companion_that_dies_while_it_places_leaves_the_timeline_as_it_was(menu, fake):
    before = fake.seen()
    project = menu.bridge.resolve.GetProjectManager().GetCurrentProject()
    timeline, pool = project.GetCurrentTimeline(), project.GetMediaPool()
    pool.AddSubFolder(pool.GetRootFolder(), "DiffAVA Foley")
    timeline.AddTrack("audio", "mono")
    timeline.SetTrackName("audio", 2, "Foley")
    [media] = pool.GetRootFolder().GetClipList()
    pool.AppendToTimeline([{"mediaPoolItem": media, "mediaType": 2, "trackIndex": 2, "recordFrame": START + 12}])
    assert fake.seen() != before
    menu.ends()
    assert fake.seen() == before
    assert "was undone" in menu.lua.said[-1]


def test_listening_asks_on_the_terminal_and_serves_the_menu(runtime, fake, tmp_path, monkeypatch, capsys):
    baton = Baton()
    scripts = []

    def channel(folder, preferences):
        """What `listen` opens; the person then chooses the script in Resolve's menu."""
        found = MailboxChannel(folder, preferences, pause=baton.pause)
        settings = LauncherSettings(("diffava",), SCRIPTS, folder.parent, "0.1.0")
        lua = MenuLua(runtime, fake.resolve, tmp_path / "Fusion.prefs", baton.poll)
        script = rendered(SCRIPTS, settings)[LUA_SCRIPT].decode()
        thread = threading.Thread(target=lambda: (lua.run(script), baton.leave()))
        scripts.append((lua, thread))
        thread.start()
        return found

    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(commands, "MailboxChannel", channel)
    monkeypatch.setattr(ServerOptions, "connect", lambda *_: ScriptedClient())
    monkeypatch.setattr("platformdirs.user_documents_path", lambda: tmp_path / "Documents")
    monkeypatch.setattr("sys.stdin", io.StringIO("\nfootsteps\n\n\n2\n\nSteps\n"))
    commands.listen(once=True)
    [(lua, thread)] = scripts
    thread.join(timeout=60)
    [track] = [one for one in fake.seen()["tracks"]["audio"] if one[0] == "Steps"]
    assert [clip[2:4] for clip in track[4]] == [(START + 12, 24)]
    assert "on Steps, 2 takes" in lua.said[0]
    assert "on Steps, 2 takes" in capsys.readouterr().out


def test_by_files_the_way_is_three_steps_and_the_sound_comes_back(fake, tmp_path, capsys):
    commands.files()
    told = capsys.readouterr().out
    assert re.findall(r"^\d", told, re.MULTILINE) == ["1", "2", "3"]
    words = re.search(r"--range (\S+) (\S+)", told)
    cut, out = tmp_path / "cut.otio", tmp_path / "out.otio"
    fake.timeline.Export(str(cut), fake.resolve.EXPORT_OTIO, fake.resolve.EXPORT_NONE)
    timeline = read_timeline(cut)
    region = region_of_range(timeline, "01:00:00:12", "01:00:01:12")
    generate_foley(timeline, cut, [Wanted(region, FoleySettings("footsteps"))], ScriptedClient(), out)
    fake.open_otio(out)
    clip = foley_of(fake)
    assert words is not None
    assert (clip[2], clip[3]) == (START + 12, 24)
