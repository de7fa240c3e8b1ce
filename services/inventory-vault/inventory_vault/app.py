"""Builds the service: the only place that makes objects."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter

import inventory_vault.alarms.tables
import inventory_vault.audit.tables
import inventory_vault.boxes.tables
import inventory_vault.budgets.tables
import inventory_vault.claims.tables
import inventory_vault.conservation.tables
import inventory_vault.cover.tables
import inventory_vault.custody.tables
import inventory_vault.gaps.tables
import inventory_vault.imports.tables
import inventory_vault.lots.tables
import inventory_vault.pools.tables
import inventory_vault.quotas.tables
import inventory_vault.redemptions.tables
import inventory_vault.reservations.tables
import inventory_vault.retention.tables
import inventory_vault.revocations.tables
import inventory_vault.units.tables
import inventory_vault.vouchers.tables
import inventory_vault.withdrawals.tables
import inventory_vault.write_offs.tables  # noqa: F401 - the tables register themselves
from inventory_vault.actions.routes import stock_action_routes
from inventory_vault.actions.service import StockActionService
from inventory_vault.alarms.routes import alarm_routes
from inventory_vault.alarms.service import AlarmService
from inventory_vault.audit import service as audit_service
from inventory_vault.audit.consumers import key_handlers
from inventory_vault.audit.jobs import sequence_log, watch_log
from inventory_vault.audit.routes import audit_routes
from inventory_vault.audit.service import AuditService
from inventory_vault.boxes.routes import BoxOpening, box_routes
from inventory_vault.boxes.service import BoxService
from inventory_vault.budgets.service import BudgetService
from inventory_vault.claims.routes import claim_routes, claim_together
from inventory_vault.claims.service import ClaimService
from inventory_vault.conservation.jobs import check_conservation
from inventory_vault.conservation.service import ConservationService
from inventory_vault.custody.routes import custody_routes
from inventory_vault.custody.service import CustodyService
from inventory_vault.imports.domain import ImportsBusy
from inventory_vault.imports.jobs import Desk, take_back_failed
from inventory_vault.imports.routes import import_routes
from inventory_vault.imports.service import ImportService
from inventory_vault.lots.routes import lot_routes, pool_routes
from inventory_vault.lots.service import LotService
from inventory_vault.metadata import metadata
from inventory_vault.opener.client import OpenerClient
from inventory_vault.packer.job import Parcel
from inventory_vault.pools.service import PoolService
from inventory_vault.quotas.routes import quota_routes
from inventory_vault.quotas.service import QuotaService
from inventory_vault.redemptions.domain import Allowance
from inventory_vault.redemptions.jobs import forget_wrong_codes
from inventory_vault.redemptions.routes import redemption_routes
from inventory_vault.redemptions.service import CodeGuard, RedemptionService
from inventory_vault.reservations.consumers import reservation_handlers
from inventory_vault.reservations.jobs import expire_reservations
from inventory_vault.reservations.routes import Reserving, reservation_routes, reserve_together
from inventory_vault.reservations.service import ReservationService
from inventory_vault.retention.jobs import shred_due
from inventory_vault.retention.service import RetentionService
from inventory_vault.revocations.routes import revocation_routes
from inventory_vault.revocations.service import RevocationService
from inventory_vault.sequencer.folder import AuditFolder
from inventory_vault.sequencer.sequencing import Sequencer
from inventory_vault.settings import Settings
from inventory_vault.shelves.jobs import review_cover, withdraw_expired
from inventory_vault.shelves.service import ShelfService
from inventory_vault.undos.jobs import take_back_undone
from inventory_vault.undos.routes import undo_routes
from inventory_vault.undos.service import UndoService
from inventory_vault.units.routes import unit_routes
from inventory_vault.units.service import UnitService
from inventory_vault.uploads.service import UploadService
from inventory_vault.vouchers.domain import Generation, GenerationsBusy
from inventory_vault.vouchers.routes import voucher_routes
from inventory_vault.vouchers.service import VoucherService
from inventory_vault.withdrawals.routes import withdrawal_routes
from inventory_vault.withdrawals.service import WithdrawalService
from inventory_vault.write_offs.jobs import expire_vouchers, write_off_lost
from inventory_vault.write_offs.service import WriteOffService
from kit.clock import SystemClock
from kit.combine import Combiner
from kit.db import Database
from kit.messaging.consumer import Handler
from kit.periodic import Periodic
from kit.service import Service, open_database
from lockstock.inventory_vault.v1.audit_events_pb2 import AuditCheckpoint
from lockstock.inventory_vault.v1.redemption_events_pb2 import (
    RedemptionRolledBack,
    UnitOpened,
    VoucherExpired,
    VoucherRedeemed,
)
from lockstock.inventory_vault.v1.reservation_events_pb2 import (
    ReservationExpired,
    ReservationReleased,
    ReservationSold,
)
from lockstock.inventory_vault.v1.stock_events_pb2 import (
    StockImported,
    StockLow,
    StockOut,
    StockUndone,
    StockWrittenOff,
)
from sealing import Fingerprinter

BOXES_BYTES_MAX = 16_777_216
"""A part of an upload: 5,000 units in the usual boxes are 2.5 MB."""
CLAIMS_TOGETHER_MAX = 64
CLAIMING_LANES = 2
GENERATIONS_WAITING_MAX = 64
EVENTS_PATIENCE_SECONDS = 0.2
"""What is to be sold at once is claimed by a call: events only tell what became of holds."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the parts below are built on."""

    settings: Settings
    db: Database
    opener: OpenerClient
    custody: CustodyService
    pools: PoolService
    lots: LotService
    shelves: ShelfService
    units: UnitService
    revocations: RevocationService


