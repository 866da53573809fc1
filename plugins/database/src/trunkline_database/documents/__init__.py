"""What engines need that are no SQL databases: conditions judged here, transactions by compensation, open tables."""
