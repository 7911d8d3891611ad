"""A paper's table from lists and videos to figures, at toy size; and what is said before anything runs."""

import csv
import json
from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from diffava.cli import run
from diffava.errors import ConfigError, DataError
from diffava.reproduction import table1
from diffava.reproduction.cost import Cost, model_work, network_gflop
from diffava.reproduction.published_table import published_table
from diffava.reproduction.step import Reproduction, Step
from diffava.reproduction.table1 import Table1, Wish, beside_the_paper
from diffava.reproduction.table_sounds import Sampling
from support.movies import write_movie

VIDEOS = {
    "train": ("trainaaaaaa", "trainbbbbbb"),
    "val": ("valaaaaaaaa", "valbbbbbbbb"),
    "test": ("testaaaaaaa", "testbbbbbbb"),
}
TINY = ("step_count=2", "batch_size=2", "hidden_size=16", "num_layers=1", "num_heads=2")


@pytest.fixture(scope="module")
def audiocaps(tmp_path_factory):
    """Lists as AudioCaps' owners write them, and small films of their names; one of each list is not there."""
    folder = tmp_path_factory.mktemp("audiocaps")
    (folder / "media").mkdir()
    rng = np.random.default_rng(0)
    for part, videos in VIDEOS.items():
        with (folder / f"{part}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("audiocap_id", "youtube_id", "start_time", "caption"))
            for number, video in enumerate((*videos, "notherexxxx")):
                writer.writerows((10 * number + k, video, 0, f"{video} sounds {k}") for k in range(3))
        for video in videos:
            pictures = rng.integers(0, 256, (16, 32, 32, 3), np.uint8)
            samples = rng.normal(0, 0.1, 96_000).astype(np.float32)
            write_movie(folder / "media" / f"{video}.mkv", pictures, Fraction(8), samples)
    return folder


@pytest.fixture
def wish(audiocaps, tmp_path, monkeypatch):
    """With figures that need no download."""
    monkeypatch.setattr(table1, "EVALUATION", "timing")
    sampling = Sampling(step_count=2)
    return Wish(
        tmp_path / "out",
        audiocaps,
        audiocaps / "media",
        "nano",
        networks=tmp_path,
        sampling=sampling,
        changes=TINY,
        workers=0,
    )


def reproduction(wish):
    return Table1(wish, lambda _: None).reproduction()


def test_both_rows_are_made_of_the_clips_whose_videos_are_there_and_measured(wish):
    outcome = reproduction(wish).run()
    assert outcome["prepare-train"] == {"clips": 2, "skipped": 0, "missing": 1}
    assert outcome["alignment"]["steps"] == 2
    sounds = {row: sorted((wish.out / "sounds" / row).iterdir()) for row in ("references", "text", "diffava")}
    assert [len(of_row) for of_row in sounds.values()] == [2, 2, 2]
    assert len({path.name for of_row in sounds.values() for path in of_row}) == 2
    real, text, diffava = (soundfile.read(of_row[0])[0] for of_row in sounds.values())
    assert len(real) == len(text) == len(diffava) == 96_000
    assert not np.array_equal(text, diffava)
    assert set(outcome["figures"]) == {"text", "diffava"}
    assert all(row["figures"] for row in outcome["figures"].values())


def test_what_was_finished_is_not_done_again_and_what_was_not_goes_on(wish):
    first = reproduction(wish).run()
    made = next((wish.out / "sounds" / "diffava").iterdir())
    before = made.read_bytes()
    made.unlink()
    (wish.out / "steps" / "sounds-diffava.json").unlink()
    done = {}
    again = reproduction(wish).run(lambda step, was_done: done.update({step.name: was_done}))
    assert again == first
    assert made.read_bytes() == before
    assert [name for name, was_done in done.items() if not was_done] == ["sounds-diffava"]


def test_a_folder_with_other_settings_is_refused(wish):
    step = Step("one", "one", Cost(), lambda: {})
    Reproduction(wish.out, wish.settings, [step]).run()
    with pytest.raises(DataError, match="with another step_count"):
        Reproduction(wish.out, {**wish.settings, "step_count": 7}, [step]).run()


def test_a_step_that_fails_is_not_remembered(tmp_path):
    def fail():
        raise DataError("no")

    steps = [Step("one", "", Cost(), lambda: {"told": 1}), Step("two", "", Cost(), fail)]
    stopped = Reproduction(tmp_path, {}, steps)
    with pytest.raises(DataError):
        stopped.run()
    assert [stopped.told(step) for step in steps] == [{"told": 1}, None]


def test_the_plan_needs_no_data_and_says_licences_hours_memory_and_disk(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("diffava.cli.reproduce.gflop_per_s", lambda _device: 100.0)
    assert run(["reproduce", "table1", "--plan", "--device", "cpu", "--json"]) == 0
    printed = capsys.readouterr()
    plan = json.loads(printed.out.splitlines()[-1])
    assert "CC BY-NC-SA 4.0: not for commercial work" in " ".join(printed.err.split())
    assert {"audioldm-s", "vggish", "cnn14-16k"} <= {entry["name"] for entry in plan["downloads"]}
    hours = {step["step"]: step["hours"] for step in plan["steps"]}
    # 886 sounds of 200 steps of 206.8 10^9 operations, and the decoder's 1697, at 100 10^9 a second.
    assert hours["sounds-text"] == pytest.approx(886 * (200 * 206.8 + 1697.5) / 100 / 3600, rel=0.01)
    assert hours["sounds-diffava"] > hours["sounds-text"]
    assert plan["steps"][1]["memory_bytes"] > 4 * 500e6
    assert not (tmp_path / "reproduction-table1").exists()


def test_without_lists_or_acceptance_nothing_is_done(capsys, tmp_path, monkeypatch, audiocaps):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("diffava.cli.reproduce.gflop_per_s", lambda _device: 100.0)
    assert run(["reproduce", "--device", "cpu"]) == 2
    assert "give AudioCaps' lists" in capsys.readouterr().err
    data = ["--lists", str(audiocaps), "--media", str(audiocaps / "media"), "--device", "cpu"]
    assert run(["reproduce", *data]) == 2
    assert "may NOT be used commercially, and nothing was done" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_operations_are_those_that_can_be_counted_by_hand():
    assert network_gflop(lambda: nn.Linear(1000, 500), torch.empty(3, 1000, device="meta")) == pytest.approx(3e-3)
    assert Cost(gflop=7200.0, seconds=3600.0).hours(2.0) == pytest.approx(2.0)
    work = model_work(table1.load_config("audioldm-s"), 10.0)
    assert work.step == pytest.approx(206.8, rel=1e-3)  # counted with other means: 206.8
    assert work.weights_bytes == pytest.approx(4 * 574_285_938, rel=0.02)


def test_our_rows_stand_beside_the_printed_ones():
    table = published_table("table1")
    figures = {
        row: {"figures": {"is@1": [{"value": 7.0}], "fd@1": [{"value": fd}]}}
        for row, fd in (("text", 1.0), ("diffava", 2.0))
    }
    rows = dict(beside_the_paper(table, figures))
    assert rows["DiffAVA, as printed"] == (7.37, 1.69, 4.23, 32.21)
    assert rows["AudioLDM, here"] == [7.0, None, None, 1.0]
    assert rows["DiffAVA, here"] == [7.0, None, None, 2.0]


def test_a_model_of_other_classes_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="'mini' is another model"):
        Table1(Wish(tmp_path, model="mini"))
