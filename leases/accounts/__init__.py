"""The accounts given: owners, payouts, reconciliation, closing, grants."""
