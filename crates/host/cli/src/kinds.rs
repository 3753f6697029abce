//! The types a user can name, in any of the forms kubectl accepts.

use anyhow::{Result, bail};

/// One type of resource and its names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Kind {
    /// Group; empty for the core.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// `Device`.
    pub kind: &'static str,
    /// `devices`.
    pub plural: &'static str,
    /// `dev`, empty if none.
    pub short: &'static str,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
}

const fn own(kind: &'static str, plural: &'static str, short: &'static str) -> Kind {
    Kind { group: "wasmbed.github.io", version: "v1alpha1", kind, plural, short, namespaced: true }
}

const fn core(kind: &'static str, plural: &'static str, short: &'static str) -> Kind {
    let namespaced = !matches!(plural.as_bytes(), b"namespaces");
    Kind { group: "", version: "v1", kind, plural, short, namespaced }
}

/// Everything the CLI can name. Other types are kubectl's business.
pub const KINDS: &[Kind] = &[
    own("Device", "devices", "dev"),
    own("Application", "applications", "app"),
    own("ApplicationRevision", "applicationrevisions", "apprev"),
    own("Gateway", "gateways", "gw"),
    own("VirtualDevice", "virtualdevices", "vd"),
    own("Enrollment", "enrollments", "enr"),
    core("ConfigMap", "configmaps", "cm"),
    core("Secret", "secrets", ""),
    core("Namespace", "namespaces", "ns"),
    core("Event", "events", "ev"),
    Kind {
        group: "coordination.k8s.io",
        version: "v1",
        kind: "Lease",
        plural: "leases",
        short: "",
        namespaced: true,
    },
];

impl Kind {
    /// The type that a word names.
    ///
    /// # Errors
    /// Says which types there are, and the nearest one.
    pub fn parse(word: &str) -> Result<Self> {
        let lower = word.to_lowercase();
        let name = lower.split('.').next().unwrap_or_default();
        let found = KINDS.iter().find(|kind| {
            name == kind.plural
                || name == kind.kind.to_lowercase()
                || (!kind.short.is_empty() && name == kind.short)
        });
        if let Some(kind) = found {
            return Ok(*kind);
        }
        let near = KINDS
            .iter()
            .map(|kind| (distance(name, kind.plural).min(distance(name, &singular(kind))), kind))
            .filter(|(distance, _)| *distance <= NEAR)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, kind)| kind);
        let hint =
            near.map_or_else(String::new, |kind| format!("\nhint: did you mean {}?", kind.plural));
        let all: Vec<&str> = KINDS.iter().map(|kind| kind.plural).collect();
        bail!(
            "the server has no resource type {word:?} that this command knows: {}{hint}",
            all.join(", ")
        )
    }

    /// Type of an object by what its manifest says.
    pub fn of_manifest(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        KINDS.iter().find(|known| known.kind == kind && known.group == group).copied()
    }

    /// Path of the collection, or of one object.
    pub fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut path = match self.group {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        if let (true, Some(namespace)) = (self.namespaced, namespace) {
            path += &format!("/namespaces/{namespace}");
        }
        path += &format!("/{}", self.plural);
        if let Some(name) = name {
            path += &format!("/{name}");
        }
        path
    }

    /// `device.wasmbed.github.io/NAME`, as kubectl prints names.
    pub fn object_name(&self, name: &str) -> String {
        match self.group {
            "" => format!("{}/{name}", self.kind.to_lowercase()),
            group => format!("{}.{group}/{name}", self.kind.to_lowercase()),
        }
    }
}

/// Edits between two words that are still likely to be a slip.
const NEAR: usize = 2;

fn singular(kind: &Kind) -> String {
    kind.kind.to_lowercase()
}

/// Insertions, deletions and replacements that make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.bytes().enumerate() {
            let cost = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// What `TYPE`, `TYPE NAME…`, `TYPE/NAME…` or `TYPE,TYPE` names: each type with its names.
pub fn parse_words(words: &[String]) -> Result<Vec<(Kind, Vec<String>)>> {
    let Some((first, rest)) = words.split_first() else { bail!("name a type of resource") };
    if first.contains('/') {
        let mut found = Vec::new();
        for word in words {
            let Some((kind, name)) = word.split_once('/') else {
                bail!("there is no need to name a type apart when TYPE/NAME is used: {word}")
            };
            found.push((Kind::parse(kind)?, vec![name.to_owned()]));
        }
        return Ok(found);
    }
    let kinds: Vec<Kind> = first.split(',').map(Kind::parse).collect::<Result<_>>()?;
    if kinds.len() > 1 && !rest.is_empty() {
        bail!("names need one type: use TYPE/NAME for several");
    }
    Ok(kinds.into_iter().map(|kind| (kind, rest.to_vec())).collect())
}

/// What `[TYPE/]NAME` names, if the type is left out.
pub fn parse_target(word: &str, default: &str) -> Result<(Kind, String)> {
    let (kind, name) = word.split_once('/').unwrap_or((default, word));
    if name.is_empty() {
        bail!("{word:?} names no object");
    }
    Ok((Kind::parse(kind)?, name.to_owned()))
}

#[cfg(test)]
mod tests;
