"""The wire: protobuf messages to plain values and back, who may call, and what errors look like from outside."""
