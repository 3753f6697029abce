//! The definitions as files, the way `deploy/crds` keeps them.

use kube::ResourceExt;

#[cfg(test)]
mod tests;

/// One generated file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// Its name, below `deploy/crds`.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Every definition as a YAML file.
///
/// # Errors
/// A definition that cannot be written as YAML: a mistake in this crate.
pub fn files() -> Result<Vec<File>, serde_saphyr::ser::Error> {
    crate::all()
        .iter()
        .map(|definition| {
            let yaml = serde_saphyr::to_string(definition)?;
            let text = format!("# Generated from crates/host/crds. Do not edit.\n{yaml}");
            Ok(File { name: format!("{}.yaml", definition.name_any()), text })
        })
        .collect()
}
