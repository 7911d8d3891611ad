"""The page of metrics: who is answered, and what stands there."""

import http.client
import socket

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from diffava_server.errors import StartError
from diffava_server.operations.gpu_memory import GpuMemory
from diffava_server.operations.metrics import Metrics
from diffava_server.operations.page import served


@pytest.fixture
def metrics():
    return Metrics(lambda: ("mini",), "1.2.3")


def ask(address, method="GET", path="/metrics", **headers):
    """The status and the text of an answer; `host` replaces the Host header, None leaves it out."""
    host = headers.pop("host", address)
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": host, **headers}.items():
        if value is not None:
            connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_this_machines_programs_are_answered(metrics):
    with served("127.0.0.1:0", metrics.registry, lambda: True) as address:
        status, text = ask(address)
        assert (status, 'diffava_server_info{version="1.2.3"} 1.0' in text) == (200, True)
        port = address.rpartition(":")[2]
        assert ask(address, host=f"localhost:{port}")[0] == 200
        assert ask(address, path="/")[0] == 404


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"host": "evil.example"}, 403),
        ("GET", {"host": "evil.example:80"}, 403),
        ("GET", {"host": "127.0.0.1"}, 403),  # another port: not this page
        ("GET", {"host": ""}, 403),
        ("GET", {"host": None}, 403),
        ("POST", {"host": "evil.example"}, 403),
        ("GET", {"Origin": "null"}, 403),
        ("GET", {"Origin": "https://evil.example"}, 403),
        ("GET", {"Origin": "http://127.0.0.1.evil.example"}, 403),
        ("GET", {"Origin": "http://localhost"}, 403),
        ("GET", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("GET", {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}, 400),
        ("POST", {}, 405),
        ("PUT", {}, 405),
        ("DELETE", {}, 405),
        ("OPTIONS", {}, 405),
    ],
)
def test_what_a_web_page_could_make_a_browser_ask_is_refused(metrics, method, headers, status):
    with served("127.0.0.1:0", metrics.registry, lambda: True) as address:
        for path in ("/metrics", "/healthz"):
            answered, text = ask(address, method, path, **headers)
            assert answered == status
            assert "diffava_" not in text
        assert ask(address)[0] == 200, "others are still answered"


@pytest.mark.parametrize(("is_serving", "status", "word"), [(True, 200, "SERVING"), (False, 503, "NOT_SERVING")])
def test_healthz_says_what_the_standard_check_says(metrics, is_serving, status, word):
    with served("127.0.0.1:0", metrics.registry, lambda: is_serving) as address:
        assert ask(address, path="/healthz") == (status, f"{word}\n")


def test_a_client_that_says_nothing_keeps_nobody_waiting(metrics):
    with served("127.0.0.1:0", metrics.registry, lambda: True) as address:
        host, _, port = address.rpartition(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(8)]
        assert ask(address)[0] == 200
        for connection in silent:
            connection.close()


def test_a_taken_port_is_said_in_a_sentence(metrics):
    with (
        served("127.0.0.1:0", metrics.registry, lambda: True) as address,
        pytest.raises(StartError, match=r"metrics cannot be shown at 127.* in use; choose another with --metrics"),
        served(address, metrics.registry, lambda: True),
    ):
        pass


def values(registry):
    from prometheus_client import generate_latest

    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_what_happens_to_jobs_is_counted(metrics):
    metrics.queue_changed(3)
    metrics.job_started("mini", 1.5)
    metrics.batch_started("mini", 2, 5)
    metrics.stage_ended("mini", "latent", 0.75)
    metrics.job_ended("mini", "OK", "", 4.0, 16.0)
    metrics.job_ended("mini", "UNAVAILABLE", "ENGINE_LOST", 1.0, 0.0)
    metrics.frames_received(1000)
    metrics.frames_reused(500)
    metrics.engine_lost("died")
    metrics.engine_started(2.5)
    metrics.call_refused("BAD_TOKEN")
    seen = values(metrics.registry)
    mini = ("model", "mini")
    assert seen["diffava_jobs_waiting", ()] == 3
    assert seen["diffava_job_wait_seconds_sum", (mini,)] == 1.5
    assert (seen["diffava_batch_jobs_sum", (mini,)], seen["diffava_batch_rows_sum", (mini,)]) == (2, 5)
    assert seen["diffava_stage_seconds_sum", (mini, ("stage", "latent"))] == 0.75
    assert seen["diffava_jobs_total", (("code", "OK"), mini, ("reason", ""))] == 1
    assert seen["diffava_jobs_total", (("code", "UNAVAILABLE"), mini, ("reason", "ENGINE_LOST"))] == 1
    assert seen["diffava_job_seconds_count", (mini,)] == 1, "a job that failed says nothing of how long one takes"
    assert seen["diffava_sound_seconds_total", (mini,)] == 16
    assert seen["diffava_real_time_factor_sum", (mini,)] == 0.25
    assert seen["diffava_frames_bytes_total", (("origin", "received"),)] == 1000
    assert seen["diffava_frames_bytes_total", (("origin", "reused"),)] == 500
    assert seen["diffava_engine_losses_total", (("reason", "died"),)] == 1
    assert (seen["diffava_engine_starts_total", ()], seen["diffava_engine_start_seconds", ()]) == (1, 2.5)
    assert seen["diffava_calls_refused_total", (("reason", "BAD_TOKEN"),)] == 1


def test_a_client_that_invents_models_adds_no_metrics(metrics):
    for number in range(100):
        metrics.job_ended(f"model {number}", "NOT_FOUND", "UNKNOWN_MODEL", 0.0, 0.0)
    counted = {key: value for key, value in values(metrics.registry).items() if key[0] == "diffava_jobs_total"}
    assert counted == {("diffava_jobs_total", (("code", "NOT_FOUND"), ("model", ""), ("reason", "UNKNOWN_MODEL"))): 100}


class FakeNvml:
    """A driver's library as pynvml shows it, with two GPUs, of which one may be gone."""

    class NVMLError(Exception):
        pass

    class _Memory:
        used, total = 5 << 30, 80 << 30

    def __init__(self, has_driver=True, lost=frozenset()):
        self._has_driver, self._lost = has_driver, lost

    def nvmlInit(self):  # noqa: N802 - the driver's name
        if not self._has_driver:
            raise self.NVMLError

    def nvmlDeviceGetCount(self):  # noqa: N802 - the driver's name
        return 2

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802 - the driver's name
        if index in self._lost:
            raise self.NVMLError
        return index

    def nvmlDeviceGetMemoryInfo(self, handle):  # noqa: N802 - the driver's name
        return self._Memory()


@pytest.mark.parametrize(
    ("nvml", "gpus"),
    [(FakeNvml(), {"0", "1"}), (FakeNvml(lost={0}), {"1"}), (FakeNvml(has_driver=False), set())],
)
def test_the_memory_of_each_gpu_is_shown_where_a_driver_tells_it(nvml, gpus):
    registry = CollectorRegistry()
    registry.register(GpuMemory(nvml))
    seen = {
        (dict(labels)["gpu"], dict(labels)["kind"]): value
        for (name, labels), value in values(registry).items()
        if name == "diffava_gpu_memory_bytes"
    }
    assert seen == {(gpu, kind): (5 if kind == "used" else 80) << 30 for gpu in gpus for kind in ("used", "total")}


def test_where_there_is_no_driver_nothing_is_shown_and_nothing_fails():
    import pynvml

    list(GpuMemory(pynvml).collect())
