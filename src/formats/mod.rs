//! What others write and read: origin tables, AS names, AS relationships, CSV, and look-ups in the DNS.
//!
//! Every reader here is total and bounded: a bad line gives an error with its file and line, never a
//! panic, and no line or answer is read into memory without a limit.

pub mod as_names;
pub mod as_rel;
mod compressed;
pub mod csv;
pub mod dns;
mod lines;
pub mod pfx2as;
