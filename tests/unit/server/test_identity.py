"""Who calls, as far as that cannot be made up."""

from dataclasses import dataclass

import pytest

from diffava_server.rpc.identity import client_identity, whose_turn


@dataclass
class Call:
    """What gRPC says of a connection."""

    address: str
    names: tuple[bytes, ...] | None = None

    def peer(self):
        return self.address

    def peer_identities(self):
        return self.names


@pytest.mark.parametrize(
    ("call", "identity"),
    [
        (Call("ipv4:192.168.1.7:50000"), "ipv4:192.168.1.7"),
        (Call("ipv6:%5B2001:db8::1%5D:50000"), "ipv6:%5B2001:db8::1%5D"),
        (Call("unix:"), "unix"),
        (Call("unix:/tmp/s"), "unix"),
        (Call("ipv4:192.168.1.7:50000", (b"ada@studio.example",)), "ada@studio.example"),
        (Call("ipv4:192.168.1.7:50000", (b"\xff", b"b")), "�,b"),
    ],
)
def test_calls_are_counted_by_certificate_or_address_whatever_the_port(call, identity):
    assert client_identity(call) == identity


def test_turns_go_by_the_certificate_where_there_is_one_so_that_invented_names_gain_nothing():
    ada = Call("ipv4:192.168.1.7:50000", (b"ada",))
    assert whose_turn(ada, "a") == whose_turn(ada, "b") == "ada"
    plain = Call("ipv4:192.168.1.7:50000")
    assert (whose_turn(plain, "a"), whose_turn(plain, "")) == ("a", "ipv4:192.168.1.7:50000")
