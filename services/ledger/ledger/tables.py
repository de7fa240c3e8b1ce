"""The metadata all slices' tables belong to, with the backbone every service's database has."""

from sqlalchemy import MetaData

from kit.backbone import backbone_tables
from kit.db import new_metadata
from ledger.accounts.tables import account_tables
from ledger.book_periods.tables import period_tables
from ledger.channels.tables import channel_tables
from ledger.facts.tables import fact_tables
from ledger.payouts.tables import payout_tables
from ledger.pending_transactions.tables import pending_tables
from ledger.prepaid.tables import prepaid_tables
from ledger.proofs.tables import chain_tables
from ledger.reconciliation_cases.tables import reconciliation_case_tables
from ledger.reconciliations.tables import reconciliation_tables
from ledger.rollups.tables import rollup_tables
from ledger.settlement_rules.tables import settlement_rule_tables
from ledger.settlements.tables import settlement_tables
from ledger.splits.tables import split_tables
from ledger.transactions.tables import transaction_tables

metadata: MetaData = new_metadata()
backbone_tables(metadata)
account_tables(metadata)
transaction_tables(metadata)
fact_tables(metadata)
channel_tables(metadata)
rollup_tables(metadata)
pending_tables(metadata)
period_tables(metadata)
chain_tables(metadata)
settlement_rule_tables(metadata)
split_tables(metadata)
settlement_tables(metadata)
payout_tables(metadata)
prepaid_tables(metadata)
reconciliation_tables(metadata)
reconciliation_case_tables(metadata)
