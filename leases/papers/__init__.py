"""The papers sent: notices, receipts, letters, contracts."""
