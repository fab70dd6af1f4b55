//! Facts about the ticket workflow.
