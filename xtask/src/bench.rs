//! `cargo xtask bench`: measurements, each against a goal, a peer or a limit.

mod boards;
mod engine;
mod module;
mod platform;
mod tls;

use anyhow::{Result, bail};
use serde_json::{Value, json};

/// One figure.
pub struct Row {
    /// Unique name.
    pub name: String,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it should be at most; absent where nothing was set.
    pub goal: Option<f64>,
    /// What it is held against.
    pub versus: String,
}

/// What narrows a measurement.
pub struct Options {
    /// One program of those that an engine executes, or one board.
    pub only: Option<String>,
    /// Whether others are measured too.
    pub with_peers: bool,
    /// Whether the tables of docs/measurements.md are written anew.
    pub writes: bool,
}

/// A measurement that gives rows.
struct Bench {
    name: &'static str,
    run: fn(&Options) -> Result<Vec<Row>>,
}

const BENCHES: [Bench; 4] = [
    Bench { name: "engine", run: engine::run },
    Bench { name: "tls", run: tls::run },
    Bench { name: "platform", run: platform::run },
    Bench { name: "boards", run: boards::run },
];

/// `cargo xtask bench [NAME…]`.
pub fn run(names: &[String], json: bool, options: &Options) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| BENCHES.iter().all(|b| b.name != **name)) {
        let known: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        bail!("no measurement {unknown}; there are: {}", known.join(", "));
    }
    let mut rows = Vec::new();
    for bench in &BENCHES {
        if names.is_empty() || names.iter().any(|name| name == bench.name) {
            rows.extend((bench.run)(options)?);
        }
    }
    if json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({"name": row.name, "value": row.value, "unit": row.unit,
                    "goal": row.goal, "versus": row.versus})
            })
            .collect();
        println!("{}", Value::from(rows));
        return Ok(());
    }
    for row in rows {
        let goal = row.goal.map_or_else(String::new, |goal| format!("goal {goal}"));
        println!("{:<34}{:>12.2} {:<10}{goal:<12}{}", row.name, row.value, row.unit, row.versus);
    }
    Ok(())
}
