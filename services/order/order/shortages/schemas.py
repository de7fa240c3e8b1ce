from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from kit.http import Model
from order.catalogue.schemas import ShortageModel

_EXAMPLE: JsonDict = {"substitutes": ["GAME-50"], "back_order_seconds": 600}


class ShortagePolicy(Model):
    """What is tried for a paid line that stock ran out for, where neither its product nor its
    channel says; null: its money goes back at once.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"shortage": _EXAMPLE}]})

    shortage: ShortageModel | None = Field(description="of orders placed from now on")

    @property
    def document(self) -> Mapping[str, Any] | None:
        return self.shortage.model_dump() if self.shortage else None

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None) -> Self:
        shortage = ShortageModel.model_validate(document) if document is not None else None
        return cls(shortage=shortage)
