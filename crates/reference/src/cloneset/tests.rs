//! Facts about the CloneSet controller.
