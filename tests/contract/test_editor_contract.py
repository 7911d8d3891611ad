"""What every `Editor` promises, on timelines' files and in each version of Resolve as the fake plays it."""

from fractions import Fraction

import pytest
import soundfile

from diffava_resolve.bridge.pipes import PipeChannel
from diffava_resolve.bridge.remote import Bridge
from diffava_resolve.editor.protocol import Selection
from diffava_resolve.errors import OutputError, RequestError
from diffava_resolve.timeline.place import PlacedTake, find_clip, foley_clips
from support.editors import file_desk, region, resolve_desk
from support.fake_resolve import PROFILES
from support.launched import Launched
from support.takes import noise, placed_takes, receipt, write_take

BY_PIPES = "21.1 Studio by the launcher's pipes"
KINDS = ["file", *PROFILES, BY_PIPES]
FILM, NTSC, FAST = Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)
# rate, label of the first frame, whether it drops frame numbers: the rates of broadcast and cinema, at 01:00:00:00
RATES = {
    "23.976": (FILM, 86_400, False),
    "24": (Fraction(24), 86_400, False),
    "25": (Fraction(25), 90_000, False),
    "29.97": (NTSC, 108_000, False),
    "29.97 DF": (NTSC, 107_892, True),
    "30": (Fraction(30), 108_000, False),
    "50": (Fraction(50), 180_000, False),
    "59.94": (FAST, 216_000, False),
    "59.94 DF": (FAST, 215_784, True),
    "60": (Fraction(60), 216_000, False),
    "from zero": (Fraction(24), 0, False),
}


@pytest.fixture(params=KINDS)
def desk_at(request, tmp_path):
    """Makes a desk of each kind, in a folder of its own."""
    launched = []

    def by_pipes(resolve):
        launched.append(Launched(resolve))
        return Bridge(PipeChannel(launched[-1].reader, launched[-1].writer)).resolve

    def make(rate="24", **given):
        fraction, label, drop = RATES[rate]
        if request.param == "file":
            return file_desk(tmp_path, fraction, label, drop, **given)
        if request.param == BY_PIPES:
            return resolve_desk(tmp_path, "21.1 Studio", fraction, label, drop, through=by_pipes, **given)
        return resolve_desk(tmp_path, request.param, fraction, label, drop, **given)

    yield make
    for one in launched:
        one.dies()
        one.reader.close()


def place(desk, where, count=1, clip_id="foley-1", track="Foley"):
    folder = desk.editor.media_folder()
    folder.mkdir(exist_ok=True)
    takes = placed_takes(folder, where, count)
    with desk.editor.changing() as change:
        return change.place(where, takes, clip_id, track), takes


@pytest.mark.parametrize("rate", RATES)
def test_a_take_is_heard_from_exactly_its_first_to_its_last_sample(desk_at, rate):
    desk = desk_at(rate)
    ranges = [region(*RATES[rate][:2], *frames, RATES[rate][2]) for frames in ((1, 2), (7, 43), (1_999, 2_000))]
    folder = desk.editor.media_folder()
    folder.mkdir()
    takes = [placed_takes(folder, where, prompt=f"sound {number}")[0] for number, where in enumerate(ranges)]
    with desk.editor.changing() as change:
        for number, (where, take) in enumerate(zip(ranges, takes, strict=True), 1):
            placement = change.place(where, [take], f"foley-{number}", "Foley")
            assert (placement.region, placement.track_name) == (where, "Foley")
    for where, take, heard in zip(ranges, takes, desk.heard(), strict=True):
        assert (heard.start_frame, heard.frames, heard.first_sample) == (where.start_frame, frames_of(where), 0)
        assert heard.start_sample == where.start_sample
        assert round((heard.start_frame + heard.frames) * 48_000 / heard.rate) == where.stop_sample
        # What is played there is the take, sample by sample; more than its range can only be silence behind it.
        made, played = (soundfile.read(path, dtype="int32")[0] for path in (take.path, heard.wav))
        assert len(made) == where.sample_count
        assert (played[: len(made)] == made).all()
        assert not played[len(made) :].any()


