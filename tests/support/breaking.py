"""What in a newer .proto an older program would not bear: the rules of `buf breaking`, category FILE, that apply here.

A field keeps its number, name, type, label and oneof, or is gone with both number and name reserved; an enum's value
keeps its number and name; a method keeps its messages and which way they stream.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet


def breaches(old: FileDescriptorSet, new: FileDescriptorSet) -> list[str]:
    """A line for each; empty where every old program can go on."""
    files = {file.name: file for file in new.file}
    found = []
    for file in old.file:
        found += [f"file {file.name} is gone"] if file.name not in files else _of_file(file, files[file.name])
    return found


def _of_file(old: FileDescriptorProto, new: FileDescriptorProto) -> Iterator[str]:
    if old.package != new.package:
        yield f"package {old.package} is now {new.package}"
    yield from _of_named("message", old.message_type, new.message_type, _of_message)
    yield from _of_named("enum", old.enum_type, new.enum_type, _of_enum)
    yield from _of_named("service", old.service, new.service, _of_service)


def _of_named(kind: str, old: Any, new: Any, compare: Any) -> Iterator[str]:
    now = {each.name: each for each in new}
    for each in old:
        if each.name not in now:
            yield f"{kind} {each.name} is gone"
        else:
            yield from compare(each, now[each.name])


def _of_message(old: DescriptorProto, new: DescriptorProto) -> Iterator[str]:
    now = {field.number: field for field in new.field}
    for field in old.field:
        where = f"field {old.name}.{field.name} = {field.number}"
        if field.number not in now:
            is_reserved = any(span.start <= field.number < span.end for span in new.reserved_range)
            if not is_reserved or field.name not in new.reserved_name:
                yield f"{where} is gone, and number and name are not reserved"
            continue
        one = now[field.number]
        for what in ("name", "type", "type_name", "label", "proto3_optional"):
            if getattr(field, what) != getattr(one, what):
                yield f"{where}: its {what} was {getattr(field, what)} and is {getattr(one, what)}"
        if _oneof(old, field) != _oneof(new, one):
            yield f"{where}: its oneof was {_oneof(old, field)} and is {_oneof(new, one)}"
    yield from _of_named("message", old.nested_type, new.nested_type, _of_message)
    yield from _of_named("enum", old.enum_type, new.enum_type, _of_enum)


def _oneof(message: DescriptorProto, field: Any) -> str:
    return message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""


def _of_enum(old: EnumDescriptorProto, new: EnumDescriptorProto) -> Iterator[str]:
    now = {value.number: value.name for value in new.value}
    for value in old.value:
        if now.get(value.number) != value.name:
            yield f"enum value {old.name}.{value.name} = {value.number} is now {now.get(value.number, 'gone')}"


def _of_service(old: Any, new: Any) -> Iterator[str]:
    now = {method.name: method for method in new.method}
    for method in old.method:
        if method.name not in now:
            yield f"method {old.name}.{method.name} is gone"
            continue
        for what in ("input_type", "output_type", "client_streaming", "server_streaming"):
            if getattr(method, what) != getattr(now[method.name], what):
                yield f"method {old.name}.{method.name}: its {what} changed"
