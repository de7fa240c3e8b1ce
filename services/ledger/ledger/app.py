"""Builds the service: the only place that makes objects."""

from kit.clock import SystemClock
from kit.keys import replica_handlers
from kit.service import Service, open_database
from ledger.accounts import routes as account_routes
from ledger.accounts.repository import AccountRepository
from ledger.accounts.service import AccountService
from ledger.buyer_reports import routes as buyer_report_routes
from ledger.buyer_reports.repository import BuyerRepository
from ledger.buyer_reports.service import BuyerService
from ledger.facts.consumers import FactConsumers
from ledger.facts.repository import FactRepository
from ledger.facts.service import FactService
from ledger.goods_reports import routes as goods_report_routes
from ledger.goods_reports.repository import GoodsRepository
from ledger.goods_reports.service import GoodsService
from ledger.posting_rules import consumers as posting_rules
from ledger.postings import routes as posting_routes
from ledger.postings.repository import PostingRepository
from ledger.postings.service import PostingService
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

DESCRIPTION = """Double entry for every sale: what was earned, what it cost, down to the lot.

Transactions balance in every currency or the database refuses them; they are never changed, only
reversed. All amounts are minor units: 19.90 yuan is 1990 CNY."""


def create_service(settings: Settings) -> Service:
    accounts = AccountService(AccountRepository())
    transactions = TransactionService(TransactionRepository(), accounts)
    reports = ReportService(ReportRepository())
    return Service(
        settings=settings,
        package="ledger",
        title="Lockstock ledger",
        description=DESCRIPTION,
        db=open_database(settings),
        metadata=metadata,
        routers=[
            account_routes.router,
            transaction_routes.router,
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
        state={
            "accounts": accounts,
            "transactions": transactions,
            "reports": reports,
            "postings": PostingService(PostingRepository()),
            "sales_reports": SalesService(SalesRepository()),
            "buyer_reports": BuyerService(BuyerRepository()),
            "goods_reports": GoodsService(GoodsRepository()),
            "clock": SystemClock(),
        },
    )
