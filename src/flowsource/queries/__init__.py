"""What people ask for when they look for runs and deployments: one grammar for the command line, the API and pages."""
