"""The metadata all slices' tables belong to, with the backbone every service's database has."""

from kit.backbone import backbone_tables
from kit.db import new_metadata
from sqlalchemy import MetaData

metadata: MetaData = new_metadata()
backbone_tables(metadata)
