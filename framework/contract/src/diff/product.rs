//! Changes of a product file: what it is made from and what it hands out.

use semver::Version;

use super::change::{Area, Change, File, Reads, Trend, What};
use super::{contract, rules, words};
use crate::product::{InputPort, OutputPort, Product};

const FILE: File = File::Product;

/// The changes between two versions of a product file.
pub(super) fn compare(old: &Product, new: &Product, out: &mut Vec<Change>) {
    // Every field is named, so that a new one of the model does not go unnoticed.
    let Product {
        id,
        name,
        version,
        status,
        domain,
        description,
        tags,
        input_ports,
        output_ports,
        team,
        support,
        sources,
        deprecated,
        custom,
        document,
    } = new;
    for (path, before, after) in [
        ("id", &old.id, id),
        ("name", &old.name, name),
        ("domain", &old.domain, domain),
    ] {
        if before != after {
            out.push(
                Change::of(
                    path,
                    What::Changed,
                    Reads::NEITHER,
                    "it is another product by that",
                )
                .moved(Some(before.clone()), Some(after.clone()))
                .effect(Area::Topic, Trend::Different)
                .mend("keep it, or make a product of its own")
                .file(FILE),
            );
        }
    }
    let new_major = old.version.major != version.major;
    contract::lifecycle(FILE, &old.status, status, new_major, out);
    contract::description(FILE, &old.description, description, out);
    words::list(FILE, "tags", &old.tags, tags, out);
    inputs(&old.input_ports, input_ports, out);
    outputs(&old.output_ports, output_ports, out);
    contract::team(FILE, &old.team, team, out);
    contract::support(FILE, &old.support, support, out);
    rules::deprecation(FILE, "deprecated", [old.deprecated, *deprecated], None, out);
    if old.sources != *sources {
        out.push(
            Change::of(
                "customProperties.mesh.sources",
                What::Changed,
                Reads::BOTH,
                "the rows come from elsewhere, their form stays",
            )
            .file(FILE),
        );
    }
    words::custom(FILE, "", &old.custom, custom, out);
    words::rest(FILE, &old.document.to_json(), &document.to_json(), out);
}

fn inputs(old: &[InputPort], new: &[InputPort], out: &mut Vec<Change>) {
    let shown = |port: &InputPort| {
        let InputPort {
            name: _,
            version,
            contract_id,
        } = port;
        format!("{contract_id} {version}")
    };
    let mut tell = |name: &str, what, before: Option<String>, after: Option<String>| {
        out.push(
            Change::of(
                format!("inputPorts.{name}"),
                what,
                Reads::BOTH,
                "what the product is made from changes; its readers read as before",
            )
            .moved(before, after)
            .nobody()
            .file(FILE),
        );
    };
    for before in old {
        match new.iter().find(|after| after.name == before.name) {
            None => tell(&before.name, What::Removed, Some(shown(before)), None),
            Some(after) if before != after => tell(
                &before.name,
                What::Changed,
                Some(shown(before)),
                Some(shown(after)),
            ),
            Some(_) => {}
        }
    }
    for after in new {
        if old.iter().all(|before| before.name != after.name) {
            tell(&after.name, What::Added, None, Some(shown(after)));
        }
    }
}

fn outputs(old: &[OutputPort], new: &[OutputPort], out: &mut Vec<Change>) {
    for before in old {
        let Some(after) = new.iter().find(|after| after.name == before.name) else {
            out.push(
                Change::of(
                    format!("outputPorts.{}", before.name),
                    What::Removed,
                    Reads::NEITHER,
                    "who reads through this port gets nothing any more",
                )
                .moved(Some(before.version.clone()), None)
                .effect(Area::Topic, Trend::Weaker)
                .mend("keep the port until the next major")
                .file(FILE),
            );
            continue;
        };
        output(before, after, out);
    }
    for after in new {
        if old.iter().all(|before| before.name != after.name) {
            out.push(
                Change::of(
                    format!("outputPorts.{}", after.name),
                    What::Added,
                    Reads::BOTH,
                    "there is one more way to read it",
                )
                .moved(None, Some(after.version.clone()))
                .nobody()
                .file(FILE),
            );
        }
    }
}

fn output(old: &OutputPort, new: &OutputPort, out: &mut Vec<Change>) {
    let OutputPort {
        name,
        description,
        kind,
        version,
        contract_id,
    } = new;
    let path = |step: &str| format!("outputPorts.{name}.{step}");
    let (before, after) = (old.description.as_deref(), description.as_deref());
    words::words(FILE, &path("description"), before, after, out);
    for (step, before, after, why) in [
        (
            "type",
            &old.kind,
            kind,
            "the port is reached in another way",
        ),
        (
            "contractId",
            &old.contract_id,
            contract_id,
            "the port keeps another contract than its readers rely on",
        ),
    ] {
        if before != after {
            out.push(
                Change::of(path(step), What::Changed, Reads::NEITHER, why)
                    .moved(before.clone(), after.clone())
                    .effect(Area::Topic, Trend::Different)
                    .mend("keep it, and add a port beside it")
                    .file(FILE),
            );
        }
    }
    if old.version != *version {
        let told = |change: Change| {
            change
                .moved(Some(old.version.clone()), Some(version.clone()))
                .nobody()
                .file(FILE)
        };
        out.push(told(port_version(path("version"), &old.version, version)));
    }
}

/// The port's version is the contract's, so the product's moves as far as that does.
fn port_version(path: String, old: &str, new: &str) -> Change {
    let (old, new) = (Version::parse(old), Version::parse(new));
    let why = "the port hands out another version of its contract";
    match (old, new) {
        (Ok(old), Ok(new)) if old.major == new.major && old.minor == new.minor => {
            Change::words(FILE, path, What::Changed)
        }
        (Ok(old), Ok(new)) if old.major == new.major => {
            Change::of(path, What::Changed, Reads::BOTH, why)
        }
        _ => Change::of(path, What::Changed, Reads::NEITHER, why)
            .mend("hand the next major out beside the old one, from a product folder of its own"),
    }
}
