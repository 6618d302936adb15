"""From the user's source, read with `ast` and never imported, to checked facts and the Flow IR."""
