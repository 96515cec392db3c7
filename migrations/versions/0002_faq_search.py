"""Full-text search over the FAQ's grams: FTS5 on SQLite, a GIN index on PostgreSQL."""

from alembic import op

revision = "0002"
down_revision = "0001"

# External content: the index holds no text of its own, so triggers must say what goes.
SQLITE = (
    "CREATE VIRTUAL TABLE faq_search USING fts5"
    "(grams, content='faq', content_rowid='id', tokenize='unicode61 remove_diacritics 0')",
    "CREATE TRIGGER faq_search_insert AFTER INSERT ON faq BEGIN"
    " INSERT INTO faq_search(rowid, grams) VALUES (new.id, new.grams); END",
    "CREATE TRIGGER faq_search_delete AFTER DELETE ON faq BEGIN"
    " INSERT INTO faq_search(faq_search, rowid, grams) VALUES ('delete', old.id, old.grams); END",
    "CREATE TRIGGER faq_search_update AFTER UPDATE ON faq BEGIN"
    " INSERT INTO faq_search(faq_search, rowid, grams) VALUES ('delete', old.id, old.grams);"
    " INSERT INTO faq_search(rowid, grams) VALUES (new.id, new.grams); END",
    "INSERT INTO faq_search(faq_search) VALUES ('rebuild')",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for statement in SQLITE:
            op.execute(statement)
    else:
        op.execute("CREATE INDEX faq_search_grams ON faq USING gin (to_tsvector('simple', grams))")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER faq_search_{name}")
        op.execute("DROP TABLE faq_search")
    else:
        op.execute("DROP INDEX faq_search_grams")
