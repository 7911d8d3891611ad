"""The service as an application of Ray Serve: from settings to a deployment. Starts nothing.

`build` is what a Serve configuration file names as `import_path`; its arguments are the server's settings.
"""

from typing import Any

from ray import serve
from ray.serve.config import AutoscalingConfig, RequestRouterConfig

from diffava_server.config import ServerConfig, read_config
from diffava_server.engine.local import local_engine
from diffava_server.engine.protocol import EngineFactory
from diffava_server.operations.logs import logged
from diffava_server.scaleout.config import RayConfig, read_ray_config
from diffava_server.scaleout.replica import FoleyReplica

NAME = "foley"
SERVICER_FUNCTION = "diffava_server.scaleout.proxy.add_services"
# Calls that a replica takes beside its jobs: a replica that is full still answers what it is, that it lives, and that
# its queue is full, each with our own words and reasons. Ray's refusal has neither.
ROOM_BESIDE_JOBS = 32


def application(config: ServerConfig, ray_config: RayConfig, engine_factory: EngineFactory) -> serve.Application:
    """The deployment with its settings, bound to what each replica is built from."""
    deployment = serve.deployment(FoleyReplica).options(
        name="FoleyService",
        max_ongoing_requests=config.max_queued_jobs + ROOM_BESIDE_JOBS,
        max_queued_requests=ray_config.max_queued_calls,
        autoscaling_config=AutoscalingConfig(
            min_replicas=ray_config.min_replicas,
            max_replicas=max(ray_config.min_replicas, ray_config.max_replicas),
            target_ongoing_requests=ray_config.target_jobs_per_replica,
            upscale_delay_s=ray_config.upscale_delay_s,
            downscale_delay_s=ray_config.downscale_delay_s,
        ),
        ray_actor_options={"num_cpus": ray_config.cpus_per_replica, "num_gpus": ray_config.gpus_per_replica},
        request_router_config=RequestRouterConfig(
            request_router_class="diffava_server.scaleout.router.ShortestQueueRouter"
        ),
        health_check_period_s=ray_config.health_check_period_s,
        graceful_shutdown_timeout_s=config.drain_s,
        graceful_shutdown_wait_loop_s=0.2,
    )
    return deployment.bind(config, engine_factory)


def build(settings: dict[str, Any]) -> serve.Application:
    """The application of a Serve configuration file, whose `args` are the server's settings and, as `ray`, Ray's.

    Raises:
        StartError: A setting is unknown or out of bounds.
    """
    config = read_config(**{name: value for name, value in settings.items() if name != "ray"})
    return application(
        config, read_ray_config(**settings.get("ray", {})), logged(local_engine(config), config.log_format)
    )