@pytest.mark.parametrize("rate", ["24", "29.97 DF", "59.94 DF"])
def test_a_typed_range_counts_as_the_timeline_is_labelled(desk_at, rate):
    fraction, label, drop = RATES[rate]
    sep = ";" if drop else ":"
    desk = desk_at(rate)
    selection = Selection("range", f"01:00:01{sep}00", f"01:00:02{sep}05")
    [found] = desk.editor.regions(selection)
    nominal = round(fraction)
    assert found.region == region(fraction, label, nominal, 2 * nominal + 5, drop)


def test_each_marker_that_spans_a_range_is_a_shot_with_its_prompt(desk_at):
    desk = desk_at(markers=((20, 30, "rain"), (90, 1, "a point"), (60, 12, "")))
    found = desk.editor.regions(Selection("markers"))
    spans = [(one.region.start_frame, one.region.stop_frame, one.prompt) for one in found]
    assert spans == [(20, 50, "rain"), (60, 72, "")]


def test_our_own_clips_bring_no_shots(desk_at):
    desk = desk_at(markers=((20, 30, "rain"),))
    place(desk, region(*RATES["24"][:2], 100, 148))
    assert [one.prompt for one in desk.editor.regions(Selection("markers"))] == ["rain"]


def test_no_markers_and_no_clip_of_that_name_are_refused(desk_at):
    desk = desk_at()
    with pytest.raises(RequestError, match="spans a range"):
        desk.editor.regions(Selection("markers"))
    with pytest.raises(RequestError, match="There is no clip"):
        desk.editor.regions(Selection("clip", clip="a clip that is not there"))


def test_what_was_placed_is_found_again_with_its_receipts(desk_at):
    desk = desk_at()
    where = region(*RATES["24"][:2], 48, 96)
    _, takes = place(desk, where, count=3)
    [clip] = foley_clips(desk.editor.cut().timeline)
    assert (clip.clip_id, clip.region, clip.take_region, clip.chosen_number) == ("foley-1", where, where, 1)
    assert clip.receipts == tuple(take.receipt for take in takes)
    cut = desk.editor.cut()
    assert [clip.take_path(take, cut.base_directory).resolve() for take in clip.takes] == [take.path for take in takes]
    assert clip.chosen.receipt.part is None


def test_only_the_chosen_take_is_heard(desk_at):
    desk = desk_at()
    _, takes = place(desk, region(*RATES["24"][:2], 48, 96), count=3)
    before = desk.others()
    for number in (2, 3, 1):
        with desk.editor.changing() as change:
            placement = change.select(find_clip(desk.editor.cut().timeline, "foley-1"), number)
        assert placement.region.start_frame == 48
        assert [one.wav for one in desk.heard()] == [takes[number - 1].path]
        assert find_clip(desk.editor.cut().timeline, "foley-1").chosen_number == number
    assert desk.others() == before


def test_a_take_that_is_not_there_is_refused(desk_at):
    desk = desk_at()
    place(desk, region(*RATES["24"][:2], 48, 96))
    with pytest.raises(RequestError, match="has no take 5; it has 1"), desk.editor.changing() as change:
        change.select(find_clip(desk.editor.cut().timeline, "foley-1"), 5)


def test_further_takes_stand_beside_the_former_and_the_first_new_one_is_heard(desk_at):
    desk = desk_at()
    where = region(*RATES["24"][:2], 48, 96)
    _, old = place(desk, where, count=2)
    before = desk.others()
    new = further_takes(desk, where)
    with desk.editor.changing() as change:
        change.add_takes(find_clip(desk.editor.cut().timeline, "foley-1"), new)
    clip = find_clip(desk.editor.cut().timeline, "foley-1")
    assert [take.number for take in clip.takes] == [1, 2, 3, 4]
    assert clip.chosen_number == 3
    assert clip.receipts == tuple(take.receipt for take in (*old, *new))
    assert [one.wav for one in desk.heard()] == [new[0].path]
    assert desk.others() == before


