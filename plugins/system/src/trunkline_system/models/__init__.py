"""The stored records of the system database, one module a noun."""
