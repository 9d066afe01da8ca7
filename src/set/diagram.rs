//! Canonical decision diagrams over finite fields with interval edges.
//!
//! A [`Set`] is a set of points; a point gives every field (a level, a `u32`) a value (a `u32`).
//! A node tests the field of its level and has one edge for each maximal interval of values that
//! lead to the same child. Nodes are hash-consed, so two sets are equal iff their handles are.
//!
//! Contract of the operations: `x ∈ and(a, b)` iff `x ∈ a` and `x ∈ b`, and so on, for every point.
//! All work is counted in nodes and edges, so that running out of budget is deterministic.

use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

/// A set of points, valid for the [`Diagrams`] that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set(u32);

impl Set {
    /// No point.
    pub const EMPTY: Set = Set(0);
    /// Every point.
    pub const FULL: Set = Set(1);

    /// True iff the set has no point.
    pub fn is_empty(self) -> bool {
        self == Set::EMPTY
    }
}

/// A field of the product; smaller levels are tested first.
pub type Level = u32;

/// The level that constants are said to have: below every field.
const BOTTOM: Level = Level::MAX;

/// The most fields one path may test; recursion is as deep as that.
const MAX_DEPTH: usize = 2_000;

/// How many edges may be made for each node of the budget.
const EDGES_PER_NODE: usize = 20;

/// What an operation on two nodes costs, in steps; a step is to read a few edges.
const OPERATION: usize = 8;

/// Edges that are read to tell sets apart without an operation.
const GLANCE: usize = 32;

/// Values up to and including `last` (from the one after the edge before) lead to `child`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Last value of the interval.
    pub last: u32,
    /// Where it leads.
    pub child: Set,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    level: Level,
    first: u32,
    len: u32,
    /// Next node with the same hash; 0 ends the chain.
    next: u32,
    /// How many fields the longest path below tests, this one included.
    depth: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Op {
    And,
    Or,
    Minus,
}

/// The sets would need more room than the budget gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget;

/// The store of nodes behind the handles.
#[derive(Debug)]
pub struct Diagrams {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    heads: FxHashMap<u64, u32>,
    results: FxHashMap<(Op, Set, Set), Set>,
    scratch: Vec<Edge>,
    budget: usize,
    steps: usize,
    most_steps: usize,
}

impl Diagrams {
    /// An empty store that will hold at most `budget` nodes and twenty times as many edges.
    pub fn new(budget: usize) -> Self {
        let constant = Node { level: BOTTOM, first: 0, len: 0, next: 0, depth: 0 };
        Self {
            nodes: vec![constant, constant],
            edges: Vec::new(),
            heads: FxHashMap::default(),
            results: FxHashMap::default(),
            scratch: Vec::new(),
            budget,
            steps: 0,
            most_steps: usize::MAX,
        }
    }

    /// From here on the operations fail once they took this many steps together.
    pub fn limit_steps(&mut self, most: usize) {
        (self.steps, self.most_steps) = (0, most);
    }

