//! What the report says, held against what happened: the October 2017 replay, and whether verdicts are as sure as
//! they say over campaigns drawn from seeds. All in virtual time, without sockets.

mod calibration;
#[allow(dead_code, reason = "what one court does not use, the other does")]
#[path = "../simulation/dice.rs"]
mod dice;
mod internet;
mod october;
#[allow(dead_code, reason = "what one suite does not use, another does")]
#[path = "../played/mod.rs"]
mod played;
mod stage;
