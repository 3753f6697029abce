//! A real control plane, built from Go modules into a cache outside the checkout.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::say;
use crate::{paths, process};

/// Go that Kubernetes 1.36 asks for.
const GO_MINOR_MIN: u32 = 26;
const VERSION: &str = "v1.36.3";

/// Programs and the Go packages they are built from.
const PROGRAMS: [(&str, &str); 4] = [
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
];

/// Where the built programs are.
pub struct Programs {
    /// Folder that holds all four.
    pub folder: PathBuf,
}

/// The programs, if they were built from the sources this checkout names.
pub fn programs() -> Result<Option<Programs>> {
    let folder = folder()?;
    let complete = PROGRAMS.iter().all(|(name, _)| folder.join(name).is_file());
    Ok(complete.then_some(Programs { folder }))
}

/// Why the programs cannot be built here, if so.
pub fn obstacle() -> Option<String> {
    let Ok(text) = process::capture(Command::new("go").arg("version")) else {
        return Some(format!("Go 1.{GO_MINOR_MIN} or newer is not installed"));
    };
    let minor = text
        .split("go1.")
        .nth(1)
        .and_then(|rest| rest.split(['.', ' ']).next())
        .and_then(|minor| minor.parse::<u32>().ok())
        .unwrap_or(0);
    (minor < GO_MINOR_MIN)
        .then(|| format!("Go 1.{GO_MINOR_MIN} or newer is needed, this is: {}", text.trim()))
}

/// Builds what is missing.
pub fn ensure() -> Result<Programs> {
    let folder = folder()?;
    if let Some(programs) = programs()? {
        say(&format!("Kubernetes {VERSION}: present in {}", folder.display()));
        return Ok(programs);
    }
    if let Some(obstacle) = obstacle() {
        bail!("Kubernetes {VERSION} cannot be built: {obstacle}");
    }
    std::fs::create_dir_all(&folder)?;
    for (name, package) in PROGRAMS {
        let program = folder.join(name);
        if program.is_file() {
            continue;
        }
        say(&format!("{name}: building from Go modules"));
        // A build that was cut off must not look like a finished one.
        let partial = folder.join(format!("{name}.partial"));
        let flags = format!(
            "-s -w -X k8s.io/component-base/version.gitVersion={VERSION} \
             -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
        );
        let mut build = Command::new("go");
        build
            .current_dir(paths::root().join("xtask/kubernetes"))
            .env("CGO_ENABLED", "0")
            .args(["build", "-mod=mod", "-trimpath", "-ldflags", &flags, "-o"])
            .arg(&partial)
            .arg(package);
        process::capture(&mut build).with_context(|| format!("building {name}"))?;
        std::fs::rename(partial, program)?;
    }
    Ok(Programs { folder })
}

/// One folder for each state of the pinned sources.
fn folder() -> Result<PathBuf> {
    let sources = paths::root().join("xtask/kubernetes");
    // FNV-1a: a name that changes when the pins do, and is the same everywhere.
    let mut key = 0xcbf2_9ce4_8422_2325_u64;
    for name in ["go.mod", "go.sum"] {
        for byte in std::fs::read(sources.join(name)).with_context(|| format!("read {name}"))? {
            key = (key ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    Ok(paths::cache().join("kubernetes").join(format!("{VERSION}-{:016x}", key)))
}
