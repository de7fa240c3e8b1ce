from pydantic import ConfigDict

from kit.http import Model, Name


class CancelCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "buyer changed mind"}]})

    reason: Name = "cancelled by the shop"
