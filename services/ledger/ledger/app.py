"""Builds the service: the only place that makes objects."""

from datetime import timedelta

from kit.clock import SystemClock
from kit.keys import replica_handlers
from kit.messaging.handlers import Handler
from kit.service import Service, open_database
from ledger.accounts import routes as account_routes
from ledger.accounts.repository import AccountRepository
from ledger.accounts.service import AccountService
from ledger.book_periods import routes as period_routes
from ledger.book_periods.repository import PeriodRepository
from ledger.book_periods.service import PeriodService
from ledger.buyer_reports import routes as buyer_report_routes
from ledger.buyer_reports.repository import BuyerRepository
from ledger.buyer_reports.service import BuyerService
from ledger.channels.consumers import ChannelConsumers
from ledger.channels.repository import ChannelRepository
from ledger.channels.service import ChannelService
from ledger.exchanges import routes as exchange_routes
from ledger.exchanges.service import ExchangeService
from ledger.facts.consumers import FactConsumers
from ledger.facts.repository import FactRepository
from ledger.facts.service import FactService
from ledger.goods_reports import routes as goods_report_routes
from ledger.goods_reports.repository import GoodsRepository
from ledger.goods_reports.service import GoodsService
from ledger.pages import routes as page_routes
from ledger.pages.repository import PageRepository
from ledger.pages.service import PageService
from ledger.payouts import routes as payout_routes
from ledger.payouts.repository import PayoutRepository
from ledger.payouts.service import PayoutService
from ledger.pending_transactions import routes as pending_routes
from ledger.pending_transactions.repository import PendingRepository
from ledger.pending_transactions.service import PendingService
from ledger.platform_books import PlatformBooks
from ledger.posting_rules import consumers as posting_rules
from ledger.postings import routes as posting_routes
from ledger.postings.repository import PostingRepository
from ledger.postings.service import PostingService
from ledger.prepaid import routes as prepaid_routes
from ledger.prepaid.jobs import expire_holds
from ledger.prepaid.repository import PrepaidRepository
from ledger.prepaid.service import PrepaidService
from ledger.proofs import routes as proof_routes
from ledger.proofs.jobs import chain_transactions
from ledger.proofs.repository import ChainRepository
from ledger.proofs.service import ChainService
from ledger.reconciliation_cases import routes as reconciliation_case_routes
from ledger.reconciliation_cases.repository import ReconciliationCaseRepository
from ledger.reconciliation_cases.service import ReconciliationCaseService
from ledger.reconciliations import routes as reconciliation_routes
from ledger.reconciliations.consumers import ReconciliationConsumers
from ledger.reconciliations.jobs import late_payments
from ledger.reconciliations.repository import ReconciliationRepository
from ledger.reconciliations.service import ReconciliationService
from ledger.rendering import PageRenderer
from ledger.reports import routes as report_routes
from ledger.reports.repository import ReportRepository
from ledger.reports.service import ReportService
from ledger.rollups.repository import RollupRepository
from ledger.rollups.service import RollupService
from ledger.sales_reports import routes as sales_report_routes
from ledger.sales_reports.repository import SalesRepository
from ledger.sales_reports.service import SalesService
from ledger.sessions import Sessions
from ledger.settings import Settings
from ledger.settlement_rules import routes as settlement_rule_routes
from ledger.settlement_rules.repository import SettlementRuleRepository
from ledger.settlement_rules.service import SettlementRuleService
from ledger.settlements import routes as settlement_routes
from ledger.settlements.jobs import close_settlements, open_due_settlements
from ledger.settlements.repository import SettlementRepository
from ledger.settlements.service import SettlementService
from ledger.splits.consumers import SplitConsumers
from ledger.splits.jobs import release_splits
from ledger.splits.repository import SplitRepository
from ledger.splits.service import SplitService
from ledger.statements import routes as statement_routes
from ledger.statements.service import StatementService
from ledger.tables import metadata
from ledger.transactions import routes as transaction_routes
from ledger.transactions.repository import TransactionRepository
from ledger.transactions.service import TransactionService
from lockstock.ledger.v1.chain_events_pb2 import LedgerChained
from lockstock.ledger.v1.settlement_events_pb2 import SettlementClosed

DESCRIPTION = """Double entry for every sale: what was earned, what it cost, down to the lot.

Transactions balance in every currency or the database refuses them; they are never changed, only
reversed. All amounts are minor units: 19.90 yuan is 1990 CNY."""

