//! What the report says, held against what happened: the October 2017 replay, and whether verdicts are as sure as
//! they say over campaigns drawn from seeds. All in virtual time, without sockets.

mod october;
mod stage;
