//! State tables.
