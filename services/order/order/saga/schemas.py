from kit.http import Model, Name
from pydantic import ConfigDict


class CancelCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "buyer changed mind"}]})

    reason: Name = "cancelled by the shop"
