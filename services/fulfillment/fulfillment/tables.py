"""The metadata of this service's database."""

from fulfillment.arrivals.tables import arrival_tables
from fulfillment.cases.tables import case_tables
from fulfillment.claim_policies.tables import claim_policy_tables
from fulfillment.claims.tables import claim_tables
from fulfillment.claw_backs.tables import claw_back_tables
from fulfillment.contacts.tables import contact_tables
from fulfillment.deliveries.tables import delivery_tables
from fulfillment.fulfiller_calls.tables import fulfiller_call_tables
from fulfillment.fulfillers.tables import fulfiller_tables
from fulfillment.holdings.tables import holding_tables
from fulfillment.inbox.tables import inbox_tables
from fulfillment.lot_quarantines.tables import lot_quarantine_tables
from fulfillment.manual_tasks.tables import manual_task_tables
from fulfillment.messages.tables import message_tables
from fulfillment.one_time_codes.tables import one_time_code_tables
from fulfillment.page_settings.tables import page_setting_tables
from fulfillment.procurement.tables import procurement_tables
from fulfillment.procurement_rules.tables import procurement_rule_tables
from fulfillment.purchases.tables import purchase_tables
from fulfillment.reminders.tables import reminder_tables
from fulfillment.routing.tables import routing_tables
from fulfillment.sender_accounts.tables import sender_account_tables
from fulfillment.supplier_callbacks.tables import supplier_callback_tables
from fulfillment.supplier_products.tables import supplier_product_tables
from fulfillment.supplier_statements.tables import supplier_statement_tables
from fulfillment.suppliers.tables import supplier_tables
from fulfillment.templates.tables import template_tables
from fulfillment.webhook_deliveries.tables import webhook_delivery_tables
from fulfillment.webhook_endpoints.tables import webhook_endpoint_tables
from kit.backbone import backbone_tables
from kit.db import new_metadata

metadata = new_metadata()
backbone_tables(metadata)
delivery_tables(metadata)
supplier_tables(metadata)
procurement_rule_tables(metadata)
procurement_tables(metadata)
purchase_tables(metadata)
arrival_tables(metadata)
case_tables(metadata)
routing_tables(metadata)
supplier_product_tables(metadata)
supplier_callback_tables(metadata)
supplier_statement_tables(metadata)
manual_task_tables(metadata)
contact_tables(metadata)
template_tables(metadata)
message_tables(metadata)
sender_account_tables(metadata)
inbox_tables(metadata)
one_time_code_tables(metadata)
page_setting_tables(metadata)
webhook_endpoint_tables(metadata)
webhook_delivery_tables(metadata)
claim_policy_tables(metadata)
claim_tables(metadata)
claw_back_tables(metadata)
lot_quarantine_tables(metadata)
fulfiller_tables(metadata)
fulfiller_call_tables(metadata)
reminder_tables(metadata)
holding_tables(metadata)
