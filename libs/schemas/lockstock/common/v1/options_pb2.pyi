from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
TOPIC_FIELD_NUMBER: _ClassVar[int]
topic: _descriptor.FieldDescriptor
SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
snapshot: _descriptor.FieldDescriptor
PATIENCE_MS_FIELD_NUMBER: _ClassVar[int]
patience_ms: _descriptor.FieldDescriptor
