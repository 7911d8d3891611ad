"""`diffava resolve`: DiffAVA in Resolve's menu, and Resolve from outside. The installer's part is named by text."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import platformdirs
from cyclopts import App, Parameter

from diffava_resolve.bridge.failures import EditorGoneError
from diffava_resolve.bridge.forms import ask_in_window, ask_on, first_that_can
from diffava_resolve.bridge.launch import outside
from diffava_resolve.bridge.mailbox import MailboxChannel
from diffava_resolve.bridge.remote import Bridge
from diffava_resolve.cli.clips import clip_json, take_in_words
from diffava_resolve.cli.finishing import FinishOptions
from diffava_resolve.cli.options import Leaks, ServerOptions, SoundOptions
from diffava_resolve.cli.output import AsJson, Output
from diffava_resolve.cli.resolve_job import in_words, run_job
from diffava_resolve.editor.protocol import Selection
from diffava_resolve.session.in_editor import FoleyWish, foley_in_editor
from diffava_resolve.session.shown import PictureWish

resolve = App(name="resolve", help="DiffAVA in DaVinci Resolve: put it into the menu, or work from outside.")
_INSTALLER = "diffava_installer.resolve.command"
resolve.command(
    f"{_INSTALLER}:install_in_resolve", name="install", help="Put DiffAVA into Resolve's menu, or renew it."
)
resolve.command(f"{_INSTALLER}:repair_in_resolve", name="repair", help="Put DiffAVA into Resolve's menu anew.")
resolve.command(f"{_INSTALLER}:uninstall_from_resolve", name="uninstall", help="Take it away, to the last file.")
resolve.command(f"{_INSTALLER}:status_in_resolve", name="status", help="Say whether it is there, and whole.")
resolve.command("diffava_resolve.cli.companion:companion", name="companion", help="What the menu starts; not by hand.")

BY_FILES = (
    "In Resolve: File, Export, Timeline, as cut.otio.",
    'diffava foley cut.otio --prompt "what should be heard" --range 01:00:05:00 01:00:09:00 -o out.otio\n'
    "   (or --markers: every marker with a duration is a shot, its note is the prompt)",
    "In Resolve: File, Import, Timeline, out.otio. The sound is on a new audio track; the rest is as it was.",
)


@resolve.command
def foley(
    *,
    prompt: Annotated[str, Parameter(help="What should be heard. With --markers: for markers without a note.")] = "",
    markers: Annotated[bool, Parameter(help="Under every marker that spans a range; its note is the prompt.")] = False,
    range_: Annotated[
        tuple[str, str] | None, Parameter(name="--range", help="IN and OUT; by default marks, selection, playhead.")
    ] = None,
    takes: Annotated[int, Parameter(help="How many takes to make.")] = 1,
    track: Annotated[str, Parameter(help="Audio track to put the sound on.")] = "Foley",
    picture: Annotated[PictureWish, Parameter(help="Which picture is looked at.")] = "auto",
    sound: SoundOptions = SoundOptions(),  # noqa: B008  frozen
    finish: FinishOptions = FinishOptions(),  # noqa: B008  frozen
    leaks: Leaks = "warn",
    server: ServerOptions = ServerOptions(),  # noqa: B008  frozen
    json: AsJson = False,
) -> None:
    """Make foley on the timeline that is open in Resolve Studio, from outside."""
    from diffava_resolve.editor.resolve_editor import ResolveEditor

    output = Output(json)
    selection = Selection("markers") if markers else Selection("range", *range_) if range_ else Selection()
    settings = partial(sound.settings, server.model_name, takes, finishing=finish.finishing(), leak_check=leaks)
    wish = FoleyWish(prompt, selection, settings, picture, track)
    with outside() as bridge, server.connect(output) as client, output.progress() as bar:
        outcome = foley_in_editor(ResolveEditor(bridge.resolve), wish, client, bar.show)
        bridge.settle()
        bridge.end(in_words(outcome), ok=True)
    for clip in outcome.clips:
        output.line(f"{clip.clip_id} on {clip.track_name}")
        for take in clip.takes:
            output.line(f"  {take_in_words(take.path, take)}")
    for note in outcome.notes:
        output.warn(note)
    output.result({"editor": outcome.editor_name, "clips": [clip_json(clip) for clip in outcome.clips]})


@resolve.command
def listen(*, once: bool = False, server: ServerOptions = ServerOptions()) -> None:  # noqa: B008  frozen
    """Wait for “DiffAVA (no Python)” in the menu of the free Resolve from 21.1 on, and serve it until Ctrl-C.

    Args:
        once: End after one job.
        server: Which server makes the sound.
    """
    from diffava_resolve.editor.resolve_editor import ResolveEditor

    output = Output(as_json=False)
    ask = first_that_can((ask_in_window, ask_on(sys.stdin, sys.stdout)))
    while True:
        output.line("Waiting. In Resolve: Workspace, Scripts, DiffAVA (no Python). Ctrl-C ends.")
        channel = MailboxChannel(mailbox_folder(), fusion_preferences(sys.platform, Path.home()))
        try:
            bridge = Bridge(channel, greeting_timeout_s=float("inf"))
            run_job(bridge, ask, lambda: server.connect(output), ResolveEditor)
        except EditorGoneError as error:
            output.warn(str(error))
        finally:
            channel.close()
        if once:
            return


@resolve.command
def files(*, json: AsJson = False) -> None:
    """Say the shortest way without any script: by files."""
    output = Output(json)
    for number, step in enumerate(BY_FILES, 1):
        output.line(f"{number}. {step}")
    output.result({"steps": list(BY_FILES)})


def mailbox_folder() -> Path:
    """Where the menu's script looks: the installer's rule, which a test compares."""
    return platformdirs.user_state_path("diffava", appauthor=False) / "resolve" / "mailbox"


def fusion_preferences(platform: str, home: Path) -> tuple[Path, ...]:
    """Where Fusion keeps its preferences, should it not write them to the file that it is asked to."""
    folders = {
        "darwin": home / "Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion",
        "win32": home / "AppData/Roaming/Blackmagic Design/DaVinci Resolve/Support/Fusion",
    }
    folder = folders.get(platform, home / ".local/share/DaVinciResolve/Fusion")
    return (folder / "Profiles" / "Default" / "Fusion.prefs",)
