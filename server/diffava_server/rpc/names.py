"""What the services are called on the wire."""

from diffava_proto.v1 import foley_pb2

SERVICE_NAME: str = foley_pb2.DESCRIPTOR.services_by_name["FoleyService"].full_name
JOB_METHOD = f"/{SERVICE_NAME}/Generate"
HEALTH_PREFIX = "/grpc.health.v1.Health/"
