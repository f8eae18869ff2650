//! Tables in an object store: moto's S3 server, from PyPI.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use mesh_core::ErrorKind;
use mesh_history::{At, HistoryConfig};

use crate::harness::{Platform, SALES, check_sales, sales};

struct Server {
    process: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Server {
    /// A server with the bucket `lake`; `None` without the Python for it.
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("MESH_CLIENT_PYTHON") else {
            assert!(
                std::env::var_os("CI").is_none(),
                "MESH_CLIENT_PYTHON is not set"
            );
            eprintln!("skipped: MESH_CLIENT_PYTHON is not set");
            return None;
        };
        let port = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = Command::new(python)
            .args([
                "-m",
                "moto.server",
                "-H",
                "127.0.0.1",
                "-p",
                &port.to_string(),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { process, port };
        while !server.bucket() {
            assert_eq!(server.process.try_wait().unwrap(), None, "the server ended");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Some(server)
    }

    fn bucket(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let request = format!(
            "PUT /lake HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.port
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.1 200")
    }

    fn config(&self, platform: &Platform) -> HistoryConfig {
        let mut config = platform.config();
        config.location = "s3://lake/tables".to_owned();
        config.options = [
            ("aws_endpoint", format!("http://127.0.0.1:{}", self.port)),
            ("aws_allow_http", "true".to_owned()),
            ("aws_region", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "anna".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        config
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_live_in_an_object_store() {
    let Some(server) = Server::start() else {
        return;
    };
    let platform = Platform::start().await;
    let product = Arc::new(platform.product(SALES).await);
    let config = server.config(&platform);
    assert!(!format!("{config:?}").contains("secret"));
    let reference = product.source().product_ref();
    let writers: Vec<_> = (0..2)
        .map(|_| Arc::new(platform.writer(config.clone()).1))
        .collect();
    for part in 0..10 {
        platform
            .send(&product, sales(part * 500..(part + 1) * 500))
            .await;
        // Both at once: the store lets one commit win.
        let passes = writers.iter().map(|writer| {
            let (writer, product) = (Arc::clone(writer), Arc::clone(&product));
            tokio::spawn(async move { writer.pass(&product.source()).await })
        });
        for pass in futures::future::join_all(passes).await {
            if let Err(error) = pass.unwrap() {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
            }
        }
    }
    writers[0].pass(&product.source()).await.unwrap();
    let (history, _) = platform.writer(config.clone());
    let before = product.snapshot(&history, At::Latest).await;
    check_sales(&before, 0..5000).await;
    assert!(history.compact(&reference).await.unwrap().merged > 0);
    let after = product.snapshot(&history, At::Latest).await;
    assert!(after.files.len() < before.files.len());
    check_sales(&after, 0..5000).await;
    let past = product
        .snapshot(&history, At::Version(before.version))
        .await;
    check_sales(&past, 0..5000).await;
    let mut config = config;
    config.grace = std::time::Duration::ZERO;
    // The server tells times in whole seconds.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let (cleaner, _) = platform.writer(config);
    let gone = before
        .files
        .iter()
        .filter(|file| !after.files.contains(file));
    let deleted = cleaner.clean(&reference).await.unwrap().deleted;
    assert_eq!(deleted, gone.count() as u64);
    check_sales(&product.snapshot(&cleaner, At::Latest).await, 0..5000).await;
}
