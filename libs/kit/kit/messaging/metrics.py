"""What operators watch: is the outbox draining, do consumers keep up, what was parked."""

from prometheus_client import Counter, Gauge, Histogram

OUTBOX_PENDING = Gauge(
    "lockstock_outbox_pending_events", "Events the broker has not confirmed yet", ["service"]
)
RELAY_LEADER = Gauge("lockstock_relay_leader", "1 where the outbox relay leads", ["service"])
RELAY_SENT = Counter("lockstock_relay_sent_events", "Events confirmed by the broker", ["service"])
RELAY_PRODUCERS = Counter(
    "lockstock_relay_producer_builds", "Producers built; more than 1 means errors", ["service"]
)
RELAY_REFUSED = Counter(
    "lockstock_relay_dead_events", "Events the broker refuses for themselves", ["service"]
)
RELAY_DENIED = Counter(
    "lockstock_relay_denied_rounds",
    "Times the broker granted no right to a topic",
    ["service", "topic"],
)
HANDLED = Counter("lockstock_consumer_handled_events", "Events applied", ["consumer", "type"])
DUPLICATES = Counter(
    "lockstock_consumer_duplicate_events", "Deliveries suppressed by the inbox", ["consumer"]
)
STORED = Counter(
    "lockstock_consumer_dead_letters", "Events put aside instead of applied", ["consumer", "cause"]
)
RETRIES = Counter("lockstock_consumer_retries", "Batches tried again", ["consumer", "reason"])
LAG = Gauge("lockstock_consumer_lag_events", "Events not yet consumed", ["consumer", "topic"])
BATCH_SIZE = Histogram(
    "lockstock_consumer_batch_events",
    "Events per transaction",
    ["consumer"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
BATCH_SECONDS = Histogram(
    "lockstock_consumer_batch_seconds",
    "Time per transaction",
    ["consumer"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
