//! A data product as ODPS has it.

use super::common::{
    AuthoritativeDefinition, ContextBlock, CustomProperty, Description, Support, Synonym, Team,
    custom,
};
use super::model::model;
use crate::node::Map;

model! {
    /// A data product, all of it.
    pub struct DataProduct check product {
        api_version = "apiVersion": req<String>, "the version of the standard.";
        kind = "kind": req<String>, "`DataProduct`.";
        id = "id": req<String>, "the product's id.";
        name = "name": opt<String>, "its name.";
        version = "version": opt<String>, "its own version.";
        status = "status": opt<String>, "`draft`, `active` and the like.";
        domain = "domain": opt<String>, "the domain that owns it.";
        tenant = "tenant": opt<String>, "the tenant.";
        product_type = "type": opt<String> [0, 11], "`sourceAligned`, `aggregate` or `consumerAligned`.";
        deprecated = "deprecated": opt<bool> [0, 11], "whether it is no longer to be used.";
        tags = "tags": list<String>, "free tags.";
        synonyms = "synonyms": list<Synonym> [0, 11], "other names.";
        description = "description": opt<Description>, "what it is for.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
        context = "context": opt<ContextBlock> [0, 11], "guidance for machines.";
        input_ports = "inputPorts": list<InputPort>, "what it reads.";
        output_ports = "outputPorts": list<OutputPort>, "what it hands out.";
        management_ports = "managementPorts": list<ManagementPort>, "where it is managed.";
        support = "support": list<Support>, "where to ask.";
        team = "team": opt<Team>, "who owns it.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
        product_created_ts = "productCreatedTs": opt<String>, "when the product was made.";
    }

    /// What a product reads.
    pub struct InputPort check input {
        id = "id": id, "its stable id.";
        name = "name": req<String>, "its name.";
        version = "version": opt<String>, "the version that is read.";
        contract_id = "contractId": opt<String>, "the contract relied on.";
        deprecated = "deprecated": opt<bool> [0, 11], "whether it is no longer to be used.";
        tags = "tags": list<String>, "free tags.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
    }

    /// What a product hands out.
    pub struct OutputPort check output {
        id = "id": id, "its stable id.";
        name = "name": req<String>, "its name.";
        description = "description": opt<String>, "a word about it.";
        kind = "type": opt<String>, "how it is reached.";
        version = "version": opt<String>, "the version that is handed out.";
        contract_id = "contractId": opt<String>, "the contract it keeps.";
        deprecated = "deprecated": opt<bool> [0, 11], "whether it is no longer to be used.";
        sbom = "sbom": list<Sbom>, "bills of material of the software.";
        input_contracts = "inputContracts": list<InputContract>, "contracts that it depends on.";
        synonyms = "synonyms": list<Synonym> [0, 11], "other names.";
        tags = "tags": list<String>, "free tags.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
        context = "context": opt<ContextBlock> [0, 11], "guidance for machines.";
    }

    /// A software bill of materials.
    pub struct Sbom check sbom {
        id = "id": id, "its stable id.";
        kind = "type": opt<String>, "`external` unless said otherwise.";
        url = "url": opt<String>, "where it stands.";
        tags = "tags": list<String> [0, 11], "free tags.";
        custom_properties = "customProperties": list<CustomProperty> [0, 11], "free properties.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition> [0, 11], "links.";
    }

    /// A contract that an output depends on.
    pub struct InputContract {
        id = "id": req<String>, "the contract's id.";
        version = "version": req<String>, "its version.";
    }

    /// Where a product is managed.
    pub struct ManagementPort check custom {
        id = "id": id, "its stable id.";
        name = "name": req<String>, "its name.";
        content = "content": req<String>, "`discoverability`, `observability`, `control` or `dictionary`.";
        kind = "type": opt<String>, "`rest`, which is the default, or `topic`.";
        url = "url": opt<String>, "its address.";
        channel = "channel": opt<String>, "the channel to talk on.";
        description = "description": opt<String>, "a word about it.";
        deprecated = "deprecated": opt<bool> [0, 11], "whether it is no longer to be used.";
        tags = "tags": list<String>, "free tags.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
    }
}

/// Keys that v1.0.0 asks for and v1.1.0 leaves open.
fn once_required(map: &Map<'_>, keys: &[&str]) {
    if map.reader.edition().product_before(11) {
        for key in keys.iter().filter(|key| !map.has(key)) {
            map.missing(key);
        }
    }
}

fn product(map: &Map<'_>) {
    custom(map);
    map.among("kind", &["DataProduct"]);
    once_required(map, &["status"]);
    for list in ["inputPorts", "outputPorts", "managementPorts", "support"] {
        map.unique(list, &["id"]);
    }
    // A port of one name may stand once for each version.
    for list in ["inputPorts", "outputPorts"] {
        map.unique(list, &["name", "version"]);
    }
}

fn input(map: &Map<'_>) {
    custom(map);
    once_required(map, &["version", "contractId"]);
}

fn output(map: &Map<'_>) {
    custom(map);
    once_required(map, &["version"]);
}

fn sbom(map: &Map<'_>) {
    custom(map);
    once_required(map, &["url"]);
}
