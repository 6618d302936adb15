"""`perdure probe gcp`: the open questions of `perdure_gcp.workflows`, asked of a real project."""
