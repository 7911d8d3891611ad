"""A whole training at toy size, on toy sounds: every stage runs, goes on where it was, and ends in a model."""

import pytest
import torch

from diffava.builders import load, save
from diffava.config import load_config
from diffava.errors import ConfigError
from diffava.spec import FoleyRequest
from diffava.training.course import Course
from diffava.training.recipe import load_recipe
from support.toy_sounds import toy_library


def course(folder, said=None):
    say = (lambda _: None) if said is None else said.append
    return Course(load_config("nano-t2av"), load_recipe("smoke"), toy_library(), folder, say)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    return folder, course(folder).model()


def test_what_is_trained_can_be_saved_loaded_and_heard(trained, tmp_path):
    _, pipeline = trained
    save(pipeline, tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.weights_sha256 == pipeline.weights_sha256
    request = FoleyRequest("dog barking", 24_000, step_count=2, hit_samples=(6_000,))
    pieces = [torch.cat([piece.samples for piece in one.generate(request, [])]) for one in (pipeline, again)]
    assert pieces[0].shape == (24_000,)
    assert torch.equal(*pieces)


def test_every_part_was_trained(trained):
    folder, pipeline = trained
    untrained = course(folder.parent / "elsewhere")._parts
    for name, part in pipeline.parts.items():
        before, after = untrained[name].state_dict(), part.state_dict()
        assert any(not torch.equal(before[key], after[key]) for key in before), name


def test_a_finished_training_is_read_and_not_run_again(trained):
    folder, pipeline = trained
    said = []
    assert course(folder, said).model().weights_sha256 == pipeline.weights_sha256
    assert said == []


def test_a_model_whose_parts_come_from_elsewhere_is_not_trained_here(tmp_path):
    with pytest.raises(ConfigError, match="'nano' has parts that are not trained from recordings"):
        Course(load_config("nano"), load_recipe("smoke"), toy_library(), tmp_path)


def test_an_unknown_recipe_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no recipe 'huge'\. Known: mini, smoke"):
        load_recipe("huge")
