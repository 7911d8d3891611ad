"""Training one part of a model on a small library of videos, from files to a saved model; every class at tiny size."""

import csv
import json
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from diffava.builders import load, open_model
from diffava.cli.command import run as diffava
from diffava.condition.operators import OPERATORS
from diffava.config import load_config
from diffava.errors import ConfigError, DataError
from diffava.spec import FoleyRequest
from diffava.training.corpora.video_folder import VideoFolder
from diffava.training.part_recipe import AlignmentRecipe, ControlRecipe, read_part_recipe
from diffava.training.parts import Run, train_alignment, train_control
from diffava.training.prepared.audio_tower import audio_tower
from diffava.training.prepared.clips import PreparedClips
from diffava.training.prepared.encoder import ModelClipEncoder, Settings
from diffava.training.prepared.media import Media, read_media
from diffava.training.prepared.preparation import prepare
from diffava.training.run_folder import LOG
from support.movies import RATE_HZ, write_movie

CLIPS, CLIP_S, BATCH = 12, 2.0, 4
SMALL = {"batch_size": BATCH, "held_out_share": 0.25, "validations": 2, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Movies whose picture and tone say which of four kinds they are."""
    folder = tmp_path_factory.mktemp("library")
    time_s = np.arange(round(CLIP_S * RATE_HZ)) / RATE_HZ
    for number in range(CLIPS):
        kind = number % 4
        picture = np.zeros((48, 48, 3), np.uint8)
        picture[8 * kind : 8 * kind + 16, 8:40] = 255
        tone = 0.3 * np.sin(2 * np.pi * (200 * 4**kind) * (1 + number / 200) * time_s)
        write_movie(folder / f"kind_{'abcd'[kind]} {number}.mkv", [picture] * 50, Fraction(25), tone)
    return folder


def prepared_for(name, library, folder, **settings):
    pipeline = open_model(name)
    encoder = ModelClipEncoder(pipeline, audio_tower(pipeline), Settings(clip_s=CLIP_S, for_control=True, **settings))
    spec = pipeline.spec

    def read(clip):
        return read_media(clip.path, clip.start_s, clip.duration_s, spec.frame_rate, spec.frame_size_pixels)

    prepare(VideoFolder(library), encoder, read, folder, clips_a_shard=8)
    return folder


@pytest.fixture(scope="module")
def of_transformer(library, tmp_path_factory):
    return prepared_for("nano-t2av", library, tmp_path_factory.mktemp("of_transformer"))


@pytest.fixture(scope="module")
def of_unet(library, tmp_path_factory):
    return prepared_for("nano-audioldm-t2av", library, tmp_path_factory.mktemp("of_unet"))


def weights(pipeline, name):
    return {key: value.clone() for key, value in pipeline.parts[name].state_dict().items()}


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def quiet(folder, **options):
    return Run(folder, say=lambda _: None, device="cpu", **options)


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_prepared_clip_has_what_both_losses_need(of_transformer, of_unet):
    for folder, spec in ((of_transformer, open_model("nano-t2av").spec), (of_unet, open_model("nano").spec)):
        [item] = PreparedClips([folder]).items(0, 1, 1)
        frames = spec.latent_frames(round(CLIP_S * RATE_HZ))
        assert item["present"].tolist() == [True, True]
        assert np.linalg.norm(item["seconds"].astype(float), axis=1) == pytest.approx([1, 1], abs=0.01)
        assert item["latent"].shape[:2] == (spec.latent_channels, frames)
        assert item["energy"].shape == item["onsets"].shape == (frames, spec.vae_factor)
        assert item["energy"][5:-5].min() > 0.5  # a tone of -13 dB throughout
        assert ("seen_energy" in item) == (folder is of_transformer)  # X-CLIP tells no time


def test_a_clip_of_a_whole_window_fits_clap_and_a_caption_that_does_not_says_so():
    pipeline = open_model("nano-audioldm-t2av")
    encoder = ModelClipEncoder(pipeline, audio_tower(pipeline), Settings(clip_s=10.24))
    media = Media(np.zeros((16, 32, 32, 3), np.uint8), np.zeros(round(10.24 * RATE_HZ), np.float32))
    assert encoder.encode(media, ("rain",))["present"].tolist() == [True] * 2 + [False] * 8
    with pytest.raises(DataError, match="shorten it"):
        encoder.encode(media, ("rain " * 400,))


def test_eq_2_begins_at_t_log_b_and_only_the_alignment_changes(of_transformer, tmp_path):
    pipeline = open_model("nano-t2av")
    before = {name: weights(pipeline, name) for name in pipeline.parts}
    recipe = AlignmentRecipe(**SMALL, step_count=2, temperature=1.0)
    trained = train_alignment(pipeline, [of_transformer], recipe, quiet(tmp_path))
    losses = [float(row["loss"]) for row in rows(tmp_path / LOG)]
    # To a random CLAP all sounds are nearly one. That the loss falls where they are not is in test_alignment_task.py.
    assert losses[0] == pytest.approx(math.floor(CLIP_S) * math.log(BATCH), rel=0.01)
    after = {name: weights(trained.pipeline, name) for name in trained.pipeline.parts}
    assert {name for name in before if not same(before[name], after[name])} == {"alignment"}
    assert trained.figures.keys() >= {"recall_prompt", "recall_aligned", "loss"}


def test_a_training_that_was_stopped_ends_on_the_same_weights(of_transformer, tmp_path):
    recipe = AlignmentRecipe(**SMALL, step_count=8)

    def stop(line):
        if " 8/8 " in line:  # before the last checkpoint
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_alignment(open_model("nano-t2av"), [of_transformer], recipe, Run(tmp_path / "b", say=stop, device="cpu"))
    models = [
        train_alignment(open_model("nano-t2av"), [of_transformer], recipe, quiet(tmp_path / name)) for name in "ab"
    ]
    assert same(*(weights(model.pipeline, "alignment") for model in models))
    assert rows(tmp_path / "a" / LOG) == rows(tmp_path / "b" / LOG)


@pytest.mark.parametrize("options", [{"learn_temperature": True}, {"symmetric": True, "mean_over_time": True}])
def test_what_the_paper_leaves_open_is_an_option(of_transformer, tmp_path, options):
    recipe = AlignmentRecipe(**SMALL, step_count=2, **options)
    trained = train_alignment(open_model("nano-t2av"), [of_transformer], recipe, quiet(tmp_path))
    assert math.isfinite(trained.figures["loss"])


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_branch_learns_from_nothing_said_on_a_transformer(of_transformer, tmp_path, operator):
    pipeline = open_model("nano-t2av")
    # An untrained transformer's last layer is zero, so that nothing of what is added inside would come out.
    torch.nn.init.normal_(pipeline.parts["transformer"].linear_out.weight, std=0.05)
    denoiser = weights(pipeline, "transformer")
    recipe = ControlRecipe(**SMALL, step_count=3, operator=operator, guide={"none": 1, "picture": 1, "both": 1})
    trained = train_control(pipeline, [of_transformer], recipe, quiet(tmp_path))
    assert same(denoiser, weights(trained.pipeline, "transformer"))
    assert trained.pipeline.config.control.operator == operator
    assert float(trained.pipeline.parts["control_branch"].zero_out[0].weight.abs().max()) > 0
    assert trained.figures["loss"] != trained.figures["uncontrolled"]


@pytest.mark.parametrize("tune", [False, True])
def test_the_branch_learns_on_audioldms_u_net_and_tuning_is_on_or_off(of_unet, tmp_path, tune):
    pipeline = open_model("nano")  # it has no [control]: the section comes with the training
    # What starts at zero by diffusers' own hand would hide whether the branch is heard.
    torch.nn.init.normal_(pipeline.parts["unet"].conv_out.weight, std=0.05)
    recipe = ControlRecipe(**SMALL, step_count=3, tune_denoiser=tune, film={"aligned": 1, "text": 1, "sound": 1})
    before = weights(pipeline, "unet")
    with pytest.raises(ConfigError, match="which are not those of 'nano'"):
        train_control(pipeline, [of_unet], recipe, quiet(tmp_path / "other"))
    pipeline = open_model("nano-audioldm-t2av")
    torch.nn.init.normal_(pipeline.parts["unet"].conv_out.weight, std=0.05)
    before = weights(pipeline, "unet")
    trained = train_control(pipeline, [of_unet], recipe, quiet(tmp_path / "own"))
    assert same(before, weights(trained.pipeline, "unet")) != tune
    assert float(trained.pipeline.parts["control_branch"].zero_mid.weight.abs().max()) > 0
    request = FoleyRequest("a tone", 24_000, step_count=2, hit_samples=(6_000,))
    sound = torch.cat([piece.samples for piece in trained.pipeline.generate(request, [])])
    assert sound.shape == (24_000,)


def test_clips_without_latents_cannot_train_control(library, tmp_path):
    pipeline = open_model("nano-t2av")
    encoder = ModelClipEncoder(pipeline, audio_tower(pipeline), Settings(clip_s=CLIP_S))
    spec = pipeline.spec
    prepare(
        VideoFolder(library),
        encoder,
        lambda clip: read_media(clip.path, 0.0, CLIP_S, spec.frame_rate, spec.frame_size_pixels),
        tmp_path / "prepared",
    )
    with pytest.raises(ConfigError, match="prepare them with --for-control"):
        train_control(pipeline, [tmp_path / "prepared"], ControlRecipe(**SMALL), quiet(tmp_path / "run"))


def test_the_papers_recipe_is_the_papers():
    recipe = read_part_recipe(AlignmentRecipe, "diffava")
    section = recipe.section(load_config("mini").alignment)
    assert (section.num_layers, section.hidden_size, section.num_heads) == (4, 768, 8)
    assert section == load_config("audioldm-s").alignment
    plan = recipe.plan(45_423, recipe.batch_size)
    assert plan.step_count == 30 * (45_423 // 128)
    assert (plan.learning_rate, plan.weight_decay, plan.rate(0), plan.rate(plan.step_count)) == (1.5e-4, 0.0, 1.0, 1.0)
    assert recipe.objective == type(recipe.objective)()


@pytest.mark.parametrize(
    ("changes", "message"),
    [(["depth=3"], "depth: Extra inputs"), (["epochs=many"], "epochs: Input should be"), (["epochs"], "no NAME=VALUE")],
)
def test_an_option_that_there_is_not_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        read_part_recipe(AlignmentRecipe, "diffava", changes)


def test_the_commands_go_from_a_library_to_a_model(library, tmp_path, capsys):
    def told(*words):
        assert diffava([str(word) for word in (*words, "--json")]) == 0
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    small = ["--recipe", "diffava-small", "--set", "step_count=2", "--set", "batch_size=4"]
    found = told("train", "prepare", "folder", library, "--model", "nano-t2av", "--clip-s", 2, "--for-control",
                 "--out", tmp_path / "clips", "--licence", "ours")  # fmt: skip
    assert found["clips"] == CLIPS
    aligned = told("train", "alignment", "--data", tmp_path / "clips", "--model", "nano-t2av", "--out", tmp_path / "a",
                   *small, "--set", "num_layers=1")  # fmt: skip
    told("train", "control", "--data", tmp_path / "clips", "--weights", tmp_path / "a", "--out", tmp_path / "c",
         "--recipe", "t2av-small", "--set", "step_count=1", "--set", "operator=lstm")  # fmt: skip
    model = load(tmp_path / "c")
    assert model.config.alignment.num_layers == 1
    assert same(weights(load(tmp_path / "a"), "alignment"), weights(model, "alignment"))
    assert aligned["sha256"] == load(tmp_path / "a").weights_sha256
    assert "licence: ours" in (tmp_path / "c" / "TRAINED_CONTROL.md").read_text()
    assert json.loads((tmp_path / "c" / "trained_alignment.json").read_text())["recipe"]["num_layers"] == 1
    assert diffava(["train", "control", "--data", str(tmp_path / "clips"), "--out", str(tmp_path / "c")]) == 2
    assert "exists already" in capsys.readouterr().err


def test_personalize_makes_a_model_of_ones_own(library, tmp_path, capsys):
    words = ["personalize", library, "--model", "nano-t2av", "--out", tmp_path / "mine", "--set", "step_count=3"]
    assert diffava([str(word) for word in (*words, "--set", "batch_size=4", "--json")]) == 0
    out = capsys.readouterr().out
    assert "near its sound" in out
    model = load(tmp_path / "mine")
    assert model.name == "nano-t2av-personal"
    assert not same(weights(model, "alignment"), weights(open_model("nano-t2av"), "alignment"))
    assert "library's owner answers" in (tmp_path / "mine" / "TRAINED_ALIGNMENT.md").read_text()
