"""perdure on Google Cloud: Workflows, with one Cloud Run function for the sites."""
