"""A server error as a gRPC status with details that a client can act on. Knows every error by its class's fields.

The details are Google's standard ones: `ErrorInfo` with the reason and whether asking again may help, and for those
errors `RetryInfo`.
"""

from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from diffava_server.errors import ServerError

DOMAIN = "diffava.v1"


def status_of(error: ServerError) -> status_pb2.Status:
    """The whole status, as it goes into the trailing metadata."""
    retryable = "true" if error.retryable else "false"
    details = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata={"retryable": retryable})]
    if error.retryable:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(error.retry_delay_s * 1000))
        details.append(retry)
    status = status_pb2.Status(code=code_pb2.Code.Value(error.code), message=str(error))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


async def abort_with(context: "grpc.aio.ServicerContext[Any, Any]", error: ServerError) -> NoReturn:
    """End the call with this error."""
    await context.abort_with_status(rpc_status.to_status(status_of(error)))
