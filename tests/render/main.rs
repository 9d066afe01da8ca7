//! Every output format over hand-built reports.

mod bounds;
mod formats;
mod hostile;
mod html;
mod samples;
mod tags;
