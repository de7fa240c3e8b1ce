"""The metadata all slices' tables belong to, with the backbone every service's database has."""

from sqlalchemy import MetaData

from kit.backbone import backbone_tables
from kit.db import new_metadata

metadata: MetaData = new_metadata()
backbone_tables(metadata)
