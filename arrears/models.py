"""The arrears' models, subject by subject."""

from arrears.benefit_reports import BenefitReport
from arrears.signals import Contact, Flagging, Signal

__all__ = ["BenefitReport", "Contact", "Flagging", "Signal"]
