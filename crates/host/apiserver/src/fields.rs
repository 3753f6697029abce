//! Sets of field paths, as managedFields holds them, and the two ways to get one from objects: what
//! an object names, and how two objects differ.
//!
//! # Source
//! `sigs.k8s.io/structured-merge-diff/v6`: `fieldpath`, `typed/tofieldset.go`, `typed/compare.go`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::schema::{ListType, Schema};

/// One step of a field path.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Element {
    /// Field of an object.
    Field(String),
    /// List item told apart by these fields, in compact JSON with sorted names.
    Key(String),
    /// Item of a set, in compact JSON.
    Value(String),
}

impl Element {
    fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(json) => format!("k:{json}"),
            Self::Value(json) => format!("v:{json}"),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        let (tag, rest) = text.split_once(':')?;
        match tag {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => Some(Self::Key(canonical(&serde_json::from_str(rest).ok()?))),
            "v" => Some(Self::Value(canonical(&serde_json::from_str(rest).ok()?))),
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Field(name) => format!(".{name}"),
            Self::Value(json) => format!("[={json}]"),
            Self::Key(json) => {
                let key: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
                let parts: Vec<String> =
                    key.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("[{}]", parts.join(","))
            }
        }
    }
}

fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            serde_json::to_string(&sorted).unwrap_or_default()
        }
        other => other.to_string(),
    }
}

/// A set of field paths.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct FieldSet(BTreeMap<Element, Node>);

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Node {
    is_member: bool,
    below: FieldSet,
}

impl FieldSet {
    /// True if no path is in the set.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the `fieldsV1` form; what is not understood is left out.
    pub(crate) fn decode(value: &Value) -> Self {
        let mut set = Self::default();
        for (name, below) in value.as_object().into_iter().flatten() {
            let Some(element) = Element::decode(name) else { continue };
            let fields = below.as_object();
            let is_member =
                fields.is_none_or(|fields| fields.is_empty() || fields.contains_key("."));
            set.0.insert(element, Node { is_member, below: Self::decode(below) });
        }
        set
    }

    /// Writes the `fieldsV1` form.
    pub(crate) fn encode(&self) -> Value {
        let mut fields = Map::new();
        for (element, node) in &self.0 {
            let mut below = node.below.encode();
            if let Some(map) = below.as_object_mut()
                && node.is_member
                && !map.is_empty()
            {
                map.shift_insert(0, ".".to_owned(), Value::Object(Map::new()));
            }
            fields.insert(element.encode(), below);
        }
        Value::Object(fields)
    }

    fn insert(&mut self, path: &[Element]) {
        let Some((first, rest)) = path.split_first() else { return };
        let node = self.0.entry(first.clone()).or_default();
        if rest.is_empty() {
            node.is_member = true;
        } else {
            node.below.insert(rest);
        }
    }

    /// Adds all paths of `other`.
    pub(crate) fn add(&mut self, other: &Self) {
        for (element, node) in &other.0 {
            let own = self.0.entry(element.clone()).or_default();
            own.is_member |= node.is_member;
            own.below.add(&node.below);
        }
    }

