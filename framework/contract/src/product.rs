//! A data product (Bitol ODPS v1.0.0).

use std::collections::BTreeMap;
use std::sync::Arc;

use semver::Version;
use serde_json::Value as Json;

use crate::contract::{
    Description, STATUSES, Support, Team, read_description, read_domain, read_support, read_team,
    read_version,
};
use crate::custom::{custom_properties, refuse_strays, refuse_unknown};
use crate::declared::{DeclaredSource, read_sources};
use crate::diagnostic::Diagnostics;
use crate::names::check_name;
use crate::node::{Map, Reader};
use crate::standard;

/// A product: who owns it, what it reads and what it hands out.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// The product's id, unique in the mesh.
    pub id: String,
    /// Its name, as it stands in topics and SQL.
    pub name: String,
    /// Its semantic version.
    pub version: Version,
    /// `proposed`, `draft`, `active`, `deprecated` or `retired`.
    pub status: String,
    /// The domain that owns it.
    pub domain: String,
    /// What it is for.
    pub description: Description,
    /// Free tags.
    pub tags: Vec<String>,
    /// What it is made from.
    pub input_ports: Vec<InputPort>,
    /// What it hands out.
    pub output_ports: Vec<OutputPort>,
    /// The owning team; every product has one.
    pub team: Team,
    /// Where to ask.
    pub support: Vec<Support>,
    /// Where its rows come from, if no code makes them.
    pub sources: Vec<DeclaredSource>,
    /// Whether it is no longer to be used.
    pub deprecated: bool,
    /// `customProperties` that the framework gives no meaning, by name.
    pub custom: BTreeMap<String, Json>,
    pub(crate) document: Arc<standard::DataProduct>,
}

/// What a product reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputPort {
    /// The port's name.
    pub name: String,
    /// The version read.
    pub version: String,
    /// The contract relied on.
    pub contract_id: String,
}

/// What a product hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputPort {
    /// The port's name.
    pub name: String,
    /// A word about it.
    pub description: Option<String>,
    /// How it is reached: `kafka`, `sql`, `rest`.
    pub kind: Option<String>,
    /// The version handed out.
    pub version: String,
    /// The contract it keeps.
    pub contract_id: Option<String>,
}

impl Product {
    /// Reads a product from the text of the file called `file`.
    ///
    /// # Errors
    /// Everything in the file that is wrong or not understood, with line, field and mend.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        let reader = Reader::new(file);
        let product = reader.parse(text).and_then(|root| {
            let document = standard::read_product(&reader, &root);
            reader.settle();
            refuse_strays(&reader, &root, "", true);
            read(&reader.map(&root, "")?, document)
        });
        reader.finish(product)
    }

    /// The whole of what the file says, also what the framework gives no meaning.
    pub fn document(&self) -> &standard::DataProduct {
        &self.document
    }

    /// The name of the team, or of its first owner.
    pub fn owner(&self) -> Option<&str> {
        self.team
            .name
            .as_deref()
            .or_else(|| self.team.members.first().map(|m| m.username.as_str()))
    }
}

fn read(map: &Map<'_>, document: Option<standard::DataProduct>) -> Option<Product> {
    let id = map.required_string("id");
    let name = map.required_string("name");
    let version = read_version(map);
    let status = map.one_of("status", &STATUSES);
    let domain = read_domain(map);
    let description = read_description(map);
    let tags = map.strings("tags");
    let team = read_team(map);
    let support = read_support(map);
    let input_ports = map
        .maps("inputPorts")
        .into_iter()
        .filter_map(|port| {
            let name = port.required_string("name");
            let version = port.required_string("version");
            let contract_id = port.required_string("contractId");
            Some(InputPort {
                name: name?,
                version: version?,
                contract_id: contract_id?,
            })
        })
        .collect();
    let output_ports: Vec<OutputPort> = map
        .maps("outputPorts")
        .into_iter()
        .filter_map(|port| {
            let name = port.required_string("name");
            let version = port.required_string("version");
            Some(OutputPort {
                name: name?,
                description: port.string("description"),
                kind: port.string("type"),
                version: version?,
                contract_id: port.string("contractId"),
            })
        })
        .collect();
    let mut custom = custom_properties(map);
    custom.remove("mesh.sources");
    let sources = read_sources(map);
    refuse_unknown(map, &custom, &["mesh.sources"]);

    if let Some(name) = &name
        && let Err((message, mend)) = check_name(name)
    {
        map.refuse("name", message, mend);
    }
    if output_ports.is_empty() {
        map.refuse(
            "outputPorts",
            "no output port",
            "add one with the contract's id and version",
        );
    }
    let owned = team
        .as_ref()
        .is_some_and(|team| team.name.is_some() || !team.members.is_empty());
    if !owned {
        map.refuse("team", "nobody owns the product", "add `team: {name: …}`");
    }
    Some(Product {
        id: id?,
        name: name?,
        version: version?,
        status: status?,
        domain: domain?,
        description,
        tags,
        input_ports,
        output_ports,
        team: team?,
        support,
        sources,
        deprecated: map.boolean("deprecated").unwrap_or(false),
        custom,
        document: Arc::new(document?),
    })
}
