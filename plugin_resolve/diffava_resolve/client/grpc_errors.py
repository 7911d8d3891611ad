"""What goes wrong on the wire, in the editor's words; the one place that reads gRPC status codes."""

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from diffava_resolve.client.tls import meaning_of
from diffava_resolve.errors import FoleyError, RequestError, ServerError

# The sender's mistake rather than the server's failure: exit code 2, and asking again cannot help.
_WRONG_REQUEST = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OUT_OF_RANGE}
_WRONG_REASONS = {"LIMIT_EXCEEDED"}  # shares its status code with a full queue, which may pass
# A proxy in front of several machines says INTERNAL, without more, of a machine that was lost with the job.
_MAY_PASS = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.DEADLINE_EXCEEDED}


def error_of(call: grpc.RpcError, address: str, *, job_began: bool = False) -> FoleyError:
    """The plugin's error for a failed call to the server at `address`.

    A server of ours sends its own sentence with an `ErrorInfo` beside it; that sentence is passed on. Anything else
    comes from gRPC itself or from something in between, whose words nobody wants to read.
    """
    code: grpc.StatusCode = call.code()
    details: str = call.details() or ""
    info, retry_delay_s = _rich_details(call)
    if info is None:
        return _error_of_transport(code, details, address, job_began)
    retryable = retry_delay_s is not None or info.metadata.get("retryable") == "true"
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return _wrong_token(address)
    if code in _WRONG_REQUEST or info.reason in _WRONG_REASONS:
        return RequestError(details)
    return ServerError(details, retryable=retryable, reason=info.reason, retry_delay_s=retry_delay_s)


def _rich_details(call: grpc.RpcError) -> tuple[error_details_pb2.ErrorInfo | None, float | None]:
    """The server's `ErrorInfo`, if it sent one, and after how long it says to ask again."""
    try:
        status = rpc_status.from_call(call)
    except ValueError:  # the details contradict the status: written by something that is not our server
        return None, None
    info: error_details_pb2.ErrorInfo | None = None
    retry_delay_s: float | None = None
    for packed in status.details if status is not None else ():
        if packed.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            packed.Unpack(info)
        if packed.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            packed.Unpack(retry)
            retry_delay_s = retry.retry_delay.ToTimedelta().total_seconds()
    return info, retry_delay_s


def _error_of_transport(code: grpc.StatusCode, details: str, address: str, job_began: bool) -> FoleyError:
    """What to say when it was not our server that spoke."""
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return _wrong_token(address)
    if code == grpc.StatusCode.UNAVAILABLE and job_began:
        return ServerError(
            f"The connection to the foley server at {address} was lost during the job; run the command again.",
            retryable=True,
        )
    why = meaning_of(details)
    if code == grpc.StatusCode.UNAVAILABLE and why:
        return ServerError(f"No safe connection to the foley server at {address}: {why}.")
    if code == grpc.StatusCode.UNAVAILABLE:
        return ServerError(
            f"No foley server answers at {address}; start one with `diffava serve --listen {address}`, "
            "or leave out --server and one is started for you.",
            retryable=True,
        )
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return ServerError(f"The foley server at {address} did not answer in time; try again later.", retryable=True)
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return ServerError(f"What answers at {address} is not a foley server, or one of another version.")
    if code == grpc.StatusCode.CANCELLED:
        return ServerError(f"The foley server at {address} stopped the job; run the command again.", retryable=True)
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return ServerError(f"A message was larger than the foley server at {address} takes ({details}).")
    may_pass = code in _MAY_PASS or (code == grpc.StatusCode.INTERNAL and job_began)
    return ServerError(f"The foley server at {address} failed ({code.name}: {details}).", retryable=may_pass)


def _wrong_token(address: str) -> ServerError:
    return ServerError(
        f"The foley server at {address} refused the token; give the one it was started with in DIFFAVA_TOKEN "
        "or with --token-file."
    )
