"""The pages for a studio engineer are whole: every reason that an editor may be told, every metric, every limit."""

import re

import pytest

from diffava_server import errors
from diffava_server.config import ServerConfig
from diffava_server.errors import ServerError
from diffava_server.operations.metrics import Metrics
from support.checkout import ROOT

PAGE = (ROOT / "server" / "WHEN_IT_GOES_WRONG.md").read_text(encoding="utf-8")
BUILT = (ROOT / "server" / "README.md").read_text(encoding="utf-8")
REASONS = {kind.reason for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ServerError)}
# Shown where there is a page of metrics, a GPU, a certificate, an engine's process.
SHOWN_BY_THE_APPLICATION = {
    "diffava_serving",
    "diffava_gpu_memory_bytes",
    "diffava_certificate_not_after_timestamp_seconds",
    "diffava_engine_process_resident_memory_bytes",
}


def first_cells(heading, page=PAGE):
    section = page.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"`([\w]+)`", " ".join(re.findall(r"^\|([^|]*)\|", section, re.MULTILINE)))


def test_every_reason_has_a_line_and_no_line_is_of_another():
    assert sorted(first_cells("What the editor was told")) == sorted(REASONS)


def metric_names():
    names = set()
    for family in Metrics(lambda: (), "1").registry.collect():
        names.add(f"{family.name}_total" if family.type == "counter" else family.name)
    return names


def test_every_metric_has_a_line_and_no_line_is_of_another():
    written = set(first_cells("What the metrics say"))
    # Of a process there are eight figures, whose names say all; the page shows those that tell of a leak.
    known = {name for name in metric_names() if "_process_" not in name} | SHOWN_BY_THE_APPLICATION
    assert known <= written
    assert all("_server_process_" in name for name in written - known)


@pytest.mark.parametrize("word", sorted(set(re.findall(r"`((?:max_|\w+_s\b|tls_)\w*)`", PAGE)) - {"max_"}))
def test_every_setting_on_the_page_exists(word):
    assert word in ServerConfig.model_fields


def test_every_limit_is_told_with_what_lies_beyond_it():
    limits = {name for name in ServerConfig.model_fields if re.match(r"max_|memory_|\w+_s$", name)}
    assert set(first_cells("Limits", BUILT)) == limits
