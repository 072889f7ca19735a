//! A printed line made fit for the screen: its colours kept, everything else that a terminal would
//! obey made harmless, and cut into rows of cells.
//!
//! The panel of the output and its searches ask. It knows neither processes nor panels.

mod ansi;
mod laid;
mod row;
mod sgr;

pub use self::{
    ansi::{Decoded, decode},
    laid::Laid,
    row::{Cell, Row, head, rows, width},
};
