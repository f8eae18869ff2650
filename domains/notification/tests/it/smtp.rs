//! The SMTP server of the tests, a child process: see tests/smtp/server.py.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use notification::settings::{Patience, Settings, Smtp, SmtpUrl};
use serde_json::Value as Json;

/// The Python that has the server's packages, if this run has one.
pub(crate) fn python() -> Option<OsString> {
    let python = std::env::var_os("MESH_CLIENT_PYTHON");
    if python.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "MESH_CLIENT_PYTHON has to name a Python with tests/smtp/requirements.txt in CI"
        );
        eprintln!("skipped: MESH_CLIENT_PYTHON names no Python with tests/smtp/requirements.txt");
    }
    python
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    happened: Arc<Mutex<Vec<Json>>>,
}

impl Server {
    pub(crate) fn start(python: &OsString, arguments: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp/server.py");
        let mut child = Command::new(python)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Json = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let happened = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&happened);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                seen.lock()
                    .unwrap()
                    .push(serde_json::from_str(&line).unwrap());
            }
        });
        Self {
            child,
            port: u16::try_from(first["port"].as_u64().unwrap()).unwrap(),
            happened,
        }
    }

    /// The messages that were taken.
    pub(crate) fn taken(&self) -> Vec<Json> {
        self.all(|one| one["taken"] == true)
    }

    /// The recipients, or logins, that were refused.
    pub(crate) fn refused(&self) -> Vec<Json> {
        self.all(|one| one["refused"].is_u64())
    }

    fn all(&self, wanted: impl Fn(&Json) -> bool) -> Vec<Json> {
        let happened = self.happened.lock().unwrap();
        happened.iter().filter(|one| wanted(one)).cloned().collect()
    }

    /// Waits until `seen` of the server is so many.
    pub(crate) async fn until(&self, wanted: usize, seen: impl Fn(&Self) -> Vec<Json>) {
        let begun = Instant::now();
        while seen(self).len() < wanted {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{:?}",
                self.happened.lock().unwrap()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Settings with the mail server at `url`, and little patience.
pub(crate) fn settings(url: String, authorities: Option<PathBuf>) -> Settings {
    Settings {
        smtp: Some(Smtp {
            url: SmtpUrl::new(url),
            from: "Your bank <no-reply@bank.example>".parse().unwrap(),
            authorities,
            timeout: Duration::from_secs(5),
        }),
        patience: Patience {
            first: Duration::from_millis(200),
            longest: Duration::from_millis(400),
            give_up: Duration::from_secs(60),
        },
        ..Settings::read(|_| None).unwrap()
    }
}

pub(crate) fn plain(port: u16) -> Settings {
    settings(format!("smtp://127.0.0.1:{port}"), None)
}
