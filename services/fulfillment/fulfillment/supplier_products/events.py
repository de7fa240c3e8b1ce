"""What this slice tells the others: an offer is paused by itself, or goes on."""

from fulfillment.supplier_products.domain import SupplierProduct
from lockstock.common.v1.money_pb2 import Money
from lockstock.fulfillment.v1.purchase_events_pb2 import OfferPaused, OfferResumed


def offer_paused(product: SupplierProduct) -> OfferPaused:
    return OfferPaused(
        supplier_product_id=str(product.id),
        merchant_id=str(product.merchant_id),
        supplier=product.supplier,
        supplier_sku=product.supplier_sku,
        sku=product.sku or "",
        reason=product.paused_reason,
        landed=Money(amount_minor=product.landed_minor, currency=product.currency),
        cost_max=Money(amount_minor=product.cost_max_minor, currency=product.currency),
    )


def offer_resumed(product: SupplierProduct) -> OfferResumed:
    return OfferResumed(
        supplier_product_id=str(product.id),
        merchant_id=str(product.merchant_id),
        supplier=product.supplier,
        supplier_sku=product.supplier_sku,
        sku=product.sku or "",
        landed=Money(amount_minor=product.landed_minor, currency=product.currency),
    )
