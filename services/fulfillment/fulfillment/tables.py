"""The metadata of this service's database."""

from fulfillment.deliveries.tables import delivery_tables
from kit.backbone import backbone_tables
from kit.db import new_metadata

metadata = new_metadata()
backbone_tables(metadata)
delivery_tables(metadata)
