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
    with pytest.raises(StartError, match=r"Unknown setting 'port'; known are listen, tls_cert"):
        read_config(port=1)


@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "[::]:1", "192.168.1.4:80", "example.org:80"])
def test_an_address_that_others_can_reach_is_refused(listen):
    with pytest.raises(StartError, match=r"not this machine's loopback.* give tls_cert and tls_key, or listen on 127"):
        read_config(listen=listen)


def test_with_tls_a_server_listens_wider():
    config = read_config(listen="0.0.0.0:50051", tls_cert="/c.pem", tls_key="/k.pem")
    assert (config.listen, config.is_local) == ("0.0.0.0:50051", False)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tls_cert": "c"}, "tls_cert is set and tls_key is not"),
        ({"tls_key": "k"}, "tls_key is set and tls_cert is not"),
        ({"tls_client_ca": "ca"}, "tls_client_ca is set without tls_cert and tls_key"),
    ],
)
def test_half_of_an_encryption_is_refused(given, sentence):
    with pytest.raises(StartError, match=sentence) as caught:
        read_config(**given)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("metrics", ["0.0.0.0:9464", "192.168.1.4:9464", "unix:/m.sock", "example.org:1"])
def test_metrics_are_for_this_machine_alone(metrics):
    with pytest.raises(StartError, match=r"metrics: .* not on this machine's loopback; give 127\.0\.0\.1:PORT"):
        read_config(metrics=metrics)


@pytest.mark.parametrize("listen", ["127.0.0.1", "localhost:", "127.0.0.1:99999", "nonsense", ":80"])
def test_what_is_no_address_is_refused(listen):
    with pytest.raises(StartError, match=r"is not an address; give HOST:PORT or unix:PATH|names no host"):
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


def settings_file(tmp_path, text):
    path = tmp_path / "server.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_options_win_over_the_environment_over_the_file_over_the_defaults(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFAVA_SERVER_DRAIN_S", "2")
    monkeypatch.setenv("DIFFAVA_SERVER_MAX_QUEUED_JOBS", "2")
    path = settings_file(tmp_path, "drain_s = 3\nmax_queued_jobs = 3\nmax_take_count = 3\nmodels = ['nano', 'mini']")
    config = read_config(path, drain_s=1.0)
    assert (config.drain_s, config.max_queued_jobs, config.max_take_count) == (1, 2, 3)
    assert (config.models, config.max_step_count) == (("nano", "mini"), 200)


def test_the_environment_may_name_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFAVA_SERVER_CONFIG", str(settings_file(tmp_path, "drain_s = 3")))
    assert read_config().drain_s == 3


def test_a_path_in_the_file_is_meant_from_where_the_file_is(tmp_path):
    config = read_config(settings_file(tmp_path, "token_file = 'sub/token'\nstate_file = '/run/state.json'"))
    assert (config.token_file, str(config.state_file)) == (tmp_path / "sub" / "token", "/run/state.json")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("port = 1", r"Unknown setting 'port' \(.*server\.toml\); known are listen"),
        ("[tls]\ncert = 'c'", r"Unknown setting 'tls' \(.*server\.toml\)"),
        ("drain_s = -1", r"drain_s \(.*server\.toml\): .*greater than or equal to 0"),
        ("drain_s", r"server\.toml are not TOML: Expected"),
        (None, r"server\.toml cannot be read: No such file"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_a_sentence_that_names_it(tmp_path, text, sentence):
    path = settings_file(tmp_path, text) if text is not None else tmp_path / "server.toml"
    with pytest.raises(StartError, match=sentence) as caught:
        read_config(path)
    assert caught.value.exit_code == 2


def test_a_bad_value_of_the_environment_is_said_to_come_from_there(monkeypatch):
    monkeypatch.setenv("DIFFAVA_SERVER_DRAIN_S", "soon")
    with pytest.raises(StartError, match=r"drain_s \(environment\): .*valid number"):
        read_config()
