//! Code that nobody here wrote judges ours: Linux routers answer, traceroute and scamper trace the same
//! paths, and tshark reads every packet that left.
//!
//! Each test builds its own lab with `scripts/kernel-lab`, network namespaces that lead nowhere and are
//! gone when the test ends. A module whose name is that of a program needs that program; `scripts/test`
//! skips it, and says so, where the program is not there.
#![allow(clippy::format_push_string, clippy::format_collect, reason = "scripts are short")]

mod campaign;
mod isolation;
mod lab;
mod nft;
mod october;
mod policy;
mod rib;
mod same_hops;
mod scamper;
mod shares;
mod topology;
mod traceroute;
mod tshark;
