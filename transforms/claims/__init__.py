"""Tests of published statements, one module per kind of test.

Each test is a function from requests (`requests.to_requests`) to answers (`requests.to_answers`).
The tables mart.claim_answers_* hold the answers; `verdicts` derives from them whether a statement
holds.
"""
