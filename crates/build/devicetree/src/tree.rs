//! The tree that a board file describes, and how later definitions change earlier ones.
//!
//! Deleted nodes and properties stay, marked: one that comes back keeps its former place, which is
//! what `dtc` does and what makes the `.dtb` equal.

use crate::error::{Error, Place};
use std::path::PathBuf;

/// A whole device tree.
#[derive(Debug, Default)]
pub struct Tree {
    /// The node `/`.
    pub root: Node,
    /// `/memreserve/` entries: address and length.
    pub reservations: Vec<(u64, u64)>,
    /// Every file that was read, in order.
    pub sources: Vec<PathBuf>,
}

/// One node.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Name with its unit address; empty for the root.
    pub name: String,
    /// Labels that stand before it.
    pub labels: Vec<String>,
    /// Properties, deleted ones too, in `.dtb` order.
    pub properties: Vec<Property>,
    /// Children, deleted ones too, in `.dtb` order.
    pub children: Vec<Node>,
    /// Taken out by `/delete-node/`.
    pub is_deleted: bool,
    /// Where it was first opened.
    pub place: Option<Place>,
}

/// One property.
#[derive(Clone, Debug)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its value, as written; empty for a flag.
    pub pieces: Vec<Piece>,
    /// Taken out by `/delete-property/`.
    pub is_deleted: bool,
    /// Where it was last set.
    pub place: Place,
}

/// One of the comma-separated parts of a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// `"text"`, without the final zero byte.
    Text(Vec<u8>),
    /// `<1 2 &label>`, each cell this many bits wide.
    Cells {
        /// 8, 16, 32 or 64.
        bits: u8,
        /// The cells.
        cells: Vec<Cell>,
    },
    /// `[00 11]`.
    Bytes(Vec<u8>),
    /// `&label` outside of cells: the path of that node, once resolved.
    Path(Reference, Option<String>),
}

/// One cell of an array.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cell {
    /// A number.
    Number(u64),
    /// The handle of another node, once resolved.
    Handle(Reference, Option<u32>),
}

/// How a node is referred to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reference {
    /// A label, or a path that starts with a slash.
    pub target: String,
    /// Where the reference stands.
    pub place: Place,
}

impl Property {
    /// Bytes of the value. References that are not resolved yet count as zero.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => {
                    bytes.extend_from_slice(text);
                    bytes.push(0);
                }
                Piece::Bytes(raw) => bytes.extend_from_slice(raw),
                Piece::Path(_, path) => {
                    bytes.extend_from_slice(path.as_deref().unwrap_or_default().as_bytes());
                    bytes.push(0);
                }
                Piece::Cells { bits, cells } => {
                    for cell in cells {
                        let number = match cell {
                            Cell::Number(number) => *number,
                            Cell::Handle(_, handle) => u64::from(handle.unwrap_or_default()),
                        };
                        let width = usize::from(bits / 8);
                        bytes.extend_from_slice(&number.to_be_bytes()[8 - width..]);
                    }
                }
            }
        }
        bytes
    }
}

impl Node {
    /// Children that exist.
    pub fn children(&self) -> impl Iterator<Item = &Node> {
        self.children.iter().filter(|child| !child.is_deleted)
    }

    /// Properties that exist.
    pub fn properties(&self) -> impl Iterator<Item = &Property> {
        self.properties.iter().filter(|property| !property.is_deleted)
    }

    /// A property by name.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties().find(|property| property.name == name)
    }

    /// A child by its name, with or without the unit address.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children()
            .find(|child| child.name == name)
            .or_else(|| self.children().find(|child| child.name.split('@').next() == Some(name)))
    }

    /// Applies a later definition of the same node: what it sets replaces, what it deletes goes.
    pub fn merge(&mut self, later: Node) {
        self.is_deleted = false;
        for label in later.labels {
            if !self.labels.contains(&label) {
                self.labels.push(label);
            }
        }
        for property in later.properties {
            let known = self.properties.iter_mut().find(|known| known.name == property.name);
            match known {
                Some(known) if property.is_deleted => known.is_deleted = true,
                Some(known) => *known = property,
                None if property.is_deleted => {}
                None => self.properties.push(property),
            }
        }
        for child in later.children {
            let known = self.children.iter_mut().find(|known| known.name == child.name);
            match known {
                Some(known) if child.is_deleted => known.delete(),
                Some(known) => known.merge(child),
                None if child.is_deleted => {}
                None => self.children.push(child),
            }
        }
    }

    /// Whether nothing is nested deeper than `levels` below this node.
    pub fn is_within_depth(&self, levels: usize) -> bool {
        self.children
            .iter()
            .all(|child| levels.checked_sub(1).is_some_and(|left| child.is_within_depth(left)))
    }

    /// Marks this node and everything below it as deleted; its labels are free again.
    pub fn delete(&mut self) {
        self.is_deleted = true;
        self.labels.clear();
        for property in &mut self.properties {
            property.is_deleted = true;
        }
        for child in &mut self.children {
            child.delete();
        }
    }

    /// The node below this one that a label or a path refers to.
    pub fn find(&self, target: &str) -> Option<&Node> {
        match target.strip_prefix('/') {
            Some(path) => path
                .split('/')
                .filter(|step| !step.is_empty())
                .try_fold(self, |node, step| node.child(step)),
            None => self.find_label(target),
        }
    }

    fn find_label(&self, label: &str) -> Option<&Node> {
        if self.labels.iter().any(|own| own == label) {
            return Some(self);
        }
        self.children().find_map(|child| child.find_label(label))
    }

    /// Adds every label of this node and below.
    pub fn collect_labels<'tree>(&'tree self, labels: &mut Vec<&'tree str>) {
        labels.extend(self.labels.iter().map(String::as_str));
        self.children().for_each(|child| child.collect_labels(labels));
    }

    /// As [`Node::find`], to change it.
    pub fn find_mut(&mut self, target: &str) -> Option<&mut Node> {
        match target.strip_prefix('/') {
            Some(path) => {
                let mut node = self;
                for step in path.split('/').filter(|step| !step.is_empty()) {
                    let name = node.child(step)?.name.clone();
                    node = node
                        .children
                        .iter_mut()
                        .find(|child| !child.is_deleted && child.name == name)?;
                }
                Some(node)
            }
            None => self.find_label_mut(target),
        }
    }

    fn find_label_mut(&mut self, label: &str) -> Option<&mut Node> {
        if self.labels.iter().any(|own| own == label) {
            return Some(self);
        }
        self.children
            .iter_mut()
            .filter(|child| !child.is_deleted)
            .find_map(|child| child.find_label_mut(label))
    }

    /// Path of the node that a label or a path refers to, seen from the root.
    pub fn path_of(&self, target: &str) -> Option<String> {
        let wanted: *const Node = self.find(target)?;
        let mut path = String::new();
        self.path_to(wanted, &mut path).then(|| if path.is_empty() { "/".into() } else { path })
    }

    fn path_to(&self, wanted: *const Node, path: &mut String) -> bool {
        if std::ptr::eq(self, wanted) {
            return true;
        }
        for child in self.children() {
            let length = path.len();
            path.push('/');
            path.push_str(&child.name);
            if child.path_to(wanted, path) {
                return true;
            }
            path.truncate(length);
        }
        false
    }

    /// A mistake at this node.
    pub fn error(&self, message: impl Into<String>) -> Error {
        let nowhere = Place { path: PathBuf::new(), line: 0, column: 0 };
        Error::new(self.place.as_ref().unwrap_or(&nowhere), message)
    }
}
