"""The system database: engine, tables, migrations, and the records read from it."""
