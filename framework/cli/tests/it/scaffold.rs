//! `mesh new` and `mesh dev` as people run them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::harness::{mesh, text};
use crate::plan_apply::Up;

/// Runs `mesh` in `folder`, and expects an exit code; what was said.
fn check(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = mesh()
        .current_dir(folder)
        .env_remove("MESH_TEMPLATES")
        .args(arguments)
        .output()
        .unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

#[test]
fn new_says_what_it_wrote_and_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let said = check(folder, &["new", "domain", "shop"], 0);
    assert!(said.contains("wrote domains/shop/README.md"), "{said}");
    assert!(
        said.contains("next: mesh new product shop/<product>"),
        "{said}"
    );
    let said = check(folder, &["new", "domain", "Shop"], 1);
    assert!(
        said.contains("`Shop` is not a valid name") && said.contains("mend: "),
        "{said}"
    );
    let said = check(folder, &["new", "domain", "shop"], 1);
    assert!(
        said.contains("the domain `shop` is there already"),
        "{said}"
    );
    // Nobody is at a terminal here.
    let said = check(folder, &["new", "product", "shop/orders"], 1);
    assert!(
        said.contains("the product has no columns") && said.contains("--field"),
        "{said}"
    );
    let fields = [
        "--field=id:string:required",
        "--field=email:string",
        "--personal=email",
    ];
    let line = [
        &["new", "product", "shop/orders", "--key=id", "--kind=state"],
        &fields[..],
    ]
    .concat();
    let said = check(folder, &line, 0);
    assert!(
        said.contains("wrote domains/shop/products/orders/contract.odcs.yaml"),
        "{said}"
    );
    assert!(
        said.contains("next: mesh apply, then mesh run domains/shop"),
        "{said}"
    );
    let said = check(folder, &["contract", "lint", "domains/shop"], 0);
    assert!(!said.contains("whose data"), "{said}");
    // From a folder below, the nearest domains/ is the one.
    let below = folder.join("domains/shop/products");
    check(&below, &["new", "domain", "depot"], 0);
    assert!(folder.join("domains/depot").is_dir());
}

#[test]
fn templates_are_written_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let said = check(folder, &["new", "templates", "ours"], 0);
    assert!(
        said.contains("wrote ours/domain/folder/README.md.j2"),
        "{said}"
    );
    check(folder, &["new", "templates", "ours"], 1);
    let readme = folder.join("ours/domain/folder/README.md.j2");
    std::fs::write(&readme, "# Our {{ domain }}\n").unwrap();
    let output = mesh()
        .current_dir(folder)
        .args(["new", "domain", "shop"])
        .env("MESH_TEMPLATES", "ours")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let made = std::fs::read_to_string(folder.join("domains/shop/README.md")).unwrap();
    assert_eq!(made, "# Our shop\n");
    std::fs::write(&readme, "# Our\n\n{{ domain\n").unwrap();
    let said = check(
        folder,
        &["new", "domain", "depot", "--templates", "ours"],
        1,
    );
    assert!(
        said.contains("a template is broken") && said.contains("README.md.j2"),
        "{said}"
    );
    assert!(!folder.join("domains/depot").exists());
}

