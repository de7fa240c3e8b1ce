"""The service's tables hang on this one MetaData; each slice adds its own in its tables.py."""

from kit.backbone import backbone_tables
from kit.db import new_metadata

metadata = new_metadata()
backbone_tables(metadata)
