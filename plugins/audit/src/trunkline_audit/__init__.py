"""The audit trail: who did what, and who was refused."""
