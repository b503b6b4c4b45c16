"""Readers of CSV, JSON and zip files as they arrive from outside."""
