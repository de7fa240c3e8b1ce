"""The metadata all slices' tables belong to, with the backbone every service's database has."""

from sqlalchemy import MetaData

from kit.backbone import backbone_tables
from kit.db import new_metadata
from risk.assessments.tables import assessment_tables
from risk.backtests.tables import backtest_tables
from risk.challenges.tables import challenge_tables
from risk.changes.tables import change_tables
from risk.labels.tables import label_tables
from risk.lists.tables import list_tables
from risk.open_orders.tables import open_order_tables
from risk.review_policies.tables import review_policy_tables
from risk.reviews.tables import review_tables
from risk.rollups.tables import rollup_tables
from risk.rules.tables import rule_tables
from risk.velocity.tables import velocity_tables
from risk.watches.tables import watch_tables

metadata: MetaData = new_metadata()
backbone_tables(metadata)
velocity_tables(metadata)
watch_tables(metadata)
rollup_tables(metadata)
change_tables(metadata)
rule_tables(metadata)
review_policy_tables(metadata)
list_tables(metadata)
review_tables(metadata)
challenge_tables(metadata)
label_tables(metadata)
open_order_tables(metadata)
backtest_tables(metadata)
assessment_tables(metadata)
