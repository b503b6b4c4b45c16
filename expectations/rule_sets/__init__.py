"""The named rules, one module a topic; `expectations.rules` gathers them."""
