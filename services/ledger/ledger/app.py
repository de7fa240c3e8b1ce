"""Builds the service: the only place that makes objects."""

from kit.clock import SystemClock
from kit.keys import replica_handlers
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
from ledger.exchanges import routes as exchange_routes
from ledger.exchanges.service import ExchangeService
from ledger.facts.consumers import FactConsumers
from ledger.facts.repository import FactRepository
from ledger.facts.service import FactService
from ledger.goods_reports import routes as goods_report_routes
from ledger.goods_reports.repository import GoodsRepository
from ledger.goods_reports.service import GoodsService
from ledger.pending_transactions import routes as pending_routes
from ledger.pending_transactions.repository import PendingRepository
from ledger.pending_transactions.service import PendingService
from ledger.posting_rules import consumers as posting_rules
from ledger.postings import routes as posting_routes
from ledger.postings.repository import PostingRepository
from ledger.postings.service import PostingService
from ledger.proofs import routes as proof_routes
from ledger.proofs.jobs import chain_transactions
from ledger.proofs.repository import ChainRepository
from ledger.proofs.service import ChainService
from ledger.reports import routes as report_routes
from ledger.reports.repository import ReportRepository
from ledger.reports.service import ReportService
from ledger.sales_reports import routes as sales_report_routes
from ledger.sales_reports.repository import SalesRepository
from ledger.sales_reports.service import SalesService
from ledger.settings import Settings
from ledger.tables import metadata
from ledger.transactions import routes as transaction_routes
from ledger.transactions.repository import TransactionRepository
from ledger.transactions.service import TransactionService
from lockstock.ledger.v1.chain_events_pb2 import LedgerChained

DESCRIPTION = """Double entry for every sale: what was earned, what it cost, down to the lot.

Transactions balance in every currency or the database refuses them; they are never changed, only
reversed. All amounts are minor units: 19.90 yuan is 1990 CNY."""


def create_service(settings: Settings) -> Service:
    db = open_database(settings)
    accounts = AccountService(AccountRepository())
    transactions = TransactionService(TransactionRepository(), accounts)
    chain = ChainService(db, ChainRepository())
    reports = ReportService(ReportRepository(), accounts)
    return Service(
        settings=settings,
        package="ledger",
        title="Lockstock ledger",
        description=DESCRIPTION,
        db=db,
        metadata=metadata,
        routers=[
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
        ],
        handlers=[
            *posting_rules.handlers(transactions),
            *FactConsumers(FactService(FactRepository())).handlers(),
            *replica_handlers(),
        ],
        publishes=[LedgerChained],
        jobs=[chain_transactions(chain)],
        state={
            "accounts": accounts,
            "transactions": transactions,
            "pending": PendingService(PendingRepository(), accounts, transactions),
            "exchanges": ExchangeService(accounts, transactions),
            "periods": PeriodService(PeriodRepository()),
            "chain": chain,
            "reports": reports,
            "postings": PostingService(PostingRepository()),
            "sales_reports": SalesService(SalesRepository()),
            "buyer_reports": BuyerService(BuyerRepository()),
            "goods_reports": GoodsService(GoodsRepository()),
            "clock": SystemClock(),
        },
    )
