"""How the scale-out is set: options, the cluster's file, and sentences for what is wrong. Starts no Ray."""

import socket
import subprocess
import sys

import pytest
import yaml

from diffava_server.config import read_config
from diffava_server.errors import StartError
from diffava_server.scaleout import cluster
from diffava_server.scaleout.config import has_fixed_address, read_ray_config
from support.checkout import ROOT

SERVE_FILE = ROOT / "server" / "diffava_server" / "scaleout" / "foley.serve.yaml"


def deployment_of(settings):
    from diffava_server.scaleout.application import build

    return build(settings)._bound_deployment


def test_the_clusters_file_is_one_that_ray_takes_and_its_settings_are_ours():
    schema = pytest.importorskip("ray.serve.schema")
    said = yaml.safe_load(SERVE_FILE.read_text("utf-8"))
    checked = schema.ServeDeploySchema.model_validate(said)
    (application,) = checked.applications
    deployment = deployment_of(application.args)
    assert application.import_path == "diffava_server.scaleout.application:build"
    scaling = deployment._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (1, 8)
    assert deployment.ray_actor_options == {"num_cpus": 1.0, "num_gpus": 1.0}
    assert deployment.max_ongoing_requests > application.args["max_queued_jobs"], "a full replica still answers"


def test_two_engines_may_share_a_gpu_and_the_jobs_decide_how_many_there_are():
    pytest.importorskip("ray")
    ray = {"gpus_per_replica": 0.5, "max_replicas": 4, "target_jobs_per_replica": 3}
    deployment = deployment_of({"models": "nano", "ray": ray})
    assert deployment.ray_actor_options["num_gpus"] == 0.5
    assert deployment._deployment_config.autoscaling_config.get_target_ongoing_requests() == 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"ray": {"replicas": 3}}, "ray replicas: Extra inputs are not permitted"),
        ({"ray": {"max_replicas": 0}}, "ray max_replicas: .* greater than or equal to 1"),
        ({"modles": "mini"}, "Unknown setting 'modles'"),
    ],
)
def test_a_wrong_setting_is_named(settings, sentence):
    pytest.importorskip("ray")
    with pytest.raises(StartError, match=sentence):
        deployment_of(settings)


@pytest.mark.parametrize("unkept", [{"metrics": "127.0.0.1:9464"}, {"idle_exit_s": 60.0}])
def test_a_setting_that_ray_cannot_keep_is_refused_before_anything_starts(unkept):
    with pytest.raises(StartError, match=f"leave out {next(iter(unkept))}") as refused:
        cluster.serving(read_config(**unkept), read_ray_config(), None).__enter__()
    assert refused.value.exit_code == 2


def test_without_ray_serving_on_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StartError, match=r"pip install 'diffava-foley\[ray\]'"):
        cluster.serving(read_config(), read_ray_config(), None).__enter__()


def test_a_taken_port_is_told_before_ray_is_started(tmp_path):
    pytest.importorskip("ray")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = read_config(token_file=tmp_path / "token")
        with pytest.raises(StartError, match=f"Port {port} is taken"):
            cluster.serving(config, read_ray_config(http_port=port), None).__enter__()


def test_rays_processes_find_where_to_listen_and_what_not_to_do_in_their_environment(tmp_path):
    files = {name: tmp_path / name for name in ("tls_cert", "tls_key")}
    config = read_config(listen="0.0.0.0:50051", max_message_bytes=1 << 20, **files)
    told = cluster.environment(config, read_ray_config(trust_network=True))
    assert told["RAY_USAGE_STATS_ENABLED"] == "0"
    assert told["RAY_SERVE_GRPC_MAX_MESSAGE_SIZE"] == str(1 << 20)
    assert told["SERVE_SOCKET_REUSE_PORT_ENABLED"] == "0"
    assert told["DIFFAVA_SERVER_LISTEN"] == "0.0.0.0:50051"
    assert told["DIFFAVA_SERVER_TLS_KEY"] == str(files["tls_key"])
    assert told["DIFFAVA_RAY_TRUST_NETWORK"] == "True"
    assert told["DIFFAVA_SERVER_MAX_CALLS_PER_MINUTE"] == "3000"


def test_any_free_port_is_no_address_to_tell_clients():
    assert not has_fixed_address("127.0.0.1:0")
    assert has_fixed_address("127.0.0.1:50051")
    assert has_fixed_address("unix:/run/foley.sock")


def test_the_commands_help_does_not_load_ray():
    code = "import sys, diffava_server.cli.serve, diffava_server.scaleout.cluster; sys.exit('ray' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
