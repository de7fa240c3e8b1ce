"""What this slice tells the others: how a statement came out."""

from fulfillment.supplier_statements.domain import Difference, Statement
from lockstock.fulfillment.v1.purchase_events_pb2 import StatementReconciled


def reconciled(statement: Statement) -> StatementReconciled:
    return StatementReconciled(
        statement_id=str(statement.id),
        merchant_id=str(statement.merchant_id),
        supplier=statement.supplier,
        matched=statement.results.get("matched", 0),
        differences=sum(statement.results.get(kind.value, 0) for kind in Difference),
    )