@dataclass(frozen=True, slots=True)
class Part:
    """A group of slices that belong together, ready for the service."""

    routers: list[APIRouter] = field(default_factory=list)
    handlers: list[Handler] = field(default_factory=list)
    jobs: list[Periodic] = field(default_factory=list)
    api_jobs: list[Periodic] = field(default_factory=list)


def create_service(settings: Settings) -> Service:
    shared = _shared(settings)
    # Routes are matched one after the other: the hottest stand first.
    parts = [
        _selling(shared),
        _keeping(shared),
        _bringing_in(shared),
        _redeeming(shared),
        _watching(shared),
    ]
    return Service(
        settings=settings,
        package="inventory_vault",
        title="Lockstock inventory vault",
        description="Sealed stock: pools, lots, reservations, sales, views, vouchers.",
        db=shared.db,
        metadata=metadata,
        routers=[router for part in parts for router in part.routers],
        handlers=[handler for part in parts for handler in part.handlers],
        patience=EVENTS_PATIENCE_SECONDS,
        jobs=[job for part in parts for job in part.jobs],
        api_jobs=[job for part in parts for job in part.api_jobs],
        publishes=[
            ReservationSold,
            ReservationReleased,
            ReservationExpired,
            UnitOpened,
            StockImported,
            StockUndone,
            StockWrittenOff,
            StockLow,
            StockOut,
            AuditCheckpoint,
            VoucherRedeemed,
            RedemptionRolledBack,
            VoucherExpired,
        ],
        large_bodies={
            "/lots": settings.import_bytes_max,
            "/resume": settings.import_bytes_max,
            "/boxes": BOXES_BYTES_MAX,
        },
        closing=[shared.opener.close],
    )


def _shared(settings: Settings) -> Shared:
    db = open_database(settings)
    db.before_commit.append(audit_service.flush)
    opener = OpenerClient(settings.opener_socket, timeout_seconds=settings.opener_timeout_seconds)
    pools, lots = PoolService(), LotService()
    shelves = ShelfService(pools, lots)
    custody, units = CustodyService(opener), UnitService(shelves)
    revocations = RevocationService(units)
    return Shared(settings, db, opener, custody, pools, lots, shelves, units, revocations)


def _selling(shared: Shared) -> Part:
    """Reservations and claims."""
    db, settings = shared.db, shared.settings
    quotas = QuotaService(shared.pools)
    budgets = BudgetService(_holder_secret(settings))
    reservations = ReservationService(shared.shelves, budgets, quotas)
    claims = ClaimService(reservations, shared.shelves, quotas, shared.revocations)
    reserving: Reserving = Combiner(
        reserve_together(db, reservations, lambda: reserving.has_waiting),
        batch_max=settings.reservations_together_max,
    )
    claiming = Combiner(
        claim_together(db, claims, shared.custody),
        batch_max=CLAIMS_TOGETHER_MAX,
        lanes=CLAIMING_LANES,
    )
    return Part(
        routers=[reservation_routes(db, reservations, reserving), claim_routes(claiming)],
        handlers=reservation_handlers(reservations),
        jobs=[expire_reservations(db, reservations)],
    )


