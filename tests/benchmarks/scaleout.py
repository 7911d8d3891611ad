"""How much more several nodes do than one: Ray Serve on simulated nodes, each with a (made-up) GPU and one engine.

The engine only sleeps, so that the figure is the scale-out's and not this machine's. Weak scaling gives each node its
own editors; strong scaling gives all nodes together the same work. The last cluster then loses a node under load.

    python tests/benchmarks/scaleout.py --nodes 1 2 3 --job-s 1.5
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import ray
from ray import serve
from ray.cluster_utils import Cluster

from diffava_resolve.client.grpc_client import GrpcClient
from diffava_resolve.client.patient_client import PatientClient
from diffava_resolve.client.protocol import Waiting
from diffava_resolve.spec import FoleyJob
from diffava_server.machine.token import read_or_create_token
from diffava_server.scaleout.cluster import deploy, environment
from diffava_server.scaleout.config import RayConfig
from support.ray_cluster import free_port, importable_everywhere
from support.server import RATE_HZ, server_config
from support.service import Service
from support.steered import SLEEP, steered_engine

EDITORS_PER_NODE = 3


@dataclass
class Figures:
    """Of one measurement: when each job ended, and what was asked again."""

    begun_s: float
    ends_s: list[float] = field(default_factory=list)
    asked_again: list[str] = field(default_factory=list)

    @property
    def jobs_per_s(self) -> float:
        return len(self.ends_s) / (max(self.ends_s) - self.begun_s)


def measured(service: Service, editors: int, job_count: int, job_s: float) -> Figures:
    """Editors who ask for one job after another until all jobs are done."""
    figures, left = Figures(time.monotonic()), iter(range(job_count))

    def editor(number: int) -> None:
        def told(event: object) -> None:
            if isinstance(event, Waiting):
                figures.asked_again.append(event.reason)

        with PatientClient(GrpcClient(service.address, service.token)) as client:
            for seed in left:
                job = FoleyJob(f"{SLEEP}{job_s}", RATE_HZ // 10, (seed,), "fake")
                for _ in client.generate(job, None, on_event=told):
                    pass
                figures.ends_s.append(time.monotonic())

    with ThreadPoolExecutor(editors) as threads:
        list(threads.map(editor, range(editors)))
    return figures


@contextlib.contextmanager
def cluster_of(node_count: int, folder: Path) -> Iterator[tuple[Service, Cluster]]:
    """Simulated nodes with a replica on each, and the service at their head."""
    config = server_config(folder)
    config.token_file.unlink(missing_ok=True)
    ray_config = RayConfig(
        port=free_port(), http_port=free_port(), min_replicas=node_count, gpus_per_replica=1, cpus_per_replica=0
    )
    token = read_or_create_token(config.token_file)
    os.environ.update(environment(config, ray_config))
    node = {"num_cpus": 1, "num_gpus": 1, "object_store_memory": 80 << 20}
    with importable_everywhere():
        cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        try:
            for _ in range(node_count - 1):
                cluster.add_node(**node)
            ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
            deploy(config, ray_config, steered_engine())
            yield Service(f"127.0.0.1:{ray_config.port}", token), cluster
        finally:
            with contextlib.suppress(Exception):  # a cluster that lost a node ends badly, and has been measured
                serve.shutdown()
            ray.shutdown()
            cluster.shutdown()


def lost_node(service: Service, cluster: Cluster, editors: int, job_count: int, job_s: float) -> dict[str, object]:
    """What editors notice when a node is taken away in the middle of their jobs."""
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(measured, service, editors, job_count, job_s)
        time.sleep(2.5 * job_s)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        lost_s = time.monotonic()
        figures = running.result()
    return {
        "jobs": job_count,
        "done": len(figures.ends_s),
        "asked_again": len(figures.asked_again),
        "next_done_after_s": round(min(end_s for end_s in figures.ends_s if end_s > lost_s) - lost_s, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--job-s", type=float, default=1.5)
    parser.add_argument("--jobs-per-node", type=int, default=12)
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    loss: dict[str, object] = {}
    most = max(arguments.nodes)
    with tempfile.TemporaryDirectory() as folder:
        for node_count in arguments.nodes:
            started_s = time.monotonic()
            with cluster_of(node_count, Path(folder)) as (service, cluster):
                ready_s = time.monotonic() - started_s
                measured(service, node_count * EDITORS_PER_NODE, node_count * 2, 0.01)  # connections and first calls
                weak = measured(
                    service, node_count * EDITORS_PER_NODE, node_count * arguments.jobs_per_node, arguments.job_s
                )
                strong = measured(service, most * EDITORS_PER_NODE, most * arguments.jobs_per_node, arguments.job_s)
                row: dict[str, object] = {"nodes": node_count, "ready_s": round(ready_s, 1)}
                for name, figures in (("weak", weak), ("strong", strong)):
                    row[f"{name}_jobs_per_s"] = round(figures.jobs_per_s, 3)
                    row[f"{name}_of_engines"] = round(figures.jobs_per_s * arguments.job_s / node_count, 3)
                    alone = rows[0][f"{name}_jobs_per_s"] if rows else row[f"{name}_jobs_per_s"]
                    row[f"{name}_of_linear"] = round(figures.jobs_per_s * arguments.nodes[0] / node_count / alone, 3)
                rows.append(row)
                print(row, flush=True)
                if node_count == most > 1:
                    loss = lost_node(service, cluster, most * EDITORS_PER_NODE, most * 6, arguments.job_s)
                    print(loss, flush=True)
    print(json.dumps({"job_s": arguments.job_s, "rows": rows, "a_node_lost": loss}))


if __name__ == "__main__":
    main()
