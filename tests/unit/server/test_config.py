import pytest

from diffava_server.config import read_config
from diffava_server.errors import StartError


def test_defaults_listen_on_a_free_loopback_port_with_the_nano_model():
    config = read_config()
    assert (config.listen, config.models, config.unix_path) == ("127.0.0.1:0", ("mini",), None)


def test_the_environment_is_read_and_the_caller_wins(monkeypatch):
    monkeypatch.setenv("DIFFAVA_SERVER_MODELS", "nano,mini")
    monkeypatch.setenv("DIFFAVA_SERVER_IDLE_EXIT_S", "600")
    config = read_config(idle_exit_s=5.0)
    assert (config.models, config.idle_exit_s) == (("nano", "mini"), 5.0)


def test_an_unknown_variable_is_refused_with_the_known_ones(monkeypatch):
    monkeypatch.setenv("DIFFAVA_SERVER_PROT", "1")
    with pytest.raises(StartError, match=r"Unknown setting DIFFAVA_SERVER_PROT .*DIFFAVA_SERVER_LISTEN") as caught:
        read_config()
    assert caught.value.exit_code == 2


def test_an_unknown_key_is_refused_with_the_known_ones():
    with pytest.raises(StartError, match=r"Unknown setting 'port'; known are listen, models"):
        read_config(port=1)


@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "[::]:1", "192.168.1.4:80", "example.org:80", ":80"])
def test_an_address_that_others_can_reach_is_refused(listen):
    with pytest.raises(StartError, match=r"not this machine's loopback.* listen on 127\.0\.0\.1 or unix:PATH"):
        read_config(listen=listen)


@pytest.mark.parametrize("listen", ["127.0.0.1", "localhost:", "127.0.0.1:99999", "nonsense"])
def test_what_is_no_address_is_refused(listen):
    with pytest.raises(StartError, match="is not an address; give HOST:PORT or unix:PATH"):
        read_config(listen=listen)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "[::1]:0", "127.3.2.1:65535"])
def test_loopback_addresses_are_taken(listen):
    assert read_config(listen=listen).listen == listen


def test_a_socket_path_that_the_system_cannot_hold_is_refused_with_its_length():
    with pytest.raises(StartError, match=r"has 201 bytes and the system takes 10\d; choose a shorter one"):
        read_config(listen="unix:/" + "x" * 200)


def test_a_relative_socket_path_is_refused():
    with pytest.raises(StartError, match="is not absolute"):
        read_config(listen="unix:here.sock")


@pytest.mark.parametrize("bad", [{"max_take_count": 0}, {"upload_idle_s": 0}, {"models": ()}, {"drain_s": -1}])
def test_a_value_out_of_bounds_is_refused_by_its_name(bad):
    with pytest.raises(StartError, match=next(iter(bad))):
        read_config(**bad)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:", ""])
def test_what_is_no_device_is_refused(device):
    with pytest.raises(StartError, match="device"):
        read_config(device=device)


def test_what_is_no_precision_is_refused():
    with pytest.raises(StartError, match=r"precision.*'auto', 'float32' or 'bfloat16'"):
        read_config(precision="half")


def test_a_model_computes_as_it_wants_step_by_step_unless_told_otherwise():
    assert (read_config().precision, read_config().compile) == ("auto", False)
