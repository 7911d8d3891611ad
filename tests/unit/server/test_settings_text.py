"""`diffava serve --print-config`: every setting, with what it is, as a file that can be read again."""

from pathlib import Path

from diffava_server.config import ServerConfig, read_config, read_with_origins
from diffava_server.operations.settings_text import settings_text


def test_what_is_printed_can_be_read_again(tmp_path):
    config, origins = read_with_origins(
        None, {"models": ("nano", "mini"), "state_file": Path('/run/a "b".json'), "drain_s": 2.5, "compile": True}
    )
    path = tmp_path / "server.toml"
    path.write_text(settings_text(config, origins), encoding="utf-8")
    assert read_config(path) == config


def test_it_names_every_setting_and_where_a_value_came_from(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFAVA_SERVER_DRAIN_S", "2")
    path = tmp_path / "server.toml"
    path.write_text("max_take_count = 3\n")
    text = settings_text(*read_with_origins(path, {}))
    for name in ServerConfig.model_fields:
        assert f"\n{name} = " in f"\n{text}" or f"\n# {name} =\n" in text
    assert "drain_s = 2.0  # environment\n" in text
    assert f"max_take_count = 3  # {path}\n" in text


def test_every_setting_says_what_it_is():
    assert not [name for name, field in ServerConfig.model_fields.items() if not field.description]
