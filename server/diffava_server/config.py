"""Every setting of a server, as one frozen value. Knows the environment's names, no files and no network.

Order of precedence: what the caller gives, `DIFFAVA_SERVER_*` variables, the defaults below.
"""

import ipaddress
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from diffava_server.errors import StartError

Precision = Literal["auto", "float32", "bfloat16"]
ENV_PREFIX = "DIFFAVA_SERVER_"
UNIX_PREFIX = "unix:"
MAX_UNIX_PATH_BYTES = 103 if sys.platform == "darwin" else 107  # sun_path less its final zero


def default_token_file() -> Path:
    """Where the token lives unless the configuration says otherwise."""
    return platformdirs.user_state_path("diffava", appauthor=False) / "token"


class ServerConfig(BaseSettings):
    """How one server listens, what it loads and what it takes. Build it with `read_config`."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    listen: str = Field("127.0.0.1:0", description="HOST:PORT on loopback (port 0: any free one) or unix:PATH")
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
    token_file: Path = Field(default_factory=default_token_file, description="made with a fresh token if absent")
    state_file: Path | None = Field(None, description="JSON with the address and the process, while the server answers")
    idle_exit_s: float | None = Field(None, gt=0, description="end after this long without a call; empty: never")
    drain_s: float = Field(30.0, ge=0, description="how long running jobs may take to end when the server stops")

    max_message_bytes: int = Field(4 << 20, ge=1 << 16)
    max_prompt_characters: int = Field(2_000, ge=1)
    max_take_count: int = Field(8, ge=1)
    max_sample_count: int = Field(48_000 * 60 * 60, ge=1)
    max_step_count: int = Field(200, ge=1)
    max_cut_count: int = Field(10_000, ge=0, description="each shot between two cuts has a condition of its own")
    max_hit_count: int = Field(10_000, ge=0, description="of a job's timing guide, when a person gives it")
    max_guidance_scale: float = Field(100.0, ge=1, description="far beyond what is useful; much more overflows")
    max_queued_jobs: int = Field(32, ge=0)
    upload_idle_s: float = Field(60.0, gt=0, description="how long a client whose turn it is may send nothing")
    download_idle_s: float = Field(60.0, gt=0, description="how long a client may not take what was made for it")
    cancel_grace_s: float = Field(
        60.0, gt=0, description="how long one step may take before a cancelled engine is killed"
    )

    @field_validator("models", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("listen")
    @classmethod
    def _only_this_machine(cls, value: str) -> str:
        if value.startswith(UNIX_PREFIX):
            return _checked_unix(value)
        host, separator, port = value.rpartition(":")
        if not separator or not port.isdecimal() or int(port) > 65_535:
            raise ValueError(f"'{value}' is not an address; give HOST:PORT or unix:PATH")
        if host != "localhost" and not _is_loopback(host):
            raise ValueError(
                f"'{host}' is not this machine's loopback, and without encryption the token and the pictures would "
                "cross the network in the clear; listen on 127.0.0.1 or unix:PATH and reach it through an SSH tunnel"
            )
        return value

    @property
    def unix_path(self) -> Path | None:
        """The socket's path, or None for a TCP address."""
        return Path(self.listen.removeprefix(UNIX_PREFIX)) if self.listen.startswith(UNIX_PREFIX) else None


def read_config(**given: Any) -> ServerConfig:
    """Build the configuration from `given` (None: not given) and the environment.

    Raises:
        StartError: A key is unknown or a value out of bounds; names the key and where it came from.
    """
    known = {f"{ENV_PREFIX}{name.upper()}" for name in ServerConfig.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(ENV_PREFIX) and name not in known)
    if unknown:
        raise StartError(
            f"Unknown setting {unknown[0]} in the environment; known are {', '.join(sorted(known))}.", exit_code=2
        )
    try:
        return ServerConfig(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise StartError("; ".join(_sentence(dict(e)) for e in error.errors()) + ".", exit_code=2) from error


def _checked_unix(value: str) -> str:
    path = value.removeprefix(UNIX_PREFIX)
    if sys.platform == "win32":
        raise ValueError("Unix sockets are not offered on Windows; give 127.0.0.1:0")
    if not Path(path).is_absolute():
        raise ValueError(f"the socket's path '{path}' is not absolute; give unix:/full/path")
    if len(os.fsencode(path)) > MAX_UNIX_PATH_BYTES:
        raise ValueError(
            f"the socket's path has {len(os.fsencode(path))} bytes and the system takes {MAX_UNIX_PATH_BYTES}; "
            "choose a shorter one"
        )
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _sentence(error: dict[str, Any]) -> str:
    name = ".".join(str(key) for key in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"Unknown setting '{name}'; known are {', '.join(ServerConfig.model_fields)}"
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"