def test_a_trimmed_clip_keeps_its_trim_with_a_new_take(desk_at):
    desk = desk_at()
    where = region(*RATES["24"][:2], 48, 96)
    place(desk, where)
    desk.trim(6)
    clip = find_clip(desk.editor.cut().timeline, "foley-1")
    assert (clip.region.start_frame, clip.take_region.start_frame) == (54, 48)
    [new] = further_takes(desk, where, count=1)
    with desk.editor.changing() as change:
        placement = change.add_takes(clip, [new])
    assert (placement.region.start_frame, placement.region.stop_frame) == (54, 96)
    [heard] = desk.heard()
    assert (heard.start_frame, heard.frames, heard.wav, heard.first_sample) == (54, 42, new.path, 6 * 2_000)


def test_a_taken_range_and_a_locked_track_lead_to_the_next_track(desk_at):
    desk = desk_at()
    where = region(*RATES["24"][:2], 48, 96)
    assert place(desk, where)[0].track_name == "Foley"
    assert place(desk, where, clip_id="foley-2")[0].track_name == "Foley 2"
    desk.lock("Foley")
    free = region(*RATES["24"][:2], 200, 248)
    assert place(desk, free, clip_id="foley-3")[0].track_name == "Foley 2"


def test_a_clip_on_a_locked_track_is_not_touched(desk_at):
    desk = desk_at()
    place(desk, region(*RATES["24"][:2], 48, 96), count=2)
    clip = find_clip(desk.editor.cut().timeline, "foley-1")
    desk.lock("Foley")
    with pytest.raises(RequestError, match="track Foley of clip foley-1 is locked"), desk.editor.changing() as change:
        change.select(clip, 2)


def test_a_failed_change_leaves_nothing(desk_at):
    desk = desk_at()
    place(desk, region(*RATES["24"][:2], 48, 96))
    before = desk.others(), desk.heard()
    where = region(*RATES["24"][:2], 200, 248)
    takes = placed_takes(desk.editor.media_folder(), where, 3)
    with pytest.raises(RequestError, match="the editor changed their mind"):
        begin_and_fail(desk, where, takes, RequestError("the editor changed their mind"))
    assert (desk.others(), desk.heard()) == before
    assert [clip.clip_id for clip in foley_clips(desk.editor.cut().timeline)] == ["foley-1"]


def test_interruption_leaves_nothing_either(desk_at):
    desk = desk_at()
    before = desk.others(), desk.heard()
    where = region(*RATES["24"][:2], 200, 248)
    desk.editor.media_folder().mkdir()
    takes = placed_takes(desk.editor.media_folder(), where)
    with pytest.raises(KeyboardInterrupt):
        begin_and_fail(desk, where, takes, KeyboardInterrupt())
    assert (desk.others(), desk.heard()) == before


def test_a_range_at_another_rate_is_refused(desk_at):
    desk = desk_at()
    with pytest.raises(OutputError):
        place(desk, region(Fraction(25), 90_000, 48, 96))
    assert not desk.heard()


def test_every_other_clip_of_a_long_timeline_stays_as_it_was(desk_at):
    """Placing, takes, a new take and choosing, on a timeline of 200 clips."""
    desk = desk_at("29.97 DF", clips=200)
    before = desk.others()
    where = region(*RATES["29.97 DF"][:2], 601, 777, True)
    place(desk, where, count=2)
    assert desk.others() == before
    with desk.editor.changing() as change:
        change.add_takes(find_clip(desk.editor.cut().timeline, "foley-1"), further_takes(desk, where))
    assert desk.others() == before
    with desk.editor.changing() as change:
        change.select(find_clip(desk.editor.cut().timeline, "foley-1"), 2)
    assert desk.others() == before


def frames_of(where):
    return where.stop_frame - where.start_frame


def begin_and_fail(desk, where, takes, error):
    with desk.editor.changing() as change:
        change.place(where, takes, "foley-2", "Foley")
        change.place(where, takes, "foley-3", "Other")
        raise error


def further_takes(desk, where, count=2):
    """Takes other than those of `placed_takes`."""
    folder = desk.editor.media_folder()
    made = []
    for index in range(count):
        written = write_take(folder / f"new-{index}.wav", noise(where.sample_count, seed=100 + index))
        made.append(PlacedTake(written.path, receipt(where, written.sha256, index, "thunder")))
    return made
