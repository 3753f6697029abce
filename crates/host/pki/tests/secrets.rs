//! Keys as Secrets, against the embedded API server or the cluster that the environment names.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::runtime::Handle;
use wasmbed_apiserver::{ApiServer, Running};
use wasmbed_pki::{Fleet, KeyStore, PkiError, SecretStore};

/// Names a kubeconfig to run against a cluster instead of the embedded server.
const KUBECONFIG: &str = "WASMBED_TEST_KUBECONFIG";
/// 2026-11-22, noon.
const NOW_S: i64 = 1_795_348_800;

async fn connect() -> (Client, Option<(Running, tempfile::TempDir)>) {
    if let Some(path) = std::env::var_os(KUBECONFIG) {
        let kubeconfig = kube::config::Kubeconfig::read_from(path).unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await;
        return (Client::try_from(config.unwrap()).unwrap(), None);
    }
    let folder = tempfile::tempdir().unwrap();
    let config = wasmbed_apiserver::Config::new(folder.path());
    let server = ApiServer::start(config).await.unwrap();
    (server.client(), Some((server, folder)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_can_live_in_secrets() {
    let (client, server) = connect().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace =
        serde_json::from_value(json!({ "metadata": { "generateName": "keys-" } })).unwrap();
    let namespace = namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    let namespace = namespace.name_any();
    let runtime = Handle::current();
    let store = || SecretStore::new(client.clone(), &namespace, runtime.clone());

    let [one, two] = [store(), store()].map(Arc::new);
    let work = move || -> Result<u32, PkiError> {
        let mut cases = 0;
        // Two processes that start at once go on with the same keys.
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| Fleet::open(one.clone(), NOW_S));
            let second = scope.spawn(|| Fleet::open(two.clone(), NOW_S));
            (first.join().unwrap(), second.join().unwrap())
        });
        let (first, second) = (first?, second?);
        assert_eq!(first.ca_pins(), second.ca_pins());
        assert_eq!(first.signer_pins(), second.signer_pins());
        assert_eq!(first.front_proxy_ca_pem(), second.front_proxy_ca_pem());
        let leaf = first.gateway("g", "n", NOW_S)?;
        assert_eq!(second.gateway("g", "n", NOW_S)?.key_der(), leaf.key_der());
        let rotation = wasmbed_pki::Rotation::Gateway { name: "g", namespace: "n" };
        let rotated = first.rotate(rotation, NOW_S)?;
        assert_eq!(second.gateway("g", "n", NOW_S)?.certificate(), rotated.certificate());
        assert_ne!(rotated.certificate(), leaf.certificate());
        let names = ["fleet-ca", "front-proxy-ca", "gateway.n.g", "image-signer", "live-ca"];
        assert_eq!(one.list()?, names);
        assert_eq!(first.list()?.len(), names.len());
        cases += 8;
        assert!(one.read("nothing")?.is_none());
        one.remove("gateway.n.g")?;
        one.remove("gateway.n.g")?;
        assert!(two.read("gateway.n.g")?.is_none());
        cases += 3;
        Ok(cases)
    };
    let mut cases = tokio::task::spawn_blocking(work).await.unwrap().unwrap();

    // A Secret that somebody emptied is damage, and is not made anew.
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let empty = kube::api::Patch::Merge(json!({ "data": null }));
    secrets.patch("wasmbed-key-fleet-ca", &Default::default(), &empty).await.unwrap();
    let damaged = store();
    let opened = tokio::task::spawn_blocking(move || Fleet::open(Arc::new(damaged), NOW_S));
    assert!(
        matches!(opened.await.unwrap(), Err(PkiError::Damaged { name, .. }) if name == "fleet-ca")
    );
    cases += 1;

    namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
    if let Some((server, _folder)) = server {
        server.stop().await;
    }
    println!("\ncases: {cases}");
}
