"""Published statements put to the test: the computations that mart.claim_trials is made of.

One module a group of tests, each a function from requests (`requests.asked`) to answers
(`requests.answers`). What an answer makes of a statement is said in `judgement`.
"""
