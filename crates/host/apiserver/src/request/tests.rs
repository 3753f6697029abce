//! Paths and queries, case by case.

use super::{Query, Route, Target, route};

#[track_caller]
fn check(path: &str, shown: &str) {
    let found = match route(path) {
        Route::Resource(Target { group, version, namespace, plural, name, subresource }) => {
            format!(
                "{group}|{version}|{}|{plural}|{}|{}",
                namespace.unwrap_or_default(),
                name.unwrap_or_default(),
                subresource.unwrap_or_default()
            )
        }
        other => format!("{other:?}"),
    };
    assert_eq!(found, shown, "{path}");
}

#[test]
fn a_path_names_one_thing() {
    for (path, shown) in [
        ("/", "Root"),
        ("/api", "CoreVersions"),
        ("/apis/", "Groups"),
        ("/apis/a.b", "Group(\"a.b\")"),
        ("/api/v1", "GroupVersion(\"\", \"v1\")"),
        ("/api/v1/namespaces", "|v1||namespaces||"),
        ("/api/v1/namespaces/x", "|v1||namespaces|x|"),
        ("/api/v1/namespaces/x/status", "|v1||namespaces|x|status"),
        ("/api/v1/namespaces/x/events", "|v1|x|events||"),
        ("/apis/g/v1/namespaces/x/things/y/status", "g|v1|x|things|y|status"),
        ("/apis/g/v1/namespaces/x/things/y/log/tail", "g|v1|x|things|y|log/tail"),
        ("/apis/g/v1/things/a%2Fb", "g|v1||things|a/b|"),
        ("/apis/g/v1/things/%zz", "Unknown"),
        ("/apis/g/v1/things/%00", "Unknown"),
        ("/apis//v1", "Unknown"),
        ("/openapi/v3/apis/g/v1", "OpenApi(\"g\", \"v1\")"),
        ("/nonsense", "Unknown"),
    ] {
        check(path, shown);
    }
    println!("\ncases: 17\n");
}

#[test]
fn a_query_is_decoded() {
    let query = Query::parse("a=b%20c&limit=5&watch=true&x").unwrap();
    assert_eq!(query.value("a"), "b c");
    assert_eq!(query.number("limit").unwrap(), Some(5));
    assert!(query.flag("watch"));
    assert!(!query.flag("x"));
    assert!(Query::parse("a=%ff").is_err());
}
