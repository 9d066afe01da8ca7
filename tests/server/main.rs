//! The GitHub App's server, against databases of its own.
//!
//! `postgres` starts a PostgreSQL where one is installed; NETPOL_REVIEW_TOOLS=required makes it an error where none is.

mod postgres;
mod queue;
