//! Over TLS: who is let in, and what happens to those who do not keep to the rules.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fixture::{Fixture, GADGETS};

async fn connect(server: &Fixture) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(server.running.ca_pem().as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(server.running.addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// Sends bytes as they are; the status line of the answer, or nothing if the server just closes.
async fn send(server: &Fixture, request: &[u8]) -> String {
    let mut stream = connect(server).await;
    // The server may close before it has read all.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.contains(&b'\n') {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
        }
    }
    String::from_utf8_lossy(&answer).lines().next().unwrap_or("").to_owned()
}

#[tokio::test]
async fn only_a_known_token_comes_in() {
    let server = Fixture::new().await;
    let cases = [
        ("", "401"),
        ("authorization: Bearer admin-token\r\n", "200"),
        ("authorization: bearer reader-token\r\n", "200"),
        ("authorization: Bearer admin-toke\r\n", "401"),
        ("authorization: Bearer admin-token2\r\n", "401"),
        ("authorization: Bearer\r\n", "401"),
        ("authorization: Basic YWRtaW46YWRtaW4=\r\n", "401"),
        ("x-remote-user: admin\r\nx-remote-group: system:masters\r\n", "401"),
        ("impersonate-user: admin\r\n", "401"),
    ];
    for (header, code) in cases {
        let request = format!("GET {GADGETS} HTTP/1.1\r\nhost: x\r\n{header}\r\n");
        let line = send(&server, request.as_bytes()).await;
        assert!(line.starts_with(&format!("HTTP/1.1 {code}")), "{header}: {line}");
    }
    let open = send(&server, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(open, "HTTP/1.1 200 OK");
    println!("\ncases: {}\n", cases.len() + 1);
}

#[tokio::test]
async fn nonsense_is_refused_and_the_server_goes_on() {
    let server = Fixture::new().await;
    let token = "authorization: Bearer admin-token\r\n";
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let wide = format!("x: {}\r\n", "y".repeat(64 << 10));
    let post = |body: &str| {
        format!(
            "POST {GADGETS} HTTP/1.1\r\nhost: x\r\n{token}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let yaml = |body: &str| post(body).replace("application/json", "application/yaml");
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e]\n";
    let huge = format!(
        "POST {GADGETS} HTTP/1.1\r\nhost: x\r\n{token}content-type: application/json\r\n\
         content-length: 99999999\r\n\r\n{}",
        " ".repeat(4 << 20)
    );
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n{token}\r\n");
    let selector = get(&format!("{GADGETS}?labelSelector={}", "a,".repeat(10_000)));
    let cases = [
        ("not http", "GARBAGE\r\n\r\n".to_owned(), "400"),
        ("wide header", format!("GET / HTTP/1.1\r\nhost: x\r\n{wide}\r\n"), "431"),
        ("deep JSON", post(&deep), "400"),
        ("deep YAML", yaml(&deep), "400"),
        ("YAML bomb", yaml(bomb), "400"),
        ("no JSON", post("\u{0}\u{1}"), "400"),
        ("wrong type", post("[]"), "400"),
        ("empty", post(""), "400"),
        ("huge body", huge, "413"),
        ("path escape", get("/apis/test.example/v1/namespaces/default/gadgets/%2e%2e%00"), "404"),
        ("broken escape", get(&format!("{GADGETS}?limit=%f")), "400"),
        ("long selector", selector, "4"),
        ("odd method", get("/api").replace("GET", "BREW"), "405"),
        ("empty segment", get("/apis//v1/gadgets"), "404"),
        ("negative version", get(&format!("{GADGETS}?watch=true&resourceVersion=-1")), "400"),
    ];
    for (name, request, code) in &cases {
        let line = send(&server, request.as_bytes()).await;
        assert!(line.starts_with(&format!("HTTP/1.1 {code}")), "{name}: {line:?}");
    }
    let line = send(&server, get(GADGETS).as_bytes()).await;
    assert_eq!(line, "HTTP/1.1 200 OK");
    println!("\ncases: {}\n", cases.len() + 1);
}

#[tokio::test]
async fn the_kubeconfig_lets_a_client_in_over_tls() {
    let server = Fixture::new().await;
    let text = server.running.kubeconfig("admin").unwrap();
    assert_eq!(server.running.kubeconfig("nobody"), None);
    let kubeconfig = kube::config::Kubeconfig::from_yaml(&text).unwrap();
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // Another test of this process may have been first.
    let _ = provider.install_default();
    let client = kube::Client::try_from(config).unwrap();
    assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.33.0+wasmbed.0.1.0");
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(server.directory.path().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("apiserver-ca.key"), 0o600);
    assert_eq!(mode("objects.redb"), 0o600);
    assert_eq!(mode("."), 0o700);
}
