//! A folder of products to wish for.

use std::path::Path;

use mesh_plan::Wish;

/// A product of a folder; the fields are what the tests vary.
#[derive(Clone)]
pub(crate) struct Product {
    pub(crate) domain: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) status: String,
    pub(crate) kind: &'static str,
    pub(crate) partitions: i32,
    pub(crate) days: i32,
    pub(crate) level: Option<&'static str>,
    /// Further columns, a word each; one that ends in `!` may not be null.
    pub(crate) columns: Vec<&'static str>,
    /// `mesh.topic.<name>` and its value.
    pub(crate) configs: Vec<(&'static str, &'static str)>,
    pub(crate) purpose: String,
}

/// An event product `<domain>.<name>` of version 1.0.0.
pub(crate) fn product(name: &str) -> Product {
    let (domain, name) = name.split_once('.').unwrap();
    Product {
        domain: domain.to_owned(),
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        status: "active".to_owned(),
        kind: "event",
        partitions: 2,
        days: 7,
        level: None,
        columns: vec!["note"],
        configs: vec![],
        purpose: "To be planned.".to_owned(),
    }
}

impl Product {
    pub(crate) fn major(&self) -> &str {
        self.version.split('.').next().unwrap()
    }

    pub(crate) fn topic(&self) -> String {
        format!("{}.{}.v{}", self.domain, self.name, self.major())
    }

    pub(crate) fn product_text(&self) -> String {
        let Self {
            domain,
            name,
            version,
            purpose,
            ..
        } = self;
        let major = self.major();
        format!(
            "apiVersion: v1.0.0
kind: DataProduct
id: urn:mesh:product:{domain}.{name}
name: {name}
version: \"1.0.0\"
status: active
domain: {domain}
description:
  purpose: {purpose}
team:
  name: Shop
outputPorts:
  - name: stream
    type: kafka
    version: \"{version}\"
    contractId: urn:mesh:contract:{domain}.{name}.v{major}
"
        )
    }

    pub(crate) fn contract_text(&self) -> String {
        let Self {
            domain,
            name,
            version,
            status,
            kind,
            partitions,
            days,
            ..
        } = self;
        let (topic, major) = (self.topic(), self.major());
        let level = self.level.map_or(String::new(), |level| {
            format!("customProperties:\n  - property: mesh.compatibility\n    value: {level}\n")
        });
        let configs: String = self
            .configs
            .iter()
            .map(|(name, value)| {
                format!("      - property: mesh.topic.{name}\n        value: \"{value}\"\n")
            })
            .collect();
        let columns: String = self
            .columns
            .iter()
            .map(|column| {
                let name = column.trim_end_matches('!');
                let required = column.ends_with('!');
                format!(
                    "      - name: {name}\n        logicalType: string\n        required: {required}\n"
                )
            })
            .collect();
        format!(
            "apiVersion: v3.2.0
kind: DataContract
id: urn:mesh:contract:{domain}.{name}.v{major}
version: \"{version}\"
status: {status}
domain: {domain}
description:
  purpose: To be planned.
{level}slaProperties:
  - property: retention
    value: {days}
    unit: d
schema:
  - name: entry
    physicalName: {topic}
    customProperties:
      - property: mesh.kind
        value: {kind}
      - property: mesh.partitions
        value: {partitions}
{configs}    properties:
      - name: entry_id
        logicalType: integer
        logicalTypeOptions: {{ format: i64 }}
        primaryKey: true
        required: true
{columns}"
        )
    }

    /// Writes it below `root`.
    pub(crate) fn write(&self, root: &Path) {
        let folder = root.join(format!(
            "domains/{}/products/{}_v{}",
            self.domain,
            self.name,
            self.major()
        ));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("product.odps.yaml"), self.product_text()).unwrap();
        std::fs::write(folder.join("contract.odcs.yaml"), self.contract_text()).unwrap();
    }
}

/// The wish for `products`.
pub(crate) fn wish(products: &[Product]) -> Wish {
    let root = tempfile::tempdir().unwrap();
    for product in products {
        product.write(root.path());
    }
    Wish::read(root.path(), None).unwrap()
}
