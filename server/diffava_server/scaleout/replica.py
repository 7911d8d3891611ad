"""One replica: the service with a queue and an engine process of its own, as a Ray actor. Knows no cluster.

Each call goes to one replica and stays there. Health is answered by a replica for itself: Ray asks it and replaces one
whose engine stays down; a prober that asks through the proxy hears of one that lives.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from importlib.metadata import version

import grpc
from grpc_health.v1 import health_pb2
from ray import serve

from diffava_proto.v1 import foley_pb2 as pb
from diffava_server.config import ServerConfig
from diffava_server.engine.protocol import EngineFactory
from diffava_server.engine.supervisor import supervised
from diffava_server.errors import StartError, UnauthenticatedError
from diffava_server.jobs.dispatch import Dispatcher
from diffava_server.jobs.idle import Activity
from diffava_server.jobs.watching import Unwatched
from diffava_server.machine.free_memory import give_back_regularly
from diffava_server.machine.token import TokenFile
from diffava_server.operations.logs import server_log
from diffava_server.rpc.interceptors import bearer_token
from diffava_server.rpc.names import SERVICE_NAME
from diffava_server.rpc.service import FoleyService
from diffava_server.rpc.status import abort_with
from diffava_server.scaleout.call import RayCall, ReplicaContext

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class FoleyReplica:
    """`diffava.v1.FoleyService` and gRPC's health check as methods of a Ray deployment, by the wire's names.

    Args:
        config: The server's settings; what concerns an address is not used here.
        engine_factory: Builds the engine in its own process.

    Raises:
        StartError: The node has no token file, or not a usable one.
        ServerError: A model cannot be loaded.
    """

    async def __init__(  # type: ignore[misc]  # Ray awaits it
        self, config: ServerConfig, engine_factory: EngineFactory
    ) -> None:
        if not config.token_file.exists():  # made here it would be another than the other nodes'
            raise StartError(
                f"This node has no token file {config.token_file}; put the same file at this path on every node."
            )
        log, watcher = server_log(config.log_format), Unwatched()  # Ray counts calls, queues and replicas by itself
        self._token = TokenFile(config.token_file, log.warning)
        self._engine = supervised(engine_factory, config, watcher, log)
        await self._engine.start()
        jobs = Dispatcher(self._engine, config, watcher, log)
        jobs.start()
        # The loop alone would not keep it.
        self._giving_back = asyncio.create_task(give_back_regularly(), name="free memory")
        self._service = FoleyService(jobs, Activity(), watcher, config, version("diffava-foley"), log)

    async def GetServerInfo(  # noqa: N802 - the wire's name
        self, request: pb.GetServerInfoRequest, grpc_context: ReplicaContext
    ) -> pb.GetServerInfoResponse:
        """As `FoleyService.GetServerInfo`."""
        return await RayCall(grpc_context).answer(partial(self._info, request), pb.GetServerInfoResponse())

    async def Generate(  # noqa: N802 - the wire's name
        self, messages: AsyncIterator[pb.GenerateRequest], grpc_context: ReplicaContext
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """As `FoleyService.Generate`."""
        async for answer in RayCall(grpc_context, messages).answers(self._generate):
            yield answer

    async def Check(  # noqa: N802 - the wire's name
        self, request: health_pb2.HealthCheckRequest, grpc_context: ReplicaContext
    ) -> health_pb2.HealthCheckResponse:
        """The standard health check, which wants no token."""
        return await RayCall(grpc_context).answer(partial(self._checked, request), health_pb2.HealthCheckResponse())

    async def Watch(  # noqa: N802 - the wire's name
        self, request: health_pb2.HealthCheckRequest, grpc_context: ReplicaContext
    ) -> AsyncGenerator[health_pb2.HealthCheckResponse, None]:
        """Not offered: who watches would count as a job when Ray decides how many replicas there should be."""
        grpc_context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        grpc_context.set_details("Ask Check from time to time; watching is not offered on Ray Serve.")
        yield health_pb2.HealthCheckResponse()

    async def check_health(self) -> None:
        """Ray's own question; whatever is raised has the replica replaced.

        Raises:
            EngineDownError: The engine does not come back.
        """
        if (refusal := self._engine.refusal()) is not None:
            raise refusal

    async def _info(self, request: pb.GetServerInfoRequest, call: RayCall) -> pb.GetServerInfoResponse:
        await self._admit(call)
        return await self._service.GetServerInfo(request, call)

    async def _generate(self, call: RayCall) -> None:
        await self._admit(call)
        wanted = serve.get_multiplexed_model_id()
        if wanted in (model.name for model in self._engine.models):
            await self._has_model(wanted)
        await self._service.Generate(None, call)

    async def _checked(self, request: health_pb2.HealthCheckRequest, call: RayCall) -> health_pb2.HealthCheckResponse:
        if request.service not in ("", SERVICE_NAME):
            await call.abort(grpc.StatusCode.NOT_FOUND)
        # The server as a whole serves as long as it answers.
        is_refusing = request.service == SERVICE_NAME and self._engine.refusal() is not None
        return health_pb2.HealthCheckResponse(status=NOT_SERVING if is_refusing else SERVING)

    async def _admit(self, call: RayCall) -> None:
        if not self._token.accepts(bearer_token(call.invocation_metadata())):
            await abort_with(
                call,  # type: ignore[arg-type]  # as much of a context as is used
                UnauthenticatedError(
                    "The server's token is missing or wrong; give the one in the token file of the server's nodes."
                ),
            )

    @serve.multiplexed(max_num_models_per_replica=1)  # type: ignore[untyped-decorator]
    async def _has_model(self, name: str) -> str:
        """Tells Ray that this replica has a model in its engine; calls that name it come here rather than elsewhere.

        The engine loads by itself what a job needs, so that nothing but speed hangs on this.
        """
        return name
