"""The metadata of this service's database."""

from kit.backbone import backbone_tables
from kit.db import new_metadata

from fulfillment.deliveries.tables import delivery_tables

metadata = new_metadata()
backbone_tables(metadata)
delivery_tables(metadata)
