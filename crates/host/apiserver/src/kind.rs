//! What is served: one entry for each group, version and resource, built in or from a definition.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use serde_json::{Value, json};

use crate::cel::Rules;
use crate::columns::{Column, FieldPath};
use crate::schema::Schema;

/// Which verbs a resource has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verbs {
    /// Everything.
    All,
    /// get, list, watch: its objects come from the configuration.
    ReadOnly,
    /// A question that is answered and not stored.
    Review,
}

/// How a stored object looks through this entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum View {
    /// As stored.
    Stored,
    /// Another version with an equal schema: only `apiVersion` differs.
    Renamed,
    /// A core Event seen as one of `events.k8s.io`.
    NewEvent,
}

/// Where a resource keeps what its scale subresource shows.
#[derive(Clone, Debug)]
pub(crate) struct ScalePaths {
    pub(crate) spec_replicas: FieldPath,
    pub(crate) status_replicas: FieldPath,
    pub(crate) selector: Option<FieldPath>,
}

/// One served resource in one version.
pub(crate) struct Kind {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) is_namespaced: bool,
    /// From a definition, not built in.
    pub(crate) is_custom: bool,
    pub(crate) verbs: Verbs,
    pub(crate) view: View,
    /// `apiVersion` of stored objects.
    pub(crate) stored_api_version: String,
    /// Key prefix in the store; shared by all versions.
    pub(crate) resource: Arc<str>,
    pub(crate) schema: Schema,
    /// The schema as given, for OpenAPI.
    pub(crate) raw_schema: Value,
    pub(crate) has_status: bool,
    /// `metadata.generation` counts changes of what is neither metadata nor status.
    pub(crate) has_generation: bool,
    pub(crate) scale: Option<ScalePaths>,
    pub(crate) columns: Vec<Column>,
    pub(crate) selectable: Vec<(String, FieldPath)>,
    pub(crate) rules: Option<Rules>,
}

impl Kind {
    /// `plural` or `plural.group`, as messages name it.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `version` or `group/version`.
    pub(crate) fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }
}

/// `version` or `group/version`.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// A definition that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// The definition has a version without a schema.
    #[error("custom resource definition {crd}: version {version} has no schema")]
    NoSchema {
        /// Name of the definition.
        crd: String,
        /// Version without a schema.
        version: String,
    },
    /// Not exactly one version is the stored one.
    #[error("custom resource definition {crd}: {count} versions are stored, must be one")]
    Storage {
        /// Name of the definition.
        crd: String,
        /// Stored versions it names.
        count: usize,
    },
    /// Two definitions claim one resource.
    #[error("{resource} is defined twice")]
    Twice {
        /// `plural.group`.
        resource: String,
    },
    /// Its schema, columns or rules are wrong.
    #[error("custom resource definition {crd}: {why}")]
    Malformed {
        /// Name of the definition.
        crd: String,
        /// What is wrong.
        why: String,
    },
}

/// All served resources.
pub(crate) struct Kinds {
    list: Vec<Arc<Kind>>,
    by_path: HashMap<(String, String, String), Arc<Kind>>,
}

impl Kinds {
    /// The built-in kinds and those of `definitions`.
    pub(crate) fn new(definitions: &[CustomResourceDefinition]) -> Result<Self, KindError> {
        let mut list = crate::builtin::kinds();
        for definition in definitions {
            list.extend(custom(definition)?);
        }
        let mut kinds = Self { list: Vec::new(), by_path: HashMap::new() };
        for kind in list {
            let kind = Arc::new(kind);
            let path = (kind.group.clone(), kind.version.clone(), kind.plural.clone());
            if kinds.by_path.insert(path, kind.clone()).is_some() {
                return Err(KindError::Twice { resource: kind.qualified() });
            }
            kinds.list.push(kind);
        }
        Ok(kinds)
    }

