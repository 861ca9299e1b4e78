"""Payments collected otherwise than by transfer: mandates and direct debits, the desk."""
