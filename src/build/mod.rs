//! The real renderers: `kustomize`, `kubectl kustomize` and `helm template`, run on files that strangers wrote.
//!
//! Reading order: [`tools`] (which programs there are), [`sandbox`] (what a run may use), `process` (one process
//! with all that it starts), [`ending`] (they end with the program), [`signals`] (when that is), `stopped` (why there is no text, in words), `kustomize` and `helm` (their
//! arguments), [`cache`] (texts that were built before).
//!
//! Nothing here decides what is built; that is `deploy`'s. A run gives the whole text or says why there is none.

pub mod cache;
pub mod ending;
mod helm;
mod kustomize;
mod process;
pub mod sandbox;
pub mod signals;
mod stopped;
pub mod tools;

pub use cache::{Cache, Key};
pub use ending::Temporary;
pub use helm::helm_template;
pub use kustomize::{Reach, kustomize};
pub use sandbox::{Isolation, Limits, Sandbox};
pub use signals::Signals;
pub use stopped::Stopped;
pub use tools::{Given, Kind, Tool, Tools, Unusable};

#[cfg(test)]
mod tests;
