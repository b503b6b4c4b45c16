"""The Stanford AI Index: the public data of an edition."""
