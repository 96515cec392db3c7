"""Database, SQL statements and picture files: the only folder that knows sqlalchemy."""
