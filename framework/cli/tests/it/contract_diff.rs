//! `mesh contract diff` on the products of the repository: what it tells, whom it names, and
//! how it exits.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Output;

use mesh_core::avro::{SchemaUse, key_schema, value_schema};
use mesh_core::contract::Contract;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::harness::{mesh, text, workspace};
use crate::replay::Platform;

const SCORES: &str = "domains/customer/products/credit_scores";

/// A folder with the repository's domains, and `new`: the credit scores as they are edited.
struct Mesh(TempDir);

impl Mesh {
    fn new(edits: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(workspace().join("domains"), folder.path().join("domains")).unwrap();
        let mesh = Self(folder);
        std::fs::create_dir(mesh.path("new")).unwrap();
        for file in ["contract.odcs.yaml", "product.odps.yaml"] {
            let text = std::fs::read_to_string(workspace().join(SCORES).join(file)).unwrap();
            std::fs::write(mesh.path("new").join(file), text).unwrap();
        }
        for (from, to) in edits {
            mesh.edit("contract.odcs.yaml", from, to);
        }
        mesh
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.path("new").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from:?}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }

    /// Writes the version into both files.
    fn version(self, version: &str) -> Self {
        let major = version.split('.').next().unwrap();
        self.edit(
            "contract.odcs.yaml",
            "version: \"1.0.0\"",
            &format!("version: \"{version}\""),
        );
        self.edit(
            "contract.odcs.yaml",
            "customer.credit_scores.v1",
            &format!("customer.credit_scores.v{major}"),
        );
        let version = format!("version: \"{version}\"");
        let (own, port) = (
            "name: credit_scores\nversion: \"1.0.0\"",
            "    type: kafka\n    version: \"1.0.0\"",
        );
        for from in [own, port] {
            self.edit(
                "product.odps.yaml",
                from,
                &from.replace("version: \"1.0.0\"", &version),
            );
        }
        self
    }

    fn diff(&self, arguments: &[&str]) -> Output {
        mesh()
            .current_dir(self.0.path())
            .args(["contract", "diff"])
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Checks the exit code of the difference to the repository's credit scores, and what is said.
    fn check(&self, code: i32, parts: &[&str]) {
        let output = self.diff(&[SCORES, "new"]);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(line.contains(part), "{part:?} in {said}");
        }
        assert!(
            !said.contains('\x1b'),
            "colour where no terminal is: {said}"
        );
    }

    fn json(&self) -> (i32, Json) {
        let output = self.diff(&[SCORES, "new", "--json"]);
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
        (output.status.code().unwrap(), report)
    }
}

/// One more symbol of a column that another domain has in its copy.
const SYMBOL: (&str, &str) = (
    "          - value: UNSCORED\n",
    "          - value: E\n            description: Not to be lent to.\n          - value: UNSCORED\n",
);

#[test]
fn exit_codes_tell_what_fits() {
    Mesh::new(&[]).check(0, &["nothing changed", "the version fits"]);
    let comment = [(
        "name: Credit scores",
        "# So it is called.\nname: Credit scores",
    )];
    Mesh::new(&comment).check(
        0,
        &[
            "nothing changed",
            "note: the contracts differ in what changes nothing",
        ],
    );
    let words = [("name: Credit scores", "name: Scores")];
    Mesh::new(&words).check(
        3,
        &[
            "documentation name changed",
            "new/contract.odcs.yaml:5: version",
            "write version 1.0.1",
        ],
    );
    Mesh::new(&words)
        .version("1.0.1")
        .check(0, &["the version fits"]);
    Mesh::new(&[SYMBOL]).version("1.1.0").check(
        3,
        &[
            "readers only schema.properties.band.enum widened E",
            "under the same major",
            "write version 2.0.0 and topic `customer.credit_scores.v2` beside the old one",
            "touches: customer (for score_drift) by band: it has to act first; loan (for decisions) \
             by band: it has to act first",
        ],
    );
    Mesh::new(&[SYMBOL])
        .version("2.0.0")
        .check(0, &["readers only", "the version fits"]);
}

