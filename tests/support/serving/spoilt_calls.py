"""Spoilt requests at a real server: does each get an answer that a client can act on?"""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from diffava_proto.v1 import foley_pb2 as pb
from diffava_server.load.client import Target
from support.serving.loaded_server import loaded_server
from support.serving.messages import LIMITS, WELL, mutated

METHOD = "/diffava.v1.FoleyService/Generate"
ANSWER_WITHIN_S = 60.0


def spoilt_calls(directory: Path, seeds: range, *, threads: int = 4) -> dict[str, Any]:
    """Send one spoilt request for each seed. Returns how often which answer came, and the server's death if it died.

    Answers: `WELL`, a refusal's reason, or `UNTYPED:` with gRPC's code where the server said nothing of its own.
    """
    with (
        loaded_server(directory, {"step_count": 1}, upload_idle_s=5, **LIMITS) as server,
        grpc.insecure_channel(server.target.address) as channel,
        ThreadPoolExecutor(threads) as pool,
    ):
        engine = server.engine()
        answers = Counter(pool.map(lambda seed: _answer(channel, server.target, seed), seeds))
        alive = server.engine()
        return {
            "messages": len(seeds),
            "answers": dict(sorted(answers.items())),
            "untyped": sum(count for answer, count in answers.items() if answer.startswith("UNTYPED")),
            "engine_survived": engine is not None and alive is not None and engine.pid == alive.pid,
        }


def _answer(channel: grpc.Channel, target: Target, seed: int) -> str:
    """Raw bytes go out as they are: protobuf itself would not write most of these."""
    call = channel.stream_stream(METHOD, None, pb.GenerateResponse.FromString)
    try:
        responses = list(call(iter(mutated(random.Random(seed))), metadata=target.metadata, timeout=ANSWER_WITHIN_S))
    except grpc.RpcError as error:
        info = error_details_pb2.ErrorInfo()
        status = rpc_status.from_call(error)
        for detail in status.details if status is not None else ():
            detail.Unpack(info)
        return info.reason or f"UNTYPED:{error.code().name}:{error.details()}"
    return WELL if responses and responses[-1].HasField("done") else "UNTYPED:OK"
