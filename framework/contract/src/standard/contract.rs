//! A data contract as ODCS has it.

use serde_json::{Number, Value as Json};

use super::common::{
    AuthoritativeDefinition, ContextBlock, CustomProperty, Description, Support, TeamBlock, custom,
};
use super::edition::NEVER;
use super::model::model;
use super::schema::SchemaObject;
use super::server::Server;
use crate::node::{Map, Value};

model! {
    /// A data contract, all of it.
    pub struct DataContract check contract {
        api_version = "apiVersion": req<String>, "the version of the standard.";
        kind = "kind": req<String>, "`DataContract`.";
        id = "id": req<String>, "the contract's id.";
        name = "name": opt<String>, "its name.";
        version = "version": req<String>, "its own version.";
        status = "status": opt<String>, "`draft`, `active` and the like.";
        domain = "domain": opt<String>, "the domain that owns the data.";
        data_product = "dataProduct": opt<String>, "the product it belongs to.";
        tenant = "tenant": opt<String>, "the tenant.";
        tags = "tags": list<String>, "free tags.";
        description = "description": opt<Description>, "why the data exist.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
        context = "context": opt<ContextBlock> [32, NEVER], "guidance for machines.";
        schema = "schema": list<SchemaObject>, "the types of the data.";
        support = "support": list<Support>, "where to ask.";
        price = "price": opt<Pricing>, "what it costs.";
        team = "team": opt<TeamBlock>, "who owns it.";
        roles = "roles": list<Role>, "roles that give access.";
        sla_default_element = "slaDefaultElement": opt<String>, "what service levels are about.";
        sla_properties = "slaProperties": list<SlaProperty>, "service levels.";
        servers = "servers": list<Server>, "where the data stand.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
        contract_created_ts = "contractCreatedTs": opt<String>, "when the contract was made.";
    }

    /// A price.
    pub struct Pricing {
        id = "id": id, "its stable id.";
        price_amount = "priceAmount": opt<Number>, "the amount.";
        price_currency = "priceCurrency": opt<String>, "the currency.";
        price_unit = "priceUnit": opt<String>, "what the amount is for.";
    }

    /// A role that gives access.
    pub struct Role check custom {
        id = "id": id, "its stable id.";
        role = "role": req<String>, "its name.";
        description = "description": opt<String>, "what it is for.";
        access = "access": opt<String>, "the access it gives, such as `read`.";
        first_level_approvers = "firstLevelApprovers": opt<String>, "who approves first.";
        second_level_approvers = "secondLevelApprovers": opt<String>, "who approves then.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
    }

    /// A service level.
    pub struct SlaProperty check sla {
        id = "id": id, "its stable id.";
        property = "property": req<String>, "`retention`, `latency` and the like.";
        value = "value": req<Json>, "the promised value.";
        value_ext = "valueExt": opt<Json>, "a second value.";
        unit = "unit": opt<String>, "its unit.";
        element = "element": opt<String>, "what it is measured on.";
        driver = "driver": opt<String>, "why: `regulatory`, `analytics`, `operational`.";
        description = "description": opt<String> [31, 0], "the promise in words.";
        scheduler = "scheduler": opt<String> [31, 0], "what checks it.";
        schedule = "schedule": opt<String> [31, 0], "when it is checked.";
        custom_properties = "customProperties": list<CustomProperty> [32, 0], "free properties.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition> [32, 0], "links.";
    }
}

fn contract(map: &Map<'_>) {
    custom(map);
    map.among("kind", &["DataContract"]);
    if map.reader.edition().contract_before(32) && !map.has("status") {
        map.missing("status");
    }
    for list in ["schema", "support", "roles", "slaProperties", "servers"] {
        map.unique(list, &["id"]);
    }
    map.unique("schema", &["name"]);
}

fn sla(map: &Map<'_>) {
    custom(map);
    for key in ["value", "valueExt"] {
        if let Some(value @ (Value::Seq(_) | Value::Map(_))) = map.value(key) {
            map.refuse(
                key,
                format!("expected a single value, found {}", value.kind()),
                "write a text, a number or a boolean",
            );
        }
    }
}
