"""Importing this module prepares the environment, for processes that a Prefect worker starts.

`flows.pipeline` imports it before the libraries that read their variables when they are imported.
"""

from flows.environment import prepare_or_exit

prepare_or_exit()
