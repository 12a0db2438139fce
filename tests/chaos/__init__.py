"""The chaos bench: real brokers, stores and daemons under seeded schedules of faults."""