    /// How many steps were taken since [`Self::limit_steps`].
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Counts steps of work that is done outside, on sets of this store.
    pub fn step(&mut self, steps: usize) -> Result<(), OverBudget> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.most_steps { Err(OverBudget) } else { Ok(()) }
    }

    /// How many nodes were made so far.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The field that a set tests first; `None` for the empty and the full set.
    pub fn level(&self, set: Set) -> Option<Level> {
        let level = self.level_or_bottom(set);
        (level != BOTTOM).then_some(level)
    }

    /// The edges of a set's node: in order, the last one up to `u32::MAX`. Empty for constants.
    pub fn edges(&self, set: Set) -> &[Edge] {
        let node = self.node_of(set);
        let (first, len) = (node.first as usize, node.len as usize);
        self.edges.get(first..first + len).unwrap_or(&[])
    }

    /// The edges of a set at a level: of its node if it tests that level, else one edge to itself.
    pub fn edges_at(&self, set: Set, level: Level) -> Vec<Edge> {
        if self.level_or_bottom(set) == level {
            self.edges(set).to_vec()
        } else {
            vec![Edge { last: u32::MAX, child: set }]
        }
    }

    /// The points whose value at `level` lies in one of the intervals (both ends included, sorted,
    /// disjoint) and which belong to that interval's set. The sets test later levels only.
    pub fn node(
        &mut self,
        level: Level,
        intervals: impl IntoIterator<Item = (u32, u32, Set)>,
    ) -> Result<Set, OverBudget> {
        let start = self.scratch.len();
        let mut next = Some(0u32);
        for (first, last, child) in intervals {
            debug_assert!(next.is_some_and(|next| next <= first) && first <= last);
            debug_assert!(self.level_or_bottom(child) > level);
            if let Some(before) = first.checked_sub(1)
                && next.is_some_and(|next| next <= before)
            {
                self.push(start, before, Set::EMPTY);
            }
            self.push(start, last, child);
            next = last.checked_add(1);
        }
        if next.is_some() {
            self.push(start, u32::MAX, Set::EMPTY);
        }
        self.finish(level, start)
    }

    /// The points of both.
    pub fn and(&mut self, a: Set, b: Set) -> Result<Set, OverBudget> {
        self.apply(Op::And, a, b)
    }

    /// The points of either.
    pub fn or(&mut self, a: Set, b: Set) -> Result<Set, OverBudget> {
        self.apply(Op::Or, a, b)
    }

    /// The points of `a` that are not in `b`.
    pub fn minus(&mut self, a: Set, b: Set) -> Result<Set, OverBudget> {
        self.apply(Op::Minus, a, b)
    }

    /// False only if `a` has a point that `b` has not: one point is tried. Where most of many sets are
    /// far apart that spares computing what is left of one without another.
    pub fn may_lie_within(&self, mut a: Set, mut b: Set) -> bool {
        loop {
            if a.is_empty() || b == Set::FULL {
                return true;
            }
            if b.is_empty() {
                return false;
            }
            let level = self.level_or_bottom(a).min(self.level_or_bottom(b));
            let mut value = 0;
            if self.level_or_bottom(a) == level {
                for edge in self.edges(a) {
                    a = edge.child;
                    if !a.is_empty() {
                        break;
                    }
                    value = edge.last.saturating_add(1);
                }
            }
            if self.level_or_bottom(b) == level {
                let edges = self.edges(b);
                let at = edges.partition_point(|edge| edge.last < value);
                b = edges.get(at).map_or(Set::EMPTY, |edge| edge.child);
            }
        }
    }

    /// True only if no point is in both: told from a few edges, without making or keeping anything.
    pub fn clearly_apart(&self, a: Set, b: Set) -> bool {
        self.glance(a, b, &mut GLANCE.clone())
    }

    fn glance(&self, a: Set, b: Set, left: &mut usize) -> bool {
        if a.is_empty() || b.is_empty() {
            return true;
        }
        let level = self.level_or_bottom(a).min(self.level_or_bottom(b));
        if level == BOTTOM {
            return false;
        }
        let (one, other) = (self.cursor(a, level), self.cursor(b, level));
        let (mut i, mut j) = (0, 0);
        loop {
            let Some(less) = left.checked_sub(1) else { return false };
            *left = less;
            let (x, y) = (self.edge(one, i), self.edge(other, j));
            if !self.glance(x.child, y.child, left) {
                return false;
            }
            let last = x.last.min(y.last);
            if last == u32::MAX {
                return true;
            }
            i = self.advance(one, i, last);
            j = self.advance(other, j, last);
        }
    }

    /// The points of any of these.
    pub fn union(&mut self, mut sets: Vec<Set>) -> Result<Set, OverBudget> {
        sets.retain(|set| !set.is_empty());
        sets.dedup();
        // In pairs, so that large sets meet few times.
        while sets.len() > 1 {
            let mut halved = Vec::with_capacity(sets.len().div_ceil(2));
            for pair in sets.chunks(2) {
                halved.push(match *pair {
                    [a, b] => self.or(a, b)?,
                    [a] => a,
                    _ => Set::EMPTY,
                });
            }
            sets = halved;
        }
        Ok(sets.first().copied().unwrap_or(Set::EMPTY))
    }

    /// The points that some point of `set` agrees with on every level that `keep` accepts; the
    /// result tests no other level.
    pub fn project(&mut self, set: Set, keep: impl Fn(Level) -> bool) -> Result<Set, OverBudget> {
        let mut done = FxHashMap::default();
        self.project_memo(set, &keep, &mut done)
    }

    fn project_memo(
        &mut self,
        set: Set,
        keep: &impl Fn(Level) -> bool,
        done: &mut FxHashMap<Set, Set>,
    ) -> Result<Set, OverBudget> {
        let Some(level) = self.level(set) else {
            return Ok(set);
        };
        if let Some(&result) = done.get(&set) {
            return Ok(result);
        }
        let edges = self.edges(set).to_vec();
        let mut projected = Vec::with_capacity(edges.len());
        for edge in edges {
            let child = self.project_memo(edge.child, keep, done)?;
            projected.push(Edge { last: edge.last, child });
        }
        let result = if keep(level) {
            let start = self.scratch.len();
            for edge in projected {
                self.push(start, edge.last, edge.child);
            }
            self.finish(level, start)?
        } else {
            let mut children: Vec<Set> = projected.iter().map(|edge| edge.child).collect();
            children.sort();
            self.union(children)?
        };
        done.insert(set, result);
        Ok(result)
    }

    fn node_of(&self, set: Set) -> Node {
        // Handles are made by this store only, so the index is always there.
        self.nodes.get(set.0 as usize).copied().unwrap_or(Node {
            level: BOTTOM,
            first: 0,
            len: 0,
            next: 0,
            depth: 0,
        })
    }

    fn level_or_bottom(&self, set: Set) -> Level {
        self.node_of(set).level
    }

    fn apply(&mut self, op: Op, a: Set, b: Set) -> Result<Set, OverBudget> {
        match op {
            Op::And if a == b || b == Set::FULL => return Ok(a),
            Op::And if a == Set::FULL => return Ok(b),
            Op::And if a.is_empty() || b.is_empty() => return Ok(Set::EMPTY),
            Op::Or if a == b || b.is_empty() => return Ok(a),
            Op::Or if a.is_empty() => return Ok(b),
            Op::Or if a == Set::FULL || b == Set::FULL => return Ok(Set::FULL),
            Op::Minus if b.is_empty() => return Ok(a),
            Op::Minus if a == b || a.is_empty() || b == Set::FULL => return Ok(Set::EMPTY),
            _ => {}
        }
        self.step(OPERATION)?;
        let key = if op != Op::Minus && b < a { (op, b, a) } else { (op, a, b) };
        if let Some(&result) = self.results.get(&key) {
            return Ok(result);
        }
        let level = self.level_or_bottom(a).min(self.level_or_bottom(b));
        let (left, right) = (self.cursor(a, level), self.cursor(b, level));
        let start = self.scratch.len();
        let mut i = 0;
        let mut j = 0;
        loop {
            let (x, y) = (self.edge(left, i), self.edge(right, j));
            // An interval on which one side alone decides is crossed in one step.
            let skip = match op {
                Op::And if x.child.is_empty() => Some((x.last, Set::EMPTY)),
                Op::And if y.child.is_empty() => Some((y.last, Set::EMPTY)),
                Op::Or if x.child == Set::FULL => Some((x.last, Set::FULL)),
                Op::Or if y.child == Set::FULL => Some((y.last, Set::FULL)),
                Op::Minus if x.child.is_empty() => Some((x.last, Set::EMPTY)),
                Op::Minus if y.child == Set::FULL => Some((y.last, Set::EMPTY)),
                _ => None,
            };
            let last = match skip {
                Some((last, child)) => {
                    self.push(start, last, child);
                    last
                }
                None => {
                    let child = match self.apply(op, x.child, y.child) {
                        Ok(child) => child,
                        Err(over) => {
                            self.scratch.truncate(start);
                            return Err(over);
                        }
                    };
                    let last = x.last.min(y.last);
                    self.push(start, last, child);
                    last
                }
            };
            if last == u32::MAX {
                break;
            }
            i = self.advance(left, i, last);
            j = self.advance(right, j, last);
        }
        let result = self.finish(level, start)?;
        if self.results.len() >= self.budget.saturating_mul(EDGES_PER_NODE) {
            return Err(OverBudget);
        }
        self.results.insert(key, result);
        Ok(result)
    }

    /// The edges of `set` at `level`, as a place in the store, or the set itself if it does not
    /// test that level.
    fn cursor(&self, set: Set, level: Level) -> Cursor {
        let node = self.node_of(set);
        if node.level == level {
            Cursor::Edges { first: node.first as usize, len: node.len as usize }
        } else {
            Cursor::Same(set)
        }
    }

    fn edge(&self, cursor: Cursor, index: usize) -> Edge {
        let missing = Edge { last: u32::MAX, child: Set::EMPTY };
        match cursor {
            Cursor::Same(set) => Edge { last: u32::MAX, child: set },
            Cursor::Edges { first, .. } => {
                self.edges.get(first + index).copied().unwrap_or(missing)
            }
        }
    }

    /// The index of the edge that holds the value after `last`, searched from `index` on in steps
    /// that double, so that narrow sets cross wide ones quickly.
    fn advance(&self, cursor: Cursor, index: usize, last: u32) -> usize {
        let Cursor::Edges { first, len } = cursor else {
            return 0;
        };
        let ends = self.edges.get(first..first + len).unwrap_or(&[]);
        let mut low = index;
        let mut step = 1;
        while ends.get(low + step - 1).is_some_and(|edge| edge.last <= last) {
            low += step;
            step *= 2;
        }
        let high = (low + step).min(len);
        low + ends.get(low..high).unwrap_or(&[]).partition_point(|edge| edge.last <= last)
    }

    /// Adds an interval to the node being built from `start` on, joining equal neighbours.
    fn push(&mut self, start: usize, last: u32, child: Set) {
        if self.scratch.len() > start
            && let Some(previous) = self.scratch.last_mut()
            && previous.child == child
        {
            previous.last = last;
        } else {
            self.scratch.push(Edge { last, child });
        }
    }

    /// Makes the node whose edges stand in the scratch space from `start` on, or finds it.
    fn finish(&mut self, level: Level, start: usize) -> Result<Set, OverBudget> {
        let len = self.scratch.len() - start;
        if len == 1
            && let Some(only) = self.scratch.pop()
        {
            return Ok(only.child);
        }
        let result = self.intern(level, start, len);
        self.scratch.truncate(start);
        result
    }

    fn intern(&mut self, level: Level, start: usize, len: usize) -> Result<Set, OverBudget> {
        let built = self.scratch.get(start..).unwrap_or(&[]);
        let mut hasher = FxHasher::default();
        level.hash(&mut hasher);
        built.hash(&mut hasher);
        let hash = hasher.finish();
        let head = self.heads.get(&hash).copied().unwrap_or(0);
        let mut at = head;
        while at != 0 {
            let node = self.node_of(Set(at));
            if node.level == level && self.edges(Set(at)) == built {
                return Ok(Set(at));
            }
            at = node.next;
        }
        let depth = 1 + built.iter().map(|e| self.node_of(e.child).depth).max().unwrap_or(0);
        if self.nodes.len() >= self.budget
            || self.edges.len() + len > self.budget.saturating_mul(EDGES_PER_NODE)
            || depth as usize > MAX_DEPTH
        {
            return Err(OverBudget);
        }
        // The budget keeps both far below what 32 bits count.
        let (id, first) = (self.nodes.len() as u32, self.edges.len() as u32);
        self.edges.extend_from_slice(self.scratch.get(start..).unwrap_or(&[]));
        self.nodes.push(Node { level, first, len: len as u32, next: head, depth });
        self.heads.insert(hash, id);
        Ok(Set(id))
    }
}

#[derive(Clone, Copy)]
enum Cursor {
    Edges { first: usize, len: usize },
    Same(Set),
}

#[cfg(test)]
mod tests;
