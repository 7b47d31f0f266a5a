//! Other people's programs in our lab: whatever traces, pings or scans reports exactly what the scenario says.
//!
//! Each test runs a shell script under `tetherline lab`, in a network namespace without a way out. A module whose
//! name is that of a program needs that program; `scripts/test` skips it, and says so, where the program is not
//! there.

mod lab;
mod mtr;
mod ping;
mod scamper;
mod traceroute;
mod zmap;
