"""How a server is spread over a machine's or a cluster's GPUs. Knows no Ray; `config.py` has what each replica does."""

from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from diffava_server.errors import StartError


class RayConfig(BaseSettings):
    """Settings of `diffava serve --ray`, also from `DIFFAVA_RAY_*` variables."""

    model_config = SettingsConfigDict(env_prefix="DIFFAVA_RAY_", frozen=True, extra="forbid")

    port: int = Field(9000, ge=1, le=65_535, description="of Ray's gRPC proxy, open to this machine's own calls")
    trust_network: bool = Field(
        False, description="that port takes calls of other machines, in the clear: behind a firewall and a TLS proxy"
    )
    http_port: int = Field(8000, ge=1, le=65_535, description="of Ray's HTTP proxy, which answers nothing of ours")
    min_replicas: int = Field(1, ge=0, description="kept even when nobody calls; 0: the first call waits for a start")
    max_replicas: int = Field(1, ge=1, description="as many as there are jobs for, and GPUs")
    gpus_per_replica: float = Field(0.0, ge=0, description="0.5: two replicas share a GPU; 0: replicas compute on CPUs")
    cpus_per_replica: float = Field(1.0, ge=0)
    target_jobs_per_replica: float = Field(2.0, gt=0, description="calls of a replica at which no other is started")
    upscale_delay_s: float = Field(5.0, ge=0, description="how long there must be more calls than that")
    downscale_delay_s: float = Field(
        300.0, ge=0, description="how long there must be fewer; a model takes time to load"
    )
    max_queued_calls: int = Field(100, ge=-1, description="for which no replica has room, in each proxy; -1: no bound")
    health_check_period_s: float = Field(2.0, gt=0, description="a replica that was killed is replaced this soon")


def read_ray_config(**given: Any) -> RayConfig:
    """The settings from `given` (None: not given) and the environment.

    Raises:
        StartError: A setting is unknown or out of bounds.
    """
    try:
        return RayConfig(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        sentences = [f"ray {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise StartError("; ".join(sentences) + ".", exit_code=2) from error


def has_fixed_address(listen: str) -> bool:
    """Whether the settings name an address that clients can know beforehand; any free port is none."""
    return not listen.endswith(":0")
