"""The archive: bytes as received, sealed snapshots, and their copy in storage."""
