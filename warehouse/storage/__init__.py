"""Storage for releases: one protocol, a local folder and S3-compatible buckets."""
