//! What others write and read: sources of origins, AS names, AS relationships, CSV, and look-ups in the DNS.
//!
//! Every reader here is total and bounded: what is bad is told with its file and line or byte, never by a
//! panic, and no line or answer is read into memory without a limit.

pub mod as_names;
pub mod as_rel;
mod compressed;
pub mod csv;
pub mod dns;
pub mod export;
mod faults;
pub mod import;
mod lines;
pub mod origins;

pub use faults::Faults;
