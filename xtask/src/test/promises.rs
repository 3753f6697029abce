//! The group `promises`: tries the five promises with both API servers, and holds what the
//! documentation says about them against what the run saw.

mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use self::table::{Cells, Place};
use super::{Counts, cargo_test, kubernetes_programs, prepare_whole_system};
use crate::{boards, paths, provenance};

/// API servers, as the results and the documentation name them.
const SERVERS: [&str; 2] = ["embedded", "kube-apiserver"];
const STATUS: &str = "docs/status.md";
const README: &str = "README.md";
/// Set to write the tables anew even where no cell has changed.
const UPDATE: &str = "WASMBED_UPDATE";

/// Runs the group on one board, or on `all`.
pub fn run(board: &str) -> Result<Counts> {
    prepare_whole_system()?;
    let recorded = boards::build_host_with_key_log()?;
    let folder = paths::target().join("promises");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let mut environment = vec![
        ("WASMBED_TEST_BOARD", board.into()),
        ("WASMBED_BIN_KEYLOG", recorded.into_os_string()),
        ("WASMBED_PROMISES", folder.clone().into_os_string()),
    ];
    if let Some(programs) = kubernetes_programs()? {
        environment.push(("WASMBED_KUBERNETES", programs.folder.into_os_string()));
    }
    let mut counts =
        cargo_test(&["--package", "wasmbed-tests", "--test", "promises"], &environment)?;
    for finding in compare(&folder, board == "all")? {
        eprintln!("promises: {finding}");
        counts.failed += 1;
    }
    Ok(counts)
}

/// What the documentation says and the run did not see. Cells that differ are written anew, if the
/// run was about all boards.
fn compare(folder: &Path, is_whole: bool) -> Result<Vec<String>> {
    let status = read(STATUS)?;
    let mut written = status.clone();
    let mut findings = Vec::new();
    let mut said = BTreeMap::new();
    for server in SERVERS {
        let block = table::block(&status, server).with_context(|| missing(STATUS, server))?;
        let mut cells = table::parse(block);
        if let Some(seen) = seen(&folder.join(format!("{server}.json")))? {
            let wrong = differences(server, &cells, &seen);
            let is_asked = std::env::var_os(UPDATE).is_some();
            if is_whole && (!wrong.is_empty() || is_asked) {
                let text = format!("{}.\n\n{}", provenance::words()?, table::render(&seen));
                written = table::replaced(&written, server, &text)
                    .with_context(|| missing(STATUS, server))?;
                cells = seen;
            }
            findings.extend(wrong);
        }
        said.insert(server, cells);
    }
    if written != status {
        write(STATUS, &written)?;
    }
    let readme = read(README)?;
    let both = table::both(&said);
    let text = table::replaced(&readme, "both", &table::render(&both))
        .with_context(|| missing(README, "both"))?;
    if text != readme {
        write(README, &text)?;
        findings.push(format!("{README} did not say what {STATUS} says; it was written anew"));
    }
    Ok(findings)
}

fn differences(server: &str, said: &Cells, seen: &Cells) -> Vec<String> {
    let differing = |(place, found): (&Place, &String)| {
        let claimed = said.get(place).map_or("nothing", String::as_str);
        let (promise, board) = (place.promise, &place.board);
        (claimed != found).then(|| {
            format!(
                "promise {promise} on {board} with {server}: {STATUS} says {claimed}, the run saw: {found}"
            )
        })
    };
    seen.iter().filter_map(differing).collect()
}

/// What a run wrote down; nothing if it did not get to this API server.
fn seen(file: &Path) -> Result<Option<Cells>> {
    let Ok(text) = std::fs::read_to_string(file) else { return Ok(None) };
    let results: Value = serde_json::from_str(&text)?;
    let cells = results["cells"].as_array().cloned().unwrap_or_default();
    let cell = |cell: Value| {
        let board = cell["board"].as_str().unwrap_or_default().to_owned();
        let promise = cell["promise"].as_u64().unwrap_or_default();
        (Place { board, promise }, table::word(cell["failure"].as_str()))
    };
    Ok(Some(cells.into_iter().map(cell).collect()))
}

fn missing(file: &str, name: &str) -> String {
    format!("{file} has no table between the markers of {name:?}")
}

fn path(name: &str) -> PathBuf {
    paths::root().join(name)
}

fn read(name: &str) -> Result<String> {
    std::fs::read_to_string(path(name)).with_context(|| format!("read {name}"))
}

fn write(name: &str, text: &str) -> Result<()> {
    eprintln!("promises: {name} written anew");
    std::fs::write(path(name), text).with_context(|| format!("write {name}"))
}
