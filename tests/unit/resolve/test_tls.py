"""A client beyond this machine speaks TLS, and says in plain words why a certificate does not fit."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import trustme

from diffava_resolve.cli.options import ServerOptions
from diffava_resolve.cli.output import Output
from diffava_resolve.client.grpc_client import GrpcClient
from diffava_resolve.client.tls import Tls
from diffava_resolve.errors import RequestError, ServerError

CA, OTHER_CA = trustme.CA(), trustme.CA()
REACHED = "not a foley server"  # the bare server behind the handshake knows no method


@contextmanager
def serving(certificate=None, asks_for_certificates=False):
    """A bare gRPC server; gives its address."""
    server = grpc.server(ThreadPoolExecutor(1))
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
        trusted = CA.cert_pem.bytes() if asks_for_certificates else None
        pair = (certificate.private_key_pem.bytes(), chain)
        credentials = grpc.ssl_server_credentials([pair], trusted, asks_for_certificates)
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def written(folder: Path, name: str, pem: trustme.Blob) -> Path:
    pem.write_to_path(folder / name)
    return folder / name


def said(address, tls):
    with GrpcClient(address, "token", tls=tls) as client, pytest.raises(ServerError) as caught:
        client.info()
    return str(caught.value)


@pytest.fixture
def ca(tmp_path):
    return written(tmp_path, "ca.pem", CA.cert_pem)


def test_a_server_whose_certificate_fits_is_reached(ca):
    with serving(CA.issue_cert("127.0.0.1")) as address:
        assert REACHED in said(address, Tls(ca))


def test_a_certificate_of_somebody_else_is_refused(tmp_path):
    with serving(CA.issue_cert("127.0.0.1")) as address:
        for tls in (Tls(), Tls(written(tmp_path, "other.pem", OTHER_CA.cert_pem))):
            assert "--ca" in said(address, tls)


def test_a_certificate_for_another_name_is_refused(ca):
    with serving(CA.issue_cert("gpu-box")) as address:
        assert "another name" in said(address, Tls(ca))


def test_a_server_without_tls_is_no_secret(ca):
    with serving() as address:
        assert "does not speak TLS" in said(address, Tls(ca))


def test_a_server_with_tls_that_is_addressed_without_says_so(ca):
    with serving(CA.issue_cert("127.0.0.1")) as address:
        assert "--ca" in said(address, None)


def test_a_server_that_asks_for_certificates_gets_one(ca, tmp_path):
    mine, strangers = CA.issue_cert("editor@studio"), OTHER_CA.issue_cert("editor@studio")
    files = {
        name: (
            written(tmp_path, f"{name}.pem", one.cert_chain_pems[0]),
            written(tmp_path, f"{name}.key", one.private_key_pem),
        )
        for name, one in (("mine", mine), ("strangers", strangers))
    }
    with serving(CA.issue_cert("127.0.0.1"), asks_for_certificates=True) as address:
        assert REACHED in said(address, Tls(ca, *files["mine"]))
        assert "--cert" in said(address, Tls(ca))
        assert "--cert" in said(address, Tls(ca, *files["strangers"]))
        assert "key is not the certificate's" in said(address, Tls(ca, files["mine"][0], files["strangers"][1]))


def test_files_that_cannot_be_are_refused_before_anything_is_sent(ca, tmp_path):
    (tmp_path / "text.txt").write_text("not a certificate")
    for tls, words in (
        (Tls(tmp_path / "none.pem"), "cannot be read"),
        (Tls(tmp_path / "text.txt"), "not in PEM"),
        (Tls(ca, certificate=ca), "both --cert and --key"),
    ):
        with pytest.raises(RequestError, match=words):
            GrpcClient("127.0.0.1:1", "token", tls=tls)


@pytest.mark.parametrize(
    ("options", "is_encrypted"),
    [
        ({"server": "gpu-box:50051"}, True),
        ({"server": "10.0.0.7:50051"}, True),
        ({"server": "localhost.evil.example:50051"}, True),
        ({"server": "gpu-box:50051", "plaintext": True}, False),
        ({"server": "127.0.0.1:50051"}, False),
        ({"server": "[::1]:50051"}, False),
        ({"server": "unix:/run/diffava.sock"}, False),
    ],
)
def test_nothing_leaves_this_machine_in_the_clear_unless_somebody_says_so(tmp_path, monkeypatch, options, is_encrypted):
    monkeypatch.setenv("DIFFAVA_TOKEN", "token")
    monkeypatch.setenv("DIFFAVA_STATE_DIR", str(tmp_path))
    with ServerOptions(**options).connect(Output(as_json=True)) as client:
        assert (client.inner.tls is not None) == is_encrypted


def test_in_the_clear_with_a_certificate_makes_no_sense(ca, monkeypatch):
    monkeypatch.setenv("DIFFAVA_TOKEN", "token")
    with pytest.raises(RequestError, match="contradicts"):
        ServerOptions("gpu-box:1", ca=ca, plaintext=True).connect(Output(as_json=True))