#[test]
fn a_copy_is_touched_by_the_columns_it_knows_alone() {
    // The loan's copy of the scores does not have the column; a product of the own domain is made
    // from all of them.
    let mesh = Mesh::new(&[(
        "      - name: transaction_count\n        logicalType: integer\n        logicalTypeOptions: { minimum: 0 }\n        required: true",
        "      - name: transaction_count\n        logicalType: integer\n        logicalTypeOptions: { minimum: 0 }\n        required: false",
    )]);
    mesh.check(
        3,
        &[
            "schema.properties.transaction_count.required widened",
            "touches: customer (for score_drift) by transaction_count: it has to act first way out:",
        ],
    );
}

#[test]
fn json_has_what_the_document_says() {
    let (code, report) = Mesh::new(&[SYMBOL]).version("1.1.0").json();
    assert_eq!(code, 3);
    for (field, expected) in [
        ("product", json!("customer.credit_scores")),
        ("old_version", json!("1.0.0")),
        ("new_version", json!("1.1.0")),
        ("class", json!("readers_only")),
        ("required", json!("major")),
        ("given", json!("minor")),
        ("fits", json!(false)),
    ] {
        assert_eq!(report[field], expected, "{field}");
    }
    let change = &report["changes"][0];
    assert_eq!(change["path"], "schema.properties.band.enum");
    assert_eq!(change["file"], "new/contract.odcs.yaml");
    let contract = std::fs::read_to_string(workspace().join(SCORES).join("contract.odcs.yaml"));
    let lines = contract.unwrap();
    let band = lines
        .lines()
        .position(|line| line.contains("name: band"))
        .unwrap();
    let line = change["line"].as_u64().unwrap() as usize;
    assert!(line > band && line < band + 8, "{line} after {band}");
    assert_eq!(
        change["reads"],
        json!({"new_reads_old": true, "old_reads_new": false})
    );
    assert_eq!(
        change["touches"],
        json!([
            {"domain": "customer", "products": ["score_drift"], "columns": ["band"], "must_act": true},
            {"domain": "loan", "products": ["decisions"], "columns": ["band"], "must_act": true},
        ])
    );
    let loan = &report["consumers"][1];
    assert_eq!(loan["domain"], "loan");
    assert_eq!(loan["has_copy"], true);
    assert_eq!(
        loan["files"],
        json!([
            "./domains/loan/products/decisions/product.odps.yaml",
            "./domains/loan/inputs/credit_scores.odcs.yaml"
        ])
    );
    // Every field that is written is in the document, and the other way round.
    let docs = std::fs::read_to_string(workspace().join("docs/versions.md")).unwrap();
    let section = docs.split("The JSON document:").nth(1).unwrap();
    let keys = |value: &Json| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let all = [
        keys(&report),
        keys(change),
        keys(&change["touches"][0]),
        keys(loan),
        keys(&report["refusals"][0]),
    ];
    for key in all.concat() {
        let named = [
            format!("`{key}`"),
            format!("`{key}[]`"),
            format!(".{key}`"),
            format!(".{key}[]`"),
        ];
        assert!(
            named.iter().any(|name| section.contains(name)),
            "`{key}` is not in docs/versions.md"
        );
    }
}

#[test]
fn markdown_is_a_table() {
    let mesh = Mesh::new(&[SYMBOL]).version("1.1.0");
    let output = mesh.diff(&[SCORES, "new", "--markdown"]);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output);
    for part in [
        "### `customer.credit_scores` 1.0.0 → 1.1.0",
        "**The version does not fit the changes.**",
        "| class | where | what | effects | touches |\n|---|---|---|---|---|\n",
        "| **readers only** | `schema.properties.band.enum` | widened E |  | customer (for score_drift) by band: it has to act first; loan (for decisions) by band: it has to act first |",
    ] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
}

#[test]
fn the_example_of_the_document_is_what_is_said() {
    let docs = std::fs::read_to_string(workspace().join("docs/versions.md")).unwrap();
    let block = docs.split("```console\n").nth(1).unwrap();
    let (command, expected) = block.split("```").next().unwrap().split_once('\n').unwrap();
    let arguments: Vec<&str> = command.split(' ').skip(4).collect();
    let output = Mesh::new(&[SYMBOL]).version("1.1.0").diff(&arguments);
    assert_eq!(text(&output), expected);
}

