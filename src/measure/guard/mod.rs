//! May this packet be sent? The only place that mints a [`Permit`], without which nothing can be sent.

mod permit;

pub use permit::Permit;
