from lockstock.order.v1.api_key_events_pb2 import ApiKeyChanged
from order.api_keys.domain import ApiKey


def api_key_changed(key: ApiKey) -> ApiKeyChanged:
    """The key's present state; the secret's hash travels, the secret never does."""
    return ApiKeyChanged(
        key_id=key.id,
        merchant_id=str(key.merchant_id) if key.merchant_id else "",
        secret_hash=key.secret_hash,
        scopes=key.scopes,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        suspended_at=key.suspended_at,
        allowed_ips=key.allowed_ips,
        family=key.family or "",
    )
