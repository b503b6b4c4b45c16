"""Storage: one protocol for local folders and S3-compatible buckets."""
