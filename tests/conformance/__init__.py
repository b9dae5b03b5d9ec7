"""The simulator against Stripe's own command line, `make conformance`."""