    /// Removes all paths of `other`.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.0.retain(|element, own| {
            if let Some(node) = other.0.get(element) {
                own.is_member &= !node.is_member;
                own.below.subtract(&node.below);
            }
            own.is_member || !own.below.is_empty()
        });
    }

    /// The paths that are in both.
    #[must_use]
    pub(crate) fn common(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for (element, own) in &self.0 {
            let Some(node) = other.0.get(element) else { continue };
            let is_member = own.is_member && node.is_member;
            let below = own.below.common(&node.below);
            if is_member || !below.is_empty() {
                both.0.insert(element.clone(), Node { is_member, below });
            }
        }
        both
    }

    /// Removes a field and all below it.
    pub(crate) fn remove_field(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else { return };
        let element = Element::Field((*first).to_owned());
        if rest.is_empty() {
            self.0.remove(&element);
        } else if let Some(node) = self.0.get_mut(&element) {
            node.below.remove_field(rest);
            if node.below.is_empty() && !node.is_member {
                self.0.remove(&element);
            }
        }
    }

    /// Keeps only one top-level field.
    pub(crate) fn keep_field(&mut self, name: &str) {
        self.0.retain(|element, _| *element == Element::Field(name.to_owned()));
    }

    /// Makes a top-level field no member itself; what is below stays.
    pub(crate) fn open_field(&mut self, name: &str) {
        let element = Element::Field(name.to_owned());
        if let Some(node) = self.0.get_mut(&element) {
            node.is_member = false;
            if node.below.is_empty() {
                self.0.remove(&element);
            }
        }
    }

    /// All paths, as messages show them.
    pub(crate) fn show(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for (element, node) in &self.0 {
            let head = element.show();
            if node.is_member {
                paths.push(head.clone());
            }
            paths.extend(node.below.show().into_iter().map(|rest| format!("{head}{rest}")));
        }
        paths
    }

    /// Removes from `value` what is in `self` and in no way in `owned`.
    ///
    /// `metadata` itself always stays, as each object needs one.
    pub(crate) fn prune(&self, owned: &Self, schema: Option<&Schema>, value: &mut Value) {
        self.prune_at(owned, schema, value, true);
    }

    fn prune_at(&self, owned: &Self, schema: Option<&Schema>, value: &mut Value, is_root: bool) {
        let nothing = Self::default();
        match value {
            Value::Object(fields) => {
                for (element, node) in &self.0 {
                    let Element::Field(name) = element else { continue };
                    let still = owned.0.get(element);
                    if still.is_none() && !(is_root && name == "metadata") {
                        fields.shift_remove(name);
                    } else if let Some(field) = fields.get_mut(name) {
                        let below = still.map_or(&nothing, |node| &node.below);
                        let schema = schema.and_then(|schema| schema.field(name));
                        node.below.prune_at(below, schema, field, false);
                    }
                }
            }
            Value::Array(items) => {
                let Some(schema) = schema else { return };
                items.retain_mut(|item| {
                    let Some(element) = element_of(&schema.list_type, item) else { return true };
                    let Some(node) = self.0.get(&element) else { return true };
                    let Some(still) = owned.0.get(&element) else { return !node.is_member };
                    node.below.prune_at(&still.below, schema.items.as_deref(), item, false);
                    true
                });
            }
            _ => {}
        }
    }

    /// The paths that an object names.
    pub(crate) fn of(schema: &Schema, object: &Value) -> Self {
        let mut set = Self::default();
        set.collect(Some(schema), object, &mut Vec::new());
        set
    }

    fn collect(&mut self, schema: Option<&Schema>, value: &Value, path: &mut Vec<Element>) {
        match value {
            Value::Object(fields) if !is_atomic_map(schema) => {
                for (name, field) in fields {
                    path.push(Element::Field(name.clone()));
                    let below = schema.and_then(|schema| schema.field(name));
                    self.collect(below, field, path);
                    let is_named = schema.is_some_and(|one| one.properties.contains_key(name));
                    let is_empty = field.as_object().is_some_and(Map::is_empty) || field.is_null();
                    if is_empty || !is_named {
                        self.insert(path);
                    }
                    path.pop();
                }
            }
            Value::Array(items) if !is_atomic_list(schema) => {
                let Some(schema) = schema else { return };
                for item in items {
                    let Some(element) = element_of(&schema.list_type, item) else { continue };
                    path.push(element);
                    self.insert(path);
                    if matches!(schema.list_type, ListType::Map(_)) {
                        self.collect(schema.items.as_deref(), item, path);
                    }
                    path.pop();
                }
            }
            _ => self.insert(path),
        }
    }
}

