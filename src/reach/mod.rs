//! Policies as sets of flows, over one domain for both sides of a change.
//!
//! [`world`] lays out the domain: every declared workload of either side, the undeclared pods of
//! every known namespace and of all others, and the addresses outside. [`encode`] turns policies
//! into sets over it, always cut to the region that is asked about; `matching` does so for the
//! selectors, blocks and ports in them.

pub mod encode;
mod matching;
pub mod world;

pub use encode::{Encoder, Reading};
pub use world::{NamespaceSlot, Ranges, Side, Slot, World};
pub(crate) use world::{Versions, join};
