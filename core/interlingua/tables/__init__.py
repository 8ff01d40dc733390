"""API-difference tables: two cards joined at their record, with what was proved of each."""

from interlingua.tables.query import Answer, as_json, query

__all__ = ["Answer", "as_json", "query"]
