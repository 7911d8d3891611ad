"""The bridge: Resolve's objects over two pipes, what is let through, and what happens when one side dies."""

import gc
import json
import os
import threading

import pytest
from diffava_launcher.host import MAX_LINE_BYTES, PROTOCOL

from diffava_resolve.bridge import channel, pipes
from diffava_resolve.bridge.failures import (
    CallRefusedError,
    EditorGoneError,
    EditorTimeoutError,
    LauncherVersionError,
    ResolveCallError,
)
from diffava_resolve.bridge.pipes import PipeChannel
from diffava_resolve.bridge.remote import Bridge
from support.launched import Launched
from support.stand_in_resolve import Resolve


@pytest.fixture
def resolve():
    return Resolve()


@pytest.fixture
def launched(resolve):
    found = Launched(resolve)
    yield found
    found.dies()
    found.reader.close()  # nothing, where the bridge has done it


@pytest.fixture
def bridge(launched):
    return Bridge(PipeChannel(launched.reader, launched.writer))


def project_of(bridge):
    return bridge.resolve.GetProjectManager().GetCurrentProject()


def test_objects_numbers_tables_and_constants_come_through(bridge, resolve):
    timeline = project_of(bridge).GetCurrentTimeline()
    assert timeline.GetTrackCount("audio") == 1
    assert timeline.GetMarkers() == resolve.manager.project.timeline.markers, "keys are numbers, as Resolve gives them"
    assert bridge.resolve.EXPORT_OTIO == 17.0
    [item] = project_of(bridge).GetMediaPool().AppendToTimeline([{"recordFrame": 86400.0, "trackIndex": 1}])
    assert item.GetStart() == 86400
    assert timeline.DeleteClips([item]) is True
    assert resolve.manager.project.timeline.tracks == [["Audio 1", []]]


def test_names_are_those_of_the_object_and_an_unknown_one_is_none(bridge):
    assert "GetMarkInOut" in dir(project_of(bridge).GetCurrentTimeline())
    assert project_of(bridge).GetCurrentTimeline().GetSelectedClips is None
    assert bridge.greeting.version == (19, 1, 3, 7)
    assert bridge.greeting.has_window is False, "the free version from 19.1 on shows scripts no windows"


def test_what_could_end_resolve_or_delete_a_project_is_not_let_through(bridge, resolve):
    assert bridge.resolve.Quit is None
    with pytest.raises(CallRefusedError, match="Quit is not among the calls"):
        bridge.call(bridge.greeting.root_handle, "Quit", ())
    with pytest.raises(CallRefusedError, match="is no constant"):
        bridge.constant(bridge.greeting.root_handle, "__class__")


def test_an_exception_in_resolve_and_a_value_that_is_no_value_are_errors_with_words(bridge):
    with pytest.raises(ResolveCallError, match="the library broke"):
        project_of(bridge).GetName()
    with pytest.raises(CallRefusedError, match="raw bytes"):
        project_of(bridge).GetSetting("timelineFrameRate")
    assert bridge.resolve.GetCurrentPage() == "edit", "the conversation goes on"


def test_an_object_that_was_given_back_is_refused(bridge):
    manager = bridge.resolve.GetProjectManager()
    handle = manager._handle
    del manager
    gc.collect()
    bridge.show("")
    with pytest.raises(CallRefusedError, match="was given back"):
        bridge.call(handle, "GetCurrentProject", ())


def change_everything(bridge):
    project = project_of(bridge)
    timeline, pool = project.GetCurrentTimeline(), project.GetMediaPool()
    bridge.resolve.OpenPage("deliver")
    timeline.SetMarkInOut(1, 2, "video")
    timeline.AddTrack("audio", "mono")
    timeline.SetTrackName("audio", 2, "Foley")
    pool.ImportMedia([{"FilePath": "/media/take.wav"}])
    pool.AppendToTimeline([{"recordFrame": 90000, "trackIndex": 2}])
    timeline.AddMarker(12, "Green", "foley", "", 24, "")


def state_of(resolve):
    project = resolve.manager.project
    tracks = [(name, [item.GetUniqueId() for item in items]) for name, items in project.timeline.tracks]
    return resolve.page, tracks, dict(project.timeline.markers), dict(project.timeline.marks), list(project.pool.media)


def test_a_companion_that_dies_leaves_nothing_behind(bridge, launched, resolve):
    before = state_of(resolve)
    change_everything(bridge)
    assert state_of(resolve) != before
    launched.dies()
    assert state_of(resolve) == before
    assert launched.said == [], "everything could be undone"
    assert launched.ended is False


