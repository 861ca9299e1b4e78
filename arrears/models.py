"""The arrears' models, subject by subject."""

from arrears.signals import Contact, Flagging, Signal

__all__ = ["Contact", "Flagging", "Signal"]
