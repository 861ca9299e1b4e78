"""Follow-up's models, subject by subject."""

from followup.referents import Referent

__all__ = ["Referent"]
