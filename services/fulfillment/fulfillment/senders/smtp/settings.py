"""What an SMTP account is set up with."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from kit.contacts import EMAIL_CHARACTERS_MAX

_ADDRESS = r"[^\s@<>\x00-\x1f]+@[^\s@<>\x00-\x1f]+"

Address = Annotated[
    str, StringConstraints(max_length=EMAIL_CHARACTERS_MAX, pattern=f"^{_ADDRESS}$")
]
OptionalAddress = Annotated[
    str, StringConstraints(max_length=EMAIL_CHARACTERS_MAX, pattern=f"^({_ADDRESS})?$")
]
Line = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class SmtpSettings(BaseModel):
    """`security`: `tls` from the first byte (port 465), `starttls` (port 587; required, never given
    up), or `none`, which takes no password.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.\-:]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Literal["tls", "starttls", "none"] = "starttls"
    username: Line = ""
    from_address: Address
    from_name: Line = ""
    reply_to: OptionalAddress = ""
    bounces_to: OptionalAddress = ""
    timeout_seconds: Annotated[float, Field(ge=0.1, le=45)] = 20.0

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> Self:
        if self.security == "none" and self.username:
            raise ValueError("without TLS there is no login: leave `username` out")
        return self
