"""Encryption: what a server with a certificate answers, whom it refuses, and how it takes over a renewed one."""

import asyncio
import contextlib
import socket
import ssl
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography import x509
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.operations.probe import ProbeTls, probe
from support.certificates import studio
from support.server import header, refusal_of, running_server, started_process


@pytest.fixture
def made(tmp_path):
    return studio(tmp_path / "certificates")


def address_of(calls):
    return f"localhost:{calls.server.state.address.rpartition(':')[2]}"


@contextlib.asynccontextmanager
async def stub_at(calls, ca, editor=None):
    """A client that trusts `ca`, with an editor's (certificate, key)."""
    cert, key = [path.read_bytes() for path in editor] if editor else (None, None)
    credentials = grpc.ssl_channel_credentials(ca.read_bytes() if ca else None, key, cert)
    # Its own connection, or the channels of one test would share those of another.
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(address_of(calls), credentials, options) as channel:
        yield foley_pb2_grpc.FoleyServiceStub(channel)


async def code_of_info(stub, metadata):
    return (await stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=metadata, timeout=20).code()).name


async def test_a_job_runs_over_tls(tmp_path, made):
    async with running_server(tmp_path, **made.tls()) as calls, stub_at(calls, made.ca) as stub:
        answers = [answer async for answer in stub.Generate(iter([header()]), metadata=calls.metadata)]
    assert answers[-1].WhichOneof("event") == "done"


async def test_who_does_not_speak_tls_or_trusts_others_gets_no_connection(tmp_path, made):
    other = studio(tmp_path / "other")
    async with running_server(tmp_path, **made.tls()) as calls:
        assert (await refusal_of(calls.open(header(), timeout=20))).code == "UNAVAILABLE", "in the clear"
        async with stub_at(calls, other.ca) as stub:
            assert await code_of_info(stub, calls.metadata) == "UNAVAILABLE"


async def test_with_mutual_tls_an_editor_needs_a_certificate_of_the_studio_and_the_token(tmp_path, made):
    other = studio(tmp_path / "other")
    async with running_server(tmp_path, **made.tls(mutual=True)) as calls:
        async with stub_at(calls, made.ca, made.issue("ada", "ada@studio.example")) as stub:
            assert await code_of_info(stub, calls.metadata) == "OK"
            assert await code_of_info(stub, ()) == "UNAUTHENTICATED"
        async with stub_at(calls, made.ca) as stub:
            assert await code_of_info(stub, calls.metadata) == "UNAVAILABLE"
        async with stub_at(calls, made.ca, other.issue("eve", "ada@studio.example")) as stub:
            assert await code_of_info(stub, calls.metadata) == "UNAVAILABLE"


async def test_editors_with_certificates_are_limited_one_by_one(tmp_path, made):
    ada, bob = made.issue("ada", "ada@studio.example"), made.issue("bob", "bob@studio.example")
    async with running_server(tmp_path, max_calls_per_minute=2, **made.tls(mutual=True)) as calls:
        async with stub_at(calls, made.ca, ada) as stub:
            codes = [await code_of_info(stub, calls.metadata) for _ in range(3)]
        async with stub_at(calls, made.ca, bob) as stub:
            codes.append(await code_of_info(stub, calls.metadata))
    assert codes == ["OK", "OK", "RESOURCE_EXHAUSTED", "OK"]


@pytest.mark.parametrize(("listen", "has_reflection"), [("0.0.0.0:0", False), ("127.0.0.1:0", True)])
async def test_reflection_is_offered_on_loopback_alone(tmp_path, made, listen, has_reflection):
    async with running_server(tmp_path, listen=listen, **made.tls()) as calls:
        credentials = grpc.ssl_channel_credentials(made.ca.read_bytes())
        async with grpc.aio.secure_channel(address_of(calls), credentials) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            call = stub.ServerReflectionInfo(iter([request]), metadata=calls.metadata, timeout=20)
            with contextlib.suppress(grpc.aio.AioRpcError):
                async for _ in call:
                    pass
            assert (await call.code()).name == ("OK" if has_reflection else "UNIMPLEMENTED")


def handshake(address, ca, version=None):
    """The version that was agreed on, and the certificate that was shown."""
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["h2"])
    if version is not None:
        context.minimum_version = context.maximum_version = version
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=host) as encrypted,
    ):
        shown = encrypted.getpeercert(binary_form=True)
        return encrypted.version(), x509.load_der_x509_certificate(shown).not_valid_after_utc


async def test_tls_1_3_is_spoken_and_what_is_older_than_1_2_is_not(tmp_path, made):
    async with running_server(tmp_path, **made.tls()) as calls:
        version, _ = await asyncio.to_thread(handshake, address_of(calls), made.ca)
        assert version == "TLSv1.3"
        with pytest.raises((ssl.SSLError, ConnectionError)), pytest.warns(match="TLSv1_1 is deprecated"):
            await asyncio.to_thread(handshake, address_of(calls), made.ca, ssl.TLSVersion.TLSv1_1)


async def test_a_renewed_certificate_is_shown_from_the_next_connection_on(tmp_path, made):
    async with running_server(tmp_path, **made.tls()) as calls, stub_at(calls, made.ca) as stub:
        assert await code_of_info(stub, calls.metadata) == "OK"
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
        made.issue("server", "localhost", not_after=end)
        assert (await asyncio.to_thread(handshake, address_of(calls), made.ca))[1] == end
        assert await code_of_info(stub, calls.metadata) == "OK", "the connection from before lives"
        (made.folder / "server.key").write_text("half-written")
        assert (await asyncio.to_thread(handshake, address_of(calls), made.ca))[1] == end


async def test_health_is_asked_over_tls_with_what_an_editor_would_show(tmp_path, made):
    ada = made.issue("ada", "ada@studio.example")
    async with running_server(tmp_path, **made.tls(mutual=True)) as calls:
        with_all, with_ca, plain = [
            await asyncio.to_thread(probe, address_of(calls), tls, 20)
            for tls in (ProbeTls(made.ca, *ada), ProbeTls(made.ca), ProbeTls())
        ]
    assert with_all == "SERVING"
    assert with_ca.startswith("UNREACHABLE: UNAVAILABLE")
    assert plain.startswith("UNREACHABLE: UNAVAILABLE")


def test_a_certificate_that_cannot_be_used_ends_the_start_with_one_sentence(tmp_path, made):
    cert, _ = made.issue("server", "localhost")
    _, other_key = made.issue("other", "localhost")
    arguments = ["-m", "diffava_server", "--listen", "0.0.0.0:0", "--tls-cert", str(cert), "--tls-key", str(other_key)]
    with started_process(arguments, tmp_path) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (2, "")
    (line,) = stderr.strip().splitlines()
    assert "does not belong to the first certificate" in line
