//! A real etcd, kube-apiserver and kube-controller-manager on loopback, for one test run.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A control plane that ends with the value.
pub struct ControlPlane {
    children: Vec<Child>,
    folder: PathBuf,
    programs: PathBuf,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
    listener.local_addr().map(|address| address.port()).unwrap_or_else(|error| panic!("{error}"))
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(folder).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("openssl: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {}: {text}", arguments.join(" "));
}

impl ControlPlane {
    /// Starts one, with the programs that `cargo xtask setup --kubernetes` built.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start(name: &str, programs: &Path) -> Self {
        let folder = std::env::temp_dir().join(format!("wasmbed-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{error}"));
        let mut plane =
            Self { children: Vec::new(), folder: folder.clone(), programs: programs.to_owned() };
        keys(&folder);
        let (etcd, peer, api) = (free_port(), free_port(), free_port());
        plane.etcd(etcd, peer);
        plane.api_server(etcd, api);
        let kubeconfig = plane.kubeconfig();
        std::fs::write(&kubeconfig, kubeconfig_text(api)).unwrap_or_else(|error| panic!("{error}"));
        plane.until_ready();
        plane.controller_manager();
        plane
    }

    /// Kubeconfig of an administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// The kubectl of this control plane.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(self.programs.join("kubectl"));
        command.arg("--kubeconfig").arg(self.kubeconfig()).stdin(Stdio::null());
        command
    }

    fn spawn(&mut self, program: &str, arguments: &[String]) {
        let log = std::fs::File::create(self.folder.join(format!("{program}.log")))
            .unwrap_or_else(|error| panic!("{error}"));
        let child = Command::new(self.programs.join(program))
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        self.children.push(child);
    }

    fn etcd(&mut self, client: u16, peer: u16) {
        let client = format!("http://127.0.0.1:{client}");
        let peer = format!("http://127.0.0.1:{peer}");
        self.spawn(
            "etcd",
            &[
                "--data-dir=etcd".into(),
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster=default={peer}"),
            ],
        );
    }

    fn api_server(&mut self, etcd: u16, port: u16) {
        let header = "X-Remote-";
        self.spawn(
            "kube-apiserver",
            &[
                format!("--etcd-servers=http://127.0.0.1:{etcd}"),
                "--cert-dir=certs".into(),
                "--service-account-issuer=https://kubernetes.default.svc".into(),
                "--service-account-key-file=sa.pub".into(),
                "--service-account-signing-key-file=sa.key".into(),
                "--service-cluster-ip-range=10.0.0.0/24".into(),
                "--authorization-mode=RBAC".into(),
                "--token-auth-file=tokens.csv".into(),
                format!("--secure-port={port}"),
                "--bind-address=127.0.0.1".into(),
                "--requestheader-client-ca-file=front-ca.crt".into(),
                "--requestheader-allowed-names=front-proxy-client".into(),
                format!("--requestheader-username-headers={header}User"),
                format!("--requestheader-group-headers={header}Group"),
                format!("--requestheader-extra-headers-prefix={header}Extra-"),
                "--proxy-client-cert-file=front.crt".into(),
                "--proxy-client-key-file=front.key".into(),
            ],
        );
    }

    fn controller_manager(&mut self) {
        self.spawn(
            "kube-controller-manager",
            &[
                "--kubeconfig=admin.kubeconfig".into(),
                "--use-service-account-credentials=false".into(),
                "--leader-elect=false".into(),
                "--secure-port=0".into(),
            ],
        );
    }

    fn until_ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            let ready = self.kubectl().args(["get", "--raw", "/readyz"]).output();
            if ready.is_ok_and(|output| output.status.success()) {
                return;
            }
            for child in &mut self.children {
                if let Ok(Some(status)) = child.try_wait() {
                    panic!("a part of the control plane ended with {status}: {}", self.log());
                }
            }
            assert!(Instant::now() < deadline, "the control plane is not ready: {}", self.log());
            // The API server offers nothing to wait on before it listens; kubectl itself is the
            // pause between two looks.
        }
    }

    fn log(&self) -> String {
        ["etcd", "kube-apiserver"]
            .iter()
            .map(|name| {
                let path = self.folder.join(format!("{name}.log"));
                let text = std::fs::read_to_string(path).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                lines[lines.len().saturating_sub(20)..].join("\n")
            })
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::env::var_os("WASMBED_KEEP").is_none() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn keys(folder: &Path) {
    let extensions = "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n";
    std::fs::write(folder.join("front.ext"), extensions).unwrap_or_else(|error| panic!("{error}"));
    openssl(folder, &["genrsa", "-out", "sa.key", "2048"]);
    openssl(folder, &["rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub"]);
    let ca = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"];
    let files = ["/CN=front-proxy-ca", "-keyout", "front-ca.key", "-out", "front-ca.crt"];
    openssl(folder, &[ca.as_slice(), &files].concat());
    openssl(
        folder,
        &[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=front-proxy-client",
            "-keyout",
            "front.key",
            "-out",
            "front.csr",
        ],
    );
    openssl(
        folder,
        &[
            "x509",
            "-req",
            "-in",
            "front.csr",
            "-CA",
            "front-ca.crt",
            "-CAkey",
            "front-ca.key",
            "-CAcreateserial",
            "-extfile",
            "front.ext",
            "-days",
            "2",
            "-out",
            "front.crt",
        ],
    );
    let tokens = "test-admin-token,admin,1,\"system:masters\"\n";
    std::fs::write(folder.join("tokens.csv"), tokens).unwrap_or_else(|error| panic!("{error}"));
}

/// The certificate of a control plane that lives for one test is not worth verifying.
fn kubeconfig_text(port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters:\n- name: test\n  cluster:\n    server: https://127.0.0.1:{port}\n    insecure-skip-tls-verify: true\n\
         users:\n- name: admin\n  user:\n    token: test-admin-token\n\
         contexts:\n- name: test\n  context:\n    cluster: test\n    user: admin\n"
    )
}
