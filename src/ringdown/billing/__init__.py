"""What a call costs and the ledger of credits."""
