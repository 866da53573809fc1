"""The database family: tables, records and schemas of any engine in one REST dialect."""