EVENTS_PATIENCE_SECONDS = 0.3
"""The books follow the sales: nobody waits for a posting."""
ROUTERS = (
    account_routes.router,
    transaction_routes.router,
    pending_routes.router,
    exchange_routes.router,
    period_routes.router,
    proof_routes.router,
    posting_routes.router,
    report_routes.router,
    sales_report_routes.router,
    buyer_report_routes.router,
    goods_report_routes.router,
    page_routes.router,
    reconciliation_routes.router,
    reconciliation_case_routes.router,
    settlement_rule_routes.router,
    settlement_routes.router,
    statement_routes.router,
    payout_routes.router,
    prepaid_routes.router,
)


def create_service(settings: Settings) -> Service:
    db = open_database(settings)
    accounts = AccountService(AccountRepository())
    transactions = TransactionService(
        TransactionRepository(), accounts, platform_id=settings.platform_merchant_id
    )
    chain = ChainService(db, ChainRepository(), RollupService(RollupRepository()), transactions)
    reports = ReportService(ReportRepository(), accounts)
    settlement_rules = SettlementRuleService(SettlementRuleRepository())
    books = PlatformBooks(transactions, settings.platform_merchant_id)
    splits = SplitService(SplitRepository(), settlement_rules, books)
    payouts = PayoutService(PayoutRepository(), accounts, books)
    settlements = SettlementService(SettlementRepository(), settlement_rules, payouts)
    prepaid = PrepaidService(
        PrepaidRepository(), transactions, hold_lifetime=timedelta(hours=settings.hold_hours)
    )
    cases = ReconciliationCaseService(
        ReconciliationCaseRepository(), transactions, rounding_max=settings.rounding_max
    )
    reconciliations = ReconciliationService(
        ReconciliationRepository(),
        cases,
        late_days=settings.reconciliation_late_days,
        platform_id=settings.platform_merchant_id,
    )
    channels = ChannelService(ChannelRepository())
    sales = SalesService(SalesRepository(), channels)
    buyers = BuyerService(BuyerRepository(), channels)
    goods = GoodsService(GoodsRepository())
    return Service(
        settings=settings,
        package="ledger",
        title="Lockstock ledger",
        description=DESCRIPTION,
        db=db,
        metadata=metadata,
        routers=ROUTERS,
        handlers=_handlers(transactions, splits, reconciliations, channels),
        patience=EVENTS_PATIENCE_SECONDS,
        publishes=[LedgerChained, SettlementClosed],
        jobs=[
            chain_transactions(chain),
            release_splits(db, splits, settings.release_seconds),
            *(
                [open_due_settlements(db, settlements, settings.settle_seconds)]
                if settings.settle_when_due
                else []
            ),
            close_settlements(db, settlements, settings.close_seconds),
            expire_holds(db, prepaid, settings.hold_sweep_seconds),
            late_payments(db, reconciliations),
        ],
        large_bodies={reconciliation_routes.PATH: reconciliation_routes.BODY_BYTES_MAX},
        state={
            "accounts": accounts,
            "transactions": transactions,
            "pending": PendingService(PendingRepository(), accounts, transactions),
            "exchanges": ExchangeService(accounts, transactions),
            "periods": PeriodService(PeriodRepository()),
            "chain": chain,
            "reports": reports,
            "reconciliations": reconciliations,
            "reconciliation_cases": cases,
            "postings": PostingService(PostingRepository()),
            "settlement_rules": settlement_rules,
            "splits": splits,
            "settlements": settlements,
            "statements": StatementService(settlements, payouts, accounts),
            "payouts": payouts,
            "prepaid": prepaid,
            "channels": channels,
            "sales_reports": sales,
            "buyer_reports": buyers,
            "goods_reports": goods,
            "pages": PageService(PageRepository(), sales, buyers, goods),
            "renderer": PageRenderer(),
            "sessions": Sessions(settings.internal_secret.get_secret_value()),
            "clock": SystemClock(),
        },
    )


def _handlers(
    transactions: TransactionService,
    splits: SplitService,
    reconciliations: ReconciliationService,
    channels: ChannelService,
) -> list[Handler]:
    them = [
        *SplitConsumers(splits).handlers(),
        *posting_rules.handlers(transactions),
        *FactConsumers(FactService(FactRepository())).handlers(),
        *ReconciliationConsumers(reconciliations).handlers(),
        *ChannelConsumers(channels).handlers(),
    ]
    return [*posting_rules.locked(them, transactions), *replica_handlers()]
