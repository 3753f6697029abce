//! Serves the definitions in the given JSON or YAML files, and prints the path of a kubeconfig.
//!
//! `cargo run -p wasmbed-apiserver --example serve -- DATA_DIR CRD_FILE...`

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use wasmbed_apiserver::{ApiServer, Config, Token};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let data_dir = arguments.next().ok_or("usage: serve DATA_DIR CRD_FILE...")?;
    let mut config = Config::new(&data_dir);
    for path in arguments {
        config.crds.push(serde_saphyr::from_str(&std::fs::read_to_string(path)?)?);
    }
    for (user, group) in [("admin", "system:masters"), ("reader", "view")] {
        let (user, groups) = (user.to_owned(), vec![group.to_owned()]);
        config.tokens.push(Token { token: uuid::Uuid::new_v4().to_string(), user, groups });
    }
    let running = ApiServer::start(config).await?;
    for user in ["admin", "reader"] {
        let path = data_dir.join(format!("{user}.kubeconfig"));
        // It holds a token, so nobody else may read it.
        let mut file = std::fs::OpenOptions::new();
        let mut file = file.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(running.kubeconfig(user).unwrap_or_default().as_bytes())?;
        println!("{}", path.display());
    }
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}
