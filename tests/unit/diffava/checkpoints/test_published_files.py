"""Where published files are: none is said to be here that is not; a missing one names the command that brings it."""

import json

import pytest

from diffava.checkpoints import published_files, registry
from diffava.checkpoints.published_files import is_here, published_file, published_folder
from diffava.checkpoints.registry import Published, published, published_names, with_needs
from diffava.errors import CheckpointError, RequestError

REVISION = "0123456789abcdef0123456789abcdef01234567"


def entry(**changes) -> Published:
    values = {
        "name": "thing",
        "title": "A thing",
        "purpose": "evaluation",
        "licence": "MIT",
        "commercial_use_allowed": True,
        "url": "https://example.org/files",
        "source": "made up for this test",
        "files": [{"path": "a/one.pth", "size_bytes": 3}],
    }
    return Published.model_validate(values | changes)


@pytest.fixture
def known(monkeypatch, tmp_path):
    """Put an entry in the place of the registry's, and an empty folder in the place of the cache."""

    def know(found: Published) -> Published:
        for module in (registry, published_files):
            monkeypatch.setattr(module, "published", lambda _name: found)
        return found

    monkeypatch.setattr(published_files, "cache_root", lambda: tmp_path / "cache")
    monkeypatch.setattr(published_files, "hub_cache", lambda: tmp_path / "hub")
    return know


def put(path, content=b"abc"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_what_was_not_pulled_names_the_command_that_pulls_it(known):
    known(entry())
    with pytest.raises(CheckpointError, match=r"a/one\.pth of 'thing' .* run `diffava models pull thing`"):
        published_file("thing")


def test_a_pulled_file_and_its_folder_are_found(known, tmp_path):
    assert not is_here(known(entry()))
    put(tmp_path / "cache" / "thing" / "a" / "one.pth")
    assert is_here(entry())
    assert published_file("thing") == tmp_path / "cache" / "thing" / "a" / "one.pth"
    assert published_folder("thing") == tmp_path / "cache" / "thing"


def test_a_cut_off_file_is_refused(known, tmp_path):
    known(entry())
    put(tmp_path / "cache" / "thing" / "a" / "one.pth", b"ab")
    with pytest.raises(CheckpointError, match="has 2 bytes and should have 3"):
        published_file("thing")


def test_the_hubs_own_cache_is_read_at_the_pinned_commit_alone(known, tmp_path):
    known(entry(url="", hub="owner/name", revision=REVISION))
    snapshots = tmp_path / "hub" / "models--owner--name" / "snapshots"
    put(snapshots / ("f" * 40) / "a" / "one.pth")
    with pytest.raises(CheckpointError, match="is not on this machine"):
        published_file("thing")
    put(snapshots / REVISION / "a" / "one.pth")
    assert published_file("thing") == snapshots / REVISION / "a" / "one.pth"
    assert published_folder("thing") == snapshots / REVISION


def test_where_no_source_says_the_commit_the_recorded_one_counts(known, tmp_path):
    known(entry(url="", hub="owner/name", revision="main"))
    put(tmp_path / "hub" / "models--owner--name" / "snapshots" / REVISION / "a" / "one.pth")
    put(tmp_path / "cache" / "thing.json", json.dumps({"revision": REVISION, "files": {}}).encode())
    assert published_file("thing").read_bytes() == b"abc"


@pytest.mark.parametrize("path", ["../one.pth", "/one.pth", "a/../../one.pth", ".hidden", "a//b"])
def test_no_path_leads_out_of_the_cache(path):
    with pytest.raises(ValueError, match="path"):
        entry(files=[{"path": path}])


@pytest.mark.parametrize(
    "changes", [{"hub": "owner/name", "revision": REVISION}, {"url": ""}, {"url": "", "hub": "owner/name"}]
)
def test_a_checkpoint_is_in_one_place(changes):
    with pytest.raises(ValueError, match="hub and revision"):
        entry(**changes)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(RequestError, match=r"No published checkpoint is called 'audio'.*audioldm-s"):
        published("audio")


@pytest.mark.parametrize("name", published_names())
def test_every_entry_of_the_registry_can_be_used(name):
    found = published(name)
    assert {need.name for need in with_needs(name)} >= {name, *found.needs}
    assert len({file.path for file in found.files}) == len(found.files)
    # Whoever reads an entry must see what vouches for a file whose hash nobody publishes.
    if not all(file.sha256 for file in found.files):
        assert "sha256" in found.source
    assert found.commercial_use_allowed or "NC" in found.licence or "non-commercial" in found.licence
