from lockstock.order.v1.restock_events_pb2 import RestockNoticeDue
from order.restock.domain import RestockRequest


def notice_due(request: RestockRequest) -> RestockNoticeDue:
    """Without the contact, which must not outlive the notice."""
    return RestockNoticeDue(
        request_id=str(request.id),
        merchant_id=str(request.merchant_id),
        product_id=str(request.product_id),
        sku=request.sku,
        customer_id=request.customer_id,
        locale=request.locale,
        requested_at=request.requested_at,
        due_at=request.due_at,
    )
