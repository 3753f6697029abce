//! Lists: pages, selectors, representations; and discovery.

use serde_json::{Value, json};

use crate::fixture::{Fixture, GADGETS, gadget};

const TABLE: &str = "accept:application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_join_to_the_whole_list() {
    let server = Fixture::new().await;
    for number in 0..25 {
        server.post(GADGETS, &gadget(&format!("g{number:02}"), &json!({"size": 1}))).await.ok();
    }
    let whole = server.get(GADGETS).await.ok();
    assert_eq!(whole["kind"], "GadgetList");
    assert_eq!(names(&whole).len(), 25);
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = server.get(&format!("{GADGETS}?limit=10&continue={token}")).await.ok();
        assert_eq!(page["metadata"]["resourceVersion"], whole["metadata"]["resourceVersion"]);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        match page["metadata"]["continue"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, names(&whole));
    assert_eq!(server.get(&format!("{GADGETS}?continue=nonsense")).await.code, 400);
    assert_eq!(server.get(&format!("{GADGETS}?limit=many")).await.code, 400);
    let ahead = server.get(&format!("{GADGETS}?resourceVersion=999999")).await;
    assert_eq!(ahead.outcome(), "504 Timeout");
}

#[tokio::test]
async fn a_list_longer_than_a_piece_is_whole() {
    let server = Fixture::new().await;
    let long = "x".repeat(50_000);
    for number in 0..12 {
        let mut object = gadget(&format!("g{number:02}"), &json!({"size": 1}));
        object["metadata"]["annotations"] = json!({"test.example/long": long});
        server.post(GADGETS, &object).await.ok();
    }
    assert_eq!(names(&server.get(GADGETS).await.ok()).len(), 12);
    let table = server.call("GET", GADGETS, TABLE, &Value::Null).await.ok();
    assert_eq!(table["rows"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn selectors_select() {
    let server = Fixture::new().await;
    for (name, app) in [("a", "web"), ("b", "db"), ("c", "web")] {
        let mut object = gadget(name, &json!({"size": 1}));
        object["metadata"]["labels"] = json!({"app": app});
        server.post(GADGETS, &object).await.ok();
    }
    let cases = [
        ("labelSelector=app%3Dweb", vec!["a", "c"]),
        ("labelSelector=app+in+(db,x)", vec!["b"]),
        ("labelSelector=app!%3Dweb", vec!["b"]),
        ("fieldSelector=metadata.name%3Db", vec!["b"]),
        ("fieldSelector=metadata.name!%3Db&labelSelector=app", vec!["a", "c"]),
        ("fieldSelector=metadata.namespace%3Dother", vec![]),
    ];
    for (query, expected) in &cases {
        let list = server.get(&format!("{GADGETS}?{query}")).await.ok();
        assert_eq!(&names(&list), expected, "{query}");
    }
    assert_eq!(server.get(&format!("{GADGETS}?fieldSelector=spec.x%3D1")).await.code, 400);
    assert_eq!(server.get(&format!("{GADGETS}?labelSelector=a+b")).await.code, 400);
    println!("\ncases: {}\n", cases.len() + 2);
}

#[tokio::test]
async fn a_table_has_the_columns_of_the_definition() {
    let server = Fixture::new().await;
    server.post(GADGETS, &gadget("one", &json!({"size": 3}))).await.ok();
    let status = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    server.merge(&format!("{GADGETS}/one/status"), &status).await.ok();
    let table = server.call("GET", GADGETS, TABLE, &Value::Null).await.ok();
    assert_eq!(table["kind"], "Table");
    let columns = table["columnDefinitions"].as_array().unwrap().iter();
    let columns: Vec<_> = columns.map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(columns, ["Name", "Ready", "Size", "Mode", "Age"]);
    let row = &table["rows"][0];
    assert_eq!(
        row["cells"].as_array().unwrap()[..4],
        [json!("one"), json!("True"), json!(3), json!("Fast")]
    );
    assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(row["object"]["metadata"]["name"], "one");
    let metadata = "accept:application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    let list = server.call("GET", GADGETS, metadata, &Value::Null).await.ok();
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0].get("spec"), None);
    let namespaces = server.call("GET", "/api/v1/namespaces", TABLE, &Value::Null).await.ok();
    assert_eq!(namespaces["rows"][0]["cells"][1], "Active");
}

#[tokio::test]
async fn discovery_lists_what_is_served() {
    let server = Fixture::new().await;
    let v2 = "accept:application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let groups = server.call("GET", "/apis", v2, &Value::Null).await.ok();
    let group = groups["items"].as_array().unwrap().iter();
    let group = group.clone().find(|item| item["metadata"]["name"] == "test.example").unwrap();
    let gadgets = &group["versions"][0]["resources"][0];
    assert_eq!(gadgets["resource"], "gadgets");
    assert_eq!(gadgets["shortNames"], json!(["gd"]));
    assert_eq!(gadgets["subresources"].as_array().unwrap().len(), 2);
    let old = server.get("/apis/test.example/v1").await.ok();
    assert_eq!(old["resources"].as_array().unwrap().len(), 3);
    assert_eq!(server.get("/apis/test.example").await.ok()["kind"], "APIGroup");
    assert_eq!(server.get("/api").await.ok()["versions"], json!(["v1"]));
    assert_eq!(server.get("/version").await.ok()["gitVersion"], "v1.33.0+wasmbed.0.1.0");
    assert_eq!(server.get("/openapi/v2").await.ok()["swagger"], "2.0");
    // As kubectl asks. In protobuf: 1 "2.0", 2 {1 "Kubernetes", 2 "0.1.0"}, 8 "".
    let protobuf = "accept:application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    let document = server.call("GET", "/openapi/v2", protobuf, &Value::Null).await;
    let expected = "\n\u{3}2.0\u{12}\u{13}\n\u{a}Kubernetes\u{12}\u{5}0.1.0B\0";
    assert_eq!((document.code, &document.body), (200, &json!(expected)));
    let index = server.get("/openapi/v3").await.ok();
    let paths = index["paths"].as_object().unwrap();
    assert!(!paths.is_empty());
    for entry in paths.values() {
        let document = server.get(entry["serverRelativeURL"].as_str().unwrap()).await.ok();
        assert_eq!(document["openapi"], "3.0.0");
    }
    let crds = server.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").await.ok();
    assert_eq!(names(&crds), ["gadgets.test.example"]);
    println!("\ncases: {}\n", paths.len() + 12);
}
