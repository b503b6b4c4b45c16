"""Publishing: upload, pointers, verification and clean-up of releases."""
