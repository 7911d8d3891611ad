"""A trained model's folder as it ships: card, credits, figures, limits of size, and never half of it."""

import json

import numpy as np
import pytest
import soundfile

from diffava.builders import build, load
from diffava.config import load_config
from diffava.errors import CheckpointError, DataError
from diffava.sounds.recordings import Recording
from diffava.training import shipping
from diffava.training.facts import DataFacts, RunFacts, TrainingFacts, count_data
from diffava.training.model_card import model_card
from diffava.training.shipping import add_figures, ship

RUN = RunFacts(hardware="2 CPU cores", hours={"vocoder": 1.5, "transformer": 3.25}, steps={"transformer": 12_000})
FIGURES = {
    "model": "nano-t2av",
    "clips": 78,
    "measures": {
        "in_time": [
            {"title": "F1 at ±50 ms", "value": 0.8125, "low": 0.75, "high": 0.875, "count": 60, "at_least": 0.7,
             "real": 0.9375, "verdict": "met"},
            {"title": "Median error", "value": 55.5, "unit": "ms", "at_most": 41.7, "verdict": "missed"},
        ],
        "speed": [{"title": "8 s of sound", "value": 3.25, "unit": "s"}],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    found = []
    for number, split in enumerate(("generator", "generator", "judge", "held_out")):
        path = folder / f"{number}.wav"
        soundfile.write(path, np.zeros(24_000), 48_000)
        found.append(Recording(path, "coins", f"o{number}", split, "coin", "CC-BY-3.0", f"Author {number}", "a/b"))
    return found


@pytest.fixture(scope="module")
def trained():
    return build("nano-t2av", seed=3)


@pytest.fixture
def shipped(trained, recordings, tmp_path):
    ship(trained, recordings, RUN, tmp_path / "weights" / "nano-t2av")
    return tmp_path / "weights" / "nano-t2av"


def test_the_folder_has_all_that_ships_and_loads(shipped):
    found = {path.name for path in shipped.iterdir()}
    assert {"model.json", "config.json", "tokenizer", "MODEL_CARD.md", "CREDITS.md", "training.json"} <= found
    assert "Author 1" in (shipped / "CREDITS.md").read_text("utf-8")
    assert "Author 3" not in (shipped / "CREDITS.md").read_text("utf-8")
    assert f"`{load(shipped).weights_sha256}`" in (shipped / "MODEL_CARD.md").read_text("utf-8")
    assert [path.name for path in shipped.parent.iterdir()] == [shipped.name]  # nothing is left beside it


def test_figures_of_the_shipped_weights_come_into_the_card_and_the_weights_stay(shipped):
    before = load(shipped).weights_sha256
    assert add_figures(shipped, {**FIGURES, "weights_sha256": before}) == before
    assert load(shipped).weights_sha256 == before
    card = (shipped / "MODEL_CARD.md").read_text("utf-8")
    assert "| F1 at ±50 ms | 0.812 | 0.75 to 0.875 | 60 | at least 0.7 | 0.938 | met |" in card
    assert "- Median error: 55.5 where at most 41.7 was wanted." in card
    assert json.loads((shipped / "figures.json").read_text("utf-8"))["clips"] == 78


def test_figures_of_other_weights_are_refused(shipped):
    card = (shipped / "MODEL_CARD.md").read_text("utf-8")
    with pytest.raises(DataError, match=r"figures are of the weights 0000.*measure what ships"):
        add_figures(shipped, {**FIGURES, "weights_sha256": "0" * 64})
    assert (shipped / "MODEL_CARD.md").read_text("utf-8") == card


def test_a_newer_model_takes_the_place_of_the_older(shipped, recordings):
    sha256 = ship(build("nano-t2av", seed=4), recordings, RUN, shipped)
    assert load(shipped).weights_sha256 == sha256


@pytest.mark.parametrize("limit", ["FILE_LIMIT_BYTES", "FOLDER_LIMIT_BYTES"])
def test_what_is_too_large_to_ship_is_refused_and_nothing_is_left(trained, recordings, tmp_path, monkeypatch, limit):
    monkeypatch.setattr(shipping, limit, 10_000)
    with pytest.raises(CheckpointError, match="MB and"):
        ship(trained, recordings, RUN, tmp_path / "weights" / "nano-t2av")
    assert list((tmp_path / "weights").iterdir()) == []


def test_a_folder_with_something_else_in_it_is_not_replaced(trained, recordings, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="is no saved model"):
        ship(trained, recordings, RUN, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_data_is_counted_by_split_and_by_licence(recordings):
    facts = count_data(recordings)
    assert facts == DataFacts(
        kinds=("coins",),
        recordings={"generator": 2, "held_out": 1, "judge": 1},
        seconds={"generator": 1.0, "held_out": 0.5, "judge": 0.5},
        licences={"CC-BY-3.0": 2},
    )


def test_a_card_without_figures_says_so_and_has_what_was_trained(recordings):
    facts = TrainingFacts(data=count_data(recordings), run=RUN)
    card = model_card(load_config("nano-t2av"), 318_060, "ab" * 32, facts)
    assert "Not measured yet." in card
    assert "falls short" not in card
    for said in (
        "318,060",
        "48,000 Hz",
        "2 CPU cores; 4.8 hours in all",
        "| transformer | 3.2 | 12,000 |",
        "CC-BY-3.0: 2",
    ):
        assert said in card


def test_what_was_tried_in_vain_is_among_the_shortfalls(recordings):
    run = RUN.model_copy(update={"notes": ("A longer run did not help.",)})
    card = model_card(load_config("nano"), 1, "", TrainingFacts(data=count_data(recordings), run=run))
    assert "## Where it falls short\n\n- A longer run did not help." in card