    /// The entry that a path names.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Kind>> {
        self.by_path.get(&(group.to_owned(), version.to_owned(), plural.to_owned()))
    }

    /// The entry of an `apiVersion` and `kind`.
    pub(crate) fn find_kind(&self, api_version: &str, kind: &str) -> Option<&Arc<Kind>> {
        self.list.iter().find(|entry| entry.kind == kind && entry.api_version() == api_version)
    }

    /// The entry through which a stored resource looks as stored.
    pub(crate) fn stored(&self, resource: &str) -> Option<&Arc<Kind>> {
        self.list.iter().find(|kind| &*kind.resource == resource && kind.view == View::Stored)
    }

    /// All entries, built-in ones first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.list.iter()
    }

    /// Groups in order of first appearance, each with its versions; the core group is empty.
    pub(crate) fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for kind in &self.list {
            let at = groups.iter().position(|(group, _)| *group == kind.group);
            let at = at.unwrap_or_else(|| {
                groups.push((kind.group.clone(), Vec::new()));
                groups.len() - 1
            });
            if let Some((_, versions)) = groups.get_mut(at)
                && !versions.contains(&kind.version)
            {
                versions.push(kind.version.clone());
            }
        }
        groups
    }
}

fn custom(definition: &CustomResourceDefinition) -> Result<Vec<Kind>, KindError> {
    let crd = definition.metadata.name.clone().unwrap_or_default();
    let stored: Vec<_> = definition.spec.versions.iter().filter(|one| one.storage).collect();
    let [stored] = stored[..] else {
        return Err(KindError::Storage { crd, count: stored.len() });
    };
    let served = definition.spec.versions.iter().filter(|version| version.served);
    served.map(|version| custom_version(definition, version, &stored.name)).collect()
}

fn custom_version(
    definition: &CustomResourceDefinition,
    version: &CustomResourceDefinitionVersion,
    stored: &str,
) -> Result<Kind, KindError> {
    let spec = &definition.spec;
    let crd = definition.metadata.name.clone().unwrap_or_default();
    let malformed = |why: String| KindError::Malformed { crd: crd.clone(), why };
    let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    let schema = schema
        .ok_or_else(|| KindError::NoSchema { crd: crd.clone(), version: version.name.clone() })?;
    let mut raw = serde_json::to_value(schema).map_err(|error| malformed(error.to_string()))?;
    let rules = Rules::compile(&raw).map_err(malformed)?;
    if let Some(properties) = raw.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("metadata".to_owned(), crate::builtin::metadata_schema());
        for name in ["apiVersion", "kind"] {
            properties.insert(name.to_owned(), json!({"type": "string"}));
        }
    }
    let subresources = version.subresources.as_ref();
    let scale = subresources.and_then(|sub| sub.scale.as_ref());
    let scale = scale.map(|scale| ScalePaths {
        spec_replicas: FieldPath::parse(&scale.spec_replicas_path),
        status_replicas: FieldPath::parse(&scale.status_replicas_path),
        selector: scale.label_selector_path.as_deref().map(FieldPath::parse),
    });
    let selectable = version.selectable_fields.iter().flatten();
    Ok(Kind {
        group: spec.group.clone(),
        version: version.name.clone(),
        plural: spec.names.plural.clone(),
        singular: spec.names.singular.clone().unwrap_or_else(|| spec.names.kind.to_lowercase()),
        kind: spec.names.kind.clone(),
        list_kind: spec
            .names
            .list_kind
            .clone()
            .unwrap_or_else(|| format!("{}List", spec.names.kind)),
        short_names: spec.names.short_names.clone().unwrap_or_default(),
        categories: spec.names.categories.clone().unwrap_or_default(),
        is_namespaced: spec.scope == "Namespaced",
        is_custom: true,
        verbs: Verbs::All,
        view: if version.name == stored { View::Stored } else { View::Renamed },
        stored_api_version: api_version(&spec.group, stored),
        resource: format!("{}/{}", spec.group, spec.names.plural).into(),
        schema: Schema::compile(&raw),
        raw_schema: raw,
        has_status: subresources.is_some_and(|sub| sub.status.is_some()),
        has_generation: true,
        scale,
        columns: Column::custom(version.additional_printer_columns.as_deref().unwrap_or(&[])),
        selectable: selectable
            .map(|field| {
                (
                    field.json_path.trim_start_matches('.').to_owned(),
                    FieldPath::parse(&field.json_path),
                )
            })
            .collect(),
        rules,
    })
}
