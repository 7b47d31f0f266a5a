//! Whether all outputs say the same, whether nothing from outside can do harm in any of them, and whether
//! a dataset that holds nothing still gives an honest report.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "the oracles of tests are plain arithmetic on small numbers"
)]

mod october;

use super::*;
use october::october;

#[test]
fn look() {
    let Ok(folder) = std::env::var("LOOK") else { return };
    write_all(&october(), std::path::Path::new(&folder)).unwrap();
    write_all(&october::nothing(), &std::path::Path::new(&folder).join("nothing")).unwrap();
    let narrow = terminal(&october(), Style { colour: true, width: 80 });
    std::fs::write(std::path::Path::new(&folder).join("narrow.txt"), narrow).unwrap();
}
