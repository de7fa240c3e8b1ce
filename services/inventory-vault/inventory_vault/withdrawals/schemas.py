from pydantic import ConfigDict

from kit.http import Model, Name


class WithdrawalCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "the supplier recalled the batch"}]}
    )

    reason: Name
