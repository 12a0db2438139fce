"""The status page in a headless Chromium, over a real daemon, Kafka and MinIO."""