fn is_atomic_map(schema: Option<&Schema>) -> bool {
    schema.is_some_and(|schema| schema.is_atomic_map)
}

fn is_atomic_list(schema: Option<&Schema>) -> bool {
    schema.is_none_or(|schema| schema.list_type == ListType::Atomic)
}

/// How an item of a list is named in a path; `None` for an item that lacks its keys.
pub(crate) fn element_of(list_type: &ListType, item: &Value) -> Option<Element> {
    match list_type {
        ListType::Atomic => None,
        ListType::Set => Some(Element::Value(canonical(item))),
        ListType::Map(keys) => {
            let found: BTreeMap<&String, &Value> =
                keys.iter().filter_map(|key| Some((key, item.get(key)?))).collect();
            if found.is_empty() {
                return None;
            }
            Some(Element::Key(serde_json::to_string(&found).ok()?))
        }
    }
}

/// How two objects differ.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// Added and modified paths.
    pub(crate) written: FieldSet,
    /// Paths that are gone.
    pub(crate) removed: FieldSet,
}

impl Difference {
    /// Compares `before` with `after`.
    pub(crate) fn of(schema: &Schema, before: &Value, after: &Value) -> Self {
        let mut difference = Self::default();
        difference.walk(Some(schema), Some(before), Some(after), &mut Vec::new());
        difference
    }

    fn walk(
        &mut self,
        schema: Option<&Schema>,
        before: Option<&Value>,
        after: Option<&Value>,
        path: &mut Vec<Element>,
    ) {
        if before == after {
            return;
        }
        let is_map = |value: Option<&Value>| value.is_none_or(Value::is_object);
        let is_list = |value: Option<&Value>| value.is_none_or(Value::is_array);
        let is_empty = |value: Option<&Value>| match value {
            Some(Value::Object(fields)) => fields.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            _ => true,
        };
        let is_leaf = is_empty(before) && is_empty(after);
        if !is_leaf && is_map(before) && is_map(after) && !is_atomic_map(schema) {
            self.walk_map(schema, before, after, path);
        } else if !is_leaf && is_list(before) && is_list(after) && !is_atomic_list(schema) {
            self.walk_list(schema, before, after, path);
        } else {
            match after {
                Some(_) => self.written.insert(path),
                None => self.removed.insert(path),
            }
            return;
        }
        match (before, after) {
            (None, _) => self.written.insert(path),
            (_, None) => self.removed.insert(path),
            _ => {}
        }
    }

    fn walk_map(
        &mut self,
        schema: Option<&Schema>,
        before: Option<&Value>,
        after: Option<&Value>,
        path: &mut Vec<Element>,
    ) {
        let fields = [before, after].into_iter().flatten().filter_map(Value::as_object).flatten();
        let names: BTreeSet<&String> = fields.map(|(name, _)| name).collect();
        for name in names {
            let below = schema.and_then(|schema| schema.field(name));
            let old = before.and_then(|value| value.get(name));
            let new = after.and_then(|value| value.get(name));
            path.push(Element::Field(name.clone()));
            self.walk(below, old, new, path);
            path.pop();
        }
    }

    fn walk_list(
        &mut self,
        schema: Option<&Schema>,
        before: Option<&Value>,
        after: Option<&Value>,
        path: &mut Vec<Element>,
    ) {
        let Some(schema) = schema else { return };
        let (old, new) = (index(schema, before), index(schema, after));
        let elements: BTreeSet<&Element> = old.keys().chain(new.keys()).collect();
        for element in elements {
            path.push(element.clone());
            let (was, is) = (old.get(element).copied(), new.get(element).copied());
            self.walk(schema.items.as_deref(), was, is, path);
            path.pop();
        }
    }
}

/// The items of an associative list by how a path names them.
pub(crate) fn index<'a>(schema: &Schema, list: Option<&'a Value>) -> BTreeMap<Element, &'a Value> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| Some((element_of(&schema.list_type, item)?, item))).collect()
}