#[test]
fn a_subject_and_the_catalog_give_contracts() {
    let up = Up::start();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let schema = r#"{"type":"record","name":"Placed","fields":[{"name":"id","type":"string"}]}"#;
    let url = format!("{}/subjects/old.orders-value/versions", up.registry);
    let body = serde_json::json!({ "schema": schema });
    let sent = runtime.block_on(reqwest::Client::new().post(url).json(&body).send());
    assert!(sent.unwrap().status().is_success());

    check(folder, &["new", "domain", "shop"], 0);
    let registry = format!("--registry={}", up.registry);
    let line = [
        "new",
        "product",
        "shop/orders",
        "--key=id",
        "--kind=event",
        &registry,
    ];
    let said = check(
        folder,
        &[&line[..], &["--from-subject=old.gone-value"]].concat(),
        1,
    );
    assert!(said.contains("old.gone-value"), "{said}");
    check(
        folder,
        &[&line[..], &["--from-subject=old.orders-value"]].concat(),
        0,
    );
    let at = folder.display().to_string();
    up.check(&["apply", "--yes", "--folder", &at], 0);
    // The product is in service.
    let said = up.check(
        &["sql", "--format=csv", "SELECT count(*) FROM shop.orders"],
        0,
    );
    assert!(said.contains("\n0"), "{said}");

    // The workspace's manifest is all that `new` looks at.
    let own = crate::harness::workspace();
    let manifest = std::fs::read_to_string(own.join("Cargo.toml")).unwrap();
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("Cargo.toml"), manifest).unwrap();
    check(other.path(), &["new", "domain", "billing"], 0);
    let line = ["new", "consumer", "billing/invoices", "--of=shop/orders"];
    let said = check(other.path(), &line, 1);
    assert!(
        said.contains("there is no contract of `shop/orders` here"),
        "{said}"
    );
    let url = format!("--url={}", up.url);
    check(other.path(), &[&line[..], &[url.as_str()]].concat(), 0);
    let input = other.path().join("domains/billing/inputs/orders.odcs.yaml");
    assert!(
        std::fs::read_to_string(input)
            .unwrap()
            .contains("shop.orders.v1")
    );
}

/// A `mesh dev` that runs.
struct Dev {
    child: Child,
    lines: mpsc::Receiver<String>,
    port: u16,
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Dev {
    fn start(folder: &Path, domain: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut child = mesh()
            .current_dir(folder)
            .args(["dev", domain, "--"])
            .arg(format!("--listen=127.0.0.1:{port}"))
            // Nobody is there: a domain waits for its platform and answers meanwhile.
            .args([
                "--bootstrap=127.0.0.1:1",
                "--registry-url=http://127.0.0.1:1",
            ])
            .args(["--catalog-url=http://127.0.0.1:1"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (told, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        Self { child, lines, port }
    }

    /// Waits until `words` are said.
    fn until_said(&self, words: &str) {
        let begun = Instant::now();
        let mut said = Vec::new();
        loop {
            let left = Duration::from_secs(60).saturating_sub(begun.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(words) => return,
                Ok(line) => said.push(line),
                Err(_) => panic!("`{words}` is not said: {}", said.join("\n")),
            }
        }
    }

    fn status(&self) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let request = "GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    fn until_answered(&self) {
        let begun = Instant::now();
        while self.status().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60), "nobody answers");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn dev_starts_a_domain_anew_and_keeps_it_while_files_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    check(folder, &["new", "domain", "shop"], 0);
    let product = |name: &str| {
        let name = format!("shop/{name}");
        check(
            folder,
            &[
                "new",
                "product",
                &name,
                "--key=id",
                "--field=id:string:required",
            ],
            0,
        );
    };
    product("orders");
    let mut dev = Dev::start(folder, "shop");
    dev.until_said("shop: started");
    dev.until_answered();

    // Rows are no reason.
    std::fs::create_dir(folder.join("domains/shop/in")).unwrap();
    std::fs::write(folder.join("domains/shop/in/orders.csv"), "id\n1\n").unwrap();
    let contract = folder.join("domains/shop/products/orders/contract.odcs.yaml");
    let sound = std::fs::read_to_string(&contract).unwrap();
    std::fs::write(&contract, format!("{sound}nonsense: 1\n")).unwrap();
    dev.until_said("shop: files have changed");
    dev.until_said("nonsense");
    dev.until_said("what ran before goes on");
    assert!(dev.status().is_some());

    std::fs::write(&contract, sound).unwrap();
    dev.until_said("shop: started");
    product("returns");
    dev.until_said("shop: started");
    dev.until_answered();

    let id = i32::try_from(dev.child.id()).unwrap();
    // SAFETY: the child is ours and was not waited for.
    unsafe { libc::kill(id, libc::SIGTERM) };
    assert!(dev.child.wait().unwrap().success());
    assert!(dev.status().is_none(), "the domain runs on");
}

#[test]
fn dev_names_what_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let said = check(folder.path(), &["dev", "shop"], 1);
    assert!(said.contains("there is no domain `shop`"), "{said}");
    let said = check(folder.path(), &["dev", "domains/shop"], 1);
    assert!(said.contains("no such folder of a domain"), "{said}");
}
