"""Options that several commands share, and the client that they name."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Self

from cyclopts import Parameter

from diffava_resolve.cli.output import Output
from diffava_resolve.client.grpc_client import GrpcClient, is_local
from diffava_resolve.client.known_pictures import KnownPictures
from diffava_resolve.client.local_server import DEFAULT_MODEL, LocalServers, launch_detached, state_directory
from diffava_resolve.client.patient_client import PATIENCE_S, PatientClient
from diffava_resolve.client.tls import Tls
from diffava_resolve.decoding import decoders
from diffava_resolve.errors import RequestError
from diffava_resolve.session import Finishing, FoleySettings, LeakCheck
from diffava_resolve.spec import FoleyJob

TOKEN_VARIABLE = "DIFFAVA_TOKEN"
OTIO_SUFFIX = ".otio"
_ADDRESS = re.compile(r"unix:.+|.+:\d+")

Out = Annotated[Path, Parameter(name=["--out", "-o"], help="The new timeline (.otio); its takes go beside it.")]
Leaks = Annotated[
    LeakCheck,
    Parameter(
        help="Where the signal of a take is like speech or music: warn, reroll (once, with another seed), or off."
    ),
]
Range = Annotated[
    tuple[str, str] | None,
    Parameter(
        name="--range",
        help="IN and OUT (exclusive): timecode 01:00:05:00 (; for drop frame), frame f123 or seconds 5.2s.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class ServerOptions:
    """Which server makes the sound."""

    server: Annotated[
        str, Parameter(help="Address of a running server, HOST:PORT or unix:PATH; without it a local one is started.")
    ] = ""
    token_file: Annotated[
        Path | None, Parameter(help=f"File with that server's token; without it {TOKEN_VARIABLE} is read.")
    ] = None
    model: Annotated[
        str,
        Parameter(
            help="Model to use (see `diffava models list`); by default the server's first, a local one's is mini."
        ),
    ] = ""

    ca: Annotated[
        Path | None,
        Parameter(env_var="DIFFAVA_CA", help="CA (PEM) that signed the server's certificate; by default public ones."),
    ] = None
    cert: Annotated[
        Path | None, Parameter(env_var="DIFFAVA_CERT", help="Own certificate (PEM), for a server that asks for one.")
    ] = None
    key: Annotated[Path | None, Parameter(env_var="DIFFAVA_KEY", help="Its private key (PEM).")] = None
    plaintext: Annotated[
        bool, Parameter(negative="", help="No TLS beyond this machine: pictures, prompts and token can be read.")
    ] = False
    patience_s: Annotated[float, Parameter(help="How long to ask a full server again and again, in seconds.")] = (
        PATIENCE_S
    )

    def connect(self, output: Output, fallback_model: str = "") -> PatientClient:
        """A client of the server named, or of a local one that has the model.

        Raises:
            FoleyError: No server answers, or there is no token for it.
        """
        decoders.prepare()  # it starts while the server is looked for
        state = state_directory(os.environ)
        return PatientClient(self._once(state, output, fallback_model), self.patience_s, KnownPictures(state))

    def _once(self, state: Path, output: Output, fallback_model: str) -> GrpcClient:
        """A client that asks once."""
        if self.server:
            if not _ADDRESS.fullmatch(self.server):
                raise RequestError(f"“{self.server}” is not a server's address; give HOST:PORT or unix:PATH.")
            return GrpcClient(self.server, self._token(), tls=self._tls())
        servers = LocalServers(state, launch_detached, output.note)
        model = self.model or fallback_model or DEFAULT_MODEL
        return servers.connect(str(Path(model).absolute()) if _is_folder(model) else model)

    def _tls(self) -> Tls | None:
        """Beyond this machine always, unless the user says otherwise; on it where certificates are given."""
        given = (self.ca, self.cert, self.key)
        if self.plaintext:
            if any(given):
                raise RequestError("--plaintext contradicts --ca, --cert and --key; leave it out to use TLS.")
            return None
        return None if is_local(self.server) and not any(given) else Tls(*given)

    @property
    def model_name(self) -> str:
        """The model by its name; a local server started for a model's folder has only that one."""
        return "" if _is_folder(self.model) else self.model

    def _token(self) -> str:
        if self.token_file is not None:
            try:
                token = self.token_file.read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is no text"
                raise RequestError(
                    f"The token file {self.token_file} cannot be read ({reason}); check --token-file."
                ) from error
        else:
            token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not token or not token.isascii() or not token.isprintable():
            raise RequestError(
                f"There is no usable token for the server at {self.server}; set {TOKEN_VARIABLE} or give --token-file "
                "with the one it was started with."
            )
        return token


@Parameter(name="*")
@dataclass(frozen=True)
class SoundOptions:
    """How the model is asked; what is not given is the model's own choice."""

    negative: Annotated[str | None, Parameter(help="What should not be heard.")] = None
    seed: Annotated[
        int | None, Parameter(help="The first take's seed, the next takes count on; by default random.")
    ] = None
    steps: Annotated[int, Parameter(help="Denoising steps; 0 is the model's default.")] = 0
    guidance: Annotated[
        float, Parameter(help="How closely to follow the prompt, from 1; 0 is the model's default.")
    ] = 0.0
    sampler: Annotated[str, Parameter(help="dpmpp_2m, ddim or euler; by default the model's.")] = ""
    guide_strength: Annotated[
        float | None,
        Parameter(help="How closely to follow the timing, from 0 (not at all) to 2; by default 1, as trained."),
    ] = None

    def or_as_in(self, job: FoleyJob) -> Self:
        """These options with what was not given taken from an earlier job; never its seed."""
        return replace(
            self,
            negative=job.negative_prompt if self.negative is None else self.negative,
            steps=self.steps or job.step_count,
            guidance=self.guidance or job.guidance_scale,
            sampler=self.sampler or job.sampler,
            guide_strength=job.guide.strength if self.guide_strength is None else self.guide_strength,
        )

    def settings(
        self,
        model: str,
        take_count: int,
        prompt: str,
        finishing: Finishing = Finishing(),  # noqa: B008  frozen
        leak_check: LeakCheck = "warn",
    ) -> FoleySettings:
        """The settings for one prompt.

        Raises:
            RequestError: One of them is out of its bounds.
        """
        return FoleySettings(
            prompt=prompt,
            negative_prompt=self.negative or "",
            model=model,
            take_count=take_count,
            seed=self.seed,
            step_count=self.steps,
            guidance_scale=self.guidance,
            sampler=self.sampler,
            guide_strength=1.0 if self.guide_strength is None else self.guide_strength,
            finishing=finishing,
            leak_check=leak_check,
        )


def checked_output(out: Path) -> Path:
    """The name of a new timeline.

    Raises:
        RequestError: It is not an .otio file, or its folder does not exist.
    """
    if out.suffix.lower() != OTIO_SUFFIX:
        raise RequestError(
            f"The output {out.name} does not end in {OTIO_SUFFIX}; `diffava export` makes other formats of it."
        )
    if not out.parent.is_dir():
        raise RequestError(f"There is no folder {out.parent} for the output; make it, or choose another.")
    return out


def _is_folder(model: str) -> bool:
    return os.sep in model and Path(model).is_dir()
