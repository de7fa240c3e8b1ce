"""Everything on one machine: embedded PostgreSQL and Kafka, every service, one supervisor."""
