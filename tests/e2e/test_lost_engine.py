"""The main job against a server whose engine dies under it: the command does not notice, and nothing is there twice."""

from fractions import Fraction

import pytest

from diffava_resolve.client.grpc_client import GrpcClient
from diffava_resolve.client.patient_client import PatientClient
from diffava_resolve.client.protocol import Progress, Waiting
from diffava_resolve.session import FoleySettings, Wanted, generate_foley, regenerate
from diffava_resolve.timeline.place import foley_clips
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_range, region_of_timeline
from support.serving.loaded_server import loaded_server
from support.tiny_cut import write_tiny_cut

SETTINGS = FoleySettings("footsteps", take_count=2, seed=5)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with loaded_server(tmp_path_factory.mktemp("server"), {"step_s": 0.05, "step_count": 4}) as running:
        yield running


def samples(timeline):
    """The bytes of every take of the only clip."""
    (clip,) = foley_clips(read_timeline(timeline))
    return [clip.take_path(take, timeline.parent).read_bytes() for take in clip.takes]


def killing(server, stage):
    """Kills the engine once, when the job comes to this stage."""
    events = []

    def note(event):
        is_first = not any(isinstance(one, Progress) and one.stage == stage for one in events)
        events.append(event)
        if is_first and isinstance(event, Progress) and event.stage == stage:
            assert server.kill_engine()

    return note, events


@pytest.mark.parametrize("stage", ["features", "latent", "waveform"])
def test_a_killed_engine_changes_nothing_in_what_comes_out(server, tmp_path, stage):
    cut = write_tiny_cut(tmp_path, rate=Fraction(30000, 1001), flash_frames=(40,))
    timeline = read_timeline(cut.path)
    wanted = [Wanted(region_of_timeline(timeline), SETTINGS)]
    note, events = killing(server, stage)
    with PatientClient(GrpcClient(server.target.address, server.target.token)) as client:
        generate_foley(timeline, cut.path, wanted, client, tmp_path / "calm.otio")
        generate_foley(timeline, cut.path, wanted, client, tmp_path / "killed.otio", on_event=note)
    assert samples(tmp_path / "killed.otio") == samples(tmp_path / "calm.otio")
    assert len(samples(tmp_path / "calm.otio")) == 2
    assert any(isinstance(event, Waiting) for event in events) or stage == "waveform"  # there all may have arrived


def test_a_part_made_anew_is_asked_for_again_with_what_it_keeps(server, tmp_path):
    cut = write_tiny_cut(tmp_path, rate=Fraction(30000, 1001), flash_frames=(40,))
    timeline = read_timeline(cut.path)
    wanted = [Wanted(region_of_timeline(timeline), FoleySettings("footsteps", seed=5))]
    with PatientClient(GrpcClient(server.target.address, server.target.token)) as client:
        source = tmp_path / "first.otio"
        (clip,) = generate_foley(timeline, cut.path, wanted, client, source)
        made = read_timeline(source)
        part = region_of_range(made, "f20", "f40")
        for name in ("calm", "killed"):
            note = killing(server, "latent")[0] if name == "killed" else lambda event: None
            out = tmp_path / f"{name}.otio"
            regenerate(made, source, clip.clip_id, FoleySettings("rain", seed=9), client, out, part=part, on_event=note)
    assert samples(tmp_path / "killed.otio") == samples(tmp_path / "calm.otio")
