"""Case 21, first half: nothing of a released wire is broken by today's, and a breach of each rule would be seen."""

import pytest
from google.protobuf import descriptor_pb2

from diffava_proto.v1 import foley_pb2
from support.breaking import breaches
from support.old_wire import RELEASES, descriptors


def today():
    file = descriptor_pb2.FileDescriptorProto()
    foley_pb2.DESCRIPTOR.CopyToProto(file)
    return descriptor_pb2.FileDescriptorSet(file=[file])


@pytest.mark.parametrize("release", RELEASES)
def test_case_21_todays_wire_breaks_nothing_of_a_release(release):
    assert breaches(descriptors(release), today()) == []


def message(files, name):
    return next(each for each in files.file[0].message_type if each.name == name)


def field(files, name):
    return next(each for each in message(files, "GenerateHeader").field if each.name == name)


def retype(files):
    field(files, "sample_count").type = descriptor_pb2.FieldDescriptorProto.TYPE_UINT32


def rename(files):
    field(files, "prompt").name = "text"


def repeat(files):
    field(files, "prompt").label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED


def remove(files):
    fields = message(files, "GenerateHeader").field
    fields.remove(field(files, "seeds"))


def leave_the_oneof(files):
    message(files, "GenerateResponse").field[0].ClearField("oneof_index")


def renumber_a_value(files):
    files.file[0].enum_type[0].value[1].number = 9


def stop_streaming(files):
    files.file[0].service[0].method[0].client_streaming = False


def remove_a_method(files):
    del files.file[0].service[0].method[1]


def remove_a_message(files):
    files.file[0].message_type.remove(message(files, "Queued"))


@pytest.mark.parametrize(
    "change",
    [
        retype,
        rename,
        repeat,
        remove,
        leave_the_oneof,
        renumber_a_value,
        stop_streaming,
        remove_a_method,
        remove_a_message,
    ],
)
def test_a_breach_is_seen(change):
    changed = today()
    change(changed)
    assert len(breaches(today(), changed)) == 1


def test_a_field_may_go_where_its_number_and_name_are_reserved():
    changed = today()
    number = field(changed, "seeds").number
    remove(changed)
    header = message(changed, "GenerateHeader")
    header.reserved_range.add(start=number, end=number + 1)
    header.reserved_name.append("seeds")
    assert breaches(today(), changed) == []


def test_a_new_field_breaks_nothing():
    changed = today()
    message(changed, "GenerateHeader").field.add(name="colour", number=900, type=9, label=1)
    assert breaches(today(), changed) == []
