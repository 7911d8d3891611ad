"""What the README tells a studio engineer, done: its certificates, its settings, its commands, in this order."""

import asyncio
import json
import re
import shutil
import subprocess

import pytest

from diffava.cli.command import run as run_command
from diffava_resolve.client.grpc_client import GrpcClient
from diffava_resolve.client.tls import Tls
from diffava_resolve.errors import FoleyError
from diffava_server.config import read_config
from support.checkout import ROOT
from support.server import running_server

STUDIO = (ROOT / "README.md").read_text(encoding="utf-8").split("## For the studio engineer")[1].split("\n## ")[0]


def block(language):
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", STUDIO, re.MULTILINE | re.DOTALL)
    return text


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A folder with the README's settings and, by its own lines, the certificates."""
    if shutil.which("openssl") is None or shutil.which("sh") is None:
        pytest.skip("there is no openssl here, with which the README's certificates are made")
    folder = tmp_path_factory.mktemp("studio")
    subprocess.run(["sh", "-e", "-c", block("openssl")], cwd=folder, check=True, capture_output=True, timeout=120)
    (folder / "server.toml").write_text(block("toml"), encoding="utf-8")
    return folder


def settings(studio, **changes):
    config = read_config(studio / "server.toml", **changes)
    return {name: value for name, value in config if name not in ("models", *changes)} | changes


def test_the_settings_are_ones_that_the_server_takes(studio):
    config = read_config(studio / "server.toml")
    assert (config.listen, config.tls_key, config.is_local) == ("0.0.0.0:50051", studio / "server.key", False)
    assert (studio / "server.key").stat().st_mode & 0o077 == 0, "openssl's own care for keys"


async def test_a_server_with_them_serves_an_editor_with_hers_and_nobody_else(studio, tmp_path, capsys):
    changes = {"listen": "0.0.0.0:0", "metrics": "127.0.0.1:0", "token_file": studio / "token", "drain_s": 0.0}
    async with running_server(tmp_path, **settings(studio, **changes)) as calls:
        address = f"localhost:{calls.server.state.address.rpartition(':')[2]}"
        token = (studio / "token").read_text().strip()

        def models(tls, given=token):
            with GrpcClient(address, given, tls=tls) as client:
                return [model.name for model in client.models()]

        ada = Tls(studio / "ca.pem", studio / "ada.pem", studio / "ada.key")
        assert await asyncio.to_thread(models, ada) == ["fake"]
        for tls, given in ((Tls(studio / "ca.pem"), token), (ada, "not-the-token-of-this-server")):
            with pytest.raises(FoleyError):
                await asyncio.to_thread(models, tls, given)
        show = ["--ca", "ca.pem", "--cert", "ada.pem", "--key", "ada.key"]
        health = ["health", address, *(str(studio / word) if "." in word else word for word in show)]
        assert await asyncio.to_thread(run_command, health) == 0
        rotate = ["token", "rotate", "--config", str(studio / "server.toml"), "--token-file", str(studio / "token")]
        assert run_command(rotate) == 0
        assert await asyncio.to_thread(models, ada) == ["fake"], "the old token, for another hour"
        assert await asyncio.to_thread(models, ada, (studio / "token").read_text().strip()) == ["fake"]
    assert capsys.readouterr().out.splitlines()[0] == "SERVING"


def test_the_settings_are_shown_with_where_they_came_from(studio, capsys):
    assert run_command(["serve", "--config", str(studio / "server.toml"), "--print-config", "--drain-s", "5"]) == 0
    shown = capsys.readouterr().out
    assert f'metrics = "127.0.0.1:9464"  # {studio / "server.toml"}\n' in shown
    assert "drain_s = 5.0  # given\n" in shown


@pytest.mark.parametrize("kind", re.findall(r"diffava service (\w+) ", STUDIO))
def test_the_file_for_this_machine_is_printed(capsys, kind):
    assert run_command(["service", kind, "--config", "/etc/diffava/server.toml"]) == 0
    assert "serve --config /etc/diffava/server.toml" in capsys.readouterr().out
    assert run_command(["service", kind, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"].count("ExecStart=") == 1
