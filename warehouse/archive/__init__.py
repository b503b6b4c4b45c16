"""The archive: bytes as received, in sealed snapshots, and their copy in storage."""