def _keeping(shared: Shared) -> Part:
    """What stands on the shelves, and taking it off by hand or by time."""
    db, pools, lots, shelves = shared.db, shared.pools, shared.lots, shared.shelves
    withdrawals = WithdrawalService(pools, lots, shelves, shared.units)
    write_offs = WriteOffService(db, pools)
    return Part(
        routers=[
            pool_routes(db, pools, lots),
            quota_routes(db, QuotaService(pools)),
            lot_routes(db, lots),
            unit_routes(db, shared.units, shared.custody),
            withdrawal_routes(withdrawals),
            revocation_routes(shared.revocations),
            stock_action_routes(db, StockActionService(pools, withdrawals)),
        ],
        jobs=[
            withdraw_expired(db, shelves),
            write_off_lost(write_offs),
            expire_vouchers(write_offs),
            review_cover(db, shelves),
            check_conservation(ConservationService(db, lots)),
            shred_due(db, RetentionService(days=shared.settings.retention_days)),
        ],
    )


def _bringing_in(shared: Shared) -> Part:
    """Files, sealed boxes and vouchers into lots, and lots taken back."""
    db, settings = shared.db, shared.settings
    pools, lots, custody, clock = shared.pools, shared.lots, shared.custody, SystemClock()
    key, hours = _fingerprint_key(settings), settings.import_resume_hours_max
    imports = ImportService(pools, lots, clock, key, resume_hours_max=hours)
    boxes = BoxService(imports, pools, lots, custody, clock)
    uploads = UploadService(db, imports, pools, lots, custody)
    desk: Desk[Parcel] = Desk(
        db,
        imports,
        uploads.work_on,
        name="import",
        busy=ImportsBusy,
        waiting_max=settings.imports_waiting_max,
        workers=settings.imports_at_once_max,
    )
    vouchers = VoucherService(db, pools, lots, imports, custody, _fingerprinters(settings))
    generation_desk: Desk[Generation] = Desk(
        db,
        imports,
        vouchers.work_on,
        name="generate-vouchers",
        busy=GenerationsBusy,
        waiting_max=GENERATIONS_WAITING_MAX,
    )
    undos = UndoService(pools, lots, shared.shelves)
    return Part(
        routers=[
            import_routes(db, imports, desk, BoxOpening(db, boxes)),
            box_routes(db, boxes, imports),
            voucher_routes(db, vouchers, generation_desk),
            undo_routes(undos),
        ],
        jobs=[take_back_failed(db, imports), take_back_undone(db, undos)],
        api_jobs=[*desk.jobs(), *generation_desk.jobs()],
    )


def _redeeming(shared: Shared) -> Part:
    db, settings, redemptions = shared.db, shared.settings, RedemptionService()
    guard = CodeGuard(db, _wrong_codes(settings), _fingerprinters(settings))
    return Part(
        routers=[redemption_routes(db, redemptions, guard)],
        jobs=[forget_wrong_codes(db, redemptions)],
    )


def _watching(shared: Shared) -> Part:
    """Keys, alarms and the audit log."""
    db, settings, audit = shared.db, shared.settings, AuditService()
    sequencer = Sequencer(db, AuditFolder(settings.audit_folder, settings.audit_key_file))
    return Part(
        routers=[
            custody_routes(db, shared.custody),
            alarm_routes(db, AlarmService()),
            audit_routes(db, audit),
        ],
        handlers=key_handlers(),
        jobs=[sequence_log(sequencer), watch_log(db, audit)],
    )


def _wrong_codes(settings: Settings) -> Allowance:
    every = timedelta(seconds=settings.wrong_code_every_seconds)
    return Allowance(settings.wrong_codes_burst, every)


def _holder_secret(settings: Settings) -> bytes:
    """What the keys of holders' hashes are derived from: the same in every process."""
    secret = settings.fingerprint_key or settings.internal_secret
    return secret.get_secret_value().encode()


def _fingerprint_key(settings: Settings) -> bytes | None:
    key = settings.fingerprint_key
    return None if key is None else key.get_secret_value().encode()


def _fingerprinters(settings: Settings) -> Callable[[UUID], Fingerprinter] | None:
    key = _fingerprint_key(settings)
    if key is None:
        return None

    def fingerprinter_for(merchant_id: UUID) -> Fingerprinter:
        return Fingerprinter(key, merchant_id)

    return fingerprinter_for
