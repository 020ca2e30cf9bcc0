"""What came out: records, tables, and the papers' own numbers."""
