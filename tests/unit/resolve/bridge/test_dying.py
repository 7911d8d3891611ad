"""The companion dies before each single call of a job: Resolve's timeline and view are always what they were."""

from contextlib import suppress
from fractions import Fraction

import pytest

from diffava_resolve.bridge.channel import gone
from diffava_resolve.bridge.pipes import PipeChannel
from diffava_resolve.bridge.remote import Bridge
from diffava_resolve.editor.resolve_editor import ResolveEditor
from diffava_resolve.errors import FoleyError, ServerError
from diffava_resolve.spec import Region
from support.fake_resolve import FakeResolve, profile
from support.launched import Launched
from support.takes import placed_takes

WHERE = Region(Fraction(24), 86_400, 12, 36)


class Dying(PipeChannel):
    """Closes its pipe, as the system does for a killed process, in place of the call of that number."""

    left = 10**9

    def request(self, request, timeout_s):
        self.left -= 1
        if self.left < 0:
            self.close()
            raise gone()
        return super().request(request, timeout_s)


def fake_of(version):
    fake = FakeResolve(profile(version), Fraction(24))
    fake.add_clip("video", 1, "/nowhere/shot.mov", 0, 48)
    fake.add_clip("audio", 1, "/nowhere/talk.wav", 0, 48)
    fake.project.GetMediaPool().AddSubFolder(fake.project.GetMediaPool().GetRootFolder(), "Day 1")  # is the current bin
    fake.page = "fairlight"
    if version not in ("18.6", "19.0 free"):
        fake.timeline.SetMarkInOut(12, 35)
    return fake


def dies_at(count, fake, folder, takes, fails):
    """Place takes over a bridge whose companion dies in place of a call; whether it came so far.

    With `fails` the job fails once all is placed, and the companion undoes it by itself.
    """
    launched = Launched(fake.resolve)
    channel = Dying(launched.reader, launched.writer)
    bridge = Bridge(channel)
    editor = ResolveEditor(bridge.resolve, folder, sleep=lambda _: None)
    channel.left = count
    try:
        with editor.changing() as change:
            change.place(WHERE, takes, "foley-1", "Foley")
            if fails:
                raise ServerError("The server failed.")
    except FoleyError:
        pass  # its own, or the end of its pipe
    with suppress(FoleyError):
        bridge.settle()
    launched.dies()
    return channel.left < 0


@pytest.mark.parametrize(("version", "fails"), [("19.1 free", False), ("20.3 Studio", True)])
def test_wherever_a_companion_dies_nothing_is_left(tmp_path, version, fails):
    (tmp_path / "takes").mkdir()
    takes = placed_takes(tmp_path / "takes", WHERE, 2)
    count = 0
    while True:
        fake = fake_of(version)
        before = fake.seen()
        if not dies_at(count, fake, tmp_path, takes, fails):
            break
        assert fake.seen() == before, f"it died in place of call {count + 1}"
        count += 1
    assert count > 20, "the job is shorter than it can be"
    assert (fake.seen() == before) == fails


def test_a_track_that_slid_into_the_place_of_ours_is_left_alone():
    fake = fake_of("21.1 Studio")
    fake.timeline.AddTrack("audio", "stereo")
    before = fake.seen()
    launched = Launched(fake.resolve)
    timeline = Bridge(PipeChannel(launched.reader, launched.writer)).resolve.GetProjectManager().GetCurrentProject()
    timeline = timeline.GetCurrentTimeline()
    timeline.AddTrack("audio", {"audioType": "mono", "index": 2})
    timeline.SetTrackName("audio", 2, "Foley")
    assert fake.seen()["tracks"]["audio"][1][0] == "Foley"
    fake.timeline.DeleteTrack("audio", 2)  # the companion's own undo had just come so far
    launched.dies()
    assert fake.seen() == before


def test_marks_that_the_deliver_page_loses_come_back():
    fake = fake_of("21.1 Studio")
    before = fake.seen()
    launched = Launched(fake.resolve)
    Bridge(PipeChannel(launched.reader, launched.writer)).resolve.OpenPage("deliver")
    assert fake.seen()["marks"] != before["marks"]
    launched.dies()
    assert fake.seen() == before
