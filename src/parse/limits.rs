//! Bounds against input that would exhaust memory, time or the stack. Real manifests stay far
//! below each; a document beyond one is reported and nothing else is lost.

/// Bytes of one file.
pub(super) const FILE_BYTES: usize = 64 << 20;

/// Documents in one file.
pub(super) const DOCUMENTS: usize = 100_000;

/// Collections inside collections. Kubernetes' own objects nest some twenty levels.
pub(super) const DEPTH: usize = 200;

/// Nodes (scalars, lists, maps and aliases) of one document.
pub(super) const NODES: usize = 4_000_000;

/// Nodes that reading may visit beyond those that are written, by following aliases and merges.
pub(super) const ALIASED_NODES: usize = 200_000;

/// Bytes of text that reading may visit beyond some times those that are written: an alias to a
/// long text is short.
pub(super) const ALIASED_BYTES: usize = 16 << 20;

/// Problems that are reported of one file.
pub(super) const PROBLEMS: usize = 1_000;

/// Unknown and repeated fields that are reported of one object.
pub(super) const NOTES: usize = 20;

/// Bytes, about, that are kept of one file for the texts that mention Services.
pub(super) const MENTIONS: usize = 16 << 20;

/// Mentions that are looked up of one side: many workloads can take one ConfigMap.
pub(super) const NEEDS: usize = 500_000;
