//! Who calls whom, and the deepest chain of calls below a function.

use std::collections::{BTreeMap, BTreeSet};

use super::program::Program;
use super::walk::{Walk, Walked};

/// Own bytes from which a frame is worth a look.
const HEAVY_BYTES: u32 = 64;

/// One frame of a chain of calls.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Function.
    pub name: String,
    /// Bytes that it has on the stack where it calls the next one, or where it is deepest.
    pub bytes: u32,
}

/// The deepest chain of calls below a function.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// Bytes of all frames.
    pub bytes: u32,
    /// From the caller to the deepest.
    pub frames: Vec<Frame>,
}

/// What one function adds.
#[derive(Clone, Debug)]
pub struct Part {
    /// Function.
    pub name: String,
    /// Bytes where its own frame is largest.
    pub own_bytes: u32,
    /// Bytes of the deepest chain that it is part of.
    pub through_bytes: u32,
}

/// Every function of a firmware that was asked for, and all that they call.
pub struct Graph<'a> {
    program: &'a Program,
    walked: BTreeMap<u32, Walked>,
    /// Functions that are being walked through.
    open: BTreeSet<u32>,
}

impl<'a> Graph<'a> {
    /// Nothing yet.
    pub fn new(program: &'a Program) -> Self {
        Self { program, walked: BTreeMap::new(), open: BTreeSet::new() }
    }

    /// Walks through a function and all that it calls. Answers whether it returns.
    fn walk(&mut self, start: u32) -> bool {
        if let Some(walked) = self.walked.get(&start) {
            return walked.returns;
        }
        // A function inside of itself: the search for the deepest chain names it. It comes back if
        // it does so another way.
        if !self.open.insert(start) {
            return false;
        }
        let program = self.program;
        let walked = Walk::new(program, start, &mut |callee| self.walk(callee)).run();
        let returns = walked.returns;
        self.open.remove(&start);
        self.walked.insert(start, walked);
        returns
    }

    fn search(&mut self, start: u32, is_left_out: fn(&str) -> bool) -> BTreeMap<Node, Best> {
        self.walk(start);
        let mut deepest =
            Deepest { graph: self, is_left_out, known: BTreeMap::new(), open: Vec::new() };
        deepest.bytes(Node { start, is_telling: false });
        deepest.known
    }

    /// The deepest chain of calls that begins with the function at `start`. Calls of functions for
    /// which `is_left_out` holds do not count.
    pub fn deepest(&mut self, start: u32, is_left_out: fn(&str) -> bool) -> Chain {
        let known = self.search(start, is_left_out);
        let mut chain = Chain::default();
        let mut next = Some(self.node(start, false));
        while let Some(node) = next
            && let Some(best) = known.get(&node)
            && chain.frames.len() <= known.len()
        {
            let name = self.program.name(node.start);
            chain.bytes += best.own_bytes;
            chain.frames.push(Frame { name, bytes: best.own_bytes });
            next = best.callee;
        }
        chain
    }

    /// The large frames below `start`, those first whose chains are deepest.
    pub fn parts(&mut self, start: u32, is_left_out: fn(&str) -> bool) -> Vec<Part> {
        let known = self.search(start, is_left_out);
        // Callers before callees: what lies above a function is known when its turn comes.
        let mut order: Vec<(&Node, &Best)> = known.iter().collect();
        order.sort_by_key(|(_, best)| std::cmp::Reverse(best.rank));
        let mut above = BTreeMap::from([(self.node(start, false), 0)]);
        let mut parts = Vec::new();
        for (node, best) in order {
            let Some(walked) = self.walked.get(&node.start) else { continue };
            let above_bytes = above.get(node).copied().unwrap_or(0);
            for call in &walked.calls {
                for target in &call.targets {
                    let callee = self.node(*target, node.is_telling);
                    let known = above.entry(callee).or_insert(0);
                    *known = (*known).max(above_bytes + call.depth);
                }
            }
            if walked.own_bytes >= HEAVY_BYTES {
                parts.push(Part {
                    name: self.program.name(node.start),
                    own_bytes: walked.own_bytes,
                    through_bytes: above_bytes + best.bytes,
                });
            }
        }
        parts.sort_by_key(|part| std::cmp::Reverse((part.through_bytes, part.own_bytes)));
        parts
    }

    /// What could not be followed in all that was walked through.
    pub fn findings(&self) -> BTreeSet<String> {
        self.walked.values().flat_map(|walked| walked.findings.iter().cloned()).collect()
    }

    fn node(&self, start: u32, is_telling: bool) -> Node {
        let name = self.program.name(start);
        Node { start, is_telling: is_telling || TELLING.iter().any(|part| name.contains(part)) }
    }
}

/// A function, and whether it is called to tell a panic or a fault: one that goes wrong meanwhile
/// ends in a reset, and its chain is not looked at a second time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Node {
    start: u32,
    is_telling: bool,
}

/// The deepest way on from a function.
struct Best {
    bytes: u32,
    /// Its own part, where it calls the callee.
    own_bytes: u32,
    callee: Option<Node>,
    /// Above that of everything that it calls.
    rank: u32,
}

/// A search for the deepest chain.
struct Deepest<'g, 'a> {
    graph: &'g mut Graph<'a>,
    is_left_out: fn(&str) -> bool,
    known: BTreeMap<Node, Best>,
    open: Vec<Node>,
}

impl Deepest<'_, '_> {
    /// Bytes and rank of the deepest chain from a function on.
    fn bytes(&mut self, node: Node) -> (u32, u32) {
        let program = self.graph.program;
        if node.is_telling && is_panic(&program.name(node.start)) {
            return (0, 0);
        }
        let node = self.graph.node(node.start, node.is_telling);
        if let Some(best) = self.known.get(&node) {
            return (best.bytes, best.rank);
        }
        if let Some(first) = self.open.iter().position(|open| *open == node) {
            let names = self.open.iter().skip(first).chain([&node]);
            let names: Vec<String> = names.map(|open| program.name(open.start)).collect();
            if let Some(walked) = self.graph.walked.get_mut(&node.start) {
                walked.findings.insert(format!("recursion: {}", names.join(" > ")));
            }
            return (0, 0);
        }
        let Some(walked) = self.graph.walked.get(&node.start) else { return (0, 0) };
        let (own_bytes, calls) = (walked.own_bytes, walked.calls.clone());
        self.open.push(node);
        let mut best = Best { bytes: own_bytes, own_bytes, callee: None, rank: 0 };
        for call in &calls {
            for target in &call.targets {
                if (self.is_left_out)(&program.name(*target)) {
                    continue;
                }
                let (below, rank) =
                    self.bytes(Node { start: *target, is_telling: node.is_telling });
                best.rank = best.rank.max(rank + 1);
                if call.depth + below > best.bytes {
                    best.bytes = call.depth + below;
                    best.own_bytes = call.depth;
                    best.callee = Some(self.graph.node(*target, node.is_telling));
                }
            }
        }
        self.open.pop();
        let found = (best.bytes, best.rank);
        self.known.insert(node, best);
        found
    }
}

/// Part of the name of the function that every panic ends in.
const PANIC: &str = "rust_begin_unwind";
/// Parts of the names of functions that tell what went wrong.
const TELLING: [&str; 2] = [PANIC, "wasmbed_firmware::fault::Shout"];

/// The one that tells that the loop is stuck.
const STUCK: &str = "wasmbed_firmware::fault::stuck";

/// Whether a function belongs to the way into a panic, or tells that the loop is stuck.
pub fn is_panic(name: &str) -> bool {
    name.contains(PANIC) || name == STUCK || name.starts_with("core::panicking::")
}
