"""Floor 4, data: tables in, the agreed schema, local sufficient statistics."""
