"""What each page says in one language."""

from warehouse.site.views.claim import claim
from warehouse.site.views.index import index
from warehouse.site.views.lab import lab
from warehouse.site.views.lists import embed, labs, models

__all__ = ["claim", "embed", "index", "lab", "labs", "models"]
