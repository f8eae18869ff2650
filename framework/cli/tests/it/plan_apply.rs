//! `mesh plan`, `mesh apply` and `mesh adopt` as people and pipelines run them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Output, Stdio};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::{Value, json};

use crate::harness::{mesh, text, workspace};

/// A platform of the test's own.
pub(crate) struct Up {
    child: Child,
    pub(crate) kafka: String,
    pub(crate) registry: String,
    pub(crate) url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Up {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = mesh()
            .args([
                "up",
                "--kafka-port=0",
                "--registry-port=0",
                "--http-port=0",
                "--postgres-port=0",
            ])
            .arg(format!("--data-dir={}", folder.path().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = |name: &str| loop {
            let line = lines.next().unwrap().unwrap();
            if let Some(rest) = line.trim().strip_prefix(name) {
                break rest.trim().to_owned();
            }
        };
        let (kafka, registry, sql) = (told("Kafka"), told("Registry"), told("SQL"));
        Self {
            child,
            kafka,
            registry,
            url: sql.trim_end_matches("/api/v1/sql").to_owned(),
            _folder: folder,
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        mesh()
            .args(arguments)
            .env("MESH_BOOTSTRAP", &self.kafka)
            .env("MESH_REGISTRY_URL", &self.registry)
            .env("MESH_URL", &self.url)
            .env("MESH_PRINCIPAL", "user:jana")
            .output()
            .unwrap()
    }

    /// Runs, and expects an exit code; what was said.
    pub(crate) fn check(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    }

    /// The same, of one JSON document.
    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.run(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

/// The products of this repository's domains, as a folder of the test's own.
fn copy_domains(to: &Path) {
    for domain in std::fs::read_dir(workspace().join("domains")).unwrap() {
        let domain = domain.unwrap();
        let Ok(products) = std::fs::read_dir(domain.path().join("products")) else {
            continue;
        };
        for product in products {
            let product = product.unwrap();
            let copy = to
                .join("domains")
                .join(domain.file_name())
                .join("products")
                .join(product.file_name());
            std::fs::create_dir_all(&copy).unwrap();
            for file in ["product.odps.yaml", "contract.odcs.yaml"] {
                std::fs::copy(product.path().join(file), copy.join(file)).unwrap();
            }
        }
    }
}

fn change(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    std::fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_folder_is_planned_applied_and_planned_again() {
    let up = Up::start();
    let root = tempfile::tempdir().unwrap();
    copy_domains(root.path());
    let folder = format!("--folder={}", root.path().display());
    let file = root.path().join("plan.json");
    let out = format!("--out={}", file.display());

    up.check(&["plan", &folder], 0);
    let said = up.check(&["plan", &folder, &out, "--detailed-exitcode"], 2);
    assert!(said.contains("create topic customer."), "{said}");
    let planned = up.json(&["plan", &folder, "--json"], 0);
    let create = planned["summary"]["create"].as_u64().unwrap();
    assert!(create >= 12, "{planned:#}");

    // Nobody is there to be asked.
    let said = up.check(&["apply", &folder], 1);
    assert!(said.contains("--yes"), "{said}");
    let applied = up.json(&["apply", file.to_str().unwrap(), "--json"], 0);
    assert_eq!(applied["outcome"], "applied");
    let steps = planned["steps"].as_array().unwrap().len();
    assert_eq!(applied["applied"].as_array().unwrap().len(), steps);
    let said = up.check(&["plan", &folder, "--detailed-exitcode"], 0);
    assert!(said.contains("No changes"), "{said}");
    let again = up.json(&["apply", &folder, "--yes", "--json"], 0);
    assert_eq!(again["outcome"], "nothing");
    let said = up.check(&["apply", file.to_str().unwrap()], 3);
    assert!(said.contains("has moved"), "{said}");

    // Who did what is asked in SQL.
    let said = up.check(
        &[
            "sql",
            "--format=csv",
            "SELECT principal, count(*) FROM platform.plan_log WHERE phase = 'DONE' GROUP BY principal",
        ],
        0,
    );
    assert!(said.contains(&format!("user:jana,{steps}")), "{said}");

    // A contract that changes under its version is refused; a file that is wrong is named.
    let products = root.path().join("domains/customer/products");
    let product = std::fs::read_dir(&products).unwrap().next().unwrap();
    let contract = product.unwrap().path().join("contract.odcs.yaml");
    change(&contract, "\n", "\n# Another text.\n");
    let said = up.check(&["plan", &folder], 3);
    assert!(said.contains("way out: raise `version`"), "{said}");
    up.check(&["apply", &folder, "--yes"], 3);
    change(&contract, "kind: DataContract", "kind: Contract");
    let said = up.check(&["apply", &folder, "--yes"], 1);
    assert!(said.contains("contract.odcs.yaml:3"), "{said}");

    // A platform that is away is an error, whatever is wished.
    let other = tempfile::tempdir().unwrap();
    copy_domains(other.path());
    let folder = format!("--folder={}", other.path().display());
    let away = ["plan", &folder, "--registry=http://127.0.0.1:9"];
    let said = up.check(&away, 1);
    assert!(
        said.contains("registry") && said.contains("mend:"),
        "{said}"
    );
}

#[tokio::test]
async fn topics_of_others_are_adopted_and_then_there_are_no_changes() {
    let up = Up::start();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &up.kafka);
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let names: Vec<String> = (0..50)
        .map(|number| format!("Acme-Orders-{number}"))
        .collect();
    let topics: Vec<NewTopic<'_>> = names
        .iter()
        .map(|name| {
            NewTopic::new(name, 2, TopicReplication::Fixed(1)).set("retention.ms", "604800000")
        })
        .collect();
    for made in admin
        .create_topics(&topics, &AdminOptions::new())
        .await
        .unwrap()
    {
        made.unwrap();
    }
    let schema = json!({"type": "record", "name": "Order", "namespace": "com.acme", "fields": [
        {"name": "order_id", "type": "long"}, {"name": "note", "type": ["null", "string"]}]});
    for name in &names {
        let answer = reqwest::Client::new()
            .post(format!("{}/subjects/{name}-value/versions", up.registry))
            .json(&json!({ "schema": schema.to_string() }))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success());
    }
    let root = tempfile::tempdir().unwrap();
    let folder = format!("--folder={}", root.path().display());
    let adopted = up.json(
        &[
            "adopt",
            "--domain=acme",
            "--topics=Acme-*",
            &folder,
            "--json",
        ],
        0,
    );
    assert_eq!(adopted["registered"], 50, "{adopted:#}");
    assert_eq!(adopted["skipped"], json!([]));
    let said = up.check(&["plan", &folder, "--detailed-exitcode"], 0);
    assert!(said.contains("No changes"), "{said}");
    // SQL reads the topic by the name of its product.
    let said = up.check(
        &[
            "sql",
            "--format=csv",
            "SELECT count(*) AS n FROM acme.orders_7",
        ],
        0,
    );
    assert!(said.contains("0"), "{said}");
    let again = up.json(&["adopt", "--domain=acme", &folder, "--json"], 0);
    assert_eq!(again["adopted"], json!([]));
}
