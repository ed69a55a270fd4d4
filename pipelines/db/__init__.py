"""The database: which server, how to reach it, its tables, migrations and bulk transfer."""
