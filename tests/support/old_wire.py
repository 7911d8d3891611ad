"""The wire as clients of earlier versions know it: descriptors as they were released, and message classes made of them.

At a release, the wire of that day is put beside the others:
`python -m grpc_tools.protoc -Iproto --descriptor_set_out=tests/golden/wire/VERSION.binpb
proto/diffava_proto/v1/foley.proto`.
"""

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "wire"
RELEASES = tuple(sorted(path.stem for path in FOLDER.glob("*.binpb")))


def descriptors(release: str) -> descriptor_pb2.FileDescriptorSet:
    """What the .proto files said at that release."""
    return descriptor_pb2.FileDescriptorSet.FromString((FOLDER / f"{release}.binpb").read_bytes())


def message_classes(release: str) -> dict[str, Any]:
    """That release's messages by their names without package, apart from today's."""
    files = descriptors(release).file
    classes = message_factory.GetMessageClassesForFiles([file.name for file in files], _pool(files))
    return {name.rpartition(".")[2]: made for name, made in classes.items()}


def _pool(files: Any) -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    return pool