def test_what_was_settled_stays(bridge, launched, resolve):
    change_everything(bridge)
    after = state_of(resolve)
    bridge.settle()
    launched.dies()
    assert state_of(resolve) == after


def test_a_companion_that_dies_while_it_undoes_by_itself_costs_the_editor_no_track(bridge, launched, resolve):
    before = state_of(resolve)
    timeline = project_of(bridge).GetCurrentTimeline()
    timeline.AddTrack("audio", "mono")
    timeline.SetTrackName("audio", 2, "Foley")
    resolve.manager.project.timeline.DeleteTrack("audio", 2)
    launched.dies()
    assert state_of(resolve) == before


def test_a_delete_that_cannot_be_undone_is_told(bridge, launched, resolve):
    pool, timeline = project_of(bridge).GetMediaPool(), project_of(bridge).GetCurrentTimeline()
    [item] = pool.AppendToTimeline([{"recordFrame": 0, "trackIndex": 1}])
    bridge.settle()
    timeline.DeleteClips([item])
    launched.dies()
    assert ["DeleteClips could not be undone" in text for text in launched.said] == [True]


def test_the_last_words_end_the_conversation(bridge, launched):
    bridge.end("Two clips.", ok=True)
    launched.thread.join(timeout=60)
    assert launched.ended is True


class Played:
    """A launcher that says what the test lets it say."""

    def __init__(self, on_gone=lambda: None):
        to_companion, from_host = os.pipe()
        to_host, from_companion = os.pipe()
        self.answers = os.fdopen(from_host, "wb")
        self.requests = os.fdopen(to_host, "rb")
        self._reader = os.fdopen(to_companion, "rb")
        self.channel = PipeChannel(self._reader, os.fdopen(from_companion, "wb"), on_gone=on_gone)

    def says(self, message):
        self.answers.write(json.dumps(message).encode() + b"\n")
        self.answers.flush()

    def close(self):
        for one in (self.answers, self.requests):
            one.close()
        self.channel.close()


@pytest.fixture
def played():
    found = Played()
    yield found
    found.close()


def test_a_launcher_that_dies_is_noticed_at_once(played):
    played.answers.close()
    with pytest.raises(EditorGoneError, match="has ended"):
        played.channel.request({"show": ""}, timeout_s=60)
    with pytest.raises(EditorGoneError):
        played.channel.request({"show": ""}, timeout_s=60)


def test_a_launcher_that_dies_while_nobody_asks_is_told():
    told = threading.Event()
    played = Played(on_gone=told.set)
    played.answers.close()
    assert told.wait(timeout=60)
    played.close()


def test_a_call_that_takes_too_long_closes_the_bridge(played):
    with pytest.raises(EditorTimeoutError, match="Close any dialog"):
        played.channel.request({"show": ""}, timeout_s=0.0)
    with pytest.raises(EditorGoneError):
        played.channel.request({"show": ""}, timeout_s=60)


def test_a_launcher_of_another_version_is_named_with_what_to_do(played):
    played.says({"diffava": 7})
    with pytest.raises(LauncherVersionError, match=r"version 7.*resolve repair"):
        Bridge(played.channel)


def test_a_resolve_that_does_not_answer_says_which_preference_to_set(played):
    played.says({"diffava": PROTOCOL, "error": {"kind": "no_answer", "message": ""}})
    with pytest.raises(EditorGoneError, match="External scripting using"):
        Bridge(played.channel)


@pytest.mark.parametrize("line", [b"no json\n", b"[1]\n", b'{"id": 99, "value": 1}\n'])
def test_what_is_no_answer_ends_the_conversation(played, line):
    played.answers.write(line)
    played.answers.flush()
    with pytest.raises(EditorGoneError):
        played.channel.request({"show": ""}, timeout_s=60)


def test_a_request_without_an_end_ends_the_launcher(resolve):
    launched = Launched(resolve)
    launched.reader.readline()
    launched.writer.write(b"x" * (MAX_LINE_BYTES + 2))
    launched.dies()
    assert launched.ended is False
    launched.reader.close()


@pytest.mark.parametrize("request_", ["{}", '{"id": 3}', '{"id": 4, "call": [1]}', '{"id": 5, "call": [[], "X", []]}'])
def test_a_malformed_request_is_answered_with_an_error(launched, request_):
    launched.reader.readline()
    launched.writer.write(request_.encode() + b"\n")
    launched.writer.flush()
    assert "error" in json.loads(launched.reader.readline())


def test_both_sides_have_the_same_version_and_limits():
    assert channel.PROTOCOL == PROTOCOL
    assert pipes.MAX_LINE_BYTES == MAX_LINE_BYTES
