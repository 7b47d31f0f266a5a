//! tetherline measures the lines that tether a network to the Internet, and what changes when one is
//! added or lost. Event in, effect size out.
//!
//! The folders are the way of the data, floor by floor; a module imports only from lower floors, or from
//! its own wing in the order in which the data walks (`tests/architecture.rs` keeps it so).
//!
//! Floor 1, [`model`]: the words of the field as types that carry their rules.
//!
//! Floor 2, [`multipath`]: what flows tell of load balancers, for both wings. [`limits`]: what tells a limit on answers from loss, for both wings. [`wire`]: packets, built and read, and the keyed tags that tie replies to probes.
//! [`dataset`]: what is durable. [`analyse`]: the understanding wing; data in, findings out, no I/O.
//!
//! Floor 3, [`measure`]: the measuring wing, from a campaign to records. [`formats`]: what others read
//! and write. [`lab`]: the simulated Internet, which judges the rest.
//!
//! Floor 4, [`report`]: findings for people and for papers. Floor 5, [`cli`]: one file a command.

// A test fails by panicking; the program must not.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod analyse;
pub mod cli;
pub mod dataset;
pub mod formats;
pub mod lab;
pub mod limits;
pub mod measure;
pub mod model;
pub mod multipath;
pub mod report;
pub mod wire;
