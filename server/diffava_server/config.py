"""Every setting of a server, as one frozen value. Knows the environment's and the file's names, and no network.

Order of precedence: what the caller gives, `DIFFAVA_SERVER_*` variables, the file, the defaults below.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import platformdirs
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict

from diffava_server import addresses
from diffava_server.errors import StartError

Precision = Literal["auto", "float32", "bfloat16"]
LogFormat = Literal["logfmt", "json"]
ENV_PREFIX = "DIFFAVA_SERVER_"
FILE_VARIABLE = f"{ENV_PREFIX}CONFIG"


def default_token_file() -> Path:
    """Where the token lives unless the configuration says otherwise."""
    return platformdirs.user_state_path("diffava", appauthor=False) / "token"


class ServerConfig(BaseSettings):
    """How one server listens, what it loads and what it takes. Build it with `read_config`."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    listen: str = Field("127.0.0.1:0", description="HOST:PORT (port 0: any free one) or unix:PATH; wider only with TLS")
    tls_cert: Path | None = Field(None, description="PEM: the server's certificate, then those between it and the CA")
    tls_key: Path | None = Field(None, description="PEM: the certificate's private key; for other users not to be read")
    tls_client_ca: Path | None = Field(None, description="PEM: who signs editors' certificates; set: each needs one")
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        ("mini",), min_length=1, description="presets or model folders; the first is the default"
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="where models compute; auto: a CUDA GPU if there is one",
    )
    precision: Precision = Field(
        "auto", description="auto: what a model wants, if this machine is fast at it, or else float32"
    )
    compile: bool = Field(False, description="steps as CUDA graphs: slow to start, then faster")
    memory_gb: float | None = Field(
        None, gt=0, description="for the weights of all models; what was used last stays; empty: all are loaded"
    )
    token_file: Path = Field(default_factory=default_token_file, description="made with a fresh token if absent")
    state_file: Path | None = Field(None, description="JSON with the address and the process, while the server answers")
    idle_exit_s: float | None = Field(None, gt=0, description="end after this long without a call; empty: never")
    drain_s: float = Field(30.0, ge=0, description="how long jobs may take to end once the server is told to stop")
    metrics: str | None = Field(None, description="HOST:PORT on loopback of Prometheus' page; empty: none")
    log_format: LogFormat = Field("logfmt", description="a line an event: key=value, or JSON")
    log_prompts: bool = Field(False, description="write what is asked for into the log")

    max_connections: int = Field(1_000, ge=1, description="more are closed before they say anything")
    max_open_calls: int = Field(1_000, ge=1, description="at once, of one connection and of one client")
    max_calls_per_minute: int = Field(3_000, ge=1, description="of one client; as many may come in one go")

    # Numbers that fill a message take some 17 times its size once it is parsed.
    max_message_bytes: int = Field(2 << 20, ge=1 << 16, description="unpacked; more is refused before it is read")
    max_prompt_characters: int = Field(2_000, ge=1, description="of a prompt, and of what is not to be heard")
    max_take_count: int = Field(8, ge=1, description="of one job")
    max_sample_count: int = Field(48_000 * 60 * 60, ge=1, description="of a job's range; 48000 are a second")
    max_step_count: int = Field(200, ge=1, description="of denoising")
    max_cut_count: int = Field(10_000, ge=0, description="each shot between two cuts has a condition of its own")
    max_hit_count: int = Field(10_000, ge=0, description="of a job's timing guide, when a person gives it")
    max_guidance_scale: float = Field(100.0, ge=1, description="far beyond what is useful; much more overflows")
    max_queued_jobs: int = Field(32, ge=0, description="that wait; more are told when to ask again")
    max_jobs_per_client: int = Field(16, ge=1, description="waiting, running or being sent, of one client")
    max_job_memory_bytes: int | None = Field(
        None, ge=1, description="what one batch may take of the device; empty: what the engine says that there is"
    )
    max_staged_bytes: int = Field(64 << 20, ge=1, description="of pictures and audio that were read ahead of turns")
    max_unsent_bytes: int = Field(16 << 20, ge=1, description="of one job's sound; a longer one waits for its client")
    upload_idle_s: float = Field(60.0, gt=0, description="how long a client whose turn it is may send nothing")
    download_idle_s: float = Field(60.0, gt=0, description="how long a client may not take what was made for it")
    step_timeout_s: float = Field(
        120.0, gt=0, description="how long a step on a minute of sound may take before the engine counts as hung"
    )
    cancel_grace_s: float = Field(
        60.0, gt=0, description="how long one step may take before a cancelled engine is killed"
    )

    @field_validator("models", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return addresses.checked(value)

    @field_validator("metrics")
    @classmethod
    def _is_on_loopback(cls, value: str | None) -> str | None:
        return None if value is None else addresses.checked_loopback_port(value)

    @model_validator(mode="after")
    def _is_encrypted_where_others_listen(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            given, missing = ("tls_cert", "tls_key") if self.tls_key is None else ("tls_key", "tls_cert")
            raise ValueError(f"{given} is set and {missing} is not; encryption takes both")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("tls_client_ca is set without tls_cert and tls_key; editors are asked for theirs over TLS")
        if self.tls_cert is None and not self.is_local:
            raise ValueError(
                f"'{self.listen}' is not this machine's loopback, and without encryption the token and the pictures "
                "would cross the network in the clear; give tls_cert and tls_key, or listen on 127.0.0.1 or unix:PATH "
                "and reach it through an SSH tunnel"
            )
        return self

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return addresses.is_local(self.listen)

    @property
    def unix_path(self) -> Path | None:
        """The socket's path, or None for a TCP address."""
        return Path(self.listen.removeprefix(addresses.UNIX_PREFIX)) if addresses.is_unix(self.listen) else None


def read_config(config: Path | None = None, **given: Any) -> ServerConfig:
    """Build the configuration from `given` (None: not given), the environment and the file.

    Args:
        config: A TOML file of settings; by default the one that the environment names, if it does.
        given: Settings by their names, which win over all others.

    Raises:
        StartError: A key is unknown or a value out of bounds, with its name and where it came from; or the file cannot
            be read.
    """
    return read_with_origins(config, given)[0]


def read_with_origins(config: Path | None, given: dict[str, Any]) -> tuple[ServerConfig, dict[str, str]]:
    """The configuration as `read_config` reads it, and where each setting that is not a default came from."""
    _refuse_unknown_variables()
    path = config or (Path(os.environ[FILE_VARIABLE]) if FILE_VARIABLE in os.environ else None)
    layers: list[tuple[str, dict[str, Any]]] = [
        (str(path), _read_file(path) if path else {}),
        ("environment", EnvSettingsSource(ServerConfig)()),
        ("given", {name: value for name, value in given.items() if value is not None}),
    ]
    values = {name: value for _, layer in layers for name, value in layer.items()}
    origins = {name: origin for origin, layer in layers for name in layer}
    try:
        return ServerConfig(**values), origins
    except ValidationError as error:
        sentences = [_sentence(dict(each), origins) for each in error.errors()]
        raise StartError("; ".join(sentences) + ".", exit_code=2) from error


def _refuse_unknown_variables() -> None:
    known = {f"{ENV_PREFIX}{name.upper()}" for name in ServerConfig.model_fields} | {FILE_VARIABLE}
    unknown = sorted(name for name in os.environ if name.startswith(ENV_PREFIX) and name not in known)
    if unknown:
        raise StartError(
            f"Unknown setting {unknown[0]} in the environment; known are {', '.join(sorted(known))}.", exit_code=2
        )


def _read_file(path: Path) -> dict[str, Any]:
    """The file's settings; a relative path in it is meant from where the file is."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StartError(f"The settings in {path} cannot be read: {error.strerror}.", exit_code=2) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartError(f"The settings in {path} are not TOML: {error}.", exit_code=2) from error
    for name, value in values.items():
        if name in _PATHS and isinstance(value, str):
            values[name] = path.absolute().parent / value
    return values


_PATHS = {name for name, field in ServerConfig.model_fields.items() if field.annotation in (Path, Path | None)}


def _sentence(error: dict[str, Any], origins: dict[str, str]) -> str:
    name = ".".join(str(key) for key in error["loc"])
    origin = origins.get(str(error["loc"][0]), "given") if error["loc"] else "given"
    place = "" if origin == "given" else f" ({origin})"
    if error["type"] == "extra_forbidden":
        return f"Unknown setting '{name}'{place}; known are {', '.join(ServerConfig.model_fields)}"
    words = error["msg"].removeprefix("Value error, ")
    return f"{name}{place}: {words}" if name else words