#[test]
fn what_cannot_be_read_says_how_to_mend_it() {
    let mesh = Mesh::new(&[]);
    let check = |arguments: &[&str], code: i32, parts: &[&str]| {
        let output = mesh.diff(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} in {said}");
        }
    };
    check(&[SCORES], 2, &["NEW", "Usage"]);
    check(
        &[SCORES, "new", "--json", "--markdown"],
        2,
        &["cannot be used with"],
    );
    check(
        &[SCORES, "nowhere"],
        1,
        &["no such file or folder", "nowhere", "mend:"],
    );
    check(
        &[SCORES, "domains"],
        1,
        &["domains/contract.odcs.yaml", "mend:"],
    );
    check(
        &[SCORES, "new", "--mesh=new"],
        1,
        &["holds no `domains`", "--mesh"],
    );
    check(
        &[
            "customer.credit_scores@1.0.0",
            "new",
            "--url=http://127.0.0.1:9",
        ],
        1,
        &["does not answer", "--url"],
    );
    mesh.edit("contract.odcs.yaml", "value: state", "value: table");
    check(
        &[SCORES, "new"],
        1,
        &["new/contract.odcs.yaml:", "mesh.kind"],
    );
    let help = text(&mesh.diff(&["--help"]));
    for code in ["0  ", "1  ", "2  ", "3  "] {
        assert!(help.contains(code), "{help}");
    }
}

#[test]
fn a_contract_file_and_a_mesh_elsewhere_do() {
    let mesh = Mesh::new(&[SYMBOL]).version("1.1.0");
    let file = format!("{SCORES}/contract.odcs.yaml");
    let arguments = [&file, "new/contract.odcs.yaml"];
    let output = mesh.diff(&arguments);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        !text(&output).contains("product.odps.yaml"),
        "{}",
        text(&output)
    );
    // From a folder that is no mesh: without --mesh nobody is looked for.
    let elsewhere = |more: &[&str]| {
        let root = workspace();
        let output = mesh_in(
            &mesh.path("new"),
            &[
                &[root.join(&file).to_str().unwrap(), "contract.odcs.yaml"],
                more,
            ]
            .concat(),
        );
        text(&output)
    };
    assert!(!elsewhere(&[]).contains("touches"));
    let root = workspace();
    assert!(elsewhere(&["--mesh", root.to_str().unwrap()]).contains("loan (for"));
}

fn mesh_in(folder: &Path, arguments: &[&str]) -> Output {
    mesh()
        .current_dir(folder)
        .args(["contract", "diff"])
        .args(arguments)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_version_comes_from_the_catalog() {
    let platform = Platform::start();
    let read = |file: &str| std::fs::read_to_string(workspace().join(SCORES).join(file)).unwrap();
    let (product, contract) = (read("product.odps.yaml"), read("contract.odcs.yaml"));
    let parsed = Contract::parse("contract.odcs.yaml", &contract).unwrap();
    let url = format!(
        "{}/api/v1/products/customer/credit_scores/versions/1.0.0",
        platform.http
    );
    let answer = reqwest::Client::new()
        .put(url)
        .json(&json!({
            "product": product,
            "contract": contract,
            "topic": parsed.schema.topic,
            "key_schema_id": 1,
            "value_schema_id": 2,
            "key_schema": key_schema(&parsed).to_string(),
            "value_schema": value_schema(&parsed, SchemaUse::Write).to_string(),
        }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());

    let mesh = Mesh::new(&[SYMBOL]).version("1.1.0");
    let url = format!("--url={}", platform.http);
    for version in ["1.0.0", "v1"] {
        let published = format!("customer.credit_scores@{version}");
        let output = mesh.diff(&[&published, "new", &url]);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("schema.properties.band.enum"), "{said}");
        assert!(
            said.contains("touches: customer (for score_drift) by band"),
            "{said}"
        );
        let output = mesh.diff(&[&published, SCORES, &url]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
    let output = mesh.diff(&["customer.credit_scores@7.0.0", "new", &url]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("mend:"), "{}", text(&output));
}
