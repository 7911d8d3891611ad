"""Who is credited for what the weights learned, and that the text hangs on nothing else."""

from pathlib import Path

from diffava.sounds.recordings import Recording
from diffava.training.credits import credits_text


def recording(name, licence, author="Ada", repository="ada/sounds", split="generator", label="door close"):
    return Recording(Path("set") / name, "door_close", "origin", split, label, licence, author, repository)


OWED = (
    recording("b.ogg", "CC-BY-3.0"),
    recording("a.ogg", "CC-BY-3.0", label="creak"),
    recording("a2.ogg", "CC-BY-3.0", label="creak"),
    recording("c.wav", "CC-BY-4.0", author="Bo", repository="bo/noises"),
    recording("k.wav", "MIT", author="Cy", repository="cy/keys"),
)


def test_author_source_licence_and_file_of_each_owed_recording_are_named():
    text = credits_text(OWED)
    for said in (
        "CC-BY-3.0 (https://creativecommons.org/licenses/by/3.0/)",
        "**Ada**",
        "[ada/sounds](https://github.com/ada/sounds): creak (`a.ogg`, `a2.ogg`), door close (`b.ogg`)",
        "[bo/noises](https://github.com/bo/noises): door close (`c.wav`)",
        "trimmed, resampled, mixed",
    ):
        assert said in text


def test_the_notice_of_mit_is_there_in_full_when_it_is_owed():
    assert "Copyright (c) Cy\n\nPermission is hereby granted" in credits_text(OWED)
    assert "Permission is hereby granted" not in credits_text(OWED[:4])


def test_what_was_not_trained_on_is_not_credited():
    text = credits_text([*OWED, recording("held.ogg", "CC-BY-3.0", author="Di", split="held_out")])
    assert text == credits_text(OWED)


def test_the_public_domain_is_thanked_in_a_line_for_each_source():
    free = [recording(f"{n}.wav", "CC0-1.0", author=f"author {n}", repository="kenney/casino") for n in range(3)]
    text = credits_text([*OWED, *free])
    assert "- [kenney/casino](https://github.com/kenney/casino), CC0-1.0: 3 recordings\n" in text
    assert "author 1" not in text


def test_the_order_of_the_recordings_changes_nothing():
    assert credits_text(OWED) == credits_text(OWED[::-1])


def test_an_author_that_a_manifest_only_points_to_is_said_to_be_named_there():
    text = credits_text([recording("x.ogg", "CC-BY-3.0", author="see planet/authors.txt")])
    assert "the authors that `planet/authors.txt` of the repository names" in text
