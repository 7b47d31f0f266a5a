//! Findings for people and for papers: text for the terminal, one HTML page, tidy CSV, LaTeX tables, and
//! figures as SVG and PDF.
//!
//! All of it is written from one [`Findings`](crate::analyse::compare::Findings) and from nothing else: no
//! clock, no chance, no order that is not fixed. The same findings give the same bytes. Every digit comes
//! from `number`, in which the verdicts are written too, every sentence about a unit from `wording`, so that the outputs agree. Names from
//! outside are escaped for the place where they are shown.

mod alarms;
mod columns;
mod compact;
mod delay_table;
mod dictionary;
mod diversity;
mod figure;
mod foretold;
mod found_table;
mod html;
mod latex;
mod methods;
mod path_figure;
mod path_layout;
mod paths;
mod recompute;
mod tables;
mod terminal;
mod time_axis;
mod timeline_figure;
mod ways;
pub mod whatif;
mod wording;
mod write;

#[cfg(test)]
mod tests;

use crate::analyse::compare::number;

pub use alarms::{Lookout, alarm_line};
pub use html::html;
pub use latex::latex_files;
pub use paths::{Paths, paths};
pub use recompute::{CONFIDENCE, RecomputeError, findings, load_origins, looked_up, origin_table};
pub use tables::csv_files;
pub use terminal::{Style, terminal};
pub use ways::{AllWays, all_ways, findings_and_ways};
pub use write::{ReportError, write_all, write_ways};
