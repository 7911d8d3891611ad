"""The fake of Resolve has Blackmagic's documented interface, name by name and signature by signature.

The reference is the published `fusionscript-stubs`, whose text is read; nothing of it is imported.
"""

import ast
import inspect
import subprocess
import sys
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import pytest

from support.fake_resolve import PROFILES, SWITCHES, FakeResolve, NotPlayed, Quirks, profile, studio
from support.fake_resolve import item as item_file
from support.fake_resolve import pool as pool_file
from support.fake_resolve import project as project_file
from support.fake_resolve import timeline as timeline_file

PLAYED = {
    **{name: getattr(studio, name) for name in ("Resolve", "ProjectManager", "MediaStorage", "Fusion")},
    **{name: getattr(pool_file, name) for name in ("MediaPool", "Folder", "MediaPoolItem")},
    "Project": project_file.Project,
    "Timeline": timeline_file.Timeline,
    "TimelineItem": item_file.TimelineItem,
}
# Documented, and never handed out by anything that the fake plays.
NEVER_HANDED_OUT = {"Gallery", "GalleryStillAlbum", "GalleryStill", "Graph", "ColorGroup", "FusionComp"}
# Methods of later versions than the stubs' 21.0.0, with their source.
LATER = {
    "Timeline.GetSelectedClips": "README of 24 Jul 2026 (21.0.4)",
    "MediaPoolItem.GetTimeline": "README of 24 Jul 2026 (21.0.4)",
    "Resolve.IsStudio": "21.1",
    "Project.GetSettings": "21.1",
    "Timeline.GetSettings": "21.1",
}
# Arguments that the stubs' annotations demand although the documents call them optional.
OPTIONAL_BY_THE_DOCUMENTS = {
    **{f"TimelineItem.{name}": "subframe_precision" for name in ("GetStart", "GetEnd", "GetDuration")},
    **{f"TimelineItem.{name}": "subframe_precision" for name in ("GetLeftOffset", "GetRightOffset")},
    "Timeline.DeleteClips": "Bool",
    "Timeline.AddTrack": "subTrackType",
    "Timeline.Export": "exportSubtype",
    "Project.GetSetting": "settingName",
    "Timeline.GetSetting": "settingName",
}


@cache
def stub_classes() -> dict[str, ast.ClassDef]:
    """The classes of the stubs that are objects of Resolve, not dictionaries."""
    [path] = [one.locate() for one in distribution("fusionscript-stubs").files or [] if one.name == "fusionscript.pyi"]
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    found = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return {
        name: node
        for name, node in found.items()
        if name != "ValueRange" and not any(ast.unparse(base) == "TypedDict" for base in node.bases)
    }


def stub_methods(class_name: str) -> dict[str, list[ast.FunctionDef]]:
    """Each method with all of its forms."""
    methods: dict[str, list[ast.FunctionDef]] = {}
    for node in stub_classes()[class_name].body:
        if isinstance(node, ast.FunctionDef):
            methods.setdefault(node.name, []).append(node)
    return methods


def stub_arguments(method: ast.FunctionDef) -> list[tuple[str, bool]]:
    """Names, and whether they must be given."""
    arguments = method.args.args[1:]
    with_default = {one.arg for one in arguments[len(arguments) - len(method.args.defaults) :]}
    return [
        (one.arg, one.arg not in with_default and "Optional" not in ast.unparse(one.annotation or ast.Constant("")))
        for one in arguments
    ]


def test_every_documented_class_is_there():
    assert set(stub_classes()) == set(PLAYED) | NEVER_HANDED_OUT
    assert sum(len(stub_methods(name)) for name in PLAYED) > 300, "the reading of the stubs is broken"


@pytest.mark.parametrize("class_name", PLAYED)
def test_each_method_takes_exactly_what_is_documented(class_name):
    otherwise = []
    for name, forms in stub_methods(class_name).items():
        signature = inspect.signature(getattr(PLAYED[class_name], name))
        parameters = list(signature.parameters.values())[1:]
        if len(forms) == 1:
            optional = OPTIONAL_BY_THE_DOCUMENTS.get(f"{class_name}.{name}")
            wanted = [(argument, must and argument != optional) for argument, must in stub_arguments(forms[0])]
            found = [(one.name, one.default is one.empty) for one in parameters]
            otherwise += [f"{name}: {found} instead of {wanted}"] if found != wanted else []
        for form in forms:  # of a method with several, each must be accepted as it is called: by position
            given = [*stub_arguments(form), *([(form.args.vararg.arg, True)] if form.args.vararg else [])]
            signature.bind(None, *(argument for argument, _ in given))
    assert not otherwise


@pytest.mark.parametrize("class_name", PLAYED)
def test_nothing_is_offered_that_is_not_documented(class_name):
    offered = {
        name for name in dir(PLAYED[class_name]) if name[0].isupper() and callable(getattr(PLAYED[class_name], name))
    }
    extra = offered - set(stub_methods(class_name)) - {"GetUniqueId"}
    assert {f"{class_name}.{name}" for name in extra} == {one for one in LATER if one.startswith(f"{class_name}.")}


def test_every_constant_is_there_and_is_a_number():
    fake = FakeResolve(profile("20.3 Studio"))
    names = [
        target.id
        for node in stub_classes()["Resolve"].body
        if isinstance(node, ast.AnnAssign | ast.Assign)
        for target in ([node.target] if isinstance(node, ast.AnnAssign) else node.targets)
        if isinstance(target, ast.Name)
    ]
    assert len(names) > 80
    assert all(isinstance(getattr(fake.resolve, name), float) for name in names)
    exports = [getattr(fake.resolve, name) for name in names if name.startswith("EXPORT_")]
    assert len(set(exports)) == len(exports)


def test_what_is_not_played_says_so_instead_of_answering():
    with pytest.raises(NotPlayed, match="GrabStill"):
        FakeResolve(profile("20.3 Studio")).timeline.GrabStill()


def test_every_switch_has_a_meaning_and_a_source():
    for name, (_, meaning, source) in SWITCHES.items():
        assert meaning, name
        assert any(source.startswith(kind) for kind in ("MEASURED", "CHANGELOG", "README", "ASSUMED")), name


def test_an_unknown_switch_is_refused():
    with pytest.raises(ValueError, match="no such switch"):
        Quirks(append_end_is_inclusive=True)


@pytest.mark.parametrize("name", PROFILES)
def test_a_version_lacks_only_what_is_documented_for_later_ones(name):
    fake = FakeResolve(profile(name))
    for full in fake.quirks.absent:
        class_name, method = full.split(".")
        assert hasattr(PLAYED[class_name], method), full
    assert callable(fake.timeline.GetSelectedClips) == (fake.profile.version >= [21, 0, 4])
    assert callable(fake.timeline.GetMarkInOut) == (fake.profile.version >= [19, 1])


def test_the_fake_runs_in_a_bare_python(tmp_path):
    """Without our packages, without site-packages, and in the syntax of Python 3.6."""
    folder = Path(studio.__file__).parent
    for path in folder.glob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))
    code = (
        f"import sys; sys.path.insert(0, {str(folder.parent)!r})\n"
        "import fake_resolve\n"
        "print(fake_resolve.FakeResolve(fake_resolve.profile('18.6')).resolve.GetVersionString())\n"
    )
    answer = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert answer.stdout == "18.6.6.7\n", answer.stderr
