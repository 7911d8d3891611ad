"""`diffava verify`: is every generated take what its receipt says?"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from diffava_resolve.cli.clips import sync_in_words
from diffava_resolve.cli.options import ServerOptions
from diffava_resolve.cli.output import AsJson, Output
from diffava_resolve.errors import RequestError
from diffava_resolve.session import Verdict
from diffava_resolve.session import verify as verify_takes
from diffava_resolve.timeline.place import find_clip, foley_clips
from diffava_resolve.timeline.read import read_timeline

_IN_WORDS = {"same": "same", "differs": "differs", "cannot": "cannot be made again"}


def verify(
    timeline: Annotated[Path, Parameter(help="A timeline with generated clips.")],
    /,
    *,
    server: ServerOptions = ServerOptions(),  # noqa: B008  frozen
    json: AsJson = False,
) -> int:
    """Make every take again from its receipt and compare; exit code 0 if all are the same, else 1."""
    output = Output(json)
    cut = read_timeline(timeline)
    clips = foley_clips(cut)
    if not clips:
        raise RequestError(f"{timeline} has no generated clips; there is nothing to verify.")
    verdicts: list[Verdict] = []
    with server.connect(output, clips[0].chosen.receipt.job.model) as client, output.progress() as bar:
        for verdict in verify_takes(cut, timeline, client, on_event=bar.show):
            verdicts.append(verdict)
            outcome = _IN_WORDS[verdict.outcome]
            sync = sync_in_words(find_clip(cut, verdict.clip_id).take(verdict.take_number).receipt.sync)
            output.line(f"{verdict.clip_id} take {verdict.take_number}: {outcome} ({sync})  {verdict.reason}".rstrip())
    all_same = all(verdict.outcome == "same" for verdict in verdicts)
    output.result({"same": all_same, "takes": [vars(verdict) for verdict in verdicts]})
    return 0 if all_same else 1
