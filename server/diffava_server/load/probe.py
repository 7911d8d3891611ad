"""`python -m diffava_server.load.probe ADDRESS INTERVAL_S CA CERT KEY`: how fast the health check answers.

A process of its own, since the played editors keep theirs busy and would be measured with the server. Asks until its
stdin ends, then writes one JSON object: latencies in seconds, and how many checks failed.
"""

import json
import sys
import threading
import time
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from diffava_server.operations.probe import ProbeTls, channel_to, credentials_for

ANSWER_WITHIN_S = 10.0


def main() -> None:
    """Ask until told to stop."""
    address, interval_s = sys.argv[1], float(sys.argv[2])
    tls = ProbeTls(*(Path(name) if name else None for name in sys.argv[3:6]))
    over = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    latencies_s: list[float] = []
    failed = 0
    with channel_to(address, credentials_for(address, tls)) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        while not over.wait(interval_s):
            begun_s = time.monotonic()
            try:
                stub.Check(health_pb2.HealthCheckRequest(), timeout=ANSWER_WITHIN_S)
                latencies_s.append(time.monotonic() - begun_s)
            except grpc.RpcError:
                failed += 1
    sys.stdout.write(json.dumps({"latencies_s": latencies_s, "failed": failed}))


if __name__ == "__main__":
    main()
